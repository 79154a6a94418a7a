/* SPDX-License-Identifier: MIT
 *
 * A lane: the way to one destination, with the parcels that wait for it and its connections.
 * It belongs to the loop of its key, and goes when nothing is left of it.
 */
#ifndef QUEUE_LANE_H
#define QUEUE_LANE_H

#include "queue/line.h"

struct attempt;

/* How long its transactions take, as far as that is known. */
enum lane_pace { LANE_NEW, LANE_BRISK, LANE_SLOW };
enum { LANE_FIRST = 5 }; /* connections, before anything is known */

struct send_lane {
	struct str key; /* of the route */
	struct queue_loop *ql;
	struct route *route;        /* a reference */
	struct route_limits limits; /* as the settings of `turn` have them */
	unsigned turn;
	struct line line;     /* parcels that wait */
	struct link idle;     /* attempts whose connection waits for a parcel; newest first */
	struct link busy;     /* attempts that connect or send */
	unsigned open;        /* both */
	unsigned opening;     /* that connect for whatever waits */
	unsigned limit, good; /* connections allowed now; successes since that changed */
	int64_t cut_at;       /* when it last shrank; times here are loop_now */
	int64_t taken_at;     /* when somebody got something; before that, when it was made */
	int64_t cool_until;   /* no further connection is opened before */
	enum lane_pace pace;
	unsigned gave_way;              /* so often since one connected */
	int64_t next_at;                /* with a rate: when the next message may go */
	struct deadline next;           /* then */
	int64_t last_end, gap, come_at; /* of transactions, between two, and see turn_away */
	struct link waiting;            /* of ql->waiting or ql->wanting */
	bool pumping;                   /* at work on it: it must neither go nor be pumped again */
};

/* Any loop: the parcel goes to its lane, and comes back by parcel_return. */
void lane_put(struct parcel *p);
/* On every loop: parcels of works that were stopped come back untouched. all: every one does. */
void lanes_recall(struct queue_loop *ql, bool all);
/* What was open before may be less than what is demanded now: it sends nothing more. */
void lanes_reloaded(struct queue_loop *ql);
/* About once a second. */
void lanes_tick(struct queue_loop *ql);
/* Connections that send nothing are closed; with `busy` all are. */
void lanes_close(struct queue_loop *ql, bool busy);

/* What attempts tell their lane. */
void lane_connected(struct send_lane *l, struct attempt *a);
/* It has looked for a host for another ATTEMPT_HANGS_MS. While others wait for their first
 * connection that is enough, and twice as much each time after: true, the attempt is freed, and
 * what waits is none the worse. */
bool lane_hangs(struct send_lane *l, struct attempt *a);
/* No host could be reached. The attempt is freed. */
void lane_failed(struct send_lane *l, struct attempt *a, const struct client_outcome *o);
/* A transaction is over; the parcel has been dealt with. usable: for another. */
enum lane_news {
	LANE_TAKEN,   /* somebody got it */
	LANE_REFUSED, /* for reasons of its own */
	LANE_STALE,   /* nothing was said: the connection had died while idle */
	LANE_LOST     /* 421, or the connection broke: less is more */
};
void lane_sent(struct send_lane *l, struct attempt *a, bool usable, enum lane_news news);
/* An idle connection was lost, or is too old. The attempt is freed. */
void lane_idle_ended(struct send_lane *l, struct attempt *a);
/* It is tried once more, before those that wait. */
void lane_put_back(struct send_lane *l, struct parcel *p);

#endif
