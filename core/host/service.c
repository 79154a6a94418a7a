/* SPDX-License-Identifier: MIT
 *
 * Asking services. On a loop an operation answers at once, runs on its instance's lane, or
 * waits; on any other thread the asker waits. What must hold: question, answer and what the
 * service allocates outlive the operation, whatever becomes of who asked.
 */
#include "host/service.h"

#include "host/ask.h"

#include <stdlib.h>

enum { MEMORY_FIRST = 512 };

struct service *service_find(
	const struct generation *g, const char *name, const char *key, unsigned n)
{
	for (size_t i = 0; i < g->service_count; i++) {
		struct service *s = &g->services[i];

		if (strcmp(s->declared->name, name) != 0)
			continue;
		if (key && (!s->declared->key || strcmp(s->declared->key, key) != 0))
			continue;
		if (n-- == 0)
			return s;
	}
	return NULL;
}

const struct instance *service_instance(const struct service *s)
{
	return s->instance;
}

bool service_minds(const struct service *s, const struct tmail_client *client)
{
	return instance_minds(s->instance, TMAIL_POINT_AUTH, client);
}

const struct tmail_operation *service_operation(const struct service *s, uint32_t op)
{
	TMAIL_EACH(struct tmail_operation, operation, s->declared->operations)
		if (operation->op == op)
			return operation;
	return NULL;
}

bool service_has(const struct service *s, uint32_t op)
{
	return service_operation(s, op) != NULL;
}

/* ---- waiting for it ---------------------------------------------------------------------- */

static int ask_here(struct service *s, const struct tmail_operation *operation,
	const void *question, void *answer, struct arena *arena)
{
	struct call *c =
		call_take(s->generation, s->instance, s->position, NULL, NULL, TMAIL_POINTS, 0);
	int status;

	c->lent = arena;
	c->operation = operation->run;
	c->question = question;
	c->reply = answer;
	call_await_begin(c);
	status = call_operation(c);
	if (status == TMAIL_PENDING)
		status = call_await(c);
	call_await_end(c);
	call_drop(&c);
	return status;
}

/* An operation that must run on a loop, for a thread that waits. */
struct visit {
	struct task task;
	struct service *service;
	const struct tmail_operation *operation;
	const void *question;
	void *answer;
	struct arena *arena;
	struct loop *loop;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool over;
	int status;
};

static void visit_over(struct visit *v, int status)
{
	pthread_mutex_lock(&v->lock);
	v->status = status;
	v->over = true;
	pthread_cond_signal(&v->wake);
	pthread_mutex_unlock(&v->lock);
}

static void visit_finished(struct call *c, int status)
{
	struct visit *v = c->owner;

	call_drop(&c);
	visit_over(v, status);
}

static void visit_run(struct task *task)
{
	struct visit *v = container_of(task, struct visit, task);
	struct service *s = v->service;
	struct call *c =
		call_take(s->generation, s->instance, s->position, NULL, v->loop, TMAIL_POINTS, 0);
	int status;

	if (!c) {
		visit_over(v, TMAIL_TRY_LATER);
		return;
	}
	c->lent = v->arena;
	c->operation = v->operation->run;
	c->question = v->question;
	c->reply = v->answer;
	c->finished = visit_finished;
	c->owner = v;
	call_hold(c, NULL);
	status = call_operation(c);
	if (status == TMAIL_PENDING) {
		/* No deadline: who waits lent its memory. */
		call_wait(c, 0);
		return;
	}
	call_drop(&c);
	visit_over(v, status);
}

struct loop *generation_loop(const struct generation *g)
{
	static _Atomic unsigned turns;

	for (unsigned n = 0; n < g->loop_count; n++) {
		struct loop *l = g->loops[atomic_fetch_add(&turns, 1) % g->loop_count];

		if (loop_running(l) && !loop_ending(l))
			return l;
	}
	return NULL;
}

int service_ask_wait(
	struct service *s, uint32_t op, const void *question, void *answer, struct arena *arena)
{
	const struct tmail_operation *operation = service_operation(s, op);
	struct visit v = { .task.run = visit_run,
		.service = s,
		.operation = operation,
		.question = question,
		.answer = answer,
		.arena = arena,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.wake = PTHREAD_COND_INITIALIZER };

	must(!loop_current());
	if (!operation)
		return TMAIL_UNSUPPORTED;
	if (!s->instance->started)
		return TMAIL_TRY_LATER;
	if (!(operation->flags & TMAIL_BLOCKING))
		v.loop = generation_loop(s->generation);
	if (!v.loop)
		return ask_here(s, operation, question, answer, arena);
	loop_post(v.loop, &v.task);
	pthread_mutex_lock(&v.lock);
	while (!v.over)
		pthread_cond_wait(&v.wake, &v.lock);
	pthread_mutex_unlock(&v.lock);
	return v.status;
}

/* ---- on a loop --------------------------------------------------------------------------- */

static void ask_finished(struct call *c, int value)
{
	struct ask *a = c->owner;

	a->done(a,
		value == CALL_TIMEOUT            ? TMAIL_LATE
			: value == TMAIL_PENDING ? TMAIL_TRY_LATER /* a worker may not */
						 : value);
}

int ask_start(struct ask *a, struct service *s, struct subject *subject, struct loop *loop,
	uint32_t op, const void *question, void *answer)
{
	const struct tmail_operation *operation = service_operation(s, op);
	struct facts *facts = NULL;
	struct call *c;
	int status;

	if (!operation)
		return TMAIL_UNSUPPORTED;
	if (!s->instance->started)
		return TMAIL_TRY_LATER;
	c = a->call =
		call_take(s->generation, s->instance, s->position, subject, loop, TMAIL_POINTS, 0);
	if (!c)
		return TMAIL_TRY_LATER;
	c->operation = operation->run;
	c->question = question;
	c->reply = answer;
	c->work = call_operation;
	c->finished = ask_finished;
	c->owner = a;
	/* The memory of the question is the call's from here on: it may last longer than `a`. */
	arena_free(&c->arena);
	c->arena = a->memory;
	a->memory = NULL;
	if (subject)
		facts = facts_new(subject, TMAIL_POINTS, NULL);
	call_hold(c, facts);
	facts_unref(&facts);
	if (operation->flags & TMAIL_BLOCKING) {
		if (call_submit(c, s->instance->settings.timeout))
			return TMAIL_PENDING;
		ask_end(a);
		return TMAIL_TRY_LATER;
	}
	status = call_operation(c);
	if (status == TMAIL_PENDING)
		call_wait(c, s->instance->settings.timeout);
	return status;
}

void ask_end(struct ask *a)
{
	struct call *c = a->call;

	if (c && c->refs == 1) { /* it is over: the memory comes back */
		a->memory = c->arena;
		c->arena = NULL;
	}
	call_give_up(&a->call);
}

/* ---- for a subject ------------------------------------------------------------------------- */

struct asking {
	struct parked parked;
	struct ask ask;
	struct subject *subject;
	void (*done)(void *ctx, int status);
	void *ctx;
};

struct arena *service_memory(struct subject *subject)
{
	if (!subject->question)
		subject->question = arena_new(MEMORY_FIRST);
	return subject->question;
}

/* Frees it; the memory stays with the subject, for the answer to be read. */
static void asking_free(struct asking *a)
{
	list_remove(&a->parked.link);
	ask_end(&a->ask);
	if (a->ask.memory) {
		arena_free(&a->subject->answered);
		a->subject->answered = a->ask.memory;
	}
	free(a);
}

static void asking_cancel(struct parked *parked)
{
	asking_free(container_of(parked, struct asking, parked));
}

static void asking_done(struct ask *ask, int status)
{
	struct asking *a = container_of(ask, struct asking, ask);
	void (*done)(void *, int) = a->done;
	void *ctx = a->ctx;

	asking_free(a);
	done(ctx, status);
}

int service_ask(struct service *s, struct subject *subject, uint32_t op, const void *question,
	void *answer, void (*done)(void *ctx, int status), void *ctx)
{
	struct asking *a = must_alloc(sizeof *a);
	int status;

	a->subject = subject;
	a->done = done;
	a->ctx = ctx;
	a->parked.cancel = asking_cancel;
	a->ask.done = asking_done;
	a->ask.memory = service_memory(subject);
	subject->question = NULL;
	list_append(&subject->parked, &a->parked.link);
	status = ask_start(&a->ask, s, subject, subject->loop, op, question, answer);
	if (status != TMAIL_PENDING)
		asking_free(a);
	return status;
}
