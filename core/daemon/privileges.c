/* SPDX-License-Identifier: MIT
 *
 * Giving up privileges, and making sure that they are gone.
 */
#include "daemon/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

bool identity_of(const char *user, struct identity *identity, struct why *why)
{
	struct identity found = { .uid = geteuid(), .gid = getegid() };
	char room[4096];
	struct passwd entry, *there = NULL;
	int error;

	if (geteuid() != 0) {
		*identity = found;
		return true;
	}
	if (!*user)
		return why_set(why, "started as root: `user` must say whom to become");
	error = getpwnam_r(user, &entry, room, sizeof room, &there);
	if (!there && error)
		return why_set(why, "user '%s': %s", user, strerror(error));
	if (!there)
		return why_set(why,
			"started as root, and there is no user '%s' to become: make one, or set "
			"`user`",
			user);
	found.uid = entry.pw_uid;
	found.gid = entry.pw_gid;
	found.change = entry.pw_uid != 0;
	snprintf(found.name, sizeof found.name, "%s", user);
	*identity = found;
	return true;
}

static bool capabilities_drop(struct why *why)
{
	cap_t none = cap_init();
	bool ok = none && cap_set_proc(none) == 0;

	if (!ok)
		why_errno(why, "giving up capabilities");
	cap_free(none);
	return ok;
}

bool privileges_drop(const struct identity *identity, struct why *why)
{
	if (!identity->change)
		return true;
	if (initgroups(identity->name, identity->gid) != 0 || setgid(identity->gid) != 0 ||
		setuid(identity->uid) != 0)
		return why_errno(why, "becoming user '%s'", identity->name);
	if (!capabilities_drop(why))
		return false;
	if (setuid(0) == 0 || geteuid() != identity->uid || getuid() != identity->uid)
		return why_set(why, "becoming user '%s': root could be had back", identity->name);
	return true;
}

bool privileges_confine(bool core_dumps, struct why *why)
{
	const struct rlimit none = { 0, 0 };

	umask(077);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return why_errno(why, "no_new_privs");
	if (!core_dumps &&
		(setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0))
		return why_errno(why, "core files");
	return true;
}
