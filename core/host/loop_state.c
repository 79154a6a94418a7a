/* SPDX-License-Identifier: MIT
 *
 * What an instance has on each loop: begun (loop_start) by the first call there, ended
 * (loop_end) on the same loop before the instance stops, or with the loop if that goes first.
 */
#include "host/call.h"

#include <stdlib.h>

/* The states of a loop, so that they can end with it. */
struct states {
	struct link list;
};

static void state_end(struct loop_state *state, struct generation *g)
{
	struct instance *i = state->instance;
	void (*end)(struct tmail_call *) = i->descriptor->loop_end;

	if (!state->begun)
		return;
	state->begun = false;
	list_remove(&state->link);
	if (end && !state->failed) {
		state->call->generation = g;
		call_last(state->call, end);
		state->call->generation = NULL;
	}
	call_drop(&state->call);
	free(state->memory);
	state->memory = NULL;
}

static void states_begin(struct loop *l, void *part)
{
	(void)l;
	list_init(&((struct states *)part)->list);
}

static void states_end(void *part)
{
	struct states *states = part;

	LIST_EACH(struct loop_state, state, &states->list, link) {
		state_end(state, state->instance->generation);
	}
}

static const struct loop_part states_part = {
	.size = sizeof(struct states), .begin = states_begin, .end = states_end
};

static bool state_begin(
	struct loop_state *state, struct instance *i, struct generation *g, struct loop *loop)
{
	const struct tmail_module *d = i->descriptor;
	struct states *states = loop_part(loop, &states_part);
	struct call *c;

	state->begun = true;
	state->instance = i;
	state->thread = pthread_self();
	state->memory = d->loop_size ? must_alloc(d->loop_size) : NULL;
	list_append(&states->list, &state->link);
	state->call = c = call_take(g, i, 0, NULL, loop, TMAIL_POINTS, 0);
	c->public.loop = state->memory;
	c->generation = NULL; /* it outlives this one: call_generation finds the newest */
	if (d->loop_start && call_step(c, d->loop_start) != TMAIL_OK) {
		state->failed = true;
		call_log(c, LEVEL_ERROR, "loop_start_failed",
			(struct log_field[]){ LOG_STR("why", str_tm(c->answer.text)) }, 1);
	}
	return !state->failed;
}

bool instance_loop(struct instance *i, struct generation *g, struct loop *loop, void **memory)
{
	unsigned index = loop_index(loop);
	struct loop_state *state;

	/* A loop that is not one of the server's has no state. */
	if (index >= i->loop_count || i->loops[index] != loop)
		return true;
	state = &i->states[index];
	if (!state->begun && !state_begin(state, i, g, loop))
		return false;
	*memory = state->memory;
	return !state->failed;
}

/* ---- the end, on each loop -------------------------------------------------------------- */

struct ending {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	unsigned left;
	struct generation *generation;
};

static void ending_task(struct task *task)
{
	struct loop_state *state = container_of(task, struct loop_state, task);
	struct ending *e = state->ending;

	state_end(state, e->generation);
	pthread_mutex_lock(&e->lock);
	e->left--;
	pthread_cond_signal(&e->wake);
	pthread_mutex_unlock(&e->lock);
}

void instance_loops_end(struct instance *i, struct generation *g)
{
	struct ending e = {
		.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER, .generation = g
	};

	for (unsigned n = 0; i->states && n < i->loop_count; n++) {
		struct loop_state *state = &i->states[n];

		if (!state->begun)
			continue;
		/* A loop that nobody runs, or is this thread's, needs no post. */
		if (!loop_running(i->loops[n]) || pthread_equal(state->thread, pthread_self())) {
			state_end(state, g);
			continue;
		}
		state->ending = &e;
		state->task.run = ending_task;
		pthread_mutex_lock(&e.lock);
		e.left++;
		pthread_mutex_unlock(&e.lock);
		loop_post(i->loops[n], &state->task);
	}
	pthread_mutex_lock(&e.lock);
	while (e.left > 0)
		pthread_cond_wait(&e.wake, &e.lock);
	pthread_mutex_unlock(&e.lock);
}
