/* SPDX-License-Identifier: MIT
 *
 * SQLite behind the sql service. One connection with one lock: what is asked often is cached by
 * the core, so parallel readers would buy nothing. WAL with synchronous=FULL: what a command
 * said is done survives a power cut. Prepared statements are kept by their text.
 */
#include "database.h"

#include "../common/statement.h"

#include "base/map.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEPT_STATEMENTS = 64 };

struct kept {
	sqlite3_stmt *statement;
	struct str sql;
	char text[];
};

struct database {
	pthread_mutex_t lock;
	sqlite3 *handle;
	struct map kept; /* struct kept, by sql */
};

static const char bootstrap[] =
	"create table if not exists migration (module varchar(255) not null, number integer not "
	"null,"
	" applied integer not null, primary key (module, number));"
	"create table if not exists generation (name varchar(255) not null primary key,"
	" value integer not null)";

static const struct statement_word words[] = {
	{ "serial", "integer primary key autoincrement" },
	{ "blob", "blob" },
	{ "text", "text" },
};

/* ---- answers --------------------------------------------------------------------------- */

static void say_why(struct tmail_call *call, struct tmail_sql_result *result, const char *text)
{
	size_t len = strlen(text);
	char *copy = call->host->alloc(call, len + 1, TMAIL_SCOPE_CALL);

	if (!copy)
		return;
	memcpy(copy, text, len);
	result->why.data = copy;
	result->why.len = len;
}

/* The world's trouble is "try later": a full disk, a lock, a table that is not there yet. Only
 * what the data itself forbids is refused. */
static int answer_error(
	struct database *d, struct tmail_call *call, struct tmail_sql_result *result)
{
	int code = sqlite3_extended_errcode(d->handle);

	say_why(call, result, sqlite3_errmsg(d->handle));
	if ((code & 0xff) != SQLITE_CONSTRAINT)
		return TMAIL_TRY_LATER;
	result->duplicate =
		code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY;
	return TMAIL_REFUSED;
}

/* ---- statements ------------------------------------------------------------------------ */

static sqlite3_stmt *statement_of(struct database *d, struct str sql)
{
	struct kept *kept = map_get(&d->kept, sql);
	sqlite3_stmt *statement = NULL;

	if (kept)
		return kept->statement;
	if (sqlite3_prepare_v3(d->handle, sql.data, (int)sql.len, SQLITE_PREPARE_PERSISTENT,
		    &statement, NULL) != SQLITE_OK)
		return NULL;
	if (!statement || d->kept.count >= KEPT_STATEMENTS)
		return statement;
	kept = must_alloc(sizeof *kept + sql.len + 1);
	memcpy(kept->text, sql.data, sql.len);
	kept->sql = str_make(kept->text, sql.len);
	kept->statement = statement;
	map_put(&d->kept, kept->sql, kept);
	return statement;
}

static void statement_release(struct database *d, struct str sql, sqlite3_stmt *statement)
{
	struct kept *kept = map_get(&d->kept, sql);

	if (kept && kept->statement == statement) {
		sqlite3_reset(statement);
		sqlite3_clear_bindings(statement);
	} else {
		sqlite3_finalize(statement);
	}
}

static int bind_all(sqlite3_stmt *statement, const struct tmail_sql_query *query)
{
	for (uint32_t i = 0; i < query->count; i++) {
		const struct tmail_sql_value *v = &query->parameters[i];
		int at = (int)i + 1, code;

		if (v->type == TMAIL_SQL_INTEGER)
			code = sqlite3_bind_int64(statement, at, v->integer);
		else if (v->type == TMAIL_SQL_TEXT)
			code = sqlite3_bind_text64(statement, at, v->text.data ? v->text.data : "",
				v->text.len, SQLITE_STATIC, SQLITE_UTF8);
		else if (v->type == TMAIL_SQL_BLOB)
			code = sqlite3_bind_blob64(statement, at, v->text.data ? v->text.data : "",
				v->text.len, SQLITE_STATIC);
		else
			code = sqlite3_bind_null(statement, at);
		if (code != SQLITE_OK)
			return code;
	}
	return SQLITE_OK;
}

enum { COLUMNS_MAX = 64 };

static int row_give(sqlite3_stmt *statement, const struct tmail_sql_query *query)
{
	struct tmail_sql_value columns[COLUMNS_MAX] = { { 0 } };
	int n = sqlite3_column_count(statement);

	if (n > COLUMNS_MAX)
		n = COLUMNS_MAX;
	for (int i = 0; i < n; i++) {
		int type = sqlite3_column_type(statement, i);

		if (type == SQLITE_NULL)
			continue;
		if (type == SQLITE_INTEGER) {
			columns[i].type = TMAIL_SQL_INTEGER;
			columns[i].integer = sqlite3_column_int64(statement, i);
			continue;
		}
		columns[i].type = type == SQLITE_BLOB ? TMAIL_SQL_BLOB : TMAIL_SQL_TEXT;
		columns[i].text.data = type == SQLITE_BLOB
			? sqlite3_column_blob(statement, i)
			: (const char *)sqlite3_column_text(statement, i);
		columns[i].text.len = (size_t)sqlite3_column_bytes(statement, i);
	}
	return query->row(query->ctx, columns, (uint32_t)n);
}

/* One statement to its end, under the lock. */
static int run(struct database *d, struct tmail_call *call, const struct tmail_sql_query *query,
	struct tmail_sql_result *result)
{
	struct str sql = { query->sql.data, query->sql.len };
	sqlite3_stmt *statement = statement_of(d, sql);
	int status = TMAIL_OK, code;

	if (!statement)
		return answer_error(d, call, result);
	if (bind_all(statement, query) != SQLITE_OK) {
		status = answer_error(d, call, result);
		statement_release(d, sql, statement);
		return status;
	}
	while ((code = sqlite3_step(statement)) == SQLITE_ROW)
		if (!query->row || row_give(statement, query) != 0)
			break;
	if (code != SQLITE_DONE && code != SQLITE_ROW)
		status = answer_error(d, call, result);
	statement_release(d, sql, statement);
	if (status == TMAIL_OK) {
		result->changed = sqlite3_changes64(d->handle);
		result->inserted = sqlite3_last_insert_rowid(d->handle);
	}
	return status;
}

static int run_text(struct database *d, struct tmail_call *call, const char *sql,
	struct tmail_sql_result *result)
{
	if (sqlite3_exec(d->handle, sql, NULL, NULL, NULL) == SQLITE_OK)
		return TMAIL_OK;
	return answer_error(d, call, result);
}

/* ---- the service ----------------------------------------------------------------------- */

int database_query(struct database *d, struct tmail_call *call, const struct tmail_sql_query *query,
	struct tmail_sql_result *result)
{
	int status;

	pthread_mutex_lock(&d->lock);
	status = run(d, call, query, result);
	pthread_mutex_unlock(&d->lock);
	return status;
}

static int raise_generation(struct database *d, struct tmail_call *call, const char *table,
	struct tmail_sql_result *result)
{
	struct tmail_sql_value name = { .type = TMAIL_SQL_TEXT, .text = { table, strlen(table) } };
	struct tmail_sql_query query = { .size = sizeof query,
		.count = 1,
		.sql = TMAIL_STR("insert into generation (name, value) values (?, 1)"
				 " on conflict (name) do update set value = value + 1"),
		.parameters = &name };
	struct tmail_sql_result ignored = { .size = sizeof ignored };
	int status = run(d, call, &query, &ignored);

	if (status != TMAIL_OK)
		*result = ignored;
	return status;
}

int database_transaction(struct database *d, struct tmail_call *call,
	const struct tmail_sql_transaction *transaction, struct tmail_sql_result *result)
{
	const char *at = (const char *)transaction->queries;
	size_t stride = transaction->count > 0 ? transaction->queries->size : 0;
	int status;

	pthread_mutex_lock(&d->lock);
	status = run_text(d, call, "begin immediate", result);
	if (status != TMAIL_OK)
		goto out;
	for (uint32_t i = 0; i < transaction->count && status == TMAIL_OK; i++, at += stride)
		status = run(d, call, (const struct tmail_sql_query *)(const void *)at, result);
	if (status == TMAIL_OK && transaction->changes)
		status = raise_generation(d, call, transaction->changes, result);
	if (status == TMAIL_OK)
		status = run_text(d, call, "commit", result);
	/* Also after a commit that failed: SQLite may have left the transaction open. */
	if (status != TMAIL_OK && !sqlite3_get_autocommit(d->handle))
		sqlite3_exec(d->handle, "rollback", NULL, NULL, NULL);
out:
	pthread_mutex_unlock(&d->lock);
	return status;
}

/* ---- migrations ------------------------------------------------------------------------ */

static int count_row(void *ctx, const struct tmail_sql_value *columns, uint32_t n)
{
	*(int64_t *)ctx = n > 0 ? columns[0].integer : 0;
	return 0;
}

static int step_done(struct database *d, struct tmail_call *call, const char *module,
	uint32_t number, bool *done, struct tmail_sql_result *result)
{
	int64_t rows = 0;
	struct tmail_sql_value values[] = {
		{ .type = TMAIL_SQL_TEXT, .text = { module, strlen(module) } },
		{ .type = TMAIL_SQL_INTEGER, .integer = number },
	};
	struct tmail_sql_query query = { .size = sizeof query,
		.count = 2,
		.sql = TMAIL_STR("select count(*) from migration where module = ? and number = ?"),
		.parameters = values,
		.row = count_row,
		.ctx = &rows };
	int status = run(d, call, &query, result);

	*done = rows > 0;
	return status;
}

static int step_run(struct database *d, struct tmail_call *call, const char *module,
	const struct tmail_migration *step, struct tmail_sql_result *result)
{
	struct str rest = str_c(step->sql), statement;
	struct tmail_sql_value values[] = {
		{ .type = TMAIL_SQL_TEXT, .text = { module, strlen(module) } },
		{ .type = TMAIL_SQL_INTEGER, .integer = step->number },
	};
	struct tmail_sql_query note = { .size = sizeof note,
		.count = 2,
		.sql = TMAIL_STR("insert into migration (module, number, applied)"
				 " values (?, ?, strftime('%s', 'now'))"),
		.parameters = values };
	struct buf sql = { 0 };
	int status = run_text(d, call, "begin immediate", result);

	while (status == TMAIL_OK && statement_next(&rest, &statement)) {
		buf_clear(&sql);
		statement_expand(&sql, statement, words, sizeof words / sizeof *words);
		status = run_text(d, call, buf_c(&sql), result);
	}
	if (status == TMAIL_OK)
		status = run(d, call, &note, result);
	if (status == TMAIL_OK)
		status = run_text(d, call, "commit", result);
	if (status != TMAIL_OK && !sqlite3_get_autocommit(d->handle))
		sqlite3_exec(d->handle, "rollback", NULL, NULL, NULL);
	buf_free(&sql);
	return status;
}

/* Is the table of migrations there? A database that may not be changed is only looked at. */
static int bootstrapped(
	struct database *d, struct tmail_call *call, bool *there, struct tmail_sql_result *result)
{
	int64_t rows = 0;
	struct tmail_sql_query query = { .size = sizeof query,
		.sql = TMAIL_STR(
			"select count(*) from sqlite_master where type = 'table' and name in"
			" ('migration', 'generation')"),
		.row = count_row,
		.ctx = &rows };
	int status = run(d, call, &query, result);

	*there = rows == 2;
	return status;
}

int database_migrate(struct database *d, struct tmail_call *call,
	const struct tmail_sql_migrate *migrate, struct tmail_sql_result *result)
{
	bool there = false, missing = false;
	int status;

	pthread_mutex_lock(&d->lock);
	status = bootstrapped(d, call, &there, result);
	if (status == TMAIL_OK && !there) {
		missing = true;
		if (migrate->apply)
			status = run_text(d, call, bootstrap, result);
		else
			goto out;
	}
	TMAIL_EACH(struct tmail_migration, step, migrate->steps) {
		bool done = false;

		if (status != TMAIL_OK)
			break;
		status = step_done(d, call, migrate->module, step->number, &done, result);
		if (status != TMAIL_OK || done)
			continue;
		missing = true;
		if (migrate->apply)
			status = step_run(d, call, migrate->module, step, result);
	}
out:
	pthread_mutex_unlock(&d->lock);
	if (status == TMAIL_OK && missing && !migrate->apply) {
		say_why(call, result, "tables are missing");
		return TMAIL_NOT_FOUND;
	}
	return status;
}

/* ---- open and close -------------------------------------------------------------------- */

struct database *database_open(const char *file, int64_t busy_timeout, struct why *why)
{
	struct database *d = must_alloc(sizeof *d);
	int code = sqlite3_open_v2(file, &d->handle,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);

	pthread_mutex_init(&d->lock, NULL);
	if (code == SQLITE_OK) {
		sqlite3_extended_result_codes(d->handle, 1);
		sqlite3_busy_timeout(d->handle, (int)busy_timeout);
		code = sqlite3_exec(d->handle,
			"pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys "
			"= on",
			NULL, NULL, NULL);
	}
	if (code != SQLITE_OK) {
		why_set(why, "cannot open database '%s': %s", file,
			d->handle ? sqlite3_errmsg(d->handle) : sqlite3_errstr(code));
		database_close(&d);
	}
	return d;
}

void database_close(struct database **d)
{
	struct str key;
	void *kept;
	size_t at = 0;

	if (!*d)
		return;
	while (map_next(&(*d)->kept, &at, &key, &kept)) {
		sqlite3_finalize(((struct kept *)kept)->statement);
		free(kept);
	}
	map_free(&(*d)->kept);
	sqlite3_close((*d)->handle);
	pthread_mutex_destroy(&(*d)->lock);
	free(*d);
	*d = NULL;
}
