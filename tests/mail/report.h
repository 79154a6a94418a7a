/* SPDX-License-Identifier: MIT
 *
 * A report taken apart again: its header, and its parts with their headers. Used by the tests and
 * the fuzzer of mail/dsn; strict, since it reads only what we wrote.
 */
#ifndef TESTS_MAIL_REPORT_H
#define TESTS_MAIL_REPORT_H

#include "base/arena.h"
#include "mail/header.h"

struct report_part {
	struct str header, body;
};
struct report {
	struct str header;
	struct report_part text, status, returned;
};

/* The value of a field, unfolded by taking CRLF away, and trimmed; empty when it is not there. */
static inline struct str report_field(struct str header, const char *name, struct arena *arena)
{
	struct header_field field;
	size_t len = 0;
	char *text;

	if (!header_find(header, str_c(name), 0, &field))
		return STR("");
	text = arena_alloc(arena, field.value.len + 1);
	for (size_t i = 0; i < field.value.len; i++)
		if (field.value.data[i] != '\r' && field.value.data[i] != '\n')
			text[len++] = field.value.data[i];
	return str_trim(str_make(text, len));
}

/* Cuts at the first `mark`; false: there is none. */
static inline bool report_cut(struct str *rest, struct str mark, struct str *before)
{
	const char *at = memmem(rest->data, rest->len, mark.data, mark.len);

	if (!at)
		return false;
	*before = str_make(rest->data, (size_t)(at - rest->data));
	*rest = str_slice(*rest, before->len + mark.len, rest->len);
	return true;
}

static inline bool report_part_read(struct str *rest, struct str mark, struct report_part *part)
{
	struct str all;
	size_t end;

	if (!report_cut(rest, mark, &all) || !header_complete(all, &end))
		return false;
	part->header = str_slice(all, 0, end);
	part->body = str_slice(all, end, all.len);
	return true;
}

/* False: it is not a header, three parts and nothing more. Lines are 998 octets at most, and
 * there is no bare CR or LF. */
static inline bool report_read(struct str in, struct report *report, struct arena *arena)
{
	size_t end = header_end(in);
	struct str type, boundary, mark, last, rest, line, preamble;
	ptrdiff_t at;

	for (rest = in; str_split(&rest, '\n', &line) && rest.data;)
		if (line.len > 999 || str_find(line, '\r') != (ptrdiff_t)line.len - 1)
			return false;
	report->header = str_slice(in, 0, end);
	type = report_field(report->header, "Content-Type", arena);
	at = str_search_case(type, STR("boundary=\""));
	if (at < 0)
		return false;
	boundary = str_slice(type, (size_t)at + 10, type.len);
	if (boundary.len == 0 || boundary.data[boundary.len - 1] != '"')
		return false;
	boundary.len--;
	mark = arena_printf(arena, "\r\n--%.*s\r\n", STR_ARG(boundary));
	last = arena_printf(arena, "\r\n--%.*s--\r\n", STR_ARG(boundary));
	rest = str_slice(in, end, in.len);
	return report_cut(&rest, mark, &preamble) && report_part_read(&rest, mark, &report->text) &&
		report_part_read(&rest, mark, &report->status) &&
		report_part_read(&rest, last, &report->returned) && rest.len == 0;
}

/* The n-th group of fields of the status part: 0 is of the message, then each recipient's. */
static inline struct str report_group(const struct report *report, size_t n)
{
	struct str rest = report->status.body;

	for (; n > 0; n--)
		rest = str_slice(rest, header_end(rest), rest.len);
	return str_slice(rest, 0, header_end(rest));
}

#endif
