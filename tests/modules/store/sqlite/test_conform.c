/* SPDX-License-Identifier: MIT */
#include "tests/modules/store/conform_sql.h"

#include "tests/lib/test.h"

#include <sqlite3.h>
#include <stdio.h>

extern const struct tmail_module sqlite_LTX_tmail_module;

static void set(struct fake_host *host, const char *folder)
{
	char file[256];

	snprintf(file, sizeof file, "%s/db/test.db", folder);
	fake_set(host, "file", file);
	fake_set(host, "busy_timeout", "50ms");
}

static void *lock(const char *folder)
{
	char file[256];
	sqlite3 *other = NULL;

	snprintf(file, sizeof file, "%s/db/test.db", folder);
	ck_assert_int_eq(sqlite3_open(file, &other), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(other, "begin immediate", NULL, NULL, NULL), SQLITE_OK);
	return other;
}

static void unlock(void *held)
{
	sqlite3_close(held);
}

START_TEST(keeps_a_rule_of_the_sql_service)
{
	const struct conform_sql c = { &sqlite_LTX_tmail_module, set, lock, unlock };

	for (unsigned i = 0; i < conform_sql_count; i++)
		conform_sql_run(&c, i);
}
END_TEST

START_TEST(a_database_that_cannot_be_opened_is_named_in_the_reason)
{
	struct fake_host *h = fake_host_new(&sqlite_LTX_tmail_module, "/");

	fake_set(h, "file", "/proc/no/such.db");
	ck_assert_int_ne(fake_start(h), TMAIL_OK);
	ck_assert_ptr_nonnull(strstr(fake_said(h), "/proc/no"));
	fake_host_free(&h);
}
END_TEST

TEST_MAIN("store/sqlite", keeps_a_rule_of_the_sql_service,
	a_database_that_cannot_be_opened_is_named_in_the_reason)
