/* SPDX-License-Identifier: MIT
 *
 * WRITE: what the core hands over becomes one batch, one write, one flush; then memory follows.
 * A batch is split only where a file ends or where it would be longer than BATCH_MOST.
 */
#ifndef JOURNAL_WRITER_H
#define JOURNAL_WRITER_H

#include "batch.h"

#include "base/fail.h"

#include <tmail/service/queue.h>

struct store;
struct segment;
struct staged;

struct writer {
	struct batch batch;
	struct staged *staged; /* what is in the batch, in order */
	size_t staged_count, staged_cap;
	struct segment *active; /* NULL: the next write begins a file */
	uint64_t end;     /* where the next batch goes: all below is durable. Changed under lock */
	uint64_t first;   /* what the last durable batch or header said. Changed under lock */
	uint64_t written; /* octets of the last batch: how much may be copied with the next */
	bool unsettled;   /* a flush failed and no header says yet where the file ends: lock */
	struct why why, full; /* what refused operations point to */
};

void writer_free(struct writer *w);
/* Fills in the results. */
void store_write(struct store *store, const struct tmail_queue_write *q);

/* For reclaim, while a batch is open: room for a record, or NULL. */
char *writer_reserve(struct writer *w, uint64_t size);
/* The record written there is a copy of that message. */
void writer_stage_copy(struct writer *w, const char *record, uint64_t size, struct tmail_id id);

#endif
