/* SPDX-License-Identifier: MIT
 *
 * A batch of the journal: records behind a header, under one checksum. Pure; docs/journal.md has
 * the format. The writer's one is a buffer that is used again and again.
 */
#ifndef JOURNAL_BATCH_H
#define JOURNAL_BATCH_H

#include "record.h"

enum { BLOCK = 4096, BATCH_HEAD = 64, BATCH_MOST = 4 * 1024 * 1024 };

static inline uint64_t block_up(uint64_t n)
{
	return (n + BLOCK - 1) & ~(uint64_t)(BLOCK - 1);
}

struct store_id {
	uint8_t octets[16];
};

struct batch_head {
	uint64_t lsn, flushed, first;
	uint32_t length, count;
};

/* ---- writing --------------------------------------------------------------------------- */

struct batch {
	char *data; /* aligned to BLOCK */
	size_t length, room, cap;
	uint32_t count, crc;
};

/* Empty, for at most `room` octets (a multiple of BLOCK). */
void batch_begin(struct batch *b, uint64_t room);
/* Where `size` octets of record may be written; NULL: they do not fit. A lone record may be
 * longer than BATCH_MOST, if the room is. */
char *batch_reserve(struct batch *b, uint64_t size);
/* The record that was written there; answers its offset in the batch. */
size_t batch_add(struct batch *b, const char *record, uint64_t size);
/* Puts the header in front and zeros behind, up to a block. Length and count of `head` are
 * set here. Answers how many octets to write. */
size_t batch_end(struct batch *b, const struct store_id *store, struct batch_head *head);
void batch_free(struct batch *b);

/* ---- reading --------------------------------------------------------------------------- */

/* Is it the header of the batch at that LSN? Unchecked but for store and LSN; for its length. */
bool batch_peek(struct str in, const struct store_id *store, uint64_t lsn, struct batch_head *head);
/* The same at an LSN that is not known, and of a store that is not known. */
bool batch_peek_any(struct str in, const struct store_id *store, struct batch_head *head);
bool batch_peek_own(struct str in, struct store_id *store, struct batch_head *head);

enum batch_state {
	BATCH_GOOD,
	BATCH_HURT, /* header and heads are good, a part of a record is not */
	BATCH_BAD
};
/* `in` is what batch_peek said: head->length octets. */
enum batch_state batch_check(struct str in, const struct batch_head *head);

/* Walk: start with *at = BATCH_HEAD; false at the end. *offset is where the record starts. For
 * batches that are not BAD. */
bool batch_next(struct str in, size_t *at, struct record *r, size_t *offset);

#endif
