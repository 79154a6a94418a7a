/* SPDX-License-Identifier: MIT
 *
 * Octets as they arrive, shown to STREAM modules: the header is gathered until it is whole, then
 * shown field by field; the body goes by in the chunks it came in. Nobody waits here, and nobody
 * may change anything.
 */
#include "host/stream_reading.h"

#include "host/verdict.h"
#include "mail/header.h"

#include <stdlib.h>

enum { HEAD_MAX = 1024 * 1024 }; /* then what is there is taken for the header */

struct stream_reading {
	struct buf head;
	bool past_header, refused;
	uint64_t offset;
	bool *left_out; /* by module: it has accepted or failed, or is not for this client */
};

static struct stream_reading *reading_of(struct subject *s)
{
	const struct generation *g = s->generation;
	struct stream_reading *r = s->stream;

	if (r)
		return r;
	r = s->stream = must_alloc(sizeof *r);
	r->left_out = must_alloc(g->stream_count * sizeof *r->left_out);
	for (unsigned i = 0; i < g->stream_count; i++) {
		const struct instance *instance = g->contents[i].at[0].instance;

		r->left_out[i] = s->dry || !instance_minds(instance, TMAIL_POINT_EOM, &s->client);
	}
	return r;
}

bool stream_reading_wanted(const struct subject *s, unsigned n)
{
	return !s->stream || !s->stream->left_out[n];
}

void stream_reading_end(struct stream_reading **r)
{
	if (!*r)
		return;
	buf_free(&(*r)->head);
	free((*r)->left_out);
	free(*r);
	*r = NULL;
}

/* Asks every module that is left in. False: refused. */
static bool show(struct subject *s, enum tmail_point point, const union tmail_event *event,
	struct chain_answer *answer)
{
	const struct generation *g = s->generation;
	struct stream_reading *r = s->stream;

	for (unsigned i = 0; i < g->stream_count; i++) {
		const struct hook *h = &g->contents[i].at[point - TMAIL_POINT_HEADER];
		struct turn t = { .subject = s, .point = point };

		if (r->left_out[i] || !h->run)
			continue;
		if (!verdict_take(&t, turn_ask(&t, h, event), answer)) {
			r->left_out[i] = t.failed; /* passed by: it has seen a hole */
			continue;
		}
		if (answer->verdict == TMAIL_ACCEPT) {
			answer->verdict = TMAIL_CONTINUE;
			answer->by = NULL;
			r->left_out[i] = true;
			continue;
		}
		r->refused = true;
		return false;
	}
	return true;
}

static bool show_header(struct subject *s, struct str header, struct chain_answer *answer)
{
	union tmail_event event = { 0 };
	struct header_field field;
	uint32_t index = 0;

	while (header_next(&header, &field)) {
		event.header.name = tm_str(field.name);
		event.header.value = tm_str(field.value);
		event.header.index = index++;
		if (!show(s, TMAIL_POINT_HEADER, &event, answer))
			return false;
	}
	event = (union tmail_event){ 0 };
	s->stream->past_header = true;
	return show(s, TMAIL_POINT_EOH, &event, answer);
}

static bool show_body(struct subject *s, struct str octets, struct chain_answer *answer)
{
	union tmail_event event = { 0 };

	if (octets.len == 0)
		return true;
	event.body.chunk = tm_str(octets);
	event.body.offset = s->stream->offset;
	s->stream->offset += octets.len;
	return show(s, TMAIL_POINT_BODY, &event, answer);
}

/* The header is whole, and `end` octets of what is gathered are it. */
static bool head_over(struct subject *s, size_t end, struct chain_answer *answer)
{
	struct buf head = s->stream->head;
	bool good;

	s->stream->head = (struct buf){ 0 };
	good = show_header(s, str_slice(buf_str(&head), 0, end), answer) &&
		show_body(s, str_slice(buf_str(&head), end, head.len), answer);
	buf_free(&head);
	return good;
}

bool chain_stream(struct subject *s, struct str octets, struct chain_answer *answer)
{
	struct stream_reading *r;
	size_t end;

	answer_clear(answer);
	if (s->generation->stream_count == 0)
		return true;
	r = reading_of(s);
	if (r->refused)
		return true;
	if (r->past_header)
		return show_body(s, octets, answer);
	buf_add(&r->head, octets);
	if (header_complete(buf_str(&r->head), &end))
		return head_over(s, end, answer);
	return r->head.len < HEAD_MAX || head_over(s, r->head.len, answer);
}

bool stream_reading_finish(struct subject *s, struct chain_answer *answer)
{
	struct stream_reading *r = s->stream;

	if (!r || r->refused || r->past_header)
		return true;
	return head_over(s, r->head.len, answer);
}
