/* SPDX-License-Identifier: MIT
 *
 * route/rcpthost: the domains whose mail is taken in. Owns the table rcpt_hosts, answers the
 * cached table "rcpthost", and has the commands. What makes a recipient of a local domain exist
 * is other modules' business. The page for administrators is rcpthost.md.
 */
#include "../common/names.h"

#include <stdio.h>

#include <tmail/service/sql.h>
#include <tmail/service/table.h>

/* ---- the table ------------------------------------------------------------------------- */

/* Of the columns is_local, is_alias. */
static const char *kind_of(const struct tmail_sql_value *columns)
{
	return columns[1].integer ? "alias" : columns[0].integer ? "local" : "remote";
}

static int row_kind(void *ctx, const struct tmail_sql_value *columns, uint32_t n)
{
	if (n == 2)
		*(const char **)ctx = kind_of(columns);
	return 0;
}

static int get(struct tmail_call *call, const void *question, void *answer)
{
	const struct tmail_table_get *get = question;
	struct tmail_table_got *got = answer;
	const char *kind = NULL;
	struct tmail_sql_value key = tmail_sql_text(get->key);
	struct tmail_sql_query query = { .size = sizeof query,
		.count = 1,
		.sql = TMAIL_STR("select is_local, is_alias from rcpt_hosts where hostname = ?"),
		.parameters = &key,
		.row = row_kind,
		.ctx = &kind };
	struct tmail_sql_result result = { .size = sizeof result };
	int status = call->host->ask(call, TMAIL_SQL, TMAIL_SQL_QUERY, &query, &result);

	call->host->count(call, 0, 1);
	got->why = result.why;
	if (status != TMAIL_OK)
		return TMAIL_TRY_LATER;
	if (!kind)
		return TMAIL_NOT_FOUND;
	got->value.data = kind;
	got->value.len = strlen(kind);
	return TMAIL_OK;
}

/* ---- commands -------------------------------------------------------------------------- */

static int take_hostname(struct tmail_call *call, const struct tmail_list *values, char *room,
	struct tmail_str *hostname)
{
	struct tmail_str given = tmail_value(values, "HOSTNAME");
	struct str name;

	if (name_fold(str_make(given.data, given.len), room, &name)) {
		hostname->data = name.data;
		hostname->len = name.len;
		return TMAIL_OK;
	}
	if (given.len > NAME_MAX_LEN)
		call->host->emit->fail(call, "hostname must have less than 256 chars");
	else
		call->host->emit->fail(
			call, "'%.*s' is not a host name", (int)given.len, given.data);
	return TMAIL_REFUSED;
}

/* A statement about the hostname that was given, and, with `count` 2, whether it is local;
 * `otherwise`: what it is when nothing changed. */
static int change(struct tmail_call *call, const struct tmail_list *values, struct tmail_str sql,
	uint32_t count, const char *otherwise)
{
	char room[NAME_MAX_LEN + 1];
	struct tmail_str hostname;
	struct tmail_sql_value parameters[2];
	struct tmail_sql_query query = {
		.size = sizeof query, .count = count, .sql = sql, .parameters = parameters
	};
	int status;

	if (take_hostname(call, values, room, &hostname) != TMAIL_OK)
		return TMAIL_REFUSED;
	parameters[0] = tmail_sql_text(hostname);
	parameters[1] = tmail_sql_integer(tmail_value(values, "local").data != NULL);
	status = tmail_sql_put(call, "rcpthost", &query);
	if (status != TMAIL_NOT_FOUND)
		return status;
	call->host->emit->fail(
		call, "Hostname %.*s %s", (int)hostname.len, hostname.data, otherwise);
	return TMAIL_REFUSED;
}

static int add(struct tmail_call *call, const struct tmail_list *values)
{
	struct tmail_str sql = TMAIL_STR("insert into rcpt_hosts (hostname, is_local, is_alias)"
					 " values (?, ?, 0)");

	return change(call, values, sql, 2, "already in rcpthosts");
}

static int del(struct tmail_call *call, const struct tmail_list *values)
{
	struct tmail_str sql = TMAIL_STR("delete from rcpt_hosts where hostname = ?");

	return change(call, values, sql, 1, "is not in rcpthosts");
}

static int list_row(void *ctx, const struct tmail_sql_value *columns, uint32_t n)
{
	struct tmail_call *call = ctx;
	struct tmail_str values[3];
	char id[24];
	const char *kind;

	if (n < 4)
		return 0;
	kind = kind_of(columns + 2);
	values[0].data = id;
	values[0].len = (size_t)snprintf(id, sizeof id, "%lld", (long long)columns[0].integer);
	values[1] = columns[1].text;
	values[2].data = kind;
	values[2].len = strlen(kind);
	return call->host->emit->row(call, values, 3);
}

static int list(struct tmail_call *call, const struct tmail_list *values)
{
	static const char *const names[] = { "id:int", "hostname", "kind" };
	struct tmail_str sql = TMAIL_STR("select id, hostname, is_local, is_alias from rcpt_hosts"
					 " order by hostname");

	(void)values;
	return tmail_sql_list(call, names, 3, sql, list_row);
}

/* ---- the descriptor -------------------------------------------------------------------- */

static const struct tmail_operation operations[] = {
	{ TMAIL_TABLE_GET, TMAIL_BLOCKING, get },
};

static const struct tmail_service services[] = {
	{ TMAIL_TABLE, "rcpthost", TMAIL_LIST(operations) },
};

static const struct tmail_migration migrations[] = {
	{ 1,
		"create table rcpt_hosts (id ${serial}, hostname varchar(255) not null unique,"
		" is_local integer not null default 0, is_alias integer not null default 0)" },
};

static const struct tmail_argument add_arguments[] = {
	{ "HOSTNAME", NULL, TMAIL_TYPE_STRING, TMAIL_REQUIRED | TMAIL_POSITIONAL,
		"The domain whose mail is taken." },
	{ "local", "l", TMAIL_TYPE_BOOL, 0, "The domain is delivered here, to mailboxes." },
};

static const struct tmail_argument del_arguments[] = {
	{ "HOSTNAME", NULL, TMAIL_TYPE_STRING, TMAIL_REQUIRED | TMAIL_POSITIONAL, "The domain." },
};

static const struct tmail_verb verbs[] = {
	{ "rcpthost add", "Take mail for a domain.", TMAIL_ROLE_ADMIN, TMAIL_OFFLINE,
		TMAIL_LIST(add_arguments), add },
	{ "rcpthost del", "Take no more mail for a domain.", TMAIL_ROLE_ADMIN, TMAIL_OFFLINE,
		TMAIL_LIST(del_arguments), del },
	{ "rcpthost list", "List the domains whose mail is taken.", TMAIL_ROLE_READ, TMAIL_OFFLINE,
		{ NULL, 0, 0 }, list },
};

static const struct tmail_metric metrics[] = {
	{ "rcpthost_lookups", TMAIL_COUNTER, "domains asked of the database" },
};

TMAIL_MODULE(rcpthost, .name = "route/rcpthost", .version = TMAIL_VERSION,
	.summary = "The domains whose mail is taken in.", .capabilities = TMAIL_CAN_SQL,
	.services = TMAIL_LIST(services), .migrations = TMAIL_LIST(migrations),
	.verbs = TMAIL_LIST(verbs), .metrics = TMAIL_LIST(metrics));
