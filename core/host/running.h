/* SPDX-License-Identifier: MIT
 *
 * What each thread is running: module, point and message, noted on a page that the parent
 * process shares and reads when the server has crashed. Two stores a call; without a page
 * nothing.
 */
#ifndef HOST_RUNNING_H
#define HOST_RUNNING_H

#include "base/id.h"

#include <stdatomic.h>

enum { RUNNING_SLOTS = 120 };

struct running_slot {       /* of a thread, its own to write */
	_Atomic int thread; /* gettid(); 0: free */
	_Atomic uint32_t point;
	/* A C string of the process that crashed is no use to another: the name is copied. */
	char instance[48];
	struct id message;
};
struct running_page {
	_Atomic int crashed; /* the thread that got the signal; 0: none did */
	_Atomic int signal;
	char said[256]; /* what must() said */
	struct running_slot slots[RUNNING_SLOTS];
};

/* At start, before the threads; NULL: nothing is noted any more. */
void running_setup(struct running_page *page);
/* This thread now runs the instance at the point (TMAIL_POINTS: none) over the message. Threads
 * beyond the slots are not noted. */
void running_enter(const char *instance, uint32_t point, struct id message);
void running_leave(void);
/* The calling thread is about to die of a signal. Only what a signal handler may do. */
void running_crashed(int signal);
/* What must() said; for must_hook. */
void running_said(const char *text);
/* The slot of the thread that crashed, when it was running something; NULL: none. */
const struct running_slot *running_culprit(const struct running_page *page);

#endif
