/* SPDX-License-Identifier: MIT
 *
 * One module's turn to speak: a hook asked for whoever walks over hooks (chain.c, content.c).
 * Says now, or later; waits for the module's notices first, since calls of one session never
 * overlap. For the files of this floor only.
 */
#ifndef HOST_TURN_H
#define HOST_TURN_H

#include "host/call.h"

enum { TURN_LATER = -1, TURN_FAILED = -2 };

struct turn {
	struct subject *subject;
	enum tmail_point point;
	unsigned parts;          /* PART_EDIT */
	const struct hook *hook; /* who is asked */
	struct facts *facts;     /* made for the first hook that may wait; with the event */
	struct call *call;       /* of who spoke: its answer, until turn_over */
	const char *why;         /* TURN_FAILED */
	bool failed;             /* what verdict_take last took was a failure */
	int64_t began, took;     /* microseconds, when it is recorded */
	struct deadline deadline;
	bool held_back;
	void (*spoke)(struct turn *t, int verdict);
};

/* A verdict (not checked), TURN_LATER: spoke(t, verdict) follows, or TURN_FAILED. */
int turn_ask(struct turn *t, const struct hook *hook, const union tmail_event *event);
/* The answer has been read. */
void turn_over(struct turn *t);
/* Gives up what is under way and frees what the turn has; not the turn. */
void turn_end(struct turn *t);
/* notice.c: whether a notice to that module is under way; and its end. */
bool notice_under_way(const struct subject *s, unsigned position);
void turn_go_on(struct turn *t);

#endif
