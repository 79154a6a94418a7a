/* SPDX-License-Identifier: MIT */
#include "modules/auth/users/cram.h"

#include "tests/lib/test.h"

#define POSTOFFICE "<1896.697170952@postoffice.reston.mci.net>"

/* RFC 2195 2; the context is what `doveadm pw -s CRAM-MD5` makes of it. */
START_TEST(the_context_is_dovecot_s_and_the_digest_the_rfc_s)
{
	char context[CRAM_TEXT], digest[CRAM_DIGEST + 1];

	cram_context(STR("tanstaaftanstaaf"), context);
	ck_assert_str_eq(context,
		"{CRAM-MD5}d06d4e1b26fccaa4b0b61801132340a354b21152711fb604ca3e035e7015116b");
	ck_assert(cram_digest(str_c(context), STR(POSTOFFICE), digest));
	ck_assert_str_eq(digest, "b913a602c7eda7a495b4e6e7334d3890");
}
END_TEST

/* RFC 2104: a key longer than a block is its hash (RFC 2202, MD5, test 6). */
START_TEST(a_long_password_is_hashed_first)
{
	char context[CRAM_TEXT], digest[CRAM_DIGEST + 1], key[80];

	memset(key, 0xaa, sizeof key);
	cram_context(str_make(key, sizeof key), context);
	ck_assert(cram_digest(str_c(context),
		STR("Test Using Larger Than Block-Size Key - Hash Key First"), digest));
	ck_assert_str_eq(digest, "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd");
}
END_TEST

START_TEST(what_is_no_context_makes_no_digest)
{
	static const char *const bad[] = { "", "{CRAM-MD5}", "secret", "{CRAM-MD5}00",
		"{CRAM-MD5}d06d4e1b26fccaa4b0b61801132340a354b21152711fb604ca3e035e7015116",
		"{CRAM-MD5}d06d4e1b26fccaa4b0b61801132340a354b21152711fb604ca3e035e7015116b00",
		"{CRAM-MD5}x06d4e1b26fccaa4b0b61801132340a354b21152711fb604ca3e035e7015116b" };
	char digest[CRAM_DIGEST + 1];

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(!cram_digest(str_c(bad[i]), STR("x"), digest), "%s", bad[i]);
}
END_TEST

TEST_MAIN("auth/users/cram", the_context_is_dovecot_s_and_the_digest_the_rfc_s,
	a_long_password_is_hashed_first, what_is_no_context_makes_no_digest)
