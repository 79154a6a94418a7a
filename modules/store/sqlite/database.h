/* SPDX-License-Identifier: MIT
 *
 * One SQLite database: opened, asked, closed. Any thread; one statement at a time.
 */
#ifndef STORE_SQLITE_DATABASE_H
#define STORE_SQLITE_DATABASE_H

#include "base/fail.h"

#include <tmail/service/sql.h>

struct database;

struct database *database_open(const char *file, int64_t busy_timeout, struct why *why);
void database_close(struct database **d);

/* Each answers a tmail_status, with result->why (in memory of the call) unless it is OK. */
int database_query(struct database *d, struct tmail_call *call, const struct tmail_sql_query *query,
	struct tmail_sql_result *result);
int database_transaction(struct database *d, struct tmail_call *call,
	const struct tmail_sql_transaction *transaction, struct tmail_sql_result *result);
/* The steps of one module that have not been run: NOT_FOUND when there are some and apply is 0. */
int database_migrate(struct database *d, struct tmail_call *call,
	const struct tmail_sql_migrate *migrate, struct tmail_sql_result *result);

#endif
