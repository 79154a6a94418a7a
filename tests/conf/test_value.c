/* SPDX-License-Identifier: MIT */
#include "conf/tree.h"

#include "tests/conf/options.h"

START_TEST(every_type_is_read)
{
	struct problems p = { 0 };
	const struct place *place;
	struct every e;
	struct conf *c;

	ck_assert(read_text("enabled = false; mode = \"DEFER\"; count = 100; wait = 60; limit = 5;"
			    "name = \"\"; file = \"./y\"; password = \"p\"; words = [ \"a b\" ];"
			    "places = ( { address = \"x\"; port = 1; }, { address = \"y\"; } );",
		&e, &p, NULL, &c));
	expect_problems(&p, "");
	ck_assert_int_eq(e.enabled, 0);
	ck_assert_int_eq(e.mode, 2);
	ck_assert_int_eq(e.count, 100);
	ck_assert_int_eq(e.wait, 60000);
	ck_assert_int_eq(e.limit, 5);
	expect_text(e.name, "");
	expect_text(e.file, "/base/y");
	expect_text(e.password, "p");
	ck_assert_uint_eq(e.words.count, 1);
	expect_text(*TMAIL_AT(struct tmail_str, e.words, 0), "a b");
	ck_assert_uint_eq(e.places.count, 2);
	place = TMAIL_AT(struct place, e.places, 1);
	expect_text(place->address, "y");
	ck_assert_int_eq(place->port, 25);
	ck_assert_int_eq(TMAIL_AT(struct place, e.places, 0)->port, 1);
	conf_free(&c);
}
END_TEST

START_TEST(anything_may_come_as_a_string_from_the_environment)
{
	struct problems p = { 0 };
	struct every e;
	struct conf *c;

	ck_assert(read_text("enabled = \"no\"; mode = \"off\"; count = \"12\"; wait = \"1m30s\";"
			    "limit = \"64K\"; words = \" a, b\n c \"; file = \"/abs\";",
		&e, &p, NULL, &c));
	expect_problems(&p, "");
	ck_assert_int_eq(e.enabled, 0);
	ck_assert_int_eq(e.mode, 0);
	ck_assert_int_eq(e.count, 12);
	ck_assert_int_eq(e.wait, 90000);
	ck_assert_int_eq(e.limit, 65536);
	ck_assert_uint_eq(e.words.count, 3);
	expect_text(*TMAIL_AT(struct tmail_str, e.words, 2), "c");
	expect_text(e.file, "/abs");
	conf_free(&c);
	ck_assert(read_text("enabled = \"\"; mode = \"\"; count = \"\"; wait = \"\"; limit = \"\";",
		&e, &p, NULL, &c));
	expect_problems(&p, "");
	expect_defaults(&e);
	conf_free(&c);
}
END_TEST

START_TEST(strings_have_a_nul_behind_them)
{
	struct problems p = { 0 };
	struct every e;
	struct conf *c;

	ck_assert(read_text("name = \"abc\"; words = \"d e\";", &e, &p, NULL, &c));
	ck_assert_str_eq(e.name.data, "abc");
	ck_assert_str_eq(e.file.data, "/base/store/x");
	ck_assert_str_eq(e.password.data, "");
	ck_assert_str_eq(TMAIL_AT(struct tmail_str, e.words, 0)->data, "d");
	conf_free(&c);
}
END_TEST

START_TEST(numbers_that_do_not_fit_their_unit_are_refused)
{
	struct problems p = { 0 };
	struct every e;
	struct conf *c;

	ck_assert(!read_text(
		"wait = 9223372036854775807; limit = -1; count = 1.5;", &e, &p, NULL, &c));
	expect_problems(&p,
		"/t/t.conf:1: 'count' must be a whole number, not a number with a point\n"
		"/t/t.conf:1: 'wait' is too large\n"
		"/t/t.conf:1: 'limit' must not be negative\n");
	conf_free(&c);
}
END_TEST

START_TEST(lists_of_groups_hold_groups_only)
{
	struct problems p = { 0 };
	struct every e;
	struct conf *c;

	ck_assert(!read_text("places = ( \"x\", { } );", &e, &p, NULL, &c));
	expect_problems(&p, "/t/t.conf:1: 'places' must hold groups only: ( { ... }, { ... } )\n");
	conf_free(&c);
	ck_assert(!read_text("places = { };", &e, &p, NULL, &c));
	expect_problems(&p,
		"/t/t.conf:1: 'places' must be a list of groups: "
		"( { ... }, { ... } ), not a group\n");
	conf_free(&c);
}
END_TEST

START_TEST(a_secret_is_in_no_message)
{
	static const char *const texts[] = { "password = [ \"hunter2\" ];",
		"password = \"hunter2\";=;", "password = \"hunter2${\";", "passwort = \"hunter2\";",
		"password = \"hunter2\" \"", "password = { hunter2 = 1; };" };

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct problems p = { 0 };
		struct every e;
		struct conf *c;

		read_text(texts[i], &e, &p, NULL, &c);
		ck_assert_uint_ge(p.count, 1);
		for (size_t j = 0; j < p.count; j++)
			ck_assert_ptr_null(strstr(p.text[j], "hunter2"));
		problems_free(&p);
		conf_free(&c);
	}
}
END_TEST

START_TEST(a_value_in_a_message_is_quoted_and_not_long)
{
	struct problems p = { 0 };
	struct every e;
	struct conf *c;

	ck_assert(
		!read_text("count = \"\x1b[2J\xff\";\nmode = "
			   "\"0123456789012345678901234567890123456789012345678901234567890123\";",
			&e, &p, NULL, &c));
	expect_problems(&p,
		"/t/t.conf:2: 'mode' is "
		"\"012345678901234567890123456789012345678901234567890123456789...\", "
		"must be one of: off reject defer\n"
		"/t/t.conf:1: 'count' is \"\\x1b[2J\\xff\", must be a whole number\n");
	conf_free(&c);
}
END_TEST

START_TEST(words_stand_between_blanks_and_commas)
{
	struct str rest = STR(" a,b ,\t\r\n c,,"), word;

	ck_assert(value_word(&rest, &word));
	expect_text(word, "a");
	ck_assert(value_word(&rest, &word));
	expect_text(word, "b");
	ck_assert(value_word(&rest, &word));
	expect_text(word, "c");
	ck_assert(!value_word(&rest, &word));
}
END_TEST

TEST_MAIN("conf/value", every_type_is_read, anything_may_come_as_a_string_from_the_environment,
	strings_have_a_nul_behind_them, numbers_that_do_not_fit_their_unit_are_refused,
	lists_of_groups_hold_groups_only, a_secret_is_in_no_message,
	a_value_in_a_message_is_quoted_and_not_long, words_stand_between_blanks_and_commas)
