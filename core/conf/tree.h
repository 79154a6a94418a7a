/* SPDX-License-Identifier: MIT
 *
 * Inside conf: the tree that all files are merged into, and the steps that make it. Everything
 * in it lives in the arena of its conf. Strings are expanded when they enter it.
 */
#ifndef CONF_TREE_H
#define CONF_TREE_H

#include "conf/conf.h"

enum setting_kind {
	SETTING_BOOL,
	SETTING_INT,
	SETTING_FLOAT,
	SETTING_STRING,
	SETTING_GROUP,
	SETTING_LIST
};

struct setting {
	struct setting *next;
	const char *name; /* NULL in a list */
	const char *file;
	unsigned line;
	enum setting_kind kind;
	int64_t number;           /* BOOL, INT */
	struct str text;          /* STRING, with a NUL behind */
	struct conf_group *group; /* GROUP */
	struct setting *items;    /* LIST */
};

struct conf_group {
	struct conf *conf;
	struct setting *settings; /* in the order of the files */
	const char *file;
	unsigned line; /* 0: the root */
};

struct conf {
	struct arena *arena;
	struct conf_group *root;
	const char *folder; /* of the main file, absolute */
	const char *base;
	bool torn; /* a file could not be read to its end: what is missing may be there */
};

/* The setting of that name, or NULL; g may be NULL. */
const struct setting *setting_find(const struct conf_group *g, const char *name);
/* The end of a chain of settings, where the next is hung up. */
struct setting **setting_end(struct setting **first);
/* "a group", "a string": for messages. */
const char *setting_kind_name(enum setting_kind kind);
bool setting_is_list_of_groups(const struct setting *s);

void problem_at(struct problems *p, const char *file, unsigned line, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* "./x" or "x" under the folder; "/x" as it is. In the arena, NUL behind. */
struct str path_under(struct arena *arena, const char *folder, struct str path);

/* The text as libconfig may be given it: see scan.c. False when it must not be. */
bool scan_text(struct buf *out, struct str text, const char *file, struct problems *problems);
/* Parses one file's text and merges it into the tree; file is kept. */
void import_text(struct conf *c, struct str text, const char *file, struct problems *problems);
/* Moves what is in `from` into `into`. */
void merge_group(struct conf_group *into, struct conf_group *from, struct problems *problems);
/* ${NAME} and ${NAME:-default}, appended to out. `why` never holds a value. */
bool expand_text(struct buf *out, struct str in, struct why *why);

/* A number of an option as a person would write it: 90000 of a DURATION is "1m30s". */
enum { NUMBER_TEXT = 64, RANGE_TEXT = 2 * NUMBER_TEXT + 16 };
void number_text(uint32_t type, int64_t v, char text[NUMBER_TEXT]);
/* "1 to 65535", "at least 1s"; empty when any number will do. */
void number_range_text(const struct tmail_option *o, char text[RANGE_TEXT]);
/* One conf_read under way. */
struct reading {
	struct conf *conf;
	const struct conf_group *group; /* NULL: only defaults */
	struct problems *problems;
	bool good;
};
/* The member from a setting of any kind, or from the text of a default; `why` reads on behind
 * the option's name, as in "must be a string". */
bool value_from_setting(struct reading *r, const struct tmail_option *o, const struct setting *s,
	void *member, struct why *why);
bool value_from_fallback(
	struct reading *r, const struct tmail_option *o, void *member, struct why *why);
/* An empty string of this type is no value, but asks for the default. */
bool value_empty_is_default(const struct tmail_option *o);
/* Cuts the next word of a STRINGS option that is one string off *rest. */
bool value_word(struct str *rest, struct str *word);

/* Where a comment or manual says more than the sentence of the option: "One of: off, reject.",
 * "1 to 100.", "Required."; each of them a sentence, a blank in front. */
void option_remarks(struct buf *out, const struct tmail_option *o);

/* Puts an octet sequence into quotes as libconfig reads it. */
void setting_quote(struct buf *out, struct str s);

#endif
