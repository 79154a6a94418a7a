/* SPDX-License-Identifier: MIT
 *
 * Whom tmail runs as. What only root can show is shown when the tests run as root; for others
 * the same functions must change nothing.
 */
#include "daemon/privileges.h"

#include "tests/lib/test.h"

#include <grp.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct identity identity;
static struct why why;

START_TEST(root_becomes_the_user_for_good)
{
	bool root = geteuid() == 0;
	uid_t before = geteuid();
	cap_t caps;
	cap_flag_value_t set = CAP_SET;

	ck_assert_msg(identity_of("nobody", &identity, &why), "%s", why.text);
	ck_assert_int_eq(identity.change, root);
	ck_assert_msg(privileges_drop(&identity, &why), "%s", why.text);
	if (!root) {
		ck_assert_uint_eq(geteuid(), before);
		return;
	}
	ck_assert_uint_ne(geteuid(), 0);
	ck_assert_uint_eq(getuid(), identity.uid);
	ck_assert_uint_eq(getegid(), identity.gid);
	ck_assert_int_ne(setuid(0), 0);
	ck_assert_int_ne(seteuid(0), 0);
	ck_assert_int_le(getgroups(0, NULL), 1);
	caps = cap_get_proc();
	ck_assert_int_eq(cap_get_flag(caps, CAP_SETUID, CAP_PERMITTED, &set), 0);
	ck_assert_int_eq(set, CAP_CLEAR);
	cap_free(caps);
}
END_TEST

START_TEST(a_user_that_is_not_there_is_named)
{
	if (geteuid() != 0) {
		ck_assert(identity_of("no-such-user", &identity, &why));
		ck_assert(!identity.change);
		return;
	}
	ck_assert(!identity_of("no-such-user", &identity, &why));
	ck_assert_ptr_nonnull(strstr(why.text, "there is no user 'no-such-user'"));
	ck_assert(!identity_of("", &identity, &why));
	ck_assert_ptr_nonnull(strstr(why.text, "`user`"));
}
END_TEST

START_TEST(root_may_be_asked_to_stay_root)
{
	ck_assert(identity_of("root", &identity, &why));
	ck_assert(!identity.change);
	ck_assert(privileges_drop(&identity, &why));
}
END_TEST

START_TEST(a_confined_process_gains_nothing_and_leaves_no_core)
{
	struct rlimit limit;

	ck_assert_msg(privileges_confine(false, &why), "%s", why.text);
	ck_assert_int_eq(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
	ck_assert_int_eq(getrlimit(RLIMIT_CORE, &limit), 0);
	ck_assert_uint_eq(limit.rlim_cur, 0);
	ck_assert_uint_eq(umask(0), 077);
}
END_TEST

TEST_MAIN("daemon/privileges", root_becomes_the_user_for_good, a_user_that_is_not_there_is_named,
	root_may_be_asked_to_stay_root, a_confined_process_gains_nothing_and_leaves_no_core)
