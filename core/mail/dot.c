/* SPDX-License-Identifier: MIT
 *
 * Line endings on the wire. One table of states, stepped an octet at a time where something
 * happens; between that, runs of octets are found with vectors and copied whole. The runs only
 * ever skip what the steps would have copied unchanged, so that they cannot disagree.
 *
 *   state   octet  next    out           (reading; * any other)
 *   START   .      DOT                    dot of stuffing, or of the end
 *   START   *      as TEXT
 *   TEXT    CR     CR
 *   TEXT    LF     TEXT    LF  bare
 *   TEXT    *      TEXT    *
 *   CR      LF     START   CRLF
 *   CR      CR     CR      CR  bare
 *   CR      *      as TEXT CR  bare
 *   DOT     CR     DOT_CR
 *   DOT     *      as TEXT                the dot is gone
 *   DOT_CR  LF     END
 *   DOT_CR  CR     CR      CR  bare
 *   DOT_CR  *      as TEXT CR  bare
 *
 * A bare one is written as CRLF with `normalize`. Even then a dot behind it means nothing: the
 * line did not begin behind CRLF.
 */
#include "mail/dot.h"

#include "base/fail.h"

enum state { START, TEXT, CR, DOT, DOT_CR, END };
enum framing { STUFFED /* DATA */, COUNTED /* BDAT */ };

/* Compared lane by lane: each octet becomes 0xff or 0. */
typedef uint8_t lanes __attribute__((vector_size(16)));
typedef uint64_t halves __attribute__((vector_size(16)));
enum { LANES = sizeof(lanes) };

/* Which of the eight octets of a half is the first that is set. */
static inline size_t first_set(uint64_t half)
{
	int bits = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_ctzll(half)
							     : __builtin_clzll(half);

	return (size_t)bits / 8;
}

/* The first CR, LF or NUL, or the end. */
static const char *special_find(const char *p, const char *end)
{
	for (; end - p >= LANES; p += LANES) {
		lanes v;
		halves hit;

		memcpy(&v, p, sizeof v);
		hit = (halves)((v == '\r') | (v == '\n') | (v == 0));
		if (hit[0])
			return p + first_set(hit[0]);
		if (hit[1])
			return p + LANES / 2 + first_set(hit[1]);
	}
	while (p < end && *p != '\r' && *p != '\n' && *p != '\0')
		p++;
	return p;
}

/* ---- reading ----------------------------------------------------------------------------- */

static void line_count(struct dot_reader *r, size_t octets)
{
	r->line = octets > UINT32_MAX - r->line ? UINT32_MAX : r->line + (uint32_t)octets;
	if (r->line_max > 0 && r->line > r->line_max)
		r->long_line = true;
}

static void put(const struct dot_reader *r, struct buf *out, struct str s)
{
	if (!r->discard)
		buf_add(out, s);
}

static void line_ends(struct dot_reader *r, struct buf *out)
{
	put(r, out, STR("\r\n"));
	r->line = 0;
	r->state = START;
}

/* A CR without its LF, or the other way round. Behind it DATA has no line start. */
static void bare(struct dot_reader *r, char c, struct buf *out, enum framing framing)
{
	if (c == '\r')
		r->bare_cr = true;
	else
		r->bare_lf = true;
	if (r->normalize) {
		line_ends(r, out);
		if (framing == COUNTED)
			return;
	} else {
		put(r, out, str_make(&c, 1));
		line_count(r, 1);
	}
	r->state = TEXT;
}

static void step_text(struct dot_reader *r, char c, struct buf *out, enum framing framing)
{
	if (c == '\r') {
		r->state = CR;
	} else if (c == '\n') {
		bare(r, c, out, framing);
	} else {
		r->nul |= c == '\0';
		r->state = TEXT;
		put(r, out, str_make(&c, 1));
		line_count(r, 1);
	}
}

/* One octet of the machine above. */
static void step(struct dot_reader *r, char c, struct buf *out, enum framing framing)
{
	switch ((enum state)r->state) {
	case START:
		if (c == '.' && framing == STUFFED)
			r->state = DOT;
		else
			step_text(r, c, out, framing);
		return;
	case TEXT:
		step_text(r, c, out, framing);
		return;
	case CR:
		if (c == '\n') {
			line_ends(r, out);
			return;
		}
		bare(r, '\r', out, framing);
		step_text(r, c, out, framing);
		return;
	case DOT:
		if (c == '\r')
			r->state = DOT_CR;
		else
			step_text(r, c, out, framing);
		return;
	case DOT_CR:
		if (c == '\n') {
			r->state = END;
			return;
		}
		bare(r, '\r', out, framing);
		step_text(r, c, out, framing);
		return;
	case END:
		break;
	}
	must(!"octets behind the end of data");
}

/* Copies from p on what the steps would copy unchanged, and answers where they must go on. Not in
 * the middle of a line end, nor before a dot that starts a line. */
static const char *run(
	struct dot_reader *r, const char *p, const char *end, struct buf *out, enum framing framing)
{
	const char *start = p, *line = p;

	for (;;) {
		p = special_find(p, end);
		if (p == end)
			break;
		if (*p == '\r') {
			if (end - p < 3 || p[1] != '\n' || (p[2] == '.' && framing == STUFFED))
				break;
			line_count(r, (size_t)(p - line));
			r->line = 0;
			p += 2;
			line = p;
		} else if (*p == '\0') {
			r->nul = true;
			p++;
		} else {
			if (r->normalize)
				break;
			r->bare_lf = true;
			p++;
		}
	}
	if (p > start) {
		put(r, out, str_make(start, (size_t)(p - start)));
		line_count(r, (size_t)(p - line));
		r->state = TEXT;
	}
	return p;
}

/* Answers where it stopped: behind the end of data, or at the end of `in`. */
static const char *read_octets(
	struct dot_reader *r, struct str in, struct buf *out, enum framing framing)
{
	const char *p = in.data, *end = in.data + in.len;

	while (p < end && r->state != END) {
		if (r->state == TEXT || (r->state == START && (*p != '.' || framing == COUNTED))) {
			p = run(r, p, end, out, framing);
			if (p == end)
				break;
		}
		step(r, *p++, out, framing);
	}
	return p;
}

bool dot_read(struct dot_reader *r, struct str in, size_t *used, struct buf *out)
{
	*used = 0;
	if (in.len > 0)
		*used = (size_t)(read_octets(r, in, out, STUFFED) - in.data);
	return r->state == END;
}

void line_read(struct dot_reader *r, struct str in, struct buf *out)
{
	if (in.len > 0)
		read_octets(r, in, out, COUNTED);
}

void line_finish(struct dot_reader *r, struct buf *out)
{
	if (r->state == CR)
		bare(r, '\r', out, COUNTED);
	if (r->state != START)
		line_ends(r, out);
}

/* ---- writing ----------------------------------------------------------------------------- */

/* START, TEXT or CR: one that was not written yet, since its LF may follow. */
static void write_step(struct dot_writer *w, char c, struct buf *out)
{
	if (w->state == CR) {
		buf_add_c(out, "\r\n");
		w->state = START;
		if (c == '\n')
			return;
	}
	if (c == '\r') {
		w->state = CR;
	} else if (c == '\n') {
		buf_add_c(out, "\r\n");
		w->state = START;
	} else {
		if (w->state == START && c == '.')
			buf_add_char(out, '.');
		buf_add_char(out, c);
		w->state = TEXT;
	}
}

/* As `run` above, for the other direction. */
static const char *write_run(struct dot_writer *w, const char *p, const char *end, struct buf *out)
{
	const char *start = p;

	for (;;) {
		p = special_find(p, end);
		if (p == end)
			break;
		if (*p == '\0')
			p++;
		else if (*p == '\r' && end - p >= 3 && p[1] == '\n' && p[2] != '.')
			p += 2;
		else
			break;
	}
	if (p > start) {
		buf_add(out, str_make(start, (size_t)(p - start)));
		w->state = TEXT;
	}
	return p;
}

void dot_write(struct dot_writer *w, struct str in, struct buf *out)
{
	const char *p = in.data, *end = in.len > 0 ? in.data + in.len : in.data;

	while (p < end) {
		if (w->state == TEXT || (w->state == START && *p != '.')) {
			p = write_run(w, p, end, out);
			if (p == end)
				break;
		}
		write_step(w, *p++, out);
	}
}

void dot_finish(struct dot_writer *w, struct buf *out)
{
	if (w->state != START)
		buf_add_c(out, "\r\n");
	buf_add_c(out, ".\r\n");
	w->state = END;
}
