/* SPDX-License-Identifier: MIT
 *
 * The one way into the store's WRITE: a thread of its own writes what arrived while it last
 * wrote. What is urgent wakes it; outcomes wait for company, 20 ms at most.
 */
#ifndef QUEUE_COMMIT_H
#define QUEUE_COMMIT_H

#include "base/arena.h"
#include "queue/state.h"

/* Something to be written: ops in a row, in the maker's memory until `written` is called, on
 * the loop `home`, or on the commit thread where that is NULL. */
struct commit {
	struct commit *next;
	const struct tmail_queue_op *ops;
	uint32_t count;
	struct queue_loop *home;
	void (*written)(struct commit *c);
	/* Set before: ops answered NO and UNKNOWN are written again until they are not (outcomes:
	 * they are true, whatever the store can do now). LOST and NEVER are logged here. */
	bool insist;
	uint32_t *each; /* set before, or NULL: filled in with the answer to each op. With insist
	                   not NULL, and UNKNOWN */
	/* The answer: the worst of its ops'. With insist of those that might still be written:
	 * DURABLE, or at the end NO, UNKNOWN. */
	uint32_t result; /* enum tmail_queue_result */
	bool full;
	char why[128];
};

bool commit_start(struct why *why);
void commit_stop(void); /* writes what is there first */
void commit_urgent(struct commit *c);
void commit_lazy(struct commit *c);
/* Waits until all that was handed in before has been written and told; for threads that may
 * wait. False: there are outcomes that the store does not take now. */
bool commit_flush(void);
/* The same, for ops of one's own; answers enum tmail_queue_result, the worst of them; `each` may be
 * NULL. Without a running queue the store is written to directly. */
enum { COMMIT_WAIT_MAX = 256 }; /* ops */
uint32_t commit_wait(struct service *store, const struct tmail_queue_op *ops, uint32_t count,
	uint32_t *each, struct why *why);

#endif
