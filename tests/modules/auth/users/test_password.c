/* SPDX-License-Identifier: MIT */
#include "modules/auth/users/password.h"

#include "tests/lib/test.h"

#include <sodium.h>
#include <sys/resource.h>
#include <unistd.h>

/* Cheap: what a hash costs is not what is tested. */
static const struct password_cost argon = { PASSWORD_ARGON2ID, 64 * 1024, 1, 5000 };
static const struct password_cost sha512 = { PASSWORD_SHA512_CRYPT, 64 * 1024, 1, 6000 };

static enum password_result verify(const char *stored, const char *password)
{
	return password_verify(str_c(stored), str_c(password));
}

START_TEST(what_was_hashed_is_known_again_and_nothing_else)
{
	const struct password_cost *const costs[] = { &argon, &sha512 };
	char out[PASSWORD_TEXT], again[PASSWORD_TEXT];

	for (size_t i = 0; i < 2; i++) {
		ck_assert(password_hash(costs[i], STR("pässword"), out));
		ck_assert(password_hash(costs[i], STR("pässword"), again));
		ck_assert_str_ne(out, again); /* salted */
		ck_assert_int_eq(verify(out, "pässword"), PASSWORD_RIGHT);
		ck_assert_int_eq(verify(out, "password"), PASSWORD_WRONG);
		ck_assert_int_eq(verify(out, ""), PASSWORD_WRONG);
		ck_assert(password_is_current(costs[i], str_c(out)));
		ck_assert(!password_is_current(costs[1 - i], str_c(out)));
	}
}
END_TEST

/* From other programs: doveadm pw, htpasswd, libxcrypt, the first tmail. */
START_TEST(others_schemes_are_read)
{
	static const struct {
		const char *stored, *password;
	} known[] = {
		{ "{CRYPT}$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/", "password" },
		{ "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5", "Hello world!" },
		{ "{SHA512-CRYPT}$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJ"
		  "uesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
			"Hello world!" },
		{ "{BLF-CRYPT}$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe",
			"password" },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		ck_assert_msg(verify(known[i].stored, known[i].password) == PASSWORD_RIGHT, "%s",
			known[i].stored);
		ck_assert_int_eq(verify(known[i].stored, "other"), PASSWORD_WRONG);
		ck_assert(!password_is_current(&argon, str_c(known[i].stored)));
	}
}
END_TEST

START_TEST(what_is_no_scheme_of_ours_is_told_apart_from_wrong)
{
	static const char *const unknown[] = { "", "{PLAIN}secret", "{SSHA}xyz", "secret",
		"{CRYPT}", "{", "{CRYPT}*", "$6$", "{ARGON2ID}" };

	for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
		ck_assert_msg(verify(unknown[i], "secret") != PASSWORD_RIGHT, "%s", unknown[i]);
		ck_assert(!password_is_current(&argon, str_c(unknown[i])));
	}
	ck_assert_int_eq(verify("{PLAIN}secret", "secret"), PASSWORD_UNKNOWN);
	ck_assert_int_eq(verify("{ARGON2ID}$argon2id$v=19$broken", "x"), PASSWORD_WRONG);
}
END_TEST

START_TEST(a_higher_cost_makes_the_old_ones_old)
{
	struct password_cost more = argon, rounds = sha512;
	char out[PASSWORD_TEXT];

	more.passes = 2;
	ck_assert(password_hash(&argon, STR("x"), out));
	ck_assert(!password_is_current(&more, str_c(out)));
	more = argon;
	more.memory *= 2;
	ck_assert(!password_is_current(&more, str_c(out)));
	rounds.rounds = 5000;
	ck_assert(password_hash(&sha512, STR("x"), out));
	ck_assert(!password_is_current(&rounds, str_c(out)));
	ck_assert(password_hash(&rounds, STR("x"), out));
	ck_assert(password_is_current(&rounds, str_c(out)));
	ck_assert(!password_is_current(&sha512, str_c(out)));
}
END_TEST

/* One that could not be read would be wrong at once. */
START_TEST(nobody_has_a_password_like_all_others)
{
	const struct password_cost *const costs[] = { &argon, &sha512 };
	char nobody[PASSWORD_TEXT], again[PASSWORD_TEXT], other[PASSWORD_TEXT];

	for (size_t i = 0; i < 2; i++) {
		ck_assert(password_nobody(costs[i], nobody));
		ck_assert(password_nobody(costs[i], again));
		ck_assert(password_hash(costs[i], STR("x"), other));
		ck_assert_str_ne(nobody, again);
		ck_assert_uint_eq(strlen(nobody), strlen(other));
		ck_assert(password_is_current(costs[i], str_c(nobody)));
		ck_assert_int_eq(verify(nobody, "x"), PASSWORD_WRONG);
		ck_assert_int_eq(verify(nobody, ""), PASSWORD_WRONG);
	}
}
END_TEST

START_TEST(no_hash_has_more_memory_than_the_machine_or_a_limit)
{
	static const int resources[] = { RLIMIT_AS, RLIMIT_DATA };
	static const char *const names[] = { "address space", "data" };
	int64_t machine = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGE_SIZE);
	const char *whose;

	ck_assert_int_gt(password_memory_most(&whose), 0);
	ck_assert_int_le(password_memory_most(&whose), machine);
	for (size_t i = 0; i < 2; i++) {
		struct rlimit before, less;
		int64_t most;

		ck_assert_int_eq(getrlimit(resources[i], &before), 0);
		less = before;
		less.rlim_cur = 64 * 1024;
		ck_assert_int_eq(setrlimit(resources[i], &less), 0);
		most = password_memory_most(&whose);
		ck_assert_int_eq(setrlimit(resources[i], &before), 0); /* Check needs some */
		ck_assert_int_eq(most, 64 * 1024);
		ck_assert_ptr_nonnull(strstr(whose, names[i]));
	}
}
END_TEST

TEST_MAIN("auth/users/password", no_hash_has_more_memory_than_the_machine_or_a_limit,
	what_was_hashed_is_known_again_and_nothing_else, others_schemes_are_read,
	what_is_no_scheme_of_ours_is_told_apart_from_wrong, a_higher_cost_makes_the_old_ones_old,
	nobody_has_a_password_like_all_others)
