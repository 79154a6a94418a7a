/* SPDX-License-Identifier: MIT
 *
 * The client against servers that lie, stop, or fall over: every kind of lie at every step of
 * four dialogues. What must hold: the transaction ends, each recipient in the right class; nobody
 * is "delivered" without a yes to all of the content; and once that has gone out a missing reply is
 * "unknown".
 */
#include "tests/smtp/client_talk.h"

#include "tests/lib/test.h"

/* ---- dialogues that are good --------------------------------------------------------------- */

/* Who a reply is for. */
enum role {
	NONE, /* the client's turn */
	GREETING,
	HELLO,
	MAIL,
	RCPT_A,
	RCPT_B,
	DATA,
	END,  /* of both; in LMTP of the first */
	END_B /* LMTP: of the second */
};
struct step {
	enum role role;
	const char *text;
};
enum { STEPS_MAX = 24 };
static const struct dialogue {
	const char *name;
	enum tmail_protocol protocol;
	bool chunk, ahead;
	struct step steps[STEPS_MAX];
} dialogues[] = {
	{ "one after another", TMAIL_PROTOCOL_SMTP, false, false,
		{ { GREETING, "220 peer" }, { NONE, "< EHLO" }, { HELLO, "250 peer" },
			{ NONE, "< MAIL" }, { MAIL, "250 ok" }, { NONE, "< RCPT" },
			{ RCPT_A, "250 ok" }, { NONE, "< RCPT" }, { RCPT_B, "250 ok" },
			{ NONE, "< DATA" }, { DATA, "354 go" }, { NONE, "<." },
			{ END, "250 taken" } } },
	{ "pipelined", TMAIL_PROTOCOL_SMTP, false, true,
		{ { GREETING, "220 peer" }, { NONE, "< EHLO" },
			{ HELLO, "250-peer\r\n250 PIPELINING" }, { NONE, "< MAIL" },
			{ NONE, "< RCPT" }, { NONE, "< RCPT" }, { NONE, "< DATA" },
			{ MAIL, "250 ok" }, { RCPT_A, "250 ok" }, { RCPT_B, "250 ok" },
			{ DATA, "354 go" }, { NONE, "<." }, { END, "250 taken" } } },
	{ "in one chunk", TMAIL_PROTOCOL_SMTP, true, true,
		{ { GREETING, "220 peer" }, { NONE, "< EHLO" },
			{ HELLO, "250-peer\r\n250-PIPELINING\r\n250 CHUNKING" }, { NONE, "< MAIL" },
			{ NONE, "< RCPT" }, { NONE, "< RCPT" }, { NONE, "< BDAT" },
			{ MAIL, "250 ok" }, { RCPT_A, "250 ok" }, { RCPT_B, "250 ok" },
			{ END, "250 taken" } } },
	{ "LMTP", TMAIL_PROTOCOL_LMTP, false, true,
		{ { GREETING, "220 peer" }, { NONE, "< LHLO" },
			{ HELLO, "250-peer\r\n250-PIPELINING\r\n250 CHUNKING" }, { NONE, "< MAIL" },
			{ NONE, "< RCPT" }, { NONE, "< RCPT" }, { NONE, "< DATA" },
			{ MAIL, "250 ok" }, { RCPT_A, "250 ok" }, { RCPT_B, "250 ok" },
			{ DATA, "354 go" }, { NONE, "<." }, { END, "250 taken" },
			{ END_B, "250 taken" } } },
};

static const struct dialogue *const dialogues_end =
	dialogues + sizeof dialogues / sizeof *dialogues;

static size_t count_steps(const struct dialogue *d)
{
	size_t n = 0;

	while (d->steps[n].text)
		n++;
	return n;
}

/* ---- playing them ------------------------------------------------------------------------ */

struct play {
	struct talk t;
	const struct dialogue *d;
	struct buf lines[STEPS_MAX]; /* of the good steps, as the peer wants them */
	const char *script[2 * STEPS_MAX];
	size_t count;
	int64_t patience; /* 0: no time-out */
};

static void play_begin(struct play *p, const struct dialogue *d)
{
	memset(p, 0, sizeof *p);
	p->d = d;
}

static void play_step(struct play *p, const char *step)
{
	p->script[p->count++] = step;
}

/* The good steps [from, to). */
static void play_steps(struct play *p, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		const struct step *s = &p->d->steps[i];

		buf_clear(&p->lines[i]);
		buf_printf(&p->lines[i], "%s%s", s->role == NONE ? "" : "> ", s->text);
		play_step(p, buf_c(&p->lines[i]));
	}
}

static void play_run(struct play *p)
{
	struct talk *t = &p->t;
	int64_t ms = p->patience;

	play_step(p, NULL);
	talk_start(t, p->script);
	t->settings.protocol = p->d->protocol;
	t->settings.chunking = true;
	if (ms)
		t->settings.timeouts =
			(struct client_timeouts){ 30000, ms, ms, ms, ms, ms, ms, ms, ms };
	talk_recipients(t, "a@x.org", "b@x.org", NULL);
	talk_content(t, "Subject: x\r\n\r\nhello\r\n");
	talk_run(t);
}

static void play_end(struct play *p)
{
	talk_end(&p->t);
	for (size_t i = 0; i < STEPS_MAX; i++)
		buf_free(&p->lines[i]);
}

/* ---- what must come of them ---------------------------------------------------------------- */

static enum client_class class_of(const struct play *p, unsigned i)
{
	const struct talk *t = &p->t;

	return t->done ? t->r[i].outcome.class : CLASS_NEXT_HOST;
}

static void classes_are(
	const struct play *p, enum client_class a, enum client_class b, const char *lie, size_t at)
{
	ck_assert_msg(class_of(p, 0) == a && class_of(p, 1) == b,
		"%s, %s at step %zu: %d %d (%s), not %d %d", p->d->name, lie, at, class_of(p, 0),
		class_of(p, 1), p->t.text[0], a, b);
}

/* A reset before the server has heard a word may come before the client has noticed that it is
 * connected. Any later one is seen where it was made: what was said before it is heard first. */
static bool reset_at_once(const struct play *p, const char *lie)
{
	for (size_t i = 0; p->script[i]; i++)
		if (p->script[i][0] == '<')
			return false;
	return strcmp(lie, "reset") == 0;
}

/* The connection was of no more use when the reply to this step was waited for. */
static void ended_at(const struct play *p, size_t at, const char *lie)
{
	const struct talk *t = &p->t;
	enum role role = p->d->steps[at].role;
	bool sent = p->d->chunk || role >= END;
	enum client_class rest = sent ? CLASS_UNKNOWN : CLASS_TEMPORARY;

	ck_assert(!t->usable);
	if (role <= HELLO) {
		ck_assert_msg(!t->done && !t->client, "%s, %s at step %zu", p->d->name, lie, at);
		ck_assert_int_eq(t->opened.class, CLASS_NEXT_HOST);
		if (!reset_at_once(p, lie) || t->opened.stage != STAGE_CONNECT)
			ck_assert_int_eq(
				t->opened.stage, (role == GREETING ? STAGE_GREETING : STAGE_EHLO));
		return;
	}
	classes_are(p, role == END_B ? CLASS_OK : rest, rest, lie, at);
	for (unsigned i = role == END_B; i < 2; i++)
		ck_assert_uint_gt(strlen(t->text[i]), 0);
}

/* The same lie at every step at which the server speaks. */
static void lie_everywhere(const char *lie, int64_t patience)
{
	for (const struct dialogue *d = dialogues; d != dialogues_end; d++)
		for (size_t at = 0; at < count_steps(d); at++) {
			struct play p;

			if (d->steps[at].role == NONE)
				continue;
			play_begin(&p, d);
			p.patience = patience;
			play_steps(&p, 0, at);
			play_step(&p, lie);
			play_step(&p, "wait");
			play_run(&p);
			ended_at(&p, at, lie);
			play_end(&p);
		}
}

/* ---- connections that end ------------------------------------------------------------------ */

static void cut_inside(const struct dialogue *d, size_t at, size_t octets, const char *how)
{
	char part[80] = ">> ";
	struct play p;

	play_begin(&p, d);
	play_steps(&p, 0, at);
	memcpy(part + 3, d->steps[at].text, octets);
	part[3 + octets] = '\0';
	if (octets == strlen(d->steps[at].text))
		strcat(part, "\r");
	if (octets > 0)
		play_step(&p, part);
	play_step(&p, how);
	play_run(&p);
	ended_at(&p, at, how);
	play_end(&p);
}

/* Behind each octet of each reply, up to the LF that would have ended it. */
static void cut_everywhere(const char *how)
{
	for (const struct dialogue *d = dialogues; d != dialogues_end; d++)
		for (size_t at = 0; at < count_steps(d); at++)
			for (size_t n = 0; d->steps[at].role && n <= strlen(d->steps[at].text); n++)
				cut_inside(d, at, n, how);
}

START_TEST(a_connection_may_be_closed_behind_each_octet)
{
	cut_everywhere("close");
}
END_TEST

START_TEST(a_connection_may_be_reset_behind_each_octet)
{
	cut_everywhere("reset");
}
END_TEST

/* While the client speaks: what it says may be lost or not, but the reply that it waits for next
 * is missing in any case. */
static void ends_instead_of_listening(const char *how)
{
	for (const struct dialogue *d = dialogues; d != dialogues_end; d++)
		for (size_t at = 0; at < count_steps(d); at++) {
			size_t next = at;
			struct play p;

			if (d->steps[at].role != NONE)
				continue;
			while (d->steps[next].role == NONE)
				next++;
			play_begin(&p, d);
			play_steps(&p, 0, at);
			play_step(&p, how);
			play_run(&p);
			/* Nobody can tell whether content that was on its way had arrived. */
			if (d->steps[next].role > HELLO && class_of(&p, 0) == CLASS_TEMPORARY &&
				(d->chunk || d->steps[next].role >= END))
				classes_are(&p, CLASS_TEMPORARY, CLASS_TEMPORARY, how, at);
			else
				ended_at(&p, next, how);
			play_end(&p);
		}
}

START_TEST(a_connection_may_end_while_the_client_speaks)
{
	ends_instead_of_listening("close");
	ends_instead_of_listening("reset");
}
END_TEST

START_TEST(silence_is_waited_for_as_long_as_was_said)
{
	lie_everywhere("wait", 20);
}
END_TEST

/* ---- what is no reply ---------------------------------------------------------------------- */

START_TEST(what_is_no_reply_ends_the_connection)
{
	static const char *const lies[] = {
		"> hello, who is there?",
		"> ",
		"> 25",
		"> 2500 ok",
		"> 250_ok",
		"> 2 50 ok",
		"> -250 ok",
		"> 000 ok",
		"> 099 ok",
		"> 150 ok",
		"> 199 ok",
		"> 600 ok",
		"> 999 ok",
		">> 250-one\r\n251 two\r\n",
		">> 250-one\r\n250-two\r\nand three\r\n",
		"nul",
		"flood",
		"lines",
	};

	for (size_t i = 0; i < sizeof lies / sizeof *lies; i++)
		lie_everywhere(lies[i], 0);
}
END_TEST

/* ---- codes ------------------------------------------------------------------------------- */

static enum client_class class_of_code(unsigned code, bool rcpt)
{
	if (code == 421)
		return CLASS_NEXT_HOST;
	if (rcpt && code == 552)
		return CLASS_TEMPORARY;
	return code / 100 == 2 ? CLASS_OK : code / 100 == 5 ? CLASS_PERMANENT : CLASS_TEMPORARY;
}

static void code_means(struct play *p, size_t at, unsigned code)
{
	enum role role = p->d->steps[at].role;
	enum client_class class = class_of_code(code, role == RCPT_A || role == RCPT_B);
	bool sense = role == DATA ? code == 354 || code >= 400 : code / 100 != 3;
	char lie[16];

	snprintf(lie, sizeof lie, "%u", code);
	if (role == GREETING ? code == 220 : role == DATA && code == 354)
		classes_are(p, CLASS_OK, CLASS_OK, lie, at);
	else if (role <= HELLO || !sense)
		ended_at(p, at, lie);
	else if (code == 421 && role == END && p->d->protocol == TMAIL_PROTOCOL_LMTP)
		classes_are(p, class, CLASS_UNKNOWN, lie, at);
	else if (code == 421 && role != END_B)
		classes_are(p, class, class, lie, at);
	else if (role == RCPT_A || (role == END && p->d->protocol == TMAIL_PROTOCOL_LMTP))
		classes_are(p, class, CLASS_OK, lie, at);
	else if (role == RCPT_B || role == END_B)
		classes_are(p, CLASS_OK, class, lie, at);
	else
		classes_are(p, class, class, lie, at);
}

START_TEST(every_code_at_every_step_means_what_it_says)
{
	static const unsigned codes[] = { 200, 211, 220, 221, 235, 250, 251, 252, 299, 300, 334,
		354, 399, 400, 421, 432, 450, 451, 452, 455, 499, 500, 501, 502, 503, 504, 521, 530,
		535, 550, 551, 552, 553, 554, 555, 599 };

	for (const struct dialogue *d = dialogues; d != dialogues_end; d++)
		for (size_t at = 0; at < count_steps(d); at++)
			for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
				unsigned code = codes[i];
				struct play p;
				char line[16];

				/* 250 to EHLO is the good one; of HELO speaks test_client.c. */
				if (d->steps[at].role == NONE ||
					(d->steps[at].role == HELLO &&
						(code == 250 || code / 100 == 5)))
					continue;
				snprintf(line, sizeof line, "> %u x", code);
				play_begin(&p, d);
				play_steps(&p, 0, at);
				play_step(&p, line);
				play_steps(&p, at + 1, count_steps(d));
				play_step(&p, "wait");
				play_run(&p);
				code_means(&p, at, code);
				play_end(&p);
			}
}
END_TEST

/* ---- replies too many, and too early ----------------------------------------------------- */

/* All that the server has to say from a step on in one piece, that step's twice. */
static void twice_at(const struct dialogue *d, size_t at, const char *other)
{
	struct buf piece = { 0 };
	struct play p;
	size_t next = at + 1;

	play_begin(&p, d);
	play_steps(&p, 0, at);
	buf_printf(&piece, ">> %s\r\n%s\r\n", d->steps[at].text, other ? other : d->steps[at].text);
	for (; d->steps[next].text && d->steps[next].role != NONE; next++)
		buf_printf(&piece, "%s\r\n", d->steps[next].text);
	play_step(&p, buf_c(&piece));
	play_steps(&p, next, count_steps(d));
	play_step(&p, "wait");
	play_run(&p);
	ck_assert(!p.t.usable);
	switch (d->steps[at].role) {
	case END_B:
		classes_are(&p, CLASS_OK, other ? CLASS_UNKNOWN : CLASS_OK, "twice", at);
		break;
	case END: /* LMTP: the second's reply is not known for its own */
		if (d->protocol == TMAIL_PROTOCOL_LMTP && other)
			classes_are(&p, CLASS_OK, CLASS_PERMANENT, "twice", at);
		else
			classes_are(&p, other && d->chunk ? CLASS_UNKNOWN : CLASS_OK,
				other && d->chunk ? CLASS_UNKNOWN : CLASS_OK, "twice", at);
		break;
	default:
		/* In one chunk only their number tells replies apart, and all say yes. */
		if (!d->chunk || d->steps[at].role <= HELLO)
			ck_assert_msg(class_of(&p, 0) != CLASS_OK && class_of(&p, 1) != CLASS_OK,
				"%s, twice at step %zu", d->name, at);
		else if (!other)
			classes_are(&p, CLASS_OK, CLASS_OK, "twice", at);
	}
	play_end(&p);
	buf_free(&piece);
}

START_TEST(a_reply_too_many_delivers_nobody)
{
	for (const struct dialogue *d = dialogues; d != dialogues_end; d++)
		for (size_t at = 0; at < count_steps(d); at++)
			if (d->steps[at].role != NONE)
				twice_at(d, at, NULL);
}
END_TEST

START_TEST(a_reply_too_many_that_is_a_no_makes_a_counted_yes_doubtful)
{
	for (const struct dialogue *d = dialogues; d != dialogues_end; d++)
		for (size_t at = 0; at < count_steps(d); at++)
			if (d->steps[at].role >= END)
				twice_at(d, at, "554 no");
}
END_TEST

/* A chunk is refused, and one yes too many was said before: that no is not taken for another's. */
START_TEST(a_refused_chunk_behind_a_yes_too_many_is_not_delivered)
{
	static const char *const script[] = { "> 220 peer", "< EHLO", "> 250-peer",
		"> 250-PIPELINING", "> 250 CHUNKING", "< MAIL", "< RCPT", "< RCPT", "< BDAT",
		">> 250 ok\r\n250 extra\r\n250 ok\r\n250 ok\r\n554 refused\r\n", "wait", NULL };
	struct talk t;

	talk_start(&t, script);
	t.settings.chunking = true;
	talk_recipients(&t, "a@x.org", "b@x.org", NULL);
	talk_content(&t, "Subject: x\r\n\r\nhello\r\n");
	talk_run(&t);
	ck_assert_int_eq(t.r[0].outcome.class, CLASS_UNKNOWN);
	ck_assert_int_eq(t.r[1].outcome.class, CLASS_UNKNOWN);
	ck_assert(!t.usable);
	talk_end(&t);
}
END_TEST

/* Everything from a step on is pushed before it is asked for. */
START_TEST(replies_pushed_ahead_of_their_commands_are_not_believed)
{
	for (const struct dialogue *d = dialogues; d != dialogues_end; d++)
		for (size_t at = 0; at < count_steps(d); at++) {
			struct buf piece = { 0 };
			struct play p;
			size_t next = at, asked = 0;

			if (d->steps[at].role == NONE)
				continue;
			play_begin(&p, d);
			play_steps(&p, 0, at);
			buf_add_c(&piece, ">> ");
			for (; d->steps[next].text; next++)
				if (d->steps[next].role != NONE)
					buf_printf(&piece, "%s\r\n", d->steps[next].text);
				else
					asked++;
			play_step(&p, buf_c(&piece));
			play_step(&p, "wait");
			play_run(&p);
			if (asked > 0) {
				ck_assert_msg(
					class_of(&p, 0) != CLASS_OK && class_of(&p, 1) != CLASS_OK,
					"%s, from step %zu on", d->name, at);
				ck_assert(!p.t.usable);
			} else {
				classes_are(&p, CLASS_OK, CLASS_OK, "all at once", at);
			}
			play_end(&p);
			buf_free(&piece);
		}
}
END_TEST

START_TEST(a_no_to_a_command_that_was_not_said_yet_is_nobodys_outcome)
{
	static const char *const script[] = { "> 220 peer", "< EHLO", "> 250 peer", "< MAIL",
		">> 250 ok\r\n550 no such user\r\n", "wait", NULL };
	static const char *const hello[] = { ">> 220 peer\r\n550 no\r\n", "wait", NULL };
	struct talk t;

	talk_start(&t, script);
	talk_recipients(&t, "a@x.org", "b@x.org", NULL);
	talk_run(&t);
	ck_assert_int_eq(t.r[0].outcome.class, CLASS_TEMPORARY);
	ck_assert_int_eq(t.r[1].outcome.class, CLASS_TEMPORARY);
	talk_end(&t);
	talk_start(&t, hello);
	talk_run(&t);
	ck_assert_ptr_null(t.client);
	ck_assert_uint_eq(t.opened.code, 0);
	talk_saw_not(&t, "HELO");
	talk_end(&t);
}
END_TEST

/* More than the kernel takes at once. */
static char *large_content(struct talk *t)
{
	enum { SIZE = 32 * 1024 * 1024 };
	char *large = must_alloc(SIZE);

	memset(large, 'x', SIZE);
	for (size_t i = 78; i + 1 < SIZE; i += 80)
		memcpy(large + i, "\r\n", 2);
	t->t.pieces[0] = str_make(large, SIZE);
	t->t.piece_count = 1;
	return large;
}

START_TEST(before_the_end_of_data_a_no_is_believed_and_nothing_else)
{
	static const struct {
		const char *reply;
		enum client_class class;
	} cases[] = {
		{ "> 250 taken", CLASS_TEMPORARY },
		{ "> 354 more", CLASS_TEMPORARY },
		{ "> 421 4.3.2 bye", CLASS_NEXT_HOST },
		{ "> 452 4.3.1 full", CLASS_TEMPORARY },
		{ "> 552 5.3.4 too large", CLASS_PERMANENT },
		{ "close", CLASS_TEMPORARY },
		{ "reset", CLASS_TEMPORARY },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *const script[] = { "> 220 peer", "< EHLO", "> 250-peer",
			"> 250 PIPELINING", "< MAIL", "< RCPT", "< RCPT", "< DATA", "> 250 ok",
			"> 250 ok", "> 250 ok", "> 354 go", "<*", cases[i].reply, "wait", NULL };
		struct talk t;
		char *large;

		talk_start(&t, script);
		talk_recipients(&t, "a@x.org", "b@x.org", NULL);
		large = large_content(&t);
		talk_run(&t);
		for (unsigned r = 0; r < 2; r++) {
			ck_assert_int_eq(t.r[r].outcome.class, cases[i].class);
			ck_assert_int_eq(t.r[r].outcome.stage, STAGE_CONTENT);
		}
		ck_assert(!t.usable);
		talk_end(&t);
		free(large);
	}
}
END_TEST

START_TEST(words_of_a_server_are_cut_and_cleaned)
{
	static const char *const script[] = { "> 220 peer", "< EHLO", "> 250-peer",
		"> 250 PIPELINING", "<*", "> 250 ok",
		">> 550-5.1.1 no \001\033[31muser\r\n550 5.1.1 here\r\n", "> 550 4.7.1 no",
		"> 503 no", "wait", NULL };
	struct talk t;

	talk_start(&t, script);
	talk_recipients(&t, "a@x.org", "b@x.org", NULL);
	talk_run(&t);
	talk_text_is(&t, 0, "no ??[31muser\nhere");
	ck_assert_str_eq(t.r[0].outcome.enhanced, "5.1.1");
	/* A code of another class is words. */
	ck_assert_str_eq(t.r[1].outcome.enhanced, "");
	talk_text_is(&t, 1, "4.7.1 no");
	ck_assert(t.usable);
	talk_end(&t);
}
END_TEST

TEST_MAIN("smtp/client_lies", a_connection_may_be_closed_behind_each_octet,
	a_connection_may_be_reset_behind_each_octet, a_connection_may_end_while_the_client_speaks,
	silence_is_waited_for_as_long_as_was_said, what_is_no_reply_ends_the_connection,
	every_code_at_every_step_means_what_it_says, a_reply_too_many_delivers_nobody,
	a_reply_too_many_that_is_a_no_makes_a_counted_yes_doubtful,
	a_refused_chunk_behind_a_yes_too_many_is_not_delivered,
	replies_pushed_ahead_of_their_commands_are_not_believed,
	a_no_to_a_command_that_was_not_said_yet_is_nobodys_outcome,
	before_the_end_of_data_a_no_is_believed_and_nothing_else,
	words_of_a_server_are_cut_and_cleaned)
