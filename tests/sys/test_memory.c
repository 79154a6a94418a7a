/* SPDX-License-Identifier: MIT
 *
 * Memory that was freed goes back, also below what is still in use.
 */
#include "sys/memory.h"

#include "tests/lib/test.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PIECES = 16384, PIECE = 4000 };
/* The allocators of sanitizers do as they like. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

/* KiB of this process in memory. */
static long resident(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long all, here;

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%ld %ld", &all, &here), 2);
	fclose(f);
	return here * (sysconf(_SC_PAGESIZE) / 1024);
}

START_TEST(what_was_freed_in_the_middle_goes_back_to_the_kernel)
{
	static char *piece[PIECES];
	long full;

	for (int i = 0; i < PIECES; i++) {
		piece[i] = malloc(PIECE);
		memset(piece[i], i, PIECE);
	}
	for (int i = 0; i < PIECES - 1; i++) /* the last one pins the end */
		free(piece[i]);
	full = resident();
	memory_give_back();
	if (!SANITIZED)
		ck_assert_int_lt(resident(), full - PIECES / 2 * (PIECE / 1024));
	ck_assert_int_eq(piece[PIECES - 1][0], (char)(PIECES - 1));
	free(piece[PIECES - 1]);
}
END_TEST

START_TEST(what_is_freed_at_the_end_is_kept_up_to_some_megabytes)
{
	enum { SOME = 512 };
	static char *piece[SOME];
	long full;

	memory_keep();
	for (int i = 0; i < SOME; i++) {
		piece[i] = malloc(PIECE);
		memset(piece[i], i, PIECE);
	}
	full = resident();
	for (int i = SOME; i-- > 0;)
		free(piece[i]);
	if (!SANITIZED)
		ck_assert_int_gt(resident(), full - SOME / 2 * (PIECE / 1024));
	memory_give_back();
	if (!SANITIZED)
		ck_assert_int_lt(resident(), full - SOME / 2 * (PIECE / 1024));
}
END_TEST

TEST_MAIN("sys/memory", what_was_freed_in_the_middle_goes_back_to_the_kernel,
	what_is_freed_at_the_end_is_kept_up_to_some_megabytes)
