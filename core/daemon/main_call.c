/* SPDX-License-Identifier: MIT
 *
 * A worker has something done by the main thread and waits for it. Each side has a reference,
 * since either may be the first to give up: the worker when the server stops.
 */
#include "daemon/server.h"

#include "base/list.h"

#include <stdlib.h>

struct main_call {
	struct task task;
	void (*run)(struct main_call *call);
	unsigned refs;
	bool done, ok;
	struct why why;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool refused;

/* With the lock held. */
static void call_unref(struct main_call *call)
{
	if (--call->refs == 0)
		free(call);
}

static void call_run(struct task *task)
{
	struct main_call *call = container_of(task, struct main_call, task);

	call->run(call);
}

bool main_call(void (*run)(struct main_call *call), struct why *why)
{
	struct main_call *call = must_alloc(sizeof *call);
	bool ok, done;

	*call = (struct main_call){ .task = { .run = call_run }, .run = run, .refs = 2 };
	pthread_mutex_lock(&lock);
	if (!refused)
		loop_post(server.main, &call->task);
	else
		call->refs = 1;
	while (!call->done && !refused)
		pthread_cond_wait(&changed, &lock);
	done = call->done;
	ok = done && call->ok;
	if (!ok)
		why_set(why, "%s", done ? call->why.text : "the server is stopping");
	call_unref(call);
	pthread_mutex_unlock(&lock);
	return ok;
}

void main_call_end(struct main_call *call, bool ok, const char *why)
{
	pthread_mutex_lock(&lock);
	call->done = true;
	call->ok = ok;
	why_set(&call->why, "%s", why ? why : "");
	pthread_cond_broadcast(&changed);
	call_unref(call);
	pthread_mutex_unlock(&lock);
}

void main_calls_refuse(void)
{
	pthread_mutex_lock(&lock);
	refused = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}
