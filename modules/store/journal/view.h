/* SPDX-License-Identifier: MIT
 *
 * One living message read back from the journal: envelope, states with their last words, content.
 *
 * A snapshot is what memory knows of it at one moment; while it is held, no file it needs is used
 * again. A view is what the disk says for that snapshot.
 */
#ifndef JOURNAL_VIEW_H
#define JOURNAL_VIEW_H

#include "living.h"
#include "memory.h"
#include "record.h"

struct store;
struct segment;

struct snapshot {
	struct tmail_id id;
	uint64_t lsn, as_of, hold, octets;
	uint32_t length, count, flags;
	struct state *states;
	struct segment *pinned;
};
/* TMAIL_OK, NOT_FOUND (nothing living of that id), TRY_LATER (no memory). */
int snapshot_take(struct store *store, struct tmail_id id, const struct memory *memory,
	struct snapshot *snap);
/* With the lock held; m may be one that has just ended. */
bool snapshot_of(struct store *store, const struct living *m, const struct memory *memory,
	struct snapshot *snap);
void snapshot_drop(struct store *store, struct snapshot *snap);

struct view {
	struct record record; /* content: only if asked for */
	struct meta meta;
	struct tmail_envelope envelope;
	struct tmail_queue_entry *entries; /* one a recipient; count of the snapshot */
	struct str hold;
};
enum view_part { VIEW_ENVELOPE, VIEW_CONTENT };
/* TMAIL_OK; TRY_LATER: the disk does not give it, or no memory; REFUSED: it is damaged. */
int view_read(struct store *store, const struct snapshot *snap, enum view_part part,
	const struct memory *memory, struct view *view);

/* Reads a message of that id; one that is damaged is put into quarantine and not known any more:
 * NOT_FOUND. The snapshot is held on TMAIL_OK only, if `keep` is not NULL. */
int view_message(struct store *store, struct tmail_id id, enum view_part part,
	const struct memory *memory, struct view *view, struct snapshot *keep);

#endif
