/* SPDX-License-Identifier: MIT */
#include "mail/sasl.h"
#include "tests/lib/test.h"

static bool argument(const char *text, struct sasl_argument *out)
{
	return sasl_argument_parse(str_c(text), out);
}

START_TEST(an_argument_is_a_mechanism_and_perhaps_a_response)
{
	struct sasl_argument a;

	ck_assert(argument("PLAIN", &a));
	ck_assert(str_equal(a.mechanism, STR("PLAIN")) && !a.has_initial);
	ck_assert(argument("scram-sha-256-plus AAAA", &a));
	ck_assert(str_equal(a.mechanism, STR("scram-sha-256-plus")));
	ck_assert(a.has_initial && str_equal(a.initial, STR("AAAA")));
	ck_assert(argument("X_1 =", &a));
	ck_assert(a.has_initial && a.initial.len == 0);
	ck_assert(argument("ABCDEFGHIJKLMNOPQRST  ==", &a));
	ck_assert(a.has_initial && str_equal(a.initial, STR("==")));
}
END_TEST

START_TEST(what_is_no_argument_is_told_apart)
{
	static const char *const bad[] = { "", " ", "PLAIN A B", "PL.AIN", "ABCDEFGHIJKLMNOPQRSTU",
		"PLAIN\x80 A" };
	struct sasl_argument a = { .has_initial = true };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(!argument(bad[i], &a), "%s", bad[i]);
	ck_assert(a.has_initial); /* as it was */
}
END_TEST

START_TEST(a_server_that_speaks_first_is_told_nothing_before)
{
	ck_assert(sasl_server_first(STR("cram-md5")) && sasl_server_first(STR("DIGEST-MD5")));
	ck_assert(!sasl_server_first(STR("PLAIN")) && !sasl_server_first(STR("CRAM-MD5-PLUS")));
}
END_TEST

#define PLAIN(text) sasl_plain_parse(STR(text), &p)

START_TEST(plain_has_three_pieces)
{
	struct sasl_plain p;

	ck_assert(PLAIN("\0joe\0pass word"));
	ck_assert(p.authorize.len == 0 && str_equal(p.login, STR("joe")));
	ck_assert(str_equal(p.password, STR("pass word")));
	ck_assert(PLAIN("ann\0joe\0x"));
	ck_assert(str_equal(p.authorize, STR("ann")));
	ck_assert(!PLAIN(""));
	ck_assert(!PLAIN("joe"));
	ck_assert(!PLAIN("\0joe"));
	ck_assert(!PLAIN("\0\0pass"));
	ck_assert(!PLAIN("\0joe\0"));
	ck_assert(!PLAIN("\0joe\0pass\0"));
	ck_assert(!PLAIN("\0joe\0pa\0ss"));
}
END_TEST

START_TEST(no_piece_is_longer_than_it_may_be)
{
	char text[3 * (SASL_TEXT_MAX + 1)];
	struct sasl_plain p;

	memset(text, 'a', sizeof text);
	text[SASL_TEXT_MAX] = text[2 * SASL_TEXT_MAX + 1] = '\0';
	ck_assert(sasl_plain_parse(str_make(text, 3 * SASL_TEXT_MAX + 2), &p));
	ck_assert(!sasl_plain_parse(str_make(text, 3 * SASL_TEXT_MAX + 3), &p));
	ck_assert(sasl_text_fits(str_make(text, SASL_TEXT_MAX)));
	ck_assert(!sasl_text_fits(str_make(text, SASL_TEXT_MAX + 1)));
	ck_assert(!sasl_text_fits(STR("")));
	ck_assert(!sasl_text_fits(STR("a\0b")));
}
END_TEST

TEST_MAIN("mail/sasl", an_argument_is_a_mechanism_and_perhaps_a_response,
	what_is_no_argument_is_told_apart, a_server_that_speaks_first_is_told_nothing_before,
	plain_has_three_pieces, no_piece_is_longer_than_it_may_be)
