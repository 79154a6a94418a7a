/* SPDX-License-Identifier: MIT
 *
 * A parcel as a transaction of the client. Content that is in memory goes out from there; the
 * rest is read from the store piece by piece while the connection takes it.
 */
#include "queue/attempt.h"

#include "base/encode.h"
#include "mail/header.h"

#include <stdlib.h>

enum { READ_BLOCK = 256 * 1024 };

/* Outlives the sending when a worker still has it. */
struct content_reader {
	struct job job;
	struct sending *owner; /* NULL: nobody waits any more */
	struct tmail_id id;
	uint64_t offset, limit;
	struct buf octets;
	bool ok, busy, have;
};

struct sending { /* in the parcel's arena */
	struct attempt *a;
	struct parcel *p;
	struct client_transaction t;
	struct client_recipient *recipients;
	uint32_t *which; /* of the parcel's */
	struct content_reader *reader;
	uint64_t offset, size;
	bool unreadable;
	void (*done)(struct attempt *a, bool usable, bool stale);
};

/* ---- content from the store ------------------------------------------------------------ */

static void reader_work(struct job *job)
{
	struct content_reader *r = container_of(job, struct content_reader, job);
	struct tmail_queue_read question = {
		.size = sizeof question, .id = r->id, .offset = r->offset, .limit = r->limit
	};
	struct tmail_queue_content content = { .size = sizeof content };
	struct arena *arena = arena_new(1024);

	buf_clear(&r->octets);
	r->ok = service_ask_wait(queue.store, TMAIL_QUEUE_READ, &question, &content, arena) ==
			TMAIL_OK &&
		content.octets.len > 0 && content.octets.len <= r->limit;
	if (r->ok)
		buf_add(&r->octets, str_tm(content.octets));
	arena_free(&arena);
}

static void reader_free(struct content_reader *r)
{
	buf_free(&r->octets);
	free(r);
}

static void reader_done(struct job *job)
{
	struct content_reader *r = container_of(job, struct content_reader, job);
	struct sending *s = r->owner;

	r->busy = false;
	if (!s) {
		reader_free(r);
		return;
	}
	r->have = r->ok;
	if (r->ok) {
		client_more(s->a->client);
		return;
	}
	s->unreadable = true;
	client_abort(&s->a->client);
}

static void reader_refused(struct task *task)
{
	struct job *job = container_of(task, struct job, task);

	container_of(job, struct content_reader, job)->ok = false;
	reader_done(job);
}

static void read_next(struct sending *s)
{
	struct content_reader *r = s->reader;

	if (!r) {
		r = s->reader = must_alloc(sizeof *r);
		r->owner = s;
		r->id = s->p->work->m->envelope.id;
		r->job.work = reader_work;
		r->job.done = reader_done;
	}
	r->offset = s->offset;
	r->limit = s->size - s->offset < READ_BLOCK ? s->size - s->offset : READ_BLOCK;
	r->busy = true;
	if (lane_submit(queue.io, &r->job))
		return;
	r->job.task.run = reader_refused;
	loop_post(s->a->lane->ql->loop, &r->job.task);
}

/* Of client_transaction. */
static int more(void *ctx, struct str *octets)
{
	struct sending *s = ctx;

	if (s->reader && s->reader->have) {
		s->reader->have = false;
		*octets = buf_str(&s->reader->octets);
		s->offset += octets->len;
		return 1;
	}
	if (s->offset >= s->size)
		return 0;
	if (!s->reader || !s->reader->busy)
		read_next(s);
	return -1;
}

/* ---- the end --------------------------------------------------------------------------- */

/* The server had gone, or said so, before it took a word of this. */
static bool is_stale(const struct sending *s, bool usable)
{
	if (usable || s->a->sent < 2 || s->unreadable)
		return false;
	for (size_t i = 0; i < s->t.count; i++) {
		const struct client_outcome *o = &s->recipients[i].outcome;

		if (o->stage != STAGE_MAIL || (o->code != 0 && o->code != 421))
			return false;
	}
	return true;
}

static void outcome_copy(struct sending *s, size_t i)
{
	struct client_outcome o = s->recipients[i].outcome;

	if (s->unreadable && o.class == CLASS_TEMPORARY) {
		o.text = STR("the message cannot be read from the store now");
		memcpy(o.enhanced, "4.3.0", sizeof "4.3.0");
	}
	o.text = arena_str(s->p->arena, o.text);
	s->p->recipients[s->which[i]].outcome = o;
}

static void transaction_done(void *ctx, struct client *c, bool usable)
{
	struct sending *s = ctx;
	bool stale = is_stale(s, usable);

	(void)c;
	for (size_t i = 0; i < s->t.count && !stale; i++)
		outcome_copy(s, i);
	if (s->reader) {
		s->reader->owner = NULL;
		if (!s->reader->busy)
			reader_free(s->reader);
	}
	s->done(s->a, usable, stale); /* the parcel's arena may be gone after it */
}

/* ---- the start ------------------------------------------------------------------------- */

/* Who asked for SMTPUTF8 need not need it: with nothing but ASCII in the addresses and the
 * header any server will do. A header that is not in memory may hold anything. */
static bool needs_utf8(const struct work *w, const struct client_transaction *t)
{
	struct str header = str_slice(buf_str(&w->m->data), 0, w->m->header_length);

	if (!w->m->envelope.smtputf8)
		return false;
	if (header.len == 0 || !ascii_only(header) || !ascii_only(t->sender))
		return true;
	for (size_t i = 0; i < t->count; i++)
		if (!ascii_only(t->recipients[i].address))
			return true;
	return false;
}

static void recipients_fill(struct sending *s)
{
	struct parcel *p = s->p;

	s->recipients = ARENA_ARRAY(p->arena, struct client_recipient, p->count);
	s->which = ARENA_ARRAY(p->arena, uint32_t, p->count);
	for (uint32_t i = 0; i < p->count; i++) {
		const struct tmail_recipient *r = &p->work->m->recipients[p->recipients[i].index];

		if (p->recipients[i].settled)
			continue;
		s->which[s->t.count] = i;
		s->recipients[s->t.count++] = (struct client_recipient){
			.address = str_tm(r->address),
			.original = str_tm(r->original),
			.notify = r->notify,
		};
	}
	s->t.recipients = s->recipients;
}

struct sending *sending_start(struct attempt *a, struct parcel *p,
	void (*done)(struct attempt *a, bool usable, bool stale))
{
	struct sending *s = ARENA_NEW(p->arena, struct sending);
	const struct message *m = p->work->m;
	struct client_transaction *t = &s->t;

	s->a = a;
	s->p = p;
	s->done = done;
	s->size = p->work->size;
	recipients_fill(s);
	t->sender = p->mail_from;
	t->size = s->size;
	t->body = m->envelope.body;
	t->ret = m->envelope.ret;
	t->envid = str_tm(m->envelope.envid);
	t->piece_count = message_pieces(m, t->pieces);
	for (size_t i = 0; i < t->piece_count; i++)
		s->offset += t->pieces[i].len;
	t->more = s->offset < s->size ? more : NULL;
	t->done = transaction_done;
	t->ctx = s;
	t->smtputf8 = needs_utf8(p->work, t);
	if (t->more)
		read_next(s); /* while the envelope is spoken about */
	client_send(a->client, t);
	return s;
}
