/* SPDX-License-Identifier: MIT
 *
 * Tables that modules lack: named, and made once; with a database that is not there, or refuses.
 */
#include "tests/admin/command.h"

#include "admin/verbs.h"

#include <tmail/service/sql.h>

static const char *const nothing[] = { NULL };

static void begin(const char *modules)
{
	command_begin(modules, nothing);
	fake_forget();
}

START_TEST(tables_are_made_once_by_db_init)
{
	begin(FAKE_MODULES);
	ck_assert_str_eq(
		printed("db status", VERB_OK), "columns module|tables\nrow route/fake|missing\n");
	ck_assert_str_eq(printed("db init", VERB_OK),
		"say The tables of route/fake are there now.\nprogress 1/1\n");
	ck_assert_str_eq(
		printed("db status", VERB_OK), "columns module|tables\nrow route/fake|ok\n");
	ck_assert_str_eq(printed("db init", VERB_OK), "progress 1/1\n");
	command_end();
}
END_TEST

START_TEST(looking_makes_nothing)
{
	begin(FAKE_MODULES);
	printed("db status", VERB_OK);
	ck_assert_str_eq(fake_migrated, "");
	command_end();
}
END_TEST

START_TEST(modules_without_tables_want_no_database)
{
	begin("");
	ck_assert_str_eq(printed("db status", VERB_OK), "columns module|tables\n");
	ck_assert_str_eq(printed("db init", VERB_OK), "");
	command_end();
}
END_TEST

START_TEST(a_database_that_refuses_is_named_with_its_reason)
{
	begin(FAKE_MODULES);
	fake_trouble = "disk full";
	ck_assert_str_eq(
		printed("db init", VERB_FAILED), "fail db: tables of route/fake: disk full\n");
	ck_assert_str_eq(printed("db status", VERB_FAILED),
		"columns module|tables\nfail db: tables of route/fake: disk full\n");
	fake_trouble = NULL;
	ck_assert_str_eq(printed("db init", VERB_OK),
		"say The tables of route/fake are there now.\nprogress 1/1\n");
	command_end();
}
END_TEST

START_TEST(who_is_to_make_them_and_cannot_has_made_none)
{
	begin(FAKE_MODULES);
	fake_apply_trouble = "read only";
	ck_assert_str_eq(
		printed("db init", VERB_FAILED), "fail db: tables of route/fake: read only\n");
	ck_assert_ptr_nonnull(strstr(printed("db status", VERB_OK), "missing"));
	fake_apply_trouble = NULL;
	command_end();
}
END_TEST

static void count_modules(void *ctx, const char *module, bool missing, unsigned done, unsigned of)
{
	unsigned *calls = ctx;

	++*calls;
	ck_assert_str_eq(module, "route/fake");
	ck_assert(missing);
	ck_assert_uint_eq(done, 1);
	ck_assert_uint_eq(of, 1);
}

START_TEST(missing_is_what_lacked_some_before)
{
	unsigned missing = 7, calls = 0;
	struct why why;

	begin(FAKE_MODULES);
	ck_assert(db_migrate(generation, false, &missing, NULL, NULL, &why));
	ck_assert_uint_eq(missing, 1);
	ck_assert(db_migrate(generation, true, &missing, count_modules, &calls, &why));
	ck_assert_uint_eq(missing, 1);
	ck_assert_uint_eq(calls, 1);
	ck_assert(db_migrate(generation, true, &missing, NULL, NULL, &why));
	ck_assert_uint_eq(missing, 0);
	missing = 7;
	fake_trouble = "gone";
	ck_assert(!db_migrate(generation, false, &missing, NULL, NULL, &why));
	ck_assert_uint_eq(missing, 7);
	fake_trouble = NULL;
	command_end();
}
END_TEST

TEST_MAIN("admin/verbs_db", tables_are_made_once_by_db_init, looking_makes_nothing,
	modules_without_tables_want_no_database, a_database_that_refuses_is_named_with_its_reason,
	who_is_to_make_them_and_cannot_has_made_none, missing_is_what_lacked_some_before)
