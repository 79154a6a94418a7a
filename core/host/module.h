/* SPDX-License-Identifier: MIT
 *
 * Modules as files: found, opened, read, checked. A module is kept from its first loading to the
 * end of the process, so that its code and its strings may be pointed to. Main thread only, but
 * for the metrics.
 */
#ifndef HOST_MODULE_H
#define HOST_MODULE_H

#include "base/arena.h"
#include "base/fail.h"

#include <tmail/module.h>

struct module_metric; /* a number that a module counts; one for all that use its name */

struct module {
	struct module *next;
	const char *name; /* "route/rcpthost" */
	const char *file; /* the .so; "(built in)" */
	/* As the core knows it: members that an older module lacks are zero, lists have the
	 * core's strides and none of what only a newer core could use. */
	const struct tmail_module *descriptor;
	struct module_metric **metrics; /* one an element of descriptor->metrics */
};

/* Loads it, or answers the one that is there. NULL with why. */
struct module *module_load(
	const char *name, const char *const *dirs, unsigned uid, struct why *why);

/* Reads a descriptor wholly and checks it, before anything of it is called: NULL with why. What
 * is answered lives in the arena. `name`: what it must be called. */
const struct tmail_module *descriptor_check(
	const struct tmail_module *raw, const char *name, struct arena *arena, struct why *why);
/* Whether a name may be one: "area/name" of a-z 0-9 - _. */
bool module_name_valid(const char *name);

struct module_metric *module_metric_of(const struct tmail_metric *declared);
void module_metric_add(struct module_metric *m, uint64_t n); /* any thread; a gauge is set */

#endif
