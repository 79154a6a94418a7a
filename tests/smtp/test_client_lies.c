/* SPDX-License-Identifier: MIT
 *
 * The client against servers that lie, stop, or fall over, in every state. What must hold: the
 * transaction ends, nobody is "delivered" who was not, and once the end of data has gone out a
 * missing reply is "unknown".
 */
#include "tests/smtp/client_talk.h"

#include "tests/lib/test.h"

#define HELLO "> 220 peer", "< EHLO", "> 250-peer", "> 250 PIPELINING"
#define ENVELOPE "<*", "> 250 ok", "> 250 ok", "> 250 ok", "> 354 go", "<."

/* Two recipients, a short message. */
static void talk(struct talk *t, const char *const *script)
{
	talk_start(t, script);
	talk_recipients(t, "a@x.org", "b@x.org", NULL);
	talk_content(t, "Subject: x\r\n\r\nhello\r\n");
	talk_run(t);
}

static void both_are(struct talk *t, enum client_class class, enum client_stage stage)
{
	ck_assert(t->done);
	ck_assert(!t->usable);
	for (size_t i = 0; i < 2; i++) {
		ck_assert_msg(t->r[i].outcome.class == class && t->r[i].outcome.stage == stage,
			"class %d stage %d: %s", t->r[i].outcome.class, t->r[i].outcome.stage,
			t->text[i]);
		ck_assert_uint_gt(strlen(t->text[i]), 0);
	}
}

static void not_opened(struct talk *t, enum client_stage stage)
{
	ck_assert(!t->done);
	ck_assert_ptr_null(t->client);
	ck_assert_int_eq(t->opened.class, CLASS_NEXT_HOST);
	ck_assert_int_eq(t->opened.stage, stage);
}

/* A good dialogue, cut behind each of its steps. */
static const char *const good[] = { HELLO, ENVELOPE, "> 250 taken" };
enum { STEPS = sizeof good / sizeof *good, GREETED = 1, OPEN = 4, SENT = STEPS - 1 };

static void cut_after(size_t steps, const char *how)
{
	const char *script[STEPS + 2];
	struct talk t;

	memcpy(script, good, steps * sizeof *script);
	script[steps] = how;
	script[steps + 1] = NULL;
	talk(&t, script);
	/* A reset throws away what was on its way: it can be seen earlier than it was sent. */
	if (!t.done && *how == 'r' &&
		t.opened.stage < (steps < GREETED ? STAGE_GREETING : STAGE_EHLO))
		not_opened(&t, t.opened.stage);
	else if (!t.done && *how == 'r' && steps >= OPEN)
		not_opened(&t, STAGE_EHLO);
	else if (steps < GREETED)
		not_opened(&t, STAGE_GREETING);
	else if (steps < OPEN)
		not_opened(&t, STAGE_EHLO);
	else if (steps == SENT)
		both_are(&t, CLASS_UNKNOWN, STAGE_DOT);
	else
		ck_assert_msg(t.r[0].outcome.class == CLASS_TEMPORARY ||
				(t.r[0].outcome.class == CLASS_UNKNOWN && steps == SENT - 1),
			"cut after %zu: class %d", steps, t.r[0].outcome.class);
	talk_end(&t);
}

START_TEST(a_connection_closed_in_any_state_ends_the_transaction)
{
	for (size_t steps = 0; steps < STEPS; steps++)
		cut_after(steps, "close");
}
END_TEST

START_TEST(a_connection_reset_in_any_state_ends_the_transaction)
{
	for (size_t steps = 0; steps < STEPS; steps++)
		cut_after(steps, "reset");
}
END_TEST

START_TEST(garbage_in_any_state_ends_the_transaction)
{
	for (size_t steps = 0; steps < STEPS; steps++) {
		if (good[steps][0] != '>')
			continue;
		const char *script[STEPS + 3];
		struct talk t;

		memcpy(script, good, steps * sizeof *script);
		script[steps] = "> hello, who is there?";
		script[steps + 1] = "wait";
		script[steps + 2] = NULL;
		talk(&t, script);
		if (steps < GREETED)
			not_opened(&t, STAGE_GREETING);
		else if (steps < OPEN)
			not_opened(&t, STAGE_EHLO);
		else
			both_are(&t, steps == SENT ? CLASS_UNKNOWN : CLASS_TEMPORARY,
				t.r[0].outcome.stage);
		talk_end(&t);
	}
}
END_TEST

START_TEST(a_reply_without_an_end_is_not_waited_for)
{
	for (size_t steps = 0; steps < STEPS; steps++) {
		if (good[steps][0] != '>')
			continue;
		const char *script[STEPS + 2];
		struct talk t;

		memcpy(script, good, steps * sizeof *script);
		script[steps] = "flood";
		script[steps + 1] = NULL;
		talk(&t, script);
		ck_assert(!t.done || t.r[0].outcome.class != CLASS_OK);
		ck_assert(!t.usable);
		talk_end(&t);
	}
}
END_TEST

START_TEST(silence_is_waited_for_as_long_as_was_said)
{
	for (size_t steps = 0; steps < STEPS; steps++) {
		if (good[steps][0] != '>')
			continue;
		const char *script[STEPS + 2];
		struct talk t;

		memcpy(script, good, steps * sizeof *script);
		script[steps] = "wait";
		script[steps + 1] = NULL;
		talk_start(&t, script);
		t.settings.timeouts =
			(struct client_timeouts){ 30000, 20, 20, 20, 20, 20, 20, 20, 20 };
		talk_recipients(&t, "a@x.org", "b@x.org", NULL);
		talk_run(&t);
		if (steps < OPEN)
			not_opened(&t, steps < GREETED ? STAGE_GREETING : STAGE_EHLO);
		else
			both_are(&t, steps == SENT ? CLASS_UNKNOWN : CLASS_TEMPORARY,
				t.r[0].outcome.stage);
		talk_end(&t);
	}
}
END_TEST

START_TEST(a_greeting_that_refuses_is_a_matter_of_the_host)
{
	static const char *const later[] = { "> 421 busy", "wait", NULL };
	static const char *const never[] = { "> 554 no SMTP here", "wait", NULL };
	static const char *const odd[] = { "> 250 hello", "wait", NULL };
	const char *const *const scripts[] = { later, never, odd };
	const unsigned codes[] = { 421, 554, 250 };

	for (size_t i = 0; i < 3; i++) {
		struct talk t;

		talk(&t, scripts[i]);
		not_opened(&t, STAGE_GREETING);
		ck_assert_uint_eq(t.opened.code, codes[i]);
		talk_end(&t);
	}
}
END_TEST

START_TEST(ehlo_for_later_is_a_matter_of_the_host)
{
	static const char *const script[] = { "> 220 peer", "< EHLO", "> 450 later", "wait", NULL };
	static const char *const both[] = { "> 220 peer", "< EHLO", "> 550 no", "< HELO",
		"> 550 no", "wait", NULL };
	struct talk t;

	talk(&t, script);
	not_opened(&t, STAGE_EHLO);
	talk_end(&t);
	talk(&t, both);
	not_opened(&t, STAGE_EHLO);
	talk_end(&t);
}
END_TEST

START_TEST(a_server_that_greets_twice_is_not_believed)
{
	static const char *const script[] = { "> 220 peer", "> 220 peer", "wait", NULL };
	struct talk t;

	talk(&t, script);
	not_opened(&t, STAGE_EHLO);
	talk_end(&t);
}
END_TEST

START_TEST(a_server_that_closes_says_so_with_421_anywhere)
{
	/* Where the 421 stands, and what those are who had an outcome before. */
	static const char *const mail[] = { HELLO, "<*", "> 421 bye", "wait", NULL };
	static const char *const first[] = { HELLO, "<*", "> 250 ok", "> 421 bye", "wait", NULL };
	static const char *const second[] = { HELLO, "<*", "> 250 ok", "> 550 no", "> 421 bye",
		"wait", NULL };
	static const char *const data[] = { HELLO, "<*", "> 250 ok", "> 550 no", "> 250 ok",
		"> 421 bye", "wait", NULL };
	static const char *const dot[] = { HELLO, "<*", "> 250 ok", "> 550 no", "> 250 ok",
		"> 354 go", "<.", "> 421 4.3.2 bye", "wait", NULL };
	const struct {
		const char *const *script;
		enum client_class a;
		enum client_stage stage;
	} cases[] = {
		{ mail, CLASS_NEXT_HOST, STAGE_MAIL },
		{ first, CLASS_NEXT_HOST, STAGE_RCPT },
		{ second, CLASS_PERMANENT, STAGE_RCPT },
		{ data, CLASS_PERMANENT, STAGE_DATA },
		{ dot, CLASS_PERMANENT, STAGE_DOT },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct talk t;

		talk(&t, cases[i].script);
		ck_assert_int_eq(t.r[0].outcome.class, cases[i].a);
		ck_assert_int_eq(t.r[1].outcome.class, CLASS_NEXT_HOST);
		ck_assert_int_eq(t.r[1].outcome.stage, cases[i].stage);
		ck_assert_uint_eq(t.r[1].outcome.code, 421);
		ck_assert(!t.usable);
		talk_end(&t);
	}
}
END_TEST

START_TEST(a_yes_to_data_itself_is_not_believed)
{
	static const char *const script[] = { HELLO, "<*", "> 250 ok", "> 250 ok", "> 250 ok",
		"> 250 taken", "wait", NULL };
	struct talk t;

	talk(&t, script);
	both_are(&t, CLASS_TEMPORARY, STAGE_DATA);
	talk_saw_not(&t, "hello");
	talk_end(&t);
}
END_TEST

/* Content that does not fit into what the kernel takes: the server speaks while it comes. */
static void early(struct talk *t, const char *reply, char **large)
{
	const char *const script[] = { HELLO, "<*", "> 250 ok", "> 250 ok", "> 250 ok", "> 354 go",
		"<*", reply, "wait", NULL };
	enum { SIZE = 32 * 1024 * 1024 };

	*large = must_alloc(SIZE);
	memset(*large, 'x', SIZE);
	for (size_t i = 78; i + 1 < SIZE; i += 80)
		memcpy(*large + i, "\r\n", 2);
	talk_start(t, script);
	talk_recipients(t, "a@x.org", "b@x.org", NULL);
	t->t.pieces[0] = str_make(*large, SIZE);
	t->t.piece_count = 1;
	talk_run(t);
}

START_TEST(a_yes_before_the_end_of_data_is_not_believed)
{
	struct talk t;
	char *large;

	early(&t, "> 250 taken", &large);
	both_are(&t, CLASS_TEMPORARY, STAGE_CONTENT);
	talk_end(&t);
	free(large);
}
END_TEST

START_TEST(a_no_before_the_end_of_data_is)
{
	struct talk t;
	char *large;

	early(&t, "> 552 5.3.4 too large", &large);
	both_are(&t, CLASS_PERMANENT, STAGE_CONTENT);
	ck_assert_str_eq(t.r[0].outcome.enhanced, "5.3.4");
	talk_end(&t);
	free(large);
}
END_TEST

START_TEST(a_reply_too_many_costs_the_connection_not_the_outcome)
{
	static const char *const script[] = { HELLO, ENVELOPE, ">> 250 taken\r\n250 and more\r\n",
		"wait", NULL };
	struct talk t;

	talk(&t, script);
	ck_assert(t.done);
	ck_assert(!t.usable);
	ck_assert_int_eq(t.r[0].outcome.class, CLASS_OK);
	ck_assert_int_eq(t.r[1].outcome.class, CLASS_OK);
	talk_end(&t);
}
END_TEST

START_TEST(replies_pushed_ahead_of_their_commands_are_not_believed)
{
	static const char *const script[] = { "> 220 peer", "< EHLO",
		">> 250-peer\r\n250 SIZE\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n",
		"wait", NULL };
	struct talk t;

	talk(&t, script);
	ck_assert(!t.done || t.r[0].outcome.class != CLASS_OK);
	ck_assert(!t.usable);
	talk_end(&t);
}
END_TEST

START_TEST(the_final_reply_of_another_kind_is_unknown)
{
	static const char *const script[] = { HELLO, ENVELOPE, "> 354 go on", "wait", NULL };
	struct talk t;

	talk(&t, script);
	both_are(&t, CLASS_UNKNOWN, STAGE_DOT);
	talk_end(&t);
}
END_TEST

START_TEST(lmtp_cut_between_its_replies_leaves_the_rest_unknown)
{
	static const char *const script[] = { "> 220 peer", "< LHLO", "> 250-peer", "> 250 PIPELINING", ENVELOPE,
		"> 250 kept", "close", NULL };
	struct talk t;

	talk_start(&t, script);
	t.settings.protocol = TMAIL_PROTOCOL_LMTP;
	talk_recipients(&t, "a@x.org", "b@x.org", NULL);
	talk_run(&t);
	ck_assert_int_eq(t.r[0].outcome.class, CLASS_OK);
	ck_assert_int_eq(t.r[1].outcome.class, CLASS_UNKNOWN);
	ck_assert(!t.usable);
	talk_end(&t);
}
END_TEST

START_TEST(words_of_a_server_are_cut_and_cleaned)
{
	static const char *const script[] = { HELLO, "<*", "> 250 ok",
		">> 550-5.1.1 no \001\033[31muser\r\n550 5.1.1 here\r\n", "> 550 no", "> 503 no",
		"wait", NULL };
	struct talk t;

	talk(&t, script);
	talk_text_is(&t, 0, "no ??[31muser\nhere");
	ck_assert_str_eq(t.r[0].outcome.enhanced, "5.1.1");
	ck_assert(t.usable);
	talk_end(&t);
}
END_TEST

TEST_MAIN("smtp/client_lies", a_connection_closed_in_any_state_ends_the_transaction,
	a_connection_reset_in_any_state_ends_the_transaction,
	garbage_in_any_state_ends_the_transaction, a_reply_without_an_end_is_not_waited_for,
	silence_is_waited_for_as_long_as_was_said, a_greeting_that_refuses_is_a_matter_of_the_host,
	ehlo_for_later_is_a_matter_of_the_host, a_server_that_greets_twice_is_not_believed,
	a_server_that_closes_says_so_with_421_anywhere, a_yes_to_data_itself_is_not_believed,
	a_yes_before_the_end_of_data_is_not_believed, a_no_before_the_end_of_data_is,
	a_reply_too_many_costs_the_connection_not_the_outcome,
	replies_pushed_ahead_of_their_commands_are_not_believed,
	the_final_reply_of_another_kind_is_unknown,
	lmtp_cut_between_its_replies_leaves_the_rest_unknown, words_of_a_server_are_cut_and_cleaned)
