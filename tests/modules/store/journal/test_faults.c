/* SPDX-License-Identifier: MIT
 *
 * Every call to the disk fails once, for each n: with an error, with a full disk, with the power
 * going. What was answered "durable" is there afterwards, what was refused is not, and the store
 * goes on without a restart. And the named cases: failed flushes, full disks, room that comes back.
 */
#include "kit.h"

#include "tests/lib/test.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { MESSAGES = 40 };

/* What the store said of each message; the sweep holds it to that. */
enum said { SAID_NOTHING, SAID_DURABLE, SAID_NO, SAID_UNKNOWN };
struct story {
	struct kit kit;
	enum said added[MESSAGES], ended[MESSAGES];
};

static enum said said_of(uint32_t result)
{
	return result == TMAIL_QUEUE_DURABLE ? SAID_DURABLE
		: result == TMAIL_QUEUE_NO   ? SAID_NO
					     : SAID_UNKNOWN;
}

/* Large and small ones, spooled ones, deferrals, ends, tending in between. */
static void story_run(struct story *s)
{
	struct kit *k = &s->kit;

	for (uint64_t n = 0; n < MESSAGES; n++) {
		if (n % 9 == 4) {
			if (kit_spool(k, n, 70000))
				s->added[n] = said_of(kit_add_spooled(k, n, 70000));
		} else {
			s->added[n] = said_of(kit_add(k, n, n % 5 == 0 ? 40000 : 900));
		}
		if (n % 3 == 1)
			kit_defer(k, n, "450 later");
		if (n >= 4 && n % 4 == 0)
			s->ended[n - 3] = said_of(kit_deliver(k, n - 3));
		if (n % 6 == 5)
			kit_tend(k);
	}
}

static void story_check(struct story *s, const char *what, uint64_t at)
{
	for (uint64_t n = 0; n < MESSAGES; n++) {
		int status = kit_read(&s->kit, n);

		/* Unknown at its end, or never heard of: it may be either. */
		if (s->added[n] == SAID_UNKNOWN || s->ended[n] == SAID_UNKNOWN)
			continue;
		if (s->added[n] == SAID_DURABLE && s->ended[n] != SAID_DURABLE)
			ck_assert_msg(status == TMAIL_OK,
				"%s %" PRIu64 ": message %" PRIu64 " is lost", what, at, n);
		else
			ck_assert_msg(status == TMAIL_NOT_FOUND,
				"%s %" PRIu64 ": message %" PRIu64 " comes back", what, at, n);
	}
}

/* Runs the story with a failure at the n-th call of a kind; false: there are not that many. */
static bool sweep_one(enum disk_call kind, int error, uint64_t at, enum disk_crash crash)
{
	struct story *s = must_alloc(sizeof *s);
	bool struck;

	kit_begin(&s->kit);
	disk_fail(s->kit.disk, kind, at, error);
	story_run(s);
	struck = s->kit.disk->failed > 0;
	s->kit.disk->fail_at = 0;
	if (!s->kit.disk->off) {
		/* The trouble is over: the store works, without a restart. */
		ck_assert_uint_eq(kit_add(&s->kit, 1000, 100), TMAIL_QUEUE_DURABLE);
		story_check(s, "running, call", at);
	}
	kit_crash(&s->kit, crash);
	ck_assert_msg(kit_open(&s->kit), "%s", s->kit.why.text);
	story_check(s, "after a crash, call", at);
	kit_end(&s->kit);
	free(s);
	return struck;
}

static void sweep(enum disk_call kind, int error)
{
	uint64_t at = 1;

	while (sweep_one(kind, error, at, (enum disk_crash)(at % CRASH_MODES)))
		at++;
	printf("kind %d, error %d: %" PRIu64 " points\n", (int)kind, error, at - 1);
	ck_assert_uint_gt(at, 1);
}

START_TEST(any_write_may_fail)
{
	sweep(DISK_WRITE, -EIO);
	sweep(DISK_WRITE, -ENOSPC);
}
END_TEST

START_TEST(any_flush_may_fail)
{
	sweep(DISK_FLUSH, -EIO);
	sweep(DISK_FLUSH_FOLDER, -EIO);
}
END_TEST

START_TEST(any_file_may_not_be_had)
{
	sweep(DISK_OPEN, -EMFILE);
	sweep(DISK_ALLOCATE, -ENOSPC);
	sweep(DISK_REMOVE, -EIO);
}
END_TEST

START_TEST(any_read_may_fail)
{
	sweep(DISK_READ, -EIO);
}
END_TEST

START_TEST(the_power_may_go_at_any_call)
{
	sweep(DISK_CALLS, 0);
}
END_TEST

/* ---- named cases ------------------------------------------------------------------------- */

START_TEST(a_failed_flush_refuses_and_the_next_file_says_where_it_ended)
{
	struct kit k = { 0 };

	kit_begin(&k);
	kit_add(&k, 1, 100);
	disk_fail(k.disk, DISK_FLUSH, 1, -EIO);
	ck_assert_uint_eq(kit_add(&k, 2, 100), TMAIL_QUEUE_NO);
	ck_assert(!kit_full());
	ck_assert_int_eq(kit_check(&k, 2), TMAIL_NOT_FOUND);
	ck_assert_uint_eq(kit_said(&k, "journal_file_dead"), 1);
	ck_assert_uint_eq(kit_add(&k, 3, 100), TMAIL_QUEUE_DURABLE);
	/* All that was written gets to the disk after all: it is not delivered. */
	kit_crash(&k, CRASH_ALL);
	ck_assert(kit_open(&k));
	ck_assert_int_eq(kit_read(&k, 1), TMAIL_OK);
	ck_assert_int_eq(kit_read(&k, 2), TMAIL_NOT_FOUND);
	ck_assert_int_eq(kit_read(&k, 3), TMAIL_OK);
	kit_end(&k);
}
END_TEST

START_TEST(nothing_is_accepted_until_the_next_header_is_durable)
{
	struct kit k = { 0 };

	kit_begin(&k);
	kit_add(&k, 1, 100);
	disk_fail(k.disk, DISK_FLUSH, 1, -EIO);
	k.disk->fail_stays = true;
	ck_assert_uint_eq(kit_add(&k, 2, 100), TMAIL_QUEUE_UNKNOWN);
	ck_assert_int_eq(kit_check(&k, 2), TMAIL_TRY_LATER);
	ck_assert_int_eq(kit_check(&k, 1), TMAIL_OK);
	ck_assert_uint_eq(kit_add(&k, 3, 100), TMAIL_QUEUE_NO);
	ck_assert_uint_eq(k.store->notes.metrics[METRIC_UNSETTLED], 1);
	k.disk->fail_at = 0;
	ck_assert_uint_eq(kit_add(&k, 4, 100), TMAIL_QUEUE_DURABLE);
	ck_assert_int_eq(kit_check(&k, 2), TMAIL_NOT_FOUND);
	kit_reopen(&k);
	ck_assert_int_eq(kit_read(&k, 2), TMAIL_NOT_FOUND);
	ck_assert_uint_eq(kit_count(&k), 2);
	kit_end(&k);
}
END_TEST

/* The flush fails and so does that of every header. */
static void flushes_fail(struct kit *k)
{
	disk_fail(k->disk, DISK_FLUSH, 1, -EIO);
	k->disk->fail_stays = true;
}

static void flushes_work(struct kit *k)
{
	k->disk->fail_at = 0;
	k->disk->fail_stays = false;
}

/* The process ends, the machine does not: what the disk does not have can still be read, and a
 * flush of it would say that all is well. Who believes it loses it at the next power cut. */
START_TEST(what_a_failed_flush_left_in_the_cache_is_written_again)
{
	for (uint64_t seed = 1; seed < 20; seed++) {
		struct kit k = { .no_index = true };

		kit_begin(&k);
		k.disk->random = seed;
		kit_add(&k, 1, 100);
		flushes_fail(&k);
		ck_assert_uint_eq(kit_add(&k, 2, 3000), TMAIL_QUEUE_UNKNOWN);
		flushes_work(&k);
		kit_close(&k);
		disk_lose(k.disk, "segment-00000002"); /* the header that would have settled it */
		ck_assert(kit_open(&k));
		ck_assert_int_eq(kit_read(&k, 2), TMAIL_OK);
		kit_crash(&k, CRASH_NOTHING);
		ck_assert(kit_open(&k));
		ck_assert_int_eq(kit_read(&k, 2), TMAIL_OK);
		kit_end(&k);
	}
}
END_TEST

/* The same with the header: read from the cache it says that the message is not kept. */
START_TEST(a_header_that_was_not_flushed_is_written_again)
{
	for (uint64_t seed = 1; seed < 20; seed++) {
		struct kit k = { .no_index = true };

		kit_begin(&k);
		k.disk->random = seed;
		kit_add(&k, 1, 100);
		flushes_fail(&k);
		ck_assert_uint_eq(kit_add(&k, 2, 100), TMAIL_QUEUE_UNKNOWN);
		flushes_work(&k);
		kit_reopen(&k);
		ck_assert_int_eq(kit_read(&k, 2), TMAIL_NOT_FOUND);
		ck_assert_uint_eq(kit_add(&k, 3, 100), TMAIL_QUEUE_DURABLE);
		kit_crash(&k, CRASH_NOTHING);
		ck_assert(kit_open(&k));
		ck_assert_int_eq(kit_read(&k, 1), TMAIL_OK);
		ck_assert_int_eq(kit_read(&k, 2), TMAIL_NOT_FOUND);
		ck_assert_int_eq(kit_read(&k, 3), TMAIL_OK);
		kit_end(&k);
	}
}
END_TEST

/* The header may be there all the same, and it says that the old file has ended. */
START_TEST(a_file_gets_nothing_more_once_a_header_was_tried)
{
	struct kit k = { 0 };

	kit_begin(&k);
	kit_add(&k, 1, 90000);
	disk_fail(k.disk, DISK_FLUSH, 1, -EIO);
	ck_assert_uint_eq(kit_add(&k, 2, 90000), TMAIL_QUEUE_NO);
	ck_assert_uint_eq(kit_add(&k, 3, 100), TMAIL_QUEUE_DURABLE);
	kit_reopen(&k);
	ck_assert_int_eq(kit_read(&k, 1), TMAIL_OK);
	ck_assert_int_eq(kit_read(&k, 2), TMAIL_NOT_FOUND);
	ck_assert_int_eq(kit_read(&k, 3), TMAIL_OK);
	kit_end(&k);
}
END_TEST

START_TEST(a_full_disk_refuses_messages_and_takes_outcomes)
{
	struct kit k = { 0 };
	uint64_t n = 0, kept;

	kit_begin(&k);
	k.disk->capacity = 6 * KIT_SEGMENT;
	while (kit_add(&k, n, 3000) == TMAIL_QUEUE_DURABLE)
		n++;
	ck_assert(kit_full());
	ck_assert_uint_gt(n, 50);
	kept = kit_count(&k);
	ck_assert_uint_eq(kept, n);
	/* Deliveries are written down all the same, and make room: no restart. */
	for (uint64_t i = 0; i < n; i++) {
		ck_assert_uint_eq(kit_deliver(&k, i), TMAIL_QUEUE_DURABLE);
		kit_tend(&k);
	}
	kit_add(&k, 5000, 10); /* may still be refused; it carries the word that frees */
	kit_deliver(&k, 5000);
	kit_tend(&k);
	ck_assert_uint_eq(kit_add(&k, 5001, 3000), TMAIL_QUEUE_DURABLE);
	kit_end(&k);
}
END_TEST

START_TEST(room_on_the_disk_is_found_again)
{
	struct kit k = { 0 };
	uint64_t n = 0;

	kit_begin(&k);
	k.disk->capacity = 4 * KIT_SEGMENT;
	while (kit_add(&k, n, 3000) == TMAIL_QUEUE_DURABLE)
		n++;
	ck_assert(kit_full());
	ck_assert_uint_eq(kit_add(&k, n, 3000), TMAIL_QUEUE_NO);
	k.disk->capacity = 0;
	ck_assert_uint_eq(kit_add(&k, n, 3000), TMAIL_QUEUE_DURABLE);
	kit_end(&k);
}
END_TEST

START_TEST(what_is_kept_free_is_not_taken)
{
	struct kit k = { .keep_free = 100 * KIT_SEGMENT };
	uint64_t n = 0;

	kit_begin(&k);
	k.disk->capacity = 110 * (uint64_t)KIT_SEGMENT;
	while (kit_add(&k, n, 3000) == TMAIL_QUEUE_DURABLE)
		n++;
	ck_assert(kit_full());
	ck_assert_uint_le(disk_count(k.disk, "segment-"), 11);
	ck_assert(!kit_spool(&k, 5000, 2 * KIT_SEGMENT));
	ck_assert_uint_eq(disk_count(k.disk, "spool/"), 0);
	kit_end(&k);
}
END_TEST

START_TEST(a_message_longer_than_a_file_is_refused_and_the_rest_is_not)
{
	struct kit k = { 0 };

	kit_begin(&k);
	ck_assert_uint_eq(kit_add(&k, 1, KIT_SEGMENT), TMAIL_QUEUE_NEVER);
	ck_assert(!kit_full());
	ck_assert_uint_eq(kit_add(&k, 2, 100000), TMAIL_QUEUE_DURABLE);
	ck_assert_uint_eq(kit_add(&k, 3, 100000), TMAIL_QUEUE_DURABLE);
	kit_reopen(&k);
	ck_assert_uint_eq(kit_count(&k), 2);
	kit_end(&k);
}
END_TEST

TEST_MAIN("modules/store/journal/faults", any_write_may_fail, any_flush_may_fail,
	any_file_may_not_be_had, any_read_may_fail, the_power_may_go_at_any_call,
	a_failed_flush_refuses_and_the_next_file_says_where_it_ended,
	nothing_is_accepted_until_the_next_header_is_durable,
	what_a_failed_flush_left_in_the_cache_is_written_again,
	a_header_that_was_not_flushed_is_written_again,
	a_file_gets_nothing_more_once_a_header_was_tried,
	a_full_disk_refuses_messages_and_takes_outcomes, room_on_the_disk_is_found_again,
	what_is_kept_free_is_not_taken, a_message_longer_than_a_file_is_refused_and_the_rest_is_not)
