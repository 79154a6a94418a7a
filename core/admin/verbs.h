/* SPDX-License-Identifier: MIT
 *
 * The core's own verbs, one table a file; verb.c puts them together with the modules'.
 */
#ifndef ADMIN_VERBS_H
#define ADMIN_VERBS_H

#include "admin/verb.h"

struct verb_table {
	const struct verb *item;
	size_t count;
};
extern const struct verb_table verbs_status, verbs_queue, verbs_act, verbs_db, verbs_trace,
	verbs_explain;

/* Every module with SQL tables is asked for (apply false) or given (apply true) what its tables
 * lack. *missing counts those that lack some before. False with why: no sql service, or it
 * does not answer. progress may be NULL. */
bool db_migrate(struct generation *g, bool apply, unsigned *missing,
	void (*progress)(void *ctx, const char *module, bool missing, unsigned done, unsigned of),
	void *ctx, struct why *why);

#endif
