/* SPDX-License-Identifier: MIT
 *
 * The table of living messages: what the journal says, applied. The writer tells it what has
 * become durable, replay what it finds; a change that is not newer than what the message already
 * knows (as_of) changes nothing, so replay may tell it twice. The store's lock guards it.
 */
#ifndef JOURNAL_TABLE_H
#define JOURNAL_TABLE_H

#include "ended.h"
#include "living.h"
#include "segment.h"

struct slab;
struct table {
	struct segments *segments; /* for their counts of fresh messages */
	struct living *fresh;      /* tree: not in the index */
	struct living *listed;     /* tree: in the index */
	struct heap due;
	struct link order; /* by LSN: the oldest first */
	struct link dirty; /* by dirty_since */
	size_t dirty_count;
	struct ended ended;
	struct tmail_queue_counts counts;
	uint64_t length;         /* of the records of the living, together */
	struct tmail_id *spools; /* of messages that have ended: to be removed */
	size_t spool_count, spool_cap;
	struct slab *slabs;
	struct living *unused;
	size_t slab_size;
};

void table_init(struct table *t, struct segments *segments);
void table_free(struct table *t);

struct living *table_find(struct table *t, struct tmail_id id);

/* A message with room for its recipients, zeroed: the caller fills in id, lsn, as_of, length,
 * octets, hold, flags (SPOOLED, WANTED, LISTED) and its states; then it is taken in. */
struct living *table_new(struct table *t, uint32_t count);
void table_insert(struct table *t, struct living *m);
/* One that was not taken in after all. */
void table_forget(struct table *t, struct living *m);

/* The changes; `lsn` is of the record. said: state_of() the outcome. */
void table_outcome(
	struct table *t, struct living *m, uint32_t recipient, struct state said, uint64_t lsn);
void table_hold(struct table *t, struct living *m, uint64_t lsn);
void table_free_hold(struct table *t, struct living *m, int64_t due, uint64_t lsn);
void table_due(struct table *t, struct living *m, int64_t due, uint64_t lsn);
void table_end(struct table *t, struct living *m, uint64_t lsn);
/* It stands at `lsn` now, with all its words. states: what replay found in the copy, one a
 * recipient, and whether it is held; NULL: as it was. */
void table_copied(struct table *t, struct living *m, uint64_t lsn, uint32_t length,
	const struct state *states, bool held);
/* As table_end, but the id is not one that has ended: the record is damaged, or all recipients
 * have ended and only the END was missing. */
void table_drop(struct table *t, struct living *m);
void table_damaged(struct table *t, struct living *m);

/* Claims: not in the journal. */
void table_claim(struct table *t, struct living *m, int64_t now);
/* That of one recipient; due 0: as it was. */
void table_release(struct table *t, struct living *m, uint32_t recipient, int64_t due);

/* When the loading and replaying is over: brings `order` in order. */
void table_sort(struct table *t);

/* For the index: it takes what is dirty, then says what became of it. */
struct living *table_take_dirty(struct table *t);
void table_applied(struct table *t, struct living *m, uint64_t since, bool done);
/* No LSN of a living message that is not in the index, or of a change it has not heard (or
 * is being told), lies below. `end`: where the journal ends. */
uint64_t table_mark(const struct table *t, uint64_t end);
/* Base of the file with the oldest living message; `active` when nothing lives. */
uint64_t table_first(const struct table *t, uint64_t active);

#endif
