/* SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include "tests/base/expect.h"

#include <stdalign.h>

START_TEST(pieces_are_zeroed_aligned_and_apart)
{
	struct arena *a = arena_new(100);
	uint64_t state = 2;
	struct {
		unsigned char *data;
		size_t len;
	} pieces[400];

	for (size_t i = 0; i < 400; i++) {
		pieces[i].len = chance_next(&state) % 3000;
		pieces[i].data = arena_alloc(a, pieces[i].len);
		ck_assert_uint_eq((uintptr_t)pieces[i].data % alignof(max_align_t), 0);
		for (size_t j = 0; j < pieces[i].len; j++)
			ck_assert_uint_eq(pieces[i].data[j], 0);
		memset(pieces[i].data, (int)i & 0xff, pieces[i].len);
	}
	for (size_t i = 0; i < 400; i++)
		for (size_t j = 0; j < pieces[i].len; j++)
			ck_assert_uint_eq(pieces[i].data[j], i & 0xff);
	arena_free(&a);
	ck_assert_ptr_null(a);
	arena_free(&a);
}
END_TEST

START_TEST(a_piece_larger_than_any_block_is_given)
{
	struct arena *a = arena_new(0);
	char *big = arena_alloc(a, 1 << 20), *small = arena_alloc(a, 1);

	big[(1 << 20) - 1] = 'x';
	*small = 'y';
	ck_assert_uint_ge(arena_size(a), (1 << 20) + 1);
	arena_free(&a);
}
END_TEST

START_TEST(the_first_octets_need_no_second_block)
{
	struct arena *a = arena_new(1024);
	char *one = arena_alloc(a, 512), *two = arena_alloc(a, 512);

	ck_assert_ptr_eq(two, one + 512);
	arena_free(&a);
}
END_TEST

START_TEST(copies_end_in_a_nul_that_is_not_counted)
{
	struct arena *a = arena_new(16);
	struct str s = arena_str(a, STR("A\0b"));

	expect_text(s, "A\0b");
	ck_assert_int_eq(s.data[3], '\0');
	expect_text(arena_str_lower(a, STR("MiX-Z")), "mix-z");
	ck_assert_str_eq(arena_c(a, str_make("abc", 2)), "ab");
	ck_assert_str_eq(arena_c(a, str_c(NULL)), "");
	arena_free(&a);
}
END_TEST

START_TEST(printf_is_as_long_as_its_text)
{
	struct arena *a = arena_new(16);
	struct str s = arena_printf(a, "%s %0*d", "x", 5000, 3);

	ck_assert_uint_eq(s.len, 5002);
	ck_assert_int_eq(s.data[5001], '3');
	ck_assert_int_eq(s.data[5002], '\0');
	arena_free(&a);
}
END_TEST

static char order[8];

static void note(void *ctx)
{
	order[strlen(order)] = *(char *)ctx;
}

START_TEST(clean_ups_run_once_in_reverse_order)
{
	struct arena *a = arena_new(16);
	char names[] = "abc";

	memset(order, 0, sizeof order);
	for (size_t i = 0; i < 3; i++)
		arena_cleanup(a, note, &names[i]);
	arena_reset(a);
	ck_assert_str_eq(order, "cba");
	arena_reset(a);
	ck_assert_str_eq(order, "cba");
	arena_cleanup(a, note, &names[0]);
	arena_free(&a);
	ck_assert_str_eq(order, "cbaa");
}
END_TEST

START_TEST(a_reset_arena_is_like_new)
{
	struct arena *a = arena_new(256);
	char *first = arena_alloc(a, 100);

	memset(first, 'x', 100);
	for (int i = 0; i < 100; i++)
		arena_alloc(a, 1000);
	arena_reset(a);
	ck_assert_uint_eq(arena_size(a), 0);
	ck_assert_ptr_eq(arena_alloc(a, 100), first);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(first[i], '\0');
	arena_free(&a);
}
END_TEST

START_TEST(an_array_that_cannot_be_aborts)
{
	struct arena *a = arena_new(16);

	expect_abort(ARENA_ARRAY(a, uint64_t, SIZE_MAX / 4));
	expect_abort(arena_alloc(a, SIZE_MAX));
	arena_free(&a);
}
END_TEST

/* The clean-ups live in the arena themselves, so they run before it is wiped. */
START_TEST(a_secret_arena_cleans_up_before_it_wipes)
{
	struct arena *a = arena_new(16);
	char *name = arena_c(a, STR("z"));

	memset(order, 0, sizeof order);
	arena_secret(a);
	arena_cleanup(a, note, name);
	arena_reset(a);
	ck_assert_str_eq(order, "z");
#ifndef __SANITIZE_ADDRESS__ /* which forbids to look */
	ck_assert_int_eq(*(volatile char *)name, 0);
#endif
	arena_free(&a);
}
END_TEST

TEST_MAIN("base/arena", pieces_are_zeroed_aligned_and_apart, a_piece_larger_than_any_block_is_given,
	the_first_octets_need_no_second_block, copies_end_in_a_nul_that_is_not_counted,
	printf_is_as_long_as_its_text, clean_ups_run_once_in_reverse_order,
	a_reset_arena_is_like_new, an_array_that_cannot_be_aborts,
	a_secret_arena_cleans_up_before_it_wipes)
