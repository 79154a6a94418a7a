/* SPDX-License-Identifier: MIT
 *
 * The store as a whole: which files it uses, frees and uses again, what the index costs, and that
 * a start with or without it comes to the same.
 */
#include "kit.h"

#include "modules/store/journal/find.h"
#include "tests/lib/test.h"

#include <string.h>

/* Adds and delivers, so that nothing lives for long. */
static void flow(struct kit *k, uint64_t from, uint64_t count)
{
	for (uint64_t n = from; n < from + count; n++) {
		ck_assert_uint_eq(kit_add(k, n, 3000), TMAIL_QUEUE_DURABLE);
		ck_assert_uint_eq(kit_deliver(k, n), TMAIL_QUEUE_DURABLE);
		if (n % 8 == 0)
			kit_tend(k);
	}
}

START_TEST(files_are_used_again_and_never_removed_by_the_way)
{
	struct kit k = { 0 };
	size_t files;

	kit_begin(&k);
	flow(&k, 0, 300);
	files = disk_count(k.disk, "segment-");
	ck_assert_uint_le(files, 5);
	flow(&k, 1000, 1000);
	ck_assert_uint_eq(disk_count(k.disk, "segment-"), files);
	ck_assert_uint_eq(k.disk->calls[DISK_REMOVE], 0);
	ck_assert_uint_gt(k.store->segments.used[0]->base, 50 * (uint64_t)KIT_SEGMENT);
	kit_end(&k);
}
END_TEST

START_TEST(what_stays_long_is_copied_out_of_the_way)
{
	struct kit k = { 0 };

	kit_begin(&k);
	for (uint64_t n = 0; n < 10; n++) {
		kit_add(&k, 100000 + n, 2000);
		kit_defer(&k, 100000 + n, "450 later");
	}
	kit_hold(&k, 100003, "why");
	flow(&k, 0, 1000);
	ck_assert_uint_le(k.store->segments.used_count, 6);
	ck_assert_uint_gt(k.store->notes.metrics[METRIC_COPIED], 10);
	for (int again = 0; again < 2; again++) {
		struct buf out = { 0 };

		for (uint64_t n = 0; n < 10; n++)
			ck_assert_int_eq(kit_read(&k, 100000 + n), TMAIL_OK);
		kit_print(&k, &out);
		ck_assert_ptr_nonnull(strstr(buf_c(&out),
			"100009/0 fate=1 attempts=1 due=500 "
			"octets=2000 reply=450 later hold=\n"));
		ck_assert_ptr_nonnull(strstr(buf_c(&out), "reply=450 later hold=why\n"));
		buf_free(&out);
		kit_close(&k);
		unlink(k.index);
		ck_assert(kit_open(&k));
	}
	kit_end(&k);
}
END_TEST

START_TEST(a_reader_keeps_its_file)
{
	struct kit k = { 0 };
	struct arena *arena = arena_new(1024);
	struct memory memory = { .arena = arena };
	struct snapshot snap;
	struct view view;

	kit_begin(&k);
	kit_add(&k, 100000, 2000);
	ck_assert_int_eq(snapshot_take(k.store, kit_id(100000), &memory, &snap), TMAIL_OK);
	kit_deliver(&k, 100000);
	flow(&k, 0, 300);
	ck_assert_uint_gt(k.store->segments.used_count, 10); /* all behind it wait */
	ck_assert_int_eq(view_read(k.store, &snap, VIEW_CONTENT, &memory, &view), TMAIL_OK);
	ck_assert_uint_eq(view.record.content.len, 2000);
	snapshot_drop(k.store, &snap);
	flow(&k, 1000, 1);
	kit_tend(&k);
	ck_assert_uint_lt(k.store->segments.used_count, 5);
	arena_free(&arena);
	kit_end(&k);
}
END_TEST

START_TEST(after_a_large_backlog_spare_files_go)
{
	struct kit k = { 0 };
	enum { BACKLOG = 1000 };

	kit_begin(&k);
	for (uint64_t n = 0; n < BACKLOG; n++)
		kit_add(&k, n, 3000);
	ck_assert_uint_gt(disk_count(k.disk, "segment-"), 30);
	for (uint64_t n = 0; n < BACKLOG; n++)
		kit_deliver(&k, n);
	kit_tend(&k);
	flow(&k, 5000, 50);
	kit_tend(&k);
	ck_assert_uint_le(disk_count(k.disk, "segment-"), 10);
	kit_end(&k);
}
END_TEST

START_TEST(mail_delivered_at_the_first_try_never_touches_the_index)
{
	struct kit k = { 0 };

	kit_begin(&k);
	flow(&k, 0, 20);
	kit_tend(&k);
	ck_assert_uint_eq(k.store->notes.metrics[METRIC_INDEXED], 0);
	kit_add(&k, 100, 10);
	kit_defer(&k, 100, "450");
	kit_tend(&k);
	ck_assert_uint_eq(k.store->notes.metrics[METRIC_INDEXED], 1);
	kit_end(&k);
}
END_TEST

/* It is the store's whose name it has; a store without a file would get a name by chance. */
START_TEST(a_store_without_mail_keeps_its_index)
{
	struct kit k = { 0 };
	struct store_id first;

	kit_begin(&k);
	first = k.store->segments.id;
	for (int i = 0; i < 3; i++) {
		kit_close(&k);
		ck_assert(kit_open(&k));
		ck_assert_mem_eq(&k.store->segments.id, &first, sizeof first);
	}
	kit_add(&k, 1, 100);
	kit_defer(&k, 1, "450");
	kit_tend(&k);
	kit_close(&k);
	ck_assert(kit_open(&k));
	ck_assert_uint_eq(kit_count(&k), 1);
	ck_assert_mem_eq(&k.store->segments.id, &first, sizeof first);
	ck_assert_uint_eq(kit_said(&k, "journal_index_made"), 0);
	kit_end(&k);
}
END_TEST

static void without_its_journal(bool deferred)
{
	struct kit k = { 0 };
	struct store_id before;

	kit_begin(&k);
	before = k.store->segments.id;
	kit_add(&k, 1, 100);
	if (deferred)
		kit_defer(&k, 1, "450");
	else
		kit_deliver(&k, 1);
	kit_tend(&k);
	kit_close(&k);
	disk_free(&k.disk);
	k.disk = disk_new(2);
	ck_assert(kit_open(&k));
	ck_assert_uint_eq(kit_count(&k), 0);
	ck_assert_mem_ne(&k.store->segments.id, &before, sizeof before);
	kit_end(&k);
}

START_TEST(an_index_that_has_seen_mail_is_nothing_without_its_journal)
{
	without_its_journal(true);
	without_its_journal(false);
}
END_TEST

START_TEST(opening_and_looking_writes_nothing_new)
{
	struct kit k = { 0 };
	struct buf out = { 0 };
	uint64_t end;
	size_t files;

	kit_begin(&k);
	kit_add(&k, 1, 100);
	kit_close(&k);
	files = disk_count(k.disk, "segment-");
	for (int i = 0; i < 5; i++) {
		ck_assert(kit_open(&k));
		end = k.store->writer.end;
		kit_print(&k, &out);
		ck_assert_uint_eq(kit_count(&k), 1);
		kit_tend(&k);
		ck_assert_uint_eq(k.store->writer.end, end);
		ck_assert_uint_eq(k.store->segments.used_count, 1);
		kit_close(&k);
	}
	ck_assert_uint_eq(disk_count(k.disk, "segment-"), files);
	ck_assert(kit_open(&k));
	buf_free(&out);
	kit_end(&k);
}
END_TEST

/* 100,000 deferred messages: the index is deleted, and the start makes it anew, equal. */
START_TEST(an_index_that_was_deleted_is_made_anew_equal)
{
	enum { DEFERRED = 100000, CALL = 500 };
	struct kit k = { .segment_size = 4 * 1024 * 1024 };
	struct buf before = { 0 }, after = { 0 };

	kit_begin(&k);
	for (uint64_t n = 0; n < DEFERRED; n += CALL) {
		static struct tmail_queue_op ops[2 * CALL];
		static struct tmail_queue_verdict results[2 * CALL];
		struct tmail_recipient recipient = { .address = TMAIL_STR("r@example.com") };
		struct tmail_envelope e = { .size = sizeof e,
			.sender = TMAIL_STR("s@example.com"),
			.recipients = { &recipient, 1, sizeof recipient } };
		struct tmail_queue_write q = { sizeof q, 2 * CALL, TMAIL_LIST(ops), results };

		for (uint64_t i = 0; i < CALL; i++) {
			ops[i] = (struct tmail_queue_op){
				.change = TMAIL_QUEUE_ADD, .id = kit_id(n + i), .envelope = &e
			};
			ops[CALL + i] = (struct tmail_queue_op){ .change = TMAIL_QUEUE_OUTCOME,
				.id = kit_id(n + i),
				.fate = TMAIL_FATE_DEFERRED,
				.due = (int64_t)(n + i) * 7 % 1000,
				.attempts = i % 5,
				.reply = TMAIL_STR("450 try again") };
		}
		store_write(k.store, &q);
		ck_assert_uint_eq(results[2 * CALL - 1].result, TMAIL_QUEUE_DURABLE);
	}
	kit_tend(&k);
	ck_assert_uint_eq(k.store->table.dirty_count, 0);
	kit_print(&k, &before);
	kit_close(&k);
	unlink(k.index);
	ck_assert(kit_open(&k));
	kit_print(&k, &after); /* from the journal */
	ck_assert(str_equal(buf_str(&before), buf_str(&after)));
	kit_tend(&k);
	kit_print(&k, &after); /* from the index that was made */
	ck_assert(str_equal(buf_str(&before), buf_str(&after)));
	ck_assert_ptr_null(k.store->table.fresh);
	kit_reopen(&k);
	kit_print(&k, &after);
	ck_assert(str_equal(buf_str(&before), buf_str(&after)));
	buf_free(&before);
	buf_free(&after);
	kit_end(&k);
}
END_TEST

static int count_up(void *ctx, const struct tmail_queue_entry *e)
{
	(void)e;
	++*(unsigned *)ctx;
	return 0;
}

START_TEST(a_page_costs_a_page)
{
	struct kit k = { .no_index = true };
	unsigned count = 0;
	struct tmail_queue_find q = {
		.size = sizeof q, .limit = 5, .found = count_up, .ctx = &count
	};
	uint64_t reads;

	kit_begin(&k);
	for (uint64_t n = 0; n < 500; n++)
		kit_add(&k, n, 10);
	reads = k.disk->calls[DISK_READ];
	ck_assert_int_eq(store_find(k.store, &q), TMAIL_OK);
	ck_assert_uint_eq(count, 5);
	ck_assert_uint_lt(k.disk->calls[DISK_READ] - reads, 30);
	kit_end(&k);
}
END_TEST

START_TEST(a_write_is_one_flush)
{
	struct kit k = { 0 };
	uint64_t flushes, writes;

	kit_begin(&k);
	kit_add(&k, 1, 100);
	flushes = k.disk->calls[DISK_FLUSH];
	writes = k.disk->calls[DISK_WRITE];
	kit_add(&k, 2, 100);
	kit_deliver(&k, 2);
	ck_assert_uint_eq(k.disk->calls[DISK_FLUSH] - flushes, 2);
	ck_assert_uint_le(k.disk->calls[DISK_WRITE] - writes, 6); /* short writes are made whole */
	kit_end(&k);
}
END_TEST

START_TEST(orphans_of_the_spool_are_swept_at_start)
{
	struct kit k = { 0 };

	kit_begin(&k);
	kit_spool(&k, 1, 1000);
	kit_add_spooled(&k, 1, 1000);
	kit_spool(&k, 2, 1000);
	kit_spool(&k, 3, 1000);
	kit_add_spooled(&k, 3, 1000);
	ck_assert_uint_eq(disk_count(k.disk, "spool/"), 3);
	kit_deliver(&k, 3);
	kit_tend(&k);
	ck_assert_uint_eq(disk_count(k.disk, "spool/"), 2);
	kit_reopen(&k);
	ck_assert_uint_eq(disk_count(k.disk, "spool/"), 1);
	ck_assert_int_eq(kit_read(&k, 1), TMAIL_OK);
	kit_end(&k);
}
END_TEST

START_TEST(a_message_whose_end_is_missing_ends_at_start)
{
	struct kit k = { 0 };
	struct tmail_queue_op op = {
		.change = TMAIL_QUEUE_OUTCOME, .id = kit_id(1), .fate = TMAIL_FATE_DELIVERED
	};
	struct tmail_queue_verdict result;
	struct tmail_queue_write q = { sizeof q, 1, { &op, 1, sizeof op }, &result };

	kit_begin(&k);
	kit_add(&k, 1, 100);
	store_write(k.store, &q);
	ck_assert_uint_eq(kit_count(&k), 1);
	kit_reopen(&k);
	ck_assert_uint_eq(kit_said(&k, "journal_ended"), 1);
	ck_assert_uint_eq(kit_count(&k), 0);
	ck_assert_int_eq(kit_check(&k, 1), TMAIL_OK);
	kit_end(&k);
}
END_TEST

TEST_MAIN("modules/store/journal/store", files_are_used_again_and_never_removed_by_the_way,
	what_stays_long_is_copied_out_of_the_way, a_reader_keeps_its_file,
	after_a_large_backlog_spare_files_go,
	mail_delivered_at_the_first_try_never_touches_the_index,
	a_store_without_mail_keeps_its_index,
	an_index_that_has_seen_mail_is_nothing_without_its_journal,
	opening_and_looking_writes_nothing_new, an_index_that_was_deleted_is_made_anew_equal,
	a_page_costs_a_page, a_write_is_one_flush, orphans_of_the_spool_are_swept_at_start,
	a_message_whose_end_is_missing_ends_at_start)
