/* SPDX-License-Identifier: MIT
 *
 * What a conversion to 7 bit must hold to, asked of any message: taken apart, before and after
 * have the same fields and, decoded, the same bodies.
 */
#ifndef TESTS_MAIL_SEVENBIT_H
#define TESTS_MAIL_SEVENBIT_H

#include "base/encode.h"
#include "base/fail.h"
#include "mail/dot.h"
#include "mail/mime.h"
#include "mail/sevenbit.h"

enum { APART_MAX = 200 };

/* Between two boundaries or ends of headers. */
struct apart {
	struct buf fields; /* but those that a conversion may change */
	struct buf body;
	struct buf boundary; /* the line that ended it */
	char encoding;       /* 'q', 'b' or none of them */
};

/* False: more than there is room for, or broken. */
static inline bool apart_take(struct str message, struct apart list[APART_MAX], size_t *count)
{
	static const struct str added = STR_INIT("Content-Type: text/plain; charset=unknown-8bit");
	struct mime m = { .len = 0 };
	enum mime_event event;

	*count = 0;
	while ((event = mime_next(&m, &message)) != MIME_MORE) {
		struct apart *at = &list[*count];

		if (event == MIME_BROKEN || *count + 1 == APART_MAX)
			return false;
		if (event == MIME_HEADER_LINE && m.field == MIME_FIELD_ENCODING)
			at->encoding = str_search_case(m.octets, STR("quoted-")) >= 0 ? 'q'
				: str_search_case(m.octets, STR("base64")) >= 0       ? 'b'
										      : '7';
		else if (event == MIME_HEADER_LINE && m.field != MIME_FIELD_VERSION &&
			!str_starts_case(m.octets, added))
			buf_add(&at->fields, m.octets);
		else if (event == MIME_BODY)
			buf_add(&at->body, m.octets);
		else if (event == MIME_BOUNDARY)
			buf_add(&at->boundary, m.octets);
		if (event == MIME_BOUNDARY ||
			(event == MIME_HEADER_END && m.entity.kind == MIME_MESSAGE))
			++*count;
	}
	++*count;
	return true;
}

static inline void apart_free(struct apart list[APART_MAX])
{
	for (size_t i = 0; i < APART_MAX; i++) {
		buf_free(&list[i].fields);
		buf_free(&list[i].body);
		buf_free(&list[i].boundary);
	}
}

/* Encoded lines have 76 octets at the most. */
static inline bool lines_within(struct str s, size_t most)
{
	struct str line;

	while (str_split(&s, '\n', &line))
		if (line.len > most + 1)
			return false;
	return true;
}

static inline void quoted_decode(struct str in, struct buf *out)
{
	for (size_t i = 0; i < in.len; i++) {
		struct str two = str_slice(in, i + 1, 2);

		if (in.data[i] != '=') {
			must(in.data[i] != ' ' || !str_equal(two, STR("\r\n")));
			buf_add_char(out, in.data[i]);
			continue;
		}
		must(two.len == 2);
		must(str_equal(two, STR("\r\n")) || hex_decode(out, two));
		i += 2;
	}
}

static inline void base64_lines_decode(struct str in, struct buf *out)
{
	struct buf joined = { 0 };
	struct str line;

	while (str_split(&in, '\n', &line))
		buf_add(&joined, str_trim_line(line));
	must(base64_decode(out, buf_str(&joined)));
	buf_free(&joined);
}

/* Without the CRLF that belongs to the boundary behind it. */
static inline struct str body_of(const struct apart *a)
{
	return str_slice(buf_str(&a->body), 0,
		a->body.len - (a->boundary.len > 0 && a->body.len >= 2 ? 2 : 0));
}

static inline void apart_compare(const struct apart *before, const struct apart *after)
{
	struct buf decoded = { 0 };

	must(str_equal(buf_str(&before->fields), buf_str(&after->fields)));
	must(str_equal(buf_str(&before->boundary), buf_str(&after->boundary)));
	must(lines_within(buf_str(&after->body), MIME_LINE_MAX));
	if (after->encoding == before->encoding || after->encoding == '7' || !after->encoding) {
		must(str_equal(buf_str(&before->body), buf_str(&after->body)));
		return;
	}
	must(lines_within(buf_str(&after->body), 76));
	if (after->encoding == 'q')
		quoted_decode(body_of(after), &decoded);
	else
		base64_lines_decode(body_of(after), &decoded);
	must(str_equal(buf_str(&decoded), body_of(before)));
	buf_free(&decoded);
}

/* Both passes, cut at two places. False: nothing to do, or refused. */
static inline bool sevenbit_convert(struct str message, size_t first, size_t second,
	struct sevenbit_seen *seen, struct buf *out)
{
	struct sevenbit *s = sevenbit_new();
	const struct str pieces[] = { str_slice(message, 0, first),
		str_slice(message, first, second - first),
		str_slice(message, second, message.len) };

	for (size_t i = 0; i < 3; i++)
		sevenbit_look(s, pieces[i]);
	*seen = sevenbit_seen(s);
	if (seen->eight && !seen->refusal) {
		for (size_t i = 0; i < 3; i++)
			sevenbit_write(s, pieces[i], out);
		sevenbit_finish(s, out);
	}
	sevenbit_free(&s);
	return seen->eight && !seen->refusal;
}

/* All that must hold of what was made of a message. */
static inline void sevenbit_check(struct str message, struct str converted)
{
	static struct apart before[APART_MAX], after[APART_MAX];
	struct dot_reader lines = { .normalize = true };
	struct buf clean = { 0 };
	size_t count, count_after;

	line_read(&lines, message, &clean);
	line_finish(&lines, &clean);
	memset(before, 0, sizeof before);
	memset(after, 0, sizeof after);
	must(ascii_only(converted) && str_find(converted, '\0') < 0);
	if (apart_take(buf_str(&clean), before, &count)) {
		must(apart_take(converted, after, &count_after) && count == count_after);
		for (size_t i = 0; i < count; i++)
			apart_compare(&before[i], &after[i]);
	}
	apart_free(before);
	apart_free(after);
	buf_free(&clean);
}

#endif
