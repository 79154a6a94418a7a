/* SPDX-License-Identifier: MIT
 *
 * Verbs: each in each state a client can reach, and what their arguments may be.
 */
#include "smtp/verbs.h"
#include "tests/smtp/house.h"

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
	{ "STARTTLS\r\n", { "502", "502", "502", "502", "502", "502" },
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

START_TEST(another_hello_leaves_nothing_of_the_transaction)
{
	house_open("", HOUSE_TABLES);
	struct talk *t = talk_addressed();
	talk_ask(t, "EHLO again.test", "250");
	talk_ask(t, "MAIL FROM:<second@sender.test>", "250");
	talk_ask(t, "RCPT TO:<second@remote.test>", "250");
	talk_ask(t, "RSET", "250");
	talk_close(&t);
	t = talk_addressed();
	talk_say(t,
		"BDAT 3\r\nx\r\nHELO again.test\r\nMAIL FROM:<third@sender.test>\r\n"
		"RCPT TO:<third@remote.test>\r\nBDAT 3 LAST\r\ny\r\n");
	for (int i = 0; i < 4; i++)
		talk_hear(t, "250");
	talk_hear(t, "250 2.0.0 Ok: queued");
	ck_assert_str_eq(house.kept[0].sender, "third@sender.test");
	ck_assert_str_eq(house.kept[0].recipients, "third@remote.test");
	ck_assert_str_eq(house.kept[0].content, "\r\ny\r\n");
	talk_close(&t);
	house_close();
}
END_TEST

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

/* ---- arguments --------------------------------------------------------------------------- */

static void check_lines(struct talk *t, const char *const (*lines)[2], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		talk_say(t, lines[i][0]);
		talk_say(t, "\r\n");
		ck_assert_msg(talk_reply(t), "closed after %s", lines[i][0]);
		ck_assert_msg(strncmp(t->last, lines[i][1], strlen(lines[i][1])) == 0,
			"%s was answered %s", lines[i][0], t->last);
	}
}
#define CHECK_LINES(t, lines) check_lines(t, lines, sizeof lines / sizeof *lines)

START_TEST(senders_may_be_written_in_many_ways_and_only_those)
{
	static const char *const lines[][2] = {
		{ "mail from:<a@b.test>", "250" },
		{ "RSET", "250" },
		{ "MAIL FROM: <a@b.test>", "250" },
		{ "RSET", "250" },
		{ "MAIL FROM:a@b.test", "250" },
		{ "RSET", "250" },
		{ "MAIL FROM:<@x.test,@y.test:a@b.test>", "250" },
		{ "RSET", "250" },
		{ "MAIL FROM:<\"a b\"@b.test>", "250" },
		{ "RSET", "250" },
		{ "MAIL FROM:<a@[192.0.2.1]>", "250" },
		{ "RSET", "250" },
		{ "MAIL FROM:<> SIZE=0 BODY=8BITMIME RET=HDRS ENVID=x", "250" },
		{ "RSET", "250" },
		{ "MAIL FROM:<\xc3\xa9@b.test> SMTPUTF8", "250" },
		{ "RSET", "250" },
		{ "MAIL FROM:<\xc3\xa9@b.test>", "553 5.6.7" },
		{ "MAIL FROM:<\xc0\xaf@b.test> SMTPUTF8", "553 5.6.7" },
		{ "MAIL FROM:", "501 5.5.4" },
		{ "MAIL FROM :<a@b.test>", "501 5.5.4" },
		{ "MAIL <a@b.test>", "501 5.5.4" },
		{ "MAIL", "501 5.5.4" },
		{ "MAIL FROM:<a@b.test", "501 5.1.7" },
		{ "MAIL FROM:<a>", "501 5.1.7" },
		{ "MAIL FROM:<a@b.test>x", "501 5.1.7" },
		{ "MAIL FROM:<a@b.test> SIZE=", "501 5.5.4" },
		{ "MAIL FROM:<a@b.test> SIZE=1 SIZE=2", "501 5.5.4" },
		{ "MAIL FROM:<a@b.test> BODY=BINARYMIME", "501 5.5.4" },
		{ "MAIL FROM:<a@b.test> FOO=BAR", "555 5.5.4" },
		{ "MAIL FROM:<a@b.test> SIZE=1001", "552 5.3.4" },
		{ "MAIL FROM:<a@b.test> SIZE=99999999999999999999", "552 5.3.4" },
		{ "MAIL FROM:<a@b.test> SIZE=1000", "250" },
	};
	house_open("max_message_size = 1000; max_errors = 0; max_junk = 0;", "");
	struct talk *t = talk_ready();
	CHECK_LINES(t, lines);
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(recipients_keep_what_the_sender_wants_to_be_told)
{
	static const char *const lines[][2] = {
		{ "MAIL FROM:<>", "250" },
		{ "RCPT TO:<a@remote.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;o+40remote.test",
			"250" },
		{ "RCPT TO:<b@remote.test> NOTIFY=NEVER,DELAY", "501" },
		{ "RCPT TO:<b@remote.test> ORCPT=rfc822;a+0D+0Ab", "501" },
		{ "RCPT TO:<b@remote.test> SIZE=3", "555" },
		{ "RCPT TO:<A@REMOTE.test>", "250" }, /* another local part, the same domain */
		{ "RCPT TO:<a@Remote.Test>", "250" }, /* said twice, kept once */
		{ "BDAT 3 LAST\r\nx", "250 2.0.0 Ok: queued" },
	};
	house_open("", HOUSE_TABLES);
	struct talk *t = talk_ready();
	CHECK_LINES(t, lines);
	ck_assert_str_eq(house.kept[0].recipients, "a@remote.test A@remote.test");
	ck_assert_str_eq(house.kept[0].original, "rfc822;o@remote.test");
	ck_assert_uint_eq(house.kept[0].notify, TMAIL_NOTIFY_SUCCESS | TMAIL_NOTIFY_DELAY);
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(hello_names_are_checked_as_far_as_the_settings_say)
{
	static const char *const any[][2] = {
		{ "EHLO", "501" },
		{ "HELO ", "501" },
		{ "EHLO a b", "501" },
		{ "EHLO (evil)", "501" },
		{ "EHLO \xc3\xa9.test", "501" },
		{ "EHLO under_score", "250" },
		{ "EHLO [192.0.2.1]", "250" },
		{ "EHLO %n%s", "250" },
	};
	static const char *const full[][2] = {
		{ "MAIL FROM:<>", "503 5.5.1 Send HELO" },
		{ "EHLO localhost", "504" },
		{ "EHLO under_score.test", "504" },
		{ "EHLO [192.0.2.300]", "504" },
		{ "EHLO [IPv6:2001:db8::1]", "250" },
		{ "EHLO host.test", "250" },
		{ "MAIL FROM:<>", "250" },
	};
	house_open("", "");
	struct talk *t = talk_open();
	CHECK_LINES(t, any);
	talk_close(&t);
	house_close();
	house_open("helo_fqdn = true; helo_required = true;", "");
	t = talk_open();
	CHECK_LINES(t, full);
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(recipients_are_counted_and_so_are_tries)
{
	house_open("max_recipients = 3; max_bad_rcpt = 0; max_errors = 0;", HOUSE_TABLES);
	struct talk *t = talk_ready();
	talk_ask(t, "MAIL FROM:<>", "250");
	for (int i = 0; i < 2; i++)
		talk_ask(t, "RCPT TO:<a@remote.test>", "250");
	for (int i = 0; i < 1000; i++)
		talk_ask(t, "RCPT TO:<a@elsewhere.test>", "554 5.7.1");
	talk_ask(t, "RCPT TO:<b@remote.test>", "250");
	talk_ask(t, "RCPT TO:<c@remote.test>", "452 4.5.3 Too many recipients");
	talk_ask(t, "RSET", "250");
	talk_ask(t, "MAIL FROM:<>", "250");
	for (int i = 0; i < 1003; i++)
		talk_ask(t, "RCPT TO:<a@elsewhere.test>", "554 5.7.1");
	talk_ask(t, "RCPT TO:<a@remote.test>", "452 4.5.3 Too many recipients");
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(messages_of_a_session_can_be_limited)
{
	house_open("max_messages = 1;", HOUSE_TABLES);
	struct talk *t = talk_addressed();
	talk_ask(t, "BDAT 3 LAST\r\nx", "250");
	talk_ask(t, "MAIL FROM:<>", "452 4.5.3 Too many messages");
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(vrfy_tells_what_the_tables_know_if_it_may)
{
	static const char *const lines[][2] = {
		{ "VRFY user@local.test", "250 2.1.5 <user@local.test>" },
		{ "VRFY <alias@local.test>", "250 2.1.5 <alias@local.test>" },
		{ "VRFY nobody@local.test", "550 5.1.1" },
		{ "VRFY any@remote.test", "252" },
		{ "VRFY any@elsewhere.test", "252" },
		{ "VRFY any@broken.test", "451 4.3.0" },
		{ "VRFY user", "501" },
		{ "VRFY user@local.test", "550 5.5.3" },
	};
	house_open("vrfy = true; max_vrfy = 7;", HOUSE_TABLES ", " HOUSE_USERS);
	struct talk *t = talk_ready();
	CHECK_LINES(t, lines);
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(vrfy_leaves_a_transaction_alone)
{
	house_open("vrfy = true;", HOUSE_TABLES ", " HOUSE_USERS);
	struct talk *t = talk_addressed();
	talk_ask(t, "VRFY user@local.test", "250 2.1.5");
	talk_ask(t, "VRFY nobody@local.test", "550");
	talk_ask(t, "BDAT 3 LAST\r\nx", "250 2.0.0 Ok: queued");
	ck_assert_str_eq(house.kept[0].recipients, "to@remote.test");
	talk_close(&t);
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

TEST_MAIN("smtp/verbs", every_verb_has_what_its_row_needs,
	another_hello_leaves_nothing_of_the_transaction,
	every_verb_in_every_state_is_answered_as_the_table_says,
	senders_may_be_written_in_many_ways_and_only_those,
	recipients_keep_what_the_sender_wants_to_be_told,
	hello_names_are_checked_as_far_as_the_settings_say, recipients_are_counted_and_so_are_tries,
	messages_of_a_session_can_be_limited, vrfy_tells_what_the_tables_know_if_it_may,
	vrfy_leaves_a_transaction_alone, commands_behind_an_unanswered_hello_are_refused_if_wanted)
