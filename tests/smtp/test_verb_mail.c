/* SPDX-License-Identifier: MIT
 *
 * MAIL: who may say it, what a sender may be, what is kept of its line, what modules and the store
 * say to it.
 */
#include "tests/smtp/modules.h"

#include "host/metrics.h"

/* ---- who may say it ---------------------------------------------------------------------- */

START_TEST(a_submission_listener_wants_a_login)
{
	const struct listen_settings submission = { .name = TMAIL_STR("sub"),
		.role = ROLE_SUBMISSION };

	house_open_at("", HOUSE_TABLES, &submission);
	struct talk *t = talk_ready();
	talk_ask(t, "MAIL FROM:<>", "530 5.7.0 Authentication required");
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(a_hello_may_be_asked_for_first)
{
	house_open("helo_required = true;", "");
	struct talk *t = talk_open();
	talk_ask(t, "MAIL FROM:<>", "503 5.5.1 Send HELO or EHLO first\r\n");
	talk_ask(t, "HELO c.test", "250");
	talk_ask(t, "MAIL FROM:<>", "250");
	talk_close(&t);
	house_close();
	house_open("", "");
	t = talk_open();
	talk_ask(t, "MAIL FROM:<>", "250");
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

START_TEST(messages_that_were_refused_are_not_among_those_taken)
{
	house_open("max_messages = 1;", HOUSE_TABLES);
	struct talk *t = talk_addressed();
	talk_ask(t, "BDAT 3 LAST\r\n\n", "550 5.6.0");
	talk_ask(t, "MAIL FROM:<>", "250");
	talk_ask(t, "RCPT TO:<a@remote.test>", "250");
	talk_ask(t, "BDAT 0 LAST", "250 2.0.0 Ok: queued");
	talk_ask(t, "MAIL FROM:<>", "452 4.5.3 Too many messages");
	talk_close(&t);
	house_close();
}
END_TEST

/* ---- the line ---------------------------------------------------------------------------- */

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
	TALK_LINES(t, lines);
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(a_size_has_its_edge_at_the_limit_and_none_without_one)
{
	static const char *const limited[][2] = {
		{ "MAIL FROM:<> SIZE=1000", "250" },
		{ "RSET", "250" },
		{ "MAIL FROM:<> SIZE=1001", "552 5.3.4 Message is larger" },
		{ "MAIL FROM:<> SIZE=18446744073709551616", "552" },
		{ "MAIL FROM:<> SIZE=-1", "501" },
		{ "MAIL FROM:<> SIZE=1x", "501" },
		{ "RCPT TO:<a@remote.test>", "503" },
	};
	house_open("max_message_size = 1000; max_errors = 0;", HOUSE_TABLES);
	struct talk *t = talk_ready();
	TALK_LINES(t, limited);
	talk_close(&t);
	house_close();
	house_open("max_message_size = 0;", "");
	t = talk_ready();
	talk_ask(t, "MAIL FROM:<> SIZE=1000000000000", "250");
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(more_parameters_than_there_is_room_for_are_refused)
{
	char line[1000] = "MAIL FROM:<>";

	for (int i = 0; i < 25; i++)
		snprintf(line + strlen(line), sizeof line - strlen(line), " P%d=x", i);
	strncat(line, "\r\n", 3);
	house_open("", "");
	struct talk *t = talk_ready();
	talk_say(t, line);
	talk_hear(t, "501 5.5.4 Bad parameter: P24=x\r\n");
	talk_ask(t, "MAIL FROM:<> P=x", "555 5.5.4 Unknown parameter: P\r\n");
	talk_close(&t);
	house_close();
}
END_TEST

/* What modules see of the line, at MAIL and, in the envelope, at RCPT. */
static char told[512], envelope[256];
static enum tmail_verdict look(struct tmail_call *call, const union tmail_event *event)
{
	const struct tmail_envelope *e = call->envelope;

	if (call->point == TMAIL_POINT_MAIL) {
		snprintf(told, sizeof told, "<%.*s>", (int)event->mail.sender.len,
			event->mail.sender.data);
		TMAIL_EACH(struct tmail_parameter, p, event->mail.parameters)
			snprintf(told + strlen(told), sizeof told - strlen(told), " %.*s:%.*s",
				(int)p->name.len, p->name.data, (int)p->value.len, p->value.data);
	}
	if (call->point == TMAIL_POINT_RCPT)
		snprintf(envelope, sizeof envelope, "%.*s %u %u %u %.*s %llu", (int)e->sender.len,
			e->sender.data, e->body, e->ret, e->smtputf8, (int)e->envid.len,
			e->envid.data, (unsigned long long)e->declared_size);
	return TMAIL_CONTINUE;
}

START_TEST(modules_see_the_sender_and_what_was_said_about_it)
{
	house_open("", HOUSE_TABLES ", " HOUSE_HOOKS);
	house_hook = look;
	struct talk *t = talk_ready();
	talk_ask(t, "MAIL FROM:<@relay.test:Some.One@EXAMPLE.test>", "250");
	ck_assert_str_eq(told, "<Some.One@example.test>");
	talk_ask(t, "RSET", "250");
	talk_ask(t, "MAIL FROM:<> size=77 RET=FULL BODY=8BITMIME ENVID=a+2Bb SMTPUTF8", "250");
	ck_assert_str_eq(told, "<> size:77 RET:FULL BODY:8BITMIME ENVID:a+2Bb SMTPUTF8:");
	talk_ask(t, "RCPT TO:<a@remote.test>", "250");
	ck_assert_str_eq(envelope, " 1 1 1 a+b 77");
	talk_close(&t);
	house_close();
}
END_TEST

static uint32_t flags_seen;
static enum tmail_verdict see_flags(struct tmail_call *call, const union tmail_event *event)
{
	(void)event;
	if (call->point == TMAIL_POINT_MAIL)
		flags_seen = call->client->flags;
	return TMAIL_CONTINUE;
}

START_TEST(modules_know_at_mail_whether_the_client_may_relay)
{
	static const struct tmail_str trusted[] = { TMAIL_STR("127.0.0.1") };
	const struct listen_settings proxied = {
		.name = TMAIL_STR("mx"), .proxy = 1, .proxy_from = TMAIL_LIST(trusted)
	};
	static const struct {
		const char *address;
		bool relay;
	} clients[] = { { "203.0.113.9", true }, { "203.0.113.8", false },
		{ "203.0.113.10", false } }; /* which cannot be asked now */

	house_open_at("", HOUSE_TABLES ", " HOUSE_HOOKS, &proxied);
	house_hook = see_flags;
	for (size_t i = 0; i < sizeof clients / sizeof *clients; i++) {
		struct talk *t = talk_connect();
		char line[80];

		snprintf(line, sizeof line, "PROXY TCP4 %s 192.0.2.1 4000 25\r\n",
			clients[i].address);
		talk_say(t, line);
		talk_hear(t, "220");
		talk_ask(t, "EHLO c.test", "250");
		talk_ask(t, "MAIL FROM:<>", "250");
		ck_assert_int_eq(!!(flags_seen & TMAIL_CLIENT_RELAY), clients[i].relay);
		talk_ask(t, "RCPT TO:<a@remote.test>", "250");
		talk_ask(t, "BDAT 0 LAST", "250 2.0.0 Ok: queued");
		ck_assert_int_eq(house.kept[i].relay, clients[i].relay);
		talk_close(&t);
	}
	house_close();
}
END_TEST

/* ---- verdicts ---------------------------------------------------------------------------- */

#define RCPT "RCPT TO:<a@remote.test>\r\n"
static const struct verdict_row verdicts[] = {
	{ { .verdict = TMAIL_CONTINUE }, "250 2.1.0", RCPT, "250" },
	{ { .verdict = TMAIL_ACCEPT }, "250 2.1.0", RCPT, "250" },
	{ { .verdict = TMAIL_DISCARD }, "250 2.1.0", "RCPT TO:<a@elsewhere.test>\r\n", "250" },
	{ { .verdict = TMAIL_HOLD, .hold = "why" }, "250 2.1.0", RCPT, "250" },
	{ { .verdict = TMAIL_REJECT }, "550 5.7.1 Refused", RCPT, "503" },
	{ { .verdict = TMAIL_REJECT }, "550 5.7.1 Refused", "MAIL FROM:nonsense\r\n", "501" },
	{ { .verdict = TMAIL_REJECT, .code = 553, .enhanced = "5.1.8", .text = "you" },
		"553 5.1.8 you\r\n", RCPT, "503" },
	{ { .verdict = TMAIL_TEMPFAIL }, "450 4.7.1 Temporary", RCPT, "503" },
	{ { .verdict = TMAIL_TEMPFAIL, .code = 550 }, "450 4.3.0", RCPT, "503" },
	{ { .verdict = TMAIL_TEMPFAIL, .code = 421 }, "421 4.7.1", NULL, NULL },
};

START_TEST(a_sender_that_was_refused_leaves_no_transaction)
{
	house_open("", HOUSE_TABLES ", " HOUSE_WAITING);
	VERDICTS_CHECK(MAIL, "EHLO c.test\r\n", "MAIL FROM:<a@b.test>\r\n", verdicts);
	house_close();
}
END_TEST

START_TEST(modules_hear_of_the_end_of_what_they_heard_the_beginning_of)
{
	house_open("", HOUSE_TABLES ", " HOUSE_HOOKS);
	modules_say(TMAIL_POINT_MAIL, TMAIL_CONTINUE, 0, NULL, NULL);
	struct talk *t = talk_ready();
	talk_ask(t, "MAIL FROM:<a@b", "501");
	talk_ask(t, "MAIL FROM:<> FOO", "555");
	ck_assert_uint_eq(house_hooked[TMAIL_POINT_MAIL], 0);
	ck_assert_uint_eq(house_hooked[TMAIL_POINT_RESET], 0);
	talk_ask(t, "MAIL FROM:<>", "250");
	ck_assert_uint_eq(house_hooked[TMAIL_POINT_RESET], 0);
	talk_ask(t, "RSET", "250");
	ck_assert_uint_eq(house_hooked[TMAIL_POINT_RESET], 1);
	talk_ask(t, "RSET", "250");
	ck_assert_uint_eq(house_hooked[TMAIL_POINT_RESET], 1);
	modules_say(TMAIL_POINT_MAIL, TMAIL_REJECT, 0, NULL, NULL);
	talk_ask(t, "MAIL FROM:<>", "550");
	ck_assert_uint_eq(house_hooked[TMAIL_POINT_RESET], 1);
	talk_close(&t);
	house_close();
}
END_TEST

/* ---- room -------------------------------------------------------------------------------- */

START_TEST(a_size_that_was_said_is_kept_free_until_the_transaction_ends)
{
	house_open("", HOUSE_TABLES);
	struct talk *t = talk_ready();
	talk_ask(t, "MAIL FROM:<> SIZE=12345", "250");
	ck_assert_int_eq(house_reserved(), 12345);
	talk_ask(t, "RCPT TO:<a@remote.test>", "250");
	talk_ask(t, "BDAT 3\r\nx", "250"); /* nothing more than that */
	ck_assert_int_eq(house_reserved(), 12345);
	talk_ask(t, "RSET", "250");
	ck_assert_int_eq(house_reserved(), 0);
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(a_store_without_room_is_said_before_anything_is_promised)
{
	house_open("", HOUSE_TABLES ", " HOUSE_HOOKS);
	modules_say(TMAIL_POINT_MAIL, TMAIL_CONTINUE, 0, NULL, NULL);
	struct talk *t = talk_ready();
	house.room = COMMIT_FULL;
	talk_ask(t, "MAIL FROM:<> SIZE=1", "452 4.3.1 Out of room");
	ck_assert_int_eq(metric_get(METRIC_limit_memory), 1);
	talk_ask(t, "RCPT TO:<a@remote.test>", "503");
	house.room = COMMIT_TRY_LATER;
	talk_ask(t, "MAIL FROM:<> SIZE=1", "451 4.3.0 Temporary failure");
	ck_assert_int_eq(metric_get(METRIC_limit_memory), 1);
	ck_assert_uint_eq(house_hooked[TMAIL_POINT_RESET], 2);
	house.room = COMMIT_DURABLE;
	talk_ask(t, "MAIL FROM:<> SIZE=1", "250");
	talk_close(&t);
	house_close();
}
END_TEST

TEST_MAIN("smtp/verb_mail", a_submission_listener_wants_a_login, a_hello_may_be_asked_for_first,
	messages_of_a_session_can_be_limited, messages_that_were_refused_are_not_among_those_taken,
	senders_may_be_written_in_many_ways_and_only_those,
	a_size_has_its_edge_at_the_limit_and_none_without_one,
	more_parameters_than_there_is_room_for_are_refused,
	modules_see_the_sender_and_what_was_said_about_it,
	modules_know_at_mail_whether_the_client_may_relay,
	a_sender_that_was_refused_leaves_no_transaction,
	modules_hear_of_the_end_of_what_they_heard_the_beginning_of,
	a_size_that_was_said_is_kept_free_until_the_transaction_ends,
	a_store_without_room_is_said_before_anything_is_promised)
