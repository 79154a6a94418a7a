/* SPDX-License-Identifier: MIT
 *
 * One generation of settings and the instances of modules that it names, in order. Sessions and
 * messages hold the generation they began with; a reload makes a new one, which takes over the
 * instances whose settings are the same. Made on the main thread; counted, any thread.
 */
#ifndef HOST_GENERATION_H
#define HOST_GENERATION_H

#include "base/list.h"
#include "conf/conf.h"
#include "sys/lane.h"
#include "sys/loop.h"

struct generation;
struct instance;

enum purpose {
	PURPOSE_CHECK, /* load, read settings; nothing is started */
	PURPOSE_ADMIN, /* for a command with the server stopped: only what is named, and sql */
	PURPOSE_SERVE
};
struct generation_setup {
	enum purpose purpose;
	struct conf *conf;              /* taken: freed with the generation */
	const char *const *module_dirs; /* absolute, in order of search; NULL at the end */
	struct loop *const *loops;      /* SERVE */
	unsigned loop_count;
	const char *const *only; /* ADMIN: instances to start, NULL at the end */
	unsigned trusted_uid;    /* who may own modules beside root */
	bool create;             /* migrations are run rather than asked for */
	const void *settings;    /* the daemon's own, in the arena of conf; see below */
};
/* NULL with problems, also with those that were there before (of reading the file). `old` (may
 * be NULL) gives its unchanged instances. */
struct generation *generation_new(
	const struct generation_setup *setup, struct generation *old, struct problems *problems);
struct generation *generation_ref(struct generation *g);
/* Any thread. The last one's instances are stopped by generation_reap. Loops run meanwhile, or
 * have been joined. */
void generation_unref(struct generation **g);
/* Called, on any thread, when there is something for generation_reap, which is the main thread's;
 * without one it is done at once where the last reference went. */
void generation_on_main(void (*wake)(void));
void generation_reap(void);
/* Reaps until no generation is left: before the loops are stopped. False when `ms` were over. */
bool generation_wait_gone(int64_t ms);
/* The one in force; a new reference. Any thread. */
struct generation *generation_current(void);
void generation_install(struct generation *g); /* takes the reference; RELOADED is told */
unsigned generation_number(const struct generation *g);
struct conf *generation_conf(const struct generation *g);
/* What the setup handed in as `settings`; lives as long as the generation. Any thread. */
const void *generation_settings(const struct generation *g);
/* One of its loops that runs, in turns; NULL: none does. Any thread. */
struct loop *generation_loop(const struct generation *g);

/* Instances in the order of the configuration. */
size_t instance_count(const struct generation *g);
struct instance *instance_at(const struct generation *g, size_t i);
const char *instance_name(const struct instance *i); /* "route/rcpthost", or `name` of its group */
const struct tmail_module *instance_module(const struct instance *i);
const char *instance_file(const struct instance *i); /* the .so */
bool instance_may_relay(const struct instance *i);
struct lane *instance_lane(const struct instance *i);

/* A module read but not started: `tmail modules NAME`, the sample, the manual. */
const struct tmail_module *module_read(
	const char *name, const char *const *dirs, unsigned uid, struct why *why);
/* A module built into the program: asked for before the folders are. Before anything is loaded. */
void module_preload(const struct tmail_module *m);
/* A file as if it were built in, wherever it is and whoever owns it: for tools of those who write
 * modules, which run as themselves. Answers its name; NULL with why. */
const char *module_preload_file(const char *file, struct why *why);
/* Names of all modules found in the folders; free with folder_free (sys/file.h). */
char **module_list(const char *const *dirs);
/* Options every instance has beside the module's own. */
struct tmail_list instance_options(void);

#endif
