/* SPDX-License-Identifier: MIT
 *
 * Rows of the table users, as far as logging in needs them.
 */
#include "users.h"

#include "base/encode.h"

#include <sodium.h>

struct tmail_str users_keep(struct tmail_call *call, struct str s)
{
	char *room = call->host->alloc(call, s.len + 1, TMAIL_SCOPE_CALL);
	struct tmail_str kept = { room, room ? s.len : 0 };

	if (room && s.len > 0)
		memcpy(room, s.data, s.len);
	return kept;
}

/* ---- rows -------------------------------------------------------------------------------- */

struct found {
	struct tmail_call *call;
	struct account *account;
	bool any;
};

static int row(void *ctx, const struct tmail_sql_value *columns, uint32_t n)
{
	struct found *found = ctx;
	struct account *a = found->account;

	if (n < 6)
		return 1;
	found->any = true;
	a->login = users_keep(found->call, of(columns[0].text));
	a->password = users_keep(found->call, of(columns[1].text));
	a->scram = users_keep(found->call, of(columns[2].text));
	a->cram = users_keep(found->call, of(columns[3].text));
	a->active = str_equal_case(of(columns[4].text), STR("Y"));
	a->relay = columns[5].integer != 0;
	return 1;
}

int account_find(
	struct tmail_call *call, struct str login, struct account *account, struct tmail_str *why)
{
	struct found found = { call, account, false };
	struct tmail_str key = users_keep(call, login);
	struct tmail_sql_value value;
	struct tmail_sql_query query = { .size = sizeof query,
		.count = 1,
		.sql = TMAIL_STR("select login, dove_passwd, scram_sha_256, cram_md5, active,"
				 " auth_relay from users where login = ?"),
		.parameters = &value,
		.row = row,
		.ctx = &found };
	struct tmail_sql_result result = { .size = sizeof result };

	ascii_lower_all((char *)(uintptr_t)key.data, key.len);
	value = tmail_sql_text(key);
	call->host->count(call, METRIC_LOOKUPS, 1);
	if (call->host->ask(call, TMAIL_SQL, TMAIL_SQL_QUERY, &query, &result) != TMAIL_OK) {
		*why = result.why;
		return TMAIL_TRY_LATER;
	}
	return found.any ? TMAIL_OK : TMAIL_NOT_FOUND;
}

/* ---- the secret -------------------------------------------------------------------------- */

static int secret_row(void *ctx, const struct tmail_sql_value *columns, uint32_t n)
{
	if (n > 0)
		buf_add(ctx, of(columns[0].text));
	return 1;
}

static int secret_read(struct tmail_call *call, struct buf *text, struct tmail_str *why)
{
	struct tmail_sql_query query = { .size = sizeof query,
		.sql = TMAIL_STR("select value from user_secrets where name = 'scram'"),
		.row = secret_row,
		.ctx = text };
	struct tmail_sql_result result = { .size = sizeof result };
	int status = call->host->ask(call, TMAIL_SQL, TMAIL_SQL_QUERY, &query, &result);

	*why = result.why;
	return status == TMAIL_OK ? TMAIL_OK : TMAIL_TRY_LATER;
}

/* Of two servers that make one at the same time, the second reads that of the first. */
static int secret_make(struct tmail_call *call, struct tmail_str *why)
{
	uint8_t octets[SCRAM_SECRET];
	struct buf text = { 0 };
	struct tmail_sql_value value;
	struct tmail_sql_query query = { .size = sizeof query,
		.count = 1,
		.sql = TMAIL_STR("insert into user_secrets (name, value) values ('scram', ?)"),
		.parameters = &value };
	struct tmail_sql_result result = { .size = sizeof result };
	int status;

	randombytes_buf(octets, sizeof octets);
	hex_encode(&text, str_make((const char *)octets, sizeof octets));
	value = tmail_sql_text(tm(buf_str(&text)));
	status = call->host->ask(call, TMAIL_SQL, TMAIL_SQL_QUERY, &query, &result);
	buf_free_secret(&text);
	*why = result.why;
	return status == TMAIL_OK || result.duplicate ? TMAIL_OK : TMAIL_TRY_LATER;
}

static int secret_get(struct tmail_call *call, struct users *u, struct tmail_str *why)
{
	struct buf text = { 0 }, octets = { 0 };
	int status = secret_read(call, &text, why);

	if (status == TMAIL_OK && text.len == 0) {
		status = secret_make(call, why);
		if (status == TMAIL_OK)
			status = secret_read(call, &text, why);
	}
	if (status == TMAIL_OK && hex_decode(&octets, buf_str(&text)) &&
		octets.len == SCRAM_SECRET) {
		memcpy(u->secret, octets.data, SCRAM_SECRET);
		u->secret_known = true;
	} else if (status == TMAIL_OK) {
		status = TMAIL_TRY_LATER;
		*why = (struct tmail_str)TMAIL_STR("the secret in user_secrets is none");
	}
	buf_free_secret(&text);
	buf_free_secret(&octets);
	return status;
}

int account_secret(struct tmail_call *call, uint8_t secret[SCRAM_SECRET], struct tmail_str *why)
{
	struct users *u = call->self;
	int status = TMAIL_OK;

	pthread_mutex_lock(&u->lock);
	if (!u->secret_known)
		status = secret_get(call, u, why);
	if (status == TMAIL_OK)
		memcpy(secret, u->secret, SCRAM_SECRET);
	pthread_mutex_unlock(&u->lock);
	return status;
}

/* ---- credentials ------------------------------------------------------------------------- */

bool users_has(const struct users_conf *conf, struct str mechanism)
{
	TMAIL_EACH(struct tmail_str, name, conf->mechanisms)
		if (str_equal_case(of(*name), mechanism))
			return true;
	return false;
}

bool credentials_make(struct tmail_call *call, struct str password, struct credentials *out)
{
	const struct users_conf *conf = call->conf;

	*out = (struct credentials){ .password = "" };
	call->host->count(call, METRIC_HASHES, 1);
	if (!password_hash(&conf->cost, password, out->password))
		return false;
	/* One that SASLprep forbids has no keys, and no client could use them. */
	if (users_has(conf, STR("SCRAM-SHA-256")) &&
		!scram_keys(password, conf->scram_iterations, out->scram))
		out->scram[0] = '\0';
	if (users_has(conf, STR("CRAM-MD5")))
		cram_context(password, out->cram);
	return true;
}

static bool scram_is_right(
	const struct users_conf *conf, const struct account *account, struct str password)
{
	if (!users_has(conf, STR("SCRAM-SHA-256")))
		return account->scram.len == 0;
	if (account->scram.len == 0)
		return !scram_may(password);
	return scram_is_current(of(account->scram), conf->scram_iterations);
}

bool credentials_are_current(
	const struct users_conf *conf, const struct account *account, struct str password)
{
	return password_is_current(&conf->cost, of(account->password)) &&
		scram_is_right(conf, account, password) &&
		(account->cram.len > 0) == users_has(conf, STR("CRAM-MD5"));
}

/* Who changed the password meanwhile is right. */
void credentials_replace(
	struct tmail_call *call, const struct account *account, const struct credentials *c)
{
	const struct tmail_sql_value values[] = { tmail_sql_text(tm(str_c(c->password))),
		tmail_sql_optional(tm(str_c(c->scram))), tmail_sql_optional(tm(str_c(c->cram))),
		tmail_sql_text(account->login), tmail_sql_text(account->password) };
	struct tmail_sql_query query = { .size = sizeof query,
		.count = 5,
		.sql = TMAIL_STR("update users set dove_passwd = ?, scram_sha_256 = ?, cram_md5 = ?"
				 " where login = ? and dove_passwd = ?"),
		.parameters = values };
	struct tmail_sql_result result = { .size = sizeof result };
	struct tmail_field fields[] = { { "login", account->login }, { "why", { NULL, 0 } } };

	if (call->host->ask(call, TMAIL_SQL, TMAIL_SQL_QUERY, &query, &result) == TMAIL_OK)
		return;
	fields[1].value = result.why;
	call->host->log(call, TMAIL_WARNING, "rehash_failed", fields, 2);
}
