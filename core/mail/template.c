/* SPDX-License-Identifier: MIT
 *
 * A template is read the same way by who checks it and by who expands it: lines that start a
 * section, and references. What stands in between is text, whatever it looks like.
 */
#include "mail/template.h"

static ptrdiff_t word_find(const struct str *words, size_t count, struct str word)
{
	for (size_t i = 0; i < count; i++)
		if (str_equal(words[i], word))
			return (ptrdiff_t)i;
	return -1;
}

/* ---- sections ---------------------------------------------------------------------------- */

/* "[name]" alone on its line. */
static bool is_section(struct str line, struct str *name)
{
	line = str_trim_line(line);
	if (line.len < 3 || line.data[0] != '[' || line.data[line.len - 1] != ']')
		return false;
	*name = str_slice(line, 1, line.len - 2);
	for (size_t i = 0; i < name->len; i++)
		if (ascii_lower(name->data[i]) < 'a' || ascii_lower(name->data[i]) > 'z')
			return false;
	return true;
}

/* The text in front of the next section, and the name of that. False: there is no more. */
static bool section_next(struct str *rest, struct str *text, struct str *next)
{
	struct str line, all = *rest;

	if (!rest->data)
		return false;
	while (str_split(rest, '\n', &line))
		if (is_section(line, next)) {
			*text = str_slice(all, 0, (size_t)(line.data - all.data));
			return true;
		}
	*text = all;
	*next = STR("");
	return true;
}

struct str template_section(struct str text, const struct template_words *words, struct str section)
{
	struct str piece, name = words->sections[0], next;
	bool named = false;

	for (; section_next(&text, &piece, &next); name = next, named = true)
		if (str_equal(name, section) && (named || str_trim_line(piece).len > 0))
			return piece;
	return str_make(NULL, 0);
}

/* ---- references -------------------------------------------------------------------------- */

/* Length of "${name}" or "{{.name}}" at the front, and the name; 0: none, or it is not closed. */
static size_t reference(struct str s, struct str *name)
{
	bool go = str_starts(s, STR("{{"));
	ptrdiff_t close = str_find(s, '}');
	size_t end = (size_t)close;

	if (close < 0)
		return 0;
	*name = str_slice(s, 2, end - 2);
	if (!go)
		return end + 1;
	*name = str_trim(*name);
	if (!str_starts(*name, STR(".")) || !str_starts(str_slice(s, end, s.len), STR("}}")))
		return 0;
	*name = str_slice(*name, 1, name->len);
	return end + 2;
}

/* Offset of the next "${" or "{{"; -1: none. */
static ptrdiff_t reference_find(struct str s)
{
	for (size_t i = 0; i + 1 < s.len; i++)
		if (s.data[i + 1] == '{' && (s.data[i] == '$' || s.data[i] == '{'))
			return (ptrdiff_t)i;
	return -1;
}

void template_expand(struct buf *out, struct str text, const struct template_words *words,
	const struct str *values)
{
	ptrdiff_t at;

	while ((at = reference_find(text)) >= 0) {
		struct str name;
		size_t length;
		ptrdiff_t i = -1;

		buf_add(out, str_slice(text, 0, (size_t)at));
		text = str_slice(text, (size_t)at, text.len);
		length = reference(text, &name);
		if (length > 0)
			i = word_find(words->names, words->name_count, name);
		if (i >= 0)
			buf_add(out, values[i]);
		else
			buf_add(out, str_slice(text, 0, length = 1));
		text = str_slice(text, length, text.len);
	}
	buf_add(out, text);
}

/* ---- the check --------------------------------------------------------------------------- */

static bool words_why(struct why *why, unsigned line, const char *what, struct str word,
	const struct str *known, size_t count)
{
	struct buf list = { 0 };

	for (size_t i = 0; i < count; i++)
		buf_printf(&list, "%s%.*s", i ? ", " : "", STR_ARG(known[i]));
	why_set(why, "line %u: there is no %s '%.*s', but %s", line, what, STR_ARG(word),
		buf_c(&list));
	buf_free(&list);
	return false;
}

static bool references_check(
	struct str text, unsigned line, const struct template_words *words, struct why *why)
{
	struct str name;
	ptrdiff_t at;

	while ((at = reference_find(text)) >= 0) {
		size_t length;

		text = str_slice(text, (size_t)at, text.len);
		length = reference(text, &name);
		if (length == 0)
			return why_set(why, "line %u: '%.*s' is not ${NAME}", line, STR_ARG(text));
		if (word_find(words->names, words->name_count, name) < 0)
			return words_why(why, line, "name", name, words->names, words->name_count);
		text = str_slice(text, length, text.len);
	}
	return true;
}

bool template_check(struct str text, const struct template_words *words, struct why *why)
{
	unsigned number = 0;
	uint64_t seen = 0;
	struct str line, name;

	while (str_split(&text, '\n', &line)) {
		ptrdiff_t i;

		number++;
		if (!is_section(line, &name)) {
			if (!references_check(str_trim_line(line), number, words, why))
				return false;
			continue;
		}
		i = word_find(words->sections, words->section_count, name);
		if (i < 0)
			return words_why(why, number, "section", name, words->sections,
				words->section_count);
		if (seen & 1ull << i)
			return why_set(
				why, "line %u: section '%.*s' comes twice", number, STR_ARG(name));
		seen |= 1ull << i;
	}
	return true;
}
