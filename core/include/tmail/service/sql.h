/* SPDX-License-Identifier: MIT
 *
 * <tmail/service/sql.h>: the service that keeps what features know.
 *
 * Blocking: ask from a blocking hook, service or verb. Statements are portable SQL with `?`
 * for each parameter; nothing of a peer is ever part of the text.
 */
#ifndef TMAIL_SERVICE_SQL_H
#define TMAIL_SERVICE_SQL_H

#include <tmail/module.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TMAIL_SQL "sql"

enum tmail_sql_operation {
	TMAIL_SQL_QUERY = 1,       /* struct tmail_sql_query -> tmail_sql_result */
	TMAIL_SQL_TRANSACTION = 2, /* struct tmail_sql_transaction -> tmail_sql_result */
	TMAIL_SQL_MIGRATE = 3      /* struct tmail_sql_migrate -> tmail_sql_result; by the core */
};

enum { TMAIL_SQL_NULL = 0, TMAIL_SQL_INTEGER = 1, TMAIL_SQL_TEXT = 2, TMAIL_SQL_BLOB = 3 };
struct tmail_sql_value {
	uint32_t type;
	uint32_t reserved;
	int64_t integer;
	struct tmail_str text; /* TEXT and BLOB */
};

struct tmail_sql_query {
	uint32_t size;
	uint32_t count; /* of parameters */
	struct tmail_str sql;
	const struct tmail_sql_value *parameters;
	/* a row: valid during the call; return other than 0 to take no more. NULL: none wanted */
	int (*row)(void *ctx, const struct tmail_sql_value *columns, uint32_t n);
	void *ctx;
};
struct tmail_sql_transaction { /* all or nothing; each may have rows */
	uint32_t size;
	uint32_t count;
	const struct tmail_sql_query *queries; /* of the size the first one says */
	/* table whose generation is raised in the same transaction; NULL: none */
	const char *changes;
};
struct tmail_sql_result {
	uint32_t size;
	uint32_t duplicate; /* REFUSED: 1 when a UNIQUE constraint said no */
	int64_t changed; /* rows, of the last statement */
	int64_t inserted; /* id of the last row put in */
	struct tmail_str why; /* of any answer but OK; valid until the asking call ends */
};
struct tmail_sql_migrate {
	uint32_t size;
	uint32_t apply; /* 0: only say what is missing (NOT_FOUND), 1: do it */
	const char *module;
	struct tmail_list steps; /* of struct tmail_migration */
};

/* ---- for those who ask: shorter to write, nothing more ---------------------------------- */

static inline struct tmail_sql_value tmail_sql_text(struct tmail_str text)
{
	struct tmail_sql_value v = { TMAIL_SQL_TEXT, 0, 0, { NULL, 0 } };
	v.text = text;
	return v;
}

static inline struct tmail_sql_value tmail_sql_integer(int64_t integer)
{
	struct tmail_sql_value v = { TMAIL_SQL_INTEGER, 0, 0, { NULL, 0 } };
	v.integer = integer;
	return v;
}

/* NULL for an empty text. */
static inline struct tmail_sql_value tmail_sql_optional(struct tmail_str text)
{
	struct tmail_sql_value v = { TMAIL_SQL_NULL, 0, 0, { NULL, 0 } };
	return text.len ? tmail_sql_text(text) : v;
}

/* One statement that changes a cached table: a transaction with `changes`, and the word to the
 * core that it is in force. */
static inline int tmail_sql_change(struct tmail_call *call, const char *table,
	const struct tmail_sql_query *query, struct tmail_sql_result *result)
{
	struct tmail_sql_transaction t = { sizeof t, 1, query, table };
	int status = call->host->ask(call, TMAIL_SQL, TMAIL_SQL_TRANSACTION, &t, result);

	if (status == TMAIL_OK)
		call->host->changed(call, table);
	return status;
}

/* For a verb whose statement was not answered OK: tells the person, answers REFUSED. */
static inline int tmail_sql_fail(struct tmail_call *call, const struct tmail_sql_result *result)
{
	call->host->emit->fail(call, "the database cannot be asked: %.*s", (int)result->why.len,
		result->why.data ? result->why.data : "no reason given");
	return TMAIL_REFUSED;
}

/* For a verb that puts one row into a cached table or takes it out: OK; NOT_FOUND when nothing
 * changed, since it was there already or was not there; else REFUSED, and the person was told. */
static inline int tmail_sql_put(
	struct tmail_call *call, const char *table, const struct tmail_sql_query *query)
{
	struct tmail_sql_result result = { sizeof result, 0, 0, 0, { NULL, 0 } };
	int status = tmail_sql_change(call, table, query, &result);

	if (status != TMAIL_OK && !result.duplicate)
		return tmail_sql_fail(call, &result);
	return status == TMAIL_OK && result.changed > 0 ? TMAIL_OK : TMAIL_NOT_FOUND;
}

/* For a verb that lists: the columns, then `row`, with the call as its ctx, for each row. */
static inline int tmail_sql_list(struct tmail_call *call, const char *const *columns, uint32_t n,
	struct tmail_str sql,
	int (*row)(void *call, const struct tmail_sql_value *columns, uint32_t n))
{
	struct tmail_sql_query query = { sizeof query, 0, sql, NULL, row, call };
	struct tmail_sql_result result = { sizeof result, 0, 0, 0, { NULL, 0 } };

	call->host->emit->columns(call, columns, n);
	if (call->host->ask(call, TMAIL_SQL, TMAIL_SQL_QUERY, &query, &result) != TMAIL_OK)
		return tmail_sql_fail(call, &result);
	return TMAIL_OK;
}

#ifdef __cplusplus
}
#endif
#endif
