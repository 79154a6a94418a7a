/* SPDX-License-Identifier: MIT
 *
 * One libuv loop on one thread. What belongs to a loop is touched on its thread only; other
 * threads post tasks. Nothing on a loop waits.
 */
#ifndef SYS_LOOP_H
#define SYS_LOOP_H

#include "base/fail.h"
#include "base/heap.h"

#include <uv.h>

struct loop;

/* Something to be run on a loop. The memory is the poster's, usually a member of what it is
 * about; it is free to use again when run() is entered. */
struct task {
	struct task *next;
	void (*run)(struct task *task);
};

struct loop *loop_new(unsigned index, struct why *why);
unsigned loop_index(const struct loop *l);
uv_loop_t *loop_uv(struct loop *l);
/* Runs until loop_stop on the calling thread; on a thread of its own with loop_start. What was
 * posted before the stop is still run. */
void loop_run(struct loop *l);
bool loop_start(struct loop *l, const char *name, struct why *why);
void loop_stop(struct loop *l); /* any thread */
void loop_join(struct loop *l); /* of loop_start */
/* After it stopped. What was posted meanwhile is run here, then handles left open are closed:
 * whatever posts to the loop ends before it (dns_stop, lane_free, listener_stop). */
void loop_free(struct loop **l);
bool loop_ending(const struct loop *l); /* loop_stop was called; any thread */
bool loop_running(const struct loop *l); /* a thread is in loop_run, or will be; any thread */
/* The loop of this thread, or NULL. */
struct loop *loop_current(void);

/* Any thread, also the loop's own (then it runs in the next turn). In the order posted by one
 * thread. Lock-free; wakes the loop once for many. */
void loop_post(struct loop *l, struct task *task);
/* Runs before the loop next waits; same thread only. For what many events of a turn share. */
void loop_before_wait(struct loop *l, struct task *task);
/* clock_mono at the start of this turn: enough for deadlines. */
int64_t loop_now(const struct loop *l);

/* What a floor above keeps once a loop: made, zeroed, when first asked for; `end` is called by
 * loop_free while handles can still be closed (their callbacks run before it returns), then the
 * memory goes. Told apart by the address of the kind. Same thread only. */
struct loop_part {
	size_t size;
	void (*begin)(struct loop *l, void *part); /* NULL: zeroed is right */
	void (*end)(void *part);
};
void *loop_part(struct loop *l, const struct loop_part *kind);

/* How much (connections) lives on this loop, for those who share work out. Any thread. */
unsigned loop_load(const struct loop *l);
void loop_load_add(struct loop *l, int n);

/* When something is late. Zeroed, then deadline_init. Setting it later costs one store: the
 * heap is mended when it fires early. Same thread only. Cleared before its memory goes. */
struct deadline {
	struct heap_node node;
	struct loop *loop;
	int64_t due; /* 0: not set */
	void (*fired)(struct deadline *deadline);
};
void deadline_init(struct deadline *d, struct loop *l, void (*fired)(struct deadline *));
void deadline_set(struct deadline *d, int64_t ms); /* from now */
void deadline_clear(struct deadline *d);           /* harmless when not set */

#endif
