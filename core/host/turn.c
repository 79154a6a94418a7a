/* SPDX-License-Identifier: MIT
 *
 * Asking one hook: at once, on a worker, or waiting for its word. What a verdict means is not
 * known here.
 */
#include "host/turn.h"

#include "host/record.h"
#include "sys/clock.h"

enum { WAITING = TMAIL_WAITS | TMAIL_BLOCKING };

static const union tmail_event *turn_event(struct turn *t, const union tmail_event *event)
{
	if (!t->facts)
		t->facts = facts_new(t->subject, t->point, event);
	return &t->facts->event;
}

/* What a worker noted is put on the message now that the loop may touch it. */
static void notes_take(struct call *c)
{
	struct message *m = c->subject ? c->subject->message : NULL;

	for (struct note *n = c->notes; m && n; n = n->next)
		message_note_set(m, str_tm(n->name), str_tm(n->value));
	c->notes = NULL;
}

static int turn_failed(struct turn *t, struct call **c, const char *why)
{
	t->why = why;
	call_drop(c);
	return TURN_FAILED;
}

static void turn_timed(struct turn *t)
{
	if (t->began)
		t->took = clock_mono() - t->began;
}

static void turn_finished(struct call *c, int value)
{
	struct turn *t = c->owner;

	must(t->call == c);
	turn_timed(t);
	if (value == CALL_TIMEOUT) {
		turn_failed(t, &t->call, "did not answer in time");
		t->spoke(t, TURN_FAILED);
		return;
	}
	notes_take(c);
	t->spoke(t, value);
}

/* On a worker. */
static int turn_submit(struct turn *t)
{
	struct call *c = t->call;

	c->work = call_hook_work;
	if (call_submit(c, c->instance->settings.timeout))
		return TURN_LATER;
	return turn_failed(
		t, &t->call, "has too much to do (its workers and their queue are full)");
}

/* The module said what it says now, though somebody may have resumed the call meanwhile. */
static int turn_said(struct turn *t, int verdict)
{
	struct call *c = t->call;

	if (verdict == TMAIL_WAIT && t->hook->flags & TMAIL_WAITS) {
		call_wait(c, c->instance->settings.timeout);
		return TURN_LATER;
	}
	turn_timed(t);
	if (verdict == TMAIL_WAIT)
		return turn_failed(
			t, &t->call, "answered WAIT; its hook is not marked TMAIL_WAITS");
	if (atomic_load_explicit(&c->state, memory_order_acquire) == CALL_LIVE)
		return verdict;
	c->finished = NULL;
	c->refs++; /* the task on its way */
	return turn_failed(t, &t->call, "resumed a call that it also answered");
}

static int turn_run(struct turn *t, const union tmail_event *event)
{
	const struct hook *h = t->hook;
	struct call *c = call_take(t->subject->generation, h->instance, h->position, t->subject,
		t->subject->loop, (uint32_t)t->point, t->parts);

	if (!c)
		return turn_failed(t, &c, "could not begin on this loop");
	t->call = c;
	t->began = record_wanted(t->subject) ? clock_mono() : 0;
	t->took = 0;
	c->hook = h->run;
	c->finished = turn_finished;
	c->owner = t;
	if (h->flags & WAITING) {
		event = turn_event(t, event);
		call_hold(c, t->facts);
	}
	if (h->flags & TMAIL_BLOCKING)
		return turn_submit(t);
	return turn_said(t, call_hook(c, event));
}

static void turn_held_too_long(struct deadline *d)
{
	struct turn *t = container_of(d, struct turn, deadline);

	t->held_back = false;
	t->subject->session_scope->held_back = NULL;
	t->why = "is still busy with a notice";
	t->spoke(t, TURN_FAILED);
}

int turn_ask(struct turn *t, const struct hook *hook, const union tmail_event *event)
{
	struct scope *scope = t->subject->session_scope;

	must(!t->call);
	t->hook = hook;
	if (!scope || list_empty(&scope->telling) || !notice_under_way(t->subject, hook->position))
		return turn_run(t, event);
	must(!scope->held_back);
	turn_event(t, event);
	t->held_back = true;
	scope->held_back = t;
	deadline_init(&t->deadline, t->subject->loop, turn_held_too_long);
	if (hook->instance->settings.timeout > 0)
		deadline_set(&t->deadline, hook->instance->settings.timeout);
	return TURN_LATER;
}

void turn_go_on(struct turn *t)
{
	int verdict;

	deadline_clear(&t->deadline);
	t->held_back = false;
	t->subject->session_scope->held_back = NULL;
	verdict = turn_run(t, &t->facts->event);
	if (verdict != TURN_LATER)
		t->spoke(t, verdict);
}

void turn_over(struct turn *t)
{
	call_drop(&t->call);
}

void turn_end(struct turn *t)
{
	if (t->held_back) {
		deadline_clear(&t->deadline);
		t->held_back = false;
		t->subject->session_scope->held_back = NULL;
	}
	call_give_up(&t->call);
	facts_unref(&t->facts);
}
