/* SPDX-License-Identifier: MIT
 *
 * Verbs: each in each state a client can reach, and what of it counts as an error.
 */
#include "smtp/verbs.h"
#include "tests/smtp/modules.h"

START_TEST(every_verb_has_what_its_row_needs)
{
	size_t count;
	const struct verb *verbs = verbs_all(&count);

	for (size_t i = 0; i < count; i++) {
		const struct verb *v = &verbs[i];

		ck_assert_ptr_eq(verb_find(v->name), v);
		ck_assert_ptr_nonnull(v->check);
		ck_assert_uint_ne(v->states, 0);
		if (!(v->states & 1u << STATE_START))
			ck_assert_int_ne(v->misplaced, SAY_NOTHING);
		if (v->point != TMAIL_POINTS)
			ck_assert_ptr_nonnull(v->act);
	}
	ck_assert_ptr_eq(verb_find(STR("mAiL")), verb_find(STR("MAIL")));
	ck_assert_ptr_eq(verb_find(STR("MAILX")), verb_find(STR("")));
	ck_assert_ptr_eq(verb_find(STR("MAI\0")), verb_find(STR("")));
}
END_TEST

/* ---- verb by state ----------------------------------------------------------------------- */

static const struct {
	const char *name, *path; /* what leads there after the greeting */
	unsigned replies;
} places[] = {
	{ "start", "", 0 },
	{ "ready", "EHLO c.test\r\n", 1 },
	{ "mail", "EHLO c.test\r\nMAIL FROM:<>\r\n", 2 },
	{ "tried", "EHLO c.test\r\nMAIL FROM:<>\r\nRCPT TO:<a@elsewhere.test>\r\n", 3 },
	{ "rcpt", "EHLO c.test\r\nMAIL FROM:<>\r\nRCPT TO:<a@remote.test>\r\n", 3 },
	{ "chunks", "EHLO c.test\r\nMAIL FROM:<>\r\nRCPT TO:<a@remote.test>\r\nBDAT 1\r\nx", 4 },
};
enum { PLACES = sizeof places / sizeof *places };

/* What is answered there; then what a RCPT is answered, which tells where it led. */
static const struct {
	const char *say;
	const char *answers[PLACES];
	const char *then[PLACES];
} rows[] = {
	/*                     start   ready   mail    tried   rcpt    chunks */
	{ "MAIL FROM:<>\r\n", { "250", "250", "503", "503", "503", "503" },
		{ "250", "250", "250", "250", "250", "503" } },
	{ "MAIL FROM:nonsense\r\n", { "501", "501", "503", "503", "503", "503" },
		{ "503", "503", "250", "250", "250", "503" } },
	{ "RCPT TO:<b@remote.test>\r\n", { "503", "503", "250", "250", "250", "503" },
		{ "503", "503", "250", "250", "250", "503" } },
	{ "RCPT TO:<>\r\n", { "503", "503", "501", "501", "501", "503" },
		{ "503", "503", "250", "250", "250", "503" } },
	{ "DATA\r\n", { "503", "503", "503", "554", "354", "503" },
		{ "503", "503", "250", "250", NULL, "503" } },
	{ "DATA x\r\n", { "503", "503", "501", "501", "501", "503" },
		{ "503", "503", "250", "250", "250", "503" } },
	{ "BDAT 1\r\nx", { "503", "503", "503", "554", "250", "250" },
		{ "503", "503", "503", "503", "503", "503" } },
	{ "BDAT 3 LAST\r\nx\r\n",
		{ "503", "503", "503", "554", "250 2.0.0 Ok: q", "250 2.0.0 Ok: q" },
		{ "503", "503", "503", "503", "503", "503" } },
	{ "RSET\r\n", { "250", "250", "250", "250", "250", "250" },
		{ "503", "503", "503", "503", "503", "503" } },
	{ "RSET x\r\n", { "501", "501", "501", "501", "501", "501" },
		{ "503", "503", "250", "250", "250", "503" } },
	{ "EHLO d.test\r\n", { "250", "250", "250", "250", "250", "250" },
		{ "503", "503", "503", "503", "503", "503" } },
	{ "HELO d.test\r\n", { "250", "250", "250", "250", "250", "250" },
		{ "503", "503", "503", "503", "503", "503" } },
	{ "EHLO\r\n", { "501", "501", "501", "501", "501", "501" },
		{ "503", "503", "250", "250", "250", "503" } },
	{ "NOOP ignored\r\n", { "250", "250", "250", "250", "250", "250" },
		{ "503", "503", "250", "250", "250", "503" } },
	{ "HELP\r\n", { "214", "214", "214", "214", "214", "214" },
		{ "503", "503", "250", "250", "250", "503" } },
	{ "VRFY x\r\n", { "252", "252", "252", "252", "252", "252" },
		{ "503", "503", "250", "250", "250", "503" } },
	{ "EXPN x\r\n", { "252", "252", "252", "252", "252", "252" },
		{ "503", "503", "250", "250", "250", "503" } },
	{ "VRFY\r\n", { "501", "501", "501", "501", "501", "501" },
		{ "503", "503", "250", "250", "250", "503" } },
	{ "STARTTLS\r\n", { "454", "454", "503", "503", "503", "503" },
		{ "503", "503", "250", "250", "250", "503" } },
	{ "AUTH PLAIN AGEAYQ==\r\n", { "502", "502", "502", "502", "502", "502" },
		{ "503", "503", "250", "250", "250", "503" } },
	{ "FROB\r\n", { "500", "500", "500", "500", "500", "500" },
		{ "503", "503", "250", "250", "250", "503" } },
	{ "\r\n", { "500", "500", "500", "500", "500", "500" },
		{ "503", "503", "250", "250", "250", "503" } },
	{ "QUIT\r\n", { "221", "221", "221", "221", "221", "221" },
		{ NULL, NULL, NULL, NULL, NULL, NULL } },
	{ "POST / HTTP/1.1\r\n", { "554", "554", "554", "554", "554", "554" },
		{ NULL, NULL, NULL, NULL, NULL, NULL } },
	{ "BDAT\r\n", { "501", "501", "501", "501", "501", "501" },
		{ NULL, NULL, NULL, NULL, NULL, NULL } },
};

START_TEST(every_verb_in_every_state_is_answered_as_the_table_says)
{
	house_open("", HOUSE_TABLES);
	for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
		for (size_t p = 0; p < PLACES; p++) {
			struct talk *t = talk_open();

			talk_say(t, places[p].path);
			for (unsigned i = 0; i < places[p].replies; i++)
				ck_assert(talk_reply(t));
			talk_say(t, rows[r].say);
			ck_assert_msg(talk_reply(t), "%s in %s", rows[r].say, places[p].name);
			ck_assert_msg(strncmp(t->last, rows[r].answers[p],
					      strlen(rows[r].answers[p])) == 0,
				"%s in %s: %s", rows[r].say, places[p].name, t->last);
			if (rows[r].then[p]) {
				talk_say(t, "RCPT TO:<last@remote.test>\r\n");
				ck_assert(talk_reply(t));
				ck_assert_msg(strncmp(t->last, rows[r].then[p], 3) == 0,
					"after %s in %s: %s", rows[r].say, places[p].name, t->last);
			}
			talk_close(&t);
		}
	house_close();
}
END_TEST

START_TEST(commands_behind_an_unanswered_hello_are_refused_if_wanted)
{
	house_open("early_pipelining = \"refuse\";", HOUSE_TABLES);
	struct talk *t = talk_open();
	talk_say(t, "EHLO c.test\r\nMAIL FROM:<>\r\nRCPT TO:<a@remote.test>\r\n");
	talk_hear(t, "250-");
	talk_hear(t, "554 5.5.0");
	talk_hear_end(t);
	talk_close(&t);
	t = talk_addressed();
	talk_close(&t);
	house_close();
	house_open("", HOUSE_TABLES);
	t = talk_open();
	talk_say(t, "EHLO c.test\r\nMAIL FROM:<>\r\nRCPT TO:<a@remote.test>\r\n");
	talk_hear(t, "250-");
	talk_hear(t, "250 2.1.0");
	talk_hear(t, "250 2.1.5");
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(a_module_that_thinks_about_a_hello_does_not_hide_what_came_behind_it)
{
	house_open("early_pipelining = \"refuse\";", HOUSE_TABLES ", " HOUSE_WAITING);
	modules_say_all((struct said){ .at = TMAIL_POINT_HELO, .later = true });
	struct talk *t = talk_open();
	talk_say(t, "EHLO c.test\r\nMAIL FROM:<>\r\n");
	talk_hear(t, "250-");
	talk_hear(t, "554 5.5.0");
	talk_hear_end(t);
	talk_close(&t);
	t = talk_addressed();
	talk_close(&t);
	house_close();
}
END_TEST

/* ---- what counts as an error ------------------------------------------------------------- */

/* What is said twice where one error is allowed. */
static const struct {
	const char *say;
	bool counted;
} refused[] = {
	{ "FROB\r\n", true },
	{ "\r\n", true },
	{ "AUTH PLAIN\r\n", true },
	{ "EHLO (evil)\r\n", true },
	{ "EXPN\r\n", true },
	{ "RSET x\r\n", true },
	{ "MAIL FROM:nonsense\r\n", true },
	{ "MAIL FROM:<> SIZE=1001\r\n", true },
	{ "MAIL FROM:<> FOO\r\n", true },
	{ "MAIL FROM:<> BODY=X\r\n", true },
	{ "MAIL FROM:<\xc3\xa9@b.test>\r\n", true },
	{ "RCPT TO:<a@remote.test>\r\n", true }, /* out of place */
	{ "DATA\r\n", true },
	{ "BDAT 1\r\nx", true },
	{ "VRFY nobody@local.test\r\n", false }, /* an answer, not a refusal */
	{ "VRFY a@broken.test\r\n", false },
	{ "NOOP\r\n", false },
};

START_TEST(whatever_is_refused_for_good_counts_as_an_error)
{
	house_open("max_errors = 1; max_message_size = 1000; vrfy = true;",
		HOUSE_TABLES ", " HOUSE_USERS);
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		struct talk *t = talk_ready();

		talk_say(t, refused[i].say);
		ck_assert(talk_reply(t));
		talk_say(t, refused[i].say);
		ck_assert(talk_reply(t));
		talk_say(t, "HELP\r\n");
		ck_assert_msg(talk_reply(t), "after %s", refused[i].say);
		ck_assert_msg(strncmp(t->last, refused[i].counted ? "421 4.7.0" : "214", 3) == 0,
			"after %s: %s", refused[i].say, t->last);
		talk_close(&t);
	}
	house_close();
}
END_TEST

/* A module's no, at each point, twice: 4yz is not for good, and recipients have their own count. */
static const struct {
	enum tmail_point at;
	const char *say;
	unsigned before; /* replies before that one */
} said_no[] = {
	{ TMAIL_POINT_HELO, "EHLO d.test\r\n", 0 },
	{ TMAIL_POINT_MAIL, "MAIL FROM:<>\r\n", 0 },
	{ TMAIL_POINT_DATA, "MAIL FROM:<>\r\nRCPT TO:<a@remote.test>\r\nDATA\r\n", 2 },
	{ TMAIL_POINT_DATA, "MAIL FROM:<>\r\nRCPT TO:<a@remote.test>\r\nBDAT 1\r\nx", 2 },
	{ TMAIL_POINT_EOM, "MAIL FROM:<>\r\nRCPT TO:<a@remote.test>\r\nBDAT 0 LAST\r\n", 2 },
	{ TMAIL_POINT_UNKNOWN, "FROB\r\n", 0 },
};

START_TEST(a_module_s_no_for_good_counts_as_an_error)
{
	house_open("max_errors = 1;", HOUSE_TABLES ", " HOUSE_HOOKS);
	for (size_t i = 0; i < 2 * (sizeof said_no / sizeof *said_no); i++) {
		bool for_good = i % 2;
		struct talk *t;

		house_hook = NULL;
		t = talk_ready();
		modules_say(
			said_no[i / 2].at, for_good ? TMAIL_REJECT : TMAIL_TEMPFAIL, 0, NULL, NULL);
		for (int times = 0; times < 2; times++) {
			talk_say(t, said_no[i / 2].say);
			for (unsigned n = 0; n <= said_no[i / 2].before; n++)
				ck_assert(talk_reply(t));
			ck_assert_int_eq(t->last[0], for_good ? '5' : '4');
		}
		talk_ask(t, "HELP", for_good ? "421 4.7.0 Too many errors" : "214");
		talk_close(&t);
	}
	house_close();
}
END_TEST

TEST_MAIN("smtp/verbs", every_verb_has_what_its_row_needs,
	every_verb_in_every_state_is_answered_as_the_table_says,
	commands_behind_an_unanswered_hello_are_refused_if_wanted,
	a_module_that_thinks_about_a_hello_does_not_hide_what_came_behind_it,
	whatever_is_refused_for_good_counts_as_an_error, a_module_s_no_for_good_counts_as_an_error)
