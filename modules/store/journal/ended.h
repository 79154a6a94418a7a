/* SPDX-License-Identifier: MIT
 *
 * The last ids that ended, so that an ADD that comes again after its message has gone is known.
 * Bounded: the oldest is forgotten for a new one. Grows as it fills. The store's lock guards it.
 */
#ifndef JOURNAL_ENDED_H
#define JOURNAL_ENDED_H

#include <stdbool.h>
#include <stddef.h>
#include <tmail/module.h>

enum { ENDED_MOST = 131072 };

struct ended {
	struct tmail_id *ring; /* the n-th that ended is at n % cap */
	uint32_t *slots;       /* hash to place in the ring + 1; twice as many as the ring */
	size_t cap, count, next;
};

void ended_add(struct ended *e, struct tmail_id id);
bool ended_has(const struct ended *e, struct tmail_id id);
void ended_free(struct ended *e);

#endif
