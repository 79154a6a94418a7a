/* SPDX-License-Identifier: MIT
 *
 * What many threads put down and a thread of its own writes out, so that none of them waits for
 * a disk: bounded in memory, counted where it is full. Behind the log and the trail.
 */
#ifndef SYS_WRITER_H
#define SYS_WRITER_H

#include "base/fail.h"
#include "base/str.h"

#include <pthread.h>
#include <stdatomic.h>

enum writer_state { WRITER_AWAKE, WRITER_DOZING, WRITER_SLEEPING };

/* Static, with WRITER_INIT for its lock; the first four are set before the start. */
struct writer {
	size_t half;   /* octets that may wait while as many are being written */
	int64_t doze;  /* us after a write, in which more is gathered and nobody wakes the thread */
	size_t prompt; /* octets that end the doze early */
	/* On its thread; may wait. Whole pieces, in the order in which they were put down. Answers
	 * how many were lost. */
	uint64_t (*write)(struct writer *w, struct str pieces);
	void (*called)(struct writer *w); /* on its thread, after writer_call; may be NULL */
	/* Its own, under the lock. */
	pthread_mutex_t lock;
	pthread_cond_t wake, idle;
	bool set_up; /* the conditions are */
	bool running, call, ending;
	enum writer_state state;
	char *space[2];
	unsigned active; /* the half that callers fill */
	size_t used;     /* of it */
	uint64_t dropped, flush, flushed;
	atomic_bool hurry; /* it is to end: nothing is waited for any longer than it must */
	pthread_t thread;
};
#define WRITER_INIT .lock = PTHREAD_MUTEX_INITIALIZER

bool writer_start(struct writer *w, const char *name, struct why *why);
/* A piece, put together of two; kept whole or counted as lost. False when it does not run. */
bool writer_put(struct writer *w, struct str head, struct str rest);
/* Has its thread run `called` soon. */
void writer_call(struct writer *w);
/* Waits until what was put down before is written. */
void writer_flush(struct writer *w);
uint64_t writer_dropped(struct writer *w); /* pieces, since the process began */
/* Writes what is there and ends the thread. False when it did not run. */
bool writer_stop(struct writer *w);

#endif
