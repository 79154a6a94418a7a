/* SPDX-License-Identifier: MIT
 *
 * `tmail user add|del|update|list`, and the table of mailboxes: an address is one when a user has
 * it as a login and a mailbox, or its domain has a user who takes all.
 */
#include "users.h"

#include "base/encode.h"
#include "base/num.h"

#include <sodium.h>
#include <stdio.h>

#include <tmail/service/table.h>

enum { LOGIN_MIN = 4, LOGIN_MAX = 255, PASSWORD_MIN = 6, PASSWORD_MAX = 1024, HOME_MAX = 1024 };

/* ---- what is given ----------------------------------------------------------------------- */

static bool refuse(struct tmail_call *call, const char *what)
{
	call->host->emit->fail(call, "%s", what);
	return false;
}

static struct str given(const struct tmail_list *values, const char *name)
{
	return of(tmail_value(values, name));
}

/* No blanks: they separate logins from other things, here and in other people's files. */
static bool is_plain_text(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.data[i] <= ' ' || s.data[i] == 0x7f)
			return false;
	return utf8_valid(s);
}

bool users_login_take(struct tmail_call *call, const struct tmail_list *values, struct str *login)
{
	struct tmail_str kept = users_keep(call, str_trim(given(values, "LOGIN")));

	if (kept.len < LOGIN_MIN)
		return refuse(call, "login must be at least 4 char");
	if (kept.len > LOGIN_MAX)
		return refuse(call, "login must have less than 256 chars");
	if (!is_plain_text(of(kept)))
		return refuse(call, "login must not have blanks or control characters in it");
	ascii_lower_all((char *)(uintptr_t)kept.data, kept.len);
	*login = of(kept);
	return true;
}

static bool password_take(struct tmail_call *call, struct str password)
{
	if (password.len < PASSWORD_MIN)
		return refuse(call, "password must be at least 6 chars length");
	if (password.len > PASSWORD_MAX)
		return refuse(call, "password must have less than 1025 chars");
	return memchr(password.data, '\0', password.len)
		? refuse(call, "password must not have a NUL in it")
		: true;
}

/* As Dovecot's quota rule takes it: octets, or with K, M, G or T behind. */
static bool quota_take(struct tmail_call *call, struct str *quota)
{
	struct str digits = *quota;
	uint64_t octets;

	if (digits.len > 1 && strchr("KMGTkmgt", digits.data[digits.len - 1]))
		digits.len--;
	if (quota->len <= 20 && num_u64(digits, &octets))
		return true;
	call->host->emit->fail(
		call, "quota is octets, such as 10000000, 200M or 1G, not '%.*s'", STR_ARG(*quota));
	return false;
}

/* ---- asking the database ------------------------------------------------------------------- */

static int text_row(void *ctx, const struct tmail_sql_value *columns, uint32_t n)
{
	struct buf *out = ctx;

	buf_clear(out);
	for (uint32_t i = 0; i < n; i++) {
		buf_add(out, of(columns[i].text));
		if (columns[i].type == TMAIL_SQL_INTEGER)
			buf_printf(out, "%lld", (long long)columns[i].integer);
	}
	return 1;
}

/* The first row, its columns one after the other; empty: there is none. */
static bool look(struct tmail_call *call, struct tmail_str sql, struct str key, struct buf *out)
{
	const struct tmail_sql_value value = tmail_sql_text(tm(key));
	struct tmail_sql_query query = { .size = sizeof query,
		.count = 1,
		.sql = sql,
		.parameters = &value,
		.row = text_row,
		.ctx = out };
	struct tmail_sql_result result = { .size = sizeof result };

	buf_clear(out);
	if (call->host->ask(call, TMAIL_SQL, TMAIL_SQL_QUERY, &query, &result) == TMAIL_OK)
		return true;
	tmail_sql_fail(call, &result);
	return false;
}

static bool change(struct tmail_call *call, struct tmail_str sql,
	const struct tmail_sql_value *values, uint32_t count, const char *table, bool *changed)
{
	struct tmail_sql_query query = {
		.size = sizeof query, .count = count, .sql = sql, .parameters = values
	};
	int status = tmail_sql_put(call, table, &query);

	*changed = status == TMAIL_OK;
	return status == TMAIL_OK || status == TMAIL_NOT_FOUND;
}

static bool no_such_user(struct tmail_call *call, struct str login)
{
	call->host->emit->fail(call, "User %.*s doesn't exists", STR_ARG(login));
	return false;
}

/* ---- mailboxes --------------------------------------------------------------------------- */

static bool address_split(struct str login, struct str *local, struct str *domain)
{
	ptrdiff_t at = str_find_last(login, '@');

	if (at <= 0 || (size_t)at + 1 == login.len)
		return false;
	*local = str_slice(login, 0, (size_t)at);
	*domain = str_slice(login, (size_t)at + 1, login.len);
	/* Both are names of folders. */
	return str_find(login, '/') < 0 && local->data[0] != '.' && domain->data[0] != '.';
}

/* The domain is local, or becomes so. */
static bool domain_take(struct tmail_call *call, struct str domain)
{
	const struct tmail_sql_value value = tmail_sql_text(tm(domain));
	struct buf kind = { 0 };
	bool ok, changed;

	ok = look(call,
		(struct tmail_str)TMAIL_STR(
			"select is_local, is_alias from rcpt_hosts where hostname = ?"),
		domain, &kind);
	if (ok && kind.len == 0)
		ok = change(call,
			(struct tmail_str)TMAIL_STR("insert into rcpt_hosts (hostname, is_local,"
						    " is_alias) values (?, 1, 0)"),
			&value, 1, "rcpthost", &changed);
	else if (ok && str_ends_case(buf_str(&kind), STR("1")))
		ok = (call->host->emit->fail(call,
			      "rcpthost %.*s is an domain alias. You can't add user for this kind "
			      "of domain",
			      STR_ARG(domain)),
			false);
	else if (ok && !str_starts(buf_str(&kind), STR("1")))
		ok = (call->host->emit->fail(call,
			      "rcpthost %.*s is already handled by tmail but declared as remote "
			      "destination",
			      STR_ARG(domain)),
			false);
	buf_free(&kind);
	return ok;
}

/* One who takes all of a domain, but for this login. */
static bool catchall_free(struct tmail_call *call, struct str login, struct str domain)
{
	struct buf other = { 0 };
	bool ok = look(call,
		(struct tmail_str)TMAIL_STR(
			"select login from users where domain = ? and is_catchall = 1"),
		domain, &other);

	if (ok && other.len > 0 && !str_equal(buf_str(&other), login)) {
		call->host->emit->fail(call, "domain %.*s already have a catchall: %.*s",
			STR_ARG(domain), STR_ARG(buf_str(&other)));
		ok = false;
	}
	buf_free(&other);
	return ok;
}

/* <home>/d/domain/u/user: the first characters, so that no folder has all. */
static struct tmail_str home_of(struct tmail_call *call, struct str local, struct str domain)
{
	const struct users_conf *conf = call->conf;
	struct buf home = { 0 };
	struct tmail_str kept;

	buf_printf(&home, "%.*s/%.*s/%.*s/%.*s/%.*s", STR_ARG(of(conf->home)),
		(int)utf8_char(domain), domain.data, STR_ARG(domain), (int)utf8_char(local),
		local.data, STR_ARG(local));
	kept = users_keep(call, buf_str(&home));
	buf_free(&home);
	return kept;
}

/* All that a mailbox needs of the domain; *home is where it is. */
static bool mailbox_take(
	struct tmail_call *call, struct str login, bool catchall, struct tmail_str *home)
{
	struct str local, domain;

	if (!address_split(login, &local, &domain))
		return refuse(call, "'login' must be a valid email address");
	if (catchall && !catchall_free(call, login, domain))
		return false;
	*home = home_of(call, local, domain);
	if (home->len > HOME_MAX)
		return refuse(call, "the home would have more than 1024 chars");
	return domain_take(call, domain);
}

int users_mailbox(struct tmail_call *call, const void *question, void *answer)
{
	const struct tmail_table_get *get = question;
	struct tmail_table_got *got = answer;
	struct str address = of(get->key);
	ptrdiff_t at = str_find_last(address, '@');
	const struct tmail_sql_value values[] = { tmail_sql_text(get->key),
		tmail_sql_text(tm(str_slice(address, (size_t)(at + 1), address.len))) };
	struct buf found = { 0 };
	struct tmail_sql_query query = { .size = sizeof query,
		.count = 2,
		.sql = TMAIL_STR("select 1 from users where have_mailbox = 1 and (login = ? or"
				 " (domain = ? and is_catchall = 1)) limit 1"),
		.parameters = values,
		.row = text_row,
		.ctx = &found };
	struct tmail_sql_result result = { .size = sizeof result };
	int status;

	if (at < 0)
		return TMAIL_NOT_FOUND;
	status = call->host->ask(call, TMAIL_SQL, TMAIL_SQL_QUERY, &query, &result);
	got->why = result.why;
	if (status == TMAIL_OK)
		status = found.len > 0 ? TMAIL_OK : TMAIL_NOT_FOUND;
	else
		status = TMAIL_TRY_LATER;
	buf_free(&found);
	return status;
}

/* ---- user add ---------------------------------------------------------------------------- */

static bool login_free(struct tmail_call *call, struct str login)
{
	struct buf other = { 0 };
	bool ok = look(call, (struct tmail_str)TMAIL_STR("select login from users where login = ?"),
		login, &other);

	if (ok && other.len > 0) {
		call->host->emit->fail(call, "User %.*s already exists", STR_ARG(login));
		ok = false;
	}
	buf_free(&other);
	return ok;
}

struct wanted {
	struct str login, domain, quota;
	struct tmail_str home;
	bool mailbox, relay, catchall;
};

static bool wanted_take(struct tmail_call *call, const struct tmail_list *values, struct wanted *w)
{
	const struct users_conf *conf = call->conf;
	struct str local;

	w->mailbox = tmail_value(values, "mailbox").data != NULL;
	w->relay = tmail_value(values, "relay").data != NULL;
	w->catchall = tmail_value(values, "catchall").data != NULL;
	w->quota = given(values, "quota");
	if (!users_login_take(call, values, &w->login) ||
		!password_take(call, given(values, "PASSWORD")))
		return false;
	if (w->catchall && !w->mailbox)
		return refuse(call, "only users with mailbox can be defined as catchall");
	if (w->quota.len == 0 && w->mailbox)
		w->quota = of(conf->quota);
	if (w->quota.len > 0 && !quota_take(call, &w->quota))
		return false;
	if (!login_free(call, w->login))
		return false;
	if (w->mailbox && !mailbox_take(call, w->login, w->catchall, &w->home))
		return false;
	if (!address_split(w->login, &local, &w->domain))
		w->domain.len = 0;
	return true;
}

static int user_add(struct tmail_call *call, const struct tmail_list *values)
{
	struct wanted w = { .mailbox = false };
	struct credentials c;
	bool ok, added = false;

	if (!wanted_take(call, values, &w))
		return TMAIL_REFUSED;
	if (!credentials_make(call, given(values, "PASSWORD"), &c)) {
		refuse(call, "there is no memory to hash the password in");
		return TMAIL_REFUSED;
	}
	const struct tmail_sql_value row[] = { tmail_sql_text(tm(w.login)),
		tmail_sql_text(
			(struct tmail_str){ w.domain.data ? w.domain.data : "", w.domain.len }),
		tmail_sql_text(tm(str_c(c.password))), tmail_sql_optional(tm(str_c(c.scram))),
		tmail_sql_optional(tm(str_c(c.cram))), tmail_sql_integer(w.relay),
		tmail_sql_integer(w.mailbox), tmail_sql_integer(w.catchall),
		tmail_sql_optional(tm(w.quota)), tmail_sql_optional(w.home) };

	ok = change(call,
		(struct tmail_str)TMAIL_STR(
			"insert into users (login, domain, dove_passwd, scram_sha_256, cram_md5,"
			" auth_relay, have_mailbox, is_catchall, mailbox_quota, home)"
			" values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
		row, sizeof row / sizeof *row, "mailbox", &added);
	sodium_memzero(&c, sizeof c);
	if (ok && !added)
		call->host->emit->fail(call, "User %.*s already exists", STR_ARG(w.login));
	return ok && added ? TMAIL_OK : TMAIL_REFUSED;
}

/* ---- user del ---------------------------------------------------------------------------- */

static int user_del(struct tmail_call *call, const struct tmail_list *values)
{
	struct tmail_sql_value value;
	struct str login;
	bool changed, senders;

	if (!users_login_take(call, values, &login))
		return TMAIL_REFUSED;
	value = tmail_sql_text(tm(login));
	if (!change(call, (struct tmail_str)TMAIL_STR("delete from users where login = ?"), &value,
		    1, "mailbox", &changed))
		return TMAIL_REFUSED;
	if (!changed) {
		no_such_user(call, login);
		return TMAIL_REFUSED;
	}
	return change(call, (struct tmail_str)TMAIL_STR("delete from user_senders where login = ?"),
		       &value, 1, "sender", &senders)
		? TMAIL_OK
		: TMAIL_REFUSED;
}

/* ---- user update ------------------------------------------------------------------------- */

/* Columns that are set, and what to. */
struct setting {
	struct buf sql;
	struct tmail_sql_value values[12];
	uint32_t count;
};

static void set(struct setting *s, const char *column, struct tmail_sql_value value)
{
	buf_printf(&s->sql, "%s%s = ?", s->count ? ", " : "update users set ", column);
	s->values[s->count++] = value;
}

/* yes or no; 1, 0, or -1: not given. */
static bool flag_take(
	struct tmail_call *call, const struct tmail_list *values, const char *name, int *flag)
{
	struct str text = given(values, name);
	bool on;

	*flag = -1;
	if (!text.data)
		return true;
	if (!num_bool(text, &on)) {
		call->host->emit->fail(call, "--%s is yes or no, not '%.*s'", name, STR_ARG(text));
		return false;
	}
	*flag = on;
	return true;
}

static bool set_password(struct tmail_call *call, struct str password, struct setting *s)
{
	struct credentials *c = call->host->alloc(call, sizeof *c, TMAIL_SCOPE_CALL);

	if (!password.data)
		return true;
	if (!password_take(call, password))
		return false;
	if (!c || !credentials_make(call, password, c))
		return refuse(call, "there is no memory to hash the password in");
	set(s, "dove_passwd", tmail_sql_text(tm(str_c(c->password))));
	set(s, "scram_sha_256", tmail_sql_optional(tm(str_c(c->scram))));
	set(s, "cram_md5", tmail_sql_optional(tm(str_c(c->cram))));
	return true;
}

/* Of the row as it is: "have_mailbox is_catchall" as digits. */
static bool set_mailbox(struct tmail_call *call, const struct tmail_list *values, struct str login,
	struct str now, struct setting *s)
{
	const struct users_conf *conf = call->conf;
	struct str quota = given(values, "quota");
	bool has = now.data[0] == '1';
	int mailbox, catchall;
	struct tmail_str home;

	if (!flag_take(call, values, "mailbox", &mailbox) ||
		!flag_take(call, values, "catchall", &catchall))
		return false;
	if (catchall == 1 && !(mailbox == 1 || (has && mailbox != 0)))
		return refuse(call, "only users with mailbox can be defined as catchall");
	if (quota.data && !quota_take(call, &quota))
		return false;
	if ((mailbox == 1 || catchall == 1) && !mailbox_take(call, login, catchall == 1, &home))
		return false;
	if (mailbox >= 0)
		set(s, "have_mailbox", tmail_sql_integer(mailbox));
	if (mailbox == 1 && !has) {
		set(s, "home", tmail_sql_text(home));
		if (!quota.data)
			quota = of(conf->quota);
	}
	if (quota.data)
		set(s, "mailbox_quota", tmail_sql_optional(tm(quota)));
	if (catchall >= 0 || mailbox == 0)
		set(s, "is_catchall", tmail_sql_integer(catchall == 1));
	return true;
}

static bool settings_take(struct tmail_call *call, const struct tmail_list *values,
	struct str login, struct str now, struct setting *s)
{
	int relay, active;

	if (!flag_take(call, values, "relay", &relay) ||
		!flag_take(call, values, "active", &active) ||
		!set_password(call, given(values, "password"), s) ||
		!set_mailbox(call, values, login, now, s))
		return false;
	if (relay >= 0)
		set(s, "auth_relay", tmail_sql_integer(relay));
	if (active >= 0)
		set(s, "active",
			tmail_sql_text(active ? (struct tmail_str)TMAIL_STR("Y")
					      : (struct tmail_str)TMAIL_STR("N")));
	return s->count > 0 || refuse(call, "nothing is given that is to be changed");
}

static int user_update(struct tmail_call *call, const struct tmail_list *values)
{
	struct setting s = { .count = 0 };
	struct buf now = { 0 };
	struct str login;
	bool ok, changed;

	ok = users_login_take(call, values, &login) &&
		look(call,
			(struct tmail_str)TMAIL_STR(
				"select have_mailbox, is_catchall from users where login = ?"),
			login, &now);
	if (ok && now.len == 0)
		ok = no_such_user(call, login);
	ok = ok && settings_take(call, values, login, buf_str(&now), &s);
	if (ok) {
		buf_add_c(&s.sql, " where login = ?");
		s.values[s.count++] = tmail_sql_text(tm(login));
		ok = change(call, tm(buf_str(&s.sql)), s.values, s.count, "mailbox", &changed);
	}
	buf_free(&s.sql);
	buf_free(&now);
	return ok ? TMAIL_OK : TMAIL_REFUSED;
}

/* ---- user list --------------------------------------------------------------------------- */

static struct tmail_str yes(bool on)
{
	return on ? (struct tmail_str)TMAIL_STR("true") : (struct tmail_str)TMAIL_STR("false");
}

/* The name in braces, never what is behind it. */
static struct tmail_str scheme_of(struct str stored)
{
	ptrdiff_t end = stored.len > 0 && stored.data[0] == '{' ? str_find(stored, '}') : -1;

	return end < 0 ? (struct tmail_str)TMAIL_STR("CRYPT")
		       : tm(str_slice(stored, 1, (size_t)end - 1));
}

struct filter {
	struct tmail_call *call;
	struct str domain;
	bool mailbox, relay, inactive;
};

static int list_row(void *ctx, const struct tmail_sql_value *c, uint32_t n)
{
	const struct filter *f = ctx;
	bool active = n > 5 && str_equal_case(of(c[5].text), STR("Y"));

	if (n < 9 || (f->domain.len > 0 && !str_equal_case(of(c[8].text), f->domain)) ||
		(f->mailbox && !c[2].integer) || (f->relay && !c[1].integer) ||
		(f->inactive && active))
		return 0;
	const struct tmail_str values[] = { c[0].text, yes(c[1].integer), yes(c[2].integer),
		c[3].text, c[4].text, yes(active), yes(c[6].integer), scheme_of(of(c[7].text)) };

	return f->call->host->emit->row(f->call, values, sizeof values / sizeof *values);
}

static int user_list(struct tmail_call *call, const struct tmail_list *values)
{
	static const char *const names[] = { "login", "relay:bool", "mailbox:bool", "home", "quota",
		"active:bool", "catchall:bool", "scheme" };
	struct filter filter = { call, given(values, "domain"),
		tmail_value(values, "mailbox").data != NULL,
		tmail_value(values, "relay").data != NULL,
		tmail_value(values, "inactive").data != NULL };
	struct tmail_sql_query query = { .size = sizeof query,
		.sql = TMAIL_STR("select login, auth_relay, have_mailbox, home, mailbox_quota,"
				 " active, is_catchall, dove_passwd, domain from users"
				 " order by login"),
		.row = list_row,
		.ctx = &filter };
	struct tmail_sql_result result = { .size = sizeof result };

	call->host->emit->columns(call, names, sizeof names / sizeof *names);
	if (call->host->ask(call, TMAIL_SQL, TMAIL_SQL_QUERY, &query, &result) != TMAIL_OK)
		return tmail_sql_fail(call, &result);
	return TMAIL_OK;
}

/* ---- what they take ---------------------------------------------------------------------- */

#define LOGIN                                                                                      \
	{                                                                                          \
		"LOGIN", NULL, TMAIL_TYPE_STRING, TMAIL_REQUIRED | TMAIL_POSITIONAL,               \
			"Who: an address, or any name of four letters or more."                    \
	}

static const struct tmail_argument add_arguments[] = { LOGIN,
	{ "PASSWORD", NULL, TMAIL_TYPE_SECRET, TMAIL_REQUIRED | TMAIL_POSITIONAL,
		"The password; - reads it from standard input or asks for it." },
	{ "mailbox", "m", TMAIL_TYPE_BOOL, 0, "There is a mailbox; its domain becomes local." },
	{ "relay", "r", TMAIL_TYPE_BOOL, 0, "May send to any domain." },
	{ "quota", "q", TMAIL_TYPE_STRING, 0, "Size of the mailbox: octets, 100K, 200M, 1G." },
	{ "catchall", NULL, TMAIL_TYPE_BOOL, 0,
		"Takes the mail of its domain that is for nobody else." } };

static const struct tmail_argument del_arguments[] = { LOGIN };

static const struct tmail_argument update_arguments[] = { LOGIN,
	{ "password", "p", TMAIL_TYPE_SECRET, 0,
		"The new password; - reads it from standard input or asks for it." },
	{ "relay", "r", TMAIL_TYPE_STRING, 0, "yes or no: may send to any domain." },
	{ "active", "a", TMAIL_TYPE_STRING, 0, "yes or no: may log in." },
	{ "mailbox", "m", TMAIL_TYPE_STRING, 0, "yes or no: there is a mailbox." },
	{ "catchall", NULL, TMAIL_TYPE_STRING, 0, "yes or no: takes what is for nobody else." },
	{ "quota", "q", TMAIL_TYPE_STRING, 0, "Size of the mailbox." } };

static const struct tmail_argument list_arguments[] = {
	{ "domain", "d", TMAIL_TYPE_STRING, 0, "Only of this domain." },
	{ "mailbox", "m", TMAIL_TYPE_BOOL, 0, "Only those with a mailbox." },
	{ "relay", "r", TMAIL_TYPE_BOOL, 0, "Only those that may relay." },
	{ "inactive", NULL, TMAIL_TYPE_BOOL, 0, "Only those that may not log in." },
};

const struct tmail_verb users_verbs[USERS_VERBS] = {
	{ "user add", "Let somebody log in.", TMAIL_ROLE_ADMIN, TMAIL_OFFLINE,
		TMAIL_LIST(add_arguments), user_add },
	{ "user del", "Forget a login; what is in its mailbox stays.", TMAIL_ROLE_ADMIN,
		TMAIL_OFFLINE, TMAIL_LIST(del_arguments), user_del },
	{ "user update", "Change a password, or what a login may and has.", TMAIL_ROLE_ADMIN,
		TMAIL_OFFLINE, TMAIL_LIST(update_arguments), user_update },
	{ "user list", "List who can log in; never their passwords.", TMAIL_ROLE_READ,
		TMAIL_OFFLINE, TMAIL_LIST(list_arguments), user_list },
	{ "user sender add", "Let a login send as an address, or as all of @domain.",
		TMAIL_ROLE_ADMIN, TMAIL_OFFLINE, { sender_arguments, 2, sizeof *sender_arguments },
		sender_add },
	{ "user sender del", "Let it no more.", TMAIL_ROLE_ADMIN, TMAIL_OFFLINE,
		{ sender_arguments, 2, sizeof *sender_arguments }, sender_del },
	{ "user sender list", "List who may send as whom.", TMAIL_ROLE_READ, TMAIL_OFFLINE,
		{ NULL, 0, 0 }, sender_list },
};
