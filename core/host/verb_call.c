/* SPDX-License-Identifier: MIT
 *
 * A verb of a module: run on its instance's lane while the caller waits; what it emits goes
 * through the call (emit_table in host_table.c) to the caller's functions.
 */
#include "host/verb_call.h"

#include "host/call.h"

struct verb_job {
	struct job job;
	struct call *call;
	const struct tmail_verb *verb;
	const struct tmail_list *values;
	int status;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool over;
};

static void verb_work(struct job *job)
{
	struct verb_job *v = container_of(job, struct verb_job, job);
	int status;

	call_enter(v->call);
	status = v->verb->run(&v->call->public, v->values);
	call_leave(v->call);

	pthread_mutex_lock(&v->lock);
	v->status = status;
	v->over = true;
	pthread_cond_signal(&v->wake);
	pthread_mutex_unlock(&v->lock); /* the last act: the job is on the caller's stack */
}

int verb_call(struct instance *instance, const struct tmail_verb *verb,
	const struct tmail_list *values, const struct verb_emit *emit)
{
	struct verb_job v = { .job.work = verb_work,
		.verb = verb,
		.values = values,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.wake = PTHREAD_COND_INITIALIZER };
	struct generation *g;

	must(!loop_current());
	if (!instance->started)
		return TMAIL_TRY_LATER;
	g = instance_generation(instance);
	if (!g)
		return TMAIL_TRY_LATER;
	v.call = call_take(g, instance, 0, NULL, NULL, TMAIL_POINTS, PART_EMIT);
	v.call->worker = true;
	v.call->emit = emit;
	v.call->public.answer = NULL;
	if (!lane_submit(instance->lane, &v.job)) {
		v.status = TMAIL_TRY_LATER;
		v.over = true;
	}
	pthread_mutex_lock(&v.lock);
	while (!v.over)
		pthread_cond_wait(&v.wake, &v.lock);
	pthread_mutex_unlock(&v.lock);
	call_drop(&v.call);
	generation_unref(&g);
	return v.status;
}
