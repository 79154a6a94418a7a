/* SPDX-License-Identifier: MIT
 *
 * The operations that ask about messages: READ, UNSPOOL, CHECK, COUNT, CLAIM, RELEASE. Any thread,
 * several at a time.
 */
#ifndef JOURNAL_READ_H
#define JOURNAL_READ_H

#include "memory.h"

#include <tmail/service/queue.h>

struct store;

int store_read(struct store *store, const struct tmail_queue_read *q, const struct memory *memory,
	struct tmail_queue_content *answer);
int store_unspool(struct store *store, const struct tmail_queue_read *q,
	const struct memory *memory, struct tmail_queue_content *answer);
int store_check(struct store *store, const struct tmail_queue_check *q);
void store_count(struct store *store, struct tmail_queue_counts *answer);
int store_claim(struct store *store, const struct tmail_queue_claim *q, const struct memory *memory,
	struct tmail_queue_claimed *answer);
void store_release(struct store *store, const struct tmail_queue_release *q);

#endif
