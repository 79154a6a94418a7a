/* SPDX-License-Identifier: MIT
 *
 * Trees of messages, and the ids that ended, against arrays.
 */
#include "modules/store/journal/ended.h"
#include "modules/store/journal/living.h"

#include "tests/lib/test.h"

#include <string.h>

enum { MANY = 2000 };

static uint64_t random_next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

START_TEST(a_tree_holds_what_was_put_in_and_not_taken_out)
{
	static struct living messages[MANY];
	bool in[MANY] = { false };
	struct living *root = NULL;
	uint64_t x = 88172645463325252u;

	for (uint64_t i = 0; i < MANY; i++)
		messages[i].id = (struct tmail_id){ i / 3, i * 2 };
	for (int step = 0; step < 20000; step++) {
		size_t i = random_next(&x) % MANY;
		struct living *after;
		size_t next;

		if (in[i])
			tree_remove(&root, &messages[i]);
		else
			tree_insert(&root, &messages[i]);
		in[i] = !in[i];
		i = random_next(&x) % MANY;
		ck_assert_ptr_eq(tree_find(root, messages[i].id), in[i] ? &messages[i] : NULL);
		after = tree_after(root, messages[i].id);
		for (next = i + 1; next < MANY && !in[next]; next++)
			;
		ck_assert_ptr_eq(after, next < MANY ? &messages[next] : NULL);
	}
}
END_TEST

static unsigned depth(const struct living *m)
{
	unsigned left, right;

	if (!m)
		return 0;
	left = depth(m->left);
	right = depth(m->right);
	return 1 + (left > right ? left : right);
}

START_TEST(ids_in_their_order_do_not_make_a_tree_deep)
{
	static struct living messages[MANY];
	struct living *root = NULL;

	for (uint64_t i = 0; i < MANY; i++) {
		messages[i].id = (struct tmail_id){ 1700000000000000u + i * 40, i << 16 };
		tree_insert(&root, &messages[i]);
	}
	ck_assert_uint_lt(depth(root), 50);
}
END_TEST

START_TEST(a_recipient_is_found_by_its_number)
{
	struct state states[3] = { { .index = 4 }, { .index = 1 }, { .index = 9 } };
	struct living m = { .count = 3, .states.many = states };

	ck_assert_ptr_eq(living_state(&m, 1), &states[1]);
	ck_assert_ptr_eq(living_state(&m, 9), &states[2]);
	ck_assert_ptr_eq(living_state(&m, 4), &states[0]);
	ck_assert_ptr_null(living_state(&m, 0));
}
END_TEST

START_TEST(the_last_that_ended_are_known)
{
	struct ended e = { 0 };

	ck_assert(!ended_has(&e, (struct tmail_id){ 1, 1 }));
	for (uint64_t i = 0; i < 3 * (uint64_t)ENDED_MOST; i++) {
		ended_add(&e, (struct tmail_id){ i, ~i });
		if (i % 1000 == 0)
			ended_add(&e, (struct tmail_id){ i, ~i });
	}
	for (uint64_t i = 0; i < 3 * (uint64_t)ENDED_MOST; i++)
		ck_assert_int_eq(
			ended_has(&e, (struct tmail_id){ i, ~i }), i >= 2 * (uint64_t)ENDED_MOST);
	ck_assert_uint_eq(e.cap, ENDED_MOST);
	ended_free(&e);
}
END_TEST

TEST_MAIN("modules/store/journal/living", a_tree_holds_what_was_put_in_and_not_taken_out,
	ids_in_their_order_do_not_make_a_tree_deep, a_recipient_is_found_by_its_number,
	the_last_that_ended_are_known)
