/* SPDX-License-Identifier: MIT
 *
 * What the files of the queue share: the process's one queue, and what each loop has of it.
 * A message under delivery (work.h) belongs to one loop, found by its id; a lane (lane.h) to one,
 * found by its destination; parcels go from the one to the other and come back.
 */
#ifndef QUEUE_STATE_H
#define QUEUE_STATE_H

#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "host/metrics.h"
#include "queue/queue.h"
#include "sys/clock.h"
#include "sys/lane.h"

#include <stdatomic.h>

enum {
	QUEUE_LOOPS_MAX = 256,
	QUEUE_LIVE_MAX = 20000, /* messages under delivery; beyond it they stay in the store */
	QUEUE_IO_WIDTH = 4,     /* workers that read from the store */
	QUEUE_IO_DEPTH = 100000
};

/* Of one loop; touched on it alone. */
struct queue_loop {
	struct loop *loop;
	unsigned index;
	struct generation *generation; /* in force, a reference */
	int64_t generation_seen;       /* loop_now when it was looked for */
	unsigned generation_turn;      /* another number with each */
	unsigned reloads;              /* connections of before are of no more use */
	struct subject subject;        /* to ask the store what it answers at once */
	struct link commits, spools;   /* of sessions of this loop, under way */
	struct map works;              /* struct work by id */
	struct map lanes;              /* struct send_lane by key */
	struct map rests;              /* struct rest by host or address */
	struct map routes;             /* struct route_kept by question */
	uint64_t routers_moved;        /* table_moved of queue.routers, when last looked at */
	unsigned routes_forgotten;     /* how often: no earlier question is kept */
	struct map asking;             /* questions for routes under way, by domain: share.c */
	struct link waiting, lagging;  /* lanes that wait for their first connection; slow ones */
	struct link wanting;           /* for more */
	struct link idle;              /* attempts, idle for longest first */
	unsigned connections, connections_max, idle_count;
	unsigned slow; /* connections of lanes that are slow */
	unsigned busy; /* works, and injections */
	struct deadline tick;
	bool draining;
	struct task drain_task;
};

struct queue {
	const struct table *routers; /* moves with what routers say */
	atomic_bool started;
	struct generation *generation; /* the store's, held while the queue runs */
	struct service *store;
	bool reserves; /* the store has RESERVE, and it does not wait */
	const struct queue_settings *(*settings_of)(const struct generation *);
	unsigned loop_count;
	struct queue_loop *loops[QUEUE_LOOPS_MAX];
	struct lane *io;     /* workers for what reads the store */
	struct lane *claims; /* the one that claims: it stands back behind what is fresh */
	atomic_bool draining;
	atomic_uint live; /* messages under delivery, on all loops */
};
extern struct queue queue;

/* The store, whether the queue runs or not; NULL: no module keeps one. */
struct service *queue_store(struct generation *g);
/* The part of the loop this runs on. */
struct queue_loop *queue_here(void);
struct queue_loop *queue_loop_of(struct loop *loop);
/* The loop that owns a message, or a destination. */
struct queue_loop *queue_home(struct id id);
struct queue_loop *queue_home_of(struct str destination);
/* Those in force now on this loop. */
const struct queue_settings *queue_settings_now(struct queue_loop *ql);
struct generation *queue_generation_now(struct queue_loop *ql);
/* Nothing is to be tried any more, or for now. */
bool queue_stands(struct queue_loop *ql);
/* Something of this loop ended: whoever drains the queue looks again. */
void queue_loop_ended_one(struct queue_loop *ql);
/* Runs on every loop, one after another, and waits for each; for threads that may wait. */
void queue_on_loops(void (*run)(struct queue_loop *ql, void *ctx), void *ctx);

#endif
