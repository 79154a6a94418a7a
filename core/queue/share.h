/* SPDX-License-Identifier: MIT
 *
 * What all destinations have in common, and how much of it one may hold, so that some that are
 * slow or dead leave the others enough: messages under delivery, and connections. A destination
 * may wait with as many parcels, or questions where it is, as half of what is still free: one
 * alone may have much, a hundred little each, and something always stays free.
 */
#ifndef QUEUE_SHARE_H
#define QUEUE_SHARE_H

#include "queue/lane.h"

/* Parcels of one lane that may wait. */
unsigned share_of_window(void);

/* Works that ask where the mail of a domain goes: false when there are enough of them. Each that
 * was taken is given back. */
bool share_take(struct queue_loop *ql, struct str domain);
void share_give(struct queue_loop *ql, struct str domain);

/* May the lane have one more of its loop's connections, of which `busy` do not lie idle? The first
 * one almost always: all who are slow together have half. More as long as few are in use, and who
 * is quick as long as there are some. */
bool share_of_connections(const struct send_lane *l, unsigned busy);
/* How long things take there, as it has turned out; and so many connections more, or less. */
void share_pace(struct send_lane *l, enum lane_pace pace);
void share_opened(struct send_lane *l, int more);

/* It may not, and waits until it is next: who has none comes before who wants more. */
void share_wait(struct send_lane *l);
struct send_lane *share_next(struct queue_loop *ql); /* takes it out; NULL: nobody waits */
/* Somebody waits for his first one; or, of those in the same case as this lane. */
bool share_is_scarce(const struct queue_loop *ql);
bool share_is_wanted_of(const struct send_lane *l);

#endif
