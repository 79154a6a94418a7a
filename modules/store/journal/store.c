/* SPDX-License-Identifier: MIT
 *
 * Opening, tending and closing a store. Opening writes nothing to the journal: the next file is
 * begun by the first write, so a command that only looks leaves everything as it was.
 */
#include "store.h"

#include "indexer.h"
#include "replay.h"
#include "space.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { STAND_BACK = 10 };

/* ---- loading ----------------------------------------------------------------------------- */

static void table_reset(struct store *store)
{
	table_free(&store->table);
	table_init(&store->table, &store->segments);
	for (size_t i = 0; i < store->segments.used_count; i++)
		store->segments.used[i]->fresh = 0;
}

/* Rows that point to where nothing is would be a queue that cannot be delivered. */
static bool table_sound(struct store *store)
{
	LIST_EACH(struct living, m, &store->table.order, order) {
		const struct state *states = living_states(m);

		if (!segments_at(&store->segments, m->lsn) ||
			(m->hold && !segments_at(&store->segments, m->hold)))
			return false;
		for (uint32_t i = 0; i < m->count; i++)
			if (states[i].words < m->lsn ||
				!segments_at(&store->segments, states[i].words))
				return false;
	}
	return true;
}

/* True: there is an index with something in it. */
static bool index_start(struct store *store)
{
	struct why why;
	bool anew;

	store->mark = UINT64_MAX;
	if (!store->settings.index_path)
		return false;
	store->index = index_open(store->settings.index_path, &store->segments.id,
		store->segments.known, &anew, &why);
	if (!store->index) {
		note(&store->notes, TMAIL_ERROR, "journal_index_lost",
			"%s; listings read the journal", why.text);
		return false;
	}
	store->mark = 0; /* what is committed may still go back, until it is flushed */
	if (anew && store->segments.used_count)
		note(&store->notes, TMAIL_INFO, "journal_index_made",
			"index.db is made anew from the journal");
	return !anew;
}

/* Nothing of the index is believed any more. */
static void index_distrust(struct store *store, struct why *why)
{
	table_reset(store);
	note(&store->notes, TMAIL_WARNING, "journal_index_made",
		"%s; it is made anew from the journal", why->text);
	if (index_empty(store->index, why))
		return;
	index_abort(store->index);
	indexer_give_up(store, why);
}

/* Takes the rows of the index in, if they can be believed. Answers where replay starts. */
static uint64_t index_take(struct store *store)
{
	const struct segments *s = &store->segments;
	uint64_t first = s->first, mark;
	struct why why;

	if (!index_start(store))
		return first;
	mark = index_mark(store->index);
	if (mark == 0) /* nothing was ever committed to it */
		return first;
	why_set(&why, "index.db: is older than the journal's oldest file");
	if (s->used_count && mark >= s->used[0]->base &&
		index_load(store->index, &store->table, &why))
		return mark;
	index_distrust(store, &why);
	return first;
}

/* A row may point to a file that is used for something else by now, if the journal tells where the
 * message was copied to. So the rows are judged when the journal has been read. */
static bool journal_read(struct store *store, struct replayed *replayed, struct why *why)
{
	uint64_t from = index_take(store);
	uint64_t sure = store->index ? index_ended(store->index) : 0;

	if (!replay(store, from, sure, replayed, why))
		return false;
	if (!store->index || table_sound(store))
		return true;
	index_distrust(store, &(struct why){ "index.db: points to what is not there" });
	return replay(store, store->segments.first, sure, replayed, why);
}

/* All of its recipients have their end, only the END was not written any more. */
static void table_finish(struct store *store)
{
	unsigned count = 0;

	LIST_EACH(struct living, m, &store->table.order, order) {
		if (m->living > 0)
			continue;
		ended_add(&store->table.ended, m->id);
		table_drop(&store->table, m);
		count++;
	}
	if (count)
		note(&store->notes, TMAIL_INFO, "journal_ended",
			"%u messages had all their outcomes, but no end: ended", count);
}

static bool store_load(struct store *store, struct why *why)
{
	struct segments *s = &store->segments;
	struct replayed replayed;

	if (!segments_open(s, store->files, store->settings.segment_size, why))
		return false;
	if (s->aside && !s->known)
		return why_set(why,
			"segment-%08" PRIu32 " holds something that cannot be read, and no other "
			"file can: to begin anew, move the files of this folder away",
			s->aside_number);
	if (s->aside)
		note(&store->notes, TMAIL_ERROR, "journal_file_aside",
			"%u files hold nothing that can be read, the last is segment-%08" PRIu32
			"; left alone",
			s->aside, s->aside_number);
	if (!journal_read(store, &replayed, why))
		return false;
	table_finish(store);
	table_sort(&store->table);
	store->writer.end = replayed.end;
	store->writer.first = replayed.first;
	spools_sweep(store, replayed.damaged > 0);
	return true;
}

/* ---- the keepers ------------------------------------------------------------------------- */

static bool spools_turn(struct store *store)
{
	struct tmail_id id;
	bool found;

	pthread_mutex_lock(&store->lock);
	found = store->table.spool_count > 0;
	if (found)
		id = store->table.spools[--store->table.spool_count];
	pthread_mutex_unlock(&store->lock);
	if (found)
		spool_remove(store, id);
	return found;
}

static bool files_turn(struct store *store)
{
	bool more = space_turn(store);

	return spools_turn(store) || more;
}

bool store_tend(struct store *store)
{
	bool more = indexer_turn(store);

	return files_turn(store) || more;
}

void store_wake(struct store *store)
{
	for (unsigned i = 0; i < KEEPERS; i++) {
		struct keeper *k = &store->keepers[i];

		if (!k->runs || k->woken)
			continue;
		k->woken = true;
		pthread_cond_signal(&k->wake);
	}
}

static void keeper_wait(struct keeper *k)
{
	struct store *store = k->store;
	struct timespec until;
	int64_t ns = store->settings.interval * 1000000;

	while (!k->woken && !store->stopping)
		pthread_cond_wait(&k->wake, &store->lock);
	/* What is to do is gathered for a while: many changes, one transaction. */
	clock_gettime(CLOCK_MONOTONIC, &until);
	ns += until.tv_nsec;
	until.tv_sec += ns / 1000000000;
	until.tv_nsec = ns % 1000000000;
	while (!store->stopping && pthread_cond_timedwait(&k->wake, &store->lock, &until) == 0)
		;
	k->woken = false;
}

static void *keeper_run(void *ctx)
{
	struct keeper *k = ctx;
	struct store *store = k->store;

	if (k->stands_back) /* Linux counts it thread by thread */
		setpriority(PRIO_PROCESS, (id_t)gettid(), STAND_BACK);
	pthread_mutex_lock(&store->lock);
	while (!store->stopping) {
		bool more = true;

		pthread_mutex_unlock(&store->lock);
		while (more) {
			more = k->turn(store);
			pthread_mutex_lock(&store->lock);
			more = more && !store->stopping;
			pthread_mutex_unlock(&store->lock);
		}
		pthread_mutex_lock(&store->lock);
		keeper_wait(k);
	}
	pthread_mutex_unlock(&store->lock);
	return NULL;
}

static void keepers_start(struct store *store)
{
	pthread_mutex_lock(&store->lock);
	for (unsigned i = 0; i < KEEPERS; i++) {
		struct keeper *k = &store->keepers[i];

		k->runs = pthread_create(&k->thread, NULL, keeper_run, k) == 0;
		if (!k->runs)
			note(&store->notes, TMAIL_ERROR, "journal_no_thread",
				"nobody tends the store");
	}
	pthread_mutex_unlock(&store->lock);
}

static void keepers_stop(struct store *store)
{
	pthread_mutex_lock(&store->lock);
	store->stopping = true;
	for (unsigned i = 0; i < KEEPERS; i++)
		pthread_cond_signal(&store->keepers[i].wake);
	pthread_mutex_unlock(&store->lock);
	for (unsigned i = 0; i < KEEPERS; i++) {
		if (store->keepers[i].runs)
			pthread_join(store->keepers[i].thread, NULL);
		store->keepers[i].runs = false;
	}
}

/* The index may be late, and then costs nobody anything; without spare files the writer waits. */
static void keepers_init(struct store *store)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	store->keepers[0] = (struct keeper){ .turn = files_turn };
	store->keepers[1] = (struct keeper){ .turn = indexer_turn, .stands_back = true };
	for (unsigned i = 0; i < KEEPERS; i++) {
		store->keepers[i].store = store;
		pthread_cond_init(&store->keepers[i].wake, &attributes);
	}
	pthread_condattr_destroy(&attributes);
}

/* ---- opening and closing ----------------------------------------------------------------- */

static void store_free(struct store *store)
{
	index_close(&store->index);
	spools_free(store);
	writer_free(&store->writer);
	table_free(&store->table);
	segments_close(&store->segments);
	notes_free(&store->notes);
	pthread_mutex_destroy(&store->writing);
	pthread_mutex_destroy(&store->indexing);
	pthread_mutex_destroy(&store->lock);
	for (unsigned i = 0; i < KEEPERS; i++)
		pthread_cond_destroy(&store->keepers[i].wake);
	free(store);
}

static int64_t now_real(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

struct store *store_open(
	struct files *files, const struct store_settings *settings, struct why *why)
{
	struct store *store = must_alloc(sizeof *store);

	store->files = files;
	store->settings = *settings;
	if (!store->settings.now)
		store->settings.now = now_real;
	notes_init(&store->notes);
	spools_init(&store->spools);
	pthread_mutex_init(&store->writing, NULL);
	pthread_mutex_init(&store->indexing, NULL);
	pthread_mutex_init(&store->lock, NULL);
	keepers_init(store);
	table_init(&store->table, &store->segments);
	if (!store_load(store, why)) {
		store_free(store);
		return NULL;
	}
	if (settings->background)
		keepers_start(store);
	return store;
}

void store_close(struct store **store)
{
	if (!*store)
		return;
	keepers_stop(*store);
	indexer_close(*store);
	while (spools_turn(*store))
		;
	store_free(*store);
	*store = NULL;
}
