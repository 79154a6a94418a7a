/* SPDX-License-Identifier: MIT
 *
 * The operation FIND: entries in the order of ids, those in the index from there, the others from
 * the journal.
 */
#ifndef JOURNAL_FIND_H
#define JOURNAL_FIND_H

#include <stdbool.h>
#include <tmail/service/queue.h>

struct store;

/* TMAIL_OK, or TRY_LATER when the disk does not answer. A message's entries are never divided
 * between two pages: the walk ends before the one that would go over the limit, unless it is the
 * first. */
int store_find(struct store *store, const struct tmail_queue_find *q);

/* Does the entry match every filter that is set? Pure. */
bool find_matches(const struct tmail_queue_find *q, const struct tmail_queue_entry *entry);

#endif
