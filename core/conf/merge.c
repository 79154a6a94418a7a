/* SPDX-License-Identifier: MIT
 *
 * Several files, one tree: groups merge, lists append in the order of the files, and anything
 * else may be set in one place only. Of two settings that collide the first one stays.
 */
#include "conf/tree.h"

static struct setting *merge_find(struct conf_group *g, const char *name)
{
	for (struct setting *s = g->settings; s; s = s->next)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

static void merge_setting(struct conf_group *into, struct setting *s, struct problems *problems)
{
	struct setting *there = merge_find(into, s->name);

	if (!there) {
		*setting_end(&into->settings) = s;
	} else if (there->kind == SETTING_GROUP && s->kind == SETTING_GROUP) {
		merge_group(there->group, s->group, problems);
	} else if (there->kind == SETTING_LIST && s->kind == SETTING_LIST) {
		*setting_end(&there->items) = s->items;
	} else if (there->kind == s->kind) {
		problem_at(problems, s->file, s->line, "'%s' is already set at %s:%u", s->name,
			there->file, there->line);
	} else {
		problem_at(problems, s->file, s->line, "'%s' is %s here, but %s at %s:%u", s->name,
			setting_kind_name(s->kind), setting_kind_name(there->kind), there->file,
			there->line);
	}
}

void merge_group(struct conf_group *into, struct conf_group *from, struct problems *problems)
{
	struct setting *next;

	for (struct setting *s = from->settings; s; s = next) {
		next = s->next;
		s->next = NULL;
		merge_setting(into, s, problems);
	}
	from->settings = NULL;
}
