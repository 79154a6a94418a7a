/* SPDX-License-Identifier: MIT
 *
 * SQL as text: where a statement ends, and the few words that each database spells in its own
 * way. This does not understand SQL beyond its quotes and comments, and never sees values: they
 * are parameters.
 */
#include "statement.h"

/* Offset behind a quoted piece or a comment that starts at `at`, or `at` when none does. */
static size_t skip_quoted(struct str s, size_t at)
{
	char c = s.data[at];

	if (c == '\'' || c == '"') {
		for (at++; at < s.len && s.data[at] != c; at++)
			;
		return at < s.len ? at + 1 : at;
	}
	if (c == '-' && at + 1 < s.len && s.data[at + 1] == '-') {
		while (at < s.len && s.data[at] != '\n')
			at++;
	}
	return at;
}

bool statement_next(struct str *rest, struct str *statement)
{
	while (rest->len > 0) {
		size_t at = 0;

		while (at < rest->len && rest->data[at] != ';') {
			size_t behind = skip_quoted(*rest, at);
			at = behind > at ? behind : at + 1;
		}
		*statement = str_trim_line(str_slice(*rest, 0, at));
		*rest = at < rest->len ? str_slice(*rest, at + 1, rest->len) : str_make(NULL, 0);
		if (statement->len > 0)
			return true;
	}
	return false;
}

static const char *word_text(struct str name, const struct statement_word *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (str_equal(name, str_c(words[i].name)))
			return words[i].text;
	return NULL;
}

void statement_expand(
	struct buf *out, struct str sql, const struct statement_word *words, size_t count)
{
	while (sql.len > 0) {
		ptrdiff_t dollar = str_find(sql, '$');
		struct str tail;
		ptrdiff_t close;
		const char *text;

		if (dollar < 0) {
			buf_add(out, sql);
			return;
		}
		buf_add(out, str_slice(sql, 0, (size_t)dollar));
		tail = str_slice(sql, (size_t)dollar, sql.len);
		close = tail.len > 1 && tail.data[1] == '{' ? str_find(tail, '}') : -1;
		text = close > 0 ? word_text(str_slice(tail, 2, (size_t)close - 2), words, count)
				 : NULL;
		if (text) {
			buf_add_c(out, text);
			sql = str_slice(tail, (size_t)close + 1, tail.len);
		} else {
			buf_add_char(out, '$');
			sql = str_slice(tail, 1, tail.len);
		}
	}
}
