/* SPDX-License-Identifier: MIT
 *
 * Time and chance, real and replaced.
 */
#include "sys/clock.h"

#include "tests/lib/test.h"

#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t noon(void)
{
	return 43200000000;
}

static int64_t third(void)
{
	return 3;
}

START_TEST(wall_time_is_microseconds_since_1970)
{
	int64_t before = (int64_t)time(NULL) * 1000000;
	int64_t now = clock_wall();

	/* time() may lag behind by a tick. */
	ck_assert_int_ge(now, before);
	ck_assert_int_le(now, ((int64_t)time(NULL) + 2) * 1000000);
}
END_TEST

START_TEST(monotonic_time_never_goes_back)
{
	int64_t before = clock_mono();

	for (int i = 0; i < 1000; i++) {
		int64_t now = clock_mono();
		ck_assert_int_ge(now, before);
		before = now;
	}
}
END_TEST

START_TEST(a_replaced_clock_is_asked_and_put_back)
{
	clock_replace(noon, third);
	ck_assert_int_eq(clock_wall(), 43200000000);
	ck_assert_int_eq(clock_mono(), 3);
	clock_replace(NULL, NULL);
	ck_assert_int_gt(clock_wall(), 43200000000);
	ck_assert_int_gt(clock_mono(), 3);
}
END_TEST

START_TEST(random_octets_fill_all_lengths)
{
	/* Long enough that 64 zero octets in a row are never chance. */
	static unsigned char octets[1024], none[64];
	const size_t lengths[] = { 64, 255, 256, 257, 1024 };

	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		memset(octets, 0, sizeof octets);
		random_bytes(octets, lengths[i]);
		ck_assert_int_ne(memcmp(octets + lengths[i] - 60, none, 60), 0);
		ck_assert_int_ne(memcmp(octets, none, 60), 0);
	}
}
END_TEST

START_TEST(random_numbers_do_not_repeat)
{
	uint64_t seen[256];

	for (int i = 0; i < 256; i++) {
		seen[i] = random_u64();
		for (int j = 0; j < i; j++)
			ck_assert_uint_ne(seen[i], seen[j]);
	}
}
END_TEST

START_TEST(a_forked_child_draws_other_numbers)
{
	uint64_t ours, theirs = 0;
	int ends[2], status;

	random_u64(); /* there is a portion to be inherited */
	ck_assert_int_eq(pipe(ends), 0);
	pid_t child = fork();
	if (child == 0) {
		ours = random_u64();
		_exit(write(ends[1], &ours, sizeof ours) == sizeof ours ? 0 : 1);
	}
	ours = random_u64();
	ck_assert_int_eq(read(ends[0], &theirs, sizeof theirs), sizeof theirs);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_uint_ne(ours, theirs);
}
END_TEST

START_TEST(numbers_below_a_bound_stay_below_and_reach_all)
{
	unsigned seen[7] = { 0 };

	ck_assert_uint_eq(random_below(1), 0);
	for (int i = 0; i < 1000; i++) {
		uint64_t v = random_below(7);
		ck_assert_uint_lt(v, 7);
		seen[v]++;
	}
	for (int i = 0; i < 7; i++)
		ck_assert_uint_gt(seen[i], 0);
}
END_TEST

static uint64_t count_up(void)
{
	static uint64_t at;

	return ++at;
}

static uint64_t highest(void)
{
	return UINT64_MAX;
}

START_TEST(replaced_chance_is_the_same_every_time)
{
	unsigned char octets[4];

	random_replace(count_up);
	ck_assert_uint_eq(random_u64(), 1);
	random_bytes(octets, sizeof octets);
	ck_assert_int_eq(memcmp(octets, "\2\3\4\5", 4), 0);
	ck_assert_uint_eq(random_below(4), 2);
	random_replace(highest);
	ck_assert_uint_eq(random_below(10), 5);
	random_replace(NULL);
}
END_TEST

TEST_MAIN("sys/clock", wall_time_is_microseconds_since_1970, monotonic_time_never_goes_back,
	a_replaced_clock_is_asked_and_put_back, random_octets_fill_all_lengths,
	random_numbers_do_not_repeat, a_forked_child_draws_other_numbers,
	numbers_below_a_bound_stay_below_and_reach_all, replaced_chance_is_the_same_every_time)
