/* SPDX-License-Identifier: MIT
 *
 * Where an answer's memory comes from: an arena of our own, or the host of the call that waits
 * for the answer.
 */
#ifndef JOURNAL_MEMORY_H
#define JOURNAL_MEMORY_H

#include "base/arena.h"

#include <tmail/module.h>

struct memory {
	struct arena *arena;
	struct tmail_call *call; /* used when there is no arena */
};

/* Zeroed; NULL: none left (a host's, never an arena's). */
static inline void *memory_take(const struct memory *m, size_t size)
{
	if (m->arena)
		return arena_alloc(m->arena, size ? size : 1);
	return m->call->host->alloc(m->call, size ? size : 1, TMAIL_SCOPE_CALL);
}

#endif
