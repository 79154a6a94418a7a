/* SPDX-License-Identifier: MIT
 *
 * Shares of what all destinations have in common.
 */
#include "queue/share.h"

#include "tests/lib/test.h"

#include <stdio.h>

START_TEST(one_alone_may_have_much_and_many_little_each)
{
	unsigned held[100] = { 0 }, all = 0;

	ck_assert_uint_eq(share_of_window(), QUEUE_LIVE_MAX / 2);
	/* A hundred that take all they may. */
	for (bool more = true; more;) {
		more = false;
		for (int i = 0; i < 100; i++) {
			if (held[i] >= share_of_window())
				continue;
			held[i]++;
			atomic_store(&queue.live, ++all);
			more = true;
		}
	}
	ck_assert_uint_ge(QUEUE_LIVE_MAX - all, QUEUE_LIVE_MAX / 60);
	for (int i = 0; i < 100; i++)
		ck_assert_uint_ge(held[i], 150);
	/* However full: what keeps a few connections at work. */
	atomic_store(&queue.live, QUEUE_LIVE_MAX + 100);
	ck_assert_uint_eq(share_of_window(), 20);
	atomic_store(&queue.live, 0);
}
END_TEST

START_TEST(questions_for_one_domain_are_bounded)
{
	struct queue_loop ql = { 0 };

	atomic_store(&queue.live, QUEUE_LIVE_MAX - 200);
	for (int i = 0; i < 100; i++)
		ck_assert(share_take(&ql, STR("dead.org")));
	ck_assert(!share_take(&ql, STR("dead.org")));
	ck_assert(share_take(&ql, STR("other.org")));
	share_give(&ql, STR("dead.org"));
	ck_assert(share_take(&ql, STR("dead.org")));
	share_give(&ql, STR("other.org"));
	for (int i = 0; i < 100; i++)
		share_give(&ql, STR("dead.org"));
	ck_assert_uint_eq(ql.asking.count, 0);
	map_free(&ql.asking);
	atomic_store(&queue.live, 0);
}
END_TEST

static bool may(enum lane_pace pace, unsigned open, unsigned busy, unsigned max)
{
	struct queue_loop ql = { .connections_max = max };
	struct send_lane l = { .ql = &ql, .pace = pace, .open = open };

	return share_of_connections(&l, busy);
}

START_TEST(the_first_connection_is_had_almost_always)
{
	ck_assert(may(LANE_NEW, 0, 199, 200));
	ck_assert(!may(LANE_NEW, 0, 200, 200));
	ck_assert(may(LANE_BRISK, 0, 199, 200));
	/* Slow ones leave a quarter. */
	ck_assert(may(LANE_SLOW, 0, 149, 200));
	ck_assert(!may(LANE_SLOW, 0, 150, 200));
	ck_assert(may(LANE_SLOW, 0, 0, 1));
}
END_TEST

START_TEST(more_are_for_who_is_quick_or_while_there_are_plenty)
{
	ck_assert(may(LANE_BRISK, 10, 199, 200));
	ck_assert(may(LANE_NEW, 1, 49, 200));
	ck_assert(!may(LANE_NEW, 1, 50, 200));
	ck_assert(!may(LANE_SLOW, 1, 50, 200));
	/* With few there are as many as a lane starts with, and half stays for others. */
	ck_assert(may(LANE_NEW, 4, 4, 12));
	ck_assert(!may(LANE_NEW, 5, 5, 12));
	ck_assert(!may(LANE_NEW, 3, 3, 6));
}
END_TEST

TEST_MAIN("queue/share", one_alone_may_have_much_and_many_little_each,
	questions_for_one_domain_are_bounded, the_first_connection_is_had_almost_always,
	more_are_for_who_is_quick_or_while_there_are_plenty)
