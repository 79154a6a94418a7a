/* SPDX-License-Identifier: MIT
 *
 * A ring of ids with a hash table over it: open addressing, and removal that moves what follows
 * back, so that no mark of the removed stays.
 */
#include "ended.h"

#include "base/fail.h"

#include <stdlib.h>
#include <string.h>

enum { ENDED_FIRST = 256 };

static size_t slot_of(const struct ended *e, struct tmail_id id)
{
	uint64_t v = (id.hi ^ id.lo * 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;

	return (size_t)(v >> 32) & (2 * e->cap - 1);
}

static bool same(struct tmail_id a, struct tmail_id b)
{
	return a.hi == b.hi && a.lo == b.lo;
}

/* The slot that holds the id, or the empty one where it would go. */
static size_t slot_find(const struct ended *e, struct tmail_id id)
{
	size_t slot = slot_of(e, id);

	while (e->slots[slot] && !same(e->ring[e->slots[slot] - 1], id))
		slot = (slot + 1) & (2 * e->cap - 1);
	return slot;
}

static void slot_remove(struct ended *e, struct tmail_id id)
{
	size_t mask = 2 * e->cap - 1, hole = slot_find(e, id);

	for (size_t at = (hole + 1) & mask; e->slots[at]; at = (at + 1) & mask) {
		size_t home = slot_of(e, e->ring[e->slots[at] - 1]);

		/* May it stand in the hole? Only if its way from home leads over it. */
		if (((at - home) & mask) >= ((at - hole) & mask)) {
			e->slots[hole] = e->slots[at];
			hole = at;
		}
	}
	e->slots[hole] = 0;
}

static void ended_grow(struct ended *e)
{
	struct ended old = *e;

	e->cap = old.cap ? old.cap * 2 : ENDED_FIRST;
	e->ring = must_alloc(e->cap * sizeof *e->ring);
	e->slots = must_alloc(2 * e->cap * sizeof *e->slots);
	e->count = e->next = 0;
	for (size_t i = 0; i < old.count; i++)
		ended_add(e, old.ring[i]);
	ended_free(&old);
}

void ended_add(struct ended *e, struct tmail_id id)
{
	size_t slot;

	if (ended_has(e, id))
		return;
	if (e->count == e->cap && e->cap < ENDED_MOST)
		ended_grow(e); /* full for the first time: next is 0, the ring is in order */
	if (e->count == e->cap)
		slot_remove(e, e->ring[e->next]);
	else
		e->count++;
	e->ring[e->next] = id;
	slot = slot_find(e, id);
	e->slots[slot] = (uint32_t)e->next + 1;
	e->next = (e->next + 1) & (e->cap - 1);
}

bool ended_has(const struct ended *e, struct tmail_id id)
{
	return e->cap && e->slots[slot_find(e, id)] != 0;
}

void ended_free(struct ended *e)
{
	free(e->ring);
	free(e->slots);
	*e = (struct ended){ 0 };
}
