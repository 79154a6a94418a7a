/* SPDX-License-Identifier: MIT
 *
 * The indexer. It takes messages off the list of dirty ones as they are at that moment, writes
 * them without any lock but the connection's, and then says what became of them. The mark is
 * taken at the same moment as the messages, so all that changes later lies beyond it.
 */
#include "indexer.h"

#include "base/arena.h"
#include "quarantine.h"
#include "store.h"
#include "view.h"

enum { TURN_MOST = 1000, WAL_TURNS = 20 };

struct taken {
	struct living *m;
	uint64_t since;
	bool gone, later; /* later: the disk does not give it now */
	struct snapshot snap;
};
struct turn {
	struct arena *arena;
	struct taken *taken;
	unsigned count;
	uint64_t mark;
	bool more, behind; /* behind: only the mark keeps a file from being free */
};

/* Does only the flushed mark keep files from being free? With the lock. */
static bool mark_is_behind(const struct store *store, uint64_t mark)
{
	const struct segments *s = &store->segments;
	uint64_t free = table_first(&store->table, store->writer.end);
	const struct segment *segment;

	if (mark < free)
		free = mark;
	segment = segments_at(s, free);
	if (segment)
		free = segment->base;
	return s->used_count > 0 && free > s->used[0]->base && free > store->mark;
}

static void turn_take(struct store *store, struct turn *turn)
{
	struct memory memory = { .arena = turn->arena };
	struct table *t = &store->table;
	struct living *m;

	pthread_mutex_lock(&store->lock);
	while (turn->count < TURN_MOST && (m = table_take_dirty(t)) != NULL) {
		struct taken *taken = &turn->taken[turn->count++];

		taken->m = m;
		taken->since = m->dirty_since;
		taken->gone = m->flags & LIVING_GONE;
		if (!taken->gone)
			snapshot_of(store, m, &memory, &taken->snap);
		else
			taken->snap = (struct snapshot){ .id = m->id };
	}
	turn->more = t->dirty_count > 0;
	turn->mark = table_mark(t, store->writer.end);
	turn->behind = mark_is_behind(store, turn->mark);
	pthread_mutex_unlock(&store->lock);
}

/* It stays dirty, and the mark stays below it. */
static void taken_later(struct turn *turn, struct taken *taken)
{
	uint64_t since = taken->since;

	if (!(taken->snap.flags & LIVING_LISTED) && taken->snap.lsn < since)
		since = taken->snap.lsn;
	if (since < turn->mark)
		turn->mark = since;
	taken->later = true;
	turn->more = false;
}

static bool turn_write(struct store *store, struct turn *turn, struct why *why)
{
	struct memory memory = { .arena = turn->arena };

	if (!index_begin(store->index, why))
		return false;
	for (unsigned i = 0; i < turn->count; i++) {
		struct taken *taken = &turn->taken[i];
		struct view view;
		int status;

		if (taken->gone) {
			if (!index_remove(store->index, taken->snap.id, why))
				return false;
			continue;
		}
		status = view_read(store, &taken->snap, VIEW_ENVELOPE, &memory, &view);
		if (status == TMAIL_TRY_LATER)
			taken_later(turn, taken);
		else if (status == TMAIL_REFUSED)
			quarantine_message(store, &taken->snap);
		else if (!index_put(store->index, &taken->snap, &view, why))
			return false;
	}
	return index_commit(store->index, turn->mark, why);
}

static void turn_settle(struct store *store, struct turn *turn, bool done)
{
	pthread_mutex_lock(&store->lock);
	for (unsigned i = turn->count; i-- > 0;) {
		struct taken *taken = &turn->taken[i];

		if (taken->snap.pinned)
			taken->snap.pinned->pins--;
		table_applied(&store->table, taken->m, taken->since, done && !taken->later);
	}
	pthread_mutex_unlock(&store->lock);
}

/* Files are free without its mark. */
void indexer_give_up(struct store *store, const struct why *why)
{
	note(&store->notes, TMAIL_ERROR, "journal_index_lost",
		"%s; listings read the journal until the next start, which makes it anew",
		why->text);
	index_close(&store->index);
	pthread_mutex_lock(&store->lock);
	store->mark = UINT64_MAX;
	pthread_mutex_unlock(&store->lock);
}

/* Without an index nobody has to hear of anything: what is gone can be freed. */
static void dirty_forget(struct store *store)
{
	struct living *m;

	pthread_mutex_lock(&store->lock);
	while ((m = table_take_dirty(&store->table)) != NULL)
		table_applied(&store->table, m, m->dirty_since, true);
	pthread_mutex_unlock(&store->lock);
}

bool indexer_turn(struct store *store)
{
	struct turn turn = { 0 };
	struct why why;
	bool done = true;

	pthread_mutex_lock(&store->indexing);
	if (!store->index) {
		dirty_forget(store);
		pthread_mutex_unlock(&store->indexing);
		return false;
	}
	turn.arena = arena_new(64 * 1024);
	turn.taken = ARENA_ARRAY(turn.arena, struct taken, TURN_MOST);
	turn_take(store, &turn);
	if (turn.count || turn.behind) {
		done = turn_write(store, &turn, &why);
		if (!done)
			index_abort(store->index);
		turn_settle(store, &turn, done);
		note_count(&store->notes, METRIC_INDEXED, done ? turn.count : 0);
	}
	/* A file waits for the mark to be flushed, or the log of SQLite grows. */
	if (done && turn.count)
		store->turns++;
	if (done && (turn.behind || store->turns >= WAL_TURNS)) {
		store->turns = 0;
		done = index_checkpoint(store->index, &why);
		if (done) {
			pthread_mutex_lock(&store->lock);
			store->mark = index_mark(store->index);
			pthread_mutex_unlock(&store->lock);
		}
	}
	if (!done)
		indexer_give_up(store, &why);
	arena_free(&turn.arena);
	pthread_mutex_unlock(&store->indexing);
	return done && turn.more;
}

void indexer_close(struct store *store)
{
	while (indexer_turn(store))
		;
	if (!store->index)
		return;
	if (index_begin(store->index, NULL)) {
		index_end(store->index, store->writer.end);
		if (index_commit(store->index, index_mark(store->index), NULL))
			index_checkpoint(store->index, NULL);
	}
	index_close(&store->index);
}
