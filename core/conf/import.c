/* SPDX-License-Identifier: MIT
 *
 * One file's text, through libconfig, into the tree: copies everything out (libconfig's tree
 * goes with its config_t) and expands strings on the way. libconfig stops at the first syntax
 * error of a file; what it had read until there is taken all the same, so that its mistakes
 * are found in the same run.
 */
#include "conf/tree.h"

#include <libconfig.h>

struct import {
	struct conf *conf;
	const char *file;
	struct problems *problems;
};

static struct conf_group *import_group(struct import *im, const config_setting_t *from);

static struct str import_string(struct import *im, const config_setting_t *from, const char *name)
{
	struct str raw = str_c(config_setting_get_string(from)), made;
	struct buf text = { 0 };
	struct why why;

	if (!expand_text(&text, raw, &why)) {
		problem_at(im->problems, im->file, config_setting_source_line(from), "'%s': %s",
			name ? name : "an item of a list", why.text);
		buf_clear(&text);
	}
	made = arena_str(im->conf->arena, buf_str(&text));
	buf_free_secret(&text);
	return made;
}

/* NULL for what a syntax error left without a value. `name` is for messages. */
static struct setting *import_setting(
	struct import *im, const config_setting_t *from, const char *name)
{
	struct setting *s = ARENA_NEW(im->conf->arena, struct setting), **end;

	s->file = im->file;
	s->line = config_setting_source_line(from);
	switch (config_setting_type(from)) {
	case CONFIG_TYPE_BOOL:
		s->kind = SETTING_BOOL;
		s->number = config_setting_get_bool(from);
		return s;
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		s->kind = SETTING_INT;
		s->number = config_setting_get_int64(from);
		return s;
	case CONFIG_TYPE_FLOAT: {
		double value = config_setting_get_float(from);

		s->kind = SETTING_FLOAT; /* its bits, for the hash; no option is a float */
		memcpy(&s->number, &value, sizeof s->number);
		return s;
	}
	case CONFIG_TYPE_STRING:
		s->kind = SETTING_STRING;
		s->text = import_string(im, from, name);
		return s;
	case CONFIG_TYPE_GROUP:
		s->kind = SETTING_GROUP;
		s->group = import_group(im, from);
		return s;
	case CONFIG_TYPE_ARRAY:
	case CONFIG_TYPE_LIST:
		s->kind = SETTING_LIST;
		end = &s->items;
		for (int i = 0; i < config_setting_length(from); i++) {
			*end = import_setting(im, config_setting_get_elem(from, (unsigned)i), name);
			if (*end)
				end = &(*end)->next;
		}
		return s;
	default:
		return NULL;
	}
}

static struct conf_group *import_group(struct import *im, const config_setting_t *from)
{
	struct conf_group *g = ARENA_NEW(im->conf->arena, struct conf_group);
	struct setting **end = &g->settings;

	g->conf = im->conf;
	g->file = im->file;
	g->line = config_setting_is_root(from) ? 0 : config_setting_source_line(from);
	for (int i = 0; i < config_setting_length(from); i++) {
		const config_setting_t *member = config_setting_get_elem(from, (unsigned)i);
		struct str name = str_c(config_setting_name(member));

		*end = import_setting(im, member, name.data);
		if (!*end)
			continue;
		(*end)->name = arena_c(im->conf->arena, name);
		end = &(*end)->next;
	}
	return g;
}

void import_text(struct conf *c, struct str text, const char *file, struct problems *problems)
{
	struct import im = { c, file, problems };
	struct buf scanned = { 0 };
	config_t config;

	if (!scan_text(&scanned, text, file, problems)) {
		c->torn = true;
		buf_free_secret(&scanned);
		return;
	}
	config_init(&config);
	if (!config_read_string(&config, buf_c(&scanned))) {
		c->torn = true;
		problem_at(problems, file, (unsigned)config_error_line(&config),
			"%s (the rest of this file was not read)", config_error_text(&config));
	}
	merge_group(c->root, import_group(&im, config_root_setting(&config)), problems);
	config_destroy(&config);
	buf_free_secret(&scanned);
}
