/* SPDX-License-Identifier: MIT
 *
 * Whom tmail runs as. Started as root, servers and commands become `user` for good; started as
 * anybody else all of it is left alone.
 */
#ifndef DAEMON_PRIVILEGES_H
#define DAEMON_PRIVILEGES_H

#include "base/fail.h"

#include <sys/types.h>

struct identity {
	uid_t uid;
	gid_t gid;
	char name[64];
	bool change; /* started as root, to become somebody else */
};
/* As root: the user of that name, or why there is none. Else whoever this is. */
bool identity_of(const char *user, struct identity *identity, struct why *why);
/* Groups, group, user, capabilities: none can be got back. Harmless without `change`. */
bool privileges_drop(const struct identity *identity, struct why *why);
/* For a process that hears the network: no new privileges by exec, files for its user alone, and
 * unless core_dumps no core files with mail and keys in them, and no looking into its memory. */
bool privileges_confine(bool core_dumps, struct why *why);

#endif
