/* SPDX-License-Identifier: MIT
 *
 * A call: one hook, operation, verb or step of life under way, and what it may touch. For the
 * files of this floor only.
 *
 * Most calls answer at once: they are taken from the loop's spare ones, filled, run and put back.
 * A call that waits is held: it has references on all that it was shown, so that it outlives
 * the subject. What ends it is decided once, on `state`: resume wins or the core's giving up
 * does; the call goes back when both sides are done with it, always on its home loop.
 */
#ifndef HOST_CALL_H
#define HOST_CALL_H

#include "host/instance.h"
#include "host/subject.h"

enum call_state { CALL_LIVE, CALL_RESUMED, CALL_GIVEN_UP };

/* Memory of a session or a message that modules have: states, and what they allocate. Counted
 * on its loop; its end, when the last call that sees it is done, runs the end functions. */
struct scope {
	unsigned refs;
	bool message;
	struct loop *loop;
	struct generation *generation; /* a reference */
	pthread_mutex_t lock;          /* of the arena: workers allocate */
	struct arena *arena;
	void **states;          /* by position */
	struct link telling;    /* session: notices under way (notice.c) */
	struct turn *held_back; /* session: who waits for one of them to end */
};
struct scope *scope_session(struct subject *s);
struct scope *scope_message(struct subject *s); /* NULL without a message */
struct scope *scope_ref(struct scope *s);
void scope_unref(struct scope **s);
void *scope_alloc(struct scope *s, size_t size);
void *scope_state(struct scope *s, unsigned position, size_t size);

/* Copies of what a call is about, for those that last longer than it. Counted on their loop. */
struct facts {
	unsigned refs;
	struct arena *arena;
	struct message *message; /* a reference, for its strings; NULL: none */
	bool has_client;
	struct tmail_client client;
	struct tmail_envelope envelope;
	const struct note *notes;
	union tmail_event event;
};
struct facts *facts_new(
	const struct subject *s, enum tmail_point point, const union tmail_event *event);
struct facts *facts_ref(struct facts *f);
void facts_unref(struct facts **f);

struct edit; /* edit.h */

struct call {
	struct tmail_call public; /* first: what the module sees; public.core points here */
	struct tmail_answer answer;
	struct instance *instance;
	unsigned position;
	struct generation *generation;   /* a reference when held */
	struct subject *subject;         /* NULL: none, or the core gave up */
	struct loop *home;               /* NULL: on a thread that waits */
	struct log_context const *log;   /* of the subject; NULL when held */
	struct scope *session, *message; /* references when held */
	struct facts *facts;
	struct arena *arena;
	struct arena *lent; /* where CALL memory comes from instead, when not NULL */
	bool held, worker;
	unsigned refs; /* 1, and 1 of whoever will resume or work */
	_Atomic int state;
	int value; /* what it was resumed with */
	int64_t began;
	struct task task;
	struct job job;
	struct deadline deadline;
	struct link handles; /* what net and lookup keep for it */
	int (*gone)(struct tmail_call *, void *ctx);
	void *gone_ctx;
	struct edit *edits, **edit_last;
	struct note *notes;          /* set on a worker: put on the message afterwards */
	int (*work)(struct call *c); /* on the lane */
	/* What runs: a hook (its event is in the facts), or an operation. */
	tmail_hook_function hook;
	tmail_operation_function operation;
	const void *question;
	void *reply;
	/* On the home loop, once, unless the owner gave up. */
	void (*finished)(struct call *c, int value);
	void *owner;
	const struct verb_emit *emit;
	struct call *outer; /* what its thread was running when this was entered */
	struct call *next_spare;
};

/* For `i` of `g`; subject may be NULL. home: the loop, or NULL. */
struct call *call_take(struct generation *g, struct instance *i, unsigned position,
	struct subject *s, struct loop *home, uint32_t point, unsigned parts);
/* Around each function of the module: notes on the crash page what this thread runs. */
void call_enter(struct call *c);
void call_leave(struct call *c);
int call_hook(struct call *c, const union tmail_event *event);
int call_hook_work(struct call *c); /* with the event of its facts: for a lane */
int call_operation(struct call *c);
int call_step(struct call *c, int (*step)(struct tmail_call *));
void call_last(struct call *c, void (*end)(struct tmail_call *));
/* The core's reference. */
void call_drop(struct call **c);
static inline struct call *call_of(struct tmail_call *public)
{
	return public->core;
}
/* Takes references on all that the call sees; before a function runs that may wait. With a
 * subject, its scopes too. */
void call_hold(struct call *c, struct facts *facts);
/* The function answered "later": finished(c, value) follows, after at most `timeout` ms (0: any)
 * with CALL_TIMEOUT. */
enum { CALL_TIMEOUT = -1, CALL_FULL = -2 };
void call_wait(struct call *c, int64_t timeout);
/* work(c) on the instance's lane, then finished. False when the lane is full. */
bool call_submit(struct call *c, int64_t timeout);
/* The core wants the answer no more. Clears the pointer. */
void call_give_up(struct call **c);
/* On a thread that waits: begin before the function runs, await if it says PENDING, then end. */
void call_await_begin(struct call *c);
int call_await(struct call *c);
void call_await_end(struct call *c);
int call_resume(struct call *c, int value);
/* Whether this thread may touch what belongs to the call's loop. */
bool call_at_home(const struct call *c);
struct arena *call_arena(struct call *c);
/* The call's, or, of a loop's call, the newest that has its instance: a reference; NULL: none. */
struct generation *call_generation(struct call *c);

/* net_table.c, host_table.c: what is kept for a call on its loop. */
struct handle {
	struct link link; /* in call->handles */
	void (*end)(struct handle *h);
};
void handles_end(struct call *c);
extern const struct tmail_net host_net;
extern const struct tmail_edit host_edit;

/* host_table.c: a line about, or of, the module. */
void call_log(struct call *c, enum log_level level, const char *event,
	const struct log_field *fields, size_t n);

#endif
