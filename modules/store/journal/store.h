/* SPDX-License-Identifier: MIT
 *
 * The store: one opened folder. Its parts, which lock guards which, and how it is opened, tended
 * and closed. The operations are in writer.h, claim.h, read.h, find.h, spool.h and space.h.
 *
 * Locks, in the order in which they are taken:
 *   writing   one WRITE at a time; the writer, begun files
 *   indexing  the SQLite connection
 *   lock      all that is in memory: segments' arrays, table, counters; held for moments only
 *   (spools and notes have one each, and take none inside)
 */
#ifndef JOURNAL_STORE_H
#define JOURNAL_STORE_H

#include "index.h"
#include "notes.h"
#include "spool.h"
#include "table.h"
#include "writer.h"

#include <pthread.h>

struct store_settings {
	uint64_t segment_size;
	uint64_t keep_free;     /* octets of the file system that are not ours to fill */
	const char *index_path; /* NULL: without an index */
	int64_t interval;       /* milliseconds between two turns of tending */
	bool background;        /* threads tend; else whoever calls store_tend */
	int64_t (*now)(void);   /* microseconds since 1970 */
};

/* A thread that does turns of what can wait, while there is something to do. */
struct keeper {
	struct store *store;
	bool (*turn)(struct store *store); /* true: there is more */
	bool stands_back;                  /* behind whoever wants the processors */
	pthread_t thread;
	pthread_cond_t wake; /* with lock, as the flags */
	bool runs, woken;
};
enum { KEEPERS = 2 };

struct store {
	struct files *files;
	struct store_settings settings;
	struct notes notes;
	pthread_mutex_t writing, indexing, lock;

	struct segments segments; /* lock */
	struct table table;       /* lock */
	struct writer writer;     /* writing; what lock guards of it says so */
	struct spools spools;
	struct index *index; /* indexing; NULL: none, or given up */
	unsigned turns;      /* indexing: transactions since the last checkpoint */
	uint64_t mark;       /* lock: the index's, made durable; UINT64_MAX without an index */
	uint64_t reserved;   /* lock: octets promised before 354 */
	uint64_t room;       /* lock: of the file system, when it was last asked */
	int64_t room_asked;  /* lock: when; milliseconds */

	struct keeper keepers[KEEPERS];
	bool stopping; /* lock */
};

/* Replays the journal. The store takes the files, which are closed with it, also when this fails:
 * NULL and why. */
struct store *store_open(
	struct files *files, const struct store_settings *settings, struct why *why);
/* Writes what the index has not heard yet. */
void store_close(struct store **store);

/* One turn of the work that can wait: index, spares, files nobody needs, spools. Any one thread.
 * True: there is more to do at once. */
bool store_tend(struct store *store);
/* The keepers have something to do. With the lock. */
void store_wake(struct store *store);

#endif
