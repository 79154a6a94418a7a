/* SPDX-License-Identifier: MIT
 *
 * The table mtasts: policies over restarts. What is in memory is what counts; a row that could not
 * be written is written later.
 */
#include "mtasts.h"

enum { DOMAIN, ID, BODY, FETCHED, EXPIRES, COLUMNS };

static int row_take(void *ctx, const struct tmail_sql_value *columns, uint32_t n)
{
	struct cache *fresh = ctx;
	struct str domain = n < COLUMNS ? STR("") : of(columns[DOMAIN].text);
	struct known *k;
	const char *wrong;

	if (domain.len == 0 || domain.len > STS_NAME_MAX)
		return 0;
	k = cache_make(fresh, domain);
	if (!known_take(k, of(columns[ID].text), of(columns[BODY].text), columns[FETCHED].integer,
		    &wrong))
		cache_forget(fresh, domain);
	else
		k->expires = columns[EXPIRES].integer;
	return 0;
}

/* What the rows say, where no newer one is still to be written. The lock is held. */
static void merge(struct mtasts *m, const struct cache *fresh)
{
	struct str domain;
	size_t at = 0;
	const char *wrong;
	void *entry;

	while (map_next(&m->cache.map, &at, &domain, &entry)) {
		struct known *k = entry;

		if (!k->unsaved && !cache_get(fresh, domain))
			known_drop_policy(k);
	}
	at = 0;
	while (map_next(&fresh->map, &at, &domain, &entry)) {
		const struct known *row = entry;
		struct known *k = cache_make(&m->cache, domain);

		if (k->policy && (k->unsaved || k->fetched >= row->fetched))
			continue;
		known_take(k, str_c(row->id), row->body, row->fetched, &wrong);
		if (!k->asked)
			k->asked = mtasts_now();
	}
}

int mtasts_rows_read(struct tmail_call *call, struct tmail_sql_result *result)
{
	struct mtasts *m = call->self;
	struct cache fresh = { .map = { 0 } };
	struct tmail_sql_query query = { .size = sizeof query,
		.sql = TMAIL_STR("select domain, id, policy, fetched, expires from mtasts"),
		.row = row_take,
		.ctx = &fresh };
	int status = call->host->ask(call, TMAIL_SQL, TMAIL_SQL_QUERY, &query, result);

	if (status == TMAIL_OK) {
		pthread_mutex_lock(&m->lock);
		merge(m, &fresh);
		pthread_mutex_unlock(&m->lock);
	}
	cache_free(&fresh);
	return status;
}

/* ---- writing ----------------------------------------------------------------------------- */

struct row {
	struct buf domain, id, body;
	int64_t fetched, expires;
};

/* One that is to be saved. From here on it counts as saved. */
static bool unsaved_take(struct mtasts *m, struct row *row)
{
	struct str domain;
	bool found = false;
	size_t at = 0;
	void *entry;

	pthread_mutex_lock(&m->lock);
	while (!found && map_next(&m->cache.map, &at, &domain, &entry)) {
		struct known *k = entry;

		if (!k->unsaved)
			continue;
		buf_add(&row->domain, domain);
		buf_add_c(&row->id, k->id);
		buf_add(&row->body, k->body);
		row->fetched = k->fetched;
		row->expires = k->expires;
		k->unsaved = false;
		found = true;
	}
	pthread_mutex_unlock(&m->lock);
	return found;
}

static void unsaved_again(struct mtasts *m, struct str domain)
{
	struct known *k;

	pthread_mutex_lock(&m->lock);
	k = cache_get(&m->cache, domain);
	if (k && k->policy)
		k->unsaved = true;
	pthread_mutex_unlock(&m->lock);
}

/* In place of what any node wrote; and what has ended goes. */
static bool row_save(struct tmail_call *call, const struct row *row)
{
	const struct tmail_sql_value values[COLUMNS] = { tmail_sql_text(tm(buf_str(&row->domain))),
		tmail_sql_text(tm(buf_str(&row->id))), tmail_sql_text(tm(buf_str(&row->body))),
		tmail_sql_integer(row->fetched), tmail_sql_integer(row->expires) };
	const struct tmail_sql_value now = tmail_sql_integer(mtasts_now());
	const struct tmail_sql_query queries[] = {
		{ .size = sizeof *queries,
			.count = 1,
			.sql = TMAIL_STR("delete from mtasts where expires < ?"),
			.parameters = &now },
		{ .size = sizeof *queries,
			.count = 1,
			.sql = TMAIL_STR("delete from mtasts where domain = ?"),
			.parameters = values },
		{ .size = sizeof *queries,
			.count = COLUMNS,
			.sql = TMAIL_STR("insert into mtasts (domain, id, policy, fetched, expires)"
					 " values (?, ?, ?, ?, ?)"),
			.parameters = values },
	};
	struct tmail_sql_transaction all = { .size = sizeof all, .count = 3, .queries = queries };
	struct tmail_sql_result result = { .size = sizeof result };
	struct tmail_field fields[] = { { "domain", tm(buf_str(&row->domain)) },
		{ "why", { NULL, 0 } } };

	if (call->host->ask(call, TMAIL_SQL, TMAIL_SQL_TRANSACTION, &all, &result) == TMAIL_OK ||
		result.duplicate) /* another node was as fast */
		return true;
	fields[1].value = result.why;
	call->host->log(call, TMAIL_WARNING, "mtasts_unsaved", fields, 2);
	return false;
}

void mtasts_rows_save(struct tmail_call *call)
{
	struct mtasts *m = call->self;
	bool saved = true;

	while (saved) {
		struct row row = { .fetched = 0 };

		saved = unsaved_take(m, &row) && row_save(call, &row);
		if (!saved && row.domain.len)
			unsaved_again(m, buf_str(&row.domain));
		buf_free(&row.domain);
		buf_free(&row.id);
		buf_free(&row.body);
	}
}
