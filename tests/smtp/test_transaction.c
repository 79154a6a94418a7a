/* SPDX-License-Identifier: MIT
 *
 * A transaction from its beginning to its end, whichever end: what is told, given back, kept for
 * the next one.
 */
#include "smtp/transaction.h"
#include "tests/smtp/modules.h"

/* ---- its end ----------------------------------------------------------------------------- */

/* What a client says behind a recipient that was taken, and what is told of the end then. */
static const struct {
	const char *say;
	unsigned answers, reset, queued;
	bool kept;
} ends[] = {
	{ "RSET\r\n", 1, 1, 0, false },
	{ "EHLO d.test\r\n", 1, 1, 0, false },
	{ "HELO d.test\r\n", 1, 1, 0, false },
	{ "QUIT\r\n", 1, 1, 0, false },
	{ "GET /\r\n", 1, 1, 0, false },
	{ "BDAT x\r\n", 1, 1, 0, false },
	{ "BDAT 3\r\nx\r\nRSET\r\n", 2, 1, 0, false },
	{ "BDAT 3\r\nx\r\n", 1, 0, 0, false }, /* goes on */
	{ "BDAT 0 LAST\r\n", 1, 0, 1, true },
	{ "DATA\r\n.\r\n", 2, 0, 1, true },
	{ "DATA\r\na\rb\r\n.\r\n", 2, 1, 0, false },
	{ "BDAT 1 LAST\r\n\r", 1, 1, 0, false },
};

START_TEST(modules_hear_of_one_end_and_the_right_one)
{
	size_t kept = 0;

	house_open("", HOUSE_TABLES ", " HOUSE_HOOKS);
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		struct talk *t;

		modules_say(TMAIL_POINT_CONNECT, TMAIL_CONTINUE, 0, NULL, NULL);
		t = talk_addressed();
		talk_say(t, ends[i].say);
		for (unsigned n = 0; n < ends[i].answers; n++)
			ck_assert_msg(talk_reply(t), "closed after %s", ends[i].say);
		ck_assert_msg(house_hooked[TMAIL_POINT_RESET] == ends[i].reset, "%s", ends[i].say);
		ck_assert_msg(
			house_hooked[TMAIL_POINT_QUEUED] == ends[i].queued, "%s", ends[i].say);
		kept += ends[i].kept;
		ck_assert_uint_eq(house.kept_count, kept);
		talk_close(&t);
		while (smtp_sessions() > 0) /* its end is not the next one's */
			sched_yield();
	}
	house_close();
}
END_TEST

START_TEST(a_client_that_leaves_ends_its_transaction)
{
	house_open("", HOUSE_TABLES ", " HOUSE_HOOKS);
	modules_say(TMAIL_POINT_CONNECT, TMAIL_CONTINUE, 0, NULL, NULL);
	struct talk *t = talk_addressed();
	talk_ask(t, "DATA", "354");
	talk_say(t, "Subject: half\r\n");
	talk_close(&t);
	while (smtp_sessions() > 0)
		sched_yield();
	ck_assert_uint_eq(house_hooked[TMAIL_POINT_RESET], 1);
	ck_assert_uint_eq(house_hooked[TMAIL_POINT_DISCONNECT], 1);
	house_close();
	ck_assert_uint_eq(house.kept_count, 0);
}
END_TEST

/* A spool, by what its message comes to: dropped unless the store took it. */
static void spooled(struct talk *t, const char *end, const char *answer)
{
	static char body[200 * 1024];

	for (size_t i = 0; i < sizeof body - 1; i++)
		body[i] = i % 72 == 70 ? '\r' : i % 72 == 71 ? '\n' : 'x';
	talk_ask(t, "DATA", "354");
	talk_say(t, "Subject: large\r\n\r\n");
	talk_say(t, body);
	talk_say(t, end);
	talk_hear(t, answer);
}

START_TEST(what_was_spooled_for_a_message_that_is_not_taken_is_dropped_once)
{
	house_open("", HOUSE_TABLES ", " HOUSE_HOOKS);
	modules_say(TMAIL_POINT_EOM, TMAIL_CONTINUE, 0, NULL, NULL);
	struct talk *t = talk_addressed();
	spooled(t, "\r\n.\r\n", "250 2.0.0 Ok: queued");
	ck_assert_uint_gt(house.spools, 0);
	ck_assert_uint_eq(house.drops, 0);
	modules_say(TMAIL_POINT_EOM, TMAIL_REJECT, 0, NULL, NULL);
	talk_through(t, "MAIL FROM:<>\r\nRCPT TO:<a@remote.test>\r\n");
	spooled(t, "\r\n.\r\n", "554");
	ck_assert_uint_eq(house.drops, 1);
	modules_say(TMAIL_POINT_EOM, TMAIL_DISCARD, 0, NULL, NULL);
	talk_through(t, "MAIL FROM:<>\r\nRCPT TO:<a@remote.test>\r\n");
	spooled(t, "\r\n.\r\n", "250 2.0.0 Ok: queued");
	ck_assert_uint_eq(house.drops, 2);
	modules_say(TMAIL_POINT_EOM, TMAIL_CONTINUE, 0, NULL, NULL);
	talk_through(t, "MAIL FROM:<>\r\nRCPT TO:<a@remote.test>\r\n");
	spooled(t, "a\rb\r\n.\r\n", "550 5.6.0");
	ck_assert_uint_eq(house.drops, 3);
	/* What the store has had and not taken is the store's to drop. */
	house.result = COMMIT_TRY_LATER;
	talk_through(t, "MAIL FROM:<>\r\nRCPT TO:<a@remote.test>\r\n");
	spooled(t, "\r\n.\r\n", "451 4.3.0");
	ck_assert_uint_eq(house.drops, 3);
	talk_close(&t);
	house_close();
	ck_assert_uint_eq(house.kept_count, 1);
}
END_TEST

/* ---- kept for the next ------------------------------------------------------------------- */

static unsigned kept_count;
static void see_kept(void)
{
	struct place *place = &house.server->places[0];
	unsigned n = 0;

	for (struct transaction *t = place->kept; t; t = t->next)
		n++;
	ck_assert_uint_eq(n, place->kept_count);
	kept_count = n;
}

enum { MANY = 70, MOST_KEPT = 64 };

START_TEST(transactions_are_used_again_and_not_kept_without_end)
{
	struct talk *many[MANY];

	house_open("", HOUSE_TABLES);
	struct talk *t = talk_addressed();
	house_on_loop(see_kept);
	ck_assert_uint_eq(kept_count, 0);
	for (int i = 0; i < 3; i++) {
		talk_ask(t, "RSET", "250");
		house_on_loop(see_kept);
		ck_assert_uint_eq(kept_count, 1);
		talk_through(t, "MAIL FROM:<>\r\nRCPT TO:<a@remote.test>\r\n");
		house_on_loop(see_kept);
		ck_assert_uint_eq(kept_count, 0);
	}
	for (int i = 0; i < MANY; i++)
		many[i] = talk_addressed();
	for (int i = 0; i < MANY; i++)
		talk_ask(many[i], "RSET", "250");
	house_on_loop(see_kept);
	ck_assert_uint_eq(kept_count, MOST_KEPT);
	for (int i = 0; i < MANY; i++)
		talk_close(&many[i]);
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(a_refusal_is_said_whether_its_transaction_is_kept_or_not)
{
	struct talk *many[MANY];

	house_open("", HOUSE_TABLES ", " HOUSE_HOOKS);
	modules_say(TMAIL_POINT_EOM, TMAIL_TEMPFAIL, 421, "4.7.0", "go away");
	for (int i = 0; i < MANY; i++) {
		many[i] = talk_addressed();
		talk_ask(many[i], "DATA", "354");
	}
	for (int i = 0; i < MANY; i++) {
		talk_ask(many[i], ".", "421 4.7.0 go away");
		talk_hear_end(many[i]);
		talk_close(&many[i]);
	}
	house_close();
}
END_TEST

START_TEST(nothing_of_a_transaction_is_seen_by_the_next)
{
	static const char *const first[][2] = {
		{ "MAIL FROM:<first@a.test> SIZE=99 BODY=8BITMIME SMTPUTF8 ENVID=x", "250" },
		{ "RCPT TO:<\xc3\xa9@remote.test>", "250" },
		{ "RCPT TO:<b@elsewhere.test>", "554" },
		{ "BDAT 4 LAST\r\n\r\r", "550 5.6.0" },
	};
	static const char *const second[][2] = {
		{ "MAIL FROM:<second@b.test>", "250" },
		{ "DATA", "503 5.5.1 Send RCPT first" }, /* nobody was tried and refused */
		{ "RCPT TO:<\xc3\xa9@remote.test>", "553 5.6.7" },
		{ "RCPT TO:<a@remote.test>", "250" },
		{ "BDAT 0 LAST", "250 2.0.0 Ok: queued" },
	};
	house_open("max_errors = 0;", HOUSE_TABLES);
	struct talk *t = talk_ready();
	TALK_LINES(t, first);
	TALK_LINES(t, second);
	ck_assert_str_eq(house.kept[0].sender, "second@b.test");
	ck_assert_str_eq(house.kept[0].recipients, "a@remote.test");
	ck_assert_str_eq(house.kept[0].content, "\r\n");
	ck_assert_ptr_null(strstr(house.kept[0].trace, "UTF8"));
	talk_close(&t);
	house_close();
}
END_TEST

/* ---- what it is made of ------------------------------------------------------------------ */

START_TEST(a_message_says_where_it_came_from)
{
	house_open("", HOUSE_TABLES);
	struct talk *t = talk_addressed();
	talk_ask(t, "BDAT 0 LAST", "250 2.0.0 Ok: queued");
	ck_assert_str_eq(house.kept[0].client, "127.0.0.1 client.test");
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(the_first_reason_is_the_one_that_is_told)
{
	house_open("max_message_size = 10;", HOUSE_TABLES);
	struct talk *t = talk_addressed();
	talk_ask(t, "DATA", "354");
	talk_say(t, "Subject: too much\r\nbare\rCR\r\n");
	talk_octets(t, "\0\r\n.\r\n", 6);
	talk_hear(t, "552 5.3.4 Message is larger than the limit\r\n");
	talk_close(&t);
	house_close();
}
END_TEST

/* Holds at each point; the first that said why is the one that is kept. */
static enum tmail_point holds_from;
static enum tmail_verdict hold(struct tmail_call *call, const union tmail_event *event)
{
	static const char *const why[TMAIL_POINTS] = { [TMAIL_POINT_MAIL] = "mail",
		[TMAIL_POINT_RCPT] = "rcpt",
		[TMAIL_POINT_DATA] = "data",
		[TMAIL_POINT_EOM] = "eom" };

	(void)event;
	if (call->point < (uint32_t)holds_from || !why[call->point])
		return TMAIL_CONTINUE;
	call->answer->hold = tm_str(str_c(why[call->point]));
	return TMAIL_HOLD;
}

START_TEST(the_first_hold_is_the_reason)
{
	static const struct {
		enum tmail_point from;
		const char *why;
	} rows[] = { { TMAIL_POINT_MAIL, "mail" }, { TMAIL_POINT_RCPT, "rcpt" },
		{ TMAIL_POINT_DATA, "data" }, { TMAIL_POINT_EOM, "eom" } };

	house_open("", HOUSE_TABLES ", " HOUSE_HOOKS);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		holds_from = rows[i].from;
		house_hook = hold;
		struct talk *t = talk_addressed();
		talk_ask(t, "BDAT 0 LAST", "250 2.0.0 Ok: queued");
		ck_assert_str_eq(house.kept[i].hold, rows[i].why);
		talk_close(&t);
	}
	house_close();
}
END_TEST

TEST_MAIN("smtp/transaction", modules_hear_of_one_end_and_the_right_one,
	a_client_that_leaves_ends_its_transaction,
	what_was_spooled_for_a_message_that_is_not_taken_is_dropped_once,
	transactions_are_used_again_and_not_kept_without_end,
	a_refusal_is_said_whether_its_transaction_is_kept_or_not,
	nothing_of_a_transaction_is_seen_by_the_next, a_message_says_where_it_came_from,
	the_first_reason_is_the_one_that_is_told, the_first_hold_is_the_reason)
