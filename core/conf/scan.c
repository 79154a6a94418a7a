/* SPDX-License-Identifier: MIT
 *
 * Goes over a file's text before libconfig 1.5 does, for what that would get wrong in silence
 * or not survive: an integer beyond 32 bits loses its upper bits unless an L follows (we write
 * one behind every integer), a string or comment that is never closed swallows the rest of the
 * file, a NUL ends the text, and an @include of a folder ends the process (we refuse @include:
 * conf.d is for that). Lines stay lines, so places stay true. All other grammar is libconfig's.
 */
#include "base/num.h"
#include "conf/tree.h"

struct scan {
	struct str rest;
	struct buf *out;
	const char *file;
	unsigned line;
	struct problems *problems;
	bool good;
};

static void scan_take(struct scan *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		s->line += s->rest.data[i] == '\n';
	buf_add(s->out, str_slice(s->rest, 0, len));
	s->rest = str_slice(s->rest, len, s->rest.len);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	c = ascii_lower(c);
	return (c >= 'a' && c <= 'z') || c == '*';
}

/* How far a name or number goes, loosely: what is neither, libconfig finds. */
static size_t word_len(struct str s)
{
	size_t len = 1;

	while (len < s.len &&
		(is_digit(s.data[len]) || is_letter(s.data[len]) || strchr("-+._", s.data[len])))
		len++;
	return len;
}

/* Of the comment or string at the front, 0: there is none; beyond s.len when it is not closed. */
static size_t comment_len(struct str s)
{
	ptrdiff_t end;

	if (str_starts(s, STR("/*"))) {
		end = str_search_case(str_slice(s, 2, s.len), STR("*/"));
		return end < 0 ? s.len + 1 : (size_t)end + 4;
	}
	if (s.data[0] == '#' || str_starts(s, STR("//"))) {
		end = str_find(s, '\n');
		return end < 0 ? s.len : (size_t)end;
	}
	return 0;
}

static size_t string_len(struct str s)
{
	size_t len = 1;

	if (s.data[0] != '"')
		return 0;
	while (len < s.len && s.data[len] != '"')
		len += s.data[len] == '\\' ? 2 : 1;
	return len < s.len ? len + 1 : s.len + 1;
}

static void scan_closed(struct scan *s, size_t len, const char *what)
{
	if (len > s->rest.len) {
		problem_at(s->problems, s->file, s->line, "this %s is never closed", what);
		s->good = false;
		len = s->rest.len;
	}
	scan_take(s, len);
}

/* Any integer gets its L, once it is known to fit; a float passes. */
static void scan_number(struct scan *s)
{
	size_t len = word_len(s->rest);
	struct str word = str_slice(s->rest, 0, len), digits = word;
	uint64_t hex;
	int64_t value;
	bool fits;

	while (digits.len && digits.data[digits.len - 1] == 'L')
		digits.len--;
	if (str_starts_case(digits, STR("0x"))) {
		fits = num_hex(str_slice(digits, 2, digits.len), &hex) && hex <= INT64_MAX;
	} else {
		if (digits.len && digits.data[0] == '+')
			digits = str_slice(digits, 1, digits.len);
		for (size_t i = 0; i < digits.len; i++)
			if (!is_digit(digits.data[i]) && !(i == 0 && digits.data[i] == '-')) {
				scan_take(s, len);
				return;
			}
		fits = num_i64(digits, &value);
	}
	if (!fits) {
		problem_at(s->problems, s->file, s->line, "the number %.*s is not one that fits",
			STR_ARG(str_slice(word, 0, 40)));
		s->good = false;
	}
	scan_take(s, len);
	if (word.data[word.len - 1] != 'L')
		buf_add_char(s->out, 'L');
}

static void scan_include(struct scan *s)
{
	problem_at(s->problems, s->file, s->line,
		"@include is not understood here: put the file into conf.d instead");
	s->good = false;
	scan_take(s, s->rest.len);
}

static void scan_one(struct scan *s)
{
	char c = s->rest.data[0], next = s->rest.len > 1 ? s->rest.data[1] : '\0';
	size_t comment = comment_len(s->rest), string = string_len(s->rest);

	if (comment)
		scan_closed(s, comment, "comment");
	else if (string)
		scan_closed(s, string, "string");
	else if (is_digit(c) || ((c == '-' || c == '+') && is_digit(next)))
		scan_number(s);
	else if (is_letter(c) || c == '-' || c == '+' || c == '.')
		scan_take(s, word_len(s->rest));
	else if (str_starts(s->rest, STR("@include")))
		scan_include(s);
	else
		scan_take(s, 1);
}

bool scan_text(struct buf *out, struct str text, const char *file, struct problems *problems)
{
	struct scan s = { text, out, file, 1, problems, true };
	ptrdiff_t nul = str_find(text, '\0');

	if (nul >= 0) {
		for (ptrdiff_t i = 0; i < nul; i++)
			s.line += text.data[i] == '\n';
		problem_at(problems, file, s.line, "there is a NUL octet in this file");
		return false;
	}
	while (s.rest.len)
		scan_one(&s);
	return s.good;
}
