/* SPDX-License-Identifier: MIT
 *
 * One pass over a message, line by line. Whether a line is a boundary is asked first, in headers
 * too: of all that are open the longest that it begins with. Behind that may be "--" and blanks; of
 * what goes on otherwise readers disagree (RFC 2046 5.1.1), and a boundary that is not looked for
 * may begin with one that is. A header ends with an empty line, or with a line that is none of a
 * header (mail/header), which then is the body's first.
 */
#include "mail/mime.h"

#include "mail/header.h"

enum { BEGIN_MESSAGE, BEGIN_PART, BEGUN };
enum { HEAD_MAX = 2 + MIME_BOUNDARY_MAX }; /* as much as tells a boundary */
enum type { TYPE_TEXT, TYPE_OTHER, TYPE_MULTIPART, TYPE_MESSAGE, TYPE_FIXED };

/* ---- values of fields -------------------------------------------------------------------- */

/* Blanks and comments. */
static void skip_blanks(struct str *s)
{
	unsigned depth = 0;
	size_t i = 0;

	for (; i < s->len; i++) {
		char c = s->data[i];

		if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (depth > 0 && c == '\\')
			i++;
		else if (depth == 0 && c != ' ' && c != '\t')
			break;
	}
	*s = str_slice(*s, i, s->len);
}

static struct str take_token(struct str *s)
{
	struct str token;
	size_t i = 0;

	skip_blanks(s);
	while (i < s->len && s->data[i] > ' ' && s->data[i] < 0x7f &&
		!strchr("()<>@,;:\\\"/[]?=", s->data[i]))
		i++;
	token = str_slice(*s, 0, i);
	*s = str_slice(*s, i, s->len);
	return token;
}

static bool take_char(struct str *s, char c)
{
	skip_blanks(s);
	if (s->len == 0 || s->data[0] != c)
		return false;
	*s = str_slice(*s, 1, s->len);
	return true;
}

/* A token or a quoted string into `text`; -1: there is none, or it is too long. */
static int take_value(struct str *s, char text[MIME_BOUNDARY_MAX])
{
	struct str token;
	size_t len = 0, i = 0;

	if (!take_char(s, '"')) {
		token = take_token(s);
		if (token.len > MIME_BOUNDARY_MAX)
			return -1;
		if (token.len > 0)
			memcpy(text, token.data, token.len);
		return (int)token.len;
	}
	for (; i < s->len && s->data[i] != '"'; i++) {
		if (s->data[i] == '\\' && i + 1 < s->len)
			i++;
		if (len < MIME_BOUNDARY_MAX)
			text[len] = s->data[i];
		len++;
	}
	*s = str_slice(*s, i + 1, s->len);
	return len > MIME_BOUNDARY_MAX ? -1 : (int)len;
}

/* The boundary of a multipart; without a good one its body is what it is. */
static bool boundary_read(struct mime *m, struct str rest)
{
	char text[MIME_BOUNDARY_MAX];
	unsigned found = 0;

	while (take_char(&rest, ';')) {
		struct str name = take_token(&rest);
		bool wanted = str_equal_case(name, STR("boundary"));
		int len = take_char(&rest, '=') ? take_value(&rest, text) : 0;

		if (!wanted)
			continue;
		found++;
		skip_blanks(&rest);
		if (len <= 0 || text[len - 1] == ' ' || (rest.len > 0 && rest.data[0] != ';'))
			return false;
		memcpy(m->next.text, text, (size_t)len);
		m->next.len = (uint8_t)len;
	}
	return found == 1;
}

static enum type multipart_type(struct mime *m, struct str subtype, struct str rest)
{
	/* A signature is over the octets as they are (RFC 1847 2.1). */
	if (str_equal_case(subtype, STR("signed")) || !boundary_read(m, rest))
		return TYPE_FIXED;
	m->next.digest = str_equal_case(subtype, STR("digest"));
	return TYPE_MULTIPART;
}

/* Bodies of type message may not be encoded (RFC 2045 6.4) but for those that are there for UTF-8
 * (RFC 6532 3.7, 6533); of the others only whole messages are looked into. */
static enum type message_type(struct str subtype)
{
	if (str_equal_case(subtype, STR("rfc822")) || str_equal_case(subtype, STR("news")))
		return TYPE_MESSAGE;
	return str_starts_case(subtype, STR("global")) ? TYPE_OTHER : TYPE_FIXED;
}

static enum type type_read(struct mime *m, struct str value)
{
	struct str type = take_token(&value), subtype = { NULL, 0 };

	if (take_char(&value, '/'))
		subtype = take_token(&value);
	if (type.len == 0 || subtype.len == 0)
		return TYPE_TEXT; /* RFC 2045 5.2 */
	if (str_equal_case(type, STR("multipart")))
		return multipart_type(m, subtype, value);
	if (str_equal_case(type, STR("message")))
		return message_type(subtype);
	return str_equal_case(type, STR("text")) ? TYPE_TEXT : TYPE_OTHER;
}

static void encoding_read(struct mime *m, struct str value)
{
	struct str token = take_token(&value);

	m->entity.wide = str_equal_case(token, STR("8bit")) || str_equal_case(token, STR("binary"));
	m->identity = m->entity.wide || str_equal_case(token, STR("7bit"));
}

/* ---- entities ---------------------------------------------------------------------------- */

static enum mime_event broken(struct mime *m, const char *why)
{
	m->broken = why;
	return MIME_BROKEN;
}

static void entity_begin(struct mime *m)
{
	bool digest = m->begin == BEGIN_PART && m->open[m->depth - 1].digest;

	m->entity = (struct mime_entity){
		.index = m->entities++,
		.message = m->begin == BEGIN_MESSAGE,
	};
	m->begin = BEGUN;
	m->header = true;
	m->inside = false;
	m->fields = m->types = m->encodings = 0;
	m->field = MIME_FIELD_ANY;
	m->type = digest ? TYPE_MESSAGE : TYPE_TEXT;
	m->identity = true;
	m->unreadable = false;
}

/* The field that was being read is complete. */
static void field_end(struct mime *m)
{
	struct str value = str_make(m->value, m->value_len);

	if (m->field == MIME_FIELD_TYPE && m->types++ == 0)
		m->type = (uint8_t)type_read(m, value);
	if (m->field == MIME_FIELD_ENCODING && m->encodings++ == 0)
		encoding_read(m, value);
	m->entity.type_said |= m->field == MIME_FIELD_TYPE;
	m->entity.version_said |= m->field == MIME_FIELD_VERSION;
	m->field = MIME_FIELD_ANY;
}

static enum mime_event header_over(struct mime *m)
{
	static const enum mime_kind kinds[] = {
		[TYPE_TEXT] = MIME_TEXT,
		[TYPE_OTHER] = MIME_OTHER,
		[TYPE_MULTIPART] = MIME_MULTIPART,
		[TYPE_MESSAGE] = MIME_MESSAGE,
		[TYPE_FIXED] = MIME_FIXED,
	};
	bool sure;

	field_end(m);
	sure = m->types < 2 && m->encodings < 2 && !m->unreadable && m->identity;
	m->entity.kind = sure ? kinds[m->type] : MIME_FIXED;
	m->entity.opaque = m->entity.kind == MIME_FIXED && m->type > TYPE_OTHER;
	m->header = false;
	if (m->entity.kind == MIME_MULTIPART) {
		if (m->depth == MIME_DEPTH_MAX)
			return broken(m, "its parts are nested too deeply");
		m->open[m->depth++] = m->next;
	} else if (m->entity.kind == MIME_MESSAGE) {
		m->begin = BEGIN_MESSAGE;
	}
	return MIME_HEADER_END;
}

/* ---- lines ------------------------------------------------------------------------------- */

/* The level of the boundary that the line begins with, from 1; 0: none. */
static size_t boundary_level(const struct mime *m)
{
	size_t level = 0, longest = 0;

	if (m->len < 2 || m->line[0] != '-' || m->line[1] != '-')
		return 0;
	for (size_t i = m->depth; i > 0; i--) {
		size_t len = m->open[i - 1].len;

		if (len > longest && m->len - 2 >= len &&
			memcmp(m->line + 2, m->open[i - 1].text, len) == 0) {
			longest = len;
			level = i;
		}
	}
	return level;
}

static enum mime_event boundary(struct mime *m, size_t level)
{
	struct str behind = str_slice(m->octets, 2 + m->open[level - 1].len, m->len);
	bool closes = str_starts(behind, STR("--"));

	if (str_trim_line(str_slice(behind, closes ? 2 : 0, behind.len)).len > 0)
		return broken(m, "a line may be a boundary, or not");
	m->header = false;
	m->entity.kind = MIME_FIXED; /* of what follows the last one */
	m->entity.opaque = false;
	m->depth = closes ? level - 1 : level;
	if (!closes)
		m->begin = BEGIN_PART;
	return MIME_BOUNDARY;
}

static void value_add(struct mime *m, struct str text)
{
	if (m->field == MIME_FIELD_ANY)
		return;
	if (text.len > sizeof m->value - m->value_len) {
		m->unreadable = true;
		return;
	}
	if (text.len > 0)
		memcpy(m->value + m->value_len, text.data, text.len);
	m->value_len += text.len;
}

static enum mime_field field_of(struct str name)
{
	if (str_equal_case(name, STR("Content-Type")))
		return MIME_FIELD_TYPE;
	if (str_equal_case(name, STR("Content-Transfer-Encoding")))
		return MIME_FIELD_ENCODING;
	return str_equal_case(name, STR("MIME-Version")) ? MIME_FIELD_VERSION : MIME_FIELD_ANY;
}

static enum mime_event header_line(struct mime *m)
{
	struct str line = m->octets, rest = line;
	struct header_field field;

	if (m->fields > 0 && (line.data[0] == ' ' || line.data[0] == '\t')) {
		value_add(m, str_slice(line, 0, line.len - 2));
		return MIME_HEADER_LINE;
	}
	if (header_next(&rest, &field)) {
		field_end(m);
		m->fields++;
		m->field = field_of(field.name);
		m->value_len = 0;
		value_add(m, field.value);
		return MIME_HEADER_LINE;
	}
	if (line.len > 2) { /* the body's first */
		m->again = true;
		m->octets.len = 0;
	}
	return header_over(m);
}

static bool line_is_whole(const struct mime *m)
{
	return m->len > 0 && m->line[m->len - 1] == '\n';
}

/* Up to the line's end, or as many octets as `most`. */
static void gather(struct mime *m, struct str *in, size_t most)
{
	while (in->len > 0 && m->len < most && !line_is_whole(m)) {
		m->line[m->len++] = in->data[0];
		*in = str_slice(*in, 1, in->len);
	}
}

/* The rest of a body line, or of `in`. */
static enum mime_event body(struct mime *m, struct str *in)
{
	ptrdiff_t lf = str_find(*in, '\n');

	m->octets = lf < 0 ? *in : str_slice(*in, 0, (size_t)lf + 1);
	m->inside = lf < 0;
	*in = str_slice(*in, m->octets.len, in->len);
	return MIME_BODY;
}

static enum mime_event gathered(struct mime *m, size_t level)
{
	m->shown = true;
	m->octets = str_make(m->line, m->len);
	if (level > 0)
		return boundary(m, level);
	if (m->header)
		return header_line(m);
	m->inside = !line_is_whole(m);
	return MIME_BODY;
}

enum mime_event mime_next(struct mime *m, struct str *in)
{
	size_t level;

	if (m->broken)
		return MIME_BROKEN;
	if (m->shown && !m->again)
		m->len = 0;
	m->shown = m->again = false;
	if (in->len == 0 && m->len == 0)
		return MIME_MORE;
	if (m->begin != BEGUN) {
		if (m->entities == MIME_ENTITIES_MAX)
			return broken(m, "it has too many parts");
		entity_begin(m);
	}
	if (m->inside || (!m->header && m->len == 0 && (m->depth == 0 || in->data[0] != '-')))
		return body(m, in);
	gather(m, in, m->header ? sizeof m->line : HEAD_MAX);
	if (!line_is_whole(m) && m->len < HEAD_MAX)
		return MIME_MORE;
	level = boundary_level(m);
	if (m->header || level > 0) {
		gather(m, in, sizeof m->line);
		if (!line_is_whole(m))
			return m->len < sizeof m->line
				? MIME_MORE
				: broken(m, "a line of a header is too long");
	}
	return gathered(m, level);
}
