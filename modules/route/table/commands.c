/* SPDX-License-Identifier: MIT
 *
 * `tmail routes add|list|del`: rows are checked before they are written, and passwords are
 * never shown.
 */
#include "commands.h"

#include "base/num.h"
#include "routes.h"

#include <stdio.h>

#include <tmail/service/router.h>
#include <tmail/service/sql.h>

/* ---- policies -------------------------------------------------------------------------- */

static const struct {
	const char *name;
	uint32_t policy;
} policies[] = {
	{ "none", TMAIL_TLS_NONE },
	{ "may", TMAIL_TLS_MAY },
	{ "encrypt", TMAIL_TLS_ENCRYPT },
	{ "verify", TMAIL_TLS_VERIFY },
	{ "dane", TMAIL_TLS_DANE },
	{ "smtps", TMAIL_TLS_SMTPS },
};

int route_tls_policy_named(struct str name)
{
	if (name.len == 0)
		return TMAIL_TLS_UNSET;
	for (size_t i = 0; i < sizeof policies / sizeof *policies; i++)
		if (str_equal_case(name, str_c(policies[i].name)))
			return (int)policies[i].policy;
	return -1;
}

uint32_t route_tls_policy(struct str name)
{
	int policy = route_tls_policy_named(name);

	return policy < 0 ? TMAIL_TLS_VERIFY : (uint32_t)policy;
}

/* ---- add ------------------------------------------------------------------------------- */

static struct str given(const struct tmail_list *values, const char *name)
{
	struct tmail_str v = tmail_value(values, name);

	return str_trim(str_make(v.data, v.len));
}

static bool number_in(struct str s, int64_t fallback, int64_t min, int64_t max, int64_t *out)
{
	int64_t n = fallback;

	if (s.len > 0 && (!num_i64(s, &n) || n < min || n > max))
		return false;
	*out = n;
	return true;
}

static int refuse(struct tmail_call *call, const char *what, struct str text)
{
	call->host->emit->fail(call, "%s '%.*s'", what, STR_ARG(text));
	return TMAIL_REFUSED;
}

static struct tmail_sql_value lower(struct tmail_call *call, struct str s, const char *fallback)
{
	struct tmail_str copy = { NULL, 0 };
	char *room;

	if (s.len == 0)
		s = str_c(fallback);
	room = s.len > 0 ? call->host->alloc(call, s.len, TMAIL_SCOPE_CALL) : NULL;
	if (room) {
		memcpy(room, s.data, s.len);
		ascii_lower_all(room, s.len);
		copy.data = room;
		copy.len = s.len;
	}
	return tmail_sql_optional(copy);
}

/* What is said about the row is right, or the person has been told. */
static int check(
	struct tmail_call *call, const struct tmail_list *values, int64_t *priority, int64_t *port)
{
	struct str local = given(values, "local-ip");
	struct why why = { { 0 } };

	if (given(values, "remote-host").len == 0) {
		call->host->emit->fail(call, "remote host must not be empty");
		return TMAIL_REFUSED;
	}
	if (!number_in(given(values, "priority"), 1, 0, 65535, priority))
		return refuse(call, "priority is a number from 0 to 65535, not",
			given(values, "priority"));
	if (!number_in(given(values, "remote-port"), 25, 0, 65535, port))
		return refuse(call, "remote port is a number from 1 to 65535, not",
			given(values, "remote-port"));
	if (*port == 0)
		*port = 25;
	if (local.len > 0 && !route_local_ip_valid(local, &why)) {
		call->host->emit->fail(call, "%s", why.text);
		return TMAIL_REFUSED;
	}
	if (route_tls_policy_named(given(values, "tls")) < 0)
		return refuse(call, "tls is none, may, encrypt, verify, dane or smtps, not",
			given(values, "tls"));
	if (given(values, "remote-password").len > 0 && given(values, "remote-login").len == 0) {
		call->host->emit->fail(call, "a remote password needs a remote login");
		return TMAIL_REFUSED;
	}
	return TMAIL_OK;
}

static int add(struct tmail_call *call, const struct tmail_list *values)
{
	int64_t priority = 1, port = 25;
	struct tmail_sql_value parameters[10];
	struct tmail_sql_result result = { .size = sizeof result };
	struct tmail_sql_query query = { .size = sizeof query,
		.count = 10,
		.sql = TMAIL_STR("insert into routes (host, mail_from, auth_user, priority,"
				 " remote_host, remote_port, local_ip, smtp_auth_login,"
				 " smtp_auth_passwd, tls) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
		.parameters = parameters };

	if (check(call, values, &priority, &port) != TMAIL_OK)
		return TMAIL_REFUSED;
	parameters[0] = lower(call, given(values, "destination"), "*");
	parameters[1] = lower(call, given(values, "mail-from"), "");
	parameters[2] = lower(call, given(values, "auth-user"), "");
	parameters[3] = tmail_sql_integer(priority);
	parameters[4] = lower(call, given(values, "remote-host"), "");
	parameters[5] = tmail_sql_integer(port);
	parameters[6] = tmail_sql_optional(tmail_value(values, "local-ip"));
	parameters[7] = tmail_sql_optional(tmail_value(values, "remote-login"));
	parameters[8] = tmail_sql_optional(tmail_value(values, "remote-password"));
	parameters[9] = lower(call, given(values, "tls"), "");
	if (tmail_sql_change(call, "routes", &query, &result) != TMAIL_OK)
		return tmail_sql_fail(call, &result);
	return TMAIL_OK;
}

/* ---- del and list ---------------------------------------------------------------------- */

static int del(struct tmail_call *call, const struct tmail_list *values)
{
	struct str text = given(values, "ROUTE_ID");
	struct tmail_sql_value key = { 0 };
	struct tmail_sql_result result = { .size = sizeof result };
	struct tmail_sql_query query = { .size = sizeof query,
		.count = 1,
		.sql = TMAIL_STR("delete from routes where id = ?"),
		.parameters = &key };

	key = tmail_sql_integer(0);
	if (!num_i64(text, &key.integer))
		return refuse(call, "a route id is a number, not", text);
	if (tmail_sql_change(call, "routes", &query, &result) != TMAIL_OK)
		return tmail_sql_fail(call, &result);
	return result.changed > 0 ? TMAIL_OK : refuse(call, "there is no route", text);
}

/* The columns of ROUTE_SELECT, the password as "yes". */
static int list_row(void *ctx, const struct tmail_sql_value *columns, uint32_t n)
{
	struct tmail_call *call = ctx;
	struct tmail_str values[ROUTE_COLUMNS];
	char numbers[ROUTE_COLUMNS][24];

	if (n < ROUTE_COLUMNS)
		return 0;
	for (uint32_t i = 0; i < ROUTE_COLUMNS; i++) {
		values[i] = columns[i].text;
		if (columns[i].type != TMAIL_SQL_INTEGER)
			continue;
		values[i].data = numbers[i];
		values[i].len = (size_t)snprintf(
			numbers[i], sizeof numbers[i], "%lld", (long long)columns[i].integer);
	}
	if (values[9].len > 0) {
		values[9].data = "yes";
		values[9].len = 3;
	}
	return call->host->emit->row(call, values, ROUTE_COLUMNS);
}

static int list(struct tmail_call *call, const struct tmail_list *values)
{
	static const char *const names[ROUTE_COLUMNS] = { "id", "destination", "mail_from",
		"auth_user", "priority", "remote_host", "remote_port", "local_ip", "remote_login",
		"password", "tls" };
	struct tmail_sql_result result = { .size = sizeof result };
	struct tmail_sql_query query = { .size = sizeof query,
		.sql = TMAIL_STR(ROUTE_SELECT " order by host, priority, id"),
		.row = list_row,
		.ctx = call };

	(void)values;
	call->host->emit->columns(call, names, ROUTE_COLUMNS);
	if (call->host->ask(call, TMAIL_SQL, TMAIL_SQL_QUERY, &query, &result) != TMAIL_OK)
		return tmail_sql_fail(call, &result);
	return TMAIL_OK;
}

/* ---- the declarations ------------------------------------------------------------------ */

static const struct tmail_argument add_arguments[] = {
	{ "destination", "d", TMAIL_TYPE_STRING, 0,
		"Recipients' domain: example.com, .example.com (its subdomains) or * (all)." },
	{ "remote-host", "rh remoteHost", TMAIL_TYPE_STRING, TMAIL_REQUIRED,
		"Name or address of the server to hand the mail to." },
	{ "remote-port", "rp remotePort", TMAIL_TYPE_INT, 0, "Its port (25)." },
	{ "priority", "p", TMAIL_TYPE_INT, 0,
		"Lowest first (1); equal ones take turns, a route given twice weighs twice." },
	{ "local-ip", "l localIp", TMAIL_TYPE_STRING, 0,
		"Addresses to send from: a&b is fail-over, a|b takes turns." },
	{ "auth-user", "u smtpUser", TMAIL_TYPE_STRING, 0,
		"Only for mail of this login, or of logins of this domain." },
	{ "mail-from", "f mailFrom", TMAIL_TYPE_STRING, 0,
		"Only for this sender, or senders of this domain." },
	{ "remote-login", "rl remoteLogin", TMAIL_TYPE_STRING, 0, "Login at the remote host." },
	{ "remote-password", "rpwd remotePasswd", TMAIL_TYPE_SECRET, 0, "Its password." },
	{ "tls", NULL, TMAIL_TYPE_STRING, 0, "none, may, encrypt, verify, dane or smtps." },
};

static const struct tmail_argument del_arguments[] = {
	{ "ROUTE_ID", NULL, TMAIL_TYPE_STRING, TMAIL_REQUIRED | TMAIL_POSITIONAL,
		"Number of the route, as the list shows it." },
};

const struct tmail_verb route_verbs[ROUTE_VERBS] = {
	{ "routes add", "Add a route for outgoing mail.", TMAIL_ROLE_ADMIN, TMAIL_OFFLINE,
		TMAIL_LIST(add_arguments), add },
	{ "routes del", "Delete a route.", TMAIL_ROLE_ADMIN, TMAIL_OFFLINE,
		TMAIL_LIST(del_arguments), del },
	{ "routes list", "List the routes.", TMAIL_ROLE_READ, TMAIL_OFFLINE, { NULL, 0, 0 }, list },
};
