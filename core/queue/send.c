/* SPDX-License-Identifier: MIT
 *
 * A parcel as a transaction of the client. Content that is in memory goes out from there; the rest
 * is read from the store piece by piece while the connection takes it. Where the server might not
 * be able to take it as it is, all of it is looked at before a word is said, and then goes through
 * the conversion to 7 bit (mail/sevenbit).
 */
#include "queue/attempt.h"

#include "base/encode.h"
#include "mail/sevenbit.h"

#include <stdlib.h>

enum { READ_BLOCK = 256 * 1024, WRITE_BLOCK = 64 * 1024 };

/* Outlives the sending when a worker still has it. */
struct content_reader {
	struct job job;
	struct sending *owner; /* NULL: nobody waits any more */
	struct tmail_id id;
	uint64_t offset, end;
	struct buf octets;
	struct sevenbit
		*look; /* is shown all of it, up to the end; the reader's while it is busy */
	bool ok, busy, have;
};

struct sending { /* in the parcel's arena */
	struct attempt *a;
	struct parcel *p;
	struct client_transaction t;
	struct client_recipient *recipients;
	uint32_t *which; /* of the parcel's */
	struct str pieces[3];
	size_t piece_count, piece; /* what is in memory; the next to be converted */
	struct content_reader *reader;
	uint64_t offset, size;
	struct sevenbit *seven;
	struct buf converted;
	bool converting, converted_all; /* all: nothing of it is left */
	struct client_outcome refused;
	bool unreadable;
	void (*done)(struct attempt *a, bool usable, bool stale);
};

/* ---- content from the store ------------------------------------------------------------ */

static bool reader_read(struct content_reader *r)
{
	struct tmail_queue_read question = {
		.size = sizeof question, .id = r->id, .offset = r->offset, .limit = READ_BLOCK
	};
	struct tmail_queue_content content = { .size = sizeof content };
	struct arena *arena = arena_new(1024);
	bool ok;

	if (question.limit > r->end - r->offset)
		question.limit = r->end - r->offset;
	buf_clear(&r->octets);
	ok = service_ask_wait(queue.store, TMAIL_QUEUE_READ, &question, &content, arena) ==
			TMAIL_OK &&
		content.octets.len > 0 && content.octets.len <= question.limit;
	if (ok)
		buf_add(&r->octets, str_tm(content.octets));
	arena_free(&arena);
	return ok;
}

static void reader_work(struct job *job)
{
	struct content_reader *r = container_of(job, struct content_reader, job);

	if (!r->look) {
		r->ok = reader_read(r);
		return;
	}
	while (r->offset < r->end && (r->ok = reader_read(r))) {
		sevenbit_look(r->look, buf_str(&r->octets));
		r->offset += r->octets.len;
	}
}

static void reader_free(struct content_reader *r)
{
	buf_free(&r->octets);
	sevenbit_free(&r->look);
	free(r);
}

static void looked(struct sending *s);

static void reader_done(struct job *job)
{
	struct content_reader *r = container_of(job, struct content_reader, job);
	struct sending *s = r->owner;

	r->busy = false;
	if (!s) {
		reader_free(r);
		return;
	}
	if (!r->ok) {
		s->unreadable = true;
		client_abort(&s->a->client);
		return;
	}
	if (r->look) {
		s->seven = r->look;
		r->look = NULL;
		looked(s);
	} else {
		r->have = true;
	}
	client_more(s->a->client);
}

static void reader_refused(struct task *task)
{
	struct job *job = container_of(task, struct job, task);

	container_of(job, struct content_reader, job)->ok = false;
	reader_done(job);
}

/* From the offset on: the next block, or for `look` all of it. */
static void reader_start(struct sending *s, struct sevenbit *look)
{
	struct content_reader *r = s->reader;

	if (!r) {
		r = s->reader = must_alloc(sizeof *r);
		r->owner = s;
		r->id = s->p->work->m->envelope.id;
		r->end = s->size;
		r->job.work = reader_work;
		r->job.done = reader_done;
	}
	r->offset = s->offset;
	r->look = look;
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
		reader_start(s, NULL);
	return -1;
}

/* ---- content for servers that take less than it has -------------------------------------- */

static int raw(struct sending *s, struct str *octets)
{
	if (s->piece == s->piece_count)
		return more(s, octets);
	*octets = s->pieces[s->piece++];
	return 1;
}

/* Of client_transaction, in place of all others. */
static int more_converted(void *ctx, struct str *octets)
{
	struct sending *s = ctx;
	struct str in;
	int answer = 1;

	buf_clear(&s->converted);
	while (answer > 0 && s->converted.len < WRITE_BLOCK && !s->converted_all) {
		answer = raw(s, &in);
		if (answer > 0)
			sevenbit_write(s->seven, in, &s->converted);
		else if (answer == 0)
			sevenbit_finish(s->seven, &s->converted);
		s->converted_all = answer == 0;
	}
	*octets = buf_str(&s->converted);
	return octets->len > 0 ? 1 : answer < 0 ? -1 : 0;
}

/* Where the transaction gets its content from. */
static void content_give(struct sending *s)
{
	struct client_transaction *t = &s->t;

	t->piece_count = 0;
	t->more = s->converting ? more_converted : s->offset < s->size ? more : NULL;
	if (s->converting)
		return;
	memcpy(t->pieces, s->pieces, sizeof t->pieces);
	t->piece_count = s->piece_count;
}

static void refuse(struct sending *s, const char *why)
{
	s->refused = (struct client_outcome){
		.class = CLASS_PERMANENT, .stage = STAGE_MAIL, .code = 554, .enhanced = "5.6.3"
	};
	s->refused.text = arena_printf(s->p->arena, "8BITMIME is needed and not offered%s%s",
		why ? ", and the message cannot be converted: " : "", why ? why : "");
	s->t.refused = &s->refused;
}

/* What the content needs is known. */
static void looked(struct sending *s)
{
	const struct queue_settings *settings = queue_settings_now(s->a->lane->ql);
	struct sevenbit_seen seen = sevenbit_seen(s->seven);
	unsigned offers = client_offers(s->a->client);
	bool report = s->p->work->m->envelope.sender.len == 0;

	s->t.smtputf8 = s->p->work->m->envelope.smtputf8 && seen.header;
	if (!seen.eight || offers & CLIENT_8BITMIME || settings->convert_8bit == CONVERT_SEND)
		return;
	if (s->t.smtputf8)
		return; /* offered, it is enough (RFC 6531 3.1); else the client says so */
	if (report && seen.refusal)
		return; /* nobody could be told that it did not go */
	if (!report && (settings->convert_8bit == CONVERT_BOUNCE || seen.refusal)) {
		refuse(s, settings->convert_8bit == CONVERT_BOUNCE ? NULL : seen.refusal);
		return;
	}
	s->converting = true;
	s->t.size = seen.size;
	content_give(s);
}

/* Of client_transaction: false while the store is read. */
static bool look(void *ctx)
{
	struct sending *s = ctx;
	struct sevenbit *seven = sevenbit_new();

	for (size_t i = 0; i < s->piece_count; i++)
		sevenbit_look(seven, s->pieces[i]);
	if (s->offset < s->size) {
		reader_start(s, seven);
		return false;
	}
	s->seven = seven;
	looked(s);
	return true;
}

/* Is it more than the envelope that decides how this server can be sent to? */
static bool must_look(const struct sending *s)
{
	const struct tmail_envelope *e = &s->p->work->m->envelope;
	unsigned offers = client_offers(s->a->client);

	if (e->body != TMAIL_BODY_7BIT && !(offers & CLIENT_8BITMIME) &&
		queue_settings_now(s->a->lane->ql)->convert_8bit != CONVERT_SEND)
		return true;
	/* Who said SMTPUTF8 need not need it; to find out is worth no reading where it is taken. */
	return e->smtputf8 && (!(offers & CLIENT_SMTPUTF8) || s->offset == s->size);
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
	s->p->unreadable = s->unreadable;
	for (size_t i = 0; i < s->t.count && !stale; i++)
		outcome_copy(s, i);
	if (s->reader) {
		s->reader->owner = NULL;
		if (!s->reader->busy)
			reader_free(s->reader);
	}
	sevenbit_free(&s->seven);
	buf_free(&s->converted);
	s->done(s->a, usable, stale); /* the parcel's arena may be gone after it */
}

/* ---- the start ------------------------------------------------------------------------- */

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
	s->piece_count = message_pieces(m, s->pieces);
	for (size_t i = 0; i < s->piece_count; i++)
		s->offset += s->pieces[i].len; /* what is behind them is in the store */
	recipients_fill(s);
	t->sender = p->mail_from;
	t->size = s->size;
	t->body = m->envelope.body;
	t->ret = m->envelope.ret;
	t->envid = str_tm(m->envelope.envid);
	message_note_get(m, STR("smtp.auth"), &t->submitter);
	t->smtputf8 = m->envelope.smtputf8;
	t->done = transaction_done;
	t->ctx = s;
	content_give(s);
	t->prepare = must_look(s) ? look : NULL;
	if (t->more && !t->prepare)
		reader_start(s, NULL); /* while the envelope is spoken about */
	client_send(a->client, t);
	return s;
}
