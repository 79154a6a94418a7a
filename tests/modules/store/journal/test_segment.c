/* SPDX-License-Identifier: MIT
 *
 * Segment files: what each is taken for when a folder is opened.
 */
#include "disk.h"

#include "base/encode.h"
#include "modules/store/journal/segment.h"
#include "tests/lib/test.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

enum { SIZE = 64 * 1024 };

struct rig {
	struct disk *disk;
	struct segments s;
	struct why why;
};

static void rig_open(struct rig *rig)
{
	ck_assert_msg(
		segments_open(&rig->s, &rig->disk->files, SIZE, &rig->why), "%s", rig->why.text);
}

static struct segment *make(struct rig *rig)
{
	bool full;
	struct segment *segment = segment_make(&rig->s, segments_number(&rig->s), &full, &rig->why);

	ck_assert_ptr_nonnull(segment);
	return segment;
}

static struct segment *begin(struct rig *rig, uint64_t previous_end, uint64_t first)
{
	struct segment *segment = make(rig);

	ck_assert(segment_begin(&rig->s, segment, previous_end, first, &rig->why));
	segments_add_used(&rig->s, segment);
	return segment;
}

/* One small batch at its start. */
static void fill(struct rig *rig, const struct segment *segment, uint64_t lsn)
{
	struct tmail_queue_op op = { .change = TMAIL_QUEUE_END, .id = { 1, 2 } };
	struct batch_head head = { .lsn = lsn, .flushed = lsn };
	struct extent extent = { 0, 0 };
	struct batch b = { 0 };
	char *to;
	size_t size;

	batch_begin(&b, BLOCK);
	to = batch_reserve(&b, extent_size(extent));
	record_write(to, &op, extent, 0, 0);
	batch_add(&b, to, extent_size(extent));
	size = batch_end(&b, &rig->s.id, &head);
	ck_assert_int_eq(segment_write(&rig->s, segment, lsn, b.data, size), 0);
	batch_free(&b);
}

static void rig_restart(struct rig *rig)
{
	segments_close(&rig->s);
	disk_crash(rig->disk, CRASH_ALL);
	rig_open(rig);
}

START_TEST(positions_go_on_from_file_to_file)
{
	struct rig rig = { .disk = disk_new(1) };
	struct segment *one, *two;

	rig_open(&rig);
	ck_assert(!rig.s.known);
	one = begin(&rig, BLOCK, 0);
	two = begin(&rig, one->base + 8192, 0);
	ck_assert_uint_gt(one->base, 0);
	ck_assert_uint_eq(two->base, segment_end(one));
	ck_assert_ptr_eq(segments_at(&rig.s, one->base), one);
	ck_assert_ptr_eq(segments_at(&rig.s, two->base - 1), one);
	ck_assert_ptr_eq(segments_at(&rig.s, two->base), two);
	ck_assert_ptr_null(segments_at(&rig.s, segment_end(two)));
	ck_assert_ptr_null(segments_at(&rig.s, 0));
	rig_restart(&rig);
	ck_assert_uint_eq(rig.s.used_count, 2);
	ck_assert_uint_eq(rig.s.used[1]->previous_end, rig.s.used[0]->base + 8192);
	ck_assert_uint_eq(rig.s.next_base, segment_end(rig.s.used[1]));
	segments_close(&rig.s);
	disk_free(&rig.disk);
}
END_TEST

START_TEST(what_lies_below_first_is_spare)
{
	struct rig rig = { .disk = disk_new(1) };
	struct segment *one;
	uint64_t end;

	rig_open(&rig);
	one = begin(&rig, BLOCK, 0);
	end = segment_end(one);
	begin(&rig, end, 0);
	begin(&rig, segment_end(rig.s.used[1]), end);
	rig_restart(&rig);
	ck_assert_uint_eq(rig.s.used_count, 2);
	ck_assert_uint_eq(rig.s.used[0]->base, end);
	ck_assert_uint_eq(rig.s.spare_count, 1);
	ck_assert_uint_eq(rig.s.first, end);
	segments_close(&rig.s);
	disk_free(&rig.disk);
}
END_TEST

START_TEST(a_failed_header_uses_its_range_up)
{
	struct rig rig = { .disk = disk_new(1) };
	struct segment *one, *lost;
	uint64_t end;

	rig_open(&rig);
	one = begin(&rig, BLOCK, 0);
	end = segment_end(one);
	lost = make(&rig);
	disk_fail(rig.disk, DISK_FLUSH, 1, -EIO);
	ck_assert(!segment_begin(&rig.s, lost, end, 0, &rig.why));
	segment_close(&rig.s, &lost);
	ck_assert_uint_gt(begin(&rig, end, 0)->base, end);
	segments_close(&rig.s);
	disk_free(&rig.disk);
}
END_TEST

START_TEST(a_file_with_a_damaged_header_is_known_by_its_batches)
{
	struct rig rig = { .disk = disk_new(1) };
	struct segment *one;
	uint64_t base;

	rig_open(&rig);
	one = begin(&rig, BLOCK, 0);
	fill(&rig, one, one->base);
	base = one->base;
	segments_close(&rig.s);
	disk_flip(disk_file(rig.disk, "segment-00000001"), 40, 1);
	rig_open(&rig); /* the only file: its batch also says whose it is */
	ck_assert(rig.s.known);
	ck_assert_uint_eq(rig.s.used_count, 1);
	ck_assert(rig.s.used[0]->headless);
	ck_assert_uint_eq(rig.s.used[0]->base, base);
	segments_close(&rig.s);
	disk_free(&rig.disk);
}
END_TEST

START_TEST(a_blank_file_is_spare_and_a_strange_one_is_left_alone)
{
	struct rig rig = { .disk = disk_new(1) };
	struct segment *segment;

	rig_open(&rig);
	begin(&rig, BLOCK, 0);
	segment = make(&rig);
	segments_add_spare(&rig.s, segment);
	segment = make(&rig);
	ck_assert_int_eq(
		rig.disk->files.write_at(&rig.disk->files, segment->fd, "what?", 5, 8192), 5);
	segments_add_spare(&rig.s, segment);
	rig_restart(&rig);
	ck_assert_uint_eq(rig.s.used_count, 1);
	ck_assert_uint_eq(rig.s.spare_count, 1);
	ck_assert_uint_eq(rig.s.aside, 1);
	ck_assert_uint_eq(rig.s.aside_number, 3);
	ck_assert(disk_has(rig.disk, "segment-00000003"));
	segments_close(&rig.s);
	disk_free(&rig.disk);
}
END_TEST

START_TEST(a_newer_format_is_refused)
{
	struct rig rig = { .disk = disk_new(1) };
	struct disk_inode *file;
	uint32_t crc;

	rig_open(&rig);
	begin(&rig, BLOCK, 0);
	segments_close(&rig.s);
	file = disk_file(rig.disk, "segment-00000001");
	file->now[72] = 2; /* the version that is needed */
	memset(file->now + 8, 0, sizeof crc);
	crc = htole32(crc32c(0, file->now, SEGMENT_HEADER));
	memcpy(file->now + 8, &crc, sizeof crc);
	ck_assert(!segments_open(&rig.s, &rig.disk->files, SIZE, &rig.why));
	ck_assert_ptr_nonnull(strstr(rig.why.text, "newer"));
	disk_free(&rig.disk);
}
END_TEST

START_TEST(files_of_another_store_are_refused)
{
	struct rig rig = { .disk = disk_new(1) }, other = { .disk = disk_new(2) };
	struct disk_inode *theirs, *ours;

	rig_open(&rig);
	begin(&rig, BLOCK, 0);
	begin(&rig, BLOCK, 0);
	rig_open(&other);
	begin(&other, BLOCK, 0);
	theirs = disk_file(other.disk, "segment-00000001");
	ours = disk_file(rig.disk, "segment-00000002");
	memcpy(ours->now, theirs->now, SEGMENT_HEADER);
	segments_close(&rig.s);
	ck_assert(!segments_open(&rig.s, &rig.disk->files, SIZE, &rig.why));
	ck_assert_ptr_nonnull(strstr(rig.why.text, "another store"));
	segments_close(&other.s);
	disk_free(&rig.disk);
	disk_free(&other.disk);
}
END_TEST

START_TEST(a_file_that_got_no_space_is_not_left_behind)
{
	struct rig rig = { .disk = disk_new(1) };
	bool full;

	rig_open(&rig);
	rig.disk->capacity = SIZE / 2;
	ck_assert_ptr_null(segment_make(&rig.s, 1, &full, &rig.why));
	ck_assert(full);
	ck_assert_uint_eq(disk_count(rig.disk, "segment-"), 0);
	rig.disk->capacity = 0;
	disk_fail(rig.disk, DISK_ALLOCATE, 1, -EIO);
	ck_assert_ptr_null(segment_make(&rig.s, 1, &full, &rig.why));
	ck_assert(!full);
	segments_close(&rig.s);
	disk_free(&rig.disk);
}
END_TEST

/* A new file, full of what was there before. */
static void zero_over_noise(struct rig *rig)
{
	struct segment *segment;
	struct disk_inode *file;

	rig_open(rig);
	segment = make(rig);
	file = &rig->disk->inodes[segment->fd - 100];
	memset(file->now, 'n', file->size);
	ck_assert(segment_zero(&rig->s, segment, &rig->why));
	ck_assert_uint_eq(file->size, SIZE);
	ck_assert_uint_eq(file->kept_size, file->size);
	for (size_t i = 0; i < file->kept_size; i++)
		ck_assert_int_eq(file->kept[i], 0);
	segment_close(&rig->s, &segment);
	segments_close(&rig->s);
}

START_TEST(zeros_go_past_the_cache)
{
	struct rig rig = { .disk = disk_new(1) };

	rig.disk->block = BLOCK;
	zero_over_noise(&rig);
	ck_assert_uint_gt(rig.disk->direct, 0);
	disk_free(&rig.disk);
}
END_TEST

START_TEST(zeros_go_through_the_cache_where_blocks_are_larger_than_ours)
{
	struct rig rig = { .disk = disk_new(1) };

	rig.disk->block = 1024 * 1024 * 1024;
	zero_over_noise(&rig);
	ck_assert_uint_eq(rig.disk->direct, 0);
	disk_free(&rig.disk);
}
END_TEST

static void write_long_and_short(struct rig *rig, bool past)
{
	char *from = aligned_alloc(BLOCK, 2 * BLOCK), to[2 * BLOCK];
	struct segment *segment;

	rig_open(rig);
	begin(rig, BLOCK, 0);
	segment = rig->s.used[0];
	memset(from, 'x', 2 * BLOCK);
	rig->disk->direct = 0;
	ck_assert_int_eq(segment_write(&rig->s, segment, segment->base, from, BLOCK), 0);
	ck_assert_uint_eq(rig->disk->direct > 0, past);
	rig->disk->direct = 0;
	ck_assert_int_eq(segment_write(&rig->s, segment, segment->base, from, 2 * BLOCK), 0);
	ck_assert_uint_eq(rig->disk->direct > 0, past);
	ck_assert_int_eq(segment_read(&rig->s, segment, segment->base, to, 2 * BLOCK), 0);
	ck_assert_mem_eq(from, to, 2 * BLOCK);
	segment_settle(&rig->s, segment);
	rig->disk->direct = 0;
	ck_assert_int_eq(segment_write(&rig->s, segment, segment->base, from, 2 * BLOCK), 0);
	ck_assert_uint_eq(rig->disk->direct, 0);
	free(from);
	segments_close(&rig->s);
}

START_TEST(batches_go_past_the_cache)
{
	for (uint64_t seed = 1; seed < 64; seed++) { /* some are cut short */
		struct rig rig = { .disk = disk_new(seed) };

		rig.disk->block = BLOCK;
		write_long_and_short(&rig, true);
		disk_free(&rig.disk);
	}
}
END_TEST

START_TEST(batches_go_through_the_cache_where_nothing_goes_past_it)
{
	struct rig rig = { .disk = disk_new(1) };

	write_long_and_short(&rig, false);
	disk_free(&rig.disk);
	rig.disk = disk_new(1);
	rig.disk->block = 1024 * 1024 * 1024;
	write_long_and_short(&rig, false);
	disk_free(&rig.disk);
}
END_TEST

/* The rest of a write that was cut short does not begin at a block. */
START_TEST(zeros_cut_short_are_written_all_the_same)
{
	for (uint64_t seed = 1; seed < 64; seed++) {
		struct rig rig = { .disk = disk_new(seed) };

		rig.disk->block = BLOCK;
		zero_over_noise(&rig);
		disk_free(&rig.disk);
	}
}
END_TEST

START_TEST(spare_files_of_another_size_go)
{
	struct rig rig = { .disk = disk_new(1) };

	rig_open(&rig);
	begin(&rig, BLOCK, 0);
	segments_add_spare(&rig.s, make(&rig));
	segments_close(&rig.s);
	disk_crash(rig.disk, CRASH_ALL);
	ck_assert(segments_open(&rig.s, &rig.disk->files, 2 * SIZE, &rig.why));
	ck_assert_uint_eq(rig.s.used_count, 1);
	ck_assert_uint_eq(rig.s.used[0]->capacity, SIZE - SEGMENT_HEADER);
	ck_assert_uint_eq(rig.s.spare_count, 0);
	ck_assert_uint_eq(disk_count(rig.disk, "segment-"), 1);
	segments_close(&rig.s);
	disk_free(&rig.disk);
}
END_TEST

TEST_MAIN("modules/store/journal/segment", positions_go_on_from_file_to_file,
	what_lies_below_first_is_spare, a_failed_header_uses_its_range_up,
	a_file_with_a_damaged_header_is_known_by_its_batches,
	a_blank_file_is_spare_and_a_strange_one_is_left_alone, a_newer_format_is_refused,
	files_of_another_store_are_refused, a_file_that_got_no_space_is_not_left_behind,
	batches_go_past_the_cache, batches_go_through_the_cache_where_nothing_goes_past_it,
	zeros_go_past_the_cache, zeros_go_through_the_cache_where_blocks_are_larger_than_ours,
	zeros_cut_short_are_written_all_the_same, spare_files_of_another_size_go)
