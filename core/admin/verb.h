/* SPDX-License-Identifier: MIT
 *
 * Verbs: what can be asked of tmail. The core's and the modules' are one table; the command
 * line, and later the API, are made from it. A verb runs on a worker and emits rows.
 */
#ifndef ADMIN_VERB_H
#define ADMIN_VERB_H

#include "base/arena.h"
#include "base/buf.h"
#include "host/generation.h"

/* Where rows go: a terminal's table, JSON, or the control socket. */
struct output {
	void (*columns)(struct output *o, const char *const *names, uint32_t n);
	void (*row)(struct output *o, const struct tmail_str *values, uint32_t n);
	void (*say)(struct output *o, struct str line);
	void (*fail)(struct output *o, struct str text);
	void (*progress)(struct output *o, uint64_t done, uint64_t of);
};

struct values { /* what was given, by the names of the declaration */
	struct tmail_value *item;
	size_t count;
	struct tmail_list list; /* the same, for modules */
};
/* Empty data when it was not given. */
struct str value_of(const struct values *v, const char *name);
bool value_set(const struct values *v, const char *name);

enum verb_result { VERB_OK = 0, VERB_FAILED = 1, VERB_USAGE = 2 };

struct verb {
	const char *name, *summary; /* "queue list" */
	uint32_t role, flags;       /* TMAIL_ROLE_*, TMAIL_OFFLINE */
	struct tmail_list arguments;
	/* The core's: run here. A module's: run is NULL and instance names it. */
	enum verb_result (*run)(struct generation *g, const struct values *values, struct output *o);
	const struct tmail_verb *module_verb;
	struct instance *instance;
};

/* All verbs of a generation, in the order of their names; malloc'd, free() it. */
struct verb *verbs_of(struct generation *g, size_t *count);
const struct verb *verb_find(const struct verb *verbs, size_t count, struct str name);
/* Words of a command line to values: -x, --x, -x=v, flags before or after arguments, "--" ends
 * them. VERB_USAGE with why. */
enum verb_result values_parse(const struct verb *v, const struct str *words, size_t count,
	struct arena *arena, struct values *values, struct why *why);
void verb_usage(struct buf *out, const struct verb *v);
/* Waits; on the caller's thread for the core's verbs, on the instance's lane for a module's. */
enum verb_result verb_run(const struct verb *v, struct generation *g, const struct values *values,
	struct output *o);

/* Outputs. The table is aligned when it ends; NULL at the end: table_end, json_end. */
struct output *output_table(int fd);
struct output *output_json(int fd);
void output_end(struct output **o, enum verb_result result);

/* The control socket (admin/control.c): one JSON object a line, both ways. */
struct control;
struct control *control_start(const char *path, struct why *why); /* main thread's server side */
void control_stop(struct control **c);
/* The client's side: VERB_* of the server, or -1 when nobody listens there (no socket, or
 * refused: the server is stopped), -2 with why on any other trouble. */
int control_ask(const char *path, const struct str *words, size_t count, struct output *o,
	struct why *why);

/* What the daemon does for the core's verbs. */
struct admin_calls {
	bool (*reload)(struct why *why);
	bool (*restart)(struct why *why);
	int64_t (*started)(void); /* microseconds since 1970 */
	void (*sockets)(void (*each)(void *ctx, const char *address, const char *role), void *ctx);
};
void admin_setup(const struct admin_calls *calls); /* NULL members: the server is stopped */

#endif
