/* SPDX-License-Identifier: MIT
 *
 * Looking at pieces of text: compare, find, trim, cut, hash. Nothing here allocates but
 * str_dup_c. Folding is ASCII only, whatever the locale.
 */
#include "base/str.h"

#include "base/fail.h"

#include <stdlib.h>

struct str str_slice(struct str s, size_t start, size_t len)
{
	if (start > s.len)
		start = s.len;
	if (len > s.len - start)
		len = s.len - start;
	return (struct str){ start ? s.data + start : s.data, len };
}

bool str_equal_case(struct str a, struct str b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (ascii_lower(a.data[i]) != ascii_lower(b.data[i]))
			return false;
	return true;
}

int str_compare(struct str a, struct str b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = len ? memcmp(a.data, b.data, len) : 0;

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

bool str_starts(struct str s, struct str prefix)
{
	return s.len >= prefix.len && str_equal(str_slice(s, 0, prefix.len), prefix);
}

bool str_starts_case(struct str s, struct str prefix)
{
	return s.len >= prefix.len && str_equal_case(str_slice(s, 0, prefix.len), prefix);
}

bool str_ends_case(struct str s, struct str suffix)
{
	return s.len >= suffix.len &&
		str_equal_case(str_slice(s, s.len - suffix.len, suffix.len), suffix);
}

ptrdiff_t str_find(struct str s, char c)
{
	const char *at = s.len ? memchr(s.data, c, s.len) : NULL;

	return at ? at - s.data : -1;
}

ptrdiff_t str_find_last(struct str s, char c)
{
	const char *at = s.len ? memrchr(s.data, c, s.len) : NULL;

	return at ? at - s.data : -1;
}

ptrdiff_t str_search_case(struct str s, struct str part)
{
	for (size_t i = 0; part.len <= s.len && i <= s.len - part.len; i++)
		if (str_equal_case(str_slice(s, i, part.len), part))
			return (ptrdiff_t)i;
	return -1;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_blank_or_line(char c)
{
	return is_blank(c) || c == '\r' || c == '\n';
}

static struct str trim(struct str s, bool (*is)(char))
{
	while (s.len && is(s.data[0]))
		s = str_slice(s, 1, s.len);
	while (s.len && is(s.data[s.len - 1]))
		s.len--;
	return s;
}

struct str str_trim(struct str s)
{
	return trim(s, is_blank);
}

struct str str_trim_line(struct str s)
{
	return trim(s, is_blank_or_line);
}

bool str_split(struct str *rest, char c, struct str *piece)
{
	ptrdiff_t at;

	if (!rest->data)
		return false;
	at = str_find(*rest, c);
	if (at < 0) {
		*piece = *rest;
		*rest = (struct str){ NULL, 0 };
		return true;
	}
	*piece = str_slice(*rest, 0, (size_t)at);
	*rest = str_slice(*rest, (size_t)at + 1, rest->len);
	return true;
}

bool str_word(struct str *rest, struct str *word)
{
	struct str s = str_trim(*rest);
	size_t len = 0;

	while (len < s.len && !is_blank(s.data[len]))
		len++;
	if (len == 0)
		return false;
	*word = str_slice(s, 0, len);
	*rest = str_slice(s, len, s.len);
	return true;
}

void ascii_lower_all(char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		data[i] = ascii_lower(data[i]);
}

char *str_dup_c(struct str s)
{
	char *text = must_alloc(s.len + 1);

	if (s.len)
		memcpy(text, s.data, s.len);
	return text;
}
