/* SPDX-License-Identifier: MIT
 *
 * What administrators do. With the server running, the store alone does not know all: messages
 * under delivery belong to their loops. So an action finds whom it is about, and then goes over
 * them some thousands at a time: it stops the claiming, waits until what was claimed or committed
 * has arrived at its loop, lets each loop decide about what it has, and writes the rest into the
 * store. Who has come to his end meanwhile is passed over. With the server stopped there is only
 * the store.
 */
#include "queue/accept.h"
#include "queue/attempt.h"
#include "queue/bounce.h"
#include "queue/schedule.h"

#include "base/log.h"

#include <stdlib.h>

enum { TARGETS_AT_ONCE = 4096 };

struct target { /* a recipient that the filter found */
	struct tmail_id id;
	uint32_t recipient, attempts;
	bool live; /* its loop has taken care of it */
	bool gone; /* it had come to its end before it could be changed */
};
struct action {
	struct generation *g;
	struct service *store;
	enum queue_action action;
	struct str words;
	struct buf targets; /* of struct target, those of a message together */
	size_t from, to;    /* those in hand */
	bool all_living;    /* the filter leaves out no living recipient of a message */
	struct why *why;
};

static struct target *target_at(const struct action *a, size_t i)
{
	return (struct target *)(void *)a->targets.data + i;
}

static size_t target_count(const struct action *a)
{
	return a->targets.len / sizeof(struct target);
}

/* One behind the last target of the message of target i. */
static size_t message_end(const struct action *a, size_t i)
{
	struct id id = id_tm(target_at(a, i)->id);

	while (i < target_count(a) && id_equal(id_tm(target_at(a, i)->id), id))
		i++;
	return i;
}

/* ---- what loops have ------------------------------------------------------------------- */

static void nothing(struct queue_loop *ql, void *ctx)
{
	(void)ql;
	(void)ctx;
}

/* What was durable when this began is in the store and, if it is under delivery, with its loop:
 * from the commit thread to the loop it came from, and from there to its own. */
static void let_arrive(void)
{
	commit_flush();
	queue_on_loops(nothing, NULL);
	queue_on_loops(nothing, NULL);
}

static void mark_recipient(struct action *a, struct work *w, struct target *t)
{
	struct work_recipient *r;

	t->live = true;
	if (t->recipient >= w->m->recipient_count)
		return;
	r = &w->recipients[t->recipient];
	if (r->fate > TMAIL_FATE_DEFERRED ||
		(r->state == RECIPIENT_TO_REPORT && r->report != REPORT_DELAYED))
		return;
	r->stop = a->action == QUEUE_DISCARD ? STOP_DISCARD : STOP_BOUNCE;
	if (r->state == RECIPIENT_AWAY || r->state == RECIPIENT_ENDED ||
		r->state == RECIPIENT_TO_RELEASE) {
		r->state = RECIPIENT_DUE;
		w->again = true;
	}
	w->stop_words = arena_str(w->m->arena, a->words);
	if (atomic_load(&w->stop) == WORK_GOES)
		atomic_store(&w->stop, WORK_LOOK);
}

/* What waits somewhere comes back: to stay, or (LOOK) to be routed anew. */
static void mark_message(const struct action *a, struct work *w)
{
	unsigned char stop = atomic_load(&w->stop);

	if (a->action == QUEUE_HOLD && stop == WORK_GOES)
		atomic_store(&w->stop, WORK_HELD);
	else if (a->action == QUEUE_RETRY && stop == WORK_GOES)
		atomic_store(&w->stop, WORK_LOOK);
	else if (a->action == QUEUE_RELEASE && stop == WORK_HELD)
		atomic_store(&w->stop, WORK_LOOK);
}

static void loop_mark(struct queue_loop *ql, void *ctx)
{
	struct action *a = ctx;

	for (size_t i = a->from; i < a->to; i++) {
		struct target *t = target_at(a, i);
		struct work *w =
			queue_home(id_tm(t->id)) == ql ? work_find(ql, id_tm(t->id)) : NULL;

		if (!w)
			continue;
		if (a->action == QUEUE_DISCARD || a->action == QUEUE_BOUNCE)
			mark_recipient(a, w, t);
		else
			mark_message(a, w);
	}
}

static void loop_recall(struct queue_loop *ql, void *ctx)
{
	const struct action *a = ctx;

	if (a->action == QUEUE_RETRY) {
		hosts_wake(ql, true);
		routes_forget(ql, true); /* the reason to retry may be a new one */
	}
	lanes_recall(ql, false);
}

static void loop_resume(struct queue_loop *ql, void *ctx)
{
	const struct action *a = ctx;

	for (size_t i = a->from; i < a->to; i++) {
		struct id id = id_tm(target_at(a, i)->id);
		struct work *w = queue_home(id) == ql ? work_find(ql, id) : NULL;

		if (!w || atomic_load(&w->stop) != WORK_LOOK)
			continue;
		atomic_store(&w->stop, queue_stands(ql) ? WORK_DRAINED : WORK_GOES);
		work_go_on(w);
	}
}

/* ---- what the store has ---------------------------------------------------------------- */

struct batch {
	struct tmail_queue_op ops[COMMIT_WAIT_MAX];
	size_t targets[COMMIT_WAIT_MAX]; /* whom they are about; the first of a message */
	uint32_t count;
};

static struct tmail_queue_op *batch_op(
	struct action *a, struct batch *b, enum tmail_queue_change change, size_t target)
{
	must(b->count < COMMIT_WAIT_MAX);
	b->targets[b->count] = target;
	b->ops[b->count] =
		(struct tmail_queue_op){ .change = change, .id = target_at(a, target)->id };
	return &b->ops[b->count++];
}

struct witness {
	const struct tmail_queue_op *op;
	bool lives;
};

static int witness_sees(void *ctx, const struct tmail_queue_entry *e, enum queue_state state)
{
	struct witness *w = ctx;

	(void)state;
	w->lives |= w->op->change != TMAIL_QUEUE_OUTCOME || e->recipient == w->op->recipient;
	return 0;
}

/* Is what the op is about still living? If that cannot be said, yes. */
static bool op_lives(struct action *a, const struct tmail_queue_op *op, struct why *why)
{
	const struct queue_filter one = { .id = id_tm(op->id) };
	struct witness w = { op, false };

	return queue_find(a->g, &one, witness_sees, &w, why) != TMAIL_OK || w.lives;
}

/* An outcome is one recipient's, everything else the whole message's. */
static void target_gone(struct action *a, const struct tmail_queue_op *op, size_t target)
{
	size_t end = op->change == TMAIL_QUEUE_OUTCOME ? target + 1 : message_end(a, target);

	for (; target < end; target++)
		target_at(a, target)->gone = true;
}

/* What the store refuses because it has ended is passed over. */
static bool batch_write(struct action *a, struct batch *b)
{
	uint32_t count = b->count, each[COMMIT_WAIT_MAX];
	struct why unused;

	for (uint32_t i = 0; i < count; i++)
		each[i] = TMAIL_QUEUE_UNKNOWN; /* where the store does not answer at all */
	b->count = 0;
	if (count == 0 || commit_wait(a->store, b->ops, count, each, a->why) == TMAIL_QUEUE_DURABLE)
		return true;
	for (uint32_t i = 0; i < count; i++) {
		if (each[i] == TMAIL_QUEUE_DURABLE)
			continue;
		if (op_lives(a, &b->ops[i], &unused))
			return false;
		target_gone(a, &b->ops[i], b->targets[i]);
	}
	return true;
}

/* Hold, release, retry: one op a message, whoever has it. */
static bool change_messages(struct action *a)
{
	static const struct {
		enum tmail_queue_change change;
		const char *event;
	} changes[] = {
		[QUEUE_HOLD] = { TMAIL_QUEUE_HOLD, "held" },
		[QUEUE_RELEASE] = { TMAIL_QUEUE_FREE, "released" },
		[QUEUE_RETRY] = { TMAIL_QUEUE_DUE, "retried" },
	};
	struct batch b = { .count = 0 };

	for (size_t i = a->from; i < a->to; i = message_end(a, i)) {
		struct tmail_queue_op *op = batch_op(a, &b, changes[a->action].change, i);

		log_event(LEVEL_INFO, NULL, changes[a->action].event, LOG_ID("id", id_tm(op->id)),
			LOG_C("by", "admin"), LOG_IF(a->words.len, LOG_STR("why", a->words)));
		op->due = clock_wall();
		op->reply = tm_str(a->words);
		if (b.count == COMMIT_WAIT_MAX && !batch_write(a, &b))
			return false;
	}
	return batch_write(a, &b);
}

static bool is_target(const struct action *a, size_t from, size_t to, uint32_t recipient)
{
	for (; from < to; from++)
		if (target_at(a, from)->recipient == recipient)
			return true;
	return false;
}

/* Will nobody of the message be living when these targets have ended? */
static bool ends_message(const struct action *a, size_t from, size_t to)
{
	struct tmail_queue_read question = { .size = sizeof question,
		.id = target_at(a, from)->id };
	struct tmail_queue_content content = { .size = sizeof content };
	struct arena *arena;
	bool ends;

	if (a->all_living)
		return true;
	arena = arena_new(1024);
	ends = service_ask_wait(a->store, TMAIL_QUEUE_READ, &question, &content, arena) == TMAIL_OK;
	if (ends)
		TMAIL_EACH(struct tmail_queue_entry, e, content.states)
			if (e->fate <= TMAIL_FATE_DEFERRED && !is_target(a, from, to, e->recipient))
				ends = false;
	arena_free(&arena);
	return ends;
}

/* Of a message that could not be read: is it gone? */
static bool is_gone(struct action *a, struct id id, struct arena *arena)
{
	struct tmail_queue_read question = { .size = sizeof question, .id = tm_id(id) };
	struct tmail_queue_content content = { .size = sizeof content };

	return service_ask_wait(a->store, TMAIL_QUEUE_READ, &question, &content, arena) ==
		TMAIL_NOT_FOUND;
}

/* The report about targets of one message, to be added; NULL: none is due. False: the message
 * cannot be read now. */
static bool report_of(struct action *a, size_t from, size_t to, struct message **made)
{
	const struct queue_settings *settings = queue.settings_of(a->g);
	struct tmail_queue_content read;
	struct arena *arena = arena_new(4096);
	struct id id = id_tm(target_at(a, from)->id);
	struct message *m = message_read_back(a->store, id, arena, &read);
	struct report_recipient *list = ARENA_ARRAY(arena, struct report_recipient, to - from);
	struct report b = { .kind = REPORT_FAILED, .about = m, .recipients = list };
	struct buf content = { 0 };
	bool known = m || is_gone(a, id, arena);
	uint64_t wants;

	*made = NULL;
	for (size_t i = from; m && m->envelope.sender.len > 0 && i < to; i++) {
		const struct tmail_recipient *r = &m->recipients[target_at(a, i)->recipient];

		if (r->notify && !(r->notify & TMAIL_NOTIFY_FAILURE))
			continue;
		list[b.count++] = (struct report_recipient){ .address = str_tm(r->address),
			.original = str_tm(r->original),
			.reply = a->words,
			.status = "5.7.1" };
	}
	if (b.count > 0) {
		wants = report_wants(m, read.total, REPORT_FAILED, settings, &b.whole);
		if (!content_read(a->store, m, read.total, wants, &content))
			b.whole = false;
		b.content = buf_str(&content);
		*made = report_make(&b, settings);
	}
	buf_free(&content);
	if (m)
		message_free(&m);
	arena_free(&arena);
	return known || why_set(a->why, "a message cannot be read now, and its sender not told");
}

/* The report goes in first: a crash in between makes two of it, not none. */
static bool report_write(struct action *a, size_t from, size_t to)
{
	struct message *report;
	struct tmail_queue_op op;
	struct tmail_str pieces[2];
	struct buf opaque = { 0 };
	bool ok;

	if (!report_of(a, from, to, &report))
		return false;
	if (!report)
		return true;
	accept_op(&op, report, &opaque, pieces);
	op.due = clock_wall();
	ok = commit_wait(a->store, &op, 1, NULL, a->why) == TMAIL_QUEUE_DURABLE;
	buf_free(&opaque);
	message_free(&report);
	return ok;
}

/* Those of one message; the batch is written when it is full, and END never before the outcomes
 * it speaks of. */
static bool end_recipients(struct action *a, struct batch *b, size_t from, size_t to)
{
	bool bounce = a->action == QUEUE_BOUNCE;
	bool ends = ends_message(a, from, to);

	if (bounce && !report_write(a, from, to))
		return false;
	for (size_t i = from; i < to; i++) {
		struct tmail_queue_op *op;

		if (b->count >= COMMIT_WAIT_MAX - 1 && !batch_write(a, b))
			return false;
		op = batch_op(a, b, TMAIL_QUEUE_OUTCOME, i);
		op->recipient = target_at(a, i)->recipient;
		op->attempts = target_at(a, i)->attempts;
		op->fate = bounce ? TMAIL_FATE_BOUNCED : TMAIL_FATE_DISCARDED;
		op->reply = tm_str(a->words);
		metric_add(bounce ? METRIC_bounces : METRIC_discarded, 1);
		log_event(LEVEL_INFO, NULL, bounce ? "bounced" : "discarded",
			LOG_ID("id", id_tm(target_at(a, i)->id)),
			LOG_NUM("recipient", target_at(a, i)->recipient),
			LOG_STR("reply", a->words));
	}
	if (ends)
		batch_op(a, b, TMAIL_QUEUE_END, from);
	return true;
}

static bool end_messages(struct action *a)
{
	struct batch b = { .count = 0 };

	for (size_t i = a->from, end; i < a->to; i = end) {
		end = message_end(a, i);
		if (!target_at(a, i)->live && !end_recipients(a, &b, i, end))
			return false;
	}
	return batch_write(a, &b);
}

/* ---- acting ---------------------------------------------------------------------------- */

static int target_found(void *ctx, const struct tmail_queue_entry *e, enum queue_state state)
{
	struct action *a = ctx;
	struct target t = { .id = e->id, .recipient = e->recipient, .attempts = e->attempts };

	(void)state;
	if (a->action == QUEUE_BOUNCE && e->note >= REPORT_DELIVERED)
		return 0; /* it was taken: only its sender has not heard it */
	buf_add(&a->targets, str_make((const char *)&t, sizeof t));
	return 0;
}

/* What waited in a lane is routed anew, and who was between two hosts has had his outcome: the
 * time that the store is told last is the one that counts. */
static void let_come_back(void)
{
	queue_on_loops(nothing, NULL);
	commit_flush();
	schedule_give_back();
}

/* Those in hand. */
static bool act(struct action *a)
{
	bool running = atomic_load(&queue.started);
	bool ends = a->action == QUEUE_DISCARD || a->action == QUEUE_BOUNCE, ok;

	if (running) {
		schedule_lock();
		let_arrive();
		queue_on_loops(loop_mark, a);
		queue_on_loops(loop_recall, a);
		queue_on_loops(loop_resume, a);
		let_come_back();
	}
	ok = ends ? end_messages(a) : change_messages(a);
	if (running) {
		let_arrive();
		schedule_due_at(1);
		schedule_unlock();
	}
	return ok;
}

/* Messages of those in hand that were changed: somebody of them was still there. */
static uint64_t touched_in_hand(const struct action *a)
{
	uint64_t n = 0;

	for (size_t i = a->from, end; i < a->to; i = end) {
		size_t gone = 0;

		end = message_end(a, i);
		for (size_t k = i; k < end; k++)
			gone += target_at(a, k)->gone;
		n += gone < end - i;
	}
	return n;
}

static bool act_on_all(struct action *a, const struct queue_order *order, uint64_t *touched)
{
	size_t count = target_count(a);

	for (a->from = 0; a->from < count; a->from = a->to) {
		for (a->to = a->from; a->to < count && a->to - a->from < TARGETS_AT_ONCE;)
			a->to = message_end(a, a->to);
		if (!act(a))
			return false;
		*touched += touched_in_hand(a);
		if (order->progress)
			order->progress(order->ctx, a->to, count);
	}
	return true;
}

/* The states that an action is about: what is held is not tried, only what is held released. */
static uint32_t states_of(enum queue_action action)
{
	uint32_t all = (1u << QUEUE_STATES) - 1;

	if (action == QUEUE_RELEASE)
		return 1u << QUEUE_HELD;
	return action == QUEUE_RETRY ? all & ~(1u << QUEUE_HELD) : all;
}

static struct str words_of(enum queue_action action, struct str words)
{
	static const struct str usual[] = {
		[QUEUE_HOLD] = STR_INIT("held by admin"),
		[QUEUE_RELEASE] = STR_INIT(""),
		[QUEUE_RETRY] = STR_INIT(""),
		[QUEUE_DISCARD] = STR_INIT("discarded by admin"),
		[QUEUE_BOUNCE] = STR_INIT("bounced by admin"),
	};

	return words.len ? words : usual[action];
}

int queue_act(struct generation *g, const struct queue_filter *filter,
	const struct queue_order *order, uint64_t *touched, struct why *why)
{
	struct queue_filter f = *filter;
	struct action a = { .g = g,
		.store = queue_store(g),
		.action = order->action,
		.words = words_of(order->action, order->words),
		.all_living =
			!f.recipient.len && !f.reason.len && !f.states && !f.limit && !f.due_before,
		.why = why };
	uint64_t messages = 0;
	int status;

	f.states = (f.states ? f.states : ~0u) & states_of(order->action);
	if (f.states == 0) {
		*touched = 0;
		return TMAIL_OK;
	}
	status = queue_find(g, &f, target_found, &a, why);
	if (status == TMAIL_OK && order->dry)
		for (size_t i = 0; i < target_count(&a); i = message_end(&a, i))
			messages++;
	else if (status == TMAIL_OK && !act_on_all(&a, order, &messages))
		status = TMAIL_TRY_LATER;
	if (status == TMAIL_OK)
		*touched = messages;
	buf_free(&a.targets);
	return status;
}
