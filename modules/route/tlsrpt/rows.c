/* SPDX-License-Identifier: MIT
 *
 * The table: a row for all sessions of a day that are alike, on any node. Its tag is a digest of
 * what makes them alike, so that a row is found by one column on every database.
 */
#include "tlsrpt.h"

#include "base/encode.h"
#include "base/fail.h"

#include <openssl/evp.h>
#include <stdlib.h>

#define COLUMNS "day, domain, kind, policy, host, result, sending, receiving, details"
enum { BATCH = 64, VALUES = FIELDS + 2, TAG_TEXT = 2 * EVP_MAX_MD_SIZE, TRIES = 3 };

/* ---- one count ------------------------------------------------------------------------------ */

struct change {
	const struct count *count;
	char tag[TAG_TEXT];
	bool there; /* its row */
	struct tmail_sql_value values[VALUES];
};

static void tag_make(struct change *c)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct buf text = { 0 };
	size_t len = 0;

	must(EVP_Q_digest(NULL, "SHA256", NULL, c->count->key.data, c->count->key.len, digest,
		     &len) == 1);
	hex_encode(&text, str_make((const char *)digest, len));
	memcpy(c->tag, text.data, text.len);
	c->values[1] = tmail_sql_text((struct tmail_str){ c->tag, text.len });
	buf_free(&text);
}

static void change_make(struct change *c, const struct count *count)
{
	c->count = count;
	c->there = false;
	c->values[0] = tmail_sql_integer(count->sessions);
	tag_make(c);
	for (size_t i = 0; i < FIELDS; i++)
		c->values[2 + i] = tmail_sql_text(tm(count->field[i]));
}

static int there(void *ctx, const struct tmail_sql_value *columns, uint32_t n)
{
	(void)columns;
	*(bool *)ctx = n > 0;
	return 1;
}

static int change_look(struct tmail_call *call, struct change *c, struct tmail_sql_result *result)
{
	struct tmail_sql_query query = { .size = sizeof query,
		.count = 1,
		.sql = TMAIL_STR("select sessions from tlsrpt_sessions where tag = ?"),
		.parameters = &c->values[1],
		.row = there,
		.ctx = &c->there };

	return call->host->ask(call, TMAIL_SQL, TMAIL_SQL_QUERY, &query, result);
}

static void query_make(struct tmail_sql_query *query, const struct change *c)
{
	static const struct tmail_str update =
		TMAIL_STR("update tlsrpt_sessions set sessions = sessions + ? where tag = ?");
	static const struct tmail_str insert =
		TMAIL_STR("insert into tlsrpt_sessions (sessions, tag, " COLUMNS
			  ") values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");

	*query = (struct tmail_sql_query){ .size = sizeof *query,
		.count = c->there ? 2 : VALUES,
		.sql = c->there ? update : insert,
		.parameters = c->values };
}

/* ---- some, together -------------------------------------------------------------------------- */

/* All or nothing. Where another node makes a row at the same moment it is there the next time. */
static bool batch_write(struct tmail_call *call, struct change *changes, uint32_t n,
	struct tmail_sql_result *result)
{
	struct tmail_sql_query queries[BATCH];
	struct tmail_sql_transaction t = { .size = sizeof t, .count = n, .queries = queries };

	for (unsigned tries = 0; tries < TRIES; tries++) {
		*result = (struct tmail_sql_result){ .size = sizeof *result };
		for (uint32_t i = 0; i < n; i++) {
			if (change_look(call, &changes[i], result) != TMAIL_OK)
				return false;
			query_make(&queries[i], &changes[i]);
		}
		if (call->host->ask(call, TMAIL_SQL, TMAIL_SQL_TRANSACTION, &t, result) == TMAIL_OK)
			return true;
		if (!result->duplicate)
			return false;
	}
	return false;
}

/* The next ones of a tally; those that were written go. */
static bool some_write(
	struct tmail_call *call, struct tally *tally, struct tmail_sql_result *result)
{
	struct change *changes = must_alloc(BATCH * sizeof *changes);
	uint32_t n = 0;
	struct str key;
	size_t at = 0;
	void *value;
	bool good;

	while (n < BATCH && map_next(&tally->counts, &at, &key, &value))
		change_make(&changes[n++], value);
	good = batch_write(call, changes, n, result);
	for (uint32_t i = 0; good && i < n; i++)
		free(map_remove(&tally->counts, changes[i].count->key));
	free(changes);
	return good;
}

static void told(struct tmail_call *call, bool failed, struct tmail_str why)
{
	struct tlsrpt *t = call->self;
	struct tmail_field field = { "why", why };

	if (failed != t->failing)
		call->host->log(call, failed ? TMAIL_WARNING : TMAIL_INFO,
			failed ? "tlsrpt_unwritten" : "tlsrpt_written", &field, failed);
	t->failing = failed;
}

void rows_write(struct tmail_call *call)
{
	struct tlsrpt *t = call->self;
	struct tmail_sql_result result = { .size = sizeof result };
	struct tally taken;
	bool good = true;
	int64_t lost;

	pthread_mutex_lock(&t->writing);
	pthread_mutex_lock(&t->lock);
	tally_take(&t->tally, &taken);
	pthread_mutex_unlock(&t->lock);
	if (taken.counts.count > 0) {
		while (good && taken.counts.count > 0)
			good = some_write(call, &taken, &result);
		told(call, !good, result.why);
	}
	pthread_mutex_lock(&t->lock);
	lost = tally_give_back(&t->tally, &taken);
	pthread_mutex_unlock(&t->lock);
	pthread_mutex_unlock(&t->writing);
	if (lost > 0)
		call->host->count(call, METRIC_DROPPED, (uint64_t)lost);
}

void rows_sweep(struct tmail_call *call, struct str day)
{
	const struct tmail_sql_value value = tmail_sql_text(tm(day));
	struct tmail_sql_query query = { .size = sizeof query,
		.count = 1,
		.sql = TMAIL_STR("delete from tlsrpt_sessions where day < ?"),
		.parameters = &value };
	struct tmail_sql_result result = { .size = sizeof result };
	struct tlsrpt *t = call->self;

	pthread_mutex_lock(&t->writing);
	if (call->host->ask(call, TMAIL_SQL, TMAIL_SQL_QUERY, &query, &result) != TMAIL_OK)
		told(call, true, result.why);
	pthread_mutex_unlock(&t->writing);
}

/* ---- read ----------------------------------------------------------------------------- */

struct reading {
	rows_seen *seen;
	void *ctx;
};

static int row(void *ctx, const struct tmail_sql_value *columns, uint32_t n)
{
	struct reading *r = ctx;
	struct str field[FIELDS];

	if (n <= FIELDS)
		return 0;
	for (size_t i = 0; i < FIELDS; i++)
		field[i] = of(columns[i].text);
	r->seen(r->ctx, field, columns[FIELDS].integer);
	return 0;
}

bool rows_read(
	struct tmail_call *call, struct str day, struct str domain, rows_seen *seen, void *ctx)
{
	struct tmail_sql_value d = tmail_sql_text(tm(day)), n = tmail_sql_text(tm(domain));
	const struct tmail_sql_value values[] = { d, d, n, n };
	struct reading reading = { seen, ctx };
	struct tmail_sql_query query = { .size = sizeof query,
		.count = 4,
		.sql = TMAIL_STR("select " COLUMNS ", sessions from tlsrpt_sessions"
				 " where (? = '' or day = ?) and (? = '' or domain = ?)"
				 " order by day, domain, kind, policy, result, host, sending,"
				 " receiving"),
		.parameters = values,
		.row = row,
		.ctx = &reading };
	struct tmail_sql_result result = { .size = sizeof result };

	if (call->host->ask(call, TMAIL_SQL, TMAIL_SQL_QUERY, &query, &result) == TMAIL_OK)
		return true;
	tmail_sql_fail(call, &result);
	return false;
}
