/* SPDX-License-Identifier: MIT
 *
 * `tmail user sender add|del|list`, and the table of senders: the addresses that a login may send
 * as beside its own, where `sender_login` is "table".
 */
#include "users.h"

#include "base/encode.h"

#include <tmail/service/table.h>

static int any(void *ctx, const struct tmail_sql_value *columns, uint32_t n)
{
	(void)columns;
	*(bool *)ctx = n > 0;
	return 1;
}

/* LOGIN " " ADDRESS; a login has no blanks, an address may. */
int users_sender(struct tmail_call *call, const void *question, void *answer)
{
	const struct tmail_table_get *get = question;
	struct tmail_table_got *got = answer;
	struct str key = of(get->key);
	ptrdiff_t blank = str_find(key, ' '), at = str_find_last(key, '@');
	bool found = false;
	struct tmail_sql_value values[3];
	struct tmail_sql_query query = { .size = sizeof query,
		.count = 3,
		.sql = TMAIL_STR("select 1 from user_senders where login = ? and"
				 " (sender = ? or sender = ?) limit 1"),
		.parameters = values,
		.row = any,
		.ctx = &found };
	struct tmail_sql_result result = { .size = sizeof result };

	if (blank < 0 || at < blank)
		return TMAIL_NOT_FOUND;
	values[0] = tmail_sql_text(tm(str_slice(key, 0, (size_t)blank)));
	values[1] = tmail_sql_text(tm(str_slice(key, (size_t)blank + 1, key.len)));
	values[2] = tmail_sql_text(tm(str_slice(key, (size_t)at, key.len)));
	if (call->host->ask(call, TMAIL_SQL, TMAIL_SQL_QUERY, &query, &result) != TMAIL_OK) {
		got->why = result.why;
		return TMAIL_TRY_LATER;
	}
	return found ? TMAIL_OK : TMAIL_NOT_FOUND;
}

/* ---- commands ---------------------------------------------------------------------------- */

static int change(struct tmail_call *call, const struct tmail_list *values, struct tmail_str sql,
	const char *otherwise)
{
	struct tmail_str sender = users_keep(call, str_trim(of(tmail_value(values, "SENDER"))));
	struct tmail_sql_value row[2];
	struct tmail_sql_query query = {
		.size = sizeof query, .count = 2, .sql = sql, .parameters = row
	};
	struct str login;
	int status;

	if (!users_login_take(call, values, &login))
		return TMAIL_REFUSED;
	ascii_lower_all((char *)(uintptr_t)sender.data, sender.len);
	if (sender.len > 255 || str_find(of(sender), '@') < 0 || !utf8_valid(of(sender))) {
		call->host->emit->fail(
			call, "'%.*s' is neither an address nor @domain", STR_ARG(of(sender)));
		return TMAIL_REFUSED;
	}
	row[0] = tmail_sql_text(tm(login));
	row[1] = tmail_sql_text(sender);
	status = tmail_sql_put(call, "sender", &query);
	if (status != TMAIL_NOT_FOUND)
		return status;
	call->host->emit->fail(
		call, "%.*s %s %.*s", STR_ARG(login), otherwise, STR_ARG(of(sender)));
	return TMAIL_REFUSED;
}

int sender_add(struct tmail_call *call, const struct tmail_list *values)
{
	return change(call, values,
		(struct tmail_str)TMAIL_STR(
			"insert into user_senders (login, sender) values (?, ?)"),
		"may send already as");
}

int sender_del(struct tmail_call *call, const struct tmail_list *values)
{
	return change(call, values,
		(struct tmail_str)TMAIL_STR(
			"delete from user_senders where login = ? and sender = ?"),
		"has no right to take away to send as");
}

static int list_row(void *ctx, const struct tmail_sql_value *columns, uint32_t n)
{
	struct tmail_call *call = ctx;
	struct tmail_str values[2];

	if (n < 2)
		return 0;
	values[0] = columns[0].text;
	values[1] = columns[1].text;
	return call->host->emit->row(call, values, 2);
}

int sender_list(struct tmail_call *call, const struct tmail_list *values)
{
	static const char *const names[] = { "login", "sender" };

	(void)values;
	return tmail_sql_list(call, names, 2,
		(struct tmail_str)TMAIL_STR(
			"select login, sender from user_senders order by login, sender"),
		list_row);
}

const struct tmail_argument sender_arguments[2] = {
	{ "LOGIN", NULL, TMAIL_TYPE_STRING, TMAIL_REQUIRED | TMAIL_POSITIONAL, "Who." },
	{ "SENDER", NULL, TMAIL_TYPE_STRING, TMAIL_REQUIRED | TMAIL_POSITIONAL,
		"As whom: an address, or @domain." },
};
