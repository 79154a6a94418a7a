/* SPDX-License-Identifier: MIT
 *
 * The record of a subject: entries with their own memory, so that the oldest can go.
 */
#include "host/record.h"

#include <stdatomic.h>
#include <stdlib.h>

struct record {
	struct record_entry *first, **last;
	size_t count;
};

typedef void sink_function(const struct subject *s, const struct record_entry *entry);
static _Atomic(sink_function *) record_to;

static const char *const point_names[TMAIL_POINTS] = { "CONNECT", "HELO", "TLS", "AUTH", "MAIL",
	"RCPT", "DATA", "HEADER", "EOH", "BODY", "EOM", "RESET", "UNKNOWN", "QUEUED", "DISCONNECT",
	"PREDELIVER", "DELIVERED", "DEFERRED", "BOUNCED", "TICK", "RELOADED", "CHANGED" };
static const char *const verdict_names[] = { "CONTINUE", "ACCEPT", "REJECT", "TEMPFAIL", "DISCARD",
	"HOLD", "WAIT" };
enum { VERDICTS = sizeof verdict_names / sizeof *verdict_names };

const char *point_name(enum tmail_point point)
{
	return (unsigned)point < TMAIL_POINTS ? point_names[point] : "-";
}

const char *verdict_name(enum tmail_verdict verdict)
{
	return (unsigned)verdict < VERDICTS ? verdict_names[verdict] : "-";
}

void record_sink(void (*sink)(const struct subject *s, const struct record_entry *entry))
{
	atomic_store_explicit(&record_to, sink, memory_order_release);
}

bool record_wanted(const struct subject *s)
{
	return s->dry || atomic_load_explicit(&record_to, memory_order_acquire);
}

void record_add(struct subject *s, const struct record_entry *entry)
{
	sink_function *sink = atomic_load_explicit(&record_to, memory_order_acquire);
	struct record_entry *e;

	if (sink && !s->dry)
		sink(s, entry);
	if (!s->dry)
		return;
	if (!s->record) {
		s->record = must_alloc(sizeof *s->record);
		s->record->last = &s->record->first;
	}
	e = must_alloc(sizeof *e + entry->words.len);
	*e = *entry;
	e->next = NULL;
	e->words.data = (char *)(e + 1);
	if (entry->words.len)
		memcpy(e + 1, entry->words.data, entry->words.len);
	*s->record->last = e;
	s->record->last = &e->next;
	if (s->record->count++ >= RECORD_MAX) {
		struct record_entry *oldest = s->record->first;

		s->record->first = oldest->next;
		s->record->count--;
		free(oldest);
	}
}

const struct record_entry *record_of(const struct subject *s)
{
	return s->record ? s->record->first : NULL;
}

void record_end(struct subject *s)
{
	while (s->record && s->record->first) {
		struct record_entry *e = s->record->first;

		s->record->first = e->next;
		free(e);
	}
	free(s->record);
	s->record = NULL;
}
