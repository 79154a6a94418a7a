/* SPDX-License-Identifier: MIT
 *
 * Room: files that are ready to be written, and octets promised before 354.
 */
#ifndef JOURNAL_SPACE_H
#define JOURNAL_SPACE_H

#include "base/fail.h"

#include <stdint.h>
#include <tmail/service/queue.h>

struct store;
struct segment;

/* A file to begin: a spare one, or one made now. NULL, why and *full. For the writer. */
struct segment *space_take_file(struct store *store, bool *full, struct why *why);
/* May a message be added? One file must stay spare for outcomes. For the writer. */
bool space_for_add(struct store *store, struct why *why);

/* Do that many octets of a spool fit on the file system? False and why. */
bool space_for_spool(struct store *store, uint64_t octets, struct why *why);

/* The operation RESERVE: TMAIL_OK, or TRY_LATER and why. 0 octets: is there any room at all? */
int space_reserve(struct store *store, const struct tmail_queue_reserve *q, struct why *why);
/* That many octets have become a message. With the lock. */
void space_given_back(struct store *store, uint64_t octets);

/* For the keeper: makes, fills and removes spare files; frees the oldest ones. True: more to do. */
bool space_turn(struct store *store);

#endif
