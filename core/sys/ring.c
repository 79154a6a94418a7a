/* SPDX-License-Identifier: MIT
 *
 * The file is an array of slots; slot n of all time lies at n modulo their number. A slot has
 * blocks from its begin on, each the records of one append, and ends where no block of that slot
 * follows: at what was never written, was torn, or is left of an older slot. So a block is
 * written once, behind the others, and a crash can only spoil the last.
 *
 *   u32 mark, u32 sum of the head behind it, u32 sum of the body, u32 length of the body,
 *   u64 slot, i64 time of the first record, i64 latest time of all records before,
 *   u32 records that are missing before, u32 where in the slot it lies; body
 *
 * The latest time before never falls, whatever the clock does: that is what is searched by.
 */
#include "sys/ring.h"

#include "base/buf.h"
#include "base/encode.h"
#include "sys/file.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { HEAD = 48, HEAD_SUMMED = 8, SLOTS_LEAST = 4 };
#define MARK 0x676e6972u /* "ring" */

struct block {
	uint32_t sum, length, lost, at;
	uint64_t slot;
	int64_t first, before;
};

/* ---- blocks ------------------------------------------------------------------------------ */

/* Only the head; the body may not be there. */
static bool head_read(struct str octets, struct block *b)
{
	struct reader r = reader_of(octets);
	uint32_t mark, sum;
	uint64_t first, before;

	return octets.len >= HEAD && read_u32(&r, &mark) && mark == MARK && read_u32(&r, &sum) &&
		sum == crc32c(0, octets.data + HEAD_SUMMED, HEAD - HEAD_SUMMED) &&
		read_u32(&r, &b->sum) && read_u32(&r, &b->length) && read_u64(&r, &b->slot) &&
		read_u64(&r, &first) && read_u64(&r, &before) && read_u32(&r, &b->lost) &&
		read_u32(&r, &b->at) &&
		(b->first = (int64_t)first, b->before = (int64_t)before, true);
}

static void head_write(char head[HEAD], const struct block *b)
{
	struct buf out = { .data = head, .cap = HEAD };

	buf_add_u32(&out, MARK);
	buf_add_u32(&out, 0);
	buf_add_u32(&out, b->sum);
	buf_add_u32(&out, b->length);
	buf_add_u64(&out, b->slot);
	buf_add_u64(&out, (uint64_t)b->first);
	buf_add_u64(&out, (uint64_t)b->before);
	buf_add_u32(&out, b->lost);
	buf_add_u32(&out, b->at);
	must(out.data == head && out.len == HEAD);
	out.len = HEAD_SUMMED / 2;
	buf_add_u32(&out, crc32c(0, head + HEAD_SUMMED, HEAD - HEAD_SUMMED));
}

/* The block at that place of a slot, whole. */
static bool block_read(struct str slot, uint32_t at, uint64_t number, struct block *b)
{
	struct str rest = str_slice(slot, at, slot.len);

	return head_read(rest, b) && b->at == at && b->slot == number &&
		b->length <= rest.len - HEAD && b->sum == crc32c(0, rest.data + HEAD, b->length);
}

void ring_head(char head[RING_HEAD], size_t length, int64_t time)
{
	uint16_t le_length = htole16((uint16_t)length);
	uint64_t le_time = htole64((uint64_t)time);

	must(length >= RING_HEAD && length <= RING_RECORD_MAX);
	memcpy(head, &le_length, sizeof le_length);
	memcpy(head + sizeof le_length, &le_time, sizeof le_time);
}

/* The first record of a body, taken off its front. */
static bool record_take(struct str *body, struct str *record, int64_t *time)
{
	struct reader r = reader_of(*body);
	uint16_t length;
	uint64_t when;

	if (!read_u16(&r, &length) || !read_u64(&r, &when) || length > body->len ||
		length < RING_HEAD)
		return false;
	*time = (int64_t)when;
	*record = str_slice(*body, 0, length);
	*body = str_slice(*body, length, body->len);
	return true;
}

/* ---- what is there ----------------------------------------------------------------------- */

struct slot_known {
	uint64_t number;
	int64_t first, before;
};

struct ring_reader {
	int fd;
	uint64_t slots; /* the file has room for */
	struct slot_known *known;
	size_t count; /* oldest first */
	/* Where it reads: */
	size_t next; /* of known */
	uint64_t number;
	uint32_t at; /* of the next block in the slot */
	struct str slot, body;
	char space[RING_SLOT];
};

static struct str read_at(int fd, char *space, size_t size, uint64_t offset)
{
	ssize_t n;

	do
		n = pread(fd, space, size, (off_t)offset);
	while (n < 0 && errno == EINTR);
	return str_make(space, n > 0 ? (size_t)n : 0);
}

static int slot_compare(const void *a, const void *b)
{
	const struct slot_known *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

/* The first from there on that was ever written, where the file system can tell. */
static uint64_t slot_written(const struct ring_reader *r, uint64_t from)
{
	off_t at = lseek(r->fd, (off_t)(from * RING_SLOT), SEEK_DATA);

	if (at < 0)
		return errno == ENXIO ? r->slots : from;
	return (uint64_t)at / RING_SLOT;
}

static void slots_look(struct ring_reader *r)
{
	size_t cap = 0;

	for (uint64_t i = 0; (i = slot_written(r, i)) < r->slots; i++) {
		struct block b;

		if (!head_read(read_at(r->fd, r->space, HEAD, i * RING_SLOT), &b) || b.at != 0 ||
			b.slot % r->slots != i)
			continue;
		if (r->count == cap) {
			cap = cap ? cap * 2 : 64;
			r->known = must_realloc(r->known, cap * sizeof *r->known);
		}
		r->known[r->count++] = (struct slot_known){ b.slot, b.first, b.before };
	}
	if (r->count > 1)
		qsort(r->known, r->count, sizeof *r->known, slot_compare);
}

/* Of a descriptor, which becomes the reader's. */
static struct ring_reader *reader_new(int fd, uint64_t size)
{
	struct ring_reader *r = must_alloc(sizeof *r);

	r->fd = fd;
	r->slots = (size < RING_SIZE_MAX ? size : RING_SIZE_MAX) / RING_SLOT;
	slots_look(r);
	return r;
}

struct ring_reader *ring_read(const char *path, struct why *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0) {
		why_errno(why, "%s", path);
		fd_close(&fd);
		return NULL;
	}
	if (!S_ISREG(st.st_mode)) {
		why_set(why, "%s is no file", path);
		fd_close(&fd);
		return NULL;
	}
	return reader_new(fd, (uint64_t)st.st_size);
}

void ring_read_end(struct ring_reader **rp)
{
	struct ring_reader *r = *rp;

	*rp = NULL;
	fd_close(&r->fd);
	free(r->known);
	free(r);
}

void ring_seek(struct ring_reader *r, int64_t time)
{
	size_t from = 0, to = r->count;

	while (from < to) { /* the first slot that has only later ones before it */
		size_t middle = from + (to - from) / 2;

		if (r->known[middle].before < time)
			from = middle + 1;
		else
			to = middle;
	}
	r->next = from ? from - 1 : 0;
	r->slot = r->body = str_make(NULL, 0);
}

static bool slot_load(struct ring_reader *r)
{
	while (r->next < r->count) {
		r->number = r->known[r->next++].number;
		r->slot = read_at(r->fd, r->space, RING_SLOT, r->number % r->slots * RING_SLOT);
		r->at = 0;
		if (r->slot.len > 0)
			return true;
	}
	return false;
}

enum ring_item ring_next(struct ring_reader *r, struct ring_found *found)
{
	struct block b;

	for (;;) {
		struct str record;

		if (record_take(&r->body, &record, &found->time)) {
			found->octets = str_slice(record, RING_HEAD, record.len);
			return RING_RECORD;
		}
		if (!block_read(r->slot, r->at, r->number, &b)) {
			r->slot = r->body = str_make(NULL, 0);
			if (!slot_load(r))
				return RING_END;
			continue;
		}
		r->body = str_slice(r->slot, r->at + HEAD, b.length);
		r->at += HEAD + b.length;
		if (b.lost > 0) {
			*found = (struct ring_found){ .time = b.first, .lost = b.lost };
			return RING_LOSS;
		}
	}
}

int64_t ring_since(struct ring_reader *r)
{
	struct ring_found found;
	enum ring_item item;

	r->next = 0;
	r->slot = r->body = str_make(NULL, 0);
	item = ring_next(r, &found);
	return item == RING_END ? 0 : found.time;
}

/* ---- writing ----------------------------------------------------------------------------- */

struct ring {
	int fd;
	bool ready; /* it is known where the last record ends */
	uint64_t slots, number;
	uint32_t at;
	int64_t latest; /* of all records */
	uint64_t lost;  /* not told of yet */
};

/* Where the last record ends. */
static void end_find(struct ring *r)
{
	struct ring_reader *there = reader_new(r->fd, r->slots * RING_SLOT);
	struct ring_found found;
	enum ring_item item;

	r->ready = true;
	r->number = 1;
	if (there->count > 0) {
		there->next = there->count - 1;
		r->number = there->known[there->next].number;
		r->latest = there->known[there->next].before;
		while ((item = ring_next(there, &found)) != RING_END) {
			r->at = there->at;
			if (item == RING_RECORD && found.time > r->latest)
				r->latest = found.time;
		}
	}
	there->fd = -1;
	ring_read_end(&there);
}

/* One writer: two would write over each other. */
static bool size_settle(int fd, const char *path, uint64_t size, struct why *why)
{
	struct stat st;

	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		return why_errno(why, "%s: lock", path);
	if (fstat(fd, &st) != 0)
		return why_errno(why, "%s", path);
	if (!S_ISREG(st.st_mode))
		return why_set(why, "%s is no file", path);
	if ((uint64_t)st.st_size == size)
		return true;
	if (ftruncate(fd, 0) != 0 || ftruncate(fd, (off_t)size) != 0)
		return why_errno(why, "%s: size", path);
	return true;
}

struct ring *ring_open(const char *path, uint64_t size, struct why *why)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	uint64_t slots = size / RING_SLOT < SLOTS_LEAST ? SLOTS_LEAST : size / RING_SLOT;
	struct ring *r;

	if (fd < 0) {
		why_errno(why, "%s", path);
		return NULL;
	}
	if (!size_settle(fd, path, slots * RING_SLOT, why)) {
		fd_close(&fd);
		return NULL;
	}
	r = must_alloc(sizeof *r);
	r->fd = fd;
	r->slots = slots;
	return r;
}

void ring_close(struct ring **rp)
{
	struct ring *r = *rp;

	if (!r)
		return;
	*rp = NULL;
	fd_close(&r->fd);
	free(r);
}

/* As many whole records as the slot has room for; *count of them. */
static struct str records_for(struct str records, size_t room, uint64_t *count, int64_t *latest)
{
	struct str rest = records, record;
	size_t length = 0;
	int64_t time;

	*count = 0;
	while (rest.len > 0) {
		must(record_take(&rest, &record, &time));
		if (length + record.len > room)
			break;
		length += record.len;
		++*count;
		if (time > *latest)
			*latest = time;
	}
	return str_slice(records, 0, length);
}

static bool block_write(struct ring *r, struct str body)
{
	struct str rest = body, record;
	struct block b = { .sum = crc32c(0, body.data, body.len),
		.length = (uint32_t)body.len,
		.lost = r->lost < UINT32_MAX ? (uint32_t)r->lost : UINT32_MAX,
		.at = r->at,
		.slot = r->number,
		.before = r->latest };
	char head[HEAD];
	const struct iovec parts[] = { { head, HEAD }, { (char *)body.data, body.len } };
	ssize_t n;

	must(record_take(&rest, &record, &b.first));
	head_write(head, &b);
	do
		n = pwritev(r->fd, parts, 2, (off_t)(r->number % r->slots * RING_SLOT + r->at));
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)(HEAD + body.len);
}

uint64_t ring_append(struct ring *r, struct str records, uint64_t lost)
{
	uint64_t failed = 0;

	if (!r->ready)
		end_find(r);
	r->lost += lost;
	while (records.len > 0) {
		size_t room = RING_SLOT - r->at > HEAD ? RING_SLOT - r->at - HEAD : 0;
		int64_t latest = r->latest;
		uint64_t count;
		struct str body = records_for(records, room, &count, &latest);

		if (count == 0) {
			r->number++;
			r->at = 0;
			continue;
		}
		if (block_write(r, body)) {
			r->at += HEAD + (uint32_t)body.len;
			r->lost = 0;
			r->latest = latest;
		} else {
			failed += count;
			r->lost += count;
		}
		records = str_slice(records, body.len, records.len);
	}
	return failed;
}
