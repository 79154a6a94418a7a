/* SPDX-License-Identifier: MIT
 *
 * A queue of jobs behind one lock, and threads that are started when a job finds none idle.
 * Threads stay until the lane is freed. What must hold: `waiting` counts the jobs in the list,
 * `idle` the threads that wait for one; a job in the list has a thread that will take it.
 */
#include "sys/lane.h"

#include "base/list.h"
#include "sys/thread.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct lane {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct job *first, **last;
	unsigned width, depth;
	unsigned started, idle;
	bool ending;
	/* For lane_load, which takes no lock. */
	_Atomic unsigned waiting, running;
	pthread_t *threads;
	char name[16];
};

static void job_finished(struct task *task)
{
	struct job *job = container_of(task, struct job, task);

	if (job->done)
		job->done(job);
}

static void job_run(struct lane *lane, struct job *job)
{
	struct loop *home = job->home;

	job->work(job);
	lane->running--; /* first: who hears that it is done must not find it running */
	if (!home)
		return; /* the job may be gone */
	job->task.run = job_finished;
	loop_post(home, &job->task);
}

static struct job *lane_next(struct lane *lane)
{
	while (!lane->first) {
		if (lane->ending)
			return NULL;
		lane->idle++;
		pthread_cond_wait(&lane->wake, &lane->lock);
		lane->idle--;
	}
	struct job *job = lane->first;
	lane->first = job->next;
	if (!lane->first)
		lane->last = &lane->first;
	lane->waiting--;
	lane->running++;
	return job;
}

static void *lane_thread(void *arg)
{
	struct lane *lane = arg;
	struct job *job;

	pthread_mutex_lock(&lane->lock);
	while ((job = lane_next(lane))) {
		pthread_mutex_unlock(&lane->lock);
		job_run(lane, job);
		pthread_mutex_lock(&lane->lock);
	}
	pthread_mutex_unlock(&lane->lock);
	return NULL;
}

/* One more thread if all are busy; false if there is none at all to do the work. */
static bool lane_staffed(struct lane *lane)
{
	if (lane->idle > lane->waiting || lane->started == lane->width)
		return true;
	if (thread_start(&lane->threads[lane->started], lane->name, lane_thread, lane, NULL))
		lane->started++;
	return lane->started > 0;
}

struct lane *lane_new(const char *name, unsigned width, unsigned depth)
{
	struct lane *lane = must_alloc(sizeof *lane);

	must(width > 0 && depth > 0);
	must(pthread_mutex_init(&lane->lock, NULL) == 0);
	must(pthread_cond_init(&lane->wake, NULL) == 0);
	snprintf(lane->name, sizeof lane->name, "%s", name);
	lane->last = &lane->first;
	lane->width = width;
	lane->depth = depth;
	lane->threads = must_alloc(width * sizeof *lane->threads);
	return lane;
}

bool lane_submit(struct lane *lane, struct job *job)
{
	bool taken = false;

	job->next = NULL;
	job->home = loop_current();
	pthread_mutex_lock(&lane->lock);
	must(!lane->ending);
	if (lane->waiting < lane->depth && lane_staffed(lane)) {
		*lane->last = job;
		lane->last = &job->next;
		lane->waiting++;
		if (lane->idle > 0)
			pthread_cond_signal(&lane->wake);
		taken = true;
	}
	pthread_mutex_unlock(&lane->lock);
	return taken;
}

void lane_load(const struct lane *lane, unsigned *waiting, unsigned *running)
{
	*waiting = lane->waiting;
	*running = lane->running;
}

void lane_free(struct lane **lanep)
{
	struct lane *lane = *lanep;

	if (!lane)
		return;
	*lanep = NULL;
	pthread_mutex_lock(&lane->lock);
	lane->ending = true;
	pthread_cond_broadcast(&lane->wake);
	pthread_mutex_unlock(&lane->lock);
	for (unsigned i = 0; i < lane->started; i++)
		pthread_join(lane->threads[i], NULL);
	pthread_cond_destroy(&lane->wake);
	pthread_mutex_destroy(&lane->lock);
	free(lane->threads);
	free(lane);
}
