/* SPDX-License-Identifier: MIT
 *
 * A whole message shown to the modules, one after another: HEADER once a field, EOH, BODY once a
 * chunk, EOM; then its edits are made, and the next module sees what came of them. Octets in
 * memory are shown where they are; what was spooled is read back on a worker. What must hold:
 * nothing moves in message->data during one module's pass.
 */
#include "host/edit.h"
#include "host/stream_reading.h"
#include "host/verdict.h"

#include "mail/header.h"

#include <stdio.h>
#include <stdlib.h>

enum { CHUNK = 64 * 1024, UNSPOOL_WIDTH = 2, UNSPOOL_DEPTH = 1024 };
enum pass { PASS_HEADER, PASS_EOH, PASS_BODY, PASS_EOM };

struct unspool;

struct content {
	struct parked parked;
	struct turn turn;
	unsigned module;
	bool begun; /* the pass of this module */
	enum pass pass;
	size_t at; /* in the header */
	uint32_t index;
	uint64_t offset;  /* in the body */
	struct buf chunk; /* read back */
	struct unspool *unspool;
	struct chain_answer answer;
	void (*done)(void *ctx, const struct chain_answer *);
	void *ctx;
};

/* A piece of the body on its way back. */
struct unspool {
	struct job job;
	struct content *content; /* NULL: nobody wants it any more */
	struct message *message; /* a reference */
	struct tmail_id id;
	uint64_t offset;
	struct buf octets;
	int status;
};

typedef int unspool_function(struct tmail_id id, uint64_t offset, uint64_t limit, struct buf *out);
static unspool_function *unspool_read;
static struct lane *unspool_lane;

void chain_unspool(unspool_function *read)
{
	if (!read)
		lane_free(&unspool_lane); /* what is under way still reads */
	else if (!unspool_lane)
		unspool_lane = lane_new("unspool", UNSPOOL_WIDTH, UNSPOOL_DEPTH);
	unspool_read = read;
}

static void content_free(struct content *c)
{
	if (c->unspool)
		c->unspool->content = NULL;
	list_remove(&c->parked.link);
	turn_end(&c->turn);
	buf_free(&c->chunk);
	free(c);
}

static void content_cancel(struct parked *parked)
{
	content_free(container_of(parked, struct content, parked));
}

/* ---- what is shown ------------------------------------------------------------------------- */

enum { SHOWN_NOTHING = -10, SHOWN_LATER = -11 };

static int content_ask(struct content *c, const union tmail_event *event)
{
	const struct content_hooks *hooks = &c->turn.subject->generation->contents[c->module];

	c->turn.point = (enum tmail_point)(TMAIL_POINT_HEADER + c->pass);
	c->turn.parts = c->pass == PASS_EOM && !hooks->stream ? PART_EDIT : 0;
	facts_unref(&c->turn.facts); /* of the event before */
	return turn_ask(&c->turn, &hooks->at[c->pass], event);
}

static int show_field(struct content *c)
{
	struct message *m = c->turn.subject->message;
	struct str rest = str_slice(buf_str(&m->data), c->at, m->header_length - c->at);
	struct header_field field;
	union tmail_event event = { 0 };

	if (!header_next(&rest, &field))
		return SHOWN_NOTHING;
	c->at = (size_t)(rest.data - m->data.data);
	event.header.name = tm_str(field.name);
	event.header.value = tm_str(field.value);
	event.header.index = c->index++;
	return content_ask(c, &event);
}

static void content_go(struct content *c);

static void unspool_work(struct job *job)
{
	struct unspool *u = container_of(job, struct unspool, job);

	u->status = unspool_read(u->id, u->offset, CHUNK, &u->octets);
}

static void unspool_done(struct job *job)
{
	struct unspool *u = container_of(job, struct unspool, job);
	struct content *c = u->content;

	message_free(&u->message);
	if (c) {
		c->unspool = NULL;
		buf_free(&c->chunk);
		if (u->status == TMAIL_OK)
			c->chunk = u->octets;
		u->octets = u->status == TMAIL_OK ? (struct buf){ 0 } : u->octets;
	}
	buf_free(&u->octets);
	free(u);
	if (c)
		content_go(c);
}

static bool unspool_start(struct content *c, uint64_t offset)
{
	struct message *m = c->turn.subject->message;
	struct unspool *u;

	if (!unspool_lane)
		return false;
	u = must_alloc(sizeof *u);
	u->job.work = unspool_work;
	u->job.done = unspool_done;
	u->content = c;
	u->message = message_ref(m);
	u->id = m->envelope.id;
	u->offset = offset;
	c->unspool = u;
	if (lane_submit(unspool_lane, &u->job))
		return true;
	c->unspool = NULL;
	message_free(&u->message);
	free(u);
	return false;
}

/* Its own trouble: no module is to blame. */
static int content_unreadable(struct content *c)
{
	log_event(LEVEL_WARNING, c->turn.subject->log, "body_unread",
		LOG_C("why", "what was spooled cannot be read back now"));
	c->answer.verdict = TMAIL_TEMPFAIL;
	c->answer.code = 451;
	snprintf(c->answer.enhanced, sizeof c->answer.enhanced, "4.3.0");
	c->answer.text = STR("Temporary failure, try again later");
	c->module = c->turn.subject->generation->content_count;
	return SHOWN_LATER;
}

static int show_chunk(struct content *c)
{
	struct message *m = c->turn.subject->message;
	size_t memory = m->data.len - m->header_length;
	union tmail_event event = { .body.offset = c->offset };
	struct str chunk;

	if (c->offset < memory) {
		chunk = str_slice(buf_str(&m->data), m->header_length + (size_t)c->offset, CHUNK);
	} else if (c->offset - memory < m->spool_size) {
		if (c->chunk.len == 0)
			return unspool_start(c, c->offset - memory) ? SHOWN_LATER
								    : content_unreadable(c);
		chunk = buf_str(&c->chunk);
	} else {
		return SHOWN_NOTHING;
	}
	c->offset += chunk.len;
	event.body.chunk = tm_str(chunk);
	return content_ask(c, &event);
}

/* ---- the walk -------------------------------------------------------------------------- */

/* What the pass shows next: a verdict, TURN_*, or SHOWN_*. */
static int show_next(struct content *c)
{
	struct message *m = c->turn.subject->message;
	union tmail_event event = { 0 };

	switch (c->pass) {
	case PASS_HEADER:
		return show_field(c);
	case PASS_BODY:
		return show_chunk(c);
	case PASS_EOM:
		event.eom.size = message_size(m) - m->prefix.len;
		break;
	default:
		break;
	}
	if (c->begun) /* EOH and EOM come once */
		return SHOWN_NOTHING;
	c->begun = true;
	return content_ask(c, &event);
}

static void pass_begin(struct content *c, enum pass pass)
{
	c->pass = pass;
	c->begun = false;
	c->at = 0;
	c->index = 0;
	c->offset = 0;
	buf_free(&c->chunk);
}

static void module_over(struct content *c)
{
	c->module++;
	pass_begin(c, PASS_HEADER);
}

/* False when that was the end for all. */
static bool content_take(struct content *c, int verdict)
{
	struct turn *t = &c->turn;
	bool keeps = verdict == TMAIL_CONTINUE || verdict == TMAIL_ACCEPT || verdict == TMAIL_HOLD;

	if (c->pass == PASS_BODY)
		buf_clear(&c->chunk);
	if (keeps && c->pass == PASS_EOM)
		edits_make(t->subject, t->call->edits);
	if (!verdict_take(t, verdict, &c->answer)) {
		if (t->failed) /* passed by: what it has seen has a hole from here on */
			module_over(c);
		return true;
	}
	if (c->answer.verdict != TMAIL_ACCEPT)
		return false;
	c->answer.verdict = TMAIL_CONTINUE;
	c->answer.by = NULL;
	module_over(c);
	return true;
}

static bool module_asked(struct content *c)
{
	struct subject *s = c->turn.subject;
	const struct content_hooks *hooks = &s->generation->contents[c->module];
	const struct hook *h = &hooks->at[c->pass];

	if (!h->run)
		return false;
	if (hooks->stream && (c->pass != PASS_EOM || !stream_reading_wanted(s, c->module)))
		return false;
	if (!instance_minds(h->instance, TMAIL_POINT_EOM, &s->client))
		return false;
	if (!s->dry || h->flags & TMAIL_DRY)
		return true;
	verdict_not_asked(s, (enum tmail_point)(TMAIL_POINT_HEADER + c->pass), h);
	return false;
}

/* True when it has come to its end; false when it waits. */
static bool content_walk(struct content *c)
{
	const struct generation *g = c->turn.subject->generation;

	while (c->module < g->content_count) {
		int verdict = module_asked(c) ? show_next(c) : SHOWN_NOTHING;

		if (verdict == SHOWN_NOTHING) {
			if (c->pass == PASS_EOM)
				module_over(c);
			else
				pass_begin(c, c->pass + 1);
			continue;
		}
		if (verdict == TURN_LATER || (verdict == SHOWN_LATER && c->unspool))
			return false;
		if (verdict != SHOWN_LATER && !content_take(c, verdict))
			break;
	}
	return true;
}

static void content_finish(struct content *c)
{
	struct chain_answer answer = c->answer;
	void (*done)(void *, const struct chain_answer *) = c->done;
	void *ctx = c->ctx;

	content_free(c);
	done(ctx, &answer);
}

static void content_go(struct content *c)
{
	/* Woken without octets: reading failed. */
	if (c->pass == PASS_BODY && c->chunk.len == 0)
		content_unreadable(c);
	if (content_walk(c))
		content_finish(c);
}

static void content_spoke(struct turn *t, int verdict)
{
	struct content *c = container_of(t, struct content, turn);

	if (!content_take(c, verdict) || content_walk(c))
		content_finish(c);
}

bool chain_content(struct subject *s, struct chain_answer *answer,
	void (*done)(void *ctx, const struct chain_answer *), void *ctx)
{
	struct message *m = s->message;
	struct content *c;

	answer_clear(answer);
	if (s->generation->content_count == 0)
		return true;
	must(m != NULL);
	if (s->answers)
		arena_reset(s->answers);
	if (!stream_reading_finish(s, answer))
		return true;
	if (m->header_length == 0)
		m->header_length = header_end(buf_str(&m->data));
	c = must_alloc(sizeof *c);
	c->turn.subject = s;
	c->turn.spoke = content_spoke;
	c->parked.cancel = content_cancel;
	c->done = done;
	c->ctx = ctx;
	list_append(&s->parked, &c->parked.link);
	if (!content_walk(c))
		return false;
	*answer = c->answer;
	content_free(c);
	return true;
}
