/* SPDX-License-Identifier: MIT
 *
 * The header of a message as octets: where a field starts and ends. Nothing is decoded. One
 * function (line_kind) says what a line is, so that finding the end of a whole header and of one
 * that is still arriving cannot come to different answers.
 */
#include "mail/header.h"

#include "base/encode.h"
#include "base/fail.h"

enum { LINE_MAX_TEXT = 998 }; /* without CRLF (RFC 5322 2.1.1) */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* ftext (RFC 5322 2.2): printable ASCII but the colon. */
static bool is_ftext(char c)
{
	return c > ' ' && c < 0x7f && c != ':';
}

bool header_name_valid(struct str name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!is_ftext(name.data[i]))
			return false;
	return name.len > 0;
}

/* Length of the line at the front with its end; all of s when it has none. */
static size_t line_length(struct str s)
{
	ptrdiff_t lf = str_find(s, '\n');

	return lf < 0 ? s.len : (size_t)lf + 1;
}

static struct str without_end(struct str line)
{
	if (line.len > 0 && line.data[line.len - 1] == '\n') {
		line.len--;
		if (line.len > 0 && line.data[line.len - 1] == '\r')
			line.len--;
	}
	return line;
}

enum line_kind { LINE_EMPTY, LINE_FIELD, LINE_FOLDED, LINE_OTHER };

/* What a line is; of a field, *name is how long its name is and *colon where that stands. */
static enum line_kind line_kind(struct str line, size_t *name, size_t *colon)
{
	size_t i = 0;

	if (without_end(line).len == 0)
		return LINE_EMPTY;
	if (is_blank(line.data[0]))
		return LINE_FOLDED;
	while (i < line.len && is_ftext(line.data[i]))
		i++;
	*name = i;
	while (i < line.len && is_blank(line.data[i]))
		i++;
	*colon = i;
	return *name > 0 && i < line.len && line.data[i] == ':' ? LINE_FIELD : LINE_OTHER;
}

bool header_next(struct str *rest, struct header_field *field)
{
	size_t length = line_length(*rest), name, colon;
	enum line_kind kind;

	if (rest->len == 0)
		return false;
	kind = line_kind(str_slice(*rest, 0, length), &name, &colon);
	if (kind == LINE_EMPTY)
		*rest = str_slice(*rest, length, rest->len);
	if (kind != LINE_FIELD)
		return false;
	while (length < rest->len && is_blank(rest->data[length]))
		length += line_length(str_slice(*rest, length, rest->len));
	field->whole = str_slice(*rest, 0, length);
	field->name = str_slice(*rest, 0, name);
	field->value = str_slice(without_end(field->whole), colon + 1, length);
	*rest = str_slice(*rest, length, rest->len);
	return true;
}

size_t header_end(struct str message)
{
	struct header_field field;
	struct str rest = message;

	while (header_next(&rest, &field))
		;
	return message.len - rest.len;
}

bool header_complete(struct str message, size_t *end)
{
	struct str rest = message;
	bool first = true;

	for (;;) {
		size_t length = line_length(rest), name, colon;
		enum line_kind kind;

		/* Only of a line whose end is there can be said what it is. */
		if (length == 0 || rest.data[length - 1] != '\n')
			return false;
		kind = line_kind(str_slice(rest, 0, length), &name, &colon);
		if (kind == LINE_EMPTY || kind == LINE_OTHER || (kind == LINE_FOLDED && first)) {
			*end = message.len - rest.len + (kind == LINE_EMPTY ? length : 0);
			return true;
		}
		rest = str_slice(rest, length, rest.len);
		first = false;
	}
}

bool header_find(struct str header, struct str name, unsigned n, struct header_field *field)
{
	struct header_field f;

	while (header_next(&header, &f)) {
		if (!str_equal_case(f.name, name))
			continue;
		if (n == 0) {
			*field = f;
			return true;
		}
		n--;
	}
	return false;
}

unsigned header_count(struct str header, struct str name)
{
	struct header_field field;
	unsigned count = 0;

	while (header_next(&header, &field))
		count += str_equal_case(field.name, name);
	return count;
}

/* ---- writing ----------------------------------------------------------------------------- */

/* Where a line that starts `used` octets in is to be folded: at its last blank within the limit,
 * else at its first blank behind it; never so that a line of blanks alone is left. 0: nowhere. */
static size_t fold_at(struct str s, size_t used)
{
	size_t best = 0, i = 0;

	while (i < s.len && is_blank(s.data[i]))
		i++;
	for (; i < s.len; i++) {
		if (!is_blank(s.data[i]))
			continue;
		if (used + i > LINE_MAX_TEXT)
			return best > 0 ? best : i;
		best = i;
	}
	return used + s.len > LINE_MAX_TEXT ? best : 0;
}

static void value_add(struct buf *out, struct str s)
{
	char *to = buf_reserve(out, s.len);

	for (size_t i = 0; i < s.len; i++) {
		char c = s.data[i];

		to[i] = ((unsigned char)c < ' ' && c != '\t') || c == 0x7f ? '?' : c;
	}
	out->len += s.len;
}

void header_write(struct buf *out, struct str name, struct str value)
{
	size_t used = name.len + 1;
	bool first = true;
	struct str line;

	must(name.len > 0);
	for (size_t i = 0; i < name.len; i++)
		buf_add_char(out, is_ftext(name.data[i]) ? name.data[i] : '?');
	buf_add_char(out, ':');
	while (str_split(&value, '\n', &line)) {
		size_t at;

		while (line.len > 0 &&
			(is_blank(line.data[line.len - 1]) || line.data[line.len - 1] == '\r'))
			line.len--;
		if (line.len == 0)
			continue;
		if (!first)
			buf_add_c(out, "\r\n");
		if (!is_blank(line.data[0])) {
			buf_add_char(out, ' ');
			used++;
		}
		while ((at = fold_at(line, used)) > 0) {
			value_add(out, str_slice(line, 0, at));
			buf_add_c(out, "\r\n");
			line = str_slice(line, at, line.len);
			used = 0;
		}
		value_add(out, line);
		first = false;
		used = 0;
	}
	buf_add_c(out, "\r\n");
}
