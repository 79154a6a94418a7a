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
 * one almost always: whose transactions are slow leave a quarter to the others. More as long as
 * few are in use, and who is quick as long as there are some. */
bool share_of_connections(const struct send_lane *l, unsigned busy);

#endif
