/* SPDX-License-Identifier: MIT
 *
 * Both passes feed the same scanner (mail/mime) with the same octets and so see the same entities;
 * what the first found out about each is one octet of `plans`. What must hold: what is written is
 * ASCII, no line of it is longer than 998 octets, decoded bodies are what they were, and no octet
 * outside of the bodies that are encoded changes but for three fields of their headers.
 */
#include "mail/sevenbit.h"

#include "base/encode.h"
#include "base/fail.h"
#include "mail/dot.h"
#include "mail/mime.h"
#include "mail/transfer.h"

#include <stdlib.h>

enum plan { PLAN_KEEP, PLAN_SAY_7BIT, PLAN_QUOTED, PLAN_BASE64 };
enum { FIELDS = 128 /* octets of what is added to a header, about */ };

struct sevenbit {
	struct dot_reader lines;
	struct buf clean; /* octets with their lines ended by CRLF */
	struct mime mime;
	struct buf plans; /* enum plan, an octet an entity */

	/* First pass. */
	struct sevenbit_seen seen;
	size_t line;            /* octets of the body's line */
	uint64_t part, escapes; /* octets of the body; those that will take three each */
	uint8_t last;           /* octet of the body */

	/* Second pass. */
	struct buf *out;
	enum plan plan; /* of the body being written */
	struct quoted_writer quoted;
	struct base64_writer base64;
	struct str held; /* a CRLF, whole or begun, that may belong to a boundary */
};

struct sevenbit *sevenbit_new(void)
{
	return must_alloc(sizeof(struct sevenbit));
}

void sevenbit_free(struct sevenbit **sp)
{
	struct sevenbit *s = *sp;

	*sp = NULL;
	if (!s)
		return;
	buf_free(&s->clean);
	buf_free(&s->plans);
	free(s);
}

/* Of the entity at hand. One whose header did not end has none. */
static enum plan plan_now(const struct sevenbit *s)
{
	uint32_t i = s->mime.entity.index;

	return i < s->plans.len ? (enum plan)s->plans.data[i] : PLAN_KEEP;
}

/* ---- the first pass ---------------------------------------------------------------------- */

static void refuse(struct sevenbit *s, const char *why)
{
	if (!s->seen.refusal)
		s->seen.refusal = why;
}

/* What the body that ends here will grow by. */
static void part_end(struct sevenbit *s)
{
	enum plan plan = s->plans.len > 0 ? (enum plan)s->plans.data[s->plans.len - 1] : PLAN_KEEP;
	uint64_t quoted = s->part + 2 * s->escapes;

	if (plan == PLAN_QUOTED)
		s->seen.size += quoted - s->part + quoted / 25 + FIELDS;
	else if (plan == PLAN_BASE64)
		s->seen.size += s->part * 3 / 8 + FIELDS;
	s->part = s->escapes = s->line = s->last = 0;
}

/* The octet is none that 7bit has (RFC 2045 2.7), or its place in the line. */
static void must_encode(struct sevenbit *s, uint8_t c)
{
	switch (s->mime.entity.kind) {
	case MIME_TEXT:
		s->plans.data[s->mime.entity.index] = PLAN_QUOTED;
		break;
	case MIME_OTHER:
		s->plans.data[s->mime.entity.index] = PLAN_BASE64;
		break;
	default:
		s->seen.header |= c >= 0x80 && s->mime.entity.opaque;
		refuse(s, "a part that may not be changed has 8-bit octets or long lines");
	}
}

static void look_at_body(struct sevenbit *s)
{
	for (size_t i = 0; i < s->mime.octets.len; i++) {
		uint8_t c = (uint8_t)s->mime.octets.data[i];
		bool at_start = s->line == 0, blank = s->last == ' ' || s->last == '\t';

		s->line = c == '\n' ? 0 : s->line + 1;
		if (c >= 0x80 || c == '\0' || s->line > MIME_LINE_MAX + 1)
			must_encode(s, c);
		if (c >= 0x7f || c == '=' || (c < ' ' && c != '\t' && c != '\r' && c != '\n') ||
			(c == '-' && at_start) || (c == '\r' && blank))
			s->escapes++;
		s->last = c;
	}
	s->part += s->mime.octets.len;
}

static void look_at(struct sevenbit *s, enum mime_event event)
{
	bool ascii = ascii_only(s->mime.octets), nul = str_find(s->mime.octets, '\0') >= 0;

	switch (event) {
	case MIME_HEADER_LINE:
		s->seen.header |= !ascii;
		if (!ascii || nul)
			refuse(s, "a header field is not ASCII");
		break;
	case MIME_HEADER_END:
		part_end(s);
		while (s->plans.len < s->mime.entity.index) /* a boundary cut their header off */
			buf_add_u8(&s->plans, PLAN_KEEP);
		buf_add_u8(&s->plans,
			s->mime.entity.wide && s->mime.entity.kind != MIME_FIXED ? PLAN_SAY_7BIT
										 : PLAN_KEEP);
		break;
	case MIME_BODY:
		look_at_body(s);
		break;
	case MIME_BOUNDARY:
		part_end(s);
		break;
	default:
		refuse(s, s->mime.broken);
	}
}

/* ---- the second pass --------------------------------------------------------------------- */

static void write_header_end(struct sevenbit *s)
{
	static const char *const words[] = { [PLAN_SAY_7BIT] = "7bit",
		[PLAN_QUOTED] = "quoted-printable",
		[PLAN_BASE64] = "base64" };
	const struct mime_entity *e = &s->mime.entity;
	bool inside = e->kind == MIME_MULTIPART || e->kind == MIME_MESSAGE;
	size_t before = s->out->len;

	s->plan = plan_now(s);
	if (e->message && !e->version_said && (s->plan != PLAN_KEEP || inside))
		buf_add_c(s->out, "MIME-Version: 1.0\r\n");
	if (s->plan >= PLAN_QUOTED && !e->type_said) /* RFC 1428 3 */
		buf_add_c(s->out, "Content-Type: text/plain; charset=unknown-8bit\r\n");
	if (s->plan != PLAN_KEEP)
		buf_printf(s->out, "Content-Transfer-Encoding: %s\r\n", words[s->plan]);
	/* Where there was no empty line one is needed before another header can begin. */
	if (s->mime.octets.len > 0 || s->out->len > before || e->kind == MIME_MESSAGE)
		buf_add_c(s->out, "\r\n");
}

/* All but a CRLF at the end, or its CR, which stays for whatever comes next. */
static void write_base64(struct sevenbit *s, struct str octets)
{
	size_t ends = 0;

	if (s->held.len == 1 && octets.len > 0 && octets.data[0] == '\n') {
		s->held = STR("\r\n");
		octets = str_slice(octets, 1, octets.len);
	}
	if (octets.len == 0)
		return;
	base64_write(&s->base64, s->held, s->out);
	if (octets.data[octets.len - 1] == '\r')
		ends = 1;
	else if (octets.data[octets.len - 1] == '\n')
		ends = 2; /* there is no other LF than behind CR */
	base64_write(&s->base64, str_slice(octets, 0, octets.len - ends), s->out);
	s->held = str_slice(STR("\r\n"), 0, ends);
}

static void write_body(struct sevenbit *s)
{
	if (s->plan == PLAN_QUOTED)
		quoted_write(&s->quoted, s->mime.octets, s->out);
	else if (s->plan == PLAN_BASE64)
		write_base64(s, s->mime.octets);
	else
		buf_add(s->out, s->mime.octets);
}

static void write_body_end(struct sevenbit *s)
{
	quoted_finish(&s->quoted, s->out);
	base64_finish(&s->base64, s->out);
	s->quoted = (struct quoted_writer){ 0 };
	s->held.len = 0;
	s->plan = PLAN_KEEP;
}

static void write_it(struct sevenbit *s, enum mime_event event)
{
	switch (event) {
	case MIME_HEADER_LINE:
		if (s->mime.field != MIME_FIELD_ENCODING || plan_now(s) == PLAN_KEEP)
			buf_add(s->out, s->mime.octets);
		break;
	case MIME_HEADER_END:
		write_header_end(s);
		break;
	case MIME_BODY:
		write_body(s);
		break;
	case MIME_BOUNDARY:
		write_body_end(s);
		buf_add(s->out, s->mime.octets);
		break;
	default:
		must(!"what was refused is written");
	}
}

/* ---- both -------------------------------------------------------------------------------- */

/* What is in `clean`. */
static void feed(struct sevenbit *s)
{
	struct str in = buf_str(&s->clean);
	enum mime_event event;

	while ((event = mime_next(&s->mime, &in)) != MIME_MORE) {
		if (s->out)
			write_it(s, event);
		else
			look_at(s, event);
		if (event == MIME_BROKEN)
			break;
	}
	buf_clear(&s->clean);
}

static void take(struct sevenbit *s, struct str octets, struct buf *out)
{
	s->out = out;
	s->lines.normalize = true;
	line_read(&s->lines, octets, &s->clean);
	feed(s);
}

static void take_end(struct sevenbit *s)
{
	line_finish(&s->lines, &s->clean);
	feed(s);
}

void sevenbit_look(struct sevenbit *s, struct str octets)
{
	s->seen.eight |= !ascii_only(octets);
	s->seen.size += octets.len;
	take(s, octets, NULL);
}

struct sevenbit_seen sevenbit_seen(struct sevenbit *s)
{
	take_end(s);
	part_end(s);
	s->seen.header |= s->seen.eight && s->mime.broken; /* there may be more headers */
	s->mime = (struct mime){ .len = 0 };
	s->lines = (struct dot_reader){ .state = 0 };
	return s->seen;
}

void sevenbit_write(struct sevenbit *s, struct str octets, struct buf *out)
{
	take(s, octets, out);
}

void sevenbit_finish(struct sevenbit *s, struct buf *out)
{
	s->out = out;
	take_end(s);
	if (s->plan == PLAN_BASE64) /* it was the body's after all */
		base64_write(&s->base64, s->held, s->out);
	write_body_end(s);
}
