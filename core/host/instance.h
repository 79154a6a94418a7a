/* SPDX-License-Identifier: MIT
 *
 * What instances and generations are made of: for the files of this floor only.
 *
 * An instance is a module with settings: it is counted, since a reload hands unchanged ones on.
 * A generation is an array of instances, and, worked out once, who is asked at which point and
 * for which service. Nothing of either changes once it is made but what is said here.
 */
#ifndef HOST_INSTANCE_H
#define HOST_INSTANCE_H

#include "host/generation.h"
#include "host/module.h"

#include "base/list.h"
#include "base/log.h"

#include <pthread.h>
#include <stdatomic.h>

/* A configuration that several instances' settings point into. */
struct conf_share {
	_Atomic unsigned refs;
	struct conf *conf;
};

enum on_error { ON_ERROR_TEMPFAIL, ON_ERROR_CONTINUE };
struct instance_settings {
	struct tmail_str module, name;
	int32_t on_error, log_level, may_relay;
	int64_t timeout, workers;
	struct tmail_list when; /* of struct tmail_str */
};
/* `when`, worked out. */
struct when {
	const struct tmail_str *listeners;
	uint32_t listener_count;
	bool authenticated, anonymous;
};

/* Parts of the host table that are there or not: one table each combination. */
enum { PART_EDIT = 1, PART_NET = 2, PART_EMIT = 4, PARTS = 8 };

/* Of an instance on a loop; touched there only. */
struct loop_state {
	struct link link; /* in the loop's list of them */
	struct instance *instance;
	bool begun, failed;
	void *memory;
	struct call *call; /* of loop_start: what it watches lives as long as this */
	pthread_t thread;
	struct task task; /* the end, posted to the loop */
	struct ending *ending;
};

struct instance {
	_Atomic unsigned refs;
	struct module *module;
	const struct tmail_module *descriptor;
	struct conf_share *share;
	uint64_t hash; /* of its group in the configuration */
	const char *name, *place;
	struct instance_settings settings;
	struct when when;
	void *conf, *self;
	struct loop *const *loops;
	unsigned loop_count;
	struct loop_state *states; /* one a loop */
	struct lane *lane;         /* NULL: nothing of it waits */
	struct tmail_host hosts[PARTS];
	bool started;
	/* The newest generation in force that has it, or the one that made it; host_lock. */
	struct generation *generation;
	_Atomic bool ticking; /* a TICK is on the lane */
};

/* One entry of a point, in the order of asking. */
struct hook {
	struct instance *instance;
	unsigned position; /* of the instance in the generation */
	uint32_t flags;
	tmail_hook_function run;
};
struct hooks {
	struct hook *item;
	unsigned count;
};

/* A module's hooks over content; run NULL: it has none there. */
enum { CONTENT_POINTS = 4 }; /* HEADER EOH BODY EOM */
struct content_hooks {
	struct hook at[CONTENT_POINTS];
	bool stream;
};

/* service.h */
struct service {
	const struct tmail_service *declared;
	struct instance *instance;
	unsigned position;
	struct generation *generation;
};

struct generation {
	_Atomic unsigned refs;
	unsigned number;
	enum purpose purpose;
	struct conf_share *share;
	const void *settings;
	struct loop *const *loops;
	unsigned loop_count;
	struct instance **instances;
	size_t count;
	struct hooks points[TMAIL_POINTS]; /* HEADER to EOM: only whether there are any */
	struct content_hooks *contents;
	unsigned content_count, stream_count;
	struct service *services;
	size_t service_count;
	struct generation *next_dead;
};

/* instance.c */
struct instance *instance_new(struct generation *g, const struct conf_group *group,
	const struct generation_setup *setup, struct problems *problems);
struct instance *instance_ref(struct instance *i);
/* The last one stops it and frees it: main thread. g: a generation that has it, for its last
 * calls. */
void instance_unref(struct instance **i, struct generation *g);
bool instance_start(struct instance *i, struct generation *g, struct why *why);
void instance_stop(struct instance *i, struct generation *g); /* harmless when not started */
/* Whether its settings let it be asked about this client at this point. */
bool instance_minds(
	const struct instance *i, enum tmail_point point, const struct tmail_client *client);

/* loop_state.c: its memory on this loop, after loop_start; false when that failed. On the loop. */
bool instance_loop(struct instance *i, struct generation *g, struct loop *loop, void **memory);
/* Ends it on all loops; waits. g: for the last calls. */
void instance_loops_end(struct instance *i, struct generation *g);

/* generation.c: a generation that has it, a new reference; NULL: none is left. */
struct generation *instance_generation(struct instance *i);

struct conf_share *share_new(struct conf *conf);
struct conf_share *share_ref(struct conf_share *s);
void share_unref(struct conf_share **s);

/* host_table.c: fills the tables of an instance. */
void host_tables_fill(struct tmail_host hosts[PARTS], uint32_t capabilities);

/* order.c: who is asked when, worked out of the instances of a generation. */
void generation_order(struct generation *g);
void generation_order_free(struct generation *g);

#endif
