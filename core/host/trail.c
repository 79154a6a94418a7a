/* SPDX-License-Identifier: MIT
 *
 * Events on their way into the ring: put into octets on the stack of who tells them, handed to
 * a writer (sys/writer.h), appended on its thread. An event that does not fit is cut short in
 * its strings, or loses its last fields; never its ids, which come first.
 *
 *   name, then each field: u8 kind, name, and an i64, 16 octets of id, or u16 length and text
 *   (a name: u8 length, octets, NUL)
 */
#include "host/trail.h"

#include "host/metrics.h"
#include "host/record.h"
#include "sys/clock.h"
#include "sys/ring.h"
#include "sys/writer.h"

#include <endian.h>

enum { HALF = 1024 * 1024, DOZE_US = 20000, NAME_MOST = 63, TEXT_MOST = 1000 };

static uint64_t events_write(struct writer *w, struct str events);
static void end_look(struct writer *w);

static struct {
	struct writer writer;
	struct ring *ring;
	uint64_t told; /* of those that were lost */
} trail = { .writer = { .half = HALF,
		    .doze = DOZE_US,
		    .prompt = HALF / 4,
		    .write = events_write,
		    .called = end_look,
		    WRITER_INIT } };

/* ---- an event as octets ------------------------------------------------------------------ */

struct pen {
	char *at, *end;
};

static void put(struct pen *p, const void *octets, size_t len)
{
	memcpy(p->at, octets, len);
	p->at += len;
}

static void put_name(struct pen *p, const char *name)
{
	size_t len = strnlen(name, NAME_MOST);

	*p->at++ = (char)len;
	put(p, name, len);
	*p->at++ = '\0';
}

/* Room for all of a field, for a string its first octet. */
static void put_field(struct pen *p, const struct log_field *f)
{
	uint64_t words[] = { htole64(f->kind == LOG_KIND_ID ? f->id.hi : (uint64_t)f->num),
		htole64(f->id.lo) };
	size_t room = (size_t)(p->end - p->at), least = NAME_MOST + 3 + sizeof words;

	if (f->kind == LOG_KIND_NONE || room < least)
		return;
	*p->at++ = (char)f->kind;
	put_name(p, f->name);
	if (f->kind == LOG_KIND_STR) {
		size_t most = room - least < TEXT_MOST ? room - least : TEXT_MOST;
		struct str text = str_slice(f->str, 0, most);
		uint16_t length = htole16((uint16_t)text.len);

		put(p, &length, sizeof length);
		if (text.len)
			put(p, text.data, text.len);
	} else {
		put(p, words, f->kind == LOG_KIND_ID ? sizeof words : sizeof *words);
	}
}

/* Ids before the rest, so that they are never what there was no room for. */
static void put_fields(struct pen *p, const struct log_field *fields, size_t count, bool ids)
{
	for (size_t i = 0; i < count; i++)
		if ((fields[i].kind == LOG_KIND_ID) == ids)
			put_field(p, &fields[i]);
}

static void put_context(struct pen *p, const struct log_context *context, bool ids)
{
	if (!context)
		return;
	put_context(p, context->parent, ids);
	put_fields(p, context->fields, context->count, ids);
}

static void event_told(const struct log_context *context, const char *event,
	const struct log_field *fields, size_t count)
{
	char octets[RING_RECORD_MAX];
	struct pen p = { octets + RING_HEAD, octets + sizeof octets };
	char *ids;

	put_name(&p, event);
	ids = p.at;
	put_context(&p, context, true);
	put_fields(&p, fields, count, true);
	if (p.at == ids)
		return; /* it is about nobody */
	put_context(&p, context, false);
	put_fields(&p, fields, count, false);
	ring_head(octets, (size_t)(p.at - octets), clock_wall());
	writer_put(&trail.writer, str_make(octets, (size_t)(p.at - octets)), str_make(NULL, 0));
}

/* ---- verdicts ---------------------------------------------------------------------------- */

static const char *verdict_word(int verdict)
{
	if (verdict == RECORD_NOT_ASKED)
		return "NOT_ASKED";
	return verdict == RECORD_FAILED ? "FAILED" : verdict_name((enum tmail_verdict)verdict);
}

static void verdict_told(const struct subject *s, const struct record_entry *e)
{
	log_event(LEVEL_DEBUG, s->log, "verdict",
		LOG_IF(s->message, LOG_ID("id", id_tm(s->message->envelope.id))),
		LOG_C("point", point_name(e->point)), LOG_C("module", instance_name(e->instance)),
		LOG_C("verdict", verdict_word(e->verdict)),
		LOG_IF(e->code, LOG_NUM("code", e->code)),
		LOG_IF(e->words.len, LOG_STR("text", e->words)), LOG_NUM("us", e->took));
}

/* ---- life -------------------------------------------------------------------------------- */

static uint64_t events_write(struct writer *w, struct str events)
{
	uint64_t dropped = writer_dropped(w), news = dropped - trail.told;
	uint64_t failed = ring_append(trail.ring, events, news);

	trail.told = dropped + failed;
	metric_add(METRIC_trace_lost, (int64_t)(news + failed));
	return failed;
}

/* Before there is anything to be written, and while the start goes on: a file of many slots that
 * nobody has read lately takes a tenth of a second. */
static void end_look(struct writer *w)
{
	(void)w;
	ring_append(trail.ring, str_make(NULL, 0), 0);
}

bool trail_start(const char *path, uint64_t size, struct why *why)
{
	trail.ring = ring_open(path, size, why);
	if (!trail.ring)
		return false;
	if (!writer_start(&trail.writer, "trail", why)) {
		ring_close(&trail.ring);
		return false;
	}
	writer_call(&trail.writer);
	log_heard = event_told;
	record_sink(verdict_told);
	return true;
}

void trail_flush(void)
{
	writer_flush(&trail.writer);
}

void trail_stop(void)
{
	record_sink(NULL);
	log_heard = NULL;
	if (writer_stop(&trail.writer))
		ring_close(&trail.ring);
}
