/* SPDX-License-Identifier: MIT
 *
 * index.db: a cache of the messages that were deferred once or are held, for quick starts and
 * listings. SQL only; indexer.h decides what goes in. Not for two threads at a time.
 */
#ifndef JOURNAL_INDEX_H
#define JOURNAL_INDEX_H

#include "batch.h"
#include "table.h"
#include "view.h"

struct index;

/* Opens the file, or makes it. One that is not sound, or of another store, is thrown away and made
 * anew (*anew). NULL and why: this cannot be done either. Without a journal *store becomes the id
 * in an index that has seen none either. */
struct index *index_open(
	const char *path, struct store_id *store, bool has_journal, bool *anew, struct why *why);
void index_close(struct index **index);
/* Throws everything away. */
bool index_empty(struct index *index, struct why *why);

/* The mark of what was committed last. */
uint64_t index_mark(const struct index *index);
/* Takes all messages into the table, listed. False: it is not sound. */
bool index_load(struct index *index, struct table *table, struct why *why);

/* A transaction: begin, put and remove, commit with the mark. After a failure: index_abort. */
bool index_begin(struct index *index, struct why *why);
bool index_put(
	struct index *index, const struct snapshot *snap, const struct view *view, struct why *why);
bool index_remove(struct index *index, struct tmail_id id, struct why *why);
bool index_commit(struct index *index, uint64_t mark, struct why *why);
/* In a transaction: where the journal ends, when it is closed in order. */
void index_end(struct index *index, uint64_t end);
/* What was said so last, or 0. The journal has not become shorter since. */
uint64_t index_ended(const struct index *index);
void index_abort(struct index *index);
/* What was committed is flushed. */
bool index_checkpoint(struct index *index, struct why *why);

/* The rows of a message, in the order of ids. The strings are in the arena. */
struct index_row {
	struct tmail_id id;
	uint64_t as_of;
	uint32_t count;
	struct tmail_queue_entry *entries;
};
/* Up to `most` messages above `after`; answers how many, or -1. */
int index_page(struct index *index, struct tmail_id after, unsigned most, struct arena *arena,
	struct index_row *rows);

#endif
