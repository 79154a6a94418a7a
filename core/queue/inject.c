/* SPDX-License-Identifier: MIT
 *
 * Messages that are made here. They meet the same modules as those that came in by SMTP, in the
 * same order, and the same commit; who looks at `client.kind` knows the difference. A recipient
 * that is refused is left out; the message is refused when nobody remains.
 */
#include "queue/accept.h"

#include "base/log.h"
#include "mail/header.h"
#include "queue/work.h"

#include <stdlib.h>

enum { HOPS_MAX = 100 }; /* RFC 5321 6.3 */

enum inject_step { AT_MAIL, AT_RCPT, AT_DATA, AT_CONTENT, AT_COMMIT };

struct injection {
	struct subject subject;
	struct queue_loop *ql;
	struct message *m;
	enum inject_step step;
	uint32_t recipient;
	union tmail_event event;
	struct task task;
	enum inject_result result;
	char why[256];
	void (*done)(void *ctx, enum inject_result result, struct str why);
	void *ctx;
};

static void inject_go_on(struct injection *i);

static void inject_end(struct injection *i)
{
	struct queue_loop *ql = i->ql;

	i->done(i->ctx, i->result, str_c(i->why));
	subject_message_end(&i->subject);
	subject_end(&i->subject);
	if (i->m)
		message_free(&i->m);
	free(i);
	ql->busy--;
	queue_loop_ended_one(ql);
}

static void inject_fail(struct injection *i, enum inject_result result, struct str why)
{
	struct str cut = str_slice(why, 0, sizeof i->why - 1);

	i->result = result;
	if (cut.len)
		memcpy(i->why, cut.data, cut.len);
	i->why[cut.len] = '\0';
	if (i->m->spool_size > 0)
		spool_drop(i->ql, id_tm(i->m->envelope.id));
	inject_end(i);
}

/* ---- commit ---------------------------------------------------------------------------- */

static void committed(void *ctx, enum commit_result result, struct str why)
{
	struct injection *i = ctx;
	struct str cut = str_slice(why, 0, sizeof i->why - 1);

	if (cut.len)
		memcpy(i->why, cut.data, cut.len);
	i->why[cut.len] = '\0';
	i->result = result == COMMIT_DURABLE ? INJECT_DURABLE
		: result == COMMIT_FULL      ? INJECT_FULL
					     : INJECT_TRY_LATER;
	if (result == COMMIT_DURABLE) {
		i->event.queued.id = i->m->envelope.id;
		log_event(LEVEL_DEBUG, NULL, "injected", LOG_ID("id", id_tm(i->m->envelope.id)),
			LOG_STR("from", str_tm(i->m->envelope.sender)),
			LOG_NUM("rcpts", i->m->recipient_count));
		chain_tell(&i->subject, TMAIL_POINT_QUEUED, &i->event);
	}
	inject_end(i);
}

static void trace(struct injection *i)
{
	char id[ID_TEXT + 1];
	struct received received = {
		.by = str_tm(queue_settings_now(i->ql)->hostname),
		.with = STR("local"),
		.date = clock_wall(),
	};

	id_text(id_tm(i->m->envelope.id), id);
	received.id = str_c(id);
	if (i->m->recipient_count == 1)
		received.recipient = str_tm(i->m->recipients[0].address);
	received_write(&i->m->prefix, &received);
}

static void inject_commit(struct injection *i)
{
	struct message *m = i->m;

	i->step = AT_COMMIT;
	trace(i);
	message_ref(m); /* QUEUED is told of it */
	accept_message(i->ql, m, committed, i);
}

/* ---- modules --------------------------------------------------------------------------- */

static void mark(struct injection *i, const struct chain_answer *a)
{
	if (a->verdict == TMAIL_DISCARD)
		i->m->discard = true;
	if (a->hold && !i->m->hold.data)
		i->m->hold = tm_str(arena_str(i->m->arena,
			a->hold_reason.len ? a->hold_reason : STR("held by a module")));
}

/* Recipients that were refused by themselves. False: the injection has ended. */
static bool recipients_decided(struct injection *i)
{
	size_t left = i->m->recipient_count;
	bool *gone;

	if (!message_verdicts(&i->subject))
		return true;
	for (struct recipient_verdict *v = message_verdicts(&i->subject); v; v = v->next)
		if (v->verdict == TMAIL_TEMPFAIL) {
			inject_fail(i, INJECT_TRY_LATER, v->text);
			return false;
		}
	gone = ARENA_ARRAY(i->m->arena, bool, left);
	for (struct recipient_verdict *v = message_verdicts(&i->subject); v; v = v->next) {
		if (v->verdict != TMAIL_REJECT || v->index >= i->m->recipient_count ||
			gone[v->index])
			continue;
		log_event(LEVEL_INFO, NULL, "recipient_dropped",
			LOG_ID("id", id_tm(i->m->envelope.id)),
			LOG_STR("to", str_tm(i->m->recipients[v->index].address)),
			LOG_STR("text", v->text));
		if (--left == 0) {
			inject_fail(i, INJECT_REFUSED, v->text);
			return false;
		}
		gone[v->index] = true;
	}
	message_remove_recipients(i->m, gone);
	return true;
}

/* What a chain came to at the step. False: the injection has ended. */
static bool decided(struct injection *i, const struct chain_answer *a)
{
	if (a->verdict == TMAIL_TEMPFAIL) {
		inject_fail(i, INJECT_TRY_LATER, a->text);
		return false;
	}
	if (a->verdict == TMAIL_REJECT && i->step == AT_RCPT) {
		log_event(LEVEL_INFO, NULL, "recipient_dropped",
			LOG_ID("id", id_tm(i->m->envelope.id)),
			LOG_STR("to", str_tm(i->m->recipients[i->recipient].address)),
			LOG_STR("text", a->text));
		message_remove_recipient(i->m, i->recipient);
		if (i->m->recipient_count == 0) {
			inject_fail(i, INJECT_REFUSED, a->text);
			return false;
		}
		return true;
	}
	if (a->verdict == TMAIL_REJECT) {
		inject_fail(i, INJECT_REFUSED, a->text);
		return false;
	}
	mark(i, a);
	if (i->step == AT_RCPT)
		i->recipient++;
	if (i->step == AT_CONTENT && !recipients_decided(i))
		return false;
	if (i->step != AT_RCPT || i->recipient == i->m->recipient_count)
		i->step++;
	return true;
}

static void answered(void *ctx, const struct chain_answer *answer)
{
	struct injection *i = ctx;

	if (decided(i, answer))
		inject_go_on(i);
}

/* True: *answer is set. */
static bool ask(struct injection *i, struct chain_answer *answer)
{
	union tmail_event *e = &i->event;

	*e = (union tmail_event){ .eom.size = 0 };
	switch (i->step) {
	case AT_MAIL:
		e->mail.sender = i->m->envelope.sender;
		return chain_ask(&i->subject, TMAIL_POINT_MAIL, e, answer, answered, i);
	case AT_RCPT:
		e->rcpt.recipient = &i->m->recipients[i->recipient];
		return chain_ask(&i->subject, TMAIL_POINT_RCPT, e, answer, answered, i);
	case AT_DATA:
		return chain_ask(&i->subject, TMAIL_POINT_DATA, e, answer, answered, i);
	default:
		return chain_content(&i->subject, answer, answered, i);
	}
}

static void inject_go_on(struct injection *i)
{
	struct chain_answer answer = { .verdict = TMAIL_CONTINUE };

	while (i->step < AT_COMMIT) {
		if (i->step == AT_RCPT && i->recipient >= i->m->recipient_count) {
			i->step++;
			continue;
		}
		if (!ask(i, &answer) || !decided(i, &answer))
			return;
	}
	inject_commit(i);
}

static void inject_begin(struct task *task)
{
	struct injection *i = container_of(task, struct injection, task);
	struct str header = str_slice(buf_str(&i->m->data), 0, i->m->header_length);

	if (header_count(header, STR("Received")) > HOPS_MAX)
		inject_fail(i, INJECT_REFUSED, STR("the message has come round too often"));
	else if (i->m->recipient_count == 0)
		inject_fail(i, INJECT_REFUSED, STR("the message has no recipient"));
	else
		inject_go_on(i);
}

void queue_inject(struct loop *loop, struct message *m, enum tmail_client_kind kind,
	void (*done)(void *ctx, enum inject_result result, struct str why), void *ctx)
{
	struct queue_loop *ql = queue_loop_of(loop);
	struct injection *i = must_alloc(sizeof *i);

	m->client_kind = (uint8_t)kind;
	if (m->header_length == 0)
		m->header_length = header_end(buf_str(&m->data));
	i->ql = ql;
	i->m = m;
	i->done = done;
	i->ctx = ctx;
	subject_init(&i->subject, loop, queue_generation_now(ql));
	work_client_facts(&i->subject.client, m);
	i->subject.message = m;
	i->task.run = inject_begin;
	ql->busy++;
	loop_post(loop, &i->task);
}
