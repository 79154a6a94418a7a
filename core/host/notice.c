/* SPDX-License-Identifier: MIT
 *
 * Notices: who is told, and nobody waits. A hook that returns at once is called; one that may
 * wait gets copies and runs on. What must hold: the notices to one module in one session run in
 * order and one at a time, and no question to it is asked meanwhile (turn.c holds it back).
 *
 * Notices of the process (a tick, a reload, a changed table) have no session. They come one at
 * a time, on the thread that first had one to tell.
 */
#include "host/turn.h"

#include "host/notice.h"

#include <pthread.h>
#include <stdlib.h>

/* ---- of a session ---------------------------------------------------------------------- */

struct telling {
	struct link link; /* in the session's scope, oldest first */
	struct scope *session, *message;
	struct generation *generation;
	struct hook hook;
	enum tmail_point point;
	struct facts *facts;
	bool running;
};

static struct telling *telling_of(struct scope *scope, unsigned position)
{
	LIST_EACH(struct telling, t, &scope->telling, link) {
		if (t->hook.position == position)
			return t;
	}
	return NULL;
}

bool notice_under_way(const struct subject *s, unsigned position)
{
	return s->session_scope && telling_of(s->session_scope, position);
}

static struct call *telling_call(struct telling *t)
{
	struct instance *i = t->hook.instance;
	struct call *c = call_take(
		t->generation, i, t->hook.position, NULL, t->session->loop, (uint32_t)t->point, 0);

	if (!c)
		return NULL;
	call_hold(c, t->facts);
	c->session = scope_ref(t->session);
	if (i->descriptor->session_size)
		c->public.session =
			scope_state(t->session, t->hook.position, i->descriptor->session_size);
	if (t->message) {
		c->message = scope_ref(t->message);
		if (i->descriptor->message_size)
			c->public.message = scope_state(
				t->message, t->hook.position, i->descriptor->message_size);
	}
	return c;
}

static void telling_run(struct telling *t);

/* Frees it; then it is the next one's turn, or that of who was held back. */
static void telling_end(struct telling *t)
{
	struct scope *session = t->session;
	unsigned position = t->hook.position;
	struct telling *next;
	struct turn *waiting = session->held_back;

	list_remove(&t->link);
	scope_unref(&t->message);
	facts_unref(&t->facts);
	free(t);
	next = telling_of(session, position);
	if (next)
		telling_run(next);
	else if (waiting && waiting->hook->position == position)
		turn_go_on(waiting);
	scope_unref(&session);
}

static void telling_finished(struct call *c, int value)
{
	struct telling *t = c->owner;

	(void)value;
	call_drop(&c);
	telling_end(t);
}

/* True when it is over already. */
static bool telling_start(struct telling *t)
{
	struct call *c = telling_call(t);
	int verdict;

	if (!c)
		return true;
	t->running = true;
	c->hook = t->hook.run;
	c->finished = telling_finished;
	c->owner = t;
	c->work = call_hook_work;
	if (t->hook.flags & TMAIL_BLOCKING) {
		if (call_submit(c, 0))
			return false;
		call_log(c, LEVEL_WARNING, "notice_dropped",
			(struct log_field[]){ LOG_C("why", "the workers are too busy") }, 1);
	} else {
		verdict = call_hook(c, &t->facts->event);
		if (verdict == TMAIL_WAIT && t->hook.flags & TMAIL_WAITS) {
			call_wait(c, t->hook.instance->settings.timeout);
			return false;
		}
	}
	call_drop(&c);
	return true;
}

static void telling_run(struct telling *t)
{
	if (telling_start(t))
		telling_end(t);
}

static void notice_queue(
	struct subject *s, enum tmail_point point, const struct hook *hook, struct facts *facts)
{
	struct telling *t = must_alloc(sizeof *t);
	bool first = !notice_under_way(s, hook->position);

	t->session = scope_ref(scope_session(s));
	if (s->message)
		t->message = scope_ref(scope_message(s));
	t->generation = s->generation; /* the scope has a reference */
	t->hook = *hook;
	t->point = point;
	t->facts = facts_ref(facts);
	list_append(&t->session->telling, &t->link);
	if (first)
		telling_run(t);
}

static void notice_now(struct subject *s, enum tmail_point point, const struct hook *hook,
	const union tmail_event *event)
{
	struct call *c = call_take(
		s->generation, hook->instance, hook->position, s, s->loop, (uint32_t)point, 0);

	if (!c)
		return;
	c->hook = hook->run;
	call_hook(c, event);
	call_drop(&c);
}

void chain_tell(struct subject *s, enum tmail_point point, const union tmail_event *event)
{
	const struct hooks *hooks = &s->generation->points[point];
	struct facts *facts = NULL;

	for (unsigned i = 0; i < hooks->count; i++) {
		const struct hook *h = &hooks->item[i];

		if (!instance_minds(h->instance, point, &s->client) ||
			(s->dry && !(h->flags & TMAIL_DRY)))
			continue;
		if (!(h->flags & (TMAIL_BLOCKING | TMAIL_WAITS)) &&
			!notice_under_way(s, h->position)) {
			notice_now(s, point, h, event);
			continue;
		}
		if (!facts)
			facts = facts_new(s, point, event);
		notice_queue(s, point, h, facts);
	}
	facts_unref(&facts);
}

/* ---- of the process -------------------------------------------------------------------- */

struct announcement {
	struct announcement *next;
	struct generation *generation;
	enum tmail_point point;
	struct facts *facts;
};
static pthread_mutex_t announce_lock = PTHREAD_MUTEX_INITIALIZER;
static struct announcement *first_announcement, **last_announcement = &first_announcement;
static bool announcing;

/* A hook on its way through a lane. */
struct errand {
	struct job job;
	struct call *call;
	struct facts *facts;
	bool looped; /* submitted from a loop: freed there */
};

static void errand_free(struct errand *e)
{
	struct generation *g = e->call->generation;

	call_drop(&e->call);
	facts_unref(&e->facts);
	generation_unref(&g);
	free(e);
}

static void errand_work(struct job *job)
{
	struct errand *e = container_of(job, struct errand, job);

	call_hook(e->call, &e->facts->event);
	if (e->call->public.point == TMAIL_POINT_TICK)
		e->call->instance->ticking = false;
	if (!e->looped)
		errand_free(e);
}

static void errand_done(struct job *job)
{
	errand_free(container_of(job, struct errand, job));
}

static void errand_send(struct generation *g, const struct hook *h, enum tmail_point point,
	const union tmail_event *event)
{
	struct errand *e;

	/* One that is still busy with the last tick misses this one. */
	if (point == TMAIL_POINT_TICK && atomic_exchange(&h->instance->ticking, true))
		return;
	e = must_alloc(sizeof *e);
	e->call = call_take(
		generation_ref(g), h->instance, h->position, NULL, NULL, (uint32_t)point, 0);
	e->call->hook = h->run;
	e->call->worker = true;
	e->looped = loop_current() != NULL;
	e->facts = facts_new(NULL, point, event);
	e->job.work = errand_work;
	e->job.done = errand_done;
	if (lane_submit(h->instance->lane, &e->job))
		return;
	if (point == TMAIL_POINT_TICK)
		h->instance->ticking = false;
	errand_free(e);
}

static void announce(struct generation *g, enum tmail_point point, const union tmail_event *event)
{
	const struct hooks *hooks = &g->points[point];

	for (unsigned i = 0; i < hooks->count; i++) {
		const struct hook *h = &hooks->item[i];
		struct call *c;

		if (h->flags & TMAIL_BLOCKING) {
			errand_send(g, h, point, event);
			continue;
		}
		c = call_take(g, h->instance, h->position, NULL, NULL, (uint32_t)point, 0);
		c->hook = h->run;
		call_hook(c, event);
		call_drop(&c);
	}
}

static struct announcement *announcement_next(void)
{
	struct announcement *a;

	pthread_mutex_lock(&announce_lock);
	a = first_announcement;
	if (a) {
		first_announcement = a->next;
		if (!first_announcement)
			last_announcement = &first_announcement;
	} else {
		announcing = false;
	}
	pthread_mutex_unlock(&announce_lock);
	return a;
}

void generation_tell(struct generation *g, enum tmail_point point, const union tmail_event *event)
{
	struct announcement *a;
	bool ours;

	if (g->points[point].count == 0 || g->purpose != PURPOSE_SERVE)
		return;
	a = must_alloc(sizeof *a);
	a->generation = generation_ref(g);
	a->point = point;
	a->facts = facts_new(NULL, point, event);
	pthread_mutex_lock(&announce_lock);
	*last_announcement = a;
	last_announcement = &a->next;
	ours = !announcing;
	announcing = true;
	pthread_mutex_unlock(&announce_lock);
	if (!ours)
		return;
	while ((a = announcement_next())) {
		announce(a->generation, a->point, &a->facts->event);
		facts_unref(&a->facts);
		generation_unref(&a->generation);
		free(a);
	}
}
