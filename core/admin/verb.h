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

/* Where rows go: a terminal's table, JSON, or the control socket. One thread at a time. */
struct output {
	/* "attempts:int", "enabled:bool": types are for programs, in JSON */
	void (*columns)(struct output *o, const char *const *names, uint32_t n);
	/* data NULL: there is none */
	void (*row)(struct output *o, const struct tmail_str *values, uint32_t n);
	void (*say)(struct output *o, struct str line); /* for people; JSON leaves it out */
	void (*fail)(struct output *o, struct str text);
	void (*progress)(struct output *o, uint64_t done, uint64_t of);
	/* A secret that was given as "-": from the person's terminal or standard input. */
	bool (*secret)(struct output *o, const char *name, struct buf *answer, struct why *why);
};
void output_say(struct output *o, const char *format, ...) __attribute__((format(printf, 2, 3)));
void output_fail(struct output *o, const char *format, ...) __attribute__((format(printf, 2, 3)));

struct values { /* what was given, by the names of the declaration */
	struct tmail_value *item;
	size_t count;
	struct tmail_list list; /* the same, for modules */
};
/* Empty data when it was not given; the first when it was given several times. */
struct str value_of(const struct values *v, const char *name);
bool value_set(const struct values *v, const char *name);

enum verb_result { VERB_OK = 0, VERB_FAILED = 1, VERB_USAGE = 2 };

/* Flags of a verb beside TMAIL_OFFLINE. LOCAL: needs neither server nor started modules, so the
 * command line runs it by itself. LOOP: needs a loop and DNS with the server stopped too. */
enum { VERB_LOCAL = 1 << 16, VERB_LOOP = 1 << 17 };

struct verb {
	const char *name, *summary; /* "queue list" */
	uint32_t role, flags;       /* TMAIL_ROLE_*, TMAIL_OFFLINE, VERB_* */
	const char *service; /* must be there, also with the server stopped: "queue"; or NULL */
	struct tmail_list arguments;
	/* The core's: run here. A module's: run is NULL and instance names it. */
	enum verb_result (*run)(
		struct generation *g, const struct values *values, struct output *o);
	const struct tmail_verb *module_verb;
	struct instance *instance;
};

/* All verbs of a generation, in the order of their names; malloc'd, free() it. NULL: only the
 * core's. Of two instances with one verb the first has it. */
struct verb *verbs_of(struct generation *g, size_t *count);
/* By its whole name. */
const struct verb *verb_named(const struct verb *verbs, size_t count, struct str name);
/* By the words of a command line; *used of them are its name. NULL with why. */
const struct verb *verb_of_words(const struct verb *verbs, size_t count, const struct str *words,
	size_t word_count, size_t *used, struct why *why);
/* Words behind the name to values: -x, --x, -x=v, flags before or after arguments, "--" ends
 * them. *help: -h or --help is among them, nothing else was looked at. VERB_USAGE with why. */
enum verb_result values_parse(const struct verb *v, const struct str *words, size_t count,
	struct arena *arena, struct values *values, bool *help, struct why *why);
void verb_usage(struct buf *out, const struct verb *v);
/* Waits; on the caller's thread for the core's verbs, on the instance's lane for a module's. */
enum verb_result verb_run(
	const struct verb *v, struct generation *g, const struct values *values, struct output *o);
/* All of it: finds the verb of the words, parses, asks for secrets, runs; trouble goes to
 * o->fail. offline: verbs that need the server fail. */
enum verb_result verb_command(struct generation *g, const struct str *words, size_t count,
	bool offline, struct output *o);

/* Outputs over standard output (rows, lines, JSON) and standard error (trouble, progress).
 * The table is aligned by its first rows; both are complete only at output_end, which also
 * frees. Descriptors stay the caller's. */
struct output *output_table(int out, int err);
struct output *output_json(int out, int err);
void output_end(struct output **o, enum verb_result result);

/* The control socket: one JSON object a line, both ways (docs/admin.md). */
struct control;
/* A listening socket at the path, mode 0600; removes what a dead server left there. -1 with
 * why, also when somebody answers there. */
int control_listen(const char *path, struct why *why);
/* The server's side, on this thread's loop. run: on a worker, for each command; may wait. fd
 * stays the caller's. */
typedef enum verb_result (*control_run)(const struct str *words, size_t count, struct output *o);
struct control *control_start(int fd, struct loop *loop, control_run run, struct why *why);
/* After the loop stopped, on its thread: verbs under way are waited for. */
void control_stop(struct control **c);
/* The client's side; waits. Answers VERB_* of the server, -1 when nobody listens there (no
 * socket, or refused: the server is stopped), -2 with why on any other trouble. */
int control_ask(
	const char *path, const struct str *words, size_t count, struct output *o, struct why *why);

/* What the daemon does for the core's verbs. Called on workers; they may wait. */
struct admin_calls {
	bool (*reload)(struct why *why);
	bool (*restart)(struct why *why);
	int64_t (*started)(void); /* microseconds since 1970 */
	unsigned (*sessions)(void);
	void (*sockets)(void (*each)(void *ctx, const char *address, const char *role), void *ctx);
	const char *const *module_dirs; /* for `modules`; NULL at the end */
	const char *trace_file;         /* for `trace`; NULL: nothing is kept */
	unsigned trusted_uid;
};
void admin_setup(const struct admin_calls *calls); /* NULL members: the server is stopped */
const struct admin_calls *admin_calls(void);

#endif
