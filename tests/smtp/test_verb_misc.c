/* SPDX-License-Identifier: MIT
 *
 * The verbs that carry no mail, and those that are not ours.
 */
#include "tests/smtp/modules.h"

START_TEST(verbs_without_an_argument_take_none_and_others_any)
{
	static const char *const lines[][2] = {
		{ "RSET now", "501 5.5.4 That command takes no argument" },
		{ "RSET", "250 2.0.0 Ok" },
		{ "NOOP", "250 2.0.0 Ok" },
		{ "NOOP <anything> at=all", "250 2.0.0 Ok" },
		{ "HELP", "214 2.0.0 EHLO HELO STARTTLS AUTH MAIL" },
		{ "HELP MAIL", "214 2.0.0" },
		{ "VRFY", "501 5.5.4 Syntax: VRFY address" },
		{ "VRFY x", "252 2.5.2 Cannot verify" },
		{ "EXPN", "501 5.5.4 Syntax: EXPN list" },
		{ "EXPN x", "252 2.5.2 Cannot expand" },
		{ "QUIT now", "221 2.0.0 Bye" },
	};
	house_open("", "");
	struct talk *t = talk_ready();
	TALK_LINES(t, lines);
	talk_hear_end(t);
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(reset_leads_back_to_where_a_transaction_begins)
{
	static const char *const paths[] = { "", "MAIL FROM:<>\r\n",
		"MAIL FROM:<>\r\nRCPT TO:<a@remote.test>\r\n",
		"MAIL FROM:<>\r\nRCPT TO:<a@elsewhere.test>\r\n" };

	house_open("helo_required = true; max_junk = 0;", HOUSE_TABLES);
	struct talk *t = talk_ready();
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		talk_through(t, paths[i]);
		talk_ask(t, "RSET", "250 2.0.0 Ok\r\n");
		talk_ask(t, "RCPT TO:<a@remote.test>", "503 5.5.1 Send MAIL first");
		talk_ask(t, "MAIL FROM:<>", "250"); /* HELO is not forgotten */
		talk_ask(t, "RSET", "250");
	}
	talk_close(&t);
	house_close();
}
END_TEST

/* ---- VRFY, EXPN -------------------------------------------------------------------------- */

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
	TALK_LINES(t, lines);
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

START_TEST(vrfy_and_expn_have_one_limit)
{
	house_open("max_vrfy = 3; max_errors = 0; max_junk = 0;", "");
	struct talk *t = talk_ready();
	talk_ask(t, "VRFY", "501"); /* is none */
	talk_ask(t, "VRFY x", "252");
	talk_ask(t, "EXPN x", "252");
	talk_ask(t, "VRFY x", "252");
	talk_ask(t, "VRFY x", "550 5.5.3 Too many VRFY or EXPN commands\r\n");
	talk_ask(t, "EXPN x", "550 5.5.3");
	talk_ask(t, "NOOP", "250");
	talk_close(&t);
	house_close();
	house_open("max_vrfy = 0; max_junk = 0;", "");
	t = talk_ready();
	for (int i = 0; i < 100; i++)
		talk_ask(t, "VRFY x", "252");
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(vrfy_asks_about_addresses_only)
{
	static const char *const lines[][2] = {
		{ "VRFY <user@local.test>", "250 2.1.5 <user@local.test>\r\n" },
		{ "VRFY user@LOCAL.test", "250 2.1.5 <user@local.test>\r\n" },
		{ "VRFY \"us\\er\"@local.test", "250 2.1.5 <user@local.test>\r\n" },
		{ "VRFY any@alias.test", "250 2.1.5 <any@alias.test>\r\n" },
		{ "VRFY <>", "501 5.1.3" },
		{ "VRFY <user@local.test", "501 5.1.3" },
		{ "VRFY us er@local.test", "501 5.1.3" },
		{ "VRFY @local.test", "501 5.1.3" },
		{ "VRFY later@local.test", "451 4.3.0 Temporary lookup failure" },
		{ "VRFY \xc3\xa9@local.test", "550 5.1.1" },
		{ "VRFY \xc0\xaf@local.test", "553 5.6.7" },
	};
	house_open("vrfy = true; max_errors = 0; max_junk = 0;", HOUSE_TABLES ", " HOUSE_USERS);
	struct talk *t = talk_open(); /* without a HELO too */
	/* No transaction is left, whatever the answer was. */
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		talk_lines(t, lines + i, 1);
		talk_ask(t, "RCPT TO:<a@remote.test>", "503");
		talk_through(t, "MAIL FROM:<>\r\nRSET\r\n");
		ck_assert_int_eq(strncmp(t->last, "250", 3), 0);
	}
	talk_close(&t);
	house_close();
}
END_TEST

/* ---- not for us -------------------------------------------------------------------------- */

START_TEST(a_browser_is_sent_away)
{
	static const char *const lines[] = { "GET / HTTP/1.1\r\n", "post /\r\n", "PUT x\r\n",
		"HEAD x\r\n", "OPTIONS *\r\n", "CONNECT a:25\r\n" };

	house_open("", HOUSE_HOOKS);
	modules_say(TMAIL_POINT_UNKNOWN, TMAIL_ACCEPT, 0, NULL, NULL); /* nobody is asked */
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		struct talk *t = talk_open();

		talk_say(t, lines[i]);
		talk_say(t, "Host: x\r\n\r\nEHLO c.test\r\nMAIL FROM:<>\r\n");
		talk_hear(t, "554 5.5.1 This is a mail server\r\n");
		talk_hear_end(t);
		talk_close(&t);
	}
	ck_assert_uint_eq(house_hooked[TMAIL_POINT_UNKNOWN], 0);
	house_close();
}
END_TEST

START_TEST(what_is_not_offered_is_said_so_and_nobody_is_asked)
{
	house_open("", HOUSE_HOOKS);
	modules_say(TMAIL_POINT_UNKNOWN, TMAIL_ACCEPT, 0, NULL, NULL);
	struct talk *t = talk_ready();
	talk_ask(t, "AUTH PLAIN AGEAYg==", "502 5.5.1 Command not offered here\r\n");
	ck_assert_uint_eq(house_hooked[TMAIL_POINT_UNKNOWN], 0);
	talk_close(&t);
	house_close();
}
END_TEST

static char told[128];
static enum tmail_verdict look(struct tmail_call *call, const union tmail_event *event)
{
	if (call->point == TMAIL_POINT_UNKNOWN)
		snprintf(told, sizeof told, "[%.*s] [%.*s]", (int)event->unknown.verb.len,
			event->unknown.verb.data, (int)event->unknown.argument.len,
			event->unknown.argument.data);
	return TMAIL_CONTINUE;
}

START_TEST(a_verb_nobody_knows_is_shown_to_modules_as_it_was_said)
{
	static const struct {
		const char *line, *told;
	} lines[] = {
		{ "XClient a=b  c=d \r\n", "[XClient] [a=b  c=d]" },
		{ "xfoo\r\n", "[xfoo] []" },
		{ "xfoo \r\n", "[xfoo] []" },
		{ " \tleading blank\r\n", "[] [leading blank]" },
		{ "X \xc3\xa9%s\r\n", "[X] [\xc3\xa9%s]" },
	};

	house_open("", HOUSE_HOOKS);
	house_hook = look;
	struct talk *t = talk_ready();
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		talk_say(t, lines[i].line);
		talk_hear(t, "500 5.5.1 Unknown command\r\n");
		ck_assert_str_eq(told, lines[i].told);
	}
	talk_close(&t);
	house_close();
}
END_TEST

#define RCPT "RCPT TO:<b@remote.test>\r\n" /* the transaction is as it was */
static const struct verdict_row verdicts[] = {
	{ { .verdict = TMAIL_CONTINUE }, "500 5.5.1 Unknown", RCPT, "250" },
	{ { .verdict = TMAIL_ACCEPT }, "250 2.0.0 Ok\r\n", RCPT, "250" },
	{ { .verdict = TMAIL_ACCEPT, .code = 220, .enhanced = "2.7.0", .text = "go on" },
		"220 2.7.0 go on\r\n", RCPT, "250" },
	{ { .verdict = TMAIL_ACCEPT, .code = 334, .text = "VXNlcg" }, "334 VXNlcg\r\n", RCPT,
		"250" },
	{ { .verdict = TMAIL_ACCEPT, .code = 200, .text = "low" }, "200 low\r\n", RCPT, "250" },
	{ { .verdict = TMAIL_ACCEPT, .code = 399, .text = "high" }, "399 high\r\n", RCPT, "250" },
	/* a code that is no yes, and one of another class */
	{ { .verdict = TMAIL_ACCEPT, .code = 400, .text = "x" }, "250 2.0.0 x\r\n", RCPT, "250" },
	{ { .verdict = TMAIL_ACCEPT, .code = 199, .text = "x" }, "250 2.0.0 x\r\n", RCPT, "250" },
	{ { .verdict = TMAIL_ACCEPT, .code = 250, .enhanced = "5.7.0", .text = "x" }, "250 x\r\n",
		RCPT, "250" },
	{ { .verdict = TMAIL_ACCEPT, .text = "a\r\nQUIT" }, "250 2.0.0 a  QUIT\r\n", RCPT, "250" },
	{ { .verdict = TMAIL_REJECT }, "500 5.5.1 Refused", RCPT, "250" },
	{ { .verdict = TMAIL_TEMPFAIL }, "451 4.7.1 Temporary", RCPT, "250" },
	{ { .verdict = TMAIL_DISCARD }, "451 4.3.0", RCPT, "250" },
	{ { .verdict = TMAIL_HOLD }, "451 4.3.0", RCPT, "250" },
	{ { .verdict = TMAIL_TEMPFAIL, .code = 421 }, "421 4.7.1", NULL, NULL },
};

START_TEST(a_verb_of_a_module_is_answered_by_it)
{
	house_open("", HOUSE_TABLES ", " HOUSE_WAITING);
	VERDICTS_CHECK(UNKNOWN, "EHLO c.test\r\nMAIL FROM:<>\r\nRCPT TO:<a@remote.test>\r\n",
		"XVERB a\r\n", verdicts);
	house_close();
}
END_TEST

TEST_MAIN("smtp/verb_misc", verbs_without_an_argument_take_none_and_others_any,
	reset_leads_back_to_where_a_transaction_begins, vrfy_tells_what_the_tables_know_if_it_may,
	vrfy_leaves_a_transaction_alone, vrfy_and_expn_have_one_limit,
	vrfy_asks_about_addresses_only, a_browser_is_sent_away,
	what_is_not_offered_is_said_so_and_nobody_is_asked,
	a_verb_nobody_knows_is_shown_to_modules_as_it_was_said,
	a_verb_of_a_module_is_answered_by_it)
