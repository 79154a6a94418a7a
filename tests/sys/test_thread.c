/* SPDX-License-Identifier: MIT
 *
 * What a thread of ours is like from inside.
 */
#include "sys/thread.h"

#include "tests/lib/test.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct seen {
	atomic_bool named; /* by the starter, who does it after the start */
	char name[16];
	sigset_t blocked;
};

static void *look(void *arg)
{
	struct seen *seen = arg;

	while (!atomic_load(&seen->named))
		sched_yield();
	pthread_getname_np(pthread_self(), seen->name, sizeof seen->name);
	pthread_sigmask(SIG_BLOCK, NULL, &seen->blocked);
	return seen;
}

START_TEST(a_thread_has_its_name_cut_and_hears_no_signals)
{
	struct seen seen = { 0 };
	struct why why;
	pthread_t thread;
	sigset_t ours;
	void *answer;

	ck_assert(thread_start(&thread, "a-name-that-is-long", look, &seen, &why));
	atomic_store(&seen.named, true);
	pthread_join(thread, &answer);
	ck_assert_ptr_eq(answer, &seen);
	ck_assert_str_eq(seen.name, "a-name-that-is-");
	ck_assert_int_eq(sigismember(&seen.blocked, SIGTERM), 1);
	ck_assert_int_eq(sigismember(&seen.blocked, SIGCHLD), 1);
	pthread_sigmask(SIG_BLOCK, NULL, &ours);
	ck_assert_int_eq(sigismember(&ours, SIGTERM), 0);
}
END_TEST

static void *back(void *arg)
{
	int *nice = arg;

	thread_stand_back();
	thread_stand_back(); /* once is enough, twice no more */
	*nice = getpriority(PRIO_PROCESS, (id_t)gettid());
	return NULL;
}

START_TEST(a_thread_that_stands_back_does_so_alone)
{
	int before = getpriority(PRIO_PROCESS, (id_t)gettid()), nice = 0;
	pthread_t thread;

	ck_assert(thread_start(&thread, "back", back, &nice, NULL));
	pthread_join(thread, NULL);
	ck_assert_int_eq(nice, before > 10 ? before : 10);
	ck_assert_int_eq(getpriority(PRIO_PROCESS, (id_t)gettid()), before);
}
END_TEST

static void *second(void *arg)
{
	int *policy = arg;

	thread_interrupts_nobody();
	*policy = sched_getscheduler(0);
	return NULL;
}

START_TEST(a_thread_that_interrupts_nobody_does_so_alone)
{
	int before = sched_getscheduler(0), policy = -1;
	pthread_t thread;

	ck_assert(thread_start(&thread, "second", second, &policy, NULL));
	pthread_join(thread, NULL);
	ck_assert_int_eq(policy, SCHED_BATCH);
	ck_assert_int_eq(sched_getscheduler(0), before);
}
END_TEST

TEST_MAIN("sys/thread", a_thread_has_its_name_cut_and_hears_no_signals,
	a_thread_that_stands_back_does_so_alone, a_thread_that_interrupts_nobody_does_so_alone)
