/* SPDX-License-Identifier: MIT
 *
 * Replies written, and those of servers read, however they arrive and whatever they are.
 */
#include "mail/reply.h"

#include "tests/mail/expect.h"

START_TEST(enhanced_codes_have_the_class_of_their_code)
{
	static const struct {
		struct str text;
		unsigned code;
		bool valid;
	} cases[] = {
		{ STR_INIT("2.0.0"), 250, true },
		{ STR_INIT("4.7.1"), 451, true },
		{ STR_INIT("5.7.26"), 550, true },
		{ STR_INIT("5.123.123"), 550, true },
		{ STR_INIT("5.0.0"), 451, false },
		{ STR_INIT("3.0.0"), 354, false },
		{ STR_INIT("5.7"), 550, false },
		{ STR_INIT("5.7."), 550, false },
		{ STR_INIT("5..1"), 550, false },
		{ STR_INIT("5.7.1.1"), 550, false },
		{ STR_INIT("5.7.1 "), 550, false },
		{ STR_INIT("5.1234.1"), 550, false },
		{ STR_INIT("5.07.1"), 550, false },
		{ STR_INIT("5.7.x"), 550, false },
		{ STR_INIT("55.7.1"), 550, false },
		{ STR_INIT(""), 550, false },
		{ STR_INIT("5.7.1\0"), 550, false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		ck_assert_msg(enhanced_valid(cases[i].text, cases[i].code) == cases[i].valid,
			"case %zu", i);
}
END_TEST

/* ---- writing ----------------------------------------------------------------------------- */

START_TEST(replies_are_written_line_by_line)
{
	static const struct {
		unsigned code;
		const char *enhanced;
		struct str text;
		bool utf8;
		struct str wire;
	} cases[] = {
		{ 250, "2.0.0", STR_INIT("Ok"), false, STR_INIT("250 2.0.0 Ok\r\n") },
		{ 221, NULL, STR_INIT("Bye"), false, STR_INIT("221 Bye\r\n") },
		{ 250, NULL, STR_INIT(""), false, STR_INIT("250 \r\n") },
		{ 250, NULL, { NULL, 0 }, false, STR_INIT("250 \r\n") },
		{ 250, NULL, STR_INIT("a\nb\nc"), false, STR_INIT("250-a\r\n250-b\r\n250 c\r\n") },
		{ 550, "5.7.1", STR_INIT("a\r\nb\n"), false,
			STR_INIT("550-5.7.1 a\r\n550 5.7.1 b\r\n") },
		{ 250, NULL, STR_INIT("a\n\nb"), false, STR_INIT("250-a\r\n250-\r\n250 b\r\n") },
		{ 550, "2.0.0", STR_INIT("no such class"), false,
			STR_INIT("550 no such class\r\n") },
		{ 550, NULL, STR_INIT("a\rb\0c\x1b[2Jd\x7f\te"), false,
			STR_INIT("550 a?b?c?[2Jd?\te\r\n") },
		{ 550, NULL, STR_INIT("\xce\xb4"), false, STR_INIT("550 ??\r\n") },
		{ 550, NULL, STR_INIT("\xce\xb4 \xc0\xae \xc2\x9b \xff"), true,
			STR_INIT("550 \xce\xb4 ?? ?? ?\r\n") },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out = { 0 };

		buf_add_c(&out, "before");
		reply_write(&out, cases[i].code, cases[i].enhanced, cases[i].text, cases[i].utf8);
		expect_str(cases[i].text, str_slice(buf_str(&out), 6, out.len), cases[i].wire);
		buf_free(&out);
	}
}
END_TEST

START_TEST(long_lines_go_on_in_another_one)
{
	struct buf out = { 0 }, text = { 0 };
	struct reply reply = { 0 };
	struct str wire, line, in;

	for (int i = 0; i < 400; i++)
		buf_add_c(&text, "\xf0\x9f\x93\xa7x");
	reply_write(&out, 554, "5.7.1", buf_str(&text), true);
	wire = in = buf_str(&out);
	while (str_split(&wire, '\n', &line) && wire.data) {
		ck_assert_uint_le(line.len + 1, 512);
		ck_assert(str_starts(line, STR("554")));
		ck_assert(utf8_valid(line));
	}
	ck_assert_int_eq(reply_read(&reply, &in), REPLY_DONE);
	ck_assert_uint_ge(reply.lines, 4);
	ck_assert_str_eq(reply.enhanced, "5.7.1");
	for (size_t i = 0, at = 0; i < reply.text.len; i++)
		if (reply.text.data[i] != '\n')
			ck_assert_int_eq(reply.text.data[i], text.data[at++]);
	reply_free(&reply);
	buf_free(&out);
	buf_free(&text);
}
END_TEST

START_TEST(lines_are_full_to_the_last_octet)
{
	struct buf out = { 0 }, text = { 0 };
	struct str wire, line;

	for (int i = 0; i < 506 + 1; i++)
		buf_add_char(&text, 'x');
	reply_write(&out, 250, NULL, buf_str(&text), false);
	wire = buf_str(&out);
	ck_assert(str_split(&wire, '\n', &line));
	ck_assert_uint_eq(line.len + 1, 512);
	ck_assert(str_split(&wire, '\n', &line));
	ck_assert_uint_eq(line.len + 1, 4 + 3);
	ck_assert_uint_eq(wire.len, 0);
	buf_free(&out);
	buf_free(&text);
}
END_TEST

/* ---- reading ----------------------------------------------------------------------------- */

/* Feeds `wire` as a connection would: `step` octets at a time, and each time the whole of what
 * was not taken yet. Answers what is left. */
static struct str feed(struct reply *reply, struct str wire, size_t step, enum reply_result *result)
{
	size_t taken = 0, end = 0;

	do {
		struct str in;

		end = end + step > wire.len ? wire.len : end + step;
		in = str_slice(wire, taken, end - taken);
		*result = reply_read(reply, &in);
		taken = end - in.len;
	} while (*result == REPLY_MORE && end < wire.len);
	return str_slice(wire, taken, wire.len);
}

START_TEST(replies_are_read_however_they_arrive)
{
	static const struct {
		struct str wire;
		unsigned code, lines;
		const char *enhanced;
		struct str text, left;
	} cases[] = {
		{ STR_INIT("220 mx.example ESMTP\r\n"), 220, 1, "", STR_INIT("mx.example ESMTP"),
			STR_INIT("") },
		{ STR_INIT("250\r\n250 next\r\n"), 250, 1, "", STR_INIT(""),
			STR_INIT("250 next\r\n") },
		{ STR_INIT("250 \r\n"), 250, 1, "", STR_INIT(""), STR_INIT("") },
		{ STR_INIT("250-a\r\n250-b\r\n250 c\r\n354 x"), 250, 3, "", STR_INIT("a\nb\nc"),
			STR_INIT("354 x") },
		{ STR_INIT("250-a\r\n250\r\n"), 250, 2, "", STR_INIT("a\n"), STR_INIT("") },
		{ STR_INIT("550 5.1.1 no such user\r\n"), 550, 1, "5.1.1", STR_INIT("no such user"),
			STR_INIT("") },
		{ STR_INIT("550-5.1.1 no\r\n550 5.1.1 user\r\n"), 550, 2, "5.1.1",
			STR_INIT("no\nuser"), STR_INIT("") },
		{ STR_INIT("550-no\r\n550 5.7.1 way\r\n"), 550, 2, "5.7.1", STR_INIT("no\nway"),
			STR_INIT("") },
		{ STR_INIT("451 4.7.0\r\n"), 451, 1, "4.7.0", STR_INIT(""), STR_INIT("") },
		{ STR_INIT("451 5.7.0 odd\r\n"), 451, 1, "", STR_INIT("5.7.0 odd"), STR_INIT("") },
		{ STR_INIT("250 2.0.0\r\n"), 250, 1, "2.0.0", STR_INIT(""), STR_INIT("") },
		{ STR_INIT("354 3.0.0 go\r\n"), 354, 1, "", STR_INIT("3.0.0 go"), STR_INIT("") },
		/* Others' habits. */
		{ STR_INIT("250-a\n250 b\n"), 250, 2, "", STR_INIT("a\nb"), STR_INIT("") },
		{ STR_INIT("571 blocked\r\n"), 571, 1, "", STR_INIT("blocked"), STR_INIT("") },
		{ STR_INIT("599 odd\r\n"), 599, 1, "", STR_INIT("odd"), STR_INIT("") },
		{ STR_INIT("550 a\0b\rc\x1b[2J\r\n"), 550, 1, "", STR_INIT("a?b?c?[2J"),
			STR_INIT("") },
		{ STR_INIT("550 \xce\xb4\xff\r\n"), 550, 1, "", STR_INIT("\xce\xb4?"),
			STR_INIT("") },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (size_t step = 1; step <= cases[i].wire.len; step++) {
			struct reply reply = { 0 };
			enum reply_result result;
			struct str left = feed(&reply, cases[i].wire, step, &result);

			ck_assert_msg(result == REPLY_DONE, "case %zu step %zu", i, step);
			ck_assert_uint_eq(reply.code, cases[i].code);
			ck_assert_uint_eq(reply.lines, cases[i].lines);
			ck_assert_str_eq(reply.enhanced, cases[i].enhanced);
			expect_str(cases[i].wire, buf_str(&reply.text), cases[i].text);
			expect_str(cases[i].wire, left, cases[i].left);
			reply_free(&reply);
		}
}
END_TEST

START_TEST(what_is_no_reply_is_said_to_be_none)
{
	static const struct str cases[] = {
		STR_INIT("\r\n"),
		STR_INIT("25\r\n"),
		STR_INIT("hello\r\n"),
		STR_INIT("2500 ok\r\n"),
		STR_INIT("250=ok\r\n"),
		STR_INIT("250\tok\r\n"),
		STR_INIT(" 250 ok\r\n"),
		STR_INIT("2 50 ok\r\n"),
		STR_INIT("000 ok\r\n"),
		STR_INIT("100 ok\r\n"),
		STR_INIT("199 ok\r\n"),
		STR_INIT("600 ok\r\n"),
		STR_INIT("999 ok\r\n"),
		STR_INIT("-25 ok\r\n"),
		STR_INIT("25\0 ok\r\n"),
		STR_INIT("250\0\r\n"),
		STR_INIT("250\rok\r\n"),
		STR_INIT("250-a\r\n251 b\r\n"),
		STR_INIT("250-a\r\n\r\n"),
		STR_INIT("250-a\r\nb\r\n"),
		STR_INIT("HTTP/1.1 200 OK\r\n"),
		STR_INIT("\x16\x03\x01\n"),
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (size_t step = 1; step <= cases[i].len; step++) {
			struct reply reply = { 0 };
			enum reply_result result;
			struct str more = STR("250 ok\r\n");

			feed(&reply, cases[i], step, &result);
			ck_assert_msg(result == REPLY_BAD, "case %zu step %zu", i, step);
			ck_assert_ptr_nonnull(reply.bad);
			/* It stays so until it is reset. */
			ck_assert_int_eq(reply_read(&reply, &more), REPLY_BAD);
			reply_reset(&reply);
			ck_assert_int_eq(reply_read(&reply, &more), REPLY_DONE);
			ck_assert_uint_eq(reply.lines, 1);
			reply_free(&reply);
		}
}
END_TEST

/* `count` times "250-" and `text` characters, then "250 ok"; fed at once. */
static enum reply_result long_reply(unsigned count, int text, struct reply *reply)
{
	struct buf wire = { 0 };
	enum reply_result result;
	struct str in;

	for (unsigned i = 0; i < count; i++)
		buf_printf(&wire, "250-%0*d\r\n", text, 0);
	buf_add_c(&wire, "250 ok\r\n");
	in = buf_str(&wire);
	result = reply_read(reply, &in);
	buf_free(&wire);
	return result;
}

START_TEST(a_server_that_never_stops_is_stopped)
{
	static const struct {
		unsigned count;
		int text;
		enum reply_result result;
	} cases[] = {
		{ REPLY_LINES_MAX - 1, 10, REPLY_DONE },
		{ REPLY_LINES_MAX, 10, REPLY_BAD },
		{ 1, REPLY_LINE_MAX - 6, REPLY_DONE },
		{ 1, REPLY_LINE_MAX - 5, REPLY_BAD },
		{ 16, 2000, REPLY_DONE },
		{ 17, 2000, REPLY_BAD },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct reply reply = { 0 };

		ck_assert_msg(long_reply(cases[i].count, cases[i].text, &reply) == cases[i].result,
			"case %zu", i);
		ck_assert_uint_le(reply.text.len, REPLY_MAX);
		reply_free(&reply);
	}
}
END_TEST

START_TEST(a_line_without_an_end_is_given_up_at_its_limit)
{
	static char endless[REPLY_LINE_MAX];
	struct reply reply = { 0 };
	struct str in;

	memset(endless, '2', sizeof endless);
	for (size_t len = 0; len < sizeof endless; len++) {
		in = str_make(endless, len);
		ck_assert_int_eq(reply_read(&reply, &in), REPLY_MORE);
		ck_assert_uint_eq(in.len, len);
	}
	in = str_make(endless, sizeof endless);
	ck_assert_int_eq(reply_read(&reply, &in), REPLY_BAD);
	reply_free(&reply);
}
END_TEST

START_TEST(a_reply_can_be_used_again)
{
	struct reply reply = { 0 };
	struct str in = STR("550-5.1.1 a\r\n550 5.1.1 b\r\n250 c\r\n");

	ck_assert_int_eq(reply_read(&reply, &in), REPLY_DONE);
	reply_reset(&reply);
	ck_assert_int_eq(reply_read(&reply, &in), REPLY_DONE);
	ck_assert_uint_eq(reply.code, 250);
	ck_assert_str_eq(reply.enhanced, "");
	expect_str(STR("text"), buf_str(&reply.text), STR("c"));
	ck_assert_uint_eq(in.len, 0);
	reply_free(&reply);
	ck_assert_ptr_null(reply.text.data);
}
END_TEST

TEST_MAIN("mail/reply", enhanced_codes_have_the_class_of_their_code,
	replies_are_written_line_by_line, long_lines_go_on_in_another_one,
	lines_are_full_to_the_last_octet, replies_are_read_however_they_arrive,
	what_is_no_reply_is_said_to_be_none, a_server_that_never_stops_is_stopped,
	a_line_without_an_end_is_given_up_at_its_limit, a_reply_can_be_used_again)
