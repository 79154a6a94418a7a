/* SPDX-License-Identifier: MIT
 *
 * Batches. The checksum runs over the heads while records are added and over the header last, so
 * that nothing is read twice.
 */
#include "batch.h"

#include "base/encode.h"
#include "base/fail.h"

#include <endian.h>
#include <stdlib.h>

static const char magic[4] = "tmjb";

enum {
	AT_CRC = 4,
	AT_STORE = 8,
	AT_LSN = 24,
	AT_FLUSHED = 32,
	AT_FIRST = 40,
	AT_LENGTH = 48,
	AT_COUNT = 52
};

static void put_u32(char *to, uint32_t v)
{
	v = htole32(v);
	memcpy(to, &v, sizeof v);
}

static void put_u64(char *to, uint64_t v)
{
	v = htole64(v);
	memcpy(to, &v, sizeof v);
}

static uint32_t get_u32(const char *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof v);
	return le32toh(v);
}

static uint64_t get_u64(const char *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof v);
	return le64toh(v);
}

static void batch_grow(struct batch *b, size_t least)
{
	size_t cap = b->cap ? b->cap : 64 * 1024;
	char *data;

	while (cap < least)
		cap *= 2;
	data = aligned_alloc(BLOCK, cap);
	must(data);
	if (b->data)
		memcpy(data, b->data, b->length);
	free(b->data);
	b->data = data;
	b->cap = cap;
}

void batch_begin(struct batch *b, uint64_t room)
{
	if (b->cap > 2 * (size_t)BATCH_MOST) /* one very long record was in it */
		batch_free(b);
	b->room = (size_t)room;
	b->length = BATCH_HEAD;
	b->count = b->crc = 0;
}

char *batch_reserve(struct batch *b, uint64_t size)
{
	if (size > b->room || b->length + size > b->room)
		return NULL;
	if (b->count && b->length + size > BATCH_MOST)
		return NULL;
	if (block_up(b->length + size) > b->cap)
		batch_grow(b, block_up(b->length + size));
	return b->data + b->length;
}

size_t batch_add(struct batch *b, const char *record, uint64_t size)
{
	size_t offset = b->length;

	must(record == b->data + offset && offset + size <= b->cap);
	b->crc = crc32c(b->crc, record, RECORD_HEAD);
	b->length += (size_t)size;
	b->count++;
	return offset;
}

static uint32_t head_crc(uint32_t crc, const char *data)
{
	char head[BATCH_HEAD];

	memcpy(head, data, sizeof head);
	put_u32(head + AT_CRC, 0);
	return crc32c(crc, head, sizeof head);
}

size_t batch_end(struct batch *b, const struct store_id *store, struct batch_head *head)
{
	size_t size = block_up(b->length);

	head->length = (uint32_t)b->length;
	head->count = b->count;
	memset(b->data, 0, BATCH_HEAD);
	memcpy(b->data, magic, sizeof magic);
	memcpy(b->data + AT_STORE, store->octets, sizeof store->octets);
	put_u64(b->data + AT_LSN, head->lsn);
	put_u64(b->data + AT_FLUSHED, head->flushed);
	put_u64(b->data + AT_FIRST, head->first);
	put_u32(b->data + AT_LENGTH, head->length);
	put_u32(b->data + AT_COUNT, head->count);
	put_u32(b->data + AT_CRC, head_crc(b->crc, b->data));
	memset(b->data + b->length, 0, size - b->length);
	return size;
}

void batch_free(struct batch *b)
{
	free(b->data);
	*b = (struct batch){ 0 };
}

bool batch_peek_own(struct str in, struct store_id *store, struct batch_head *head)
{
	if (in.len < BATCH_HEAD || memcmp(in.data, magic, sizeof magic) != 0)
		return false;
	memcpy(store->octets, in.data + AT_STORE, sizeof store->octets);
	*head = (struct batch_head){ get_u64(in.data + AT_LSN), get_u64(in.data + AT_FLUSHED),
		get_u64(in.data + AT_FIRST), get_u32(in.data + AT_LENGTH),
		get_u32(in.data + AT_COUNT) };
	return head->length >= BATCH_HEAD;
}

bool batch_peek_any(struct str in, const struct store_id *store, struct batch_head *head)
{
	struct batch_head found;
	struct store_id id;

	if (!batch_peek_own(in, &id, &found) || memcmp(&id, store, sizeof id) != 0)
		return false;
	*head = found;
	return true;
}

bool batch_peek(struct str in, const struct store_id *store, uint64_t lsn, struct batch_head *head)
{
	struct batch_head found;

	if (!batch_peek_any(in, store, &found) || found.lsn != lsn)
		return false;
	*head = found;
	return true;
}

bool batch_next(struct str in, size_t *at, struct record *r, size_t *offset)
{
	struct extent extent;

	if (*at >= in.len || !record_read(str_slice(in, *at, in.len), r))
		return false;
	extent = (struct extent){ (uint32_t)r->meta.len, (uint32_t)r->content.len };
	if (extent_size(extent) > in.len - *at)
		return false;
	*offset = *at;
	*at += extent_size(extent);
	return true;
}

enum batch_state batch_check(struct str in, const struct batch_head *head)
{
	enum batch_state state = BATCH_GOOD;
	size_t at = BATCH_HEAD, offset;
	uint32_t crc = 0, count = 0;
	struct record r;

	if (in.len != head->length || in.len < BATCH_HEAD)
		return BATCH_BAD;
	for (; batch_next(in, &at, &r, &offset); count++) {
		crc = crc32c(crc, in.data + offset, RECORD_HEAD);
		if (!record_meta_good(&r) || !record_content_good(&r))
			state = BATCH_HURT;
	}
	if (at != in.len || count != head->count ||
		head_crc(crc, in.data) != get_u32(in.data + AT_CRC))
		return BATCH_BAD;
	return state;
}
