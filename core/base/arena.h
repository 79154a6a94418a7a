/* SPDX-License-Identifier: MIT
 *
 * Memory that is freed all at once: of a command, a message, a session, a process. What it
 * cannot free (descriptors, handles) registers a clean-up when it is opened; clean-ups run in
 * reverse order. Not for two threads at a time.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/str.h"

#include <stdarg.h>

struct arena;

/* `first` octets are taken with the arena itself; grows in blocks of its double, up to 64 KiB. */
struct arena *arena_new(size_t first);
/* Zeroed, aligned for anything; must() on no memory. */
void *arena_alloc(struct arena *a, size_t size);
#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
/* must() on a product that does not fit. */
void *arena_array(struct arena *a, size_t size, size_t n);
#define ARENA_ARRAY(arena, type, n) ((type *)arena_array((arena), sizeof(type), (n)))
/* A copy, NUL-terminated (not counted). */
struct str arena_str(struct arena *a, struct str s);
struct str arena_str_lower(struct arena *a, struct str s);
struct str arena_printf(struct arena *a, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
char *arena_c(struct arena *a, struct str s);
void arena_cleanup(struct arena *a, void (*run)(void *), void *ctx);
/* Octets given out so far, for budgets. */
size_t arena_size(const struct arena *a);
/* What it gives out is wiped before it is freed or given out again; until the next reset. */
void arena_secret(struct arena *a);
/* Runs the clean-ups and frees all but the first block. */
void arena_reset(struct arena *a);
/* Frees it and clears the pointer; a NULL inside is fine. */
void arena_free(struct arena **a);

#endif
