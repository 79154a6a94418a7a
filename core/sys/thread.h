/* SPDX-License-Identifier: MIT
 *
 * A thread as tmail wants it: named, and deaf to signals, which are the main thread's.
 */
#ifndef SYS_THREAD_H
#define SYS_THREAD_H

#include "base/fail.h"

#include <pthread.h>

/* The name is cut at 15 octets. False and why when the kernel gives no thread. */
bool thread_start(
	pthread_t *thread, const char *name, void *(*run)(void *), void *arg, struct why *why);
/* From now on the calling thread has what others leave of the processors, and a little; it should
 * hold no lock for long that they want. */
void thread_stand_back(void);
/* From now on the calling thread, when woken, takes no processor from who is at work on it: it runs
 * at once on one that is free, else when he pauses. */
void thread_interrupts_nobody(void);

#endif
