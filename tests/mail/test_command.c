/* SPDX-License-Identifier: MIT
 *
 * Command lines cut into pieces, and the two small grammars beside them.
 */
#include "mail/command.h"

#include "tests/mail/expect.h"

START_TEST(a_line_is_a_verb_and_an_argument)
{
	static const struct {
		struct str line, verb, argument;
		bool has_blank;
	} cases[] = {
		{ STR_INIT("NOOP"), STR_INIT("NOOP"), STR_INIT(""), false },
		{ STR_INIT("noop "), STR_INIT("noop"), STR_INIT(""), true },
		{ STR_INIT("QuIt\t"), STR_INIT("QuIt"), STR_INIT(""), true },
		{ STR_INIT("EHLO  a.example  "), STR_INIT("EHLO"), STR_INIT("a.example"), true },
		{ STR_INIT("MAIL FROM:<a@b> SIZE=1"), STR_INIT("MAIL"),
			STR_INIT("FROM:<a@b> SIZE=1"), true },
		{ STR_INIT("RCPT TO:<\xc3\xbc@b>"), STR_INIT("RCPT"), STR_INIT("TO:<\xc3\xbc@b>"),
			true },
		{ STR_INIT("GET / HTTP/1.1"), STR_INIT("GET"), STR_INIT("/ HTTP/1.1"), true },
		{ STR_INIT("Content-Length: 5"), STR_INIT("Content-Length:"), STR_INIT("5"), true },
		{ STR_INIT("NOOP;QUIT"), STR_INIT("NOOP;QUIT"), STR_INIT(""), false },
		{ STR_INIT(" NOOP"), STR_INIT(""), STR_INIT("NOOP"), true },
		{ STR_INIT("\""), STR_INIT("\""), STR_INIT(""), false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct command c;

		ck_assert_int_eq(command_parse(cases[i].line, &c), COMMAND_OK);
		expect_str(cases[i].line, c.verb, cases[i].verb);
		expect_str(cases[i].line, c.argument, cases[i].argument);
		ck_assert_int_eq(c.has_blank, cases[i].has_blank);
	}
}
END_TEST

START_TEST(empty_lines_and_binary_ones_are_no_commands)
{
	static const struct {
		struct str line;
		enum command_result result;
	} cases[] = {
		{ STR_INIT(""), COMMAND_EMPTY },
		{ STR_INIT(" \t "), COMMAND_EMPTY },
		{ STR_INIT("NO\0OP"), COMMAND_BINARY },
		{ STR_INIT("NOOP\0MAIL FROM:<a@b>"), COMMAND_BINARY },
		{ STR_INIT("NOOP \0"), COMMAND_BINARY },
		{ STR_INIT("\0"), COMMAND_BINARY },
		{ STR_INIT("NOOP\rNOOP"), COMMAND_BINARY },
		{ STR_INIT("NOOP\r"), COMMAND_BINARY },
		{ STR_INIT("MAIL FROM:<a\nRCPT TO:<x@y>@c>"), COMMAND_BINARY },
		{ STR_INIT("RCPT TO:<a+\x01\x02@c>"), COMMAND_BINARY },
		{ STR_INIT("RCPT TO:<a\x1b[2J@c>"), COMMAND_BINARY },
		{ STR_INIT("NOOP \x7f"), COMMAND_BINARY },
		{ STR_INIT("\x16\x03\x01\x02"), COMMAND_BINARY },
		{ STR_INIT("N\xc3\x96OP"), COMMAND_BINARY },
		{ STR_INIT("\xff\xf4\xff\xfd\x06"), COMMAND_BINARY },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct command c;

		ck_assert_msg(command_parse(cases[i].line, &c) == cases[i].result, "case %zu", i);
	}
}
END_TEST

START_TEST(keywords_end_in_their_colon)
{
	static const struct {
		struct str argument, rest;
		bool found;
	} cases[] = {
		{ STR_INIT("FROM:<a@b>"), STR_INIT("<a@b>"), true },
		{ STR_INIT("from: <a@b>"), STR_INIT("<a@b>"), true },
		{ STR_INIT("From:\t a@b X"), STR_INIT("a@b X"), true },
		{ STR_INIT("FROM:"), STR_INIT(""), true },
		{ STR_INIT("FROM :<a@b>"), STR_INIT("FROM :<a@b>"), false },
		{ STR_INIT("FROM <a@b>"), STR_INIT("FROM <a@b>"), false },
		{ STR_INIT("FROM"), STR_INIT("FROM"), false },
		{ STR_INIT("TO:<a@b>"), STR_INIT("TO:<a@b>"), false },
		{ STR_INIT(" FROM:<a@b>"), STR_INIT(" FROM:<a@b>"), false },
		{ STR_INIT(""), STR_INIT(""), false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct str rest = cases[i].argument;

		ck_assert_msg(
			command_keyword(&rest, STR("FROM:")) == cases[i].found, "case %zu", i);
		expect_str(cases[i].argument, rest, cases[i].rest);
	}
}
END_TEST

START_TEST(bdat_says_a_size_and_perhaps_last)
{
	static const struct {
		struct str argument;
		bool good, last;
		uint64_t size;
	} cases[] = {
		{ STR_INIT("0"), true, false, 0 },
		{ STR_INIT("86"), true, false, 86 },
		{ STR_INIT("86 LAST"), true, true, 86 },
		{ STR_INIT("0  last"), true, true, 0 },
		{ STR_INIT("007"), true, false, 7 },
		{ STR_INIT("4294967301 LAST"), true, true, 4294967301u },
		{ STR_INIT("9223372036854775808"), true, false, 9223372036854775808u },
		{ STR_INIT("18446744073709551615"), true, false, UINT64_MAX },
		{ STR_INIT("18446744073709551616"), false, false, 0 },
		{ STR_INIT("99999999999999999999999999"), false, false, 0 },
		{ STR_INIT(""), false, false, 0 },
		{ STR_INIT("LAST"), false, false, 0 },
		{ STR_INIT("-1"), false, false, 0 },
		{ STR_INIT("+1"), false, false, 0 },
		{ STR_INIT("0x10"), false, false, 0 },
		{ STR_INIT("1e3"), false, false, 0 },
		{ STR_INIT("1.5"), false, false, 0 },
		{ STR_INIT("abc LAST"), false, false, 0 },
		{ STR_INIT("5 FOO"), false, false, 0 },
		{ STR_INIT("5 LASTX"), false, false, 0 },
		{ STR_INIT("5LAST"), false, false, 0 },
		{ STR_INIT("5,LAST"), false, false, 0 },
		{ STR_INIT("5 LAST LAST"), false, false, 0 },
		{ STR_INIT("5 5"), false, false, 0 },
		{ STR_INIT("5\0"), false, false, 0 },
		{ STR_INIT("5 LAST\0"), false, false, 0 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint64_t size = 4711;
		bool last = false;

		ck_assert_msg(bdat_parse(cases[i].argument, &size, &last) == cases[i].good,
			"case %zu", i);
		ck_assert_uint_eq(size, cases[i].good ? cases[i].size : 4711);
		ck_assert_int_eq(last, cases[i].last);
	}
}
END_TEST

TEST_MAIN("mail/command", a_line_is_a_verb_and_an_argument,
	empty_lines_and_binary_ones_are_no_commands, keywords_end_in_their_colon,
	bdat_says_a_size_and_perhaps_last)
