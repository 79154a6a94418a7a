/* SPDX-License-Identifier: MIT
 *
 * `tmail routes add|list|del`: rows are checked before they are written, and passwords are
 * never shown.
 */
#include "commands.h"

#include "../common/names.h"
#include "base/ip.h"
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
	{ "smtps-verify", TMAIL_TLS_SMTPS_VERIFY },
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

/* ---- what is given ---------------------------------------------------------------------- */

enum { TEXT_MAX = 255 }; /* of the columns */

static struct str given(const struct tmail_list *values, const char *name)
{
	struct tmail_str v = tmail_value(values, name);

	return str_trim(str_make(v.data, v.len));
}

static int refuse(struct tmail_call *call, const char *what, struct str text)
{
	call->host->emit->fail(call, "%s '%.*s'", what, STR_ARG(text));
	return TMAIL_REFUSED;
}

/* A number that was not given is NULL in the table. */
static bool number_take(struct tmail_call *call, const struct tmail_list *values, const char *name,
	const char *what, int64_t min, int64_t max, struct tmail_sql_value *out)
{
	struct str text = given(values, name);
	int64_t n;

	*out = tmail_sql_optional((struct tmail_str){ NULL, 0 });
	if (text.len == 0)
		return true;
	if (!num_i64(text, &n) || n < min || n > max) {
		call->host->emit->fail(call, "%s is a number from %lld to %lld, not '%.*s'", what,
			(long long)min, (long long)max, STR_ARG(text));
		return false;
	}
	*out = tmail_sql_integer(n);
	return true;
}

static struct tmail_sql_value text_value(struct tmail_call *call, struct str s)
{
	struct tmail_str copy = { NULL, 0 };
	char *room = s.len > 0 ? call->host->alloc(call, s.len, TMAIL_SCOPE_CALL) : NULL;

	if (room) {
		memcpy(room, s.data, s.len);
		copy.data = room;
		copy.len = s.len;
	}
	return tmail_sql_optional(copy);
}

static bool is_digits_and_dots(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] != '.' && (s.data[i] < '0' || s.data[i] > '9'))
			return false;
	return true;
}

static bool is_printable(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.data[i] < ' ' || s.data[i] == 0x7f)
			return false;
	return true;
}

/* Nothing that could not be kept, or would break a line of a list or of a dialogue. */
static bool texts_fit(struct tmail_call *call, const struct tmail_list *values)
{
	TMAIL_EACH(struct tmail_value, v, *values) {
		if (v->value.len <= TEXT_MAX && is_printable(str_make(v->value.data, v->value.len)))
			continue;
		call->host->emit->fail(call, "%.*s %s", (int)v->name.len, v->name.data,
			v->value.len > TEXT_MAX ? "is longer than 255 characters"
						: "has control characters in it");
		return false;
	}
	return true;
}

/* "*", "example.com" or ".example.com"; an address literal is a domain too. */
static bool destination_take(struct tmail_call *call, struct str text, struct tmail_sql_value *out)
{
	char room[NAME_MAX_LEN + 2] = ".";
	bool subdomains = text.len > 0 && text.data[0] == '.';
	struct str name;

	if (text.len == 0 || str_equal(text, STR("*"))) {
		*out = text_value(call, STR("*"));
		return true;
	}
	if (text.data[0] == '[' && text.data[text.len - 1] == ']') {
		ascii_lower_all(memcpy(room, text.data, text.len), text.len);
		*out = text_value(call, str_make(room, text.len));
		return true;
	}
	if (!name_fold(str_slice(text, subdomains, text.len), room + 1, &name)) {
		refuse(call, "destination is example.com, .example.com (its subdomains) or *, not",
			text);
		return false;
	}
	*out = text_value(call, subdomains ? str_make(name.data - 1, name.len + 1) : name);
	return true;
}

/* An address or a domain, which may have an '@' before it as in filters: of logins a part before
 * '@' alone may do. */
static bool who_take(struct tmail_call *call, const char *flag, struct str text, bool login,
	struct tmail_sql_value *out)
{
	struct str who = str_slice(text, text.len > 0 && text.data[0] == '@', text.len), name;
	ptrdiff_t at = str_find_last(who, '@');
	bool some = who.len == text.len; /* not of a domain alone */
	char room[NAME_MAX_LEN + 1];
	struct buf folded = { 0 };

	if (text.len > 0 &&
		(at == 0 || (at > 0 && !some) ||
			(!name_fold(str_slice(who, (size_t)(at + 1), who.len), room, &name) &&
				!(login && some && at < 0)))) {
		call->host->emit->fail(
			call, "%s is an address or a domain, not '%.*s'", flag, STR_ARG(text));
		return false;
	}
	address_fold(who, &folded);
	*out = text_value(call, buf_str(&folded));
	buf_free(&folded);
	return true;
}

/* A name, an address (in brackets or not), or the path of a socket. */
static bool remote_take(struct tmail_call *call, struct str text, struct tmail_sql_value *out)
{
	struct str inside = text, name;
	char room[NAME_MAX_LEN + 1];
	struct ip ip;

	if (text.len == 0) {
		call->host->emit->fail(call, "remote host must not be empty");
		return false;
	}
	if (text.len > 2 && text.data[0] == '[' && text.data[text.len - 1] == ']')
		inside = str_slice(text, 1, text.len - 2);
	if (text.data[0] == '/' || ip_parse(inside, &ip)) {
		*out = text_value(call, inside);
		return true;
	}
	/* What is all digits and dots is an address that was mistyped. */
	if (name_fold(text, room, &name) && !is_digits_and_dots(name)) {
		*out = text_value(call, name);
		return true;
	}
	refuse(call,
		str_find(text, ':') >= 0
			? "remote host is a name or an address, and the port is given by -rp; not"
			: "remote host is a name or an address, not",
		text);
	return false;
}

/* ---- add ------------------------------------------------------------------------------- */

/* What belongs together, and what has to be one of a few. */
static bool rest_is_good(struct tmail_call *call, const struct tmail_list *values)
{
	struct str local = given(values, "local-ip"), rate = given(values, "rate");
	struct why why = { { 0 } };
	uint32_t count, ms;

	if (local.len > 0 && !route_local_ip_valid(local, &why))
		call->host->emit->fail(call, "%s", why.text);
	else if (route_tls_policy_named(given(values, "tls")) < 0)
		refuse(call, "tls is none, may, encrypt, verify, dane, smtps or smtps-verify, not",
			given(values, "tls"));
	else if (rate.len > 0 && !num_rate(rate, &count, &ms))
		refuse(call, "rate is so many in such a time, 5/s or 100/m or 2000/h, not", rate);
	else if (given(values, "remote-password").len > 0 && given(values, "remote-login").len == 0)
		call->host->emit->fail(call, "a remote password needs a remote login");
	else if (given(values, "remote-login").len > 0 && given(values, "remote-password").len == 0)
		call->host->emit->fail(call, "a remote login needs a remote password");
	else
		return true;
	return false;
}

static bool row_take(
	struct tmail_call *call, const struct tmail_list *values, struct tmail_sql_value *p)
{
	if (!texts_fit(call, values) || !rest_is_good(call, values) ||
		!destination_take(call, given(values, "destination"), &p[0]) ||
		!who_take(call, "mail-from", given(values, "mail-from"), false, &p[1]) ||
		!who_take(call, "auth-user", given(values, "auth-user"), true, &p[2]) ||
		!number_take(call, values, "priority", "priority", 0, 65535, &p[3]) ||
		!remote_take(call, given(values, "remote-host"), &p[4]) ||
		!number_take(call, values, "remote-port", "remote port", 0, 65535, &p[5]) ||
		!number_take(call, values, "connections", "connections", 1, 100000, &p[10]) ||
		!number_take(call, values, "messages", "messages", 1, 1000000, &p[11]))
		return false;
	if (p[3].type == TMAIL_SQL_NULL)
		p[3] = tmail_sql_integer(1);
	if (p[5].integer == 0)
		p[5] = tmail_sql_integer(
			str_starts_case(given(values, "tls"), STR("smtps")) ? 465 : 25);
	p[6] = text_value(call, given(values, "local-ip"));
	p[7] = tmail_sql_optional(tmail_value(values, "remote-login"));
	p[8] = tmail_sql_optional(tmail_value(values, "remote-password"));
	p[9] = text_value(call, given(values, "tls"));
	ascii_lower_all((char *)(uintptr_t)p[9].text.data, p[9].text.len);
	p[12] = text_value(call, given(values, "rate"));
	p[13] = tmail_sql_integer(given(values, "login-clear").len > 0);
	return true;
}

static int add(struct tmail_call *call, const struct tmail_list *values)
{
	struct tmail_sql_value parameters[14];
	struct tmail_sql_result result = { .size = sizeof result };
	struct tmail_sql_query query = { .size = sizeof query,
		.count = 14,
		.sql = TMAIL_STR("insert into routes (host, mail_from, auth_user, priority,"
				 " remote_host, remote_port, local_ip, smtp_auth_login,"
				 " smtp_auth_passwd, tls, connections, messages, rate,"
				 " login_clear)"
				 " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
		.parameters = parameters };

	if (!row_take(call, values, parameters))
		return TMAIL_REFUSED;
	if (tmail_sql_change(call, "routes", &query, &result) != TMAIL_OK)
		return tmail_sql_fail(call, &result);
	table_read_again(call);
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
	table_read_again(call);
	return result.changed > 0 ? TMAIL_OK : refuse(call, "there is no route", text);
}

/* The columns of ROUTE_SELECT; of the password whether there is one. */
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
	values[9].data = values[9].len > 0 ? "yes" : "no";
	values[9].len = strlen(values[9].data);
	values[14].data = columns[14].integer ? "yes" : "no";
	values[14].len = strlen(values[14].data);
	return call->host->emit->row(call, values, ROUTE_COLUMNS);
}

static int list(struct tmail_call *call, const struct tmail_list *values)
{
	static const char *const names[ROUTE_COLUMNS] = { "id:int", "destination", "mail_from",
		"auth_user", "priority:int", "remote_host", "remote_port:int", "local_ip",
		"remote_login", "password:bool", "tls", "connections:int", "messages:int", "rate",
		"login_clear:bool" };
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
	{ "login-clear", NULL, TMAIL_TYPE_BOOL, 0,
		"The login may be said without TLS, readable by all on the way." },
	{ "tls", NULL, TMAIL_TYPE_STRING, 0,
		"none, may, encrypt, verify, dane, smtps or smtps-verify." },
	{ "connections", NULL, TMAIL_TYPE_INT, 0, "At most so many connections at once." },
	{ "messages", NULL, TMAIL_TYPE_INT, 0, "At most so many messages on a connection." },
	{ "rate", NULL, TMAIL_TYPE_STRING, 0,
		"At most so many messages in such a time: 5/s, 100/m, 2000/h." },
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
