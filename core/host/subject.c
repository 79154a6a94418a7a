/* SPDX-License-Identifier: MIT
 *
 * Subjects: their beginning, the end of a message in them, and their end. Asking is chain.c's,
 * content.c's, service.c's and table.c's; each parks what waits here, so that it can be
 * cancelled.
 */
#include "host/call.h"

#include "host/record.h"
#include "host/stream_reading.h"

void subject_init(struct subject *s, struct loop *loop, struct generation *g)
{
	*s = (struct subject){ .loop = loop, .generation = generation_ref(g) };
	s->client.size = sizeof s->client;
	list_init(&s->parked);
	s->verdict_last = &s->verdicts;
}

void subject_cancel(struct subject *s)
{
	/* A module's `gone` may run, but nobody parks anything new meanwhile. */
	while (!list_empty(&s->parked)) {
		struct parked *p = container_of(s->parked.next, struct parked, link);

		p->cancel(p);
	}
}

void subject_message_end(struct subject *s)
{
	subject_cancel(s);
	scope_unref(&s->message_scope);
	stream_reading_end(&s->stream);
	s->verdicts = NULL;
	s->verdict_last = &s->verdicts;
	arena_free(&s->answers);
}

void subject_end(struct subject *s)
{
	subject_message_end(s);
	scope_unref(&s->session_scope);
	arena_free(&s->question);
	arena_free(&s->answered);
	record_end(s);
	generation_unref(&s->generation);
}

struct recipient_verdict *message_verdicts(const struct subject *s)
{
	return s->verdicts;
}
