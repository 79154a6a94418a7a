/* SPDX-License-Identifier: MIT
 *
 * A group into C structs, by the tables of options: each option its value or its default, what
 * is required is there, and nothing else is. How one value is read is in value.c.
 */
#include "conf/tree.h"

static void reading_problem(struct reading *r, const char *key, const char *text)
{
	r->good = false;
	if (r->group)
		problem_add(r->problems, r->group, key, "'%s' %s", key, text);
	else
		problem_at(r->problems, r->conf->root->file, 0, "'%s' %s", key, text);
}

static void option_read(struct reading *r, const struct tmail_option *o, void *out)
{
	const struct setting *s = setting_find(r->group, o->name);
	void *member = (char *)out + o->offset;
	bool empty = s && s->kind == SETTING_STRING && s->text.len == 0;
	struct why why;

	if (!value_from_fallback(r, o, member, &why)) /* a mistake of the table itself */
		reading_problem(
			r, o->name, arena_printf(r->conf->arena, "by default %s", why.text).data);
	if ((!s || empty) && o->flags & TMAIL_REQUIRED) {
		r->good = false;
		/* Behind a syntax error it may well be there: that one is to be mended first. */
		if (s || !r->conf->torn)
			reading_problem(r, o->name, s ? "must not be empty" : "must be set");
		return;
	}
	if (!s || (empty && value_empty_is_default(o)))
		return;
	if (!value_from_setting(r, o, s, member, &why))
		reading_problem(r, o->name, why.text);
}

static bool in_tables(const struct conf_table *tables, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		TMAIL_EACH(struct tmail_option, o, tables[i].options)
			if (strcmp(o->name, name) == 0)
				return true;
	return false;
}

/* The name of an entry of `also`, without its mark. */
static struct str also_name(const char *entry)
{
	struct str s = str_c(entry);

	if (str_ends_case(s, STR("{}")) || str_ends_case(s, STR("()")))
		s.len -= 2;
	return s;
}

static const char *in_also(const char *const *also, const char *name)
{
	for (; also && *also; also++)
		if (str_equal(also_name(*also), str_c(name)))
			return *also;
	return NULL;
}

/* A setting that somebody else reads: of the kind they will look for. */
static void also_check(struct reading *r, const struct setting *s, const char *entry)
{
	const char *mark = entry + also_name(entry).len;

	if (*mark == '{' && s->kind != SETTING_GROUP)
		reading_problem(r, s->name, "must be a group: { ... }");
	else if (*mark == '(' && !setting_is_list_of_groups(s))
		reading_problem(r, s->name, "must be a list of groups: ( { ... }, { ... } )");
}

static void unknown_setting(struct reading *r, const struct setting *s,
	const struct conf_table *tables, size_t count, const char *const *also)
{
	const char **names, *nearest;
	size_t known = 0;

	for (size_t i = 0; i < count; i++)
		known += tables[i].options.count;
	for (size_t i = 0; also && also[i]; i++)
		known++;
	names = ARENA_ARRAY(r->conf->arena, const char *, known);
	known = 0;
	for (size_t i = 0; i < count; i++)
		TMAIL_EACH(struct tmail_option, o, tables[i].options)
			names[known++] = o->name;
	for (; also && *also; also++)
		names[known++] = arena_c(r->conf->arena, also_name(*also));
	nearest = conf_nearest(str_c(s->name), names, known);
	r->good = false;
	problem_at(r->problems, s->file, s->line, "unknown setting '%.64s'%s%s%s", s->name,
		nearest ? ", did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

bool conf_read(struct conf *c, const struct conf_group *g, const struct conf_table *tables,
	size_t count, const char *const *also, struct problems *problems)
{
	struct reading r = { c, g, problems, true };

	for (size_t i = 0; i < count; i++)
		TMAIL_EACH(struct tmail_option, o, tables[i].options)
			option_read(&r, o, tables[i].out);
	for (const struct setting *s = g ? g->settings : NULL; s; s = s->next) {
		const char *entry = in_also(also, s->name);

		if (entry)
			also_check(&r, s, entry);
		else if (!in_tables(tables, count, s->name))
			unknown_setting(&r, s, tables, count, also);
	}
	return r.good;
}
