/* SPDX-License-Identifier: MIT
 *
 * The queue's settings: defaults, and the variables of the first tmail.
 */
#include "queue/queue.h"
#include "tests/lib/test.h"

#include <stdio.h>
#include <unistd.h>

static void read_settings(const char *text, struct queue_settings *settings)
{
	struct problems problems = { 0 };
	struct conf *c = conf_parse(str_c(text), "test.conf", &problems);

	ck_assert(queue_settings_read(c, settings, &problems));
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

START_TEST(a_lifetime_of_nothing_is_one_attempt)
{
	struct queue_settings s = { 0 };

	read_settings("queue = { lifetime = 0; bounce_lifetime = \"0\"; };", &s);
	ck_assert_int_eq(s.lifetime, 0);
	ck_assert_int_eq(s.bounce_lifetime, 0);
}
END_TEST

START_TEST(what_cannot_be_is_said_with_its_place)
{
	static const struct {
		const char *text, *problem;
	} cases[] = {
		{ "retry = [ \"5m\", \"soon\" ];", "test.conf:1: 'soon' is no time to wait" },
		{ "retry = [ \"0\" ];", "test.conf:1: '0' is no time to wait" },
		{ "retry_min = \"1h\"; retry_max = \"1m\";",
			"test.conf:1: retry_max is less than retry_min" },
		{ "bounce_template = \"nowhere.tpl\";", "nowhere.tpl: No such file" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct problems problems = { 0 };
		struct queue_settings s = { 0 };
		char text[128];
		struct conf *c;

		snprintf(text, sizeof text, "queue = { %s };", cases[i].text);
		c = conf_parse(str_c(text), "test.conf", &problems);
		ck_assert(!queue_settings_read(c, &s, &problems));
		ck_assert_uint_eq(problems.count, 1);
		ck_assert_msg(
			strstr(problems.text[0], cases[i].problem) != NULL, "%s", problems.text[0]);
		problems_free(&problems);
		conf_free(&c);
	}
}
END_TEST

START_TEST(mistakes_in_the_template_are_said_with_their_line)
{
	static const char words[] = "Hi,\n${recipient}\n";
	char path[] = "settings-XXXXXX", text[128];
	struct problems problems = { 0 };
	struct queue_settings s = { 0 };
	int fd = mkstemp(path);
	struct conf *c;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, words, sizeof words - 1), sizeof words - 1);
	close(fd);
	snprintf(text, sizeof text, "queue = { bounce_template = \"%s\"; };", path);
	c = conf_parse(str_c(text), "test.conf", &problems);
	ck_assert(!queue_settings_read(c, &s, &problems));
	ck_assert_uint_eq(problems.count, 1);
	ck_assert_ptr_nonnull(strstr(problems.text[0], "test.conf:1: "));
	ck_assert_ptr_nonnull(strstr(problems.text[0], path));
	ck_assert_ptr_nonnull(
		strstr(problems.text[0], ", line 2: there is no name 'recipient', but me, "));
	ck_assert_uint_eq(s.template_text.len, 0);
	problems_free(&problems);
	conf_free(&c);
	unlink(path);
}
END_TEST

TEST_MAIN("queue/settings", defaults_are_what_the_manual_says, a_lifetime_of_nothing_is_one_attempt,
	what_cannot_be_is_said_with_its_place, mistakes_in_the_template_are_said_with_their_line,
	the_sample_reads_the_variables_of_the_first_tmail)
