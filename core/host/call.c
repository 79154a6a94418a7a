/* SPDX-License-Identifier: MIT
 *
 * The life of a call. Two sides hold one that waits: the core, and whoever will answer (a
 * module's resume, or a worker). `state` is decided by one compare-and-swap from LIVE: to
 * RESUMED by the answer, to GIVEN_UP by the core (deadline, the client left). Whoever loses
 * leaves the decision alone. The answering side's last act is always a task on the home loop,
 * so that references are counted there without locks.
 */
#include "host/call.h"

#include "host/running.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>

/* Spare calls of a loop; none under sanitizers, so that use after the end is seen. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SPARES = 0 };
#else
enum { SPARES = 64 };
#endif
enum { CALL_ARENA = 512 };

struct spares {
	struct call *first;
	unsigned count;
};

static void call_destroy(struct call *c)
{
	arena_free(&c->arena);
	free(c);
}

static void spares_end(void *part)
{
	struct spares *spares = part;

	while (spares->first) {
		struct call *c = spares->first;

		spares->first = c->next_spare;
		call_destroy(c);
	}
}

static const struct loop_part spares_part = { .size = sizeof(struct spares), .end = spares_end };

static struct call *call_memory(struct loop *home)
{
	struct spares *spares =
		SPARES && home && loop_running(home) ? loop_part(home, &spares_part) : NULL;
	struct call *c;
	struct arena *arena;

	if (!spares || !spares->first)
		return must_alloc(sizeof(struct call));
	c = spares->first;
	spares->first = c->next_spare;
	spares->count--;
	arena = c->arena;
	memset(c, 0, sizeof *c);
	c->arena = arena;
	return c;
}

static void call_put_back(struct call *c)
{
	/* A loop that nobody runs is about to go. */
	bool keep = SPARES && c->home && loop_running(c->home);
	struct spares *spares = keep ? loop_part(c->home, &spares_part) : NULL;

	if (!spares || spares->count == SPARES) {
		call_destroy(c);
		return;
	}
	if (c->arena && arena_size(c->arena))
		arena_reset(c->arena);
	c->next_spare = spares->first;
	spares->first = c;
	spares->count++;
}

/* ---- taken, held, dropped -------------------------------------------------------------- */

static void subject_show(struct call *c, struct subject *s)
{
	const struct tmail_module *d = c->instance->descriptor;

	c->subject = s;
	c->log = s->log;
	c->public.dry = s->dry;
	c->public.client = &s->client;
	if (d->session_size)
		c->public.session = scope_state(scope_session(s), c->position, d->session_size);
	if (!s->message)
		return;
	c->public.envelope = &s->message->envelope;
	if (d->message_size)
		c->public.message = scope_state(scope_message(s), c->position, d->message_size);
}

struct call *call_take(struct generation *g, struct instance *i, unsigned position,
	struct subject *s, struct loop *home, uint32_t point, unsigned parts)
{
	void *loop_memory = NULL;
	struct call *c;

	if (home && i->states && !instance_loop(i, g, home, &loop_memory))
		return NULL;
	c = call_memory(home);
	c->public.size = sizeof c->public;
	c->public.point = point;
	c->public.host = &i->hosts[home ? parts | PART_NET : parts];
	c->public.conf = i->conf;
	c->public.self = i->self;
	c->public.loop = loop_memory;
	c->public.core = c;
	c->public.answer = &c->answer;
	c->answer.size = sizeof c->answer;
	c->instance = i;
	c->position = position;
	c->generation = g;
	c->home = home;
	c->refs = 1;
	c->edit_last = &c->edits;
	list_init(&c->handles);
	if (s)
		subject_show(c, s);
	return c;
}

void call_hold(struct call *c, struct facts *facts)
{
	struct subject *s = c->subject;

	must(!c->held);
	c->held = true;
	c->log = NULL;
	generation_ref(c->generation);
	if (s) {
		c->session = scope_ref(scope_session(s));
		if (s->message)
			c->message = scope_ref(scope_message(s));
	}
	if (!facts)
		return;
	c->facts = facts_ref(facts);
	c->public.client = facts->has_client ? &facts->client : NULL;
	c->public.envelope = facts->message ? &facts->envelope : NULL;
}

static void call_unref(struct call *c)
{
	struct generation *g;

	if (--c->refs > 0)
		return;
	handles_end(c);
	deadline_clear(&c->deadline);
	g = c->held ? c->generation : NULL;
	scope_unref(&c->session);
	scope_unref(&c->message);
	facts_unref(&c->facts);
	call_put_back(c);
	generation_unref(&g);
}

void call_drop(struct call **c)
{
	struct call *call = *c;

	*c = NULL;
	if (call)
		call_unref(call);
}

struct arena *call_arena(struct call *c)
{
	if (c->lent)
		return c->lent;
	if (!c->arena)
		c->arena = arena_new(CALL_ARENA);
	return c->arena;
}

struct generation *call_generation(struct call *c)
{
	return c->generation ? generation_ref(c->generation) : instance_generation(c->instance);
}

bool call_at_home(const struct call *c)
{
	return c->worker || !c->home || c->home == loop_current();
}

/* ---- run --------------------------------------------------------------------------------- */

static _Thread_local struct call *running;

static void running_note(const struct call *c)
{
	struct id message = { 0 };

	if (c->public.envelope)
		message = id_tm(c->public.envelope->id);
	running_enter(c->instance->name, c->public.point, message);
}

void call_enter(struct call *c)
{
	c->outer = running;
	running = c;
	running_note(c);
}

void call_leave(struct call *c)
{
	running = c->outer;
	if (running)
		running_note(running);
	else
		running_leave();
}

/* What is below zero is a mark of the core's own: a module that says so has said nonsense. */
static int value_said(int value)
{
	return value < 0 ? INT_MAX : value;
}

int call_hook(struct call *c, const union tmail_event *event)
{
	int verdict;

	call_enter(c);
	verdict = (int)c->hook(&c->public, event);
	call_leave(c);
	return value_said(verdict);
}

int call_hook_work(struct call *c)
{
	return call_hook(c, &c->facts->event);
}

int call_operation(struct call *c)
{
	int status;

	call_enter(c);
	status = c->operation(&c->public, c->question, c->reply);
	call_leave(c);
	return value_said(status);
}

int call_step(struct call *c, int (*step)(struct tmail_call *))
{
	int status;

	call_enter(c);
	status = step(&c->public);
	call_leave(c);
	return status;
}

void call_last(struct call *c, void (*end)(struct tmail_call *))
{
	call_enter(c);
	end(&c->public);
	call_leave(c);
}

/* ---- the race -------------------------------------------------------------------------- */

static bool call_decide(struct call *c, enum call_state state)
{
	int live = CALL_LIVE;

	return atomic_compare_exchange_strong_explicit(
		&c->state, &live, state, memory_order_acq_rel, memory_order_acquire);
}

/* The answering side is done: on the home loop. Its reference goes first, so that the owner can
 * tell a call that is over. */
static void call_answered(struct call *c)
{
	void (*finished)(struct call *, int) = c->finished;

	deadline_clear(&c->deadline);
	c->finished = NULL;
	if (!finished || atomic_load_explicit(&c->state, memory_order_acquire) != CALL_RESUMED) {
		call_unref(c);
		return;
	}
	must(c->refs == 2);
	c->refs--;
	finished(c, c->value);
}

static void call_resumed(struct task *task)
{
	struct call *c = container_of(task, struct call, task);

	handles_end(c);
	call_answered(c);
}

/* What waits on a thread of its own. */
struct awaiting {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool done;
};

int call_resume(struct call *c, int value)
{
	struct awaiting *awaiting = c->home ? NULL : c->owner;
	bool won;

	value = value_said(value);
	if (c->worker || (!c->home && !awaiting))
		return TMAIL_REFUSED;
	if (awaiting) {
		pthread_mutex_lock(&awaiting->lock);
		c->value = value;
		awaiting->done = true;
		pthread_cond_signal(&awaiting->wake);
		pthread_mutex_unlock(&awaiting->lock);
		return TMAIL_OK;
	}
	if (atomic_load_explicit(&c->state, memory_order_acquire) == CALL_LIVE)
		c->value = value; /* only the one who answers writes it */
	won = call_decide(c, CALL_RESUMED);
	c->task.run = call_resumed;
	loop_post(c->home, &c->task);
	return won ? TMAIL_OK : TMAIL_LATE;
}

/* True when nobody will answer the call any more. */
static bool call_given_back(struct call *c)
{
	bool ours = !list_empty(&c->handles), back;

	handles_end(c);
	if (!c->gone)
		return ours;
	call_enter(c);
	back = c->gone(&c->public, c->gone_ctx) != 0;
	call_leave(c);
	return back;
}

/* False when the answer was first: it is on its way. */
static bool call_abandon(struct call *c)
{
	if (!call_decide(c, CALL_GIVEN_UP))
		return false;
	deadline_clear(&c->deadline);
	c->subject = NULL;
	if (!c->worker && c->refs > 1 && call_given_back(c))
		call_unref(c);
	return true;
}

void call_give_up(struct call **cp)
{
	struct call *c = *cp;

	*cp = NULL;
	if (!c)
		return;
	c->finished = NULL;
	call_abandon(c);
	c->subject = NULL;
	call_unref(c);
}

static void call_late(struct deadline *d)
{
	struct call *c = container_of(d, struct call, deadline);
	void (*finished)(struct call *, int) = c->finished;

	if (!call_abandon(c))
		return;
	c->finished = NULL;
	if (finished)
		finished(c, CALL_TIMEOUT);
}

static void call_deadline(struct call *c, int64_t timeout)
{
	if (timeout <= 0)
		return;
	deadline_init(&c->deadline, c->home, call_late);
	deadline_set(&c->deadline, timeout);
}

void call_wait(struct call *c, int64_t timeout)
{
	must(c->held && c->home);
	c->refs++;
	call_deadline(c, timeout);
}

/* ---- workers --------------------------------------------------------------------------- */

static void call_work(struct job *job)
{
	struct call *c = container_of(job, struct call, job);
	int value = c->work(c);

	c->value = value;
	call_decide(c, CALL_RESUMED);
}

static void call_worked(struct job *job)
{
	call_answered(container_of(job, struct call, job));
}

bool call_submit(struct call *c, int64_t timeout)
{
	must(c->held && c->home && c->instance->lane);
	c->worker = true;
	c->public.loop = NULL; /* a worker is on no loop */
	c->job.work = call_work;
	c->job.done = call_worked;
	c->refs++;
	if (!lane_submit(c->instance->lane, &c->job)) {
		c->refs--;
		return false;
	}
	call_deadline(c, timeout);
	return true;
}

/* ---- threads that wait ----------------------------------------------------------------- */

void call_await_begin(struct call *c)
{
	struct awaiting *a = must_alloc(sizeof *a);

	must(pthread_mutex_init(&a->lock, NULL) == 0);
	must(pthread_cond_init(&a->wake, NULL) == 0);
	c->owner = a;
}

int call_await(struct call *c)
{
	struct awaiting *a = c->owner;

	pthread_mutex_lock(&a->lock);
	while (!a->done)
		pthread_cond_wait(&a->wake, &a->lock);
	pthread_mutex_unlock(&a->lock);
	return c->value;
}

void call_await_end(struct call *c)
{
	struct awaiting *a = c->owner;

	c->owner = NULL;
	pthread_cond_destroy(&a->wake);
	pthread_mutex_destroy(&a->lock);
	free(a);
}
