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
/* The report about a recipient is durable, or never will be: what it is about is written. */
void outcome_reported(struct work *w, uint32_t index, enum recipient_report kind);
/* The report could not be made now: the recipient stays, and so does the report that is due. */
void outcome_postpone(struct work *w, uint32_t index, enum recipient_report kind);
/* One that was taken before, and its sender not told: what the store has of it (last words), and
 * the report, which is all that is left to do. */
void outcome_recall(struct work *w, uint32_t index, struct str words);
void outcome_taken(struct work *w, uint32_t index);

/* When its message is too old to be tried again; clock_wall. */
int64_t outcome_end_of_life(const struct work *w);
/* Milliseconds to wait after that many attempts. */
int64_t retry_delay(const struct queue_settings *settings, uint32_t attempts);

#endif
