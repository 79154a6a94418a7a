/* SPDX-License-Identifier: MIT
 *
 * A file of fixed size that always has the newest records: when it is full the oldest are
 * overwritten. Made for what is nice to have and must cost nothing: nothing is flushed, and what
 * a crash tore is skipped. One writes (a thread that may wait); anybody reads meanwhile.
 *
 * A record is: u16 its whole length, i64 its time in microseconds, octets; little-endian.
 */
#ifndef SYS_RING_H
#define SYS_RING_H

#include "base/fail.h"
#include "base/str.h"

enum {
	RING_SLOT = 64 * 1024, /* the file's size is a multiple of it */
	RING_HEAD = 10,        /* of a record */
	RING_RECORD_MAX = 4096 /* all of a record */
};
#define RING_SIZE_MAX (INT64_C(64) << 30)

/* ---- writing ---- */
struct ring;
/* Goes on behind what is there. A file of another size is begun anew. It does not wait: where the
 * newest record ends is looked for by the first append, of nothing too. */
struct ring *ring_open(const char *path, uint64_t size, struct why *why);
/* Whole records, one behind another. lost: how many are missing before them, for who reads.
 * Answers how many could not be written; the next append tells of them. */
uint64_t ring_append(struct ring *r, struct str records, uint64_t lost);
void ring_close(struct ring **r);
/* Puts the head of a record of that whole length. */
void ring_head(char head[RING_HEAD], size_t length, int64_t time);

/* ---- reading ---- */
struct ring_reader;
/* What is there now; NULL with why when the file cannot be read. No octet of it is believed. */
struct ring_reader *ring_read(const char *path, struct why *why);
/* When the oldest record was made; 0: there is none. */
int64_t ring_since(struct ring_reader *r);
/* To a place before every record of that time or later, for a time that was read from the same
 * clock as theirs, also when it was set back since. */
void ring_seek(struct ring_reader *r, int64_t time);
enum ring_item { RING_END, RING_RECORD, RING_LOSS };
struct ring_found {
	int64_t time;
	struct str octets; /* behind the head; valid until the next call */
	uint64_t lost;     /* of RING_LOSS: records that are missing here */
};
enum ring_item ring_next(struct ring_reader *r, struct ring_found *found);
void ring_read_end(struct ring_reader **r);

#endif
