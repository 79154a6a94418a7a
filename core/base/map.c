/* SPDX-License-Identifier: MIT
 *
 * Open addressing with linear probing. cap is a power of two; at most three of four slots are
 * used, so a search always meets an empty one. A removed entry leaves a mark (counted in used,
 * not in count) that goes with the next growth; so removing never moves another entry and a
 * walk may remove.
 */
#include "base/map.h"

#include "base/fail.h"

#include <stdlib.h>

enum { MAP_FIRST = 8 };

/* key.data is no sign: an empty key may have none. */
enum slot_state { SLOT_EMPTY, SLOT_REMOVED, SLOT_TAKEN };

struct map_slot {
	struct str key;
	void *value;
	uint32_t hash; /* its upper half, to pass by most other keys and to grow without hashing */
	enum slot_state state;
};

static uint32_t map_hash(const struct map *m, struct str key)
{
	return (uint32_t)((m->fold ? str_hash_case(key) : str_hash(key)) >> 32);
}

static bool map_same(const struct map *m, struct str a, struct str b)
{
	return m->fold ? str_equal_case(a, b) : str_equal(a, b);
}

static struct map_slot *map_find(const struct map *m, struct str key, uint32_t hash)
{
	if (m->cap == 0)
		return NULL;
	for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
		struct map_slot *s = &m->slots[i];

		if (s->state == SLOT_EMPTY)
			return NULL;
		if (s->state == SLOT_TAKEN && s->hash == hash && map_same(m, s->key, key))
			return s;
	}
}

static struct map_slot *map_free_slot(const struct map *m, uint32_t hash)
{
	size_t i = hash & (m->cap - 1);

	while (m->slots[i].state == SLOT_TAKEN)
		i = (i + 1) & (m->cap - 1);
	return &m->slots[i];
}

/* Twice as large, or as large as it was when removed entries had filled it. */
static void map_grow(struct map *m)
{
	struct map bigger = *m;

	bigger.cap = m->cap ? m->cap : MAP_FIRST;
	while (m->count >= bigger.cap / 2)
		bigger.cap *= 2;
	must(bigger.cap <= (size_t)UINT32_MAX + 1);
	bigger.slots = must_alloc(bigger.cap * sizeof *bigger.slots);
	bigger.used = m->count;
	for (size_t i = 0; i < m->cap; i++)
		if (m->slots[i].state == SLOT_TAKEN)
			*map_free_slot(&bigger, m->slots[i].hash) = m->slots[i];
	free(m->slots);
	*m = bigger;
}

void *map_get(const struct map *m, struct str key)
{
	struct map_slot *s = m->count ? map_find(m, key, map_hash(m, key)) : NULL;

	return s ? s->value : NULL;
}

void *map_put(struct map *m, struct str key, void *value)
{
	uint32_t hash = map_hash(m, key);
	struct map_slot *s = map_find(m, key, hash);
	void *before = NULL;

	must(value != NULL);
	if (s) {
		before = s->value;
	} else {
		if (m->used >= m->cap / 4 * 3)
			map_grow(m);
		s = map_free_slot(m, hash);
		m->used += s->state == SLOT_EMPTY;
		m->count++;
	}
	*s = (struct map_slot){ key, value, hash, SLOT_TAKEN };
	return before;
}

void *map_remove(struct map *m, struct str key)
{
	struct map_slot *s = map_find(m, key, map_hash(m, key));
	void *before;

	if (!s)
		return NULL;
	before = s->value;
	*s = (struct map_slot){ .state = SLOT_REMOVED };
	m->count--;
	return before;
}

bool map_next(const struct map *m, size_t *at, struct str *key, void **value)
{
	while (*at < m->cap) {
		const struct map_slot *s = &m->slots[(*at)++];

		if (s->state != SLOT_TAKEN)
			continue;
		*key = s->key;
		*value = s->value;
		return true;
	}
	return false;
}

void map_free(struct map *m)
{
	free(m->slots);
	*m = (struct map){ .fold = m->fold };
}
