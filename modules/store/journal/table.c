/* SPDX-License-Identifier: MIT
 *
 * The table. Every change goes through one function below, which keeps counters, heap, trees and
 * the list for the index in step; nobody else touches them.
 */
#include "table.h"

#include <stdlib.h>

enum { SLAB_FIRST = 16, SLAB_MOST = 1024 };

struct slab {
	struct slab *next;
	struct living messages[];
};

void table_init(struct table *t, struct segments *segments)
{
	*t = (struct table){ .segments = segments, .counts.size = sizeof t->counts };
	list_init(&t->order);
	list_init(&t->dirty);
}

/* ---- memory ------------------------------------------------------------------------------ */

static void slab_add(struct table *t)
{
	struct slab *slab;

	t->slab_size = t->slab_size ? t->slab_size * 2 : SLAB_FIRST;
	if (t->slab_size > SLAB_MOST)
		t->slab_size = SLAB_MOST;
	slab = must_alloc(sizeof *slab + t->slab_size * sizeof *slab->messages);
	slab->next = t->slabs;
	t->slabs = slab;
	for (size_t i = t->slab_size; i-- > 0;) {
		slab->messages[i].left = t->unused;
		t->unused = &slab->messages[i];
	}
}

struct living *table_new(struct table *t, uint32_t count)
{
	struct living *m;

	if (!t->unused)
		slab_add(t);
	m = t->unused;
	must(m != NULL);
	t->unused = m->left;
	*m = (struct living){ .count = count };
	if (count != 1)
		m->states.many = must_alloc((count ? count : 1) * sizeof *m->states.many);
	return m;
}

static void living_free(struct table *t, struct living *m)
{
	if (m->count != 1)
		free(m->states.many);
	m->states.many = NULL;
	m->count = 1;
	m->left = t->unused;
	t->unused = m;
}

void table_forget(struct table *t, struct living *m)
{
	living_free(t, m);
}

void table_free(struct table *t)
{
	LIST_EACH(struct living, m, &t->order, order)
		if (m->count != 1)
			free(m->states.many);
	LIST_EACH(struct living, gone, &t->dirty, dirty)
		if (gone->flags & LIVING_GONE && gone->count != 1)
			free(gone->states.many);
	heap_free(&t->due);
	while (t->slabs) {
		struct slab *slab = t->slabs;

		t->slabs = slab->next;
		free(slab);
	}
	ended_free(&t->ended);
	free(t->spools);
	*t = (struct table){ 0 };
}

/* ---- keeping things in step -------------------------------------------------------------- */

static uint64_t *counter_of(struct table *t, uint32_t fate)
{
	return fate == TMAIL_FATE_PENDING ? &t->counts.pending : &t->counts.deferred;
}

/* The file's count of messages that the index lacks: with +1 or -1. */
static void fresh_count(struct table *t, const struct living *m, int by)
{
	struct segment *segment = segments_at(t->segments, m->lsn);

	if (segment)
		segment->fresh += (uint32_t)by;
}

/* In the heap is who is not held, can be read, and has somebody living whom nobody has claimed. */
static void table_schedule(struct table *t, struct living *m)
{
	const struct state *states = living_states(m);
	int64_t due = INT64_MAX;
	bool found = false;

	for (uint32_t i = 0; i < m->count && !m->hold && !(m->flags & LIVING_DAMAGED); i++) {
		if (!fate_lives(states[i].fate) || states[i].claimed)
			continue;
		found = true;
		if (states[i].due < due)
			due = states[i].due;
	}
	if (!found)
		heap_remove(&t->due, &m->due);
	else if (m->due.place)
		heap_move(&t->due, &m->due, due);
	else
		heap_add(&t->due, &m->due, due);
}

/* The same when one more recipient became free: what is done for each of very many. */
static void table_freed(struct table *t, struct living *m, int64_t due)
{
	if (m->hold || m->flags & LIVING_DAMAGED)
		return;
	if (!m->due.place)
		heap_add(&t->due, &m->due, due);
	else if (due < m->due.due)
		heap_move(&t->due, &m->due, due);
}

static void table_dirty(struct table *t, struct living *m, uint64_t lsn)
{
	if (m->flags & LIVING_DIRTY)
		return;
	m->flags |= LIVING_DIRTY;
	m->dirty_since = lsn;
	list_append(&t->dirty, &m->dirty);
	t->dirty_count++;
}

static void table_clean(struct table *t, struct living *m)
{
	if (!(m->flags & LIVING_DIRTY))
		return;
	m->flags &= ~(uint32_t)LIVING_DIRTY;
	list_remove(&m->dirty);
	t->dirty_count--;
}

/* Something of it changed, as of that LSN. */
static void table_touch(struct table *t, struct living *m, uint64_t lsn)
{
	m->as_of = lsn;
	if (m->flags & LIVING_WANTED)
		table_dirty(t, m, lsn);
}

struct living *table_find(struct table *t, struct tmail_id id)
{
	struct living *m = tree_find(t->fresh, id);

	return m ? m : tree_find(t->listed, id);
}

void table_insert(struct table *t, struct living *m)
{
	const struct state *states = living_states(m);

	for (uint32_t i = 0; i < m->count; i++) {
		if (!fate_lives(states[i].fate))
			continue;
		m->living++;
		++*counter_of(t, states[i].fate);
	}
	t->counts.messages++;
	t->counts.recipients += m->living;
	t->counts.octets += m->octets;
	t->counts.held += m->hold != 0;
	t->length += m->length;
	list_append(&t->order, &m->order);
	if (m->flags & LIVING_LISTED) {
		tree_insert(&t->listed, m);
	} else {
		tree_insert(&t->fresh, m);
		fresh_count(t, m, 1);
		table_touch(t, m, m->as_of);
	}
	table_schedule(t, m);
}

/* Takes it out of everything that knows it. The index may still have to hear of it. */
static void table_remove(struct table *t, struct living *m, uint64_t lsn)
{
	const struct state *states = living_states(m);

	for (uint32_t i = 0; i < m->count; i++)
		if (fate_lives(states[i].fate))
			--*counter_of(t, states[i].fate);
	t->counts.messages--;
	t->counts.recipients -= m->living;
	t->counts.octets -= m->octets;
	t->counts.held -= m->hold != 0;
	t->length -= m->length;
	heap_remove(&t->due, &m->due);
	list_remove(&m->order);
	if (m->flags & LIVING_LISTED) {
		tree_remove(&t->listed, m);
	} else {
		tree_remove(&t->fresh, m);
		fresh_count(t, m, -1);
	}
	if (m->flags & LIVING_SPOOLED) {
		if (t->spool_count == t->spool_cap) {
			t->spool_cap = t->spool_cap ? t->spool_cap * 2 : 16;
			t->spools = must_realloc(t->spools, t->spool_cap * sizeof *t->spools);
		}
		t->spools[t->spool_count++] = m->id;
	}
	if (m->flags & (LIVING_LISTED | LIVING_APPLYING)) {
		m->flags |= LIVING_GONE;
		table_dirty(t, m, lsn);
	} else {
		table_clean(t, m);
		living_free(t, m);
	}
}

/* ---- changes ----------------------------------------------------------------------------- */

static void state_set(struct table *t, struct living *m, struct state *s, struct state to)
{
	if (fate_lives(s->fate)) {
		--*counter_of(t, s->fate);
		m->living--;
		t->counts.recipients--;
	}
	*s = to;
	if (fate_lives(s->fate)) {
		++*counter_of(t, s->fate);
		m->living++;
		t->counts.recipients++;
	}
	if (s->fate == TMAIL_FATE_DEFERRED)
		m->flags |= LIVING_WANTED;
}

void table_outcome(
	struct table *t, struct living *m, uint32_t recipient, struct state said, uint64_t lsn)
{
	struct state *s = living_state(m, recipient);
	bool was_free;

	/* Who has his end keeps it, whatever is said later, in one call or again. */
	if (lsn <= m->as_of || !s || !fate_lives(s->fate))
		return;
	was_free = !s->claimed;
	said.words = lsn;
	said.index = s->index;
	state_set(t, m, s, said);
	table_touch(t, m, lsn);
	if (was_free)
		table_schedule(t, m);
	else if (fate_lives(said.fate))
		table_freed(t, m, said.due);
}

void table_hold(struct table *t, struct living *m, uint64_t lsn)
{
	if (lsn <= m->as_of)
		return;
	t->counts.held += m->hold == 0;
	m->hold = lsn;
	m->flags |= LIVING_WANTED;
	table_touch(t, m, lsn);
	table_schedule(t, m);
}

static void states_due(struct living *m, int64_t due)
{
	struct state *states = living_states(m);

	for (uint32_t i = 0; i < m->count; i++)
		if (fate_lives(states[i].fate))
			states[i].due = due;
}

void table_free_hold(struct table *t, struct living *m, int64_t due, uint64_t lsn)
{
	if (lsn <= m->as_of)
		return;
	t->counts.held -= m->hold != 0;
	m->hold = 0;
	states_due(m, due);
	table_touch(t, m, lsn);
	table_schedule(t, m);
}

void table_due(struct table *t, struct living *m, int64_t due, uint64_t lsn)
{
	if (lsn <= m->as_of)
		return;
	states_due(m, due);
	table_touch(t, m, lsn);
	table_schedule(t, m);
}

void table_end(struct table *t, struct living *m, uint64_t lsn)
{
	if (lsn <= m->as_of)
		return;
	ended_add(&t->ended, m->id);
	table_remove(t, m, lsn);
}

void table_drop(struct table *t, struct living *m)
{
	table_remove(t, m, m->as_of);
}

void table_damaged(struct table *t, struct living *m)
{
	m->flags |= LIVING_DAMAGED;
	table_schedule(t, m);
}

void table_copied(struct table *t, struct living *m, uint64_t lsn, uint32_t length,
	const struct state *states, bool held)
{
	struct state *mine = living_states(m);

	if (lsn <= m->as_of)
		return;
	if (!(m->flags & LIVING_LISTED))
		fresh_count(t, m, -1);
	m->lsn = lsn;
	t->length += length;
	t->length -= m->length;
	m->length = length;
	if (!(m->flags & LIVING_LISTED))
		fresh_count(t, m, 1);
	if (states) {
		t->counts.held += held;
		t->counts.held -= m->hold != 0;
		m->hold = held;
	}
	for (uint32_t i = 0; i < m->count; i++) {
		if (states)
			state_set(t, m, &mine[i], states[i]);
		mine[i].words = lsn;
	}
	if (m->hold)
		m->hold = lsn;
	list_remove(&m->order);
	list_append(&t->order, &m->order);
	table_touch(t, m, lsn);
	table_schedule(t, m);
}

/* ---- claims ------------------------------------------------------------------------------ */

void table_claim(struct table *t, struct living *m, int64_t now)
{
	struct state *states = living_states(m);

	for (uint32_t i = 0; i < m->count; i++)
		if (fate_lives(states[i].fate) && states[i].due <= now)
			states[i].claimed = 1;
	table_schedule(t, m);
}

void table_release(struct table *t, struct living *m, uint32_t recipient, int64_t due)
{
	struct state *s = living_state(m, recipient);

	if (!s || !s->claimed)
		return;
	if (due)
		s->due = due;
	s->claimed = 0;
	if (fate_lives(s->fate))
		table_freed(t, m, s->due);
}

/* ---- loading ----------------------------------------------------------------------------- */

static int compare_lsn(const void *a, const void *b)
{
	const struct living *x = *(struct living *const *)a, *y = *(struct living *const *)b;

	return (x->lsn > y->lsn) - (x->lsn < y->lsn);
}

void table_sort(struct table *t)
{
	struct living **all = must_alloc((t->counts.messages + 1) * sizeof(struct living *));
	size_t count = 0;

	LIST_EACH(struct living, m, &t->order, order)
		all[count++] = m;
	must(count == t->counts.messages);
	if (count)
		qsort(all, count, sizeof(struct living *), compare_lsn);
	list_init(&t->order);
	for (size_t i = 0; i < count; i++)
		list_append(&t->order, &all[i]->order);
	free(all);
}

/* ---- for the index ----------------------------------------------------------------------- */

struct living *table_take_dirty(struct table *t)
{
	struct living *m;

	if (list_empty(&t->dirty))
		return NULL;
	m = container_of(t->dirty.next, struct living, dirty);
	table_clean(t, m);
	m->flags |= LIVING_APPLYING;
	return m;
}

void table_applied(struct table *t, struct living *m, uint64_t since, bool done)
{
	m->flags &= ~(uint32_t)LIVING_APPLYING;
	if (!done) { /* it is the first in the list again, since when it was dirty before */
		if (m->flags & LIVING_DIRTY)
			table_clean(t, m);
		m->flags |= LIVING_DIRTY;
		m->dirty_since = since;
		list_prepend(&t->dirty, &m->dirty);
		t->dirty_count++;
		return;
	}
	if (m->flags & LIVING_GONE) {
		if (!(m->flags & LIVING_DIRTY))
			living_free(t, m);
		return;
	}
	if (m->flags & LIVING_LISTED)
		return;
	fresh_count(t, m, -1);
	tree_remove(&t->fresh, m);
	m->flags |= LIVING_LISTED;
	tree_insert(&t->listed, m);
}

uint64_t table_mark(const struct table *t, uint64_t end)
{
	uint64_t mark = end;

	for (size_t i = 0; i < t->segments->used_count; i++) {
		const struct segment *segment = t->segments->used[i];

		if (!segment->fresh)
			continue;
		if (segment->base < mark)
			mark = segment->base;
		break;
	}
	if (!list_empty(&t->dirty)) {
		uint64_t since = container_of(t->dirty.next, struct living, dirty)->dirty_since;

		if (since < mark)
			mark = since;
	}
	return mark;
}

uint64_t table_first(const struct table *t, uint64_t active)
{
	const struct segment *segment;

	if (list_empty(&t->order))
		return active;
	segment = segments_at(t->segments, container_of(t->order.next, struct living, order)->lsn);
	return segment && segment->base < active ? segment->base : active;
}
