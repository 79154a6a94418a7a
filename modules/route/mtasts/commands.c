/* SPDX-License-Identifier: MIT
 *
 * `tmail mtasts list|refresh|del`.
 */
#include "mtasts.h"

#include <stdio.h>
#include <time.h>

static struct str given(struct tmail_call *call, const struct tmail_list *values, const char *name)
{
	struct str s = str_trim(of(tmail_value(values, name)));
	char *room = call->host->alloc(call, s.len + 1, TMAIL_SCOPE_CALL);

	if (!room || s.len == 0)
		return STR("");
	memcpy(room, s.data, s.len);
	ascii_lower_all(room, s.len);
	return str_make(room, s.len - (s.len > 1 && room[s.len - 1] == '.'));
}

/* ---- list -------------------------------------------------------------------------------- */

static struct tmail_str time_text(int64_t at, char text[32])
{
	time_t seconds = (time_t)at;
	struct tm parts;

	gmtime_r(&seconds, &parts);
	return (struct tmail_str){ text, strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &parts) };
}

static void hosts_text(const struct sts_policy *p, struct buf *text)
{
	for (size_t i = 0; i < p->count; i++)
		buf_printf(text, "%s%.*s", i ? " " : "", STR_ARG(p->patterns[i]));
}

static int row(void *ctx, const struct tmail_sql_value *columns, uint32_t n)
{
	struct tmail_call *call = ctx;
	struct arena *arena = arena_new(1024);
	struct buf hosts = { 0 };
	char fetched[32], expires[32];
	const char *wrong;
	struct sts_policy *p = n < 5 ? NULL : sts_policy_parse(of(columns[2].text), arena, &wrong);

	if (p) {
		hosts_text(p, &hosts);
		call->host->emit->row(call,
			(struct tmail_str[]){ columns[0].text, columns[1].text,
				tm(str_c(sts_mode_name(p->mode))), tm(buf_str(&hosts)),
				time_text(columns[3].integer, fetched),
				time_text(columns[4].integer, expires) },
			6);
	}
	buf_free(&hosts);
	arena_free(&arena);
	return 0;
}

static int list(struct tmail_call *call, const struct tmail_list *values)
{
	static const char *const columns[] = { "domain", "id", "mode", "mx", "fetched", "expires" };
	const struct str domain = given(call, values, "domain");
	const struct tmail_sql_value value[] = { tmail_sql_integer(mtasts_now()),
		tmail_sql_text(tm(domain)) };
	struct tmail_sql_query query = { .size = sizeof query,
		.count = domain.len ? 2 : 1,
		.sql = domain.len
			? (struct tmail_str)TMAIL_STR(
				  "select domain, id, policy, fetched, expires from mtasts"
				  " where expires > ? and domain = ?")
			: (struct tmail_str)TMAIL_STR(
				  "select domain, id, policy, fetched, expires from mtasts"
				  " where expires > ? order by domain"),
		.parameters = value,
		.row = row,
		.ctx = call };
	struct tmail_sql_result result = { .size = sizeof result };
	struct mtasts *m = call->self;

	if (m->fetcher)
		mtasts_rows_save(call);
	call->host->emit->columns(call, columns, 6);
	if (call->host->ask(call, TMAIL_SQL, TMAIL_SQL_QUERY, &query, &result) != TMAIL_OK)
		return tmail_sql_fail(call, &result);
	return TMAIL_OK;
}

/* ---- refresh, del -------------------------------------------------------------------------- */

static int refresh(struct tmail_call *call, const struct tmail_list *values)
{
	struct mtasts_fetch fetch = { .domain = tm(given(call, values, "DOMAIN")), .wait = true };
	struct mtasts_found found = { .why = { NULL, 0 } };
	int status = call->host->ask(call, MTASTS_SERVICE, MTASTS_FETCH, &fetch, &found);

	if (status == TMAIL_OK) {
		mtasts_rows_save(call);
		return TMAIL_OK;
	}
	call->host->emit->fail(call, "no policy of %.*s could be fetched: %.*s",
		STR_ARG(of(fetch.domain)),
		STR_ARG(found.why.len ? of(found.why) : STR("nobody can fetch it now")));
	return TMAIL_REFUSED;
}

static int del(struct tmail_call *call, const struct tmail_list *values)
{
	struct str domain = given(call, values, "DOMAIN");
	const struct tmail_sql_value value = tmail_sql_text(tm(domain));
	struct tmail_sql_query query = { .size = sizeof query,
		.count = 1,
		.sql = TMAIL_STR("delete from mtasts where domain = ?"),
		.parameters = &value };
	struct mtasts *m = call->self;
	int status;

	if (m->fetcher)
		mtasts_rows_save(call);
	status = tmail_sql_put(call, "mtasts", &query);
	if (status == TMAIL_NOT_FOUND)
		call->host->emit->fail(call, "no policy of %.*s is kept", STR_ARG(domain));
	if (status == TMAIL_OK && m->fetcher) {
		struct tmail_sql_result result = { .size = sizeof result };

		mtasts_rows_read(call, &result); /* at once */
	}
	return status == TMAIL_OK ? TMAIL_OK : TMAIL_REFUSED;
}

/* ---- the declarations ------------------------------------------------------------------ */

static const struct tmail_argument list_arguments[] = {
	{ "domain", "d", TMAIL_TYPE_STRING, 0, "Only of this domain." },
};

static const struct tmail_argument one_domain[] = {
	{ "DOMAIN", NULL, TMAIL_TYPE_STRING, TMAIL_REQUIRED | TMAIL_POSITIONAL,
		"Domain of recipients." },
};

const struct tmail_verb mtasts_verbs[MTASTS_VERBS] = {
	{ "mtasts list", "List the MTA-STS policies that are kept.", TMAIL_ROLE_READ, TMAIL_OFFLINE,
		TMAIL_LIST(list_arguments), list },
	{ "mtasts refresh", "Fetch the MTA-STS policy of a domain now.", TMAIL_ROLE_OPERATE, 0,
		TMAIL_LIST(one_domain), refresh },
	{ "mtasts del", "Forget the MTA-STS policy of a domain.", TMAIL_ROLE_ADMIN, TMAIL_OFFLINE,
		TMAIL_LIST(one_domain), del },
};
