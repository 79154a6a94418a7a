/* SPDX-License-Identifier: MIT
 *
 * Segment files. What a header cannot say any more its batches say: each carries store and LSN,
 * so a file with a damaged header is still known for what it is.
 */
#include "segment.h"

#include "base/encode.h"
#include "base/num.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

static const char magic[8] = "tmailjrn";
static const char prefix[] = "segment-";

enum { VERSION = 1 };
enum {
	AT_CRC = 8,
	AT_VERSION = 12,
	AT_STORE = 16,
	AT_SEQUENCE = 32,
	AT_BASE = 40,
	AT_END = 48,
	AT_FIRST = 56,
	AT_SIZE = 64,
	AT_NEEDS = 72
};

void segment_name(uint32_t number, char name[SEGMENT_NAME])
{
	snprintf(name, SEGMENT_NAME, "%s%08" PRIu32, prefix, number);
}

/* ---- headers ----------------------------------------------------------------------------- */

static void put(char *to, uint64_t v, size_t octets)
{
	v = htole64(v);
	memcpy(to, &v, octets);
}

static uint64_t get(const char *at, size_t octets)
{
	uint64_t v = 0;

	memcpy(&v, at, octets);
	return le64toh(v);
}

static void header_write(char *to, const struct segments *s, const struct segment *segment)
{
	memset(to, 0, SEGMENT_HEADER);
	memcpy(to, magic, sizeof magic);
	put(to + AT_VERSION, VERSION, 4);
	memcpy(to + AT_STORE, s->id.octets, sizeof s->id.octets);
	put(to + AT_SEQUENCE, segment->sequence, 8);
	put(to + AT_BASE, segment->base, 8);
	put(to + AT_END, segment->previous_end, 8);
	put(to + AT_FIRST, segment->first, 8);
	put(to + AT_SIZE, segment->capacity + SEGMENT_HEADER, 8);
	put(to + AT_NEEDS, VERSION, 8);
	put(to + AT_CRC, crc32c(0, to, SEGMENT_HEADER), 4);
}

enum header_state { HEADER_GOOD, HEADER_BAD, HEADER_TOO_NEW };

static enum header_state header_read(char *in, struct segment *segment, struct store_id *id)
{
	uint32_t crc = (uint32_t)get(in + AT_CRC, 4);
	uint64_t size = get(in + AT_SIZE, 8);

	put(in + AT_CRC, 0, 4);
	if (memcmp(in, magic, sizeof magic) != 0 || crc32c(0, in, SEGMENT_HEADER) != crc)
		return HEADER_BAD;
	if (get(in + AT_NEEDS, 8) > VERSION)
		return HEADER_TOO_NEW;
	if (size <= SEGMENT_HEADER || size % BLOCK != 0)
		return HEADER_BAD;
	memcpy(id->octets, in + AT_STORE, sizeof id->octets);
	segment->sequence = get(in + AT_SEQUENCE, 8);
	segment->base = get(in + AT_BASE, 8);
	segment->previous_end = get(in + AT_END, 8);
	segment->first = get(in + AT_FIRST, 8);
	segment->capacity = size - SEGMENT_HEADER;
	return HEADER_GOOD;
}

/* ---- the arrays -------------------------------------------------------------------------- */

static void array_add(struct segment ***array, size_t *count, size_t *cap, struct segment *segment)
{
	if (*count == *cap) {
		*cap = *cap ? *cap * 2 : 8;
		*array = must_realloc(*array, *cap * sizeof **array);
	}
	(*array)[(*count)++] = segment;
}

static struct segment *array_take(struct segment **array, size_t *count, size_t place)
{
	struct segment *segment = array[place];

	memmove(array + place, array + place + 1, (*count - place - 1) * sizeof *array);
	--*count;
	return segment;
}

void segments_add_spare(struct segments *s, struct segment *spare)
{
	array_add(&s->spare, &s->spare_count, &s->spare_cap, spare);
}

struct segment *segments_take_spare(struct segments *s)
{
	for (size_t i = 0; i < s->spare_count; i++)
		if (s->spare[i]->zeroed)
			return array_take(s->spare, &s->spare_count, i);
	return s->spare_count ? array_take(s->spare, &s->spare_count, 0) : NULL;
}

void segments_add_used(struct segments *s, struct segment *segment)
{
	must(s->used_count == 0 || segment_end(s->used[s->used_count - 1]) <= segment->base);
	array_add(&s->used, &s->used_count, &s->used_cap, segment);
}

struct segment *segments_take_oldest(struct segments *s)
{
	must(s->used_count > 0);
	return array_take(s->used, &s->used_count, 0);
}

struct segment *segments_at(const struct segments *s, uint64_t lsn)
{
	size_t low = 0, high = s->used_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (segment_end(s->used[middle]) <= lsn)
			low = middle + 1;
		else
			high = middle;
	}
	return low < s->used_count && s->used[low]->base <= lsn ? s->used[low] : NULL;
}

uint32_t segments_number(struct segments *s)
{
	return s->next_number++;
}

/* ---- one file ---------------------------------------------------------------------------- */

int segment_read(
	const struct segments *s, const struct segment *segment, uint64_t lsn, void *to, size_t len)
{
	must(lsn >= segment->base && lsn - segment->base <= segment->capacity &&
		len <= segment->capacity - (lsn - segment->base));
	return file_read_all(s->files, segment->fd, to, len, SEGMENT_HEADER + lsn - segment->base);
}

/* All of it once more through the cache where larger blocks are asked for, or a write was cut short
 * in the middle of one. */
static int direct_write(
	struct files *f, int fd, int direct, const void *from, size_t len, uint64_t at)
{
	int error = direct < 0 ? -EINVAL : file_write_all(f, direct, from, len, at);

	return error == -EINVAL ? file_write_all(f, fd, from, len, at) : error;
}

static void direct_open(struct segments *s, struct segment *segment)
{
	char name[SEGMENT_NAME];

	if (segment->direct >= 0)
		return;
	segment_name(segment->number, name);
	segment->direct = s->files->open(s->files, name, FILE_DIRECT);
}

void segment_settle(const struct segments *s, struct segment *segment)
{
	if (segment->direct >= 0)
		s->files->close(s->files, segment->direct);
	segment->direct = -1;
}

int segment_write(const struct segments *s, const struct segment *segment, uint64_t lsn,
	const void *from, size_t len)
{
	must(lsn >= segment->base && lsn - segment->base <= segment->capacity &&
		len <= segment->capacity - (lsn - segment->base));
	return direct_write(s->files, segment->fd, segment->direct, from, len,
		SEGMENT_HEADER + lsn - segment->base);
}

void segment_close(struct segments *s, struct segment **segment)
{
	if (!*segment)
		return;
	segment_settle(s, *segment);
	s->files->close(s->files, (*segment)->fd);
	free(*segment);
	*segment = NULL;
}

void segment_remove(struct segments *s, struct segment **segment)
{
	char name[SEGMENT_NAME];

	segment_name((*segment)->number, name);
	segment_close(s, segment);
	s->files->remove(s->files, name);
}

struct segment *segment_make(struct segments *s, uint32_t number, bool *full, struct why *why)
{
	struct files *f = s->files;
	struct segment *segment;
	char name[SEGMENT_NAME];
	int fd, error;

	*full = false;
	segment_name(number, name);
	fd = f->open(f, name, FILE_NEW);
	if (fd < 0) {
		*full = fd == -ENOSPC || fd == -EDQUOT;
		why_set(why, "%s cannot be made: %s", name, strerror(-fd));
		return NULL;
	}
	segment = must_alloc(sizeof *segment);
	*segment = (struct segment){
		.capacity = s->size - SEGMENT_HEADER, .number = number, .fd = fd, .direct = -1
	};
	error = f->allocate(f, fd, s->size);
	if (error == 0)
		error = f->flush(f, fd);
	if (error == 0)
		error = f->flush_folder(f, ".");
	if (error == 0)
		return segment;
	*full = error == -ENOSPC || error == -EDQUOT;
	why_set(why, "%s cannot get its %" PRIu64 " octets: %s", name, s->size, strerror(-error));
	segment_remove(s, &segment);
	return NULL;
}

/* Nobody will read these zeros: through the system's cache they cost more than the messages. */
bool segment_zero(struct segments *s, struct segment *spare, struct why *why)
{
	enum { PIECE = 1024 * 1024 };
	uint64_t size = spare->capacity + SEGMENT_HEADER;
	char *zeros = aligned_alloc(BLOCK, PIECE);
	int error = 0;

	must(zeros);
	memset(zeros, 0, PIECE);
	direct_open(s, spare);
	for (uint64_t at = 0; at < size && error == 0; at += PIECE)
		error = direct_write(s->files, spare->fd, spare->direct, zeros,
			size - at < PIECE ? (size_t)(size - at) : PIECE, at);
	segment_settle(s, spare);
	if (error == 0)
		error = s->files->flush(s->files, spare->fd);
	free(zeros);
	spare->zeroed = error == 0;
	if (error)
		why_set(why, "a spare file cannot be written: %s", strerror(-error));
	return spare->zeroed;
}

int segment_header(struct segments *s, const struct segment *segment)
{
	char *header = must_alloc(SEGMENT_HEADER);
	int error;

	header_write(header, s, segment);
	error = file_write_all(s->files, segment->fd, header, SEGMENT_HEADER, 0);
	free(header);
	return error;
}

bool segment_begin(struct segments *s, struct segment *segment, uint64_t previous_end,
	uint64_t first, struct why *why)
{
	char name[SEGMENT_NAME];
	int error;

	/* The range is used up even if this fails: a position never stands for two things. */
	segment->base = s->next_base;
	segment->sequence = s->next_sequence++;
	s->next_base += segment->capacity;
	segment->previous_end = previous_end;
	segment->first = first;
	segment->headless = false;
	direct_open(s, segment);
	error = segment_header(s, segment);
	if (error == 0)
		error = s->files->flush(s->files, segment->fd);
	if (error == 0)
		return true;
	segment_name(segment->number, name);
	return why_set(why, "the header of %s cannot be made durable: %s", name, strerror(-error));
}

/* ---- opening ----------------------------------------------------------------------------- */

struct scan {
	struct segments *s;
	struct segment **found;
	size_t count, cap;
};

static void scan_found(void *ctx, const char *name)
{
	struct scan *scan = ctx;
	struct str rest = str_c(name);
	struct segment *segment;
	uint64_t number;

	if (!str_starts(rest, str_c(prefix)))
		return;
	rest = str_slice(rest, sizeof prefix - 1, rest.len);
	if (rest.len < 8 || !num_u64(rest, &number) || number >= UINT32_MAX)
		return;
	segment = must_alloc(sizeof *segment);
	*segment = (struct segment){ .number = (uint32_t)number, .fd = -1, .direct = -1 };
	array_add(&scan->found, &scan->count, &scan->cap, segment);
	if (number >= scan->s->next_number)
		scan->s->next_number = (uint32_t)number + 1;
}

enum content { CONTENT_BLANK, CONTENT_KNOWN, CONTENT_STRANGE };

/* What stands in a file with a bad header: it is known by its first batch that can be read. */
static enum content segment_recover(struct segments *s, struct segment *segment, uint64_t size)
{
	enum { PIECE = 1024 * 1024 };
	enum content content = CONTENT_BLANK;
	char *data = must_alloc(PIECE);

	segment->capacity = size - SEGMENT_HEADER;
	for (uint64_t at = SEGMENT_HEADER; at < size && content != CONTENT_KNOWN; at += PIECE) {
		size_t len = size - at < PIECE ? (size_t)(size - at) : PIECE;

		if (file_read_all(s->files, segment->fd, data, len, at) < 0)
			break;
		for (size_t i = 0; i + BATCH_HEAD <= len && content != CONTENT_KNOWN; i += BLOCK) {
			uint64_t offset = at + i - SEGMENT_HEADER;
			struct batch_head head;

			if (batch_peek_any(str_make(data + i, len - i), &s->id, &head) &&
				head.lsn >= offset) {
				segment->base = head.lsn - offset;
				content = CONTENT_KNOWN;
			} else if (get(data + i, 8) != 0) {
				content = CONTENT_STRANGE;
			}
		}
	}
	free(data);
	return content;
}

/* No header could be read: a good batch at the start of a file says whose it is. */
static void segment_adopt(struct segments *s, const struct segment *segment)
{
	int64_t size = s->files->size(s->files, segment->fd);
	struct batch_head head;
	struct store_id id;
	char *data;
	size_t len;

	if (size < 2 * BLOCK)
		return;
	len = (size_t)(size - SEGMENT_HEADER);
	data = must_alloc(len);
	if (file_read_all(s->files, segment->fd, data, len, SEGMENT_HEADER) == 0 &&
		batch_peek_own(str_make(data, len), &id, &head) && head.length <= len &&
		batch_check(str_make(data, head.length), &head) != BATCH_BAD) {
		s->id = id;
		s->known = true;
	}
	free(data);
}

/* Reads the header of each file and the store's id from the first that has one. */
static bool scan_headers(struct scan *scan, struct why *why)
{
	struct segments *s = scan->s;
	char *header = must_alloc(SEGMENT_HEADER);
	bool good = true;

	for (size_t i = 0; i < scan->count && good; i++) {
		struct segment *segment = scan->found[i];
		struct store_id id = { { 0 } };
		char name[SEGMENT_NAME];

		segment_name(segment->number, name);
		segment->fd = s->files->open(s->files, name, FILE_OLD);
		if (segment->fd < 0) {
			good = why_set(
				why, "%s cannot be opened: %s", name, strerror(-segment->fd));
			break;
		}
		segment->headless = true;
		if (file_read_all(s->files, segment->fd, header, SEGMENT_HEADER, 0) < 0)
			continue;
		switch (header_read(header, segment, &id)) {
		case HEADER_TOO_NEW:
			good = why_set(why, "%s was written by a newer tmail", name);
			break;
		case HEADER_GOOD:
			if (s->known && memcmp(&id, &s->id, sizeof id) != 0)
				good = why_set(why, "%s belongs to another store", name);
			s->id = id;
			s->known = true;
			segment->headless = false;
			break;
		case HEADER_BAD:
			break;
		}
	}
	free(header);
	return good;
}

static int compare_base(const void *a, const void *b)
{
	const struct segment *x = *(struct segment *const *)a, *y = *(struct segment *const *)b;

	return (x->base > y->base) - (x->base < y->base);
}

/* Where a file belongs: in use, spare, aside, or away. */
static void scan_place(struct segments *s, struct segment *segment)
{
	int64_t size = s->files->size(s->files, segment->fd);
	bool whole = size >= 2 * BLOCK && size % BLOCK == 0;
	enum content content = segment->headless ? CONTENT_BLANK : CONTENT_KNOWN;

	if (segment->headless && whole)
		content = segment_recover(s, segment, (uint64_t)size);
	if (content == CONTENT_STRANGE) {
		s->aside++;
		s->aside_number = segment->number;
		segment_close(s, &segment);
		return;
	}
	if (content == CONTENT_KNOWN) {
		if (segment_end(segment) > s->next_base)
			s->next_base = segment_end(segment);
		if (segment->sequence >= s->next_sequence)
			s->next_sequence = segment->sequence + 1;
		if (segment_end(segment) > s->first) {
			array_add(&s->used, &s->used_count, &s->used_cap, segment);
			return;
		}
	}
	if (!whole || (uint64_t)size != s->size) {
		segment_remove(s, &segment); /* torn while it was made, or the size was set anew */
		return;
	}
	segment->capacity = s->size - SEGMENT_HEADER;
	segment->zeroed = content == CONTENT_KNOWN; /* written before, at least in part */
	segments_add_spare(s, segment);
}

static void scan_adopt(struct segments *s, const struct scan *scan)
{
	for (size_t i = 0; i < scan->count && !s->known; i++)
		segment_adopt(s, scan->found[i]);
	for (size_t i = 0; i < scan->count; i++)
		if (!scan->found[i]->headless && scan->found[i]->first > s->first)
			s->first = scan->found[i]->first;
}

bool segments_open(struct segments *s, struct files *files, uint64_t size, struct why *why)
{
	struct scan scan = { .s = s };
	bool good;
	int error;

	*s = (struct segments){ .files = files,
		.size = size,
		.next_number = 1,
		.next_sequence = 1,
		.next_base = BLOCK };
	error = files->list(files, ".", scan_found, &scan);
	good = error == 0 ||
		why_set(why, "the store's folder cannot be read: %s", strerror(-error));
	good = good && scan_headers(&scan, why);
	if (good)
		scan_adopt(s, &scan);
	for (size_t i = 0; i < scan.count; i++) {
		if (good)
			scan_place(s, scan.found[i]);
		else if (scan.found[i]->fd >= 0)
			segment_close(s, &scan.found[i]);
		else
			free(scan.found[i]);
	}
	free(scan.found);
	if (!good) {
		segments_close(s);
		return false;
	}
	if (s->used_count)
		qsort(s->used, s->used_count, sizeof *s->used, compare_base);
	if (!s->known && getrandom(s->id.octets, sizeof s->id.octets, 0) != sizeof s->id.octets)
		return why_errno(why, "no chance for the store's id");
	return true;
}

void segments_close(struct segments *s)
{
	for (size_t i = 0; i < s->used_count; i++)
		segment_close(s, &s->used[i]);
	for (size_t i = 0; i < s->spare_count; i++)
		segment_close(s, &s->spare[i]);
	free(s->used);
	free(s->spare);
	*s = (struct segments){ 0 };
}
