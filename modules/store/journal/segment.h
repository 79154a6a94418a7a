/* SPDX-License-Identifier: MIT
 *
 * The files of the journal: those in use, oldest first, and the spare ones. A file is made,
 * begun (a header under a new base), perhaps declared dead, freed, and recycled or removed.
 *
 * The arrays and counters belong to the store's lock; making a file and reading from a pinned one
 * need no lock.
 */
#ifndef JOURNAL_SEGMENT_H
#define JOURNAL_SEGMENT_H

#include "batch.h"
#include "file.h"

enum { SEGMENT_HEADER = BLOCK, SEGMENT_NAME = 32 };

struct segment {
	uint64_t base, capacity; /* LSNs [base, base + capacity) */
	uint64_t sequence, previous_end, first;
	uint32_t number; /* in its name */
	int fd;
	int direct;     /* past the system's cache, of a file that is written to; or -1 */
	uint32_t pins;  /* readers; not freed meanwhile */
	uint32_t fresh; /* messages that live in it and are not in the index */
	bool headless;  /* found with a damaged header */
	bool dead;      /* a flush failed */
	bool zeroed;    /* a spare one that was written once */
};

struct segments {
	struct files *files;
	struct store_id id;
	bool known; /* the id is set: there is a store */
	struct segment **used;
	size_t used_count, used_cap;
	struct segment **spare;
	size_t spare_count, spare_cap;
	uint64_t size;  /* of files that are made */
	uint64_t first; /* highest `first` in a header */
	uint64_t next_base, next_sequence;
	uint32_t next_number;
	uint32_t aside; /* files that hold something that nobody understands; left alone */
	uint32_t aside_number;
};

static inline uint64_t segment_end(const struct segment *s)
{
	return s->base + s->capacity;
}

/* Opens all files of the folder and sorts them. A file whose header cannot be read is known by its
 * batches; one with neither is spare when it is blank, else it is left aside. False: the folder
 * cannot be read, or is not to be read by this version. */
bool segments_open(struct segments *s, struct files *files, uint64_t size, struct why *why);
void segments_close(struct segments *s);

/* A new file with its space promised, in no array yet. NULL, why, and *full when there is no
 * space. `number` is segments_number(), taken under the lock. */
struct segment *segment_make(struct segments *s, uint32_t number, bool *full, struct why *why);
/* Writes it full of zeros; for a file that is in no array. */
bool segment_zero(struct segments *s, struct segment *spare, struct why *why);
uint32_t segments_number(struct segments *s);
void segment_close(struct segments *s, struct segment **segment);
/* Nothing is written to it for now: it holds one descriptor less. */
void segment_settle(const struct segments *s, struct segment *segment);
/* Closes and removes the file. */
void segment_remove(struct segments *s, struct segment **segment);

void segments_add_spare(struct segments *s, struct segment *spare);
/* The one that is best written to, or NULL. */
struct segment *segments_take_spare(struct segments *s);

/* Makes the header of a file that is in no array durable: its base is the next one. False: this
 * file is not to be used any more. segments_add_used takes it in. */
bool segment_begin(struct segments *s, struct segment *segment, uint64_t previous_end,
	uint64_t first, struct why *why);
void segments_add_used(struct segments *s, struct segment *segment);
/* Writes the header, does not flush it. 0 or -errno. */
int segment_header(struct segments *s, const struct segment *segment);
/* The oldest one leaves the array. */
struct segment *segments_take_oldest(struct segments *s);

/* The file in use that covers the LSN, or NULL. */
struct segment *segments_at(const struct segments *s, uint64_t lsn);
/* 0 or -errno. */
int segment_read(const struct segments *s, const struct segment *segment, uint64_t lsn, void *to,
	size_t len);
/* Past the cache what is long, whole blocks from aligned memory; what is short will be read soon,
 * or written in company. */
int segment_write(const struct segments *s, const struct segment *segment, uint64_t lsn,
	const void *from, size_t len);
void segment_name(uint32_t number, char name[SEGMENT_NAME]);

#endif
