/* SPDX-License-Identifier: MIT
 *
 * What became of a recipient: its fate, the next attempt, the log, the modules, the store.
 */
#ifndef QUEUE_OUTCOME_H
#define QUEUE_OUTCOME_H

#include "queue/work.h"

/* An attempt, or the question where to go, came to this. p, in: the parcel it was in, and its
 * place there, or NULL. The text is copied. */
void outcome_set(struct work *w, uint32_t index, const struct client_outcome *o,
	const struct parcel *p, const struct parcel_recipient *in);
void outcome_discard(struct work *w, uint32_t index, struct str words);
/* The report about a failed recipient is durable (or none is due): its fate is written. */
void outcome_failed(struct work *w, uint32_t index);
/* The report could not be made now: it is tried again, with the report. */
void outcome_postpone(struct work *w, uint32_t index, struct str why);

/* When its message is too old to be tried again; clock_wall. */
int64_t outcome_end_of_life(const struct work *w);
/* Milliseconds to wait after that many attempts. */
int64_t retry_delay(const struct queue_settings *settings, uint32_t attempts);

#endif
