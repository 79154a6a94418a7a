/* SPDX-License-Identifier: MIT
 *
 * Content: to its true end whatever it holds, refused or not; large ones; chunks.
 */
#include "tests/smtp/house.h"

/* After 354, and what was answered; the session must be in step behind it. */
static void check_data(const char *content, const char *answer)
{
	struct talk *t = talk_addressed();

	talk_ask(t, "DATA", "354");
	talk_say(t, content);
	talk_hear(t, answer);
	talk_ask(t, "RCPT TO:<late@remote.test>", "503 5.5.1 Send MAIL");
	talk_ask(t, "DATA", "503 5.5.1 Send MAIL");
	talk_ask(t, "QUIT", "221");
	talk_hear_end(t);
	talk_close(&t);
}

START_TEST(only_crlf_dot_crlf_ends_the_data)
{
	static const char *const inner[] = { "\n.\n", "\n.\r\n", "\r.\r", "\r.\n", "\n.\r",
		"\r.\r\n", "\r\n.\r", "\r\n.\n", "\r\r\n.\r\r\n", "\r\n\r.\r\n" };

	house_open("", HOUSE_TABLES);
	for (size_t i = 0; i < sizeof inner / sizeof *inner; i++) {
		struct buf content = { 0 };

		buf_printf(&content,
			"Subject: x\r\n\r\nbody%sMAIL FROM:<evil@a.test>\r\nRCPT "
			"TO:<v@remote.test>\r\n"
			"DATA\r\nsmuggled\r\n.\r\n",
			inner[i]);
		check_data(buf_c(&content), "550 5.6.0 Message has a CR or LF");
		buf_free(&content);
	}
	ck_assert_uint_eq(house.kept_count, 0);
	house_close();
}
END_TEST

START_TEST(known_old_clients_may_have_their_line_ends_mended)
{
	house_open("bare_newline = \"normalize\";", HOUSE_TABLES);
	check_data("Subject: x\r\n\r\na\nb\rc\n.\nd\r\n.\r\n", "250 2.0.0 Ok: queued");
	ck_assert_uint_eq(house.kept_count, 1);
	ck_assert_str_eq(house.kept[0].content, "Subject: x\r\n\r\na\r\nb\r\nc\r\n.\r\nd\r\n");
	house_close();
}
END_TEST

START_TEST(a_nul_is_refused_at_the_end)
{
	static const char nul[] = "Subject: x\r\n\r\na\0b\r\n.\r\n";

	house_open("", HOUSE_TABLES);
	struct talk *t = talk_addressed();
	talk_ask(t, "DATA", "354");
	talk_octets(t, nul, sizeof nul - 1);
	talk_hear(t, "550 5.6.0 Message has a NUL");
	talk_ask(t, "NOOP", "250");
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(what_is_too_large_is_read_to_its_end_and_then_refused)
{
	struct buf content = { 0 };

	house_open("max_message_size = 5000;", HOUSE_TABLES);
	buf_add_c(&content, "Subject: x\r\n\r\n");
	while (content.len < 300000)
		buf_add_c(&content, "some text\r\n");
	buf_add_c(&content, "\n.\nMAIL FROM:<evil@a.test>\r\n.\r\n");
	check_data(buf_c(&content), "552 5.3.4 Message is larger");
	ck_assert_uint_eq(house.kept_count, 0);
	/* The largest that fits, its dots not counted, and one octet more. */
	for (int more = 0; more < 2; more++) {
		buf_clear(&content);
		buf_add_c(&content, "Subject: x\r\n\r\n.");
		while (content.len < (size_t)(5000 + 1 - 2 + more))
			buf_add_char(&content, content.len == 15 ? '.' : 'x');
		buf_add_c(&content, "\r\n.\r\n");
		check_data(buf_c(&content), more ? "552 5.3.4" : "250 2.0.0");
	}
	ck_assert_uint_eq(house.kept_count, 1);
	ck_assert_uint_eq(house.kept[0].size, 5000);
	buf_free(&content);
	house_close();
}
END_TEST

START_TEST(a_header_that_is_too_large_is_refused)
{
	struct buf content = { 0 };

	house_open("max_header_size = 100000;", HOUSE_TABLES);
	buf_add_c(&content, "Subject: x\r\n");
	while (content.len < 99900)
		buf_add_c(&content, "X-Filler: some text\r\n");
	buf_add_c(&content, "\r\n.\r\n");
	check_data(buf_c(&content), "250 2.0.0 Ok: queued");
	content.len -= 5;
	while (content.len < 1000000)
		buf_add_c(&content, "X-Filler: some text\r\n");
	buf_add_c(&content, "\r\n.\r\n");
	check_data(buf_c(&content), "552 5.3.4 Header is larger");
	buf_free(&content);
	house_close();
}
END_TEST

/* What the header's size is judged by must not depend on how the octets were cut. */
START_TEST(a_first_line_without_end_is_judged_alike_however_it_is_cut)
{
	static const size_t cuts[] = { 1000, 65536, 100000, 100001, 150000 };

	for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
		struct buf content = { 0 };
		struct talk *t;

		house_open("max_header_size = 100000;", HOUSE_TABLES);
		/* So little beyond the limit that its end can come in the same read. */
		while (content.len < 100500)
			buf_add_char(&content, 'x');
		buf_add_c(&content, "\r\n.\r\n");
		t = talk_addressed();
		talk_ask(t, "DATA", "354");
		for (size_t at = 0; at < content.len; at += cuts[i])
			talk_octets(t, content.data + at,
				content.len - at < cuts[i] ? content.len - at : cuts[i]);
		talk_hear(t, "552 5.3.4 Header is larger");
		talk_close(&t);
		buf_free(&content);
		house_close();
	}
}
END_TEST

/* A body that is not the same anywhere, so that nothing can be lost or swapped unseen. */
static void add_body(struct buf *content, size_t len)
{
	size_t end = content->len + len;

	for (unsigned i = 0; content->len < end; i++)
		buf_printf(content, "line %u of the message\r\n", i);
}

START_TEST(large_bodies_go_to_the_store_as_they_come)
{
	struct buf content = { 0 };

	house_open("max_message_size = 0;", HOUSE_TABLES);
	buf_add_c(&content, "Subject: x\r\n\r\n");
	add_body(&content, 3000000);
	struct talk *t = talk_addressed();
	talk_ask(t, "DATA", "354");
	talk_octets(t, content.data, content.len);
	talk_say(t, ".\r\n");
	talk_hear(t, "250 2.0.0 Ok: queued");
	ck_assert_uint_gt(house.spools, 10);
	ck_assert_uint_eq(house.kept[0].size, content.len);
	ck_assert_mem_eq(house.kept[0].content, content.data, content.len);
	talk_close(&t);
	/* The same in chunks. */
	t = talk_addressed();
	for (size_t at = 0; at < content.len;) {
		size_t n = content.len - at < 70001 ? content.len - at : 70001;
		char line[64];

		snprintf(line, sizeof line, "BDAT %zu%s\r\n", n,
			at + n == content.len ? " LAST" : "");
		talk_say(t, line);
		talk_octets(t, content.data + at, n);
		at += n;
		talk_hear(t, "250 2.0.0");
	}
	ck_assert_uint_eq(house.kept_count, 2);
	ck_assert_uint_eq(house.kept[1].size, content.len);
	ck_assert_mem_eq(house.kept[1].content, content.data, content.len);
	talk_close(&t);
	buf_free(&content);
	house_close();
}
END_TEST

START_TEST(a_spool_that_fails_is_for_now_and_in_step)
{
	struct buf content = { 0 };

	house_open("", HOUSE_TABLES);
	house.spool_fails = true;
	buf_add_c(&content, "Subject: x\r\n\r\n");
	add_body(&content, 500000);
	buf_add_c(&content, ".\r\n");
	check_data(buf_c(&content), "451 4.3.0");
	ck_assert_uint_eq(house.drops, 1);
	buf_free(&content);
	house_close();
}
END_TEST

START_TEST(a_spool_that_fails_for_lack_of_room_is_said_so)
{
	struct buf content = { 0 };
	struct talk *t;

	house_open("", HOUSE_TABLES);
	house.spool_fails = house.spool_fills = true;
	buf_add_c(&content, "Subject: x\r\n\r\n");
	add_body(&content, 500000);
	buf_add_c(&content, ".\r\n");
	t = talk_addressed();
	talk_ask(t, "DATA", "354");
	talk_say(t, buf_c(&content));
	talk_hear(t, "452 4.3.1");
	talk_close(&t);
	buf_free(&content);
	house_close();
}
END_TEST

START_TEST(a_client_that_leaves_while_it_is_spooled_leaves_nothing)
{
	struct buf content = { 0 };
	struct linger reset = { 1, 0 };

	house_open("", HOUSE_TABLES);
	buf_add_c(&content, "Subject: x\r\n\r\n");
	add_body(&content, 500000);
	for (int i = 0; i < 20; i++) {
		struct talk *t = talk_addressed();
		talk_ask(t, "DATA", "354");
		talk_octets(t, content.data, content.len);
		setsockopt(t->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
		talk_close(&t);
	}
	buf_free(&content);
	house_close();
	ck_assert_uint_eq(house.kept_count, 0);
}
END_TEST

START_TEST(no_room_is_said_before_anything_is_promised)
{
	house_open("", HOUSE_TABLES);
	house.room = COMMIT_FULL;
	struct talk *t = talk_ready();
	talk_ask(t, "MAIL FROM:<>", "452 4.3.1");
	talk_ask(t, "RCPT TO:<a@remote.test>", "503");
	house.room = COMMIT_DURABLE;
	talk_ask(t, "MAIL FROM:<>", "250");
	talk_ask(t, "RCPT TO:<a@remote.test>", "250");
	house.room = COMMIT_FULL;
	talk_ask(t, "DATA", "452 4.3.1");
	talk_ask(t, "RCPT TO:<a@remote.test>", "503");
	house.room = COMMIT_DURABLE;
	talk_ask(t, "MAIL FROM:<>", "250");
	talk_ask(t, "RCPT TO:<a@remote.test>", "250");
	house.room = COMMIT_TRY_LATER;
	talk_ask(t, "BDAT 5 LAST\r\nabc", "451 4.3.0");
	talk_ask(t, "NOOP", "250");
	talk_close(&t);
	house_close();
}
END_TEST

/* ---- chunks ------------------------------------------------------------------------------ */

START_TEST(chunks_are_put_together_and_the_last_line_is_ended)
{
	house_open("", HOUSE_TABLES);
	struct talk *t = talk_addressed();
	talk_say(t,
		"BDAT 14\r\nSubject: x\r\n\r\nBDAT 0\r\nBDAT 9\r\nno dot\r\n.BDAT 3 LAST\r\n\r\na");
	for (int i = 0; i < 3; i++)
		talk_hear(t, "250 2.0.0 Chunk");
	talk_hear(t, "250 2.0.0 Ok: queued");
	ck_assert_str_eq(house.kept[0].content, "Subject: x\r\n\r\nno dot\r\n.\r\na\r\n");
	talk_ask(t, "MAIL FROM:<>", "250");
	talk_ask(t, "RCPT TO:<a@remote.test>", "250");
	talk_ask(t, "BDAT 14\r\nSubject: x\r\n", "250");
	talk_ask(t, "BDAT 0 LAST", "250 2.0.0 Ok: queued");
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(a_chunk_out_of_place_is_swallowed_and_answered_once)
{
	house_open("", HOUSE_TABLES);
	struct talk *t = talk_ready();
	talk_say(t, "BDAT 17 LAST\r\nMAIL FROM:<a@b>\r\nNOOP\r\n");
	talk_hear(t, "503 5.5.1 Send MAIL first");
	talk_hear(t, "250 2.0.0 Ok");
	talk_ask(t, "MAIL FROM:<>", "250");
	talk_say(t, "BDAT 12\r\nDATA\r\nRSET\r\nNOOP\r\n");
	talk_hear(t, "503 5.5.1 Send RCPT first");
	talk_hear(t, "250 2.0.0 Ok");
	talk_ask(t, "RCPT TO:<a@remote.test>", "503 5.5.1 Send MAIL");
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(after_a_refused_chunk_there_is_no_message_to_go_on_with)
{
	house_open("", HOUSE_TABLES);
	struct talk *t = talk_addressed();
	talk_say(t, "BDAT 14\r\nSubject: x\n\n\r\nBDAT 4 LAST\r\nab\r\n");
	talk_hear(t, "250 2.0.0 Chunk"); /* the whole of it is judged */
	talk_hear(t, "550 5.6.0");
	talk_ask(t, "BDAT 4 LAST\r\nab", "503");
	talk_ask(t, "DATA", "503");
	talk_ask(t, "MAIL FROM:<>", "250");
	talk_close(&t);
	ck_assert_uint_eq(house.kept_count, 0);
	house_close();
}
END_TEST

START_TEST(chunks_whose_end_cannot_be_known_end_the_connection)
{
	static const char *const bad[] = { "BDAT\r\nhello", "BDAT -1\r\nhello", "BDAT x\r\nhello",
		"BDAT 5 FIRST\r\nhello", "BDAT 5 LAST LAST\r\nhello", "BDAT 5LAST\r\nhello",
		"BDAT 99999999999999999999\r\nhello", "BDAT +5\r\nhello", "BDAT 0x5\r\nhello" };
	static const char *const large[] = { "BDAT 5001 LAST\r\nhello",
		"BDAT 18446744073709551615\r\nhello", "BDAT 9223372036854775807 LAST\r\nhello",
		"BDAT 4294967301 LAST\r\nhello" };

	house_open("max_message_size = 5000;", HOUSE_TABLES);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct talk *t = talk_addressed();
		talk_say(t, bad[i]);
		talk_hear(t, "501 5.5.4 Syntax: BDAT");
		talk_hear_end(t);
		talk_close(&t);
	}
	for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
		struct talk *t = i % 2 ? talk_addressed() : talk_ready();
		talk_say(t, large[i]);
		talk_hear(t, "552 5.3.4 Message is larger");
		talk_hear_end(t);
		talk_close(&t);
	}
	struct talk *t = talk_addressed();
	talk_ask(t, "BDAT 5\r\nabc", "250");
	talk_say(t, "BDAT 4996\r\nabc");
	talk_hear(t, "552 5.3.4 Message is larger");
	talk_hear_end(t);
	talk_close(&t);
	ck_assert_uint_eq(house.kept_count, 0);
	house_close();
}
END_TEST

START_TEST(a_message_without_a_size_limit_still_has_an_end)
{
	house_open("max_message_size = 0;", HOUSE_TABLES);
	struct talk *t = talk_addressed();
	talk_say(t, "BDAT 9223372036854775807 LAST\r\nhello");
	talk_hear(t, "552 5.3.4");
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(five_thousand_chunks_of_one_octet_are_one_message)
{
	house_open("", HOUSE_TABLES);
	struct talk *t = talk_addressed();
	for (int i = 0; i < 5000; i++)
		talk_say(t, "BDAT 1\r\nx");
	for (int i = 0; i < 5000; i++)
		talk_hear(t, "250 2.0.0 Chunk");
	talk_ask(t, "BDAT 0 LAST", "250 2.0.0 Ok: queued");
	ck_assert_uint_eq(house.kept[0].size, 5000 + 4); /* an empty line before, a CRLF behind */
	talk_close(&t);
	house_close();
}
END_TEST

TEST_MAIN("smtp/content", only_crlf_dot_crlf_ends_the_data,
	known_old_clients_may_have_their_line_ends_mended, a_nul_is_refused_at_the_end,
	what_is_too_large_is_read_to_its_end_and_then_refused,
	a_header_that_is_too_large_is_refused,
	a_first_line_without_end_is_judged_alike_however_it_is_cut,
	a_spool_that_fails_for_lack_of_room_is_said_so, large_bodies_go_to_the_store_as_they_come,
	a_spool_that_fails_is_for_now_and_in_step,
	a_client_that_leaves_while_it_is_spooled_leaves_nothing,
	no_room_is_said_before_anything_is_promised,
	chunks_are_put_together_and_the_last_line_is_ended,
	a_chunk_out_of_place_is_swallowed_and_answered_once,
	after_a_refused_chunk_there_is_no_message_to_go_on_with,
	chunks_whose_end_cannot_be_known_end_the_connection,
	a_message_without_a_size_limit_still_has_an_end,
	five_thousand_chunks_of_one_octet_are_one_message)
