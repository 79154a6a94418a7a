/* SPDX-License-Identifier: MIT
 *
 * The configuration as a tree: tmail.conf and conf.d/<name>.conf beside it, merged by the core
 * (lists append in name order, groups merge, a scalar set twice is an error naming both
 * places). All mistakes of a run are collected, each with file and line. One thread.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/fail.h"

#include <tmail/module.h>

struct conf;       /* one loaded configuration; owns every string read from it */
struct conf_group; /* a group in it: the root, a named group, or one of a list */

/* Mistakes found so far. Zeroed is none. */
struct problems {
	char **text; /* "tmail.conf:12: unknown setting 'hostnme', did you mean 'hostname'?" */
	size_t count, cap;
};
void problem_add(struct problems *p, const struct conf_group *where, const char *key,
	const char *format, ...) __attribute__((format(printf, 4, 5)));
void problems_free(struct problems *p);

/* Always answers a conf, also with problems (what could be read). `file` must exist. */
struct conf *conf_load(const char *file, struct problems *problems);
/* From text, for tests and modules' tools. */
struct conf *conf_parse(struct str text, const char *name, struct problems *problems);
void conf_free(struct conf **c);
struct arena *conf_arena(struct conf *c);
/* Where relative files start, absolute: the folder of the main file, or the string `base` at the
 * top of the configuration, which itself starts at that folder (as the argument does). */
const char *conf_base(const struct conf *c);
void conf_base_set(struct conf *c, const char *base);
const struct conf_group *conf_root(const struct conf *c);
/* A named group ("smtp"), or NULL. */
const struct conf_group *conf_group_of(const struct conf_group *g, const char *name);
/* Groups of a list ("modules"), in order. */
size_t conf_list_count(const struct conf_group *g, const char *name);
const struct conf_group *conf_list_at(const struct conf_group *g, const char *name, size_t i);
/* A string setting as it is, expanded; empty when it is not there. */
struct str conf_string(const struct conf_group *g, const char *name);
/* "tmail.conf:12", of the group or of a key in it (NULL: the group). */
const char *conf_place(const struct conf_group *g, const char *key);
/* Of a group's content, expanded, whatever the order of its settings; for reload, within one
 * process. NULL is the empty group. */
uint64_t conf_hash(const struct conf_group *g);

/* Fills the structs from their tables. Every key of the group must be in one of the tables or
 * in `also` (names, NULL at the end; may be NULL): "smtp{}" is there a group, "modules()" a list
 * of groups, "module" anything. Strings expand ${NAME} and ${NAME:-default}. A number, bool or
 * choice may be written as a string (it comes from the environment), an empty string then is
 * the default; STRINGS may be one string of words between blanks or commas. Missing ones get
 * their defaults; TMAIL_REQUIRED ones are problems, when empty too. g NULL: all defaults. False
 * when it added problems; what is in error then has its default. Strings have a NUL behind. */
struct conf_table {
	struct tmail_list options; /* of struct tmail_option */
	void *out;
};
bool conf_read(struct conf *c, const struct conf_group *g, const struct conf_table *tables,
	size_t count, const char *const *also, struct problems *problems);

/* What is printed from the tables: the sample configuration and manual pages. */
enum {
	CONF_GROUP = 0, /* name = { ... }; */
	CONF_LIST = 1,  /* name = ( { ... } ); */
	CONF_OF_MODULE = 2
}; /* { module = "name"; ... }: the caller writes "modules = (", commas, ");" */
struct conf_section {
	const char *name;    /* "smtp"; NULL: the top level, without braces */
	const char *summary; /* one or two sentences; NULL: none */
	struct tmail_list options;
	int list; /* CONF_GROUP, CONF_LIST, CONF_OF_MODULE */
};
/* Every option with its sentence; commented out, at its default, unless it has a `sample`, which
 * is printed as text that expands (GROUPS, or STRINGS in brackets: as it is). */
void conf_print_sample(struct buf *out, const struct conf_section *section);
/* mdoc(7) "Ss name" and a list of the options, for under "Sh SETTINGS". */
void conf_print_man(struct buf *out, const struct conf_section *section);
/* The known name nearest to `word` (edit distance at most 3, less than half its length). */
const char *conf_nearest(struct str word, const char *const *names, size_t count);

#endif
