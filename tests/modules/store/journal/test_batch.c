/* SPDX-License-Identifier: MIT
 *
 * Batches: what fits, what is good, hurt or bad.
 */
#include "modules/store/journal/batch.h"

#include "base/fail.h"
#include "tests/lib/test.h"

#include <string.h>

static const struct store_id ours = { "0123456789abcdef" }, theirs = { "fedcba9876543210" };

/* Answers whether it fitted. */
static bool put(struct batch *b, uint64_t id, const char *words)
{
	struct tmail_queue_op op = {
		.change = TMAIL_QUEUE_HOLD, .id = { 1, id }, .reply = { words, strlen(words) }
	};
	struct extent extent;
	char *to;

	ck_assert(record_measure(&op, &extent));
	to = batch_reserve(b, extent_size(extent));
	if (!to)
		return false;
	record_write(to, &op, extent, 0, 0);
	batch_add(b, to, extent_size(extent));
	return true;
}

static size_t three(struct batch *b, struct batch_head *head)
{
	batch_begin(b, 64 * BLOCK);
	ck_assert(put(b, 1, "one") && put(b, 2, "two") && put(b, 3, "three"));
	*head = (struct batch_head){ .lsn = 8192, .flushed = 8000, .first = 4096 };
	return batch_end(b, &ours, head);
}

START_TEST(a_batch_is_read_as_it_was_written)
{
	struct batch b = { 0 };
	struct batch_head head, found;
	size_t size = three(&b, &head), at = BATCH_HEAD, offset;
	struct record r;
	struct str in;
	uint64_t id = 1;

	ck_assert_uint_eq(size, BLOCK);
	ck_assert(batch_peek(str_make(b.data, size), &ours, 8192, &found));
	ck_assert_uint_eq(found.flushed, 8000);
	ck_assert_uint_eq(found.first, 4096);
	ck_assert_uint_eq(found.count, 3);
	in = str_make(b.data, found.length);
	ck_assert_int_eq(batch_check(in, &found), BATCH_GOOD);
	while (batch_next(in, &at, &r, &offset))
		ck_assert_uint_eq(r.id.lo, id++);
	ck_assert_uint_eq(id, 4);
	batch_free(&b);
}
END_TEST

START_TEST(another_place_or_store_is_not_ours)
{
	struct batch b = { 0 };
	struct batch_head head, found;
	struct store_id id;
	size_t size = three(&b, &head);

	ck_assert(!batch_peek(str_make(b.data, size), &ours, 12288, &found));
	ck_assert(!batch_peek(str_make(b.data, size), &theirs, 8192, &found));
	ck_assert(!batch_peek(str_make(b.data, BATCH_HEAD - 1), &ours, 8192, &found));
	ck_assert(batch_peek_any(str_make(b.data, size), &ours, &found));
	ck_assert(!batch_peek_any(str_make(b.data, size), &theirs, &found));
	ck_assert(batch_peek_own(str_make(b.data, size), &id, &found));
	ck_assert_mem_eq(&id, &ours, sizeof id);
	batch_free(&b);
}
END_TEST

/* Each bit of it: in the header and the heads it is bad, in a part it is hurt; never good. */
START_TEST(every_flipped_bit_is_seen)
{
	struct batch b = { 0 };
	struct batch_head head, found;
	unsigned good = 0;

	three(&b, &head);
	for (size_t bit = 0; bit < head.length * 8u; bit++) {
		enum batch_state state = BATCH_BAD;

		b.data[bit / 8] ^= (char)(1 << bit % 8);
		if (batch_peek(str_make(b.data, head.length), &ours, 8192, &found) &&
			found.length <= head.length)
			state = batch_check(str_make(b.data, found.length), &found);
		if (state == BATCH_GOOD)
			good++; /* only in what fills a record up to 8 octets */
		b.data[bit / 8] ^= (char)(1 << bit % 8);
	}
	ck_assert_uint_le(good, 3 * 7 * 8);
	ck_assert_int_eq(batch_check(str_make(b.data, head.length), &head), BATCH_GOOD);
	b.data[BATCH_HEAD + RECORD_HEAD + 5] ^= 1;
	ck_assert_int_eq(batch_check(str_make(b.data, head.length), &head), BATCH_HURT);
	b.data[BATCH_HEAD + RECORD_HEAD + 5] ^= 1;
	b.data[BATCH_HEAD + 30] ^= 1;
	ck_assert_int_eq(batch_check(str_make(b.data, head.length), &head), BATCH_BAD);
	batch_free(&b);
}
END_TEST

START_TEST(a_batch_ends_where_its_room_does)
{
	struct batch b = { 0 };
	struct batch_head head = { 0 };
	unsigned count = 0;

	batch_begin(&b, BLOCK);
	while (put(&b, 1, "some words of a reason to hold"))
		count++;
	ck_assert_uint_gt(count, 10);
	ck_assert_uint_le(batch_end(&b, &ours, &head), BLOCK);
	/* It can be used again. */
	batch_begin(&b, BLOCK);
	ck_assert(put(&b, 1, "x"));
	batch_free(&b);
}
END_TEST

START_TEST(only_a_lone_record_may_be_longer_than_a_batch)
{
	struct batch b = { 0 };

	batch_begin(&b, 16 * (uint64_t)BATCH_MOST);
	ck_assert_ptr_nonnull(batch_reserve(&b, 2 * (uint64_t)BATCH_MOST));
	ck_assert(put(&b, 1, "x"));
	ck_assert_ptr_null(batch_reserve(&b, BATCH_MOST));
	ck_assert_ptr_null(batch_reserve(&b, UINT64_MAX - 10));
	batch_free(&b);
}
END_TEST

TEST_MAIN("modules/store/journal/batch", a_batch_is_read_as_it_was_written,
	another_place_or_store_is_not_ours, every_flipped_bit_is_seen,
	a_batch_ends_where_its_room_does, only_a_lone_record_may_be_longer_than_a_batch)
