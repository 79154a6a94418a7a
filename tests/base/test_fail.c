/* SPDX-License-Identifier: MIT */
#include "base/fail.h"

#include "tests/base/expect.h"

#include <errno.h>

START_TEST(a_reason_is_set_and_the_answer_is_false)
{
	struct why why;

	ck_assert(!why_set(&why, "%s: %d", "x", 3));
	ck_assert_str_eq(why.text, "x: 3");
	ck_assert(!why_set(NULL, "nobody asks"));
	ck_assert(!why_errno(NULL, "nobody asks"));
	ck_assert(!why_prefix(NULL, "nobody asks"));
}
END_TEST

START_TEST(the_systems_reason_stands_behind_and_errno_stays)
{
	struct why why;

	errno = ENOENT;
	ck_assert(!why_errno(&why, "cannot open %s", "x"));
	ck_assert_str_eq(why.text, "cannot open x: No such file or directory");
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

START_TEST(a_prefix_stands_in_front)
{
	struct why why;

	why_set(&why, "no route");
	ck_assert(!why_prefix(&why, "smtp %d", 1));
	ck_assert_str_eq(why.text, "smtp 1: no route");
}
END_TEST

START_TEST(a_reason_may_be_made_from_itself)
{
	struct why why;

	why_set(&why, "inner");
	why_set(&why, "outer (%s)", why.text);
	ck_assert_str_eq(why.text, "outer (inner)");
}
END_TEST

START_TEST(a_long_reason_is_cut_not_overrun)
{
	struct why why;

	why_set(&why, "%0*d", 2000, 1);
	ck_assert_uint_eq(strlen(why.text), sizeof why.text - 1);
	why_prefix(&why, "%0*d", 2000, 1);
	ck_assert_uint_eq(strlen(why.text), sizeof why.text - 1);
}
END_TEST

START_TEST(memory_comes_zeroed_and_never_null)
{
	char *memory = must_alloc(100);

	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(memory[i], 0);
	memory = must_realloc(memory, 0);
	ck_assert_ptr_nonnull(memory);
	free(memory);
	memory = must_alloc(0);
	ck_assert_ptr_nonnull(memory);
	free(memory);
}
END_TEST

START_TEST(what_must_hold_and_does_not_aborts)
{
	int evaluated = 0;

	must(++evaluated == 1);
	ck_assert_int_eq(evaluated, 1);
	expect_abort(must(evaluated == 2));
}
END_TEST

static int told[2];

static void tell(const char *text)
{
	ssize_t ignored = write(told[1], text, strlen(text));

	(void)ignored;
}

START_TEST(the_hook_hears_the_last_words)
{
	char text[600] = "";
	ssize_t len;

	ck_assert_int_eq(pipe(told), 0);
	must_hook(tell);
	expect_abort(must_failed("x > 0", "file.c", 12));
	len = read(told[0], text, sizeof text - 1);
	ck_assert_int_gt(len, 0);
	text[len] = '\0';
	ck_assert_str_eq(text, "bug: must(x > 0) failed at file.c:12");
}
END_TEST

TEST_MAIN("base/fail", a_reason_is_set_and_the_answer_is_false,
	the_systems_reason_stands_behind_and_errno_stays, a_prefix_stands_in_front,
	a_reason_may_be_made_from_itself, a_long_reason_is_cut_not_overrun,
	memory_comes_zeroed_and_never_null, what_must_hold_and_does_not_aborts,
	the_hook_hears_the_last_words)
