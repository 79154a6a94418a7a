/* SPDX-License-Identifier: MIT
 *
 * HELO and EHLO: which names are names, what is offered, what modules may say, what is left of a
 * transaction.
 */
#include "tests/smtp/modules.h"

/* ---- names ------------------------------------------------------------------------------- */

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
	TALK_LINES(t, any);
	talk_close(&t);
	house_close();
	house_open("helo_fqdn = true; helo_required = true;", "");
	t = talk_open();
	TALK_LINES(t, full);
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(a_name_has_a_length_and_no_octet_that_ends_something_elsewhere)
{
	char line[300];

	house_open("max_errors = 0; max_junk = 0;", "");
	struct talk *t = talk_open();
	for (size_t length = 254; length <= 257; length++) {
		size_t used = (size_t)snprintf(line, sizeof line, "EHLO %0*d\r\n", (int)length, 7);

		talk_octets(t, line, used);
		talk_hear(t, length <= 255 ? "250-" : "501 5.5.4 Syntax: EHLO");
	}
	for (int octet = 1; octet < 256; octet++) {
		bool bad = octet <= ' ' || octet >= 0x7f || strchr("()<>@,;\\\"", octet);

		if (octet == '\r' || octet == '\n')
			continue;
		snprintf(line, sizeof line, "HELO a%cb\r\n", octet);
		talk_say(t, line);
		ck_assert(talk_reply(t));
		ck_assert_msg(strncmp(t->last, bad ? "50" : "250", bad ? 2 : 3) == 0,
			"octet %d: %s", octet, t->last);
	}
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(a_full_name_is_a_domain_or_an_address)
{
	static const char *const lines[][2] = {
		{ "HELO a.b", "250" },
		{ "HELO a.b.", "504" },
		{ "HELO .b", "504" },
		{ "HELO ab", "504" },
		{ "HELO a..b", "504" },
		{ "HELO 192.0.2.1", "250" },
		{ "HELO [192.0.2.1]", "250" },
		{ "HELO [192.0.2.1", "504" },
		{ "HELO [::1]", "504" },
		{ "HELO [IPv6:::1]", "250" },
		{ "HELO -a.b", "504" },
	};
	house_open("helo_fqdn = true; max_errors = 0;", "");
	struct talk *t = talk_open();
	TALK_LINES(t, lines);
	talk_close(&t);
	house_close();
}
END_TEST

/* ---- the offer --------------------------------------------------------------------------- */

START_TEST(ehlo_offers_what_is_there_and_helo_is_one_line)
{
	house_open("max_message_size = 12345; max_recipients = 7; max_messages = 3;", "");
	struct talk *t = talk_open();
	talk_ask(t, "EHLO client.test", "250-mx.test\r\n");
	static const char *const offers[] = { "250-SIZE 12345\r\n", "250-8BITMIME\r\n",
		"250-PIPELINING\r\n", "250-CHUNKING\r\n", "250-SMTPUTF8\r\n", "250-DSN\r\n",
		"250-ENHANCEDSTATUSCODES\r\n", "250-LIMITS MAILMAX=3 RCPTMAX=7\r\n",
		"250 HELP\r\n" };
	for (size_t i = 0; i < sizeof offers / sizeof *offers; i++)
		ck_assert_ptr_nonnull(strstr(t->last, offers[i]));
	ck_assert_ptr_null(strstr(t->last, "STARTTLS"));
	ck_assert_ptr_null(strstr(t->last, "AUTH"));
	talk_ask(t, "helo client.test", "250 mx.test\r\n");
	talk_close(&t);
	house_close();
}
END_TEST

static void offers(const char *settings, const char *offer, const char *not_offered)
{
	house_open(settings, "");
	struct talk *t = talk_open();
	talk_ask(t, "EHLO client.test", "250-mx.test\r\n250-SIZE ");
	ck_assert_msg(strstr(t->last, offer) != NULL, "%s", t->last);
	ck_assert_msg(!not_offered || !strstr(t->last, not_offered), "%s", t->last);
	talk_close(&t);
	house_close();
}

START_TEST(limits_are_offered_when_there_are_any)
{
	offers("max_recipients = 0; max_messages = 0;", "250 HELP\r\n", "LIMITS");
	offers("max_recipients = 5; max_messages = 0;", "250-LIMITS RCPTMAX=5\r\n", "MAILMAX");
	offers("max_recipients = 0; max_messages = 2;", "250-LIMITS MAILMAX=2\r\n", "RCPTMAX");
	offers("max_message_size = 0;", "250-SIZE 0\r\n", NULL);
}
END_TEST

/* ---- who it was -------------------------------------------------------------------------- */

static char told[64];
static uint32_t told_esmtp, told_flags;
static enum tmail_verdict look(struct tmail_call *call, const union tmail_event *event)
{
	if (call->point == TMAIL_POINT_HELO) {
		snprintf(told, sizeof told, "%.*s", (int)event->helo.name.len,
			event->helo.name.data);
		told_esmtp = event->helo.esmtp;
	}
	if (call->point == TMAIL_POINT_MAIL) {
		snprintf(told, sizeof told, "%.*s %.*s", (int)call->client->helo.len,
			call->client->helo.data, (int)call->client->hostname.len,
			call->client->hostname.data);
		told_flags = call->client->flags;
	}
	return TMAIL_CONTINUE;
}

START_TEST(modules_see_the_name_and_which_of_the_two_it_was)
{
	house_open("", HOUSE_HOOKS);
	house_hook = look;
	struct talk *t = talk_open();
	talk_ask(t, "EHLO New.Test", "250");
	ck_assert_str_eq(told, "New.Test");
	ck_assert_uint_eq(told_esmtp, 1);
	talk_ask(t, "MAIL FROM:<>", "250");
	ck_assert_str_eq(told, "New.Test mx.test");
	ck_assert(told_flags & TMAIL_CLIENT_ESMTP);
	talk_ask(t, "HELO old.test", "250");
	ck_assert_str_eq(told, "old.test");
	ck_assert_uint_eq(told_esmtp, 0);
	talk_ask(t, "MAIL FROM:<>", "250");
	ck_assert_str_eq(told, "old.test mx.test");
	ck_assert(!(told_flags & TMAIL_CLIENT_ESMTP));
	talk_close(&t);
	house_close();
}
END_TEST

/* ---- verdicts ---------------------------------------------------------------------------- */

static const struct verdict_row verdicts[] = {
	{ { .verdict = TMAIL_CONTINUE }, "250-mx.test", "RCPT TO:<b@remote.test>\r\n", "503" },
	{ { .verdict = TMAIL_ACCEPT }, "250-mx.test", "RCPT TO:<b@remote.test>\r\n", "503" },
	{ { .verdict = TMAIL_REJECT }, "550 5.7.1 Refused", "RCPT TO:<b@remote.test>\r\n", "250" },
	{ { .verdict = TMAIL_TEMPFAIL }, "450 4.7.1 Temp", "RCPT TO:<b@remote.test>\r\n", "250" },
	{ { .verdict = TMAIL_REJECT, .code = 571, .enhanced = "5.7.9", .text = "no" },
		"571 5.7.9 no\r\n", "RCPT TO:<b@remote.test>\r\n", "250" },
	{ { .verdict = TMAIL_DISCARD }, "450 4.3.0", "RCPT TO:<b@remote.test>\r\n", "250" },
	{ { .verdict = TMAIL_HOLD }, "450 4.3.0", "RCPT TO:<b@remote.test>\r\n", "250" },
	{ { .verdict = TMAIL_TEMPFAIL, .code = 421 }, "421 4.7.1", NULL, NULL },
	{ { .verdict = TMAIL_REJECT, .code = 521 }, "521 5.7.1", NULL, NULL },
};

START_TEST(who_is_refused_keeps_the_name_and_the_transaction_it_had)
{
	house_open("", HOUSE_TABLES ", " HOUSE_WAITING);
	/* The first HELO is the modules' too: the transaction comes before they are asked. */
	for (size_t i = 0; i < 2 * (sizeof verdicts / sizeof *verdicts); i++) {
		const struct verdict_row *row = &verdicts[i / 2];
		struct said what = row->said;
		struct talk *t;

		house_hook = NULL;
		t = talk_addressed();
		what.at = TMAIL_POINT_HELO;
		what.later = i % 2;
		modules_say_all(what);
		talk_say(t, "EHLO again.test\r\n");
		talk_hear(t, row->answer);
		if (row->then) {
			talk_say(t, row->then);
			talk_hear(t, row->then_answer);
			house_hook = NULL;
			talk_say(t,
				strcmp(row->then_answer, "503") == 0
					? "MAIL FROM:<>\r\nRCPT TO:<b@remote.test>\r\n"
					: "NOOP\r\nNOOP\r\n");
			talk_hear(t, "250");
			talk_hear(t, "250");
			talk_ask(t, "BDAT 0 LAST", "250 2.0.0 Ok: queued");
			ck_assert_ptr_nonnull(strstr(house.kept[house.kept_count - 1].client,
				strcmp(row->then_answer, "503") == 0 ? " again.test"
								     : " client.test"));
		} else {
			talk_hear_end(t);
		}
		talk_close(&t);
	}
	house_close();
}
END_TEST

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

START_TEST(a_hello_is_junk_from_the_second_on)
{
	house_open("max_junk = 1; max_errors = 0;", "");
	struct talk *t = talk_open();
	talk_ask(t, "EHLO (evil)", "501");
	talk_ask(t, "EHLO a.test", "250");
	talk_ask(t, "EHLO b.test", "250");
	talk_ask(t, "HELO c.test", "250");
	talk_hear(t, "421 4.7.0 Too many commands");
	talk_hear_end(t);
	talk_close(&t);
	house_close();
}
END_TEST

TEST_MAIN("smtp/verb_hello", hello_names_are_checked_as_far_as_the_settings_say,
	a_name_has_a_length_and_no_octet_that_ends_something_elsewhere,
	a_full_name_is_a_domain_or_an_address, ehlo_offers_what_is_there_and_helo_is_one_line,
	limits_are_offered_when_there_are_any, modules_see_the_name_and_which_of_the_two_it_was,
	who_is_refused_keeps_the_name_and_the_transaction_it_had,
	another_hello_leaves_nothing_of_the_transaction, a_hello_is_junk_from_the_second_on)
