/* SPDX-License-Identifier: MIT
 *
 * The settings' tables: defaults that are within their ranges, samples that read back, and the
 * variables that the first tmail had.
 */
#include "smtp/server.h"
#include "tests/lib/test.h"

#include <stdio.h>

static bool settings_read(const char *text, struct smtp_settings *settings)
{
	struct problems problems = { 0 };
	struct conf *conf = conf_parse(str_c(text), "test.conf", &problems);
	struct conf_table table = { smtp_options, settings };
	bool good =
		conf_read(conf, conf_group_of(conf_root(conf), "smtp"), &table, 1, NULL, &problems);

	for (size_t i = 0; i < problems.count; i++)
		puts(problems.text[i]);
	problems_free(&problems);
	conf_free(&conf);
	return good;
}

START_TEST(defaults_are_what_the_pages_say)
{
	struct smtp_settings s = { .max_hops = -1 };

	ck_assert(settings_read("smtp = { };", &s));
	ck_assert_int_eq(s.max_hops, 30);
	ck_assert_int_eq(s.max_message_size, 50000000);
	ck_assert_int_eq(s.max_recipients, 1000);
	ck_assert_int_eq(s.bare_newline, 0);
	ck_assert_int_eq(s.sender_dns, 0);
	ck_assert_int_eq(s.vrfy, 0);
	ck_assert_int_eq(s.timeout_command, 300000);
	ck_assert_int_eq(s.max_header_size, 256 * 1024);
}
END_TEST

START_TEST(the_printed_sample_reads_back_as_the_defaults)
{
	const struct conf_section section = { "smtp", "The server side.", smtp_options, 0 };
	struct smtp_settings defaults = { 0 }, sampled = { 0 };
	struct buf text = { 0 };

	conf_print_sample(&text, &section);
	ck_assert(settings_read("smtp = { };", &defaults));
	ck_assert(settings_read(buf_c(&text), &sampled));
	ck_assert_mem_eq(&defaults, &sampled, sizeof defaults);
	buf_free(&text);
}
END_TEST

START_TEST(variables_of_the_first_tmail_are_in_the_sample)
{
	static const char *const names[] = { "TMAIL_HIDE_SERVER_SIGNATURE",
		"TMAIL_SMTPD_SERVER_TIMEOUT", "TMAIL_SMTPD_MAX_DATABYTES", "TMAIL_SMTPD_MAX_HOPS",
		"TMAIL_SMTPD_MAX_RCPT", "TMAIL_SMTPD_MAX_BAD_RCPT", "TMAIL_SMTPD_MAX_VRFY",
		"TMAIL_SMTPD_CONCURRENCY_INCOMING", "TMAIL_RFC_HELO_MANDATORY",
		"TMAIL_RFC_HELO_NEED_FQN" };
	const struct conf_section section = { "smtp", "The server side.", smtp_options, 0 };
	struct buf text = { 0 };

	conf_print_sample(&text, &section);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		ck_assert_msg(strstr(buf_c(&text), names[i]), "%s", names[i]);
	buf_free(&text);
	setenv("TMAIL_SMTPD_MAX_HOPS", "7", 1);
	struct smtp_settings s = { 0 };
	ck_assert(settings_read("smtp = { max_hops = \"${TMAIL_SMTPD_MAX_HOPS:-30}\"; };", &s));
	ck_assert_int_eq(s.max_hops, 7);
}
END_TEST

START_TEST(what_is_out_of_range_is_refused)
{
	struct smtp_settings s = { 0 };

	ck_assert(!settings_read("smtp = { max_hops = 0; };", &s));
	ck_assert(!settings_read("smtp = { max_line = 100; };", &s));
	ck_assert(!settings_read("smtp = { bare_newline = \"keep\"; };", &s));
	ck_assert(!settings_read("smtp = { max_hop = 3; };", &s));
}
END_TEST

TEST_MAIN("smtp/settings", defaults_are_what_the_pages_say,
	the_printed_sample_reads_back_as_the_defaults,
	variables_of_the_first_tmail_are_in_the_sample, what_is_out_of_range_is_refused)
