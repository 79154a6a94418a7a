/* SPDX-License-Identifier: MIT
 *
 * Database tables that are missing when the server starts.
 */
#ifndef DAEMON_FIRST_START_H
#define DAEMON_FIRST_START_H

#include "daemon/settings.h"

/* On a terminal, without store.create: are all tables there, and if not, shall they be made?
 * False with why: the server is not to start; *declined: the person said no. */
bool tables_ready(const char *const *folders, unsigned uid, const char *file, bool *declined,
	struct why *why);

#endif
