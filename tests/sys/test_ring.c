/* SPDX-License-Identifier: MIT
 *
 * The ring: what is newest is there, whatever was torn, overwritten, or made up.
 */
#include "sys/ring.h"

#include "base/buf.h"
#include "sys/file.h"
#include "sys/thread.h"
#include "tests/lib/folder.h"
#include "tests/lib/test.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIZE = 4 * RING_SLOT, LARGE = 64 * RING_SLOT, OCTETS = 200 };

static char folder[TEST_FOLDER], path[TEST_FOLDER + 16];
static struct why why;

static void set_up(void)
{
	test_folder_make(folder);
	snprintf(path, sizeof path, "%s/ring", folder);
}

static struct ring *opened(void)
{
	struct ring *r = ring_open(path, SIZE, &why);

	ck_assert_msg(r != NULL, "%s", why.text);
	return r;
}

/* Record n has its number in each octet's place and n as its time. */
static void record_add_to(struct buf *out, int64_t n, int64_t time)
{
	char head[RING_HEAD], text[OCTETS];

	ring_head(head, RING_HEAD + OCTETS, time);
	memset(text, 'x', sizeof text);
	snprintf(text, sizeof text, "%lld", (long long)n);
	buf_add(out, str_make(head, sizeof head));
	buf_add(out, str_make(text, sizeof text));
}

/* Each by itself. */
static void append(struct ring *r, int64_t from, int64_t to)
{
	struct buf out = { 0 };

	for (int64_t n = from; n < to; n++) {
		buf_clear(&out);
		record_add_to(&out, n, n);
		ck_assert_uint_eq(ring_append(r, buf_str(&out), 0), 0);
	}
	buf_free(&out);
}

struct seen {
	int64_t first, last;
	uint64_t count, lost, gaps;
};

/* All from a time on; each record must be what was written. */
static struct seen seen_from(int64_t time)
{
	struct ring_reader *r = ring_read(path, &why);
	struct seen seen = { .first = -1, .last = -1 };
	struct ring_found found;
	enum ring_item item;

	ck_assert_msg(r != NULL, "%s", why.text);
	ring_seek(r, time);
	while ((item = ring_next(r, &found)) != RING_END) {
		if (item == RING_LOSS) {
			seen.lost += found.lost;
			continue;
		}
		ck_assert_uint_eq(found.octets.len, OCTETS);
		ck_assert_int_eq(strtoll(found.octets.data, NULL, 10), found.time);
		if (seen.first < 0)
			seen.first = found.time;
		else
			seen.gaps += found.time != seen.last + 1;
		seen.last = found.time;
		seen.count++;
	}
	ring_read_end(&r);
	return seen;
}

START_TEST(records_come_back_in_their_order_and_after_a_restart_more_follow)
{
	struct ring *r;
	struct seen seen;

	set_up();
	r = opened();
	append(r, 0, 100);
	ring_close(&r);
	r = opened();
	append(r, 100, 500);
	seen = seen_from(0);
	ck_assert_uint_eq(seen.count, 500);
	ck_assert_uint_eq(seen.gaps, 0);
	ring_close(&r);
	test_folder_remove(folder);
}
END_TEST

START_TEST(a_full_ring_forgets_the_oldest_and_nothing_else)
{
	struct ring *r;
	struct ring_reader *reader;
	struct seen seen;
	struct stat st;

	set_up();
	for (int64_t n = 0; n < 5000; n += 500) { /* across restarts */
		r = opened();
		append(r, n, n + 500);
		ring_close(&r);
	}
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_size, SIZE);
	seen = seen_from(0);
	ck_assert_int_eq(seen.last, 4999);
	ck_assert_uint_eq(seen.gaps, 0);
	/* at least three of four slots are kept */
	ck_assert_uint_gt(seen.count, 3 * (RING_SLOT / (OCTETS + 80)));
	reader = ring_read(path, &why);
	ck_assert_int_eq(ring_since(reader), seen.first);
	ring_read_end(&reader);
	test_folder_remove(folder);
}
END_TEST

START_TEST(a_time_is_found_with_all_that_came_after_it)
{
	struct ring *r;
	struct seen all, seen;

	set_up();
	r = opened();
	append(r, 0, 2000);
	ring_close(&r);
	all = seen_from(0);
	for (int64_t time = all.first; time < 2000; time += 37) {
		seen = seen_from(time);
		ck_assert_int_le(seen.first, time);
		ck_assert_int_eq(seen.last, 1999);
		ck_assert_int_gt(seen.first, time - RING_SLOT / OCTETS - 1); /* not all of it */
	}
	ck_assert_int_gt(seen_from(5000).first, all.first);
	test_folder_remove(folder);
}
END_TEST

static unsigned found_at(int64_t time)
{
	struct ring_reader *reader = ring_read(path, &why);
	struct ring_found found;
	unsigned count = 0;

	ring_seek(reader, time);
	while (ring_next(reader, &found) == RING_RECORD)
		count += found.time == time;
	ring_read_end(&reader);
	return count;
}

/* From 9000 to 1000 between two runs: some times come twice, and each is found. */
START_TEST(a_clock_that_was_set_back_hides_nothing)
{
	struct ring *r;

	set_up();
	r = ring_open(path, LARGE, &why);
	ck_assert_ptr_nonnull(r);
	append(r, 5000, 9000);
	ring_close(&r);
	r = ring_open(path, LARGE, &why);
	append(r, 1000, 9100);
	ring_close(&r);
	for (int64_t time = 1000; time < 9100; time += 333)
		ck_assert_uint_eq(found_at(time), time >= 5000 && time < 9000 ? 2 : 1);
	ck_assert_uint_eq(found_at(8999), 2);
	test_folder_remove(folder);
}
END_TEST

/* The file is read by the first append: an open that did it would not know of 200 records. */
START_TEST(opening_does_not_look_where_the_newest_is)
{
	static char octets[SIZE];
	struct ring *r;
	struct seen seen;
	int fd;

	set_up();
	r = opened();
	append(r, 0, 200);
	ring_close(&r);
	fd = open(path, O_RDWR);
	ck_assert_int_eq(pread(fd, octets, sizeof octets, 0), sizeof octets);
	unlink(path);
	close(fd);
	r = opened();
	fd = open(path, O_RDWR);
	ck_assert_int_eq(pwrite(fd, octets, sizeof octets, 0), sizeof octets);
	close(fd);
	ck_assert_uint_eq(ring_append(r, str_make(NULL, 0), 0), 0);
	append(r, 200, 300);
	seen = seen_from(0);
	ck_assert_uint_eq(seen.count, 300);
	ck_assert_uint_eq(seen.gaps, 0);
	ring_close(&r);
	test_folder_remove(folder);
}
END_TEST

/* A hole, where the file system has such. */
static void zeros_put(int fd, off_t at, off_t len)
{
	static const char zeros[RING_SLOT];

	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, len) != 0)
		ck_assert_int_eq(pwrite(fd, zeros, (size_t)len, at), len);
}

/* A copy may have made holes of what was written as zeros, or of slots that a crash lost. */
START_TEST(holes_between_slots_hide_nothing_behind_them)
{
	struct ring *r;
	struct seen whole, seen;
	int fd;

	set_up();
	r = ring_open(path, LARGE, &why);
	ck_assert_ptr_nonnull(r);
	append(r, 0, 10000);
	ring_close(&r);
	whole = seen_from(0);
	fd = open(path, O_RDWR);
	for (off_t slot = 3; slot < 40; slot += 3) /* of which about 40 are used */
		zeros_put(fd, slot * RING_SLOT, slot % 2 ? RING_SLOT : RING_SLOT / 2);
	close(fd);
	seen = seen_from(0);
	ck_assert_int_eq(seen.first, whole.first);
	ck_assert_int_eq(seen.last, whole.last);
	ck_assert_uint_eq(seen.gaps, 13);
	r = ring_open(path, LARGE, &why);
	append(r, 10000, 10010);
	seen = seen_from(9990);
	ck_assert_int_eq(seen.last, 10009);
	ck_assert_uint_eq(seen.gaps, 0);
	ring_close(&r);
	test_folder_remove(folder);
}
END_TEST

START_TEST(what_was_lost_is_told_where_it_is_missing)
{
	struct ring *r;
	struct buf out = { 0 };
	struct seen seen;

	set_up();
	r = opened();
	append(r, 0, 3);
	record_add_to(&out, 7, 7);
	ck_assert_uint_eq(ring_append(r, buf_str(&out), 4), 0);
	append(r, 8, 9);
	seen = seen_from(0);
	ck_assert_uint_eq(seen.count, 5);
	ck_assert_uint_eq(seen.lost, 4);
	ring_close(&r);
	buf_free(&out);
	test_folder_remove(folder);
}
END_TEST

/* The file is cut off in the last block at every place, as a crash may leave it. */
START_TEST(a_torn_block_is_skipped_and_written_over)
{
	struct ring *r;
	struct stat st;
	struct seen seen;
	int fd;

	set_up();
	for (off_t cut = 1; cut < 48 + RING_HEAD + OCTETS; cut += 19) {
		off_t end = 20 * (48 + RING_HEAD + OCTETS);

		unlink(path);
		r = opened();
		append(r, 0, 20);
		ring_close(&r);
		fd = open(path, O_RDWR);
		ck_assert_int_eq(ftruncate(fd, RING_SLOT + end - cut), 0); /* slot 1 is first */
		ck_assert_int_eq(ftruncate(fd, SIZE), 0);
		close(fd);
		seen = seen_from(0);
		ck_assert_uint_eq(seen.count, 19);
		r = opened();
		append(r, 19, 25);
		ring_close(&r);
		seen = seen_from(0);
		ck_assert_uint_eq(seen.count, 25);
		ck_assert_uint_eq(seen.gaps, 0);
	}
	ck_assert_int_eq(stat(path, &st), 0);
	test_folder_remove(folder);
}
END_TEST

START_TEST(another_size_begins_anew_and_a_second_writer_is_refused)
{
	struct ring *r, *other;

	set_up();
	r = opened();
	append(r, 0, 10);
	ck_assert_ptr_null(ring_open(path, SIZE, &why));
	ck_assert_ptr_nonnull(strstr(why.text, "lock"));
	ring_close(&r);
	other = ring_open(path, 2 * SIZE, &why);
	ck_assert_ptr_nonnull(other);
	ck_assert_uint_eq(seen_from(0).count, 0);
	append(other, 0, 10);
	ck_assert_uint_eq(seen_from(0).count, 10);
	ring_close(&other);
	ck_assert_ptr_null(ring_read(folder, &why));
	ck_assert_ptr_null(ring_read("/nonexistent/ring", &why));
	test_folder_remove(folder);
}
END_TEST

/* No octet is believed: whatever is changed, what comes back is a part of what was written. */
START_TEST(every_octet_may_be_wrong)
{
	struct ring *r;
	struct buf out = { 0 };
	size_t used = 3 * (48 + 2 * (RING_HEAD + OCTETS));
	int fd;

	set_up();
	r = opened();
	for (int64_t n = 0; n < 6; n += 2) {
		buf_clear(&out);
		record_add_to(&out, n, n);
		record_add_to(&out, n + 1, n + 1);
		ring_append(r, buf_str(&out), 0);
	}
	ring_close(&r);
	fd = open(path, O_RDWR);
	for (size_t i = 0; i < used; i++) {
		char good, bad;

		ck_assert_int_eq(pread(fd, &good, 1, RING_SLOT + (off_t)i), 1);
		bad = (char)(good ^ (1 << i % 8));
		ck_assert_int_eq(pwrite(fd, &bad, 1, RING_SLOT + (off_t)i), 1);
		ck_assert_uint_lt(seen_from(0).count, 6);
		r = opened(); /* and the writer finds its end */
		ring_append(r, str_make(NULL, 0), 0);
		ring_close(&r);
		ck_assert_int_eq(pwrite(fd, &good, 1, RING_SLOT + (off_t)i), 1);
	}
	ck_assert_uint_eq(seen_from(0).count, 6);
	close(fd);
	buf_free(&out);
	test_folder_remove(folder);
}
END_TEST

static void random_fill(int fd, unsigned *seed)
{
	static char noise[SIZE];

	for (size_t i = 0; i < sizeof noise; i++)
		noise[i] = (char)rand_r(seed);
	ck_assert_int_eq(pwrite(fd, noise, sizeof noise, 0), sizeof noise);
}

START_TEST(noise_is_an_empty_ring)
{
	unsigned seed = 1;
	int fd;

	set_up();
	fd = open(path, O_RDWR | O_CREAT, 0600);
	random_fill(fd, &seed);
	close(fd);
	ck_assert_uint_eq(seen_from(0).count, 0);
	test_folder_remove(folder);
}
END_TEST

static atomic_bool writing;

static void *write_on(void *arg)
{
	struct ring *r = arg;

	append(r, 0, 20000);
	writing = false;
	return NULL;
}

START_TEST(one_writes_while_another_reads)
{
	struct ring *r;
	pthread_t thread;
	int64_t last = -1;

	set_up();
	r = ring_open(path, LARGE, &why); /* not overtaken while it is read */
	ck_assert_ptr_nonnull(r);
	writing = true;
	ck_assert(thread_start(&thread, "ring", write_on, r, &why));
	while (writing) {
		struct seen seen = seen_from(last);

		ck_assert_int_ge(seen.last, last);
		ck_assert_uint_eq(seen.gaps, 0);
		last = seen.last;
	}
	pthread_join(thread, NULL);
	ck_assert_int_eq(seen_from(0).last, 19999);
	ring_close(&r);
	test_folder_remove(folder);
}
END_TEST

TEST_MAIN("sys/ring", records_come_back_in_their_order_and_after_a_restart_more_follow,
	opening_does_not_look_where_the_newest_is, holes_between_slots_hide_nothing_behind_them,
	a_full_ring_forgets_the_oldest_and_nothing_else,
	a_time_is_found_with_all_that_came_after_it, a_clock_that_was_set_back_hides_nothing,
	what_was_lost_is_told_where_it_is_missing, a_torn_block_is_skipped_and_written_over,
	another_size_begins_anew_and_a_second_writer_is_refused, every_octet_may_be_wrong,
	noise_is_an_empty_ring, one_writes_while_another_reads)
