/* SPDX-License-Identifier: MIT
 *
 * The queue's settings: defaults, and the variables of the first tmail.
 */
#include "queue/queue.h"
#include "tests/lib/test.h"

static void read_settings(const char *text, struct queue_settings *settings)
{
	struct problems problems = { 0 };
	struct conf_table table = { queue_options, settings };
	struct conf *c = conf_parse(str_c(text), "test.conf", &problems);

	ck_assert(conf_read(c, conf_group_of(conf_root(c), "queue"), &table, 1, NULL, &problems));
	ck_assert_uint_eq(problems.count, 0);
	conf_free(&c);
}

START_TEST(defaults_are_what_the_manual_says)
{
	struct queue_settings s = { 0 };

	read_settings("", &s);
	ck_assert(s.deliver);
	ck_assert_int_eq(s.retry_min, 60000);
	ck_assert_int_eq(s.retry_max, 3600000);
	ck_assert_int_eq(s.lifetime, 5LL * 24 * 3600000);
	ck_assert_int_eq(s.bounce_lifetime, 24LL * 3600000);
	ck_assert_uint_eq(s.retry.count, 0);
	ck_assert_uint_eq(s.local_ips.count, 0);
}
END_TEST

START_TEST(the_sample_reads_the_variables_of_the_first_tmail)
{
	struct conf_section section = { "queue", "The queue.", queue_options, 0 };
	struct queue_settings s = { 0 };
	struct buf sample = { 0 };

	setenv("TMAIL_DELIVERD_LAUNCH", "false", 1);
	setenv("TMAIL_DELIVERD_QUEUE_LIFETIME", "10080", 1);
	setenv("TMAIL_DELIVERD_REMOTE_TIMEOUT", "120", 1);
	setenv("TMAIL_DELIVERD_CONCURRENCY_REMOTE", "50", 1);
	conf_print_sample(&sample, &section);
	read_settings(buf_c(&sample), &s);
	ck_assert(!s.deliver);
	ck_assert_int_eq(s.lifetime, 7LL * 24 * 3600000);
	ck_assert_int_eq(s.bounce_lifetime, 24LL * 3600000);
	ck_assert_int_eq(s.timeout_command, 120000);
	ck_assert_int_eq(s.max_connections, 50);
	buf_free(&sample);
}
END_TEST

TEST_MAIN("queue/settings", defaults_are_what_the_manual_says,
	the_sample_reads_the_variables_of_the_first_tmail)
