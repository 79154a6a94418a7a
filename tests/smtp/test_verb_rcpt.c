/* SPDX-License-Identifier: MIT
 *
 * RCPT: what a recipient may be, how many, and what each answer about one comes to.
 */
#include "tests/smtp/modules.h"

#include "host/metrics.h"

/* ---- the line ---------------------------------------------------------------------------- */

START_TEST(recipients_may_be_written_in_many_ways_and_only_those)
{
	static const char *const lines[][2] = {
		{ "MAIL FROM:<>", "250" },
		{ "rcpt to:<a@remote.test>", "250" },
		{ "RCPT TO: <b@remote.test>", "250" },
		{ "RCPT TO:c@remote.test", "250" },
		{ "RCPT TO:<@x.test:d@remote.test>", "250" },
		{ "RCPT TO:<\"e f\"@remote.test>", "250" },
		{ "RCPT", "501 5.5.4 Syntax: RCPT TO:<address>" },
		{ "RCPT TO:", "501 5.5.4" },
		{ "RCPT TO :<a@remote.test>", "501 5.5.4" },
		{ "RCPT FROM:<a@remote.test>", "501 5.5.4" },
		{ "RCPT TO:<>", "501 5.1.3" },
		{ "RCPT TO:<a>", "501 5.1.3" },
		{ "RCPT TO:<a@remote.test", "501 5.1.3" },
		{ "RCPT TO:<a@remote.test>x", "501 5.1.3" },
		{ "RCPT TO:<a b@remote.test>", "501 5.1.3" },
		{ "RCPT TO:<a@-.test>", "501 5.1.3" },
		{ "RCPT TO:<\xc3\xa9@remote.test>", "553 5.6.7" },
		{ "RCPT TO:<\xc0\xaf@remote.test>", "553 5.6.7" },
		{ "RCPT TO:<a@remote.test> NOTIFY=", "501 5.5.4" },
		{ "RCPT TO:<a@remote.test> NOTIFY=NEVER NOTIFY=NEVER", "501 5.5.4" },
		{ "RCPT TO:<a@remote.test> NOTIFY=SOMETIMES", "501 5.5.4" },
		{ "RCPT TO:<a@remote.test> BODY=8BITMIME", "555 5.5.4" },
		{ "BDAT 0 LAST", "250 2.0.0 Ok: queued" },
	};
	house_open("max_errors = 0;", HOUSE_TABLES);
	struct talk *t = talk_ready();
	int64_t refused = metric_get(METRIC_recipients_refused);
	TALK_LINES(t, lines);
	ck_assert_str_eq(house.kept[0].recipients,
		"a@remote.test b@remote.test c@remote.test d@remote.test \"e f\"@remote.test");
	ck_assert_int_eq(metric_get(METRIC_recipients_refused), refused + 16);
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
	TALK_LINES(t, lines);
	ck_assert_str_eq(house.kept[0].recipients, "a@remote.test A@remote.test");
	ck_assert_str_eq(house.kept[0].original, "rfc822;o@remote.test");
	ck_assert_uint_eq(house.kept[0].notify, TMAIL_NOTIFY_SUCCESS | TMAIL_NOTIFY_DELAY);
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(an_address_that_is_not_ascii_needs_smtputf8)
{
	house_open("", HOUSE_TABLES);
	struct talk *t = talk_ready();
	talk_ask(t, "MAIL FROM:<> SMTPUTF8", "250");
	talk_ask(t, "RCPT TO:<\xc3\xa9@remote.test>", "250");
	talk_ask(t, "RCPT TO:<\xc0\xaf@remote.test>", "553 5.6.7");
	talk_ask(t, "BDAT 0 LAST", "250 2.0.0 Ok: queued");
	ck_assert_str_eq(house.kept[0].recipients, "\xc3\xa9@remote.test");
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(the_postmaster_is_ours)
{
	house_open("", HOUSE_TABLES ", " HOUSE_HOOKS);
	modules_say_all((struct said){ .at = TMAIL_POINT_RCPT, .relay = true });
	struct talk *t = talk_ready();
	talk_ask(t, "MAIL FROM:<>", "250");
	talk_ask(t, "RCPT TO:<PostMaster>", "250");
	talk_ask(t, "RCPT TO:<postmaster@remote.test>", "250");
	talk_ask(t, "BDAT 0 LAST", "250 2.0.0 Ok: queued");
	ck_assert_str_eq(house.kept[0].recipients, "postmaster@mx.test postmaster@remote.test");
	talk_close(&t);
	house_close();
}
END_TEST

/* ---- how many ---------------------------------------------------------------------------- */

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

START_TEST(one_who_is_said_twice_is_kept_once_and_counted_twice)
{
	house_open("max_recipients = 2;", HOUSE_TABLES);
	struct talk *t = talk_addressed();
	talk_ask(t, "RCPT TO:<to@REMOTE.test>", "250");
	talk_ask(t, "RCPT TO:<to@remote.test>", "452 4.5.3 Too many recipients");
	talk_ask(t, "BDAT 0 LAST", "250 2.0.0 Ok: queued");
	ck_assert_str_eq(house.kept[0].recipients, "to@remote.test");
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(who_goes_on_a_thousand_recipients_too_far_is_in_error)
{
	house_open("max_recipients = 1; max_errors = 2;", HOUSE_TABLES);
	struct talk *t = talk_addressed();
	for (int i = 0; i < 1000; i++)
		talk_ask(t, "RCPT TO:<a@remote.test>", "452 4.5.3");
	talk_ask(t, "NOOP", "250");
	for (int i = 0; i < 3; i++)
		talk_ask(t, "RCPT TO:<a@remote.test>", "452 4.5.3");
	talk_hear(t, "421 4.7.0 Too many errors");
	talk_hear_end(t);
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(no_limit_has_an_end_too)
{
	static char line[] = "RCPT TO:<to@remote.test>\r\n";
	enum { MOST = 100000, BATCH = 500 };
	char batch[BATCH * sizeof line];
	struct talk *t;

	batch[0] = '\0';
	for (int i = 0; i < BATCH; i++)
		memcpy(batch + (size_t)i * (sizeof line - 1), line, sizeof line);
	house_open("max_recipients = 0;", HOUSE_TABLES);
	t = talk_addressed();
	for (int i = 1; i < MOST; i += BATCH) {
		int left = MOST - i < BATCH ? MOST - i : BATCH;

		talk_octets(t, batch, (size_t)left * (sizeof line - 1));
		for (int n = 0; n < left; n++)
			talk_hear(t, "250 2.1.5");
	}
	talk_ask(t, "RCPT TO:<to@remote.test>", "452 4.5.3 Too many recipients");
	talk_close(&t);
	house_close();
}
END_TEST

/* ---- answers ----------------------------------------------------------------------------- */

/* What the tables make of a recipient, and whether it is one of the bad ones that are counted. */
static const struct {
	const char *to, *answer;
	bool bad;
} answers[] = {
	{ "user@local.test", "250 2.1.5 Ok\r\n", false },
	{ "alias@local.test", "250 2.1.5", false },
	{ "any@remote.test", "250 2.1.5", false },
	{ "nobody@local.test", "550 5.1.1 Sorry, no mailbox", true },
	{ "a@elsewhere.test", "554 5.7.1 <a@elsewhere.test>: Relay access denied.\r\n", true },
	{ "later@local.test", "451 4.3.0 Temporary lookup", false },
	{ "a@broken.test", "451 4.3.0", false },
};

START_TEST(each_answer_of_the_tables_has_its_reply_and_its_count)
{
	house_open("max_bad_rcpt = 1;", HOUSE_TABLES ", " HOUSE_USERS);
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
		int64_t refused = metric_get(METRIC_recipients_refused),
			denied = metric_get(METRIC_relay_denied);
		bool no = answers[i].answer[0] != '2', relay = strstr(answers[i].answer, "Relay");
		struct talk *t = talk_ready();
		char line[80];

		snprintf(line, sizeof line, "RCPT TO:<%s>\r\n", answers[i].to);
		talk_ask(t, "MAIL FROM:<>", "250");
		for (int times = 0; times < 2; times++) {
			talk_say(t, line);
			talk_hear(t, answers[i].answer);
		}
		ck_assert_int_eq(metric_get(METRIC_recipients_refused), refused + (no ? 2 : 0));
		ck_assert_int_eq(metric_get(METRIC_relay_denied), denied + (relay ? 2 : 0));
		talk_ask(t, "HELP", answers[i].bad ? "421 4.7.0 Too many bad" : "214");
		talk_close(&t);
	}
	house_close();
}
END_TEST

#define BEFORE "EHLO c.test\r\nMAIL FROM:<>\r\n"
#define LAST "BDAT 0 LAST\r\n"
static const struct verdict_row ours[] = {
	{ { .verdict = TMAIL_CONTINUE }, "250 2.1.5", LAST, "250 2.0.0 Ok: queued" },
	{ { .verdict = TMAIL_ACCEPT }, "250 2.1.5", LAST, "250 2.0.0 Ok: queued" },
	{ { .verdict = TMAIL_HOLD }, "250 2.1.5", LAST, "250 2.0.0 Ok: queued" },
	{ { .verdict = TMAIL_REJECT }, "550 5.7.1 Refused", LAST, "554 5.5.1 No valid" },
	{ { .verdict = TMAIL_REJECT, .relay = true }, "550 5.7.1 Refused", LAST, "554 5.5.1" },
	{ { .verdict = TMAIL_TEMPFAIL }, "450 4.7.1 Temporary", LAST, "554 5.5.1 No valid" },
	{ { .verdict = TMAIL_REJECT, .code = 552, .enhanced = "5.2.2", .text = "full" },
		"552 5.2.2 full\r\n", LAST, "554 5.5.1" },
	{ { .verdict = TMAIL_TEMPFAIL, .code = 421 }, "421 4.7.1", NULL, NULL },
	{ { .verdict = TMAIL_REJECT, .code = 521 }, "521 5.7.1", NULL, NULL },
};
/* Of somebody elsewhere: only what is said grants it. */
static const struct verdict_row others[] = {
	{ { .verdict = TMAIL_CONTINUE }, "554 5.7.1 <a@elsewhere.test>", LAST, "554 5.5.1" },
	{ { .verdict = TMAIL_ACCEPT }, "554 5.7.1", LAST, "554 5.5.1" },
	{ { .verdict = TMAIL_HOLD }, "554 5.7.1", LAST, "554 5.5.1" },
	{ { .verdict = TMAIL_CONTINUE, .relay = true }, "250 2.1.5", LAST, "250 2.0.0 Ok: q" },
	{ { .verdict = TMAIL_ACCEPT, .relay = true }, "250 2.1.5", LAST, "250 2.0.0 Ok: q" },
	{ { .verdict = TMAIL_DISCARD }, "250 2.1.5", LAST, "250 2.0.0 Ok: queued" },
};

START_TEST(a_module_may_refuse_anybody_and_grant_what_it_says)
{
	house_open("", HOUSE_TABLES ", " HOUSE_WAITING);
	VERDICTS_CHECK(RCPT, BEFORE, "RCPT TO:<a@remote.test>\r\n", ours);
	VERDICTS_CHECK(RCPT, BEFORE, "RCPT TO:<a@elsewhere.test>\r\n", others);
	house_close();
}
END_TEST

START_TEST(bad_recipients_of_a_module_count_when_it_is_for_good)
{
	house_open("max_bad_rcpt = 1;", HOUSE_TABLES ", " HOUSE_HOOKS);
	modules_say(TMAIL_POINT_RCPT, TMAIL_TEMPFAIL, 0, NULL, NULL);
	struct talk *t = talk_ready();
	talk_ask(t, "MAIL FROM:<>", "250");
	for (int i = 0; i < 5; i++)
		talk_ask(t, "RCPT TO:<a@remote.test>", "450");
	modules_say(TMAIL_POINT_RCPT, TMAIL_REJECT, 0, NULL, NULL);
	talk_ask(t, "RCPT TO:<a@remote.test>", "550");
	talk_ask(t, "RCPT TO:<a@remote.test>", "550");
	talk_hear(t, "421 4.7.0 Too many bad recipients");
	ck_assert_int_eq(metric_get(METRIC_recipients_refused), 7);
	talk_close(&t);
	house_close();
}
END_TEST

static char told[256];
static enum tmail_verdict look(struct tmail_call *call, const union tmail_event *event)
{
	const struct tmail_recipient *r;

	if (call->point != TMAIL_POINT_RCPT)
		return TMAIL_CONTINUE;
	r = event->rcpt.recipient;
	snprintf(told, sizeof told, "%u %.*s %u %.*s", r->index, (int)r->address.len,
		r->address.data, r->notify, (int)r->original.len, r->original.data);
	TMAIL_EACH(struct tmail_parameter, p, event->rcpt.parameters)
		snprintf(told + strlen(told), sizeof told - strlen(told), " %.*s:%.*s",
			(int)p->name.len, p->name.data, (int)p->value.len, p->value.data);
	return TMAIL_CONTINUE;
}

START_TEST(modules_see_the_recipient_and_what_was_said_about_it)
{
	house_open("", HOUSE_TABLES ", " HOUSE_HOOKS);
	house_hook = look;
	struct talk *t = talk_ready();
	talk_ask(t, "MAIL FROM:<> SIZE=3", "250");
	talk_ask(t, "RCPT TO:<A@Remote.Test> notify=DELAY ORCPT=rfc822;b+40c", "250");
	ck_assert_str_eq(told, "0 A@remote.test 8 rfc822;b@c notify:DELAY ORCPT:rfc822;b+40c");
	talk_ask(t, "RCPT TO:<b@elsewhere.test>", "554");
	ck_assert_str_eq(told, "1 b@elsewhere.test 0 ");
	talk_ask(t, "RCPT TO:<c@remote.test>", "250"); /* who was refused has no number */
	ck_assert_str_eq(told, "1 c@remote.test 0 ");
	talk_close(&t);
	house_close();
}
END_TEST

TEST_MAIN("smtp/verb_rcpt", recipients_may_be_written_in_many_ways_and_only_those,
	recipients_keep_what_the_sender_wants_to_be_told,
	an_address_that_is_not_ascii_needs_smtputf8, the_postmaster_is_ours,
	recipients_are_counted_and_so_are_tries,
	one_who_is_said_twice_is_kept_once_and_counted_twice,
	who_goes_on_a_thousand_recipients_too_far_is_in_error, no_limit_has_an_end_too,
	each_answer_of_the_tables_has_its_reply_and_its_count,
	a_module_may_refuse_anybody_and_grant_what_it_says,
	bad_recipients_of_a_module_count_when_it_is_for_good,
	modules_see_the_recipient_and_what_was_said_about_it)
