/* SPDX-License-Identifier: MIT
 *
 * One bit is flipped anywhere, a file is cut or lost: what is hurt is said and kept aside, at most
 * that one message or change is missing, and all the rest is served.
 */
#include "kit.h"

#include "tests/lib/test.h"

#include <inttypes.h>
#include <string.h>

enum { MESSAGES = 24, STEP = 61 };

/* n % 3 == 0 is deferred, n % 8 == 7 ended, n == 5 spooled; the store was closed in order. */
static void damage_begin(struct kit *k)
{
	kit_begin(k);
	for (uint64_t n = 0; n < MESSAGES; n++) {
		if (n == 5) {
			ck_assert(kit_spool(k, n, 70000));
			ck_assert_uint_eq(kit_add_spooled(k, n, 70000), TMAIL_QUEUE_DURABLE);
		} else {
			ck_assert_uint_eq(
				kit_add(k, n, n % 4 == 0 ? 20000 : 600), TMAIL_QUEUE_DURABLE);
		}
		if (n % 3 == 0)
			ck_assert_uint_eq(kit_defer(k, n, "450 later"), TMAIL_QUEUE_DURABLE);
		if (n % 8 == 7)
			ck_assert_uint_eq(kit_deliver(k, n), TMAIL_QUEUE_DURABLE);
	}
	kit_tend(k);
	kit_close(k);
}

/* How many messages are not as they were. */
static unsigned damage_count(struct kit *k)
{
	unsigned wrong = 0;

	for (uint64_t n = 0; n < MESSAGES; n++)
		wrong += kit_read(k, n) != (n % 8 == 7 ? TMAIL_NOT_FOUND : TMAIL_OK);
	return wrong;
}

/* Opens the damaged copy with and without its index. Answers how many messages are wrong. */
static unsigned damage_look(struct kit *k, const struct disk *whole, const char *name, size_t at)
{
	struct kit hurt = *k;
	unsigned wrong, said;

	hurt.disk = disk_copy(whole);
	disk_flip(disk_file(hurt.disk, name), at, 1u << at % 8);
	hurt.no_index = true; /* the journal alone */
	ck_assert_msg(kit_open(&hurt), "%s, octet %zu: %s", name, at, hurt.why.text);
	wrong = damage_count(&hurt);
	said = kit_said(&hurt, "journal_damaged");
	ck_assert_msg(wrong <= 1, "%s, octet %zu: %u messages", name, at, wrong);
	/* The end of the journal alone cannot be told from a write that was torn. */
	if (wrong && said == 0)
		ck_assert_int_eq(kit_read(&hurt, MESSAGES - 1) == TMAIL_NOT_FOUND ||
				kit_read(&hurt, MESSAGES - 2) == TMAIL_NOT_FOUND,
			0);
	if (said)
		ck_assert_uint_gt(disk_count(hurt.disk, "quarantine/"), 0);
	/* It works on. */
	ck_assert_uint_eq(kit_add(&hurt, 5000, 100), TMAIL_QUEUE_DURABLE);
	kit_close(&hurt);
	disk_free(&hurt.disk);
	return wrong;
}

START_TEST(one_bit_hurts_one_message_at_most)
{
	struct kit k = { 0 };
	unsigned wrong = 0, looked = 0;

	damage_begin(&k);
	for (size_t i = 0; i < k.disk->now_count; i++) {
		const char *name = k.disk->now[i].name;
		size_t size = disk_file(k.disk, name)->size;

		for (size_t at = i; at < size; at += STEP * 7, looked++)
			wrong += damage_look(&k, k.disk, name, at);
	}
	printf("%u places, %u of them hurt a message\n", looked, wrong);
	ck_assert_uint_gt(wrong, 20);
	ck_assert(kit_open(&k));
	kit_end(&k);
}
END_TEST

/* With the index of a store that was closed in order, even the last batch is known to be hurt. */
START_TEST(damage_at_the_end_of_a_closed_journal_is_known)
{
	struct kit k = { 0 };
	struct disk_inode *file;
	uint64_t end;

	kit_begin(&k);
	kit_add(&k, 1, 500);
	kit_add(&k, 2, 500);
	end = k.store->writer.end - k.store->writer.active->base;
	kit_close(&k);
	file = disk_file(k.disk, "segment-00000001");
	ck_assert_ptr_nonnull(file);
	disk_flip(file, (size_t)end + 4096 - 4000, 1);
	ck_assert(kit_open(&k));
	ck_assert_uint_eq(kit_said(&k, "journal_damaged"), 1);
	ck_assert_int_eq(kit_read(&k, 1), TMAIL_OK);
	ck_assert_uint_eq(kit_count(&k), 1);
	kit_end(&k);
}
END_TEST

START_TEST(damage_that_is_met_while_reading_is_kept_aside)
{
	struct kit k = { 0 };
	struct living *m;

	kit_begin(&k);
	for (uint64_t n = 1; n < 4; n++)
		kit_add(&k, n, 500);
	m = table_find(&k.store->table, kit_id(2));
	disk_flip(disk_file(k.disk, "segment-00000001"), (size_t)(m->lsn + m->length - 20), 4);
	ck_assert_int_eq(kit_read(&k, 1), TMAIL_OK);
	ck_assert_int_eq(kit_read(&k, 2), TMAIL_NOT_FOUND);
	ck_assert_int_eq(kit_read(&k, 3), TMAIL_OK);
	ck_assert_uint_eq(kit_said(&k, "journal_damaged"), 1);
	ck_assert_uint_eq(disk_count(k.disk, "quarantine/"), 1);
	ck_assert_uint_eq(kit_count(&k), 2);
	kit_reopen(&k);
	ck_assert_uint_eq(kit_count(&k), 2);
	ck_assert_uint_eq(disk_count(k.disk, "quarantine/"), 1);
	kit_end(&k);
}
END_TEST

START_TEST(a_damaged_spool_is_kept_aside_with_its_message)
{
	struct kit k = { 0 };
	char name[DISK_NAME] = "";

	kit_begin(&k);
	kit_spool(&k, 1, 200000);
	kit_add_spooled(&k, 1, 200000);
	kit_add(&k, 2, 10);
	for (size_t i = 0; i < k.disk->now_count; i++)
		if (strncmp(k.disk->now[i].name, "spool/", 6) == 0)
			memcpy(name, k.disk->now[i].name, sizeof name);
	disk_flip(disk_file(k.disk, name), 150000, 1);
	ck_assert_int_eq(kit_read(&k, 1), TMAIL_NOT_FOUND);
	ck_assert_int_eq(kit_read(&k, 2), TMAIL_OK);
	ck_assert_uint_eq(disk_count(k.disk, "spool/"), 0);
	ck_assert_uint_eq(disk_count(k.disk, "quarantine/"), 2);
	kit_reopen(&k);
	ck_assert_uint_eq(disk_count(k.disk, "quarantine/"), 2);
	kit_end(&k);
}
END_TEST

START_TEST(a_file_that_is_lost_takes_only_its_own)
{
	struct kit k = { .no_index = true };

	kit_begin(&k);
	for (uint64_t n = 0; n < 100; n++)
		kit_add(&k, n, 3500);
	ck_assert_uint_ge(k.store->segments.used_count, 4);
	kit_close(&k);
	disk_lose(k.disk, "segment-00000002");
	ck_assert(kit_open(&k));
	ck_assert_uint_eq(kit_said(&k, "journal_file_missing"), 1);
	ck_assert_uint_gt(kit_count(&k), 60);
	ck_assert_uint_lt(kit_count(&k), 75);
	ck_assert_int_eq(kit_read(&k, 0), TMAIL_OK);
	ck_assert_int_eq(kit_read(&k, 99), TMAIL_OK);
	kit_end(&k);
}
END_TEST

START_TEST(a_file_that_was_cut_serves_what_it_has)
{
	struct kit k = { .no_index = true };

	kit_begin(&k);
	for (uint64_t n = 0; n < 100; n++)
		kit_add(&k, n, 3500);
	kit_close(&k);
	disk_cut(k.disk, "segment-00000001", 70000);
	ck_assert(kit_open(&k));
	ck_assert_uint_ge(kit_said(&k, "journal_damaged"), 1);
	ck_assert_int_eq(kit_read(&k, 0), TMAIL_OK);
	ck_assert_int_eq(kit_read(&k, 25), TMAIL_NOT_FOUND);
	ck_assert_int_eq(kit_read(&k, 99), TMAIL_OK);
	kit_end(&k);
}
END_TEST

START_TEST(a_store_of_which_nothing_can_be_read_is_not_begun_anew)
{
	struct kit k = { .no_index = true };

	kit_begin(&k);
	kit_add(&k, 1, 100);
	kit_close(&k);
	disk_flip(disk_file(k.disk, "segment-00000001"), 20, 1);
	disk_flip(disk_file(k.disk, "segment-00000001"), 4096 + 5, 1);
	ck_assert(!kit_open(&k));
	ck_assert_ptr_nonnull(strstr(k.why.text, "segment-00000001"));
	disk_lose(k.disk, "segment-00000001");
	ck_assert(kit_open(&k));
	kit_end(&k);
}
END_TEST

/* The index may lie in any way: SQLite has no checksums, the rows that count have. */
START_TEST(a_damaged_index_changes_nothing)
{
	struct kit k = { 0 };
	struct buf before = { 0 }, after = { 0 };
	char *image;
	long size;
	FILE *f;

	damage_begin(&k);
	ck_assert(kit_open(&k));
	kit_print(&k, &before);
	kit_close(&k);
	f = fopen(k.index, "r");
	fseek(f, 0, SEEK_END);
	size = ftell(f);
	image = must_alloc((size_t)size);
	rewind(f);
	ck_assert_uint_eq(fread(image, 1, (size_t)size, f), (size_t)size);
	fclose(f);
	for (long at = 0; at < size; at += 97) {
		f = fopen(k.index, "w");
		image[at] ^= 0x10;
		fwrite(image, 1, (size_t)size, f);
		image[at] ^= 0x10;
		fclose(f);
		ck_assert_msg(kit_open(&k), "%s", k.why.text);
		ck_assert_msg(damage_count(&k) == 0, "octet %ld", at);
		kit_close(&k);
	}
	unlink(k.index);
	ck_assert(kit_open(&k));
	kit_print(&k, &after);
	ck_assert_str_eq(buf_c(&before), buf_c(&after));
	free(image);
	buf_free(&before);
	buf_free(&after);
	kit_end(&k);
}
END_TEST

START_TEST(an_old_copy_of_the_index_is_thrown_away)
{
	struct kit k = { 0 };
	struct buf before = { 0 }, after = { 0 };
	char old[TEST_FOLDER + 32];

	kit_begin(&k);
	snprintf(old, sizeof old, "%s.old", k.index);
	kit_add(&k, 1, 100);
	kit_defer(&k, 1, "450 later");
	kit_close(&k);
	rename(k.index, old);
	ck_assert(kit_open(&k));
	for (uint64_t n = 2; n < 400; n++) { /* files are used again, what is in the copy is gone */
		kit_add(&k, n, 2000);
		if (n % 2)
			kit_deliver(&k, n);
		if (n == 3)
			kit_deliver(&k, 1);
		if (n > 6 && n % 2 == 0)
			kit_deliver(&k, n - 4);
		kit_tend(&k);
	}
	ck_assert_uint_gt(k.store->segments.used[0]->base, 8192);
	kit_print(&k, &before);
	kit_close(&k);
	rename(old, k.index);
	ck_assert(kit_open(&k));
	ck_assert_uint_eq(kit_said(&k, "journal_index_made"), 1);
	kit_print(&k, &after);
	ck_assert_str_eq(buf_c(&before), buf_c(&after));
	buf_free(&before);
	buf_free(&after);
	kit_end(&k);
}
END_TEST

TEST_MAIN("modules/store/journal/damage", one_bit_hurts_one_message_at_most,
	damage_at_the_end_of_a_closed_journal_is_known,
	damage_that_is_met_while_reading_is_kept_aside,
	a_damaged_spool_is_kept_aside_with_its_message, a_file_that_is_lost_takes_only_its_own,
	a_file_that_was_cut_serves_what_it_has,
	a_store_of_which_nothing_can_be_read_is_not_begun_anew, a_damaged_index_changes_nothing,
	an_old_copy_of_the_index_is_thrown_away)
