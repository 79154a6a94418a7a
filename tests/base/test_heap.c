/* SPDX-License-Identifier: MIT */
#include "base/heap.h"

#include "tests/base/expect.h"

enum { NODES = 300 };

/* Every parent is due no later, and every node knows its place. */
static void expect_sound(const struct heap *h)
{
	for (size_t i = 1; i <= h->count; i++) {
		ck_assert_uint_eq(h->nodes[i]->place, i);
		if (i > 1)
			ck_assert_int_le(h->nodes[i / 2]->due, h->nodes[i]->due);
	}
}

START_TEST(an_empty_heap_has_no_first)
{
	struct heap h = { 0 };
	struct heap_node n = { 0 };

	ck_assert_ptr_null(heap_first(&h));
	heap_remove(&h, &n);
	heap_free(&h);
}
END_TEST

START_TEST(elements_come_out_in_order)
{
	static struct heap_node nodes[NODES];
	struct heap h = { 0 };
	uint64_t state = 4;
	int64_t last = INT64_MIN;

	for (size_t i = 0; i < NODES; i++)
		heap_add(&h, &nodes[i], (int64_t)chance_next(&state) % 100);
	for (struct heap_node *n; (n = heap_first(&h));) {
		ck_assert_int_ge(n->due, last);
		last = n->due;
		heap_remove(&h, n);
		ck_assert_uint_eq(n->place, 0);
	}
	heap_free(&h);
}
END_TEST

START_TEST(the_extremes_of_time_are_times)
{
	struct heap_node first = { 0 }, last = { 0 }, zero = { 0 };
	struct heap h = { 0 };

	heap_add(&h, &last, INT64_MAX);
	heap_add(&h, &zero, 0);
	heap_add(&h, &first, INT64_MIN);
	ck_assert_ptr_eq(heap_first(&h), &first);
	heap_remove(&h, &first);
	heap_remove(&h, &zero);
	ck_assert_ptr_eq(heap_first(&h), &last);
	heap_free(&h);
	ck_assert_uint_eq(last.place, 0);
}
END_TEST

START_TEST(a_heap_does_what_an_array_would)
{
	static struct heap_node nodes[NODES];
	struct heap h = { 0 };
	uint64_t state = 5;

	for (int step = 0; step < 20000; step++) {
		struct heap_node *n = &nodes[chance_next(&state) % NODES];
		int64_t due = (int64_t)(chance_next(&state) % 1000), least = INT64_MAX;
		size_t count = 0;

		if (n->place == 0)
			heap_add(&h, n, due);
		else if (chance_next(&state) % 2)
			heap_move(&h, n, due);
		else
			heap_remove(&h, n);
		for (size_t i = 0; i < NODES; i++) {
			count += nodes[i].place != 0;
			if (nodes[i].place && nodes[i].due < least)
				least = nodes[i].due;
		}
		ck_assert_uint_eq(h.count, count);
		ck_assert_int_eq(heap_first(&h) ? heap_first(&h)->due : INT64_MAX, least);
		if (step % 100 == 0)
			expect_sound(&h);
	}
	heap_free(&h);
}
END_TEST

START_TEST(adding_twice_and_moving_a_stranger_are_bugs)
{
	struct heap_node n = { 0 }, stranger = { 0 };
	struct heap h = { 0 };

	heap_add(&h, &n, 1);
	expect_abort(heap_add(&h, &n, 2));
	expect_abort(heap_move(&h, &stranger, 2));
	heap_free(&h);
}
END_TEST

TEST_MAIN("base/heap", an_empty_heap_has_no_first, elements_come_out_in_order,
	the_extremes_of_time_are_times, a_heap_does_what_an_array_would,
	adding_twice_and_moving_a_stranger_are_bugs)
