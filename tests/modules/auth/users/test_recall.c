/* SPDX-License-Identifier: MIT */
#include "modules/auth/users/recall.h"

#include "tests/lib/test.h"

#include <sodium.h>
#include <stdio.h>

START_TEST(all_three_must_be_what_they_were)
{
	struct recall *r;

	ck_assert_int_ge(sodium_init(), 0);
	r = recall_new(300);
	recall_put(r, STR("joe"), STR("secret"), STR("$6$x"), 1000);
	ck_assert(recall_has(r, STR("joe"), STR("secret"), STR("$6$x"), 1000));
	ck_assert(!recall_has(r, STR("joe"), STR("Secret"), STR("$6$x"), 1000));
	ck_assert(!recall_has(r, STR("ann"), STR("secret"), STR("$6$x"), 1000));
	ck_assert(!recall_has(r, STR("joe"), STR("secret"), STR("$6$y"), 1000)); /* changed */
	ck_assert(!recall_has(r, STR("joes"), STR("ecret"), STR("$6$x"), 1000));
	recall_free(&r);
	ck_assert_ptr_null(r);
}
END_TEST

START_TEST(it_is_short_and_using_it_does_not_make_it_longer)
{
	struct recall *r;

	ck_assert_int_ge(sodium_init(), 0);
	r = recall_new(300);
	recall_put(r, STR("joe"), STR("secret"), STR("x"), 1000);
	recall_put(r, STR("joe"), STR("secret"), STR("x"), 1200);
	ck_assert(recall_has(r, STR("joe"), STR("secret"), STR("x"), 1299));
	ck_assert(!recall_has(r, STR("joe"), STR("secret"), STR("x"), 1300));
	recall_put(r, STR("joe"), STR("secret"), STR("x"), 1300);
	recall_clear(r);
	ck_assert(!recall_has(r, STR("joe"), STR("secret"), STR("x"), 1300));
	recall_free(&r);
	r = recall_new(0);
	recall_put(r, STR("joe"), STR("secret"), STR("x"), 0);
	ck_assert(!recall_has(r, STR("joe"), STR("secret"), STR("x"), 0));
	recall_free(&r);
}
END_TEST

START_TEST(it_forgets_rather_than_grows)
{
	unsigned known = 0;
	struct recall *r;
	char login[32];

	ck_assert_int_ge(sodium_init(), 0);
	r = recall_new(300);
	for (int i = 0; i < 5000; i++) {
		snprintf(login, sizeof login, "joe%d", i);
		recall_put(r, str_c(login), STR("secret"), STR("x"), i / 100);
	}
	for (int i = 0; i < 5000; i++) {
		snprintf(login, sizeof login, "joe%d", i);
		known += recall_has(r, str_c(login), STR("secret"), STR("x"), 50);
	}
	ck_assert_uint_le(known, 1024);
	ck_assert_uint_gt(known, 500);
	ck_assert(recall_has(r, STR("joe4999"), STR("secret"), STR("x"), 50));
	recall_free(&r);
}
END_TEST

TEST_MAIN("auth/users/recall", all_three_must_be_what_they_were,
	it_is_short_and_using_it_does_not_make_it_longer, it_forgets_rather_than_grows)
