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
	ck_assert(may(LANE_SLOW, 0, 199, 200));
}
END_TEST

START_TEST(all_who_are_slow_have_half_together)
{
	struct queue_loop ql = { .connections_max = 5 };
	struct send_lane quick = { .ql = &ql }, slow = { .ql = &ql }, other = { .ql = &ql };

	share_opened(&quick, 1);
	share_opened(&slow, 1);
	share_opened(&slow, 1);
	ck_assert_uint_eq(ql.slow, 0);
	share_pace(&slow, LANE_SLOW);
	share_pace(&slow, LANE_SLOW);
	share_pace(&other, LANE_SLOW);
	ck_assert_uint_eq(ql.slow, 2);
	ck_assert(share_of_connections(&other, 3));
	share_opened(&slow, 1);
	ck_assert_uint_eq(ql.slow, 3);
	ck_assert(!share_of_connections(&other, 4));
	ck_assert(share_of_connections(&(struct send_lane){ .ql = &ql }, 4));
	share_pace(&slow, LANE_BRISK);
	share_opened(&slow, -1);
	ck_assert_uint_eq(ql.slow, 0);
	ck_assert_uint_eq(ql.connections, 3);
	ck_assert_uint_eq(slow.open, 2);
}
END_TEST

START_TEST(who_has_none_is_next_and_who_is_slow_up_to_a_half)
{
	struct queue_loop ql = { .connections_max = 8 };
	struct send_lane more = { .ql = &ql, .open = 1 }, slow[4], quick[3];

	list_init(&ql.waiting);
	list_init(&ql.lagging);
	list_init(&ql.wanting);
	share_wait(&more);
	ck_assert(!share_is_scarce(&ql));
	for (unsigned i = 0; i < 4; i++) {
		slow[i] = (struct send_lane){ .ql = &ql, .pace = LANE_SLOW };
		share_wait(&slow[i]);
	}
	ck_assert(share_is_scarce(&ql));
	ck_assert(share_is_wanted_of(&slow[0]) && !share_is_wanted_of(&more));
	for (unsigned i = 0; i < 3; i++) {
		quick[i] = (struct send_lane){ .ql = &ql };
		share_wait(&quick[i]);
		share_wait(&quick[i]); /* waits already */
	}
	ck_assert(share_is_wanted_of(&more));
	/* A quarter in any case, then those who are not slow, then up to half. */
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_ptr_eq(share_next(&ql), &slow[i]);
		share_opened(&slow[i], 1);
	}
	for (unsigned i = 0; i < 3; i++)
		ck_assert_ptr_eq(share_next(&ql), &quick[i]);
	ck_assert_ptr_eq(share_next(&ql), &slow[2]);
	share_opened(&slow[2], 2);
	ck_assert_ptr_eq(share_next(&ql), &more);
	ck_assert_ptr_null(share_next(&ql));
	ck_assert(share_is_scarce(&ql));
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
	all_who_are_slow_have_half_together, who_has_none_is_next_and_who_is_slow_up_to_a_half,
	more_are_for_who_is_quick_or_while_there_are_plenty)
