/* SPDX-License-Identifier: MIT
 *
 * Blocks in a chain, the newest in front; the first one shares its malloc with the arena, so a
 * short life costs one malloc and one free. What is not given out is poisoned under the address
 * sanitizer, so that running over the end of a piece is found as with malloc.
 */
#include "base/arena.h"

#include "base/fail.h"

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

enum { ARENA_ALIGN = alignof(max_align_t), ARENA_BLOCK_MIN = 256, ARENA_BLOCK_MAX = 64 * 1024 };

struct block {
	struct block *older;
	size_t used, cap;
	alignas(max_align_t) char data[];
};

struct cleanup {
	struct cleanup *older;
	void (*run)(void *);
	void *ctx;
};

struct arena {
	struct block *newest;
	struct cleanup *cleanups;
	size_t given;
	bool secret;
	alignas(max_align_t) struct block first; /* its data is behind the arena */
};

static size_t align_up(size_t size)
{
	must(size <= SIZE_MAX / 2);
	return (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
}

struct arena *arena_new(size_t first)
{
	size_t cap = align_up(first);
	struct arena *a = malloc(sizeof *a + cap);

	must(a != NULL);
	*a = (struct arena){ .newest = &a->first };
	a->first.cap = cap;
	ASAN_POISON_MEMORY_REGION(a->first.data, cap);
	return a;
}

static void block_add(struct arena *a, size_t size)
{
	size_t cap = a->newest->cap * 2;
	struct block *b;

	if (cap < ARENA_BLOCK_MIN)
		cap = ARENA_BLOCK_MIN;
	if (cap > ARENA_BLOCK_MAX)
		cap = ARENA_BLOCK_MAX;
	if (cap < size)
		cap = size;
	b = malloc(sizeof *b + cap);
	must(b != NULL);
	b->older = a->newest;
	b->used = 0;
	b->cap = cap;
	ASAN_POISON_MEMORY_REGION(b->data, cap);
	a->newest = b;
}

/* Not zeroed: for those who fill it at once. */
static void *arena_take(struct arena *a, size_t size)
{
	size_t aligned = align_up(size);
	void *memory;

	if (aligned > a->newest->cap - a->newest->used)
		block_add(a, aligned);
	memory = a->newest->data + a->newest->used;
	a->newest->used += aligned;
	a->given += aligned;
	ASAN_UNPOISON_MEMORY_REGION(memory, size);
	return memory;
}

void *arena_alloc(struct arena *a, size_t size)
{
	return memset(arena_take(a, size), 0, size);
}

void *arena_array(struct arena *a, size_t size, size_t n)
{
	size_t all;

	must(!__builtin_mul_overflow(size, n, &all));
	return arena_alloc(a, all);
}

char *arena_c(struct arena *a, struct str s)
{
	char *text;

	must(s.len < SIZE_MAX);
	text = arena_take(a, s.len + 1);
	if (s.len)
		memcpy(text, s.data, s.len);
	text[s.len] = '\0';
	return text;
}

struct str arena_str(struct arena *a, struct str s)
{
	return str_make(arena_c(a, s), s.len);
}

struct str arena_str_lower(struct arena *a, struct str s)
{
	char *text = arena_c(a, s);

	ascii_lower_all(text, s.len);
	return str_make(text, s.len);
}

struct str arena_printf(struct arena *a, const char *format, ...)
{
	va_list args;
	char *text;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	must(len >= 0);
	text = arena_take(a, (size_t)len + 1);
	va_start(args, format);
	vsnprintf(text, (size_t)len + 1, format, args);
	va_end(args);
	return str_make(text, (size_t)len);
}

void arena_cleanup(struct arena *a, void (*run)(void *), void *ctx)
{
	struct cleanup *c = ARENA_NEW(a, struct cleanup);

	*c = (struct cleanup){ a->cleanups, run, ctx };
	a->cleanups = c;
}

size_t arena_size(const struct arena *a)
{
	return a->given;
}

/* A clean-up may register another: it runs too. */
static void arena_run_cleanups(struct arena *a)
{
	for (struct cleanup *c; (c = a->cleanups);) {
		a->cleanups = c->older;
		c->run(c->ctx);
	}
}

void arena_secret(struct arena *a)
{
	a->secret = true;
}

static void arena_wipe(struct arena *a)
{
	for (struct block *b = a->newest; b; b = b->older) {
		ASAN_UNPOISON_MEMORY_REGION(b->data, b->used);
		explicit_bzero(b->data, b->used);
	}
}

void arena_reset(struct arena *a)
{
	arena_run_cleanups(a);
	if (a->secret)
		arena_wipe(a);
	a->secret = false;
	while (a->newest != &a->first) {
		struct block *b = a->newest;

		must(b != NULL);
		a->newest = b->older;
		free(b);
	}
	a->first.used = 0;
	a->given = 0;
	ASAN_POISON_MEMORY_REGION(a->first.data, a->first.cap);
}

void arena_free(struct arena **a)
{
	if (!*a)
		return;
	arena_reset(*a);
	free(*a);
	*a = NULL;
}
