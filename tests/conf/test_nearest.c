/* SPDX-License-Identifier: MIT */
#include "conf/conf.h"

#include "tests/conf/load.h"

static const char *const names[] = { "hostname", "listen", "max_message_size", "timeout", "tls",
	"user" };

static const char *near(const char *word)
{
	return conf_nearest(str_c(word), names, sizeof names / sizeof *names);
}

START_TEST(slips_of_the_finger_are_understood)
{
	ck_assert_str_eq(near("hostnme"), "hostname");
	ck_assert_str_eq(near("hostnamee"), "hostname");
	ck_assert_str_eq(near("hsotname"), "hostname");
	ck_assert_str_eq(near("HOSTNAME"), "hostname");
	ck_assert_str_eq(near("maxmessagesize"), "max_message_size");
	ck_assert_str_eq(near("time_out"), "timeout");
	ck_assert_str_eq(near("tsl"), "tls");
	ck_assert_str_eq(near("listen"), "listen");
}
END_TEST

START_TEST(what_is_far_from_all_has_no_neighbour)
{
	ck_assert_ptr_null(near("completely_else"));
	ck_assert_ptr_null(near("abc"));
	ck_assert_ptr_null(near("tl_x"));
	ck_assert_ptr_null(near(""));
	ck_assert_ptr_null(near("x"));
	ck_assert_ptr_null(conf_nearest(STR("hostname"), NULL, 0));
}
END_TEST

START_TEST(the_nearest_of_several_wins)
{
	static const char *const several[] = { "tabled", "tables", "table" };

	ck_assert_str_eq(conf_nearest(STR("tablesx"), several, 3), "tables");
	ck_assert_str_eq(conf_nearest(STR("table"), several, 3), "table");
}
END_TEST

START_TEST(a_word_longer_than_any_name_has_no_neighbour)
{
	char word[500];

	memset(word, 'a', sizeof word - 1);
	word[sizeof word - 1] = '\0';
	ck_assert_ptr_null(near(word));
	{
		const char *const long_names[] = { word, "aaaa" };

		ck_assert_str_eq(conf_nearest(STR("aaab"), long_names, 2), "aaaa");
		ck_assert_ptr_null(conf_nearest(STR("bbbb"), long_names, 1));
	}
}
END_TEST

TEST_MAIN("conf/nearest", slips_of_the_finger_are_understood, what_is_far_from_all_has_no_neighbour,
	the_nearest_of_several_wins, a_word_longer_than_any_name_has_no_neighbour)
