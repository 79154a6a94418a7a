/* SPDX-License-Identifier: MIT
 *
 * Words of a command line become values of a verb's arguments, by the declaration and nothing
 * else: one grammar for every verb. Also prints how a verb is used.
 *
 *   -x  --x  -x VALUE  --x=VALUE     flags, by name or any of its short spellings, with one
 *                                    dash or two, before or after the other words
 *   --                               what follows are no flags
 *   -                                an ordinary word: standard input, for a secret
 */
#include "admin/verb.h"

#include "base/num.h"

#include <stdlib.h>

struct str value_of(const struct values *v, const char *name)
{
	for (size_t i = 0; i < v->count; i++)
		if (str_equal(
			    (struct str){ v->item[i].name.data, v->item[i].name.len }, str_c(name)))
			return (struct str){ v->item[i].value.data, v->item[i].value.len };
	return (struct str){ NULL, 0 };
}

bool value_set(const struct values *v, const char *name)
{
	return value_of(v, name).data != NULL;
}

static bool argument_is(const struct tmail_argument *a, struct str name)
{
	struct str rest = str_c(a->shorts), word;

	if (a->flags & TMAIL_POSITIONAL)
		return false;
	if (str_equal(str_c(a->name), name))
		return true;
	while (a->shorts && str_word(&rest, &word))
		if (str_equal(word, name))
			return true;
	return false;
}

static const struct tmail_argument *argument_find(const struct verb *v, struct str name)
{
	TMAIL_EACH(struct tmail_argument, a, v->arguments) {
		if (argument_is(a, name))
			return a;
	}
	return NULL;
}

static bool why_no_flag(struct why *why, const struct verb *v, struct str word, struct str name)
{
	const char **names = must_alloc((v->arguments.count + 1) * sizeof *names);
	const char *nearest;
	size_t n = 0;

	TMAIL_EACH(struct tmail_argument, a, v->arguments) {
		if (!(a->flags & TMAIL_POSITIONAL))
			names[n++] = a->name;
	}
	nearest = conf_nearest(name, names, n);
	free(names);
	if (nearest)
		return why_set(
			why, "unknown flag '%.*s', did you mean '--%s'?", STR_ARG(word), nearest);
	return why_set(why, "unknown flag '%.*s'", STR_ARG(word));
}

static bool given(const struct values *values, const struct tmail_argument *a)
{
	for (size_t i = 0; i < values->count; i++)
		if (values->item[i].name.data == a->name)
			return true;
	return false;
}

/* `values->item` has room for every word. */
static bool value_add(
	struct values *values, const struct tmail_argument *a, struct str value, struct why *why)
{
	int64_t number;
	bool on;

	if (!(a->flags & TMAIL_REPEATED) && given(values, a))
		return why_set(why, "'%s' is given twice", a->name);
	if (a->type == TMAIL_TYPE_INT && !num_i64(value, &number))
		return why_set(why, "'%s' wants a number, not '%.*s'", a->name, STR_ARG(value));
	if (a->type == TMAIL_TYPE_BOOL) {
		if (!num_bool(value, &on))
			return why_set(why, "'%s' wants true or false, not '%.*s'", a->name,
				STR_ARG(value));
		if (!on)
			return true;
		value = STR("1");
	}
	values->item[values->count++] = (struct tmail_value){ { a->name, strlen(a->name) },
		{ value.data ? value.data : "", value.len } };
	return true;
}

/* A flag at words[*at]; moves *at over the value behind it. */
static bool flag_read(const struct verb *v, const struct str *words, size_t count, size_t *at,
	struct values *values, struct why *why)
{
	struct str word = words[*at], name = str_slice(word, 1, word.len);
	const struct tmail_argument *a;
	ptrdiff_t equals;

	if (name.len && *name.data == '-')
		name = str_slice(name, 1, name.len);
	equals = str_find(name, '=');
	a = argument_find(v, equals < 0 ? name : str_slice(name, 0, (size_t)equals));
	if (!a)
		return why_no_flag(why, v, word, name);
	if (equals >= 0)
		return value_add(values, a, str_slice(name, (size_t)equals + 1, name.len), why);
	if (a->type == TMAIL_TYPE_BOOL)
		return value_add(values, a, STR("true"), why);
	if (*at + 1 >= count)
		return why_set(why, "'%.*s' wants a value behind it", STR_ARG(word));
	return value_add(values, a, words[++*at], why);
}

/* The argument the next ordinary word belongs to, or NULL when there were enough. */
static const struct tmail_argument *positional_next(
	const struct verb *v, const struct values *values)
{
	TMAIL_EACH(struct tmail_argument, a, v->arguments) {
		if ((a->flags & TMAIL_POSITIONAL) &&
			((a->flags & TMAIL_REPEATED) || !given(values, a)))
			return a;
	}
	return NULL;
}

static bool required_given(const struct verb *v, const struct values *values, struct why *why)
{
	TMAIL_EACH(struct tmail_argument, a, v->arguments) {
		if ((a->flags & TMAIL_REQUIRED) && !given(values, a))
			return why_set(why, "%s%s is missing",
				a->flags & TMAIL_POSITIONAL ? "" : "--", a->name);
	}
	return true;
}

static bool help_wanted(const struct verb *v, const struct str *words, size_t count)
{
	for (size_t i = 0; i < count && !str_equal(words[i], STR("--")); i++)
		if (str_equal(words[i], STR("--help")) || str_equal(words[i], STR("-help")) ||
			(str_equal(words[i], STR("-h")) && !argument_find(v, STR("h"))))
			return true;
	return false;
}

static bool words_read(const struct verb *v, const struct str *words, size_t count,
	struct values *values, struct why *why)
{
	bool flags = true;

	for (size_t i = 0; i < count; i++) {
		const struct tmail_argument *a;

		if (flags && str_equal(words[i], STR("--"))) {
			flags = false;
		} else if (flags && words[i].len > 1 && *words[i].data == '-') {
			if (!flag_read(v, words, count, &i, values, why))
				return false;
		} else {
			a = positional_next(v, values);
			if (!a)
				return why_set(
					why, "'%.*s' is one word too many", STR_ARG(words[i]));
			if (!value_add(values, a, words[i], why))
				return false;
		}
	}
	return required_given(v, values, why);
}

enum verb_result values_parse(const struct verb *v, const struct str *words, size_t count,
	struct arena *arena, struct values *values, bool *help, struct why *why)
{
	struct values found = { .item = ARENA_ARRAY(arena, struct tmail_value, count + 1) };

	*help = help_wanted(v, words, count);
	if (!*help && !words_read(v, words, count, &found, why))
		return VERB_USAGE;
	found.list = (struct tmail_list){ found.item, (uint32_t)found.count, sizeof *found.item };
	*values = found;
	return VERB_OK;
}

/* ---- how it is used ----------------------------------------------------------------------- */

static void usage_flag(struct buf *out, const struct tmail_argument *a)
{
	struct str rest = str_c(a->shorts), word;

	while (a->shorts && str_word(&rest, &word))
		buf_printf(out, "-%.*s, ", STR_ARG(word));
	buf_printf(out, "--%s", a->name);
	if (a->type == TMAIL_TYPE_INT)
		buf_add_c(out, " N");
	else if (a->type != TMAIL_TYPE_BOOL)
		buf_add_c(out, " VALUE");
}

static void usage_line(struct buf *out, const struct verb *v)
{
	bool flags = false;

	TMAIL_EACH(struct tmail_argument, a, v->arguments) {
		flags |= !(a->flags & TMAIL_POSITIONAL);
	}
	buf_printf(out, "usage: tmail %s%s", v->name, flags ? " [flags]" : "");
	TMAIL_EACH(struct tmail_argument, a, v->arguments) {
		const char *more = a->flags & TMAIL_REPEATED ? "..." : "";

		if (!(a->flags & TMAIL_POSITIONAL))
			continue;
		if (a->flags & TMAIL_REQUIRED)
			buf_printf(out, " %s%s", a->name, more);
		else
			buf_printf(out, " [%s%s]", a->name, more);
	}
	buf_printf(out, "\n\n%s\n", v->summary ? v->summary : "");
}

void verb_usage(struct buf *out, const struct verb *v)
{
	struct buf left = { 0 };

	usage_line(out, v);
	if (v->arguments.count)
		buf_add_char(out, '\n');
	TMAIL_EACH(struct tmail_argument, a, v->arguments) {
		buf_clear(&left);
		if (a->flags & TMAIL_POSITIONAL)
			buf_add_c(&left, a->name);
		else
			usage_flag(&left, a);
		buf_printf(out, "  %-28s  %s\n", buf_c(&left), a->summary ? a->summary : "");
	}
	buf_free(&left);
}
