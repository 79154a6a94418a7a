/* SPDX-License-Identifier: MIT
 *
 * Lines: where one ends, how long it may be, and what of it is ever taken for a command.
 */
#include "host/metrics.h"
#include "tests/smtp/house.h"

/* ---- where a line ends ------------------------------------------------------------------- */

/* Octets, and how the one answer to them begins; a NOOP behind them tells that it was one. */
static const struct {
	const char *octets;
	size_t length;
	const char *answer;
} lines[] = {
#define LINE(octets, answer)                                                                       \
	{                                                                                          \
		octets, sizeof octets - 1, answer                                                  \
	}
	LINE("NOOP\r\n", "250 2.0.0"),
	LINE("noop\r\n", "250 2.0.0"),
	LINE("NOOP \t\r\n", "250 2.0.0"),
	LINE("HELP\tme\r\n", "214"),
	LINE("\r\n", "500 5.5.2 Syntax"),
	LINE(" \t \r\n", "500 5.5.2 Syntax"),
	LINE(" NOOP\r\n", "500 5.5.1 Unknown"),
	LINE("NOOP\nQUIT\r\n", "500 5.5.2 Syntax"),
	LINE("NOOP\rQUIT\r\n", "500 5.5.2 Syntax"),
	LINE("NOOP\r\r\n", "500 5.5.2 Syntax"),
	LINE("\nQUIT\r\n", "500 5.5.2 Syntax"),
	LINE("NOOP\n\r\n", "500 5.5.2 Syntax"),
	LINE("NOOP\0\r\n", "500 5.5.2 Syntax"),
	LINE("\0QUIT\r\n", "500 5.5.2 Syntax"),
	LINE("NOOP \x7f\r\n", "500 5.5.2 Syntax"),
	LINE("N\xc3\x96OP\r\n", "500 5.5.2 Syntax"),
	LINE("NOOP \xc3\x96\r\n", "250 2.0.0"),
	LINE("QUIT,\r\n", "500 5.5.1 Unknown"),
#undef LINE
};

START_TEST(only_crlf_ends_a_line)
{
	house_open("max_errors = 0;", "");
	struct talk *t = talk_ready();
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		talk_octets(t, lines[i].octets, lines[i].length);
		ck_assert_msg(talk_reply(t) &&
				strncmp(t->last, lines[i].answer, strlen(lines[i].answer)) == 0,
			"line %zu: %s", i, t->last);
		talk_ask(t, "HELP", "214");
	}
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(every_line_has_its_answer_in_its_order)
{
	house_open("", "");
	struct talk *t = talk_ready();
	talk_say(t, "NOOP\r\nHELP\r\nFROB\r\nEXPN x\r\n\r\nNOOP\r\n");
	static const char *const answers[] = { "250", "214", "500 5.5.1", "252", "500 5.5.2",
		"250" };
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
		talk_hear(t, answers[i]);
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(lines_are_counted_and_so_are_those_that_are_too_long)
{
	char line[1200];

	memset(line, 'x', sizeof line);
	memcpy(line + sizeof line - 2, "\r\n", 2);
	house_open("max_line = 512;", "");
	struct talk *t = talk_ready();
	int64_t commands = metric_get(METRIC_commands);
	talk_ask(t, "NOOP", "250");
	talk_ask(t, "", "500");
	talk_octets(t, line, sizeof line);
	talk_hear(t, "500 5.5.2 Line too long");
	talk_octets(t, line, sizeof line);
	talk_hear(t, "500 5.5.2 Line too long");
	ck_assert_int_eq(metric_get(METRIC_commands), commands + 2);
	ck_assert_int_eq(metric_get(METRIC_limit_line), 2);
	talk_close(&t);
	house_close();
}
END_TEST

/* ---- how long it may be ------------------------------------------------------------------ */

START_TEST(a_line_that_is_too_long_gets_one_answer_at_its_own_end)
{
	char line[70000];

	house_open("max_line = 1000; max_errors = 0;", "");
	struct talk *t = talk_ready();
	for (size_t len = 990; len < sizeof line; len = len < 1010 ? len + 1 : len * 3) {
		memset(line, 'x', sizeof line);
		memcpy(line, "NOOP ", 5);
		memcpy(line + len - 21, "\nMAIL FROM:<a@b.c>", 18); /* a bare LF ends nothing */
		memcpy(line + len - 2, "\r\n", 2);
		talk_octets(t, line, len);
		talk_hear(t, len > 1000 ? "500 5.5.2 Line too long\r\n" : "500 5.5.2 Syntax");
		talk_ask(t, "RSET", "250");
	}
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(the_end_of_a_long_line_may_be_cut_between_cr_and_lf)
{
	char line[600];

	house_open("max_line = 512;", "");
	struct talk *t = talk_ready();
	memset(line, 'x', sizeof line);
	line[sizeof line - 1] = '\r';
	talk_octets(t, line, sizeof line);
	usleep(1000);
	talk_say(t, "\nNOOP\r\n");
	talk_hear(t, "500 5.5.2 Line too long");
	talk_hear(t, "250");
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(what_is_swallowed_is_not_kept)
{
	static char much[1024 * 1024];
	struct pollfd heard = { .events = POLLIN };

	memset(much, 'x', sizeof much);
	house_open("max_line = 512; timeout_command = \"10s\";", "");
	struct talk *t = talk_ready();
	heard.fd = t->fd;
	for (int i = 0; i < 16; i++)
		talk_octets(t, much, sizeof much);
	ck_assert_int_eq(poll(&heard, 1, 0), 0); /* it has no end, and no answer, yet */
	talk_say(t, "\r\nNOOP\r\n");
	talk_hear(t, "500 5.5.2 Line too long");
	talk_hear(t, "250");
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(a_line_without_end_earns_no_time)
{
	char piece[300];

	memset(piece, 'x', sizeof piece);
	house_open("max_line = 512; timeout_command = \"10s\";", "");
	struct talk *t = talk_ready();
	for (int i = 0; i < 4; i++) {
		talk_octets(t, piece, sizeof piece);
		usleep(1000);
		house_later(3000);
	}
	talk_hear(t, "421 4.4.2 Timeout");
	talk_hear_end(t);
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(lines_that_are_too_long_are_errors)
{
	char line[600];

	memset(line, 'x', sizeof line);
	memcpy(line + sizeof line - 2, "\r\n", 2);
	house_open("max_line = 512; max_errors = 1;", "");
	struct talk *t = talk_ready();
	talk_octets(t, line, sizeof line);
	talk_hear(t, "500 5.5.2 Line too long");
	talk_octets(t, line, sizeof line);
	talk_hear(t, "500 5.5.2 Line too long");
	talk_hear(t, "421 4.7.0 Too many errors");
	talk_hear_end(t);
	talk_close(&t);
	house_close();
}
END_TEST

/* ---- what it is found to be -------------------------------------------------------------- */

START_TEST(a_verb_out_of_place_is_told_what_is_missing)
{
	house_open("", HOUSE_TABLES);
	struct talk *t = talk_ready();
	talk_ask(t, "RCPT TO:<a@remote.test>", "503 5.5.1 Send MAIL first\r\n");
	talk_ask(t, "DATA", "503 5.5.1 Send MAIL first\r\n");
	talk_ask(t, "MAIL FROM:<>", "250");
	talk_ask(t, "MAIL FROM:<>", "503 5.5.1 Sender is given already\r\n");
	talk_ask(t, "DATA", "503 5.5.1 Send RCPT first\r\n");
	talk_ask(t, "RCPT TO:<a@remote.test>", "250");
	talk_ask(t, "BDAT 3\r\nx", "250");
	static const char *const under_way[] = { "MAIL FROM:<>\r\n", "RCPT TO:<a@remote.test>\r\n",
		"DATA\r\n" };
	for (size_t i = 0; i < sizeof under_way / sizeof *under_way; i++) {
		talk_say(t, under_way[i]);
		talk_hear(t, "503 5.5.1 A message in chunks is under way\r\n");
	}
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(what_brings_no_message_nearer_is_counted_whatever_its_answer)
{
	static const char *const junk[] = { "NOOP\r\n", "RSET\r\n", "RSET x\r\n", "HELP\r\n",
		"VRFY\r\n", "VRFY x\r\n", "EXPN x\r\n" };

	house_open("max_junk = 1; max_errors = 0;", HOUSE_TABLES);
	for (size_t i = 0; i < sizeof junk / sizeof *junk; i++) {
		struct talk *t = talk_addressed();

		talk_say(t, junk[i]);
		ck_assert(talk_reply(t));
		talk_say(t, junk[i]);
		ck_assert(talk_reply(t));
		ck_assert_msg(talk_reply(t) && strncmp(t->last, "421 4.7.0", 9) == 0, "%s: %s",
			junk[i], t->last);
		talk_close(&t);
	}
	house_close();
}
END_TEST

TEST_MAIN("smtp/command", only_crlf_ends_a_line, every_line_has_its_answer_in_its_order,
	lines_are_counted_and_so_are_those_that_are_too_long,
	a_line_that_is_too_long_gets_one_answer_at_its_own_end,
	the_end_of_a_long_line_may_be_cut_between_cr_and_lf, what_is_swallowed_is_not_kept,
	a_line_without_end_earns_no_time, lines_that_are_too_long_are_errors,
	a_verb_out_of_place_is_told_what_is_missing,
	what_brings_no_message_nearer_is_counted_whatever_its_answer)
