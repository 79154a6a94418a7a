/* SPDX-License-Identifier: MIT
 *
 * What each loop keeps of the tables: hits and not-founds, never a try-later. No locks: a cache
 * belongs to its loop, and drops all of a table when the table has moved since it was looked at.
 * A question that many ask at once is asked of the module once. What must hold: an answer asked
 * for before a change is never kept, nor given to who asked after it; a value given out stays
 * valid until the loop next waits.
 */
#include "host/table.h"

#include "base/map.h"
#include "host/ask.h"

#include <tmail/service/table.h>

#include <stdlib.h>

enum { ENTRIES_MAX = 16384, CACHES_MAX = 64, KEY_MAX = 512 };

struct entry {
	struct link link; /* oldest first */
	int64_t until;
	bool found;
	struct str key, value;
	char octets[];
};

struct cache {
	struct table *table;
	const char *name;
	uint64_t seen;
	struct map entries;
	struct link order;
	struct map fills;
};

struct caches {
	struct loop *loop;
	struct cache item[CACHES_MAX];
	unsigned count;
	struct link dead; /* entries to be freed when nobody can look at them any more */
	struct link fills;
	struct task sweep;
	bool sweeping;
};

/* A question under way to the modules that have the table. */
struct fill {
	struct link link;
	struct ask ask;
	struct caches *caches;
	struct cache *cache;
	struct generation *generation;
	struct str key;
	uint64_t asked; /* the table had moved so often */
	unsigned provider;
	struct tmail_table_get *get; /* in the memory of the ask */
	struct tmail_table_got *got;
	struct link waiters;
};

struct waiter {
	struct parked parked;
	struct link link;
	void (*done)(void *ctx, int status, struct str value);
	void *ctx;
};

/* ---- entries --------------------------------------------------------------------------- */

static void dead_free(struct caches *all)
{
	for (struct link *l; (l = list_pop(&all->dead));)
		free(container_of(l, struct entry, link));
}

static void sweep(struct task *task)
{
	struct caches *all = container_of(task, struct caches, sweep);

	all->sweeping = false;
	dead_free(all);
}

static void entry_drop(struct caches *all, struct cache *c, struct entry *e)
{
	map_remove(&c->entries, e->key);
	list_remove(&e->link);
	list_append(&all->dead, &e->link);
	if (all->sweeping)
		return;
	all->sweeping = true;
	loop_before_wait(all->loop, &all->sweep);
}

static void cache_clear(struct caches *all, struct cache *c)
{
	LIST_EACH(struct entry, e, &c->order, link) {
		entry_drop(all, c, e);
	}
}

static void entry_keep(
	struct caches *all, struct cache *c, struct str key, bool found, struct str value)
{
	struct entry *e = map_get(&c->entries, key);

	if (e)
		entry_drop(all, c, e);
	if (c->entries.count >= ENTRIES_MAX)
		entry_drop(all, c, container_of(c->order.next, struct entry, link));
	e = must_alloc(sizeof *e + key.len + value.len);
	e->found = found;
	e->until = loop_now(all->loop) + table_keep_time() * 1000;
	memcpy(e->octets, key.data, key.len);
	if (value.len)
		memcpy(e->octets + key.len, value.data, value.len);
	e->key = str_make(e->octets, key.len);
	e->value = str_make(e->octets + key.len, value.len);
	map_put(&c->entries, e->key, e);
	list_append(&c->order, &e->link);
}

/* ---- fills ----------------------------------------------------------------------------- */

static void fill_free(struct fill *f)
{
	if (map_get(&f->cache->fills, f->key) == f)
		map_remove(&f->cache->fills, f->key);
	list_remove(&f->link);
	ask_end(&f->ask);
	arena_free(&f->ask.memory);
	generation_unref(&f->generation);
	free((char *)(uintptr_t)f->key.data);
	free(f);
}

static void waiter_free(struct waiter *w)
{
	list_remove(&w->parked.link);
	list_remove(&w->link);
	free(w);
}

static void waiter_cancel(struct parked *parked)
{
	waiter_free(container_of(parked, struct waiter, parked));
}

/* Keeps what came, unless a look-up has seen the table move since (if none has, the next one
 * will, and forget it), and tells who waits. */
static void fill_end(struct fill *f, int status)
{
	struct str value = status == TMAIL_OK ? str_tm(f->got->value) : STR("");
	struct link *l;

	if ((status == TMAIL_OK || status == TMAIL_NOT_FOUND) && f->asked == f->cache->seen)
		entry_keep(f->caches, f->cache, f->key, status == TMAIL_OK, value);
	if (map_get(&f->cache->fills, f->key) == f)
		map_remove(&f->cache->fills, f->key);
	while ((l = list_pop(&f->waiters))) {
		struct waiter *w = container_of(l, struct waiter, link);
		void (*done)(void *, int, struct str) = w->done;
		void *ctx = w->ctx;

		waiter_free(w);
		done(ctx, status, value);
	}
	fill_free(f);
}

static int fill_ask(struct fill *f);

static void fill_answered(struct ask *ask, int status)
{
	struct fill *f = container_of(ask, struct fill, ask);

	ask_end(ask);
	if (status == TMAIL_NOT_FOUND) {
		f->provider++;
		status = fill_ask(f);
	}
	if (status != TMAIL_PENDING)
		fill_end(f,
			status == TMAIL_OK || status == TMAIL_NOT_FOUND ? status : TMAIL_TRY_LATER);
}

/* Asks the modules that have the table, one after another, until one knows. */
static int fill_ask(struct fill *f)
{
	struct service *s;

	for (;; f->provider++) {
		int status;

		s = service_find(f->generation, TMAIL_TABLE, f->cache->name, f->provider);
		if (!s)
			return TMAIL_NOT_FOUND;
		arena_free(&f->ask.memory);
		f->ask.memory = arena_new(512);
		f->get = ARENA_NEW(f->ask.memory, struct tmail_table_get);
		f->got = ARENA_NEW(f->ask.memory, struct tmail_table_got);
		f->get->size = sizeof *f->get;
		f->get->key = tm_str(arena_str(f->ask.memory, f->key));
		f->got->size = sizeof *f->got;
		status = ask_start(
			&f->ask, s, NULL, f->caches->loop, TMAIL_TABLE_GET, f->get, f->got);
		if (status == TMAIL_PENDING)
			return status;
		ask_end(&f->ask);
		if (status == TMAIL_OK)
			return status;
		if (status != TMAIL_NOT_FOUND)
			return TMAIL_TRY_LATER;
	}
}

static struct fill *fill_new(
	struct caches *all, struct cache *c, struct generation *g, struct str key)
{
	struct fill *f = must_alloc(sizeof *f);
	char *lower = str_dup_c(key);

	ascii_lower_all(lower, key.len);
	f->caches = all;
	f->cache = c;
	f->generation = generation_ref(g);
	f->key = str_make(lower, key.len);
	f->asked = c->seen;
	f->ask.done = fill_answered;
	list_init(&f->waiters);
	list_append(&all->fills, &f->link);
	map_put(&c->fills, f->key, f);
	return f;
}

/* ---- asked ----------------------------------------------------------------------------- */

static void caches_begin(struct loop *l, void *part)
{
	struct caches *all = part;

	all->loop = l;
	all->sweep.run = sweep;
	list_init(&all->dead);
	list_init(&all->fills);
}

static void caches_end(void *part)
{
	struct caches *all = part;
	struct link *l;

	LIST_EACH(struct fill, f, &all->fills, link) {
		while ((l = list_pop(&f->waiters)))
			waiter_free(container_of(l, struct waiter, link));
		fill_free(f);
	}
	for (unsigned i = 0; i < all->count; i++) {
		struct cache *c = &all->item[i];

		while ((l = list_pop(&c->order)))
			free(container_of(l, struct entry, link));
		map_free(&c->entries);
		map_free(&c->fills);
	}
	dead_free(all);
}

static const struct loop_part caches_part = {
	.size = sizeof(struct caches), .begin = caches_begin, .end = caches_end
};

static struct cache *cache_of(struct caches *all, const char *name)
{
	struct cache *c;

	for (unsigned i = 0; i < all->count; i++)
		if (strcmp(all->item[i].name, name) == 0)
			return &all->item[i];
	must(all->count < CACHES_MAX);
	c = &all->item[all->count++];
	c->table = table_of(name);
	c->name = table_name(c->table);
	c->entries.fold = c->fills.fold = true;
	list_init(&c->order);
	return c;
}

static int waiter_add(struct subject *subject, struct fill *f,
	void (*done)(void *ctx, int status, struct str value), void *ctx)
{
	struct waiter *w = must_alloc(sizeof *w);

	w->done = done;
	w->ctx = ctx;
	w->parked.cancel = waiter_cancel;
	list_append(&subject->parked, &w->parked.link);
	list_append(&f->waiters, &w->link);
	return TMAIL_PENDING;
}

static int table_miss(struct subject *subject, struct caches *all, struct cache *c, struct str key,
	struct str *value, bool *exists, void (*done)(void *ctx, int status, struct str value),
	void *ctx)
{
	struct fill *f = map_get(&c->fills, key);
	int status;

	*exists = service_find(subject->generation, TMAIL_TABLE, c->name, 0) != NULL;
	if (!*exists || key.len > KEY_MAX)
		return TMAIL_NOT_FOUND;
	if (f && f->asked == c->seen)
		return waiter_add(subject, f, done, ctx);
	if (f)
		map_remove(&c->fills, key); /* it goes on for those who asked before */
	f = fill_new(all, c, subject->generation, key);
	status = fill_ask(f);
	if (status == TMAIL_PENDING)
		return waiter_add(subject, f, done, ctx);
	if (status == TMAIL_OK || status == TMAIL_NOT_FOUND) {
		/* Kept or not, the value is to last until the loop waits. */
		entry_keep(all, c, f->key, status == TMAIL_OK,
			status == TMAIL_OK ? str_tm(f->got->value) : STR(""));
		*value = ((struct entry *)map_get(&c->entries, key))->value;
	}
	fill_free(f);
	return status;
}

int table_lookup(struct subject *subject, const char *table, struct str key, struct str *value,
	bool *exists, void (*done)(void *ctx, int status, struct str value), void *ctx)
{
	struct caches *all = loop_part(subject->loop, &caches_part);
	struct cache *c = cache_of(all, table);
	uint64_t moved = table_moved(c->table);
	struct entry *e;

	if (c->seen != moved) {
		cache_clear(all, c);
		c->seen = moved;
	}
	e = map_get(&c->entries, key);
	if (!e || e->until <= loop_now(all->loop))
		return table_miss(subject, all, c, key, value, exists, done, ctx);
	*exists = true;
	*value = e->value;
	return e->found ? TMAIL_OK : TMAIL_NOT_FOUND;
}
