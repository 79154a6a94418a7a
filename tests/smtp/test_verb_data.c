/* SPDX-License-Identifier: MIT
 *
 * DATA and BDAT: when content may come, what modules and the store say to it, and where a chunk
 * has an end.
 */
#include "tests/smtp/modules.h"

#include "host/metrics.h"

/* ---- DATA -------------------------------------------------------------------------------- */

START_TEST(data_takes_no_argument_and_needs_a_recipient)
{
	static const char *const lines[][2] = {
		{ "MAIL FROM:<>", "250" },
		{ "DATA now", "501 5.5.4 That command takes no argument" },
		{ "DATA", "503 5.5.1 Send RCPT first" },
		{ "RCPT TO:<a@elsewhere.test>", "554" },
		{ "DATA", "554 5.5.1 No valid recipients" },
		{ "RCPT TO:<a@remote.test>", "250" },
		{ "DATA now", "501 5.5.4" },
		{ "DATA", "354 End data with <CR><LF>.<CR><LF>" },
		{ ".", "250 2.0.0 Ok: queued" },
	};
	house_open("", HOUSE_TABLES);
	struct talk *t = talk_ready();
	TALK_LINES(t, lines);
	talk_close(&t);
	house_close();
}
END_TEST

#define BEFORE "EHLO c.test\r\nMAIL FROM:<>\r\nRCPT TO:<a@remote.test>\r\n"
#define RCPT "RCPT TO:<b@remote.test>\r\n"
static const struct verdict_row data_verdicts[] = {
	{ { .verdict = TMAIL_CONTINUE }, "354", ".\r\n", "250 2.0.0 Ok: queued" },
	{ { .verdict = TMAIL_ACCEPT }, "354", ".\r\n", "250 2.0.0 Ok: queued" },
	{ { .verdict = TMAIL_HOLD, .hold = "odd" }, "354", ".\r\n", "250 2.0.0 Ok: queued" },
	{ { .verdict = TMAIL_DISCARD }, "354", ".\r\n", "250 2.0.0 Ok: queued" },
	{ { .verdict = TMAIL_REJECT }, "550 5.7.1 Refused", RCPT, "503 5.5.1 Send MAIL" },
	{ { .verdict = TMAIL_TEMPFAIL }, "450 4.7.1 Temporary", RCPT, "503 5.5.1 Send MAIL" },
	{ { .verdict = TMAIL_REJECT }, "550", "MAIL FROM:<>\r\n", "250" },
	{ { .verdict = TMAIL_TEMPFAIL, .code = 452, .enhanced = "4.2.2", .text = "full" },
		"452 4.2.2 full\r\n", RCPT, "503" },
	{ { .verdict = TMAIL_REJECT, .code = 450 }, "450 4.3.0", RCPT, "503" },
	{ { .verdict = TMAIL_TEMPFAIL, .code = 421 }, "421 4.7.1", NULL, NULL },
	{ { .verdict = TMAIL_REJECT, .code = 521 }, "521 5.7.1", NULL, NULL },
};
static const struct verdict_row chunk_verdicts[] = {
	{ { .verdict = TMAIL_CONTINUE }, "250 2.0.0 Chunk", "BDAT 0 LAST\r\n", "250 2.0.0 Ok: q" },
	{ { .verdict = TMAIL_ACCEPT }, "250 2.0.0 Chunk", "BDAT 0 LAST\r\n", "250 2.0.0 Ok: q" },
	{ { .verdict = TMAIL_HOLD, .hold = "odd" }, "250 2.0.0 Chunk", "BDAT 0 LAST\r\n",
		"250 2.0.0 Ok: q" },
	{ { .verdict = TMAIL_DISCARD }, "250 2.0.0 Chunk", "BDAT 0 LAST\r\n", "250 2.0.0 Ok: q" },
	{ { .verdict = TMAIL_REJECT }, "550 5.7.1 Refused", RCPT, "503 5.5.1 Send MAIL" },
	{ { .verdict = TMAIL_TEMPFAIL }, "450 4.7.1 Temporary", "BDAT 1 LAST\r\nx",
		"503 5.5.1 Send MAIL" },
	{ { .verdict = TMAIL_REJECT, .code = 552, .enhanced = "5.2.2", .text = "full" },
		"552 5.2.2 full\r\n", "MAIL FROM:<>\r\n", "250" },
	{ { .verdict = TMAIL_TEMPFAIL, .code = 421 }, "421 4.7.1", NULL, NULL },
	{ { .verdict = TMAIL_REJECT, .code = 521 }, "521 5.7.1", NULL, NULL },
};

START_TEST(what_modules_say_to_content_is_said_and_done)
{
	house_open("", HOUSE_TABLES ", " HOUSE_WAITING);
	VERDICTS_CHECK(DATA, BEFORE, "DATA\r\n", data_verdicts);
	ck_assert_uint_eq(house.kept_count, 6); /* three, twice */
	for (size_t i = 0; i < 6; i++)
		ck_assert_str_eq(house.kept[i].hold, i < 4 ? "" : "odd");
	/* The chunk has a command in it, which is none. */
	VERDICTS_CHECK(DATA, BEFORE, "BDAT 6\r\nQUIT\r\n", chunk_verdicts);
	ck_assert_uint_eq(house.kept_count, 12);
	for (size_t i = 6; i < 12; i++)
		ck_assert_str_eq(house.kept[i].hold, i < 10 ? "" : "odd");
	house_close();
}
END_TEST

START_TEST(modules_are_asked_once_a_message_however_many_chunks_it_has)
{
	house_open("", HOUSE_TABLES ", " HOUSE_HOOKS);
	modules_say(TMAIL_POINT_DATA, TMAIL_CONTINUE, 0, NULL, NULL);
	struct talk *t = talk_addressed();
	talk_ask(t, "BDAT 3\r\na", "250");
	talk_ask(t, "BDAT 3\r\nb", "250");
	talk_ask(t, "BDAT 0 LAST", "250 2.0.0 Ok: queued");
	ck_assert_uint_eq(house_hooked[TMAIL_POINT_DATA], 1);
	talk_ask(t, "BDAT 3\r\na", "503");
	ck_assert_uint_eq(house_hooked[TMAIL_POINT_DATA], 1);
	talk_close(&t);
	house_close();
}
END_TEST

/* ---- room -------------------------------------------------------------------------------- */

static const char *const ways[] = { "DATA\r\n", "BDAT 3\r\nx\r\n" };

START_TEST(the_store_is_asked_for_room_before_content_may_come)
{
	house_open("", HOUSE_TABLES);
	for (size_t i = 0; i < 2; i++) {
		int64_t full = metric_get(METRIC_limit_memory);
		struct talk *t = talk_addressed();

		house.room = COMMIT_FULL;
		talk_say(t, ways[i]);
		talk_hear(t, "452 4.3.1 Out of room");
		ck_assert_int_eq(metric_get(METRIC_limit_memory), full + 1);
		talk_ask(t, "RCPT TO:<a@remote.test>", "503 5.5.1 Send MAIL");
		house.room = COMMIT_DURABLE;
		talk_through(t, "MAIL FROM:<>\r\nRCPT TO:<a@remote.test>\r\n");
		house.room = COMMIT_TRY_LATER;
		talk_say(t, ways[i]);
		talk_hear(t, "451 4.3.0 Temporary failure");
		ck_assert_int_eq(metric_get(METRIC_limit_memory), full + 1);
		talk_ask(t, "RCPT TO:<a@remote.test>", "503 5.5.1 Send MAIL");
		house.room = COMMIT_DURABLE;
		talk_through(t, "MAIL FROM:<>\r\nRCPT TO:<a@remote.test>\r\n");
		talk_say(t, ways[i]);
		talk_hear(t, i ? "250 2.0.0 Chunk" : "354");
		ck_assert_int_gt(house_reserved(), 0);
		talk_close(&t);
	}
	house_close();
}
END_TEST

START_TEST(what_was_kept_free_at_mail_is_not_asked_for_again)
{
	house_open("", HOUSE_TABLES);
	for (size_t i = 0; i < 2; i++) {
		struct talk *t = talk_ready();

		talk_through(t, "MAIL FROM:<> SIZE=100\r\nRCPT TO:<a@remote.test>\r\n");
		house.room = COMMIT_FULL;
		talk_say(t, ways[i]);
		talk_hear(t, i ? "250 2.0.0 Chunk" : "354");
		house.room = COMMIT_DURABLE;
		talk_close(&t);
	}
	house_close();
}
END_TEST

/* ---- BDAT -------------------------------------------------------------------------------- */

static void chunk_closes(const char *before, const char *line, const char *answer)
{
	struct talk *t = talk_addressed();

	talk_through(t, before);
	talk_say(t, line);
	talk_hear(t, answer);
	talk_hear_end(t);
	talk_close(&t);
}

START_TEST(a_chunk_whose_octets_cannot_be_counted_off_ends_the_connection)
{
	static const char *const lines[] = { "BDAT\r\n", "BDAT x\r\n", "BDAT -1\r\n", "BDAT +1\r\n",
		"BDAT 1x\r\n", "BDAT 0x1\r\n", "BDAT LAST\r\n", "BDAT 1 LAS\r\n",
		"BDAT 1 LAST x\r\n", "BDAT 1 1\r\n", "BDAT 18446744073709551616\r\n" };

	house_open("", HOUSE_TABLES);
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		chunk_closes("", lines[i], "501 5.5.4 Syntax: BDAT size [LAST]\r\n");
	chunk_closes("", "BDAT 18446744073709551615\r\n", "552 5.3.4 Message is larger");
	house_close();
}
END_TEST

START_TEST(chunks_may_be_as_large_together_as_a_message)
{
	house_open("max_message_size = 10;", HOUSE_TABLES);
	struct talk *t = talk_addressed();
	talk_ask(t, "bdat 10 last\r\n01234567", "250 2.0.0 Ok: queued");
	talk_close(&t);
	t = talk_addressed();
	talk_ask(t, "BDAT 4\r\n01", "250 2.0.0 Chunk");
	talk_ask(t, "BDAT 0", "250 2.0.0 Chunk");
	talk_ask(t, "BDAT 6 LAST\r\n0123", "250 2.0.0 Ok: queued");
	talk_close(&t);
	chunk_closes("", "BDAT 11\r\n", "552 5.3.4");
	t = talk_addressed();
	talk_ask(t, "BDAT 4\r\n01", "250 2.0.0 Chunk");
	talk_ask(t, "BDAT 7", "552 5.3.4 Message is larger");
	talk_hear_end(t);
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(a_chunk_without_a_limit_has_one_still)
{
	house_open("max_message_size = 0;", HOUSE_TABLES);
	chunk_closes("", "BDAT 1099511627777\r\n", "552 5.3.4");
	struct talk *t = talk_addressed();
	talk_say(t, "BDAT 1099511627776\r\nx");
	smtp_sessions_end(); /* it waits for the rest */
	talk_hear(t, "421 4.3.2 Service is stopping");
	talk_close(&t);
	house_close();
}
END_TEST

/* What is missing is told behind the chunk, whose octets are no commands. */
static const struct {
	const char *before, *answer;
} places[] = {
	{ "", "503 5.5.1 Send MAIL first\r\n" },
	{ "EHLO c.test\r\n", "503 5.5.1 Send MAIL first\r\n" },
	{ "EHLO c.test\r\nMAIL FROM:<>\r\n", "503 5.5.1 Send RCPT first\r\n" },
	{ "EHLO c.test\r\nMAIL FROM:<>\r\nRCPT TO:<a@elsewhere.test>\r\n",
		"554 5.5.1 No valid recipients\r\n" },
};

START_TEST(a_chunk_that_does_not_belong_is_told_what_is_missing_behind_its_octets)
{
	house_open("", HOUSE_TABLES);
	for (size_t i = 0; i < 2 * (sizeof places / sizeof *places); i++) {
		struct talk *t = talk_open();

		talk_through(t, places[i / 2].before);
		talk_say(t,
			i % 2 ? "BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n" : "BDAT 6\r\nQUIT\r\nNOOP\r\n");
		talk_hear(t, places[i / 2].answer);
		talk_hear(t, "250 2.0.0 Ok\r\n");
		talk_ask(t, "RCPT TO:<a@remote.test>", "503 5.5.1 Send MAIL"); /* nothing is left */
		talk_close(&t);
	}
	house_close();
	ck_assert_int_eq(metric_get(METRIC_messages_refused), 4); /* those with a sender */
}
END_TEST

enum { HOUR = 3600000 }; /* what is not over by our clock is not by the real one either */

START_TEST(a_message_in_chunks_has_the_time_of_one_message)
{
	house_open("timeout_message = \"10h\"; timeout_command = \"20h\"; timeout_data = \"20h\";",
		HOUSE_TABLES);
	struct talk *t = talk_addressed();
	for (int i = 0; i < 3; i++) {
		talk_ask(t, "BDAT 3\r\nx", "250 2.0.0 Chunk");
		house_later(3 * HOUR);
	}
	talk_ask(t, "NOOP", "250");
	house_later(HOUR + 1);
	talk_hear(t, "421 4.4.2 Timeout");
	talk_hear_end(t);
	talk_close(&t);
	/* in the middle of a chunk as well */
	t = talk_addressed();
	talk_ask(t, "BDAT 3\r\nx", "250 2.0.0 Chunk");
	house_later(6 * HOUR);
	talk_say(t, "BDAT 3\r\nx");
	usleep(1000);
	house_later(4 * HOUR + 1);
	talk_hear(t, "421 4.4.2 Timeout");
	talk_hear_end(t);
	talk_close(&t);
	house_close();
}
END_TEST

TEST_MAIN("smtp/verb_data", data_takes_no_argument_and_needs_a_recipient,
	what_modules_say_to_content_is_said_and_done,
	modules_are_asked_once_a_message_however_many_chunks_it_has,
	the_store_is_asked_for_room_before_content_may_come,
	what_was_kept_free_at_mail_is_not_asked_for_again,
	a_chunk_whose_octets_cannot_be_counted_off_ends_the_connection,
	chunks_may_be_as_large_together_as_a_message, a_chunk_without_a_limit_has_one_still,
	a_chunk_that_does_not_belong_is_told_what_is_missing_behind_its_octets,
	a_message_in_chunks_has_the_time_of_one_message)
