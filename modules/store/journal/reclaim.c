/* SPDX-License-Identifier: MIT
 *
 * Copying forward. As much is copied with a write as was written with the last, and a little more,
 * so that reclaiming keeps pace with writing; and it starts only when less than half of the
 * files is alive, so an octet is copied about once for each two written.
 */
#include "reclaim.h"

#include "quarantine.h"
#include "store.h"
#include "view.h"

enum { PIECE = 128 * 1024, FILES_SLACK = 3, FILES_TIGHT = 2 };

/* Are there more files in use than what lives in them is worth? */
static bool reclaim_wanted(const struct store *store)
{
	const struct segments *s = &store->segments;
	uint64_t capacity = s->size - SEGMENT_HEADER;
	uint64_t alive = (store->table.length + capacity - 1) / capacity;

	if (s->used_count < 2)
		return false;
	if (s->spare_count == 0)
		return s->used_count > FILES_TIGHT + alive + alive / 4;
	return s->used_count > FILES_SLACK + 2 * alive;
}

static bool reclaim_due(struct store *store)
{
	bool wanted;

	pthread_mutex_lock(&store->lock);
	wanted = reclaim_wanted(store);
	pthread_mutex_unlock(&store->lock);
	return wanted;
}

/* The oldest message above `after`, if it is in the oldest file. */
static bool oldest_take(
	struct store *store, const struct memory *memory, uint64_t after, struct snapshot *snap)
{
	struct table *t = &store->table;
	bool found = false;

	pthread_mutex_lock(&store->lock);
	if (reclaim_wanted(store)) {
		LIST_EACH(struct living, m, &t->order, order) {
			if (m->lsn >= segment_end(store->segments.used[0]) || found)
				break;
			if (m->lsn > after && !(m->flags & LIVING_DAMAGED))
				found = snapshot_of(store, m, memory, snap);
		}
	}
	pthread_mutex_unlock(&store->lock);
	return found;
}

/* False: there is no room for it. */
static bool copy_stage(struct store *store, const struct snapshot *snap, const struct view *view,
	struct arena *arena, uint64_t *size)
{
	struct state_words *states =
		ARENA_ARRAY(arena, struct state_words, snap->count ? snap->count : 1);
	struct copy copy = { .from = view->record,
		.held = snap->hold != 0,
		.listed = snap->flags & LIVING_WANTED,
		.hold = view->hold,
		.states = states,
		.count = snap->count };
	struct extent extent;
	char *to;

	for (uint32_t i = 0; i < snap->count; i++)
		states[i] = (struct state_words){ snap->states[i].fate, snap->states[i].note,
			snap->states[i].attempts, snap->states[i].due,
			str_make(view->entries[i].reply.data, view->entries[i].reply.len) };
	if (!copy_measure(&copy, &extent))
		return false;
	to = writer_reserve(&store->writer, extent_size(extent));
	if (!to)
		return false;
	copy_write(to, &copy, extent);
	*size = extent_size(extent);
	writer_stage_copy(&store->writer, to, *size, snap->id);
	return true;
}

void reclaim_stage(struct store *store)
{
	uint64_t budget = store->writer.written > PIECE ? store->writer.written : PIECE;
	uint64_t quarter = (store->settings.segment_size - SEGMENT_HEADER) / 4;
	uint64_t done = 0, after = 0;
	struct memory memory = { 0 };
	struct snapshot snap;
	bool more = true;

	if (!reclaim_due(store))
		return;
	if (budget > quarter)
		budget = quarter;
	memory.arena = arena_new(16 * 1024);
	while (more && done < budget && oldest_take(store, &memory, after, &snap)) {
		struct view view;
		uint64_t size = 0;
		int status;

		after = snap.lsn;
		status = view_read(store, &snap, VIEW_CONTENT, &memory, &view);
		if (status == TMAIL_OK)
			more = copy_stage(store, &snap, &view, memory.arena, &size);
		else if (status == TMAIL_REFUSED)
			quarantine_message(store, &snap);
		done += size;
		snapshot_drop(store, &snap);
		arena_reset(memory.arena);
	}
	arena_free(&memory.arena);
}
