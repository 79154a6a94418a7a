/* SPDX-License-Identifier: MIT
 *
 * Tells the index what changed: the messages that are dirty, in one transaction with the mark.
 */
#ifndef JOURNAL_INDEXER_H
#define JOURNAL_INDEXER_H

#include "base/fail.h"

struct store;

/* One transaction of what is dirty, if there is anything or the mark would let a file go. True:
 * there is more. An index that cannot be written is given up until the next start. */
bool indexer_turn(struct store *store);
/* All goes on without it. With `indexing` held. */
void indexer_give_up(struct store *store, const struct why *why);
/* The last transaction of a store that is closed in order. */
void indexer_close(struct store *store);

#endif
