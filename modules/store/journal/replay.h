/* SPDX-License-Identifier: MIT
 *
 * What the journal says, read again at start: into the table, from a position on.
 */
#ifndef JOURNAL_REPLAY_H
#define JOURNAL_REPLAY_H

#include "base/fail.h"

#include <stdint.h>

struct store;

struct replayed {
	uint64_t end;     /* of the journal: where the last good batch ends */
	uint64_t first;   /* the highest that a batch or header said */
	unsigned damaged; /* places */
};
/* From the file on that holds `from`. `sure`: an LSN up to which it was once closed in order, or 0.
 * False: a file cannot be read at all. */
bool replay(struct store *store, uint64_t from, uint64_t sure, struct replayed *replayed,
	struct why *why);

#endif
