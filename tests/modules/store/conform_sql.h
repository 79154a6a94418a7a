/* SPDX-License-Identifier: MIT
 *
 * What every provider of the sql service must do, whatever database is behind it. Third parties
 * may run it on theirs.
 */
#ifndef TESTS_MODULES_STORE_CONFORM_SQL_H
#define TESTS_MODULES_STORE_CONFORM_SQL_H

#include "tests/lib/fake_host.h"

#include <tmail/service/sql.h>

struct conform_sql {
	const struct tmail_module *module;
	/* Settings of an instance over one database; called for each start. */
	void (*set)(struct fake_host *host, const char *folder);
	/* The database is held by somebody else until unlock: writing must be "try later".
	 * NULL: this database knows no such thing. */
	void *(*lock)(const char *folder);
	void (*unlock)(void *held);
};
extern const unsigned conform_sql_count;
/* Runs one rule by its place, on a fresh database; for a loop of tests. */
void conform_sql_run(const struct conform_sql *c, unsigned place);

#endif
