/* SPDX-License-Identifier: MIT */
#include "conf/tree.h"

#include "tests/conf/load.h"

static void expect_scanned(const char *in, const char *out)
{
	struct problems p = { 0 };
	struct buf b = { 0 };

	ck_assert(scan_text(&b, str_c(in), "f", &p));
	expect_problems(&p, "");
	ck_assert_str_eq(buf_c(&b), out);
	buf_free(&b);
}

static void expect_refused(struct str in, const char *problem)
{
	struct problems p = { 0 };
	struct buf b = { 0 };

	ck_assert(!scan_text(&b, in, "f", &p));
	expect_problems(&p, problem);
	buf_free(&b);
}

START_TEST(integers_are_made_wide)
{
	expect_scanned("a = 5; b=[1,-2 , +3]", "a = 5L; b=[1L,-2L , +3L]");
	expect_scanned("a=99999999999", "a=99999999999L");
	expect_scanned("a=0xFFFFFFFFFF;b=0X1fL;c=7LL", "a=0xFFFFFFFFFFL;b=0X1fL;c=7LL");
	expect_scanned("a=9223372036854775807", "a=9223372036854775807L");
	expect_scanned("a=-9223372036854775808", "a=-9223372036854775808L");
}
END_TEST

START_TEST(floats_names_strings_and_comments_stay_as_they_are)
{
	static const char *const same[] = { "a=1.5;b=1e3;c=.5;d=-1.5E-3",
		"name10 = true; x-1 : false", "a = \"10 @include \\\" 20\" \"30\"",
		"# 10 @include\na = true // 20\n/* 30\n40 */", "a = \"\\\\\"; b = \"\\\"\"",
		"/***/", "# open \"", "// open /*", "" };

	for (size_t i = 0; i < sizeof same / sizeof *same; i++)
		expect_scanned(same[i], same[i]);
}
END_TEST

START_TEST(numbers_beyond_64_bits_are_refused_where_they_stand)
{
	expect_refused(STR("a = 1;\nb = 9223372036854775808;"),
		"f:2: the number 9223372036854775808 is not one that fits\n");
	expect_refused(STR("a = 0x8000000000000000L;"),
		"f:1: the number 0x8000000000000000L is not one that fits\n");
	expect_refused(STR("/*\n*/ a = \"\n\"; b = 99999999999999999999;"),
		"f:3: the number 99999999999999999999 is not one that fits\n");
}
END_TEST

/* libconfig would take the rest of the file for the string, and say nothing. */
START_TEST(what_is_never_closed_is_refused_where_it_opens)
{
	expect_refused(STR("a = \"x\";\n\"\nb = 1;"), "f:2: this string is never closed\n");
	expect_refused(STR("a = \"ends in \\"), "f:1: this string is never closed\n");
	expect_refused(STR("a = \"ends in \\\""), "f:1: this string is never closed\n");
	expect_refused(STR("\n\na = 1; /* 2\n3"), "f:3: this comment is never closed\n");
	expect_refused(STR("/*/"), "f:1: this comment is never closed\n");
}
END_TEST

START_TEST(includes_and_nul_are_refused)
{
	expect_refused(STR("\n@include \"x\"\n@include \"y\""),
		"f:2: @include is not understood here: put the file into conf.d instead\n");
	expect_refused(STR("a = 1;\n\n\0b"), "f:3: there is a NUL octet in this file\n");
}
END_TEST

TEST_MAIN("conf/scan", integers_are_made_wide, floats_names_strings_and_comments_stay_as_they_are,
	numbers_beyond_64_bits_are_refused_where_they_stand,
	what_is_never_closed_is_refused_where_it_opens, includes_and_nul_are_refused)
