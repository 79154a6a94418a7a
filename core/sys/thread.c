/* SPDX-License-Identifier: MIT
 *
 * Starts threads. The signals are blocked before the thread exists, so that there is no moment
 * in which it could be given one.
 */
#include "sys/thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

enum { STAND_BACK = 10 };

bool thread_start(
	pthread_t *thread, const char *name, void *(*run)(void *), void *arg, struct why *why)
{
	sigset_t all, before;
	char cut[16];

	sigfillset(&all);
	must(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
	int error = pthread_create(thread, NULL, run, arg);
	must(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	if (error) {
		errno = error;
		return why_errno(why, "thread %s", name);
	}
	snprintf(cut, sizeof cut, "%s", name);
	pthread_setname_np(*thread, cut);
	return true;
}

/* Linux counts it thread by thread. Refused where all of us stand back further already. */
void thread_stand_back(void)
{
	setpriority(PRIO_PROCESS, (id_t)gettid(), STAND_BACK);
}

/* Where it is refused the thread is as eager as before. */
void thread_interrupts_nobody(void)
{
	pthread_setschedparam(pthread_self(), SCHED_BATCH, &(struct sched_param){ 0 });
}
