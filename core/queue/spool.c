/* SPDX-License-Identifier: MIT
 *
 * Room in the store, and bodies too large for memory, which go there ahead of their message: on
 * workers, in order, while the client's reading is paused. A spool is dropped only when nothing
 * of it is being written any more.
 */
#include "queue/accept.h"

#include "base/encode.h"
#include "base/fail.h"
#include "base/log.h"

#include <stdlib.h>

struct spool {
	struct job job;
	struct link link; /* of ql->spools */
	struct queue_loop *ql;
	struct tmail_queue_spool question;
	struct buf octets;
	bool drop_after, ok;
	struct task task;
	void (*done)(void *ctx, bool ok, struct str why);
	void *ctx;
};

/* ---- room ------------------------------------------------------------------------------ */

static void room_never(void *ctx, int status)
{
	(void)ctx;
	(void)status;
	must(false); /* only a store that answers at once is asked */
}

static int room_ask(uint64_t octets, uint32_t give_back)
{
	struct tmail_queue_reserve question = {
		.size = sizeof question, .octets = octets, .give_back = give_back
	};

	if (!queue.reserves)
		return TMAIL_OK;
	return service_ask(queue.store, &queue_here()->subject, TMAIL_QUEUE_RESERVE, &question,
		NULL, room_never, NULL);
}

enum commit_result room_reserve(struct subject *subject, uint64_t octets)
{
	(void)subject;
	return room_ask(octets, 0) == TMAIL_OK ? COMMIT_DURABLE : COMMIT_FULL;
}

void room_give_back(uint64_t octets)
{
	room_ask(octets, 1);
}

/* ---- spooling -------------------------------------------------------------------------- */

static void spool_submit(struct spool *s);

static void spool_work(struct job *job)
{
	struct spool *s = container_of(job, struct spool, job);
	struct arena *arena = arena_new(256);
	int status = service_ask_wait(queue.store, TMAIL_QUEUE_SPOOL, &s->question, NULL, arena);

	s->ok = status == TMAIL_OK;
	arena_free(&arena);
}

static void spool_told(struct spool *s)
{
	struct str why = s->ok ? STR("") : STR("the store does not take the content now");

	list_remove(&s->link);
	if (s->done)
		s->done(s->ctx, s->ok, why);
	s->done = NULL;
	if (s->drop_after) {
		s->drop_after = false;
		buf_free(&s->octets);
		s->question.last = 2;
		s->question.octets = (struct tmail_str){ 0 };
		spool_submit(s);
		return;
	}
	buf_free(&s->octets);
	free(s);
}

static void spool_done(struct job *job)
{
	spool_told(container_of(job, struct spool, job));
}

static void spool_nothing(struct task *task)
{
	struct spool *s = container_of(task, struct spool, task);

	s->ok = true;
	spool_told(s);
}

static void spool_full(struct task *task)
{
	struct spool *s = container_of(task, struct spool, task);

	s->ok = false;
	spool_told(s);
}

static void spool_submit(struct spool *s)
{
	list_append(&s->ql->spools, &s->link);
	s->job.work = spool_work;
	s->job.done = spool_done;
	if (lane_submit(queue.io, &s->job))
		return;
	s->task.run = spool_full;
	loop_post(s->ql->loop, &s->task);
}

static struct spool *spool_new(struct queue_loop *ql, struct id id)
{
	struct spool *s = must_alloc(sizeof *s);

	s->ql = ql;
	s->question.size = sizeof s->question;
	s->question.id = tm_id(id);
	return s;
}

void spool_octets(struct subject *subject, bool last,
	void (*done)(void *ctx, bool ok, struct str why), void *ctx)
{
	struct message *m = subject->message;
	struct spool *s = spool_new(queue_here(), id_tm(m->envelope.id));

	s->done = done;
	s->ctx = ctx;
	s->question.last = last;
	s->question.offset = m->spool_size;
	if (m->header_length > 0 && m->data.len > m->header_length) {
		struct str body = str_slice(buf_str(&m->data), m->header_length, m->data.len);

		buf_add(&s->octets, body);
		if (!ascii_only(body))
			m->envelope.body = TMAIL_BODY_8BITMIME;
		m->data.len = m->header_length;
		m->spool_size += body.len;
		message_charge(m); /* it has become smaller */
	}
	s->question.octets = tm_str(buf_str(&s->octets));
	if (s->octets.len > 0 || (last && m->spool_size > 0)) {
		spool_submit(s);
		return;
	}
	list_append(&s->ql->spools, &s->link);
	s->task.run = spool_nothing;
	loop_post(s->ql->loop, &s->task);
}

void spool_forget(struct queue_loop *ql, void *ctx)
{
	LIST_EACH(struct spool, s, &ql->spools, link)
		if (s->ctx == ctx)
			s->done = NULL;
}

void spool_drop(struct queue_loop *ql, struct id id)
{
	struct spool *s;

	LIST_EACH(struct spool, other, &ql->spools, link) {
		if (id_equal(id_tm(other->question.id), id) && other->question.last != 2) {
			other->drop_after = true;
			return;
		}
	}
	s = spool_new(ql, id);
	s->question.last = 2;
	spool_submit(s);
}

int spool_read(struct tmail_id id, uint64_t offset, uint64_t limit, struct buf *out)
{
	struct arena *arena = arena_new(1024);
	struct tmail_queue_read question = {
		.size = sizeof question, .id = id, .offset = offset, .limit = limit
	};
	struct tmail_queue_content content = { .size = sizeof content };
	int status = service_ask_wait(queue.store, TMAIL_QUEUE_UNSPOOL, &question, &content, arena);

	if (status == TMAIL_OK)
		buf_add(out, str_tm(content.octets));
	arena_free(&arena);
	return status;
}
