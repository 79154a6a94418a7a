/* SPDX-License-Identifier: MIT */
#include "conf/tree.h"

#include "tests/conf/load.h"

static void expect_expanded(const char *in, const char *out)
{
	struct buf b = { 0 };
	struct why why = { "" };

	ck_assert_msg(expand_text(&b, str_c(in), &why), "%s: %s", in, why.text);
	ck_assert_str_eq(buf_c(&b), out);
	buf_free(&b);
}

static void expect_why(const char *in, const char *reason)
{
	struct buf b = { 0 };
	struct why why;

	ck_assert_msg(!expand_text(&b, str_c(in), &why), "%s is taken", in);
	ck_assert_str_eq(why.text, reason);
	buf_free(&b);
}

static void environment(void)
{
	ck_assert_int_eq(clearenv(), 0);
	setenv("NAME", "value", 1);
	setenv("EMPTY", "", 1);
	setenv("LOOKS", "${NAME}", 1);
	setenv("_x9", "under", 1);
}

START_TEST(variables_are_put_in_place)
{
	environment();
	expect_expanded("", "");
	expect_expanded("no variable", "no variable");
	expect_expanded("${NAME}", "value");
	expect_expanded("a${NAME}b${_x9}c", "avaluebunderc");
	expect_expanded("[${EMPTY}]", "[]");
}
END_TEST

START_TEST(defaults_stand_in_for_what_is_unset_or_empty)
{
	environment();
	expect_expanded("${NAME:-x}", "value");
	expect_expanded("${UNSET:-x y}", "x y");
	expect_expanded("${EMPTY:-x}", "x");
	expect_expanded("${UNSET:-}", "");
	expect_expanded("${UNSET:-${NAME}}", "value");
	expect_expanded("${UNSET:-${ALSO:-a}b}c", "abc");
	expect_expanded("${UNSET:-a:-b}", "a:-b");
}
END_TEST

START_TEST(what_the_environment_says_is_not_read_again)
{
	environment();
	expect_expanded("${LOOKS}", "${NAME}");
}
END_TEST

START_TEST(a_dollar_elsewhere_is_a_dollar)
{
	environment();
	expect_expanded("$", "$");
	expect_expanded("$NAME 5$ $$ {}", "$NAME 5$ $$ {}");
	expect_expanded("$${NAME}", "${NAME}");
	expect_expanded("${UNSET:-$${x}}", "${x}");
}
END_TEST

START_TEST(an_unset_variable_without_default_is_named)
{
	environment();
	expect_why("a ${UNSET}",
		"the environment variable UNSET is not set "
		"(write ${UNSET:-} if it may be missing)");
	expect_why("${UNSET:-${ALSO}}",
		"the environment variable ALSO is not set "
		"(write ${ALSO:-} if it may be missing)");
}
END_TEST

START_TEST(what_is_not_closed_or_no_name_is_refused)
{
	static const char *const bad[] = { "${", "${}", "${NAME", "${9}", "${NAME:x}", "${NA ME}",
		"${NAME-x}", "${:-x}", "${UNSET:-${NAME}", "${a.b}" };

	environment();
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		expect_why(bad[i],
			"a ${ must be followed by NAME} or NAME:-default} "
			"(write $${ for the two characters themselves)");
}
END_TEST

START_TEST(nesting_has_an_end)
{
	struct buf deep = { 0 };

	environment();
	for (int i = 0; i < 100000; i++)
		buf_add_c(&deep, "${U:-");
	for (int i = 0; i < 100000; i++)
		buf_add_char(&deep, '}');
	expect_why(buf_c(&deep), "too many ${ inside each other");
	buf_free(&deep);
}
END_TEST

START_TEST(a_name_longer_than_any_is_refused)
{
	struct buf name = { 0 };

	buf_add_c(&name, "${");
	for (int i = 0; i < 300; i++)
		buf_add_char(&name, 'a');
	buf_add_c(&name, "}");
	expect_why(buf_c(&name),
		"a ${ must be followed by NAME} or NAME:-default} "
		"(write $${ for the two characters themselves)");
	buf_free(&name);
}
END_TEST

TEST_MAIN("conf/expand", variables_are_put_in_place, defaults_stand_in_for_what_is_unset_or_empty,
	what_the_environment_says_is_not_read_again, a_dollar_elsewhere_is_a_dollar,
	an_unset_variable_without_default_is_named, what_is_not_closed_or_no_name_is_refused,
	nesting_has_an_end, a_name_longer_than_any_is_refused)
