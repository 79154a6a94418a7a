/* SPDX-License-Identifier: MIT
 *
 * Environment variables in strings. ${NAME} must be set; ${NAME:-text} is the text when it is
 * not set or empty, and the text may hold others; $${ stands for ${ itself. What comes from the
 * environment is taken as it is, never expanded again. A $ before anything else is a $.
 */
#include "conf/tree.h"

#include <stdlib.h>

enum { EXPAND_NAME = 256, EXPAND_DEPTH = 16 };

static bool is_name(char c, bool first)
{
	if (c >= '0' && c <= '9')
		return !first;
	c = ascii_lower(c);
	return (c >= 'a' && c <= 'z') || c == '_';
}

/* Length up to the brace that closes, with those inside in pairs; -1: there is none. */
static ptrdiff_t closing_brace(struct str s)
{
	unsigned open = 1;

	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] == '{' && i && s.data[i - 1] == '$')
			open++;
		else if (s.data[i] == '}' && --open == 0)
			return (ptrdiff_t)i;
	}
	return -1;
}

static bool expand(struct buf *out, struct str in, unsigned depth, struct why *why);

/* *in stands behind "${"; what belongs to it is taken off. */
static bool expand_one(struct buf *out, struct str *in, unsigned depth, struct why *why)
{
	ptrdiff_t end = closing_brace(*in);
	struct str inside = str_slice(*in, 0, end < 0 ? 0 : (size_t)end);
	char name[EXPAND_NAME];
	const char *value;
	size_t len = 0;
	bool has_default;

	while (len < inside.len && is_name(inside.data[len], len == 0))
		len++;
	has_default = str_starts(str_slice(inside, len, inside.len), STR(":-"));
	if (len == 0 || len >= sizeof name || (len < inside.len && !has_default))
		return why_set(why,
			"a ${ must be followed by NAME} or NAME:-default} "
			"(write $${ for the two characters themselves)");
	memcpy(name, inside.data, len);
	name[len] = '\0';
	*in = str_slice(*in, (size_t)end + 1, in->len);
	value = getenv(name);
	if (value && (*value || !has_default)) {
		buf_add_c(out, value);
		return true;
	}
	if (!has_default)
		return why_set(why,
			"the environment variable %s is not set (write ${%s:-} if it may be "
			"missing)",
			name, name);
	if (depth == EXPAND_DEPTH)
		return why_set(why, "too many ${ inside each other");
	return expand(out, str_slice(inside, len + 2, inside.len), depth + 1, why);
}

static bool expand(struct buf *out, struct str in, unsigned depth, struct why *why)
{
	while (in.len) {
		if (str_starts(in, STR("$${"))) {
			buf_add(out, STR("${"));
			in = str_slice(in, 3, in.len);
		} else if (str_starts(in, STR("${"))) {
			in = str_slice(in, 2, in.len);
			if (!expand_one(out, &in, depth, why))
				return false;
		} else {
			buf_add_char(out, in.data[0]);
			in = str_slice(in, 1, in.len);
		}
	}
	return true;
}

bool expand_text(struct buf *out, struct str in, struct why *why)
{
	return expand(out, in, 0, why);
}
