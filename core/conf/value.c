/* SPDX-License-Identifier: MIT
 *
 * One value of an option, checked and put into its member. Each type of option has one row in
 * `readers`: how to take it from a setting of its own kind, and how to take it from text, which
 * is also how defaults are read. A value of TMAIL_TYPE_SECRET never gets into a message.
 */
#include "base/encode.h"
#include "base/num.h"
#include "conf/tree.h"

_Static_assert(sizeof(struct str) == sizeof(struct tmail_str), "one layout for both");

struct reader_of_type {
	/* From a setting of this kind (SETTING_STRING: none but text). */
	enum setting_kind kind;
	bool (*from_setting)(struct reading *r, const struct tmail_option *o,
		const struct setting *s, void *member, struct why *why);
	bool (*from_text)(struct reading *r, const struct tmail_option *o, struct str text,
		void *member, struct why *why);
	bool empty_is_default;
	const char *expected;
};

/* A value as it may stand in a message: printable and not long. */
static struct str shown(struct reading *r, struct str text)
{
	struct buf quoted = { 0 };
	struct str made;

	quote(&quoted, str_slice(text, 0, 60));
	made = arena_printf(r->conf->arena, "\"%.*s%s\"", STR_ARG(buf_str(&quoted)),
		text.len > 60 ? "..." : "");
	buf_free(&quoted);
	return made;
}

static void store_str(void *member, struct str s)
{
	struct tmail_str made = { s.data, s.len };

	memcpy(member, &made, sizeof made);
}

static bool bool_from_setting(struct reading *r, const struct tmail_option *o,
	const struct setting *s, void *member, struct why *why)
{
	int32_t value = s->number != 0;

	(void)r, (void)o, (void)why;
	memcpy(member, &value, sizeof value);
	return true;
}

static bool bool_from_text(struct reading *r, const struct tmail_option *o, struct str text,
	void *member, struct why *why)
{
	bool value;
	int32_t stored;

	(void)o;
	if (!num_bool(text, &value))
		return why_set(why, "is %s, must be true or false", shown(r, text).data);
	stored = value;
	memcpy(member, &stored, sizeof stored);
	return true;
}

static bool store_number(const struct tmail_option *o, int64_t value, void *member, struct why *why)
{
	char is[NUMBER_TEXT], range[RANGE_TEXT];

	if (o->min != o->max && (value < o->min || value > o->max)) {
		number_text(o->type, value, is);
		number_range_text(o, range);
		return why_set(why, "is %s, must be %s", is, range);
	}
	memcpy(member, &value, sizeof value);
	return true;
}

static bool int_from_setting(struct reading *r, const struct tmail_option *o,
	const struct setting *s, void *member, struct why *why)
{
	int64_t factor = o->type == TMAIL_TYPE_DURATION ? 1000 : 1, value;

	(void)r;
	if (o->type != TMAIL_TYPE_INT && s->number < 0)
		return why_set(why, "must not be negative");
	if (__builtin_mul_overflow(s->number, factor, &value))
		return why_set(why, "is too large");
	return store_number(o, value, member, why);
}

static bool int_from_text(struct reading *r, const struct tmail_option *o, struct str text,
	void *member, struct why *why)
{
	int64_t value;

	if (!num_i64(text, &value))
		return why_set(why, "is %s, must be a whole number", shown(r, text).data);
	return store_number(o, value, member, why);
}

static bool duration_from_text(struct reading *r, const struct tmail_option *o, struct str text,
	void *member, struct why *why)
{
	int64_t value;

	if (!num_duration(text, &value))
		return why_set(why,
			"is %s, must be a duration such as \"30s\", \"5m\" or \"1h30m\", or "
			"seconds",
			shown(r, text).data);
	return store_number(o, value, member, why);
}

static bool size_from_text(struct reading *r, const struct tmail_option *o, struct str text,
	void *member, struct why *why)
{
	int64_t value;

	if (!num_size(text, &value))
		return why_set(why,
			"is %s, must be a size such as \"64K\", \"10M\" or \"1G\", or octets",
			shown(r, text).data);
	return store_number(o, value, member, why);
}

static bool string_from_text(struct reading *r, const struct tmail_option *o, struct str text,
	void *member, struct why *why)
{
	(void)o, (void)why;
	store_str(member, arena_str(r->conf->arena, text));
	return true;
}

static bool file_from_text(struct reading *r, const struct tmail_option *o, struct str text,
	void *member, struct why *why)
{
	if (text.len == 0)
		return string_from_text(r, o, text, member, why);
	store_str(member, path_under(r->conf->arena, r->conf->base, text));
	return true;
}

static bool choice_from_text(struct reading *r, const struct tmail_option *o, struct str text,
	void *member, struct why *why)
{
	struct str rest = str_c(o->choices), word;

	for (int32_t i = 0; str_word(&rest, &word); i++)
		if (str_equal_case(word, text)) {
			memcpy(member, &i, sizeof i);
			return true;
		}
	return why_set(why, "is %s, must be one of: %s", shown(r, text).data, o->choices);
}

/* Words between blanks (of all kinds: the string may span lines) and commas. */
bool value_word(struct str *rest, struct str *word)
{
	static const char between[] = " \t\r\n,";
	size_t start = 0, end;

	while (start < rest->len && memchr(between, rest->data[start], sizeof between - 1))
		start++;
	for (end = start; end < rest->len; end++)
		if (memchr(between, rest->data[end], sizeof between - 1))
			break;
	*word = str_slice(*rest, start, end - start);
	*rest = str_slice(*rest, end, rest->len);
	return word->len > 0;
}

static void store_list(void *member, const void *items, size_t count, size_t stride)
{
	struct tmail_list list = { items, (uint32_t)count, (uint32_t)stride };

	memcpy(member, &list, sizeof list);
}

static bool strings_from_text(struct reading *r, const struct tmail_option *o, struct str text,
	void *member, struct why *why)
{
	struct str rest = text, word;
	struct tmail_str *items;
	size_t count = 0;

	(void)o, (void)why;
	while (value_word(&rest, &word))
		count++;
	items = ARENA_ARRAY(r->conf->arena, struct tmail_str, count);
	rest = text;
	for (size_t i = 0; value_word(&rest, &word); i++)
		store_str(&items[i], arena_str(r->conf->arena, word));
	store_list(member, items, count, sizeof *items);
	return true;
}

static size_t count_items(const struct setting *s)
{
	size_t count = 0;

	for (const struct setting *item = s->items; item; item = item->next)
		count++;
	return count;
}

static bool strings_from_setting(struct reading *r, const struct tmail_option *o,
	const struct setting *s, void *member, struct why *why)
{
	struct tmail_str *items = ARENA_ARRAY(r->conf->arena, struct tmail_str, count_items(s));
	size_t count = 0;

	(void)o;
	for (const struct setting *item = s->items; item; item = item->next) {
		if (item->kind != SETTING_STRING)
			return why_set(why, "must hold strings only, but has %s at %s:%u",
				setting_kind_name(item->kind), item->file, item->line);
		store_str(&items[count++], item->text);
	}
	store_list(member, items, count, sizeof *items);
	return true;
}

/* The mistakes inside the groups are added there, each with its own place. */
static bool groups_from_setting(struct reading *r, const struct tmail_option *o,
	const struct setting *s, void *member, struct why *why)
{
	size_t count = 0, all = count_items(s);
	char *items;

	if (!setting_is_list_of_groups(s))
		return why_set(why, "must hold groups only: ( { ... }, { ... } )");
	must(o->stride > 0);
	items = arena_array(r->conf->arena, o->stride, all);
	for (const struct setting *item = s->items; item; item = item->next) {
		struct conf_table table = { o->options, items + count++ * o->stride };

		if (!conf_read(r->conf, item->group, &table, 1, NULL, r->problems))
			r->good = false;
	}
	store_list(member, items, count, o->stride);
	return true;
}

static const struct reader_of_type readers[] = {
	[TMAIL_TYPE_BOOL] = { SETTING_BOOL, bool_from_setting, bool_from_text, true,
		"true or false" },
	[TMAIL_TYPE_INT] = { SETTING_INT, int_from_setting, int_from_text, true, "a whole number" },
	[TMAIL_TYPE_STRING] = { SETTING_STRING, NULL, string_from_text, false, "a string" },
	[TMAIL_TYPE_DURATION] = { SETTING_INT, int_from_setting, duration_from_text, true,
		"a duration such as \"30s\"" },
	[TMAIL_TYPE_SIZE] = { SETTING_INT, int_from_setting, size_from_text, true,
		"a size such as \"10M\"" },
	[TMAIL_TYPE_FILE] = { SETTING_STRING, NULL, file_from_text, false, "the name of a file" },
	[TMAIL_TYPE_STRINGS] = { SETTING_LIST, strings_from_setting, strings_from_text, false,
		"a list of strings" },
	[TMAIL_TYPE_CHOICE] = { SETTING_STRING, NULL, choice_from_text, true, "a string" },
	[TMAIL_TYPE_SECRET] = { SETTING_STRING, NULL, string_from_text, false, "a string" },
	[TMAIL_TYPE_GROUPS] = { SETTING_LIST, groups_from_setting, NULL, false,
		"a list of groups: ( { ... }, { ... } )" },
};

static const struct reader_of_type *reader_for(const struct tmail_option *o)
{
	must(o->type < sizeof readers / sizeof *readers);
	return &readers[o->type];
}

static size_t member_size(uint32_t type)
{
	switch (type) {
	case TMAIL_TYPE_BOOL:
	case TMAIL_TYPE_CHOICE:
		return sizeof(int32_t);
	case TMAIL_TYPE_STRINGS:
	case TMAIL_TYPE_GROUPS:
		return sizeof(struct tmail_list);
	case TMAIL_TYPE_INT:
	case TMAIL_TYPE_DURATION:
	case TMAIL_TYPE_SIZE:
		return sizeof(int64_t);
	default:
		return sizeof(struct tmail_str);
	}
}

static bool is_string(uint32_t type)
{
	return type == TMAIL_TYPE_STRING || type == TMAIL_TYPE_FILE || type == TMAIL_TYPE_SECRET;
}

bool value_empty_is_default(const struct tmail_option *o)
{
	return reader_for(o)->empty_is_default;
}

bool value_from_fallback(
	struct reading *r, const struct tmail_option *o, void *member, struct why *why)
{
	const struct reader_of_type *reader = reader_for(o);

	memset(member, 0, member_size(o->type));
	if (is_string(o->type))
		store_str(member, STR(""));
	if (!o->fallback || !reader->from_text)
		return true;
	return reader->from_text(r, o, str_c(o->fallback), member, why);
}

bool value_from_setting(struct reading *r, const struct tmail_option *o, const struct setting *s,
	void *member, struct why *why)
{
	const struct reader_of_type *reader = reader_for(o);

	if (s->kind == SETTING_STRING && reader->from_text)
		return reader->from_text(r, o, s->text, member, why);
	if (s->kind == reader->kind && reader->from_setting)
		return reader->from_setting(r, o, s, member, why);
	return why_set(why, "must be %s, not %s", reader->expected, setting_kind_name(s->kind));
}
