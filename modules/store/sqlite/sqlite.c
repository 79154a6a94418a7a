/* SPDX-License-Identifier: MIT
 *
 * store/sqlite: the sql service on one SQLite file. The page for administrators is sqlite.md.
 */
#include "database.h"

#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct conf {
	struct tmail_str file;
	int64_t busy_timeout;
};

struct self {
	struct database *database;
};

static struct database *database_of(struct tmail_call *call)
{
	return ((struct self *)call->self)->database;
}

static int query(struct tmail_call *call, const void *question, void *answer)
{
	return database_query(database_of(call), call, question, answer);
}

static int transaction(struct tmail_call *call, const void *question, void *answer)
{
	return database_transaction(database_of(call), call, question, answer);
}

static int migrate(struct tmail_call *call, const void *question, void *answer)
{
	return database_migrate(database_of(call), call, question, answer);
}

/* The folder of the file, and it alone: a longer path that is not there is a mistake. */
static bool make_folder(struct str file, struct why *why)
{
	ptrdiff_t slash = str_find_last(file, '/');
	char *folder;
	bool ok;

	if (slash <= 0)
		return true;
	folder = str_dup_c(str_slice(file, 0, (size_t)slash));
	ok = mkdir(folder, 0700) == 0 || errno == EEXIST;
	if (!ok)
		why_errno(why, "cannot make folder '%s'", folder);
	free(folder);
	return ok;
}

static int start(struct tmail_call *call)
{
	const struct conf *conf = call->conf;
	struct self *self = call->self;
	struct str file = { conf->file.data, conf->file.len };
	struct why why = { { 0 } };
	char *path = str_dup_c(file);

	if (make_folder(file, &why))
		self->database = database_open(path, conf->busy_timeout, &why);
	free(path);
	if (self->database)
		return TMAIL_OK;
	call->host->reply(call, 0, NULL, "%s", why.text);
	return TMAIL_TRY_LATER;
}

static void stop(struct tmail_call *call)
{
	database_close(&((struct self *)call->self)->database);
}

static const struct tmail_option options[] = {
	TMAIL_FILE(struct conf, file, "file", "db/tmail.db",
		"The database file; its folder is made when it is missing."),
	TMAIL_DURATION(struct conf, busy_timeout, "busy_timeout", "5s", 0, 3600000,
		"How long a statement waits for another process that is writing."),
};

static const struct tmail_operation operations[] = {
	{ TMAIL_SQL_QUERY, TMAIL_BLOCKING, query },
	{ TMAIL_SQL_TRANSACTION, TMAIL_BLOCKING, transaction },
	{ TMAIL_SQL_MIGRATE, TMAIL_BLOCKING, migrate },
};

static const struct tmail_service services[] = {
	{ TMAIL_SQL, NULL, TMAIL_LIST(operations) },
};

TMAIL_MODULE(sqlite, .name = "store/sqlite", .version = TMAIL_VERSION,
	.summary = "Keeps what features know (domains, routes, users) in one SQLite file.",
	.capabilities = TMAIL_CAN_FILE, .conf_size = sizeof(struct conf),
	.self_size = sizeof(struct self), .options = TMAIL_LIST(options),
	.services = TMAIL_LIST(services), .start = start, .stop = stop);
