/* SPDX-License-Identifier: MIT
 *
 * What administrators see and do. With the server running, the store alone does not know all:
 * messages under delivery belong to their loops. So an action stops the claiming, waits until
 * what was claimed or committed has arrived at its loop, lets each loop decide about what it
 * has, and writes the rest into the store. With the server stopped there is only the store.
 */
#include "queue/accept.h"
#include "queue/attempt.h"
#include "queue/bounce.h"
#include "queue/schedule.h"

#include "base/log.h"

#include <stdlib.h>

struct target { /* a recipient that the filter found */
	struct tmail_id id;
	uint32_t recipient, attempts;
	bool live; /* its loop has taken care of it */
};
struct action {
	struct generation *g;
	struct service *store;
	enum queue_action action;
	struct str words;
	struct buf targets; /* of struct target, those of a message together */
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

static struct service *store_of(struct generation *g)
{
	return atomic_load(&queue.started) ? queue.store : service_find(g, TMAIL_QUEUE, NULL, 0);
}

/* ---- looking --------------------------------------------------------------------------- */

static int store_find(struct service *store, const struct queue_filter *f,
	int (*found)(void *ctx, const struct tmail_queue_entry *entry), void *ctx, struct why *why)
{
	struct tmail_queue_find question = { .size = sizeof question,
		.limit = f->limit,
		.id = tm_id(f->id),
		.sender = tm_str(f->sender),
		.recipient = tm_str(f->recipient),
		.reason = tm_str(f->reason),
		.before = f->before,
		.fates = f->fates,
		.held = f->held,
		.found = found,
		.ctx = ctx };
	struct arena *arena;
	int status;

	if (!store) {
		why_set(why, "no module keeps the queue");
		return TMAIL_REFUSED;
	}
	arena = arena_new(1024);
	status = service_ask_wait(store, TMAIL_QUEUE_FIND, &question, NULL, arena);
	arena_free(&arena);
	if (status == TMAIL_NOT_FOUND)
		return TMAIL_OK;
	if (status != TMAIL_OK)
		why_set(why, "%s: the queue's store does not answer",
			instance_name(service_instance(store)));
	return status;
}

int queue_find(struct generation *g, const struct queue_filter *filter,
	int (*found)(void *ctx, const struct tmail_queue_entry *entry), void *ctx, struct why *why)
{
	if (atomic_load(&queue.started))
		commit_flush();
	return store_find(store_of(g), filter, found, ctx, why);
}

int queue_counts(struct generation *g, struct tmail_queue_counts *counts, struct why *why)
{
	struct service *store = store_of(g);
	struct arena *arena;
	int status;

	if (!store) {
		why_set(why, "no module keeps the queue");
		return TMAIL_REFUSED;
	}
	if (atomic_load(&queue.started))
		commit_flush();
	counts->size = sizeof *counts;
	arena = arena_new(256);
	status = service_ask_wait(store, TMAIL_QUEUE_COUNT, NULL, counts, arena);
	arena_free(&arena);
	if (status != TMAIL_OK)
		why_set(why, "%s: the queue's store does not answer",
			instance_name(service_instance(store)));
	return status;
}

int queue_show(struct generation *g, struct id id, uint64_t limit, struct arena *arena,
	struct tmail_queue_content *content, struct why *why)
{
	struct tmail_queue_read question = {
		.size = sizeof question, .id = tm_id(id), .limit = limit
	};
	struct service *store = store_of(g);
	int status;

	if (!store) {
		why_set(why, "no module keeps the queue");
		return TMAIL_REFUSED;
	}
	if (atomic_load(&queue.started))
		commit_flush();
	*content = (struct tmail_queue_content){ .size = sizeof *content };
	status = service_ask_wait(store, TMAIL_QUEUE_READ, &question, content, arena);
	if (status == TMAIL_NOT_FOUND)
		why_set(why, "there is no such message in the queue");
	else if (status != TMAIL_OK)
		why_set(why, "%s: the message cannot be read now",
			instance_name(service_instance(store)));
	return status;
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
	if (r->fate > TMAIL_FATE_DEFERRED || r->state == RECIPIENT_FAILED)
		return;
	r->stop = a->action == QUEUE_DISCARD ? STOP_DISCARD : STOP_BOUNCE;
	if (r->state == RECIPIENT_AWAY || r->state == RECIPIENT_ENDED) {
		r->state = RECIPIENT_DUE;
		w->again = true;
	}
	w->stop_words = arena_str(w->m->arena, a->words);
	if (atomic_load(&w->stop) == WORK_GOES)
		atomic_store(&w->stop, WORK_LOOK);
}

static void loop_mark(struct queue_loop *ql, void *ctx)
{
	struct action *a = ctx;

	for (size_t i = 0; i < target_count(a); i++) {
		struct target *t = target_at(a, i);
		struct work *w =
			queue_home(id_tm(t->id)) == ql ? work_find(ql, id_tm(t->id)) : NULL;

		if (!w)
			continue;
		if (a->action == QUEUE_HOLD && atomic_load(&w->stop) == WORK_GOES)
			atomic_store(&w->stop, WORK_HELD);
		else if (a->action == QUEUE_DISCARD || a->action == QUEUE_BOUNCE)
			mark_recipient(a, w, t);
	}
}

static void loop_recall(struct queue_loop *ql, void *ctx)
{
	const struct action *a = ctx;

	if (a->action == QUEUE_RETRY)
		hosts_wake(ql, true);
	lanes_recall(ql, false);
}

static void loop_resume(struct queue_loop *ql, void *ctx)
{
	const struct action *a = ctx;

	for (size_t i = 0; i < target_count(a); i++) {
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
	uint32_t count;
};

static struct tmail_queue_op *batch_op(
	struct batch *b, enum tmail_queue_change change, struct tmail_id id)
{
	must(b->count < COMMIT_WAIT_MAX);
	b->ops[b->count] = (struct tmail_queue_op){ .change = change, .id = id };
	return &b->ops[b->count++];
}

static bool batch_write(struct action *a, struct batch *b)
{
	uint32_t count = b->count;

	b->count = 0;
	return count == 0 || commit_wait(a->store, b->ops, count, a->why) == TMAIL_QUEUE_DURABLE;
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

	for (size_t i = 0; i < target_count(a); i = message_end(a, i)) {
		struct tmail_queue_op *op =
			batch_op(&b, changes[a->action].change, target_at(a, i)->id);

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

/* The report about targets of one message, to be added; NULL: none is due. */
static struct message *report_of(struct action *a, size_t from, size_t to)
{
	const struct queue_settings *settings = queue.settings_of(a->g);
	struct tmail_queue_content read;
	struct arena *arena = arena_new(4096);
	struct id id = id_tm(target_at(a, from)->id);
	struct message *m = message_read_back(a->store, id, arena, &read), *report = NULL;
	struct report_recipient *list = ARENA_ARRAY(arena, struct report_recipient, to - from);
	struct report b = { .kind = REPORT_FAILED, .about = m, .recipients = list };
	struct buf content = { 0 };
	uint64_t wants;

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
		report = report_make(&b, settings);
	}
	buf_free(&content);
	if (m)
		message_free(&m);
	arena_free(&arena);
	return report;
}

/* The report goes in first: a crash in between makes two of it, not none. */
static bool report_write(struct action *a, size_t from, size_t to)
{
	struct message *report = report_of(a, from, to);
	struct tmail_queue_op op;
	struct tmail_str pieces[2];
	struct buf opaque = { 0 };
	bool ok;

	if (!report)
		return true;
	accept_op(&op, report, &opaque, pieces);
	op.due = clock_wall();
	ok = commit_wait(a->store, &op, 1, a->why) == TMAIL_QUEUE_DURABLE;
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
		op = batch_op(b, TMAIL_QUEUE_OUTCOME, target_at(a, i)->id);
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
		batch_op(b, TMAIL_QUEUE_END, target_at(a, from)->id);
	return true;
}

static bool end_messages(struct action *a)
{
	struct batch b = { .count = 0 };

	for (size_t i = 0, end; i < target_count(a); i = end) {
		end = message_end(a, i);
		if (!target_at(a, i)->live && !end_recipients(a, &b, i, end))
			return false;
	}
	return batch_write(a, &b);
}

/* ---- acting ---------------------------------------------------------------------------- */

static int target_found(void *ctx, const struct tmail_queue_entry *e)
{
	struct action *a = ctx;
	struct target t = { .id = e->id, .recipient = e->recipient, .attempts = e->attempts };

	if (e->fate <= TMAIL_FATE_DEFERRED)
		buf_add(&a->targets, str_make((const char *)&t, sizeof t));
	return 0;
}

static bool act(struct action *a)
{
	bool running = atomic_load(&queue.started);
	bool ends = a->action == QUEUE_DISCARD || a->action == QUEUE_BOUNCE, ok;

	if (running) {
		queue_on_loops(loop_mark, a);
		queue_on_loops(loop_recall, a);
		queue_on_loops(loop_resume, a);
	}
	ok = ends ? end_messages(a) : change_messages(a);
	if (running) {
		let_arrive();
		schedule_due_at(1);
	}
	return ok;
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

int queue_act(struct generation *g, const struct queue_filter *filter, enum queue_action action,
	struct str words, bool dry, uint64_t *touched, struct why *why)
{
	struct action a = { .g = g,
		.store = store_of(g),
		.action = action,
		.words = words_of(action, words),
		.all_living = !filter->recipient.len && !filter->reason.len && !filter->fates &&
			!filter->limit,
		.why = why };
	bool running = atomic_load(&queue.started);
	uint64_t messages = 0;
	int status;

	if (running) {
		schedule_lock();
		let_arrive();
	}
	status = store_find(a.store, filter, target_found, &a, why);
	for (size_t i = 0; i < target_count(&a); i = message_end(&a, i))
		messages++;
	if (status == TMAIL_OK && !dry && messages > 0 && !act(&a))
		status = TMAIL_TRY_LATER;
	if (running)
		schedule_unlock();
	if (status == TMAIL_OK)
		*touched = messages;
	buf_free(&a.targets);
	return status;
}
