/* SPDX-License-Identifier: MIT
 *
 * The table: what each change does to counters, heap, trees and the list for the index, and that
 * telling it twice changes nothing.
 */
#include "modules/store/journal/table.h"

#include "tests/lib/test.h"

#include <string.h>

struct rig {
	struct segments segments;
	struct segment segment;
	struct segment *used[1];
	struct table t;
};

static void rig_begin(struct rig *rig)
{
	memset(rig, 0, sizeof *rig);
	rig->segment = (struct segment){ .base = 4096, .capacity = 1 << 20 };
	rig->used[0] = &rig->segment;
	rig->segments = (struct segments){ .used = rig->used, .used_count = 1 };
	table_init(&rig->t, &rig->segments);
}

static struct living *put(struct rig *rig, uint64_t n, uint32_t count, int64_t due, uint64_t lsn)
{
	struct living *m = table_new(&rig->t, count);

	m->id = (struct tmail_id){ 9, n };
	m->lsn = m->as_of = lsn;
	m->length = 100;
	m->octets = 10;
	for (uint32_t i = 0; i < count; i++)
		living_states(m)[i] = (struct state){ .due = due + i, .words = lsn, .index = i };
	table_insert(&rig->t, m);
	return m;
}

static void outcome(struct rig *rig, struct living *m, uint32_t recipient, uint32_t fate,
	uint32_t attempts, int64_t due, uint64_t lsn)
{
	table_outcome(&rig->t, m, recipient, state_of(fate, 0, attempts, due), lsn);
}

static int64_t next_due(const struct rig *rig)
{
	const struct heap_node *node = heap_first(&rig->t.due);

	return node ? node->due : -1;
}

START_TEST(a_message_is_due_when_its_first_free_recipient_is)
{
	struct rig rig;
	struct living *m;

	rig_begin(&rig);
	m = put(&rig, 1, 3, 50, 5000);
	ck_assert_int_eq(next_due(&rig), 50);
	table_claim(&rig.t, m, 51); /* the first two */
	ck_assert_int_eq(next_due(&rig), 52);
	outcome(&rig, m, 0, TMAIL_FATE_DEFERRED, 1, 40, 5100);
	ck_assert_int_eq(next_due(&rig), 40);
	outcome(&rig, m, 0, TMAIL_FATE_DELIVERED, 2, 0, 5200);
	ck_assert_int_eq(next_due(&rig), 52);
	table_release(&rig.t, m, 2, 0); /* nobody has claimed it */
	table_release(&rig.t, m, 7, 0);
	ck_assert_int_eq(next_due(&rig), 52);
	table_release(&rig.t, m, 1, 0);
	ck_assert_int_eq(next_due(&rig), 51);
	table_claim(&rig.t, m, 51);
	table_release(&rig.t, m, 1, 45);
	ck_assert_int_eq(next_due(&rig), 45);
	table_hold(&rig.t, m, 5300);
	ck_assert_int_eq(next_due(&rig), -1);
	table_free_hold(&rig.t, m, 99, 5400);
	ck_assert_int_eq(next_due(&rig), 99);
	table_due(&rig.t, m, 7, 5500);
	ck_assert_int_eq(next_due(&rig), 7);
	table_damaged(&rig.t, m);
	ck_assert_int_eq(next_due(&rig), -1);
	table_free(&rig.t);
}
END_TEST

START_TEST(what_is_not_newer_changes_nothing)
{
	struct rig rig;
	struct living *m;

	rig_begin(&rig);
	m = put(&rig, 1, 1, 50, 5000);
	outcome(&rig, m, 0, TMAIL_FATE_DEFERRED, 3, 70, 6000);
	outcome(&rig, m, 0, TMAIL_FATE_DEFERRED, 1, 60, 5500);
	ck_assert_int_eq(living_states(m)->due, 70);
	table_hold(&rig.t, m, 6000);
	ck_assert_uint_eq(m->hold, 0);
	table_end(&rig.t, m, 5999);
	ck_assert_ptr_eq(table_find(&rig.t, m->id), m);
	table_copied(&rig.t, m, 5000, 1, NULL, false);
	ck_assert_uint_eq(m->lsn, 5000);
	table_free(&rig.t);
}
END_TEST

START_TEST(counters_follow_every_change)
{
	struct rig rig;
	struct living *m, *other;

	rig_begin(&rig);
	m = put(&rig, 1, 2, 50, 5000);
	other = put(&rig, 2, 1, 60, 5100);
	ck_assert_uint_eq(rig.t.counts.messages, 2);
	ck_assert_uint_eq(rig.t.counts.pending, 3);
	ck_assert_uint_eq(rig.t.counts.octets, 20);
	outcome(&rig, m, 1, TMAIL_FATE_DEFERRED, 1, 70, 5200);
	ck_assert_uint_eq(rig.t.counts.deferred, 1);
	ck_assert_uint_eq(rig.t.counts.pending, 2);
	outcome(&rig, m, 1, TMAIL_FATE_BOUNCED, 2, 0, 5300);
	ck_assert_uint_eq(rig.t.counts.recipients, 2);
	ck_assert_uint_eq(rig.t.counts.deferred, 0);
	table_hold(&rig.t, m, 5400);
	table_hold(&rig.t, m, 5500);
	ck_assert_uint_eq(rig.t.counts.held, 1);
	table_end(&rig.t, m, 5600);
	ck_assert_uint_eq(rig.t.counts.held, 0);
	ck_assert_uint_eq(rig.t.counts.recipients, 1);
	table_end(&rig.t, other, 5700);
	ck_assert_uint_eq(rig.t.counts.messages + rig.t.counts.pending + rig.t.counts.octets, 0);
	ck_assert_uint_eq(rig.t.length, 0);
	ck_assert(ended_has(&rig.t.ended, (struct tmail_id){ 9, 1 }));
	table_free(&rig.t);
}
END_TEST

START_TEST(only_who_was_deferred_or_held_is_told_to_the_index)
{
	struct rig rig;
	struct living *m, *first_try, *taken;

	rig_begin(&rig);
	m = put(&rig, 1, 1, 50, 5000);
	first_try = put(&rig, 2, 1, 50, 5100);
	ck_assert_uint_eq(rig.segment.fresh, 2);
	outcome(&rig, first_try, 0, TMAIL_FATE_DELIVERED, 1, 0, 5200);
	table_end(&rig.t, first_try, 5300);
	ck_assert_uint_eq(rig.t.dirty_count, 0);
	outcome(&rig, m, 0, TMAIL_FATE_DEFERRED, 1, 70, 5400);
	ck_assert_uint_eq(rig.t.dirty_count, 1);
	ck_assert_uint_eq(table_mark(&rig.t, 9000), 4096); /* fresh: its whole file */
	taken = table_take_dirty(&rig.t);
	ck_assert_ptr_eq(taken, m);
	table_applied(&rig.t, m, m->dirty_since, true);
	ck_assert_uint_eq(rig.segment.fresh, 0);
	ck_assert_uint_eq(table_mark(&rig.t, 9000), 9000);
	ck_assert_ptr_eq(table_find(&rig.t, m->id), m);
	table_due(&rig.t, m, 1, 5500);
	ck_assert_uint_eq(table_mark(&rig.t, 9000), 5500);
	table_free(&rig.t);
}
END_TEST

START_TEST(what_changes_while_the_index_is_told_is_told_again)
{
	struct rig rig;
	struct living *m;

	rig_begin(&rig);
	m = put(&rig, 1, 1, 50, 5000);
	table_hold(&rig.t, m, 5100);
	ck_assert_ptr_eq(table_take_dirty(&rig.t), m);
	table_due(&rig.t, m, 5, 5200);
	table_applied(&rig.t, m, 5100, true);
	ck_assert_uint_eq(rig.t.dirty_count, 1);
	ck_assert_uint_eq(table_mark(&rig.t, 9000), 5200);
	/* The next time it fails: it is as dirty as it was. */
	ck_assert_ptr_eq(table_take_dirty(&rig.t), m);
	table_applied(&rig.t, m, 5200, false);
	ck_assert_uint_eq(table_mark(&rig.t, 9000), 5200);
	table_free(&rig.t);
}
END_TEST

START_TEST(who_ends_while_the_index_is_told_is_kept_until_it_forgot)
{
	struct rig rig;
	struct living *m;

	rig_begin(&rig);
	m = put(&rig, 1, 2, 50, 5000);
	table_hold(&rig.t, m, 5100);
	table_take_dirty(&rig.t);
	table_end(&rig.t, m, 5200);
	ck_assert_ptr_null(table_find(&rig.t, (struct tmail_id){ 9, 1 }));
	table_applied(&rig.t, m, 5100, true);
	ck_assert_ptr_eq(table_take_dirty(&rig.t), m);
	ck_assert(m->flags & LIVING_GONE);
	table_applied(&rig.t, m, 5200, true);
	ck_assert_uint_eq(rig.t.dirty_count, 0);
	ck_assert_ptr_eq(rig.t.unused, m);
	table_free(&rig.t);
}
END_TEST

START_TEST(a_copy_stands_at_its_new_place)
{
	struct rig rig;
	struct living *m, *other;

	rig_begin(&rig);
	m = put(&rig, 1, 1, 50, 5000);
	other = put(&rig, 2, 1, 50, 5100);
	table_hold(&rig.t, m, 5200);
	table_copied(&rig.t, m, 6000, 140, NULL, false);
	ck_assert_uint_eq(m->lsn, 6000);
	ck_assert_uint_eq(m->hold, 6000);
	ck_assert_uint_eq(living_states(m)->words, 6000);
	ck_assert_uint_eq(rig.t.length, 240);
	ck_assert_ptr_eq(rig.t.order.next, &other->order);
	table_free(&rig.t);
}
END_TEST

START_TEST(spools_of_the_ended_are_noted)
{
	struct rig rig;
	struct living *m;

	rig_begin(&rig);
	m = put(&rig, 1, 1, 50, 5000);
	m->flags |= LIVING_SPOOLED;
	table_end(&rig.t, m, 5100);
	ck_assert_uint_eq(rig.t.spool_count, 1);
	ck_assert_uint_eq(rig.t.spools[0].lo, 1);
	table_free(&rig.t);
}
END_TEST

TEST_MAIN("modules/store/journal/table", a_message_is_due_when_its_first_free_recipient_is,
	what_is_not_newer_changes_nothing, counters_follow_every_change,
	only_who_was_deferred_or_held_is_told_to_the_index,
	what_changes_while_the_index_is_told_is_told_again,
	who_ends_while_the_index_is_told_is_kept_until_it_forgot, a_copy_stands_at_its_new_place,
	spools_of_the_ended_are_noted)
