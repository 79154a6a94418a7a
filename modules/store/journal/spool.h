/* SPDX-License-Identifier: MIT
 *
 * Content of large messages, one file each, written ahead of the record that names it. Octets of
 * one message come from one thread at a time; those of many, from many.
 */
#ifndef JOURNAL_SPOOL_H
#define JOURNAL_SPOOL_H

#include "memory.h"

#include "base/fail.h"
#include "base/map.h"

#include <pthread.h>
#include <tmail/service/queue.h>

#define SPOOL_FOLDER "spool"

struct store;
struct spools {
	pthread_mutex_t lock;
	struct map open; /* struct spool, by the octets of its id: not yet in a durable ADD */
	bool folder;     /* is there */
};

void spools_init(struct spools *s);
/* Files of messages that were not added stay until the next start. */
void spools_free(struct store *store);

/* The operations SPOOL and UNSPOOL. TRY_LATER and why: the disk; REFUSED and why: octets that do
 * not follow those before. */
int spool_write(
	struct store *store, const struct tmail_queue_spool *q, bool *full, struct why *why);
/* Of a spool that is not added yet, or of a living message (`total` octets, checksum `check` of its
 * table). NOT_FOUND: no such. REFUSED: damaged. */
int spool_read_open(struct store *store, const struct tmail_queue_read *q,
	const struct memory *memory, struct tmail_str *octets, uint64_t *total);
int spool_read(struct store *store, struct tmail_id id, uint64_t total, uint32_t check,
	uint64_t offset, char *to, size_t len, struct why *why);

/* For the writer: is the spool of that id there, flushed, and of that size? Its checksum. */
bool spool_ready(struct store *store, struct tmail_id id, uint64_t size, uint32_t *check);
/* The message that names it is durable. */
void spool_added(struct store *store, struct tmail_id id);

void spool_remove(struct store *store, struct tmail_id id);
/* After replay: removes what no living message names; `keep`: into quarantine, because something
 * was damaged. */
void spools_sweep(struct store *store, bool keep);

#endif
