/* SPDX-License-Identifier: MIT
 *
 * Database tables that are missing when the server starts.
 */
#ifndef DAEMON_FIRST_START_H
#define DAEMON_FIRST_START_H

#include "daemon/settings.h"

/* Without store.create: are all tables there? Asks on a terminal whether to make them. False
 * with why: the server is not to start; *declined: the person said no. */
bool tables_ready(const char *const *folders, unsigned uid, const char *file, bool *declined,
	struct why *why);

#endif
