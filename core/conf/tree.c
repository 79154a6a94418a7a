/* SPDX-License-Identifier: MIT
 *
 * Looking at the merged tree: what is where, and a hash over a group. Nothing here adds
 * problems; kinds that do not fit read as "not there", and conf_read is what complains.
 */
#include "conf/tree.h"

#include <stdlib.h>

const struct setting *setting_find(const struct conf_group *g, const char *name)
{
	for (const struct setting *s = g ? g->settings : NULL; s; s = s->next)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

struct setting **setting_end(struct setting **first)
{
	while (*first)
		first = &(*first)->next;
	return first;
}

const char *setting_kind_name(enum setting_kind kind)
{
	static const char *const names[] = {
		[SETTING_BOOL] = "true or false",
		[SETTING_INT] = "a whole number",
		[SETTING_FLOAT] = "a number with a point",
		[SETTING_STRING] = "a string",
		[SETTING_GROUP] = "a group",
		[SETTING_LIST] = "a list",
	};

	return names[kind];
}

bool setting_is_list_of_groups(const struct setting *s)
{
	if (s->kind != SETTING_LIST)
		return false;
	for (const struct setting *item = s->items; item; item = item->next)
		if (item->kind != SETTING_GROUP)
			return false;
	return true;
}

void setting_quote(struct buf *out, struct str s)
{
	buf_add_char(out, '"');
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.data[i];

		if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c < ' ' || c == 0x7f)
			buf_printf(out, "\\x%02x", c);
		else
			buf_add_char(out, (char)c);
	}
	buf_add_char(out, '"');
}

const struct conf_group *conf_group_of(const struct conf_group *g, const char *name)
{
	const struct setting *s = setting_find(g, name);

	return s && s->kind == SETTING_GROUP ? s->group : NULL;
}

size_t conf_list_count(const struct conf_group *g, const char *name)
{
	const struct setting *s = setting_find(g, name);
	size_t count = 0;

	if (!s || !setting_is_list_of_groups(s))
		return 0;
	for (const struct setting *item = s->items; item; item = item->next)
		count++;
	return count;
}

const struct conf_group *conf_list_at(const struct conf_group *g, const char *name, size_t i)
{
	const struct setting *s = setting_find(g, name);
	const struct setting *item = s && setting_is_list_of_groups(s) ? s->items : NULL;

	for (; item && i; i--)
		item = item->next;
	return item ? item->group : NULL;
}

struct str conf_string(const struct conf_group *g, const char *name)
{
	const struct setting *s = setting_find(g, name);

	return s && s->kind == SETTING_STRING ? s->text : STR("");
}

const char *conf_place(const struct conf_group *g, const char *key)
{
	const struct setting *s = key ? setting_find(g, key) : NULL;
	const char *file = s ? s->file : g ? g->file : "";
	unsigned line = s ? s->line : g ? g->line : 0;

	if (line == 0)
		return file;
	return arena_printf(g->conf->arena, "%s:%u", file, line).data;
}

static void hash_group(struct buf *out, const struct conf_group *g);

static void hash_setting(struct buf *out, const struct setting *s)
{
	buf_add_u8(out, (uint8_t)s->kind);
	switch (s->kind) {
	case SETTING_BOOL:
	case SETTING_INT:
	case SETTING_FLOAT:
		buf_add_u64(out, (uint64_t)s->number);
		break;
	case SETTING_STRING:
		buf_add_lstr(out, s->text);
		break;
	case SETTING_GROUP:
		hash_group(out, s->group);
		break;
	case SETTING_LIST:
		for (const struct setting *item = s->items; item; item = item->next)
			hash_setting(out, item);
		buf_add_u8(out, UINT8_MAX);
		break;
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct setting *const *)a)->name,
		(*(const struct setting *const *)b)->name);
}

/* In the order of names: where in its file a setting stands changes nothing. */
static void hash_group(struct buf *out, const struct conf_group *g)
{
	const struct setting **sorted;
	size_t count = 0;

	for (const struct setting *s = g->settings; s; s = s->next)
		count++;
	sorted = must_alloc(count * sizeof(const struct setting *));
	count = 0;
	for (const struct setting *s = g->settings; s; s = s->next)
		sorted[count++] = s;
	qsort(sorted, count, sizeof(const struct setting *), by_name);
	buf_add_u32(out, (uint32_t)count);
	for (size_t i = 0; i < count; i++) {
		buf_add_lstr(out, str_c(sorted[i]->name));
		hash_setting(out, sorted[i]);
	}
	free(sorted);
}

uint64_t conf_hash(const struct conf_group *g)
{
	struct buf content = { 0 };
	uint64_t hash;

	if (g)
		hash_group(&content, g);
	hash = str_hash(buf_str(&content));
	buf_free_secret(&content);
	return hash;
}
