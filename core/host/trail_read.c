/* SPDX-License-Identifier: MIT
 *
 * The trail of one id, in two walks over the ring: the first, from the id's own time on, learns
 * what else has to do with it; the second, from the earliest of these on, hands out what is told
 * of it and of them. Ids carry their time, so that is all that has to be looked at. What a file
 * says is checked: it may be torn, old, or somebody's.
 */
#include "host/trail.h"

#include "base/buf.h"
#include "sys/ring.h"

enum { EARLY = 10 * 1000000 /* us: an id may be ahead of a clock that was set back */ };

struct search {
	struct id id;
	struct buf ties;  /* struct id: what it has to do with */
	bool found, over; /* over: its end was told */
	int64_t last;     /* time of its last event */
	uint64_t lost;    /* events that are missing since it began */
};

/* ---- an event from octets ---------------------------------------------------------------- */

static bool read_octets(struct reader *r, size_t length, struct str *octets)
{
	if ((size_t)(r->end - r->at) < length)
		return false;
	*octets = str_make(r->at, length);
	r->at += length;
	return true;
}

static bool read_name(struct reader *r, const char **name)
{
	struct str octets;
	uint8_t length;

	if (!read_u8(r, &length) || !read_octets(r, (size_t)length + 1, &octets) ||
		memchr(octets.data, '\0', octets.len) != octets.data + length)
		return false;
	*name = octets.data;
	return true;
}

static bool read_field(struct reader *r, struct log_field *f)
{
	uint8_t kind;
	uint16_t length;
	uint64_t num;

	*f = (struct log_field){ 0 };
	if (!read_u8(r, &kind) || !read_name(r, &f->name))
		return false;
	f->kind = (enum log_kind)kind;
	switch (f->kind) {
	case LOG_KIND_STR:
		return read_u16(r, &length) && read_octets(r, length, &f->str);
	case LOG_KIND_NUM:
		return read_u64(r, &num) && (f->num = (int64_t)num, true);
	case LOG_KIND_ID:
		return read_u64(r, &f->id.hi) && read_u64(r, &f->id.lo);
	default:
		return false;
	}
}

static bool event_read(const struct ring_found *found, struct trail_event *e)
{
	struct reader r = reader_of(found->octets);

	e->time = found->time;
	e->lost = 0;
	e->count = 0;
	if (!read_name(&r, &e->name))
		return false;
	while (r.at < r.end && e->count < TRAIL_FIELDS)
		if (!read_field(&r, &e->fields[e->count++]))
			return false;
	return true;
}

/* ---- what it is about -------------------------------------------------------------------- */

static bool names_message(const struct log_field *f)
{
	return !strcmp(f->name, "id") || !strcmp(f->name, "message");
}

static bool is_tied(const struct search *s, struct id id)
{
	for (size_t i = 0; i < s->ties.len; i += sizeof id)
		if (!memcmp(s->ties.data + i, &id, sizeof id))
			return true;
	return false;
}

static bool is_about(const struct search *s, const struct trail_event *e)
{
	bool message = false, tied = false;

	for (size_t i = 0; i < e->count; i++) {
		const struct log_field *f = &e->fields[i];

		if (f->kind != LOG_KIND_ID)
			continue;
		if (id_equal(f->id, s->id))
			return true;
		message |= names_message(f);
		tied |= is_tied(s, f->id);
	}
	return tied && !message;
}

/* Of a message: what its events also name. Whether something was new. */
static bool ties_learn(struct search *s, const struct trail_event *e)
{
	size_t before = s->ties.len;
	bool ours = false;

	for (size_t i = 0; i < e->count; i++)
		ours |= e->fields[i].kind == LOG_KIND_ID && names_message(&e->fields[i]) &&
			id_equal(e->fields[i].id, s->id);
	for (size_t i = 0; ours && i < e->count; i++) {
		const struct log_field *f = &e->fields[i];

		if (f->kind == LOG_KIND_ID && !names_message(f) && !is_tied(s, f->id))
			buf_add(&s->ties, str_make((const char *)&f->id, sizeof f->id));
	}
	return s->ties.len > before;
}

static int64_t time_of(struct id id)
{
	return id.hi > INT64_MAX ? INT64_MAX : (int64_t)id.hi;
}

static int64_t earliest(const struct search *s)
{
	int64_t time = time_of(s->id);
	struct id tie;

	for (size_t i = 0; i < s->ties.len; i += sizeof tie) {
		memcpy(&tie, s->ties.data + i, sizeof tie);
		if (time_of(tie) < time)
			time = time_of(tie);
	}
	return time;
}

/* ---- the walks --------------------------------------------------------------------------- */

/* The next event that can be read, or a loss. */
static bool event_next(struct ring_reader *r, struct trail_event *e)
{
	struct ring_found found;
	enum ring_item item;

	while ((item = ring_next(r, &found)) != RING_END) {
		if (item == RING_LOSS) {
			*e = (struct trail_event){ .time = found.time, .lost = found.lost };
			return true;
		}
		if (event_read(&found, e))
			return true;
	}
	return false;
}

static void walk_begin(const struct search *s, struct ring_reader *r)
{
	int64_t time = earliest(s);

	ring_seek(r, time > EARLY ? time - EARLY : 0);
}

/* Of a message, or of the session that is asked for. */
static bool is_end(const struct search *s, const struct trail_event *e)
{
	if (strcmp(e->name, "ended") != 0 && strcmp(e->name, "session_closed") != 0)
		return false;
	for (size_t i = 0; i < e->count; i++)
		if (e->fields[i].kind == LOG_KIND_ID && id_equal(e->fields[i].id, s->id))
			return true;
	return false;
}

static void learn(struct search *s, struct ring_reader *r)
{
	struct trail_event e;

	walk_begin(s, r);
	while (event_next(r, &e)) {
		if (e.lost && e.time >= time_of(s->id))
			s->lost += e.lost;
		if (e.lost || !is_about(s, &e))
			continue;
		s->found = true;
		s->last = e.time;
		s->over |= is_end(s, &e);
		ties_learn(s, &e);
	}
}

/* Is it missing between the begin and the end of this? */
static bool loss_matters(const struct search *s, const struct trail_event *e)
{
	return e->time >= earliest(s) && (!s->over || e->time <= s->last);
}

/* The file is written meanwhile: what is tied to something that the first walk did not meet would
 * be told in part, so it ends the second. */
static void tell(struct search *s, struct ring_reader *r,
	void (*each)(void *ctx, const struct trail_event *event), void *ctx)
{
	struct trail_event e;

	walk_begin(s, r);
	while (event_next(r, &e)) {
		if (!e.lost && ties_learn(s, &e))
			return;
		if (e.lost ? loss_matters(s, &e) : is_about(s, &e))
			each(ctx, &e);
	}
}

enum trail_found trail_read(const char *path, struct id id,
	void (*each)(void *ctx, const struct trail_event *event), void *ctx,
	struct trail_kept *kept, struct why *why)
{
	struct ring_reader *r = ring_read(path, why);
	struct search s = { .id = id };
	enum trail_found found = TRAIL_FOUND;

	if (!r)
		return TRAIL_UNREADABLE;
	learn(&s, r);
	if (s.found)
		tell(&s, r, each, ctx);
	*kept = (struct trail_kept){ .since = ring_since(r), .lost = s.lost };
	if (!s.found)
		found = time_of(id) < kept->since ? TRAIL_TOO_OLD : TRAIL_UNKNOWN;
	buf_free(&s.ties);
	ring_read_end(&r);
	return found;
}
