/* SPDX-License-Identifier: MIT
 *
 * Spare files. The keeper keeps two ready, written once, so that the writer never waits for one; if
 * it has to make one itself, the space is promised by the file system and filled by use.
 */
#include "space.h"

#include "store.h"

#include <inttypes.h>
#include <time.h>

enum { SPARES_READY = 2, SPARES_KEPT = 4, ASK_EVERY = 250 /* ms */ };

/* Octets of the file system that may still become ours; 0 when nobody can say. */
static uint64_t room_free(struct store *store)
{
	int64_t room = store->files->room(store->files);

	if (room < 0 || (uint64_t)room < store->settings.keep_free)
		return 0;
	return (uint64_t)room - store->settings.keep_free;
}

/* A new file, not yet in any array. */
static struct segment *file_make(struct store *store, bool *full, struct why *why)
{
	struct segment *segment;
	uint32_t number;

	pthread_mutex_lock(&store->lock);
	number = segments_number(&store->segments);
	pthread_mutex_unlock(&store->lock);
	segment = segment_make(&store->segments, number, full, why);
	if (segment)
		note_count(&store->notes, METRIC_FILES_MADE, 1);
	return segment;
}

/* The oldest file, if nothing lives in it, but no durable word says so yet: the header that is
 * about to be written to it will be that word, before any of its records is written over. */
static struct segment *file_oldest(struct store *store)
{
	struct segments *s = &store->segments;
	struct segment *segment = NULL;

	pthread_mutex_lock(&store->lock);
	if (s->used_count > 1 && s->used[0] != store->writer.active && !s->used[0]->dead &&
		s->used[0]->pins == 0 && s->used[0]->capacity + SEGMENT_HEADER == s->size &&
		store->mark >= segment_end(s->used[0]) &&
		table_first(&store->table, store->writer.end) >= segment_end(s->used[0]))
		segment = segments_take_oldest(s);
	pthread_mutex_unlock(&store->lock);
	return segment;
}

struct segment *space_take_file(struct store *store, bool *full, struct why *why)
{
	struct segment *segment;

	*full = false;
	pthread_mutex_lock(&store->lock);
	segment = segments_take_spare(&store->segments);
	pthread_mutex_unlock(&store->lock);
	if (!segment)
		segment = file_make(store, full, why);
	return segment ? segment : file_oldest(store);
}

static size_t spares(struct store *store)
{
	size_t count;

	pthread_mutex_lock(&store->lock);
	count = store->segments.spare_count;
	pthread_mutex_unlock(&store->lock);
	return count;
}

bool space_for_add(struct store *store, struct why *why)
{
	struct segment *segment;
	bool full;

	if (spares(store) > 0)
		return true;
	if (room_free(store) < store->settings.segment_size)
		return why_set(why, "the disk is full");
	segment = file_make(store, &full, why);
	if (!segment)
		return false;
	pthread_mutex_lock(&store->lock);
	segments_add_spare(&store->segments, segment);
	pthread_mutex_unlock(&store->lock);
	return true;
}

bool space_for_spool(struct store *store, uint64_t octets, struct why *why)
{
	return octets <= room_free(store) || why_set(why, "the disk is full");
}

/* What is free in the files and on the file system, less the file that stays spare for outcomes.
 * The file system is asked now and then only: this runs for every message, on a loop. */
static uint64_t room_now(struct store *store)
{
	uint64_t capacity = store->settings.segment_size - SEGMENT_HEADER, room;
	struct timespec now;
	int64_t ms;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	if (store->room_asked == 0 || ms - store->room_asked >= ASK_EVERY) {
		store->room = room_free(store);
		store->room_asked = ms;
	}
	room = store->room;
	if (store->segments.spare_count)
		room += (store->segments.spare_count - 1) * capacity;
	else
		room -= room > store->settings.segment_size ? store->settings.segment_size : room;
	if (store->writer.active)
		room += segment_end(store->writer.active) - store->writer.end;
	return room;
}

int space_reserve(struct store *store, const struct tmail_queue_reserve *q, struct why *why)
{
	int status = TMAIL_OK;

	pthread_mutex_lock(&store->lock);
	if (q->give_back) {
		space_given_back(store, q->octets);
	} else {
		uint64_t room = room_now(store), need = q->octets ? q->octets : 1;

		if (need > room || store->reserved > room - need)
			status = TMAIL_TRY_LATER;
		else
			store->reserved += q->octets;
	}
	pthread_mutex_unlock(&store->lock);
	if (status != TMAIL_OK)
		why_set(why, "no room for %" PRIu64 " octets more", q->octets);
	return status;
}

void space_given_back(struct store *store, uint64_t octets)
{
	store->reserved -= octets < store->reserved ? octets : store->reserved;
}

/* ---- the keeper's part ------------------------------------------------------------------- */

/* What nobody needs: nothing living up to its end, a durable word that says so, no reader. */
static bool oldest_is_free(const struct store *store)
{
	const struct segments *s = &store->segments;

	return s->used_count > 0 && s->used[0] != store->writer.active &&
		segment_end(s->used[0]) <= store->writer.first && s->used[0]->pins == 0;
}

/* Frees the oldest files; those that cannot be used again are given in `gone`, one a call. */
static struct segment *files_free(struct store *store)
{
	struct segment *gone = NULL;

	pthread_mutex_lock(&store->lock);
	while (!gone && oldest_is_free(store)) {
		struct segment *segment = segments_take_oldest(&store->segments);

		segment->fresh = 0;
		if (segment->dead || segment->capacity + SEGMENT_HEADER != store->segments.size) {
			gone = segment;
		} else {
			segment->zeroed = true; /* written before */
			segments_add_spare(&store->segments, segment);
		}
	}
	/* After a large backlog: more spare than in use, and more than the next rush needs. */
	if (!gone && store->segments.spare_count > SPARES_KEPT &&
		store->segments.spare_count > store->segments.used_count)
		gone = segments_take_spare(&store->segments);
	pthread_mutex_unlock(&store->lock);
	return gone;
}

/* A spare one that was never written, taken out while it is filled. */
static struct segment *spare_unwritten(struct store *store)
{
	struct segments *s = &store->segments;
	struct segment *found = NULL;

	pthread_mutex_lock(&store->lock);
	for (size_t i = 0; i < s->spare_count && s->spare_count > 1 && !found; i++) {
		if (s->spare[i]->zeroed)
			continue;
		found = s->spare[i];
		s->spare[i] = s->spare[--s->spare_count];
	}
	pthread_mutex_unlock(&store->lock);
	return found;
}

/* Once the store has been written to, two files are kept ready. */
static struct segment *spare_wanted(struct store *store)
{
	struct segment *segment;
	bool begun, full;

	pthread_mutex_lock(&store->lock);
	begun = store->writer.active != NULL;
	pthread_mutex_unlock(&store->lock);
	if (!begun || spares(store) >= SPARES_READY ||
		room_free(store) < store->settings.segment_size)
		return NULL;
	segment = file_make(store, &full, NULL);
	return segment;
}

bool space_turn(struct store *store)
{
	struct segment *segment = files_free(store);
	struct why why;

	if (segment) {
		segment_remove(&store->segments, &segment);
		return true;
	}
	segment = spare_wanted(store);
	if (!segment)
		segment = spare_unwritten(store);
	if (!segment)
		return false;
	if (!segment->zeroed && !segment_zero(&store->segments, segment, &why)) {
		note(&store->notes, TMAIL_WARNING, "journal_spare_lost", "%s", why.text);
		segment_remove(&store->segments, &segment);
		return false;
	}
	pthread_mutex_lock(&store->lock);
	segments_add_spare(&store->segments, segment);
	pthread_mutex_unlock(&store->lock);
	return true;
}
