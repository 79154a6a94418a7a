/* SPDX-License-Identifier: MIT
 *
 * The parcels that wait in a lane: senders take turns, and those of one sender keep their order,
 * so that who sends ten thousand messages delays nobody else by ten thousand. A sender is a login,
 * or else the envelope's sender without what follows '+', '-' or '=' (lists give each message a
 * sender of its own). One loop.
 */
#ifndef QUEUE_LINE_H
#define QUEUE_LINE_H

#include "queue/work.h"

struct line {
	struct link turns;  /* struct line_sender, who is next first */
	struct map senders; /* by name */
	unsigned count;     /* parcels */
};

void line_init(struct line *l);
void line_end(struct line *l); /* it is empty */

/* Behind those of its sender; put back: before all others. */
void line_add(struct line *l, struct parcel *p);
void line_put_back(struct line *l, struct parcel *p);
/* Takes it out; `served`: it was its sender's turn. */
void line_remove(struct line *l, struct parcel *p, bool served);
/* A walk over all in the order of turns; what was given may be removed before the next is asked
 * for only with the next in hand. */
struct parcel *line_first(const struct line *l);
struct parcel *line_next(const struct line *l, const struct parcel *p);
/* With more than `most` waiting one must go, though not one that was tried already: the newest of
 * p's sender if he has more than his share of the places, else of one who has. NULL: none. */
struct parcel *line_excess(const struct line *l, const struct parcel *p, unsigned most);

#endif
