/* SPDX-License-Identifier: MIT
 *
 * Starting the instances of a generation. For the files of this floor only.
 */
#ifndef HOST_STARTUP_H
#define HOST_STARTUP_H

#include "host/instance.h"

/* What must hold between instances: one queue, one sql, names told apart. */
bool generation_consistent(struct generation *g, struct problems *problems);
/* Providers of sql, then migrations, then the rest; those that were handed on run already. On
 * failure what this started is stopped again. */
bool generation_start(
	struct generation *g, const struct generation_setup *setup, struct problems *problems);
bool instance_provides(const struct instance *i, const char *service);

#endif
