/* SPDX-License-Identifier: MIT
 *
 * Lanes: where work runs, where it is answered, and that neither width nor depth is exceeded.
 */
#include "sys/lane.h"

#include "base/list.h"
#include "sys/thread.h"
#include "tests/lib/test.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>

struct piece {
	struct job job;
	int number;
	pthread_t worked_on;
	struct loop *answered_on;
};

static struct loop *loop;
static struct lane *lane;
static sem_t begun, go_on;
static atomic_int at_once, most_at_once, worked;
static int answered, expected, order[8];

static void work(struct job *job)
{
	struct piece *p = container_of(job, struct piece, job);

	p->worked_on = pthread_self();
	worked++;
}

/* Until it is let go. */
static void work_slowly(struct job *job)
{
	int now = ++at_once, most = most_at_once;

	(void)job;
	while (now > most && !atomic_compare_exchange_weak(&most_at_once, &most, now))
		;
	sem_post(&begun);
	sem_wait(&go_on);
	at_once--;
	worked++;
}

static void done(struct job *job)
{
	struct piece *p = container_of(job, struct piece, job);

	p->answered_on = loop_current();
	order[answered++] = p->number;
	if (answered == expected)
		loop_stop(loop_current());
}

static void set_up(unsigned width, unsigned depth)
{
	struct why why;

	loop = loop_new(0, &why);
	ck_assert_ptr_nonnull(loop);
	lane = lane_new("lane", width, depth);
	sem_init(&begun, 0, 0);
	sem_init(&go_on, 0, 0);
}

static void tear_down(void)
{
	lane_free(&lane);
	ck_assert_ptr_null(lane);
	loop_free(&loop);
}

static struct piece pieces[8];

static void submit_all(struct task *task)
{
	(void)task;
	for (int i = 0; i < expected; i++) {
		pieces[i].number = i;
		pieces[i].job.work = work;
		pieces[i].job.done = done;
		must(lane_submit(lane, &pieces[i].job));
	}
}

START_TEST(work_is_done_elsewhere_and_answered_on_the_loop_that_asked)
{
	struct task task = { .run = submit_all };

	set_up(1, 8);
	expected = 8;
	loop_post(loop, &task);
	loop_run(loop);
	for (int i = 0; i < 8; i++) {
		ck_assert(!pthread_equal(pieces[i].worked_on, pthread_self()));
		ck_assert_ptr_eq(pieces[i].answered_on, loop);
		ck_assert_int_eq(order[i], i); /* one worker: in order */
	}
	tear_down();
}
END_TEST

START_TEST(a_job_without_a_loop_is_answered_nowhere)
{
	struct piece p = { .job = { .work = work, .done = done } };

	set_up(2, 8);
	ck_assert(lane_submit(lane, &p.job));
	lane_free(&lane);
	ck_assert_int_eq(worked, 1);
	ck_assert_int_eq(answered, 0);
	tear_down();
}
END_TEST

START_TEST(no_more_threads_than_the_width_work_at_once)
{
	struct job jobs[6] = { 0 };
	unsigned waiting, running;

	set_up(2, 8);
	for (int i = 0; i < 6; i++) {
		jobs[i].work = work_slowly;
		ck_assert(lane_submit(lane, &jobs[i]));
	}
	sem_wait(&begun);
	sem_wait(&begun);
	lane_load(lane, &waiting, &running);
	ck_assert_uint_eq(waiting, 4);
	ck_assert_uint_eq(running, 2);
	for (int i = 0; i < 6; i++)
		sem_post(&go_on);
	lane_free(&lane);
	ck_assert_int_eq(most_at_once, 2);
	ck_assert_int_eq(worked, 6);
	tear_down();
}
END_TEST

START_TEST(a_full_lane_refuses_and_takes_again_later)
{
	struct job jobs[4] = { 0 };

	set_up(1, 2);
	for (int i = 0; i < 4; i++)
		jobs[i].work = work_slowly;
	ck_assert(lane_submit(lane, &jobs[0]));
	sem_wait(&begun); /* it is running, so it does not wait */
	ck_assert(lane_submit(lane, &jobs[1]));
	ck_assert(lane_submit(lane, &jobs[2]));
	ck_assert(!lane_submit(lane, &jobs[3]));
	sem_post(&go_on);
	sem_wait(&begun);
	ck_assert(lane_submit(lane, &jobs[3]));
	for (int i = 0; i < 3; i++)
		sem_post(&go_on);
	lane_free(&lane);
	ck_assert_int_eq(worked, 4);
	tear_down();
}
END_TEST

START_TEST(what_was_submitted_is_finished_and_answered_when_the_lane_is_freed)
{
	struct task task = { .run = submit_all };

	set_up(2, 8);
	expected = 5;
	loop_post(loop, &task);
	loop_stop(loop);
	loop_run(loop);
	lane_free(&lane);
	ck_assert_int_eq(worked, 5);
	loop_free(&loop);
	ck_assert_int_eq(answered, 5);
	tear_down();
}
END_TEST

TEST_MAIN("sys/lane", work_is_done_elsewhere_and_answered_on_the_loop_that_asked,
	a_job_without_a_loop_is_answered_nowhere, no_more_threads_than_the_width_work_at_once,
	a_full_lane_refuses_and_takes_again_later,
	what_was_submitted_is_finished_and_answered_when_the_lane_is_freed)
