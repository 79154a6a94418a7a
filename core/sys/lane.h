/* SPDX-License-Identifier: MIT
 *
 * Workers for what may wait. A lane has its own queue and at most `width` threads, started when
 * first needed, so that a hung backend fills its lane and nothing else.
 */
#ifndef SYS_LANE_H
#define SYS_LANE_H

#include "sys/loop.h"

struct lane;

/* work() runs on a worker; then done() on the loop that submitted, if it had one, else nowhere.
 * The job is the submitter's memory; it is free again when done() is entered (without a loop:
 * when work() returns, whose last act must not touch it). */
struct job {
	struct job *next;
	struct loop *home;
	struct task task;
	void (*work)(struct job *job);
	void (*done)(struct job *job);
};

struct lane *lane_new(const char *name, unsigned width, unsigned depth);
/* False when `depth` jobs wait already: try later. Any thread. */
bool lane_submit(struct lane *lane, struct job *job);
/* How many wait, and how many run. */
void lane_load(const struct lane *lane, unsigned *waiting, unsigned *running);
/* Finishes what was submitted, then ends the threads. */
void lane_free(struct lane **lane);

#endif
