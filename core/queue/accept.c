/* SPDX-License-Identifier: MIT
 *
 * A message between its last octet and 250: handed to the commit thread, answered on the loop
 * it came from, and passed on to delivery. A client that leaves meanwhile has been accepted all
 * the same: only its interest is forgotten.
 */
#include "queue/accept.h"

#include "base/encode.h"
#include "base/log.h"
#include "queue/schedule.h"

#include <stdio.h>

struct accepted { /* in the message's arena */
	struct commit commit;
	struct link link; /* of ql->commits */
	struct queue_loop *ql;
	struct message *m;
	struct tmail_queue_op op;
	struct tmail_str content[2];
	struct buf opaque;
	struct task task; /* where nothing is written */
	bool dropped;     /* over the budget: content is read back when it is sent */
	void (*done)(void *ctx, enum commit_result result, struct str why);
	void *ctx;
};

/* ---- recipients refused apart ---------------------------------------------------------- */

static void refused_note(struct message *m)
{
	for (const struct recipient_verdict *v = m->refused; v; v = v->next) {
		struct str name = arena_printf(m->arena, "queue.refused.%u", v->index);
		struct str words = arena_printf(m->arena, "%u %s%s%.*s", v->code, v->enhanced,
			v->enhanced[0] ? " " : "", STR_ARG(v->text));

		message_note_set(m, name, words);
	}
}

bool refused_after_data(const struct message *m, uint32_t recipient, struct str *words)
{
	char name[40];

	if (!m->notes)
		return false;
	snprintf(name, sizeof name, "queue.refused.%u", recipient);
	return message_note_get(m, str_c(name), words);
}

/* ---- the message ----------------------------------------------------------------------- */

void accept_op(struct tmail_queue_op *op, struct message *m, struct buf *opaque,
	struct tmail_str content[2])
{
	struct str pieces[2];
	size_t count = message_pieces(m, pieces);

	for (size_t i = 0; i < count; i++) {
		content[i] = tm_str(pieces[i]);
		if (!ascii_only(pieces[i])) /* whatever the client said */
			m->envelope.body = TMAIL_BODY_8BITMIME;
	}
	message_opaque_write(opaque, m);
	*op = (struct tmail_queue_op){ .change = TMAIL_QUEUE_ADD,
		.id = m->envelope.id,
		.envelope = &m->envelope,
		.opaque = tm_str(buf_str(opaque)),
		.content = content,
		.content_count = (uint32_t)count,
		.spooled = m->spool_size > 0,
		.spool_size = m->spool_size,
		.reply = m->hold };
}

/* An ADD gives back what it takes; the rest of what was reserved is given back here. */
static void give_back(struct accepted *a, bool durable)
{
	uint64_t taken = durable ? message_size(a->m) : 0;

	if (a->m->reserved > taken)
		room_give_back(a->m->reserved - taken);
	a->m->reserved = 0;
}

static void accepted_end(struct accepted *a, bool durable)
{
	/* UNKNOWN: the message may be there, and need its body. */
	bool refused = a->commit.result == TMAIL_QUEUE_NO || a->commit.result == TMAIL_QUEUE_NEVER;
	struct message *m = a->m;
	struct queue_loop *ql = a->ql;
	uint64_t size = message_size(m);
	bool fresh = durable && a->op.change == TMAIL_QUEUE_ADD && a->op.due == 0 && !m->discard;

	buf_free(&a->opaque);
	if (refused && m->spool_size > 0)
		spool_drop(ql, id_tm(m->envelope.id));
	if (!fresh) {
		message_free(&m);
		return;
	}
	if (a->dropped) {
		buf_free(&m->prefix);
		buf_free(&m->data);
		message_uncharge(m);
	}
	schedule_fresh(ql, m, size);
}

static void accepted_tell(struct accepted *a, enum commit_result result)
{
	list_remove(&a->link);
	if (a->done)
		a->done(a->ctx, result, str_c(a->commit.why));
}

static void accepted_written(struct commit *c)
{
	struct accepted *a = container_of(c, struct accepted, commit);
	bool durable = c->result == TMAIL_QUEUE_DURABLE;

	give_back(a, durable);
	if (!durable && !a->done) /* else whoever hears of it says so */
		log_event(LEVEL_ERROR, NULL, "commit_failed",
			LOG_ID("id", id_tm(a->m->envelope.id)), LOG_C("why", c->why),
			LOG_NUM("unknown", c->result == TMAIL_QUEUE_UNKNOWN));
	accepted_tell(a, durable ? COMMIT_DURABLE : c->full ? COMMIT_FULL : COMMIT_TRY_LATER);
	accepted_end(a, durable);
}

/* Said yes to, and nothing kept. */
static void accepted_discarded(struct task *task)
{
	struct accepted *a = container_of(task, struct accepted, task);

	metric_add(METRIC_discarded, 1);
	log_event(LEVEL_INFO, NULL, "discarded", LOG_ID("id", id_tm(a->m->envelope.id)),
		LOG_STR("from", str_tm(a->m->envelope.sender)));
	give_back(a, false);
	if (a->m->spool_size > 0)
		spool_drop(a->ql, id_tm(a->m->envelope.id));
	accepted_tell(a, COMMIT_DURABLE);
	message_free(&a->m);
}

void accept_message(struct queue_loop *ql, struct message *m,
	void (*done)(void *ctx, enum commit_result result, struct str why), void *ctx)
{
	struct accepted *a = ARENA_NEW(m->arena, struct accepted);
	const struct queue_settings *settings = queue_settings_now(ql);

	a->ql = ql;
	a->m = m;
	a->done = done;
	a->ctx = ctx;
	list_append(&ql->commits, &a->link);
	if (m->discard || m->recipient_count == 0) {
		a->task.run = accepted_discarded;
		loop_post(ql->loop, &a->task);
		return;
	}
	if (m->spool_stale) { /* a module has replaced the body: it is in memory */
		spool_drop(ql, id_tm(m->envelope.id));
		m->spool_size = 0;
		m->spool_stale = false;
	}
	refused_note(m);
	a->dropped = !message_charge(m);
	accept_op(&a->op, m, &a->opaque, a->content);
	if (m->hold.data)
		log_event(LEVEL_INFO, NULL, "held", LOG_ID("id", id_tm(m->envelope.id)),
			LOG_STR("why", str_tm(m->hold)));
	if (m->hold.data || !settings->deliver || atomic_load(&queue.draining) ||
		!schedule_has_room())
		a->op.due = clock_wall();
	a->commit.ops = &a->op;
	a->commit.count = 1;
	a->commit.home = ql;
	a->commit.written = accepted_written;
	commit_urgent(&a->commit);
}

void accept_forget(struct queue_loop *ql, void *ctx)
{
	LIST_EACH(struct accepted, a, &ql->commits, link)
		if (a->ctx == ctx)
			a->done = NULL;
}
