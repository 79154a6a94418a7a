/* SPDX-License-Identifier: MIT
 *
 * CRAM-MD5 and SCRAM, step by step, over what is stored of passwords. Who does not exist, has no
 * keys or is not active fails at the end, as who has the wrong password does.
 */
#include "users.h"

#include <sodium.h>
#include <stdio.h>
#include <time.h>

static void exchange_end(struct exchange *e)
{
	scram_free(&e->scram);
	e->challenge[0] = '\0';
}

int users_forget(struct tmail_call *call, const void *question, void *answer)
{
	(void)question;
	(void)answer;
	exchange_end(call->session);
	return TMAIL_OK;
}

void users_session_end(struct tmail_call *call)
{
	exchange_end(call->session);
}

static int refuse(struct tmail_auth_reply *reply, struct str why)
{
	reply->who.why = tm(why);
	return TMAIL_REFUSED;
}

static int passed(struct tmail_auth_reply *reply, const struct account *account)
{
	if (!account->active)
		return refuse(reply, STR("not active"));
	reply->who.login = account->login;
	reply->who.relay = account->relay;
	return TMAIL_OK;
}

/* ---- CRAM-MD5 ---------------------------------------------------------------------------- */

static int cram_ask(struct tmail_call *call, struct exchange *e, struct tmail_auth_reply *reply)
{
	struct tmail_str host = call->client ? call->client->hostname : (struct tmail_str){ 0 };
	uint64_t chance[2];

	randombytes_buf(chance, sizeof chance);
	snprintf(e->challenge, sizeof e->challenge, "<%016llx%016llx.%lld@%.*s>",
		(unsigned long long)chance[0], (unsigned long long)chance[1], (long long)time(NULL),
		host.len < 128 ? (int)host.len : 128, host.data ? host.data : "");
	reply->more = 1;
	reply->out = users_keep(call, str_c(e->challenge));
	return TMAIL_OK;
}

/* The answer: a login, a blank, 32 hexadecimal digits. A login may have blanks. */
static int cram_take(
	struct tmail_call *call, struct exchange *e, struct str in, struct tmail_auth_reply *reply)
{
	ptrdiff_t blank = str_find_last(in, ' ');
	char wanted[CRAM_DIGEST + 1], nobody[CRAM_TEXT], chance[16];
	struct account account = { .active = false };
	struct str login, digest;
	bool right;
	int status;

	if (blank <= 0)
		return refuse(reply, STR("not an answer of CRAM-MD5"));
	login = str_slice(in, 0, (size_t)blank);
	digest = str_slice(in, (size_t)blank + 1, in.len);
	reply->who.login = users_keep(call, login);
	status = account_find(call, login, &account, &reply->who.why);
	if (status == TMAIL_TRY_LATER)
		return status;
	if (!cram_digest(of(account.cram), str_c(e->challenge), wanted)) {
		randombytes_buf(chance, sizeof chance);
		cram_context(str_make(chance, sizeof chance), nobody);
		cram_digest(str_c(nobody), str_c(e->challenge), wanted);
		digest.len = 0;
	}
	right = digest.len == CRAM_DIGEST && sodium_memcmp(digest.data, wanted, CRAM_DIGEST) == 0;
	if (status == TMAIL_OK && account.cram.len == 0)
		return refuse(reply, STR("nothing is stored for CRAM-MD5"));
	if (!right)
		return refuse(
			reply, status == TMAIL_OK ? STR("wrong password") : STR("unknown login"));
	return passed(reply, &account);
}

static int cram_step(struct tmail_call *call, struct exchange *e, const struct tmail_auth_step *q,
	struct tmail_auth_reply *reply)
{
	int status;

	if (q->first && !q->in.data)
		return cram_ask(call, e, reply);
	if (q->first) /* the server speaks first */
		return refuse(reply, STR("an initial response, which CRAM-MD5 has not"));
	status = cram_take(call, e, of(q->in), reply);
	exchange_end(e);
	return status;
}

/* ---- SCRAM ------------------------------------------------------------------------------- */

struct finding {
	struct tmail_call *call;
	struct tmail_str why;
};

static enum scram_found find(void *ctx, struct str login, char keys[SCRAM_TEXT])
{
	struct finding *f = ctx;
	const struct users_conf *conf = f->call->conf;
	struct account account = { .active = false };
	struct tmail_str same = users_keep(f->call, login);
	uint8_t secret[SCRAM_SECRET];

	if (account_find(f->call, login, &account, &f->why) == TMAIL_TRY_LATER)
		return SCRAM_TRY_LATER;
	if (account.scram.len > 0 && account.scram.len < SCRAM_TEXT) {
		memcpy(keys, account.scram.data, account.scram.len);
		keys[account.scram.len] = '\0';
		return SCRAM_FOUND;
	}
	if (account_secret(f->call, secret, &f->why) != TMAIL_OK)
		return SCRAM_TRY_LATER;
	/* Capitals do not matter to those who exist, so not to those who do not. */
	ascii_lower_all((char *)(uintptr_t)same.data, same.len);
	scram_keys_nobody(secret, of(same), conf->scram_iterations, keys);
	return SCRAM_FOUND;
}

static int scram_passed(struct tmail_call *call, struct exchange *e, struct tmail_auth_reply *reply)
{
	struct str authorize = scram_authorize(e->scram);
	struct account account = { 0 };
	int status = account_find(call, of(reply->who.login), &account, &reply->who.why);

	if (status == TMAIL_TRY_LATER)
		return status;
	if (status != TMAIL_OK)
		return refuse(reply, STR("gone meanwhile"));
	if (authorize.len > 0 && !str_equal_case(authorize, of(account.login)))
		return refuse(reply, STR("may not act for another"));
	return passed(reply, &account);
}

static int scram_go_on(struct tmail_call *call, struct exchange *e, const struct tmail_auth_step *q,
	struct tmail_auth_reply *reply)
{
	struct finding finding = { call, { NULL, 0 } };
	const struct scram_lookup lookup = { find, &finding };
	struct buf out = { 0 };
	enum scram_result result = scram_step(e->scram, of(q->in), of(q->binding), &lookup, &out);
	int status = TMAIL_OK;

	reply->who.login = users_keep(call, scram_login(e->scram));
	reply->who.why = finding.why;
	reply->out = users_keep(call, buf_str(&out));
	reply->more = result == SCRAM_MORE;
	buf_free(&out);
	if (result == SCRAM_RIGHT)
		status = scram_passed(call, e, reply);
	else if (result == SCRAM_LATER)
		status = TMAIL_TRY_LATER;
	else if (result == SCRAM_WRONG)
		status = refuse(reply, STR("wrong password, or unknown login"));
	if (result != SCRAM_MORE)
		exchange_end(e);
	return status;
}

static int scram_begin(struct tmail_call *call, struct exchange *e, const struct tmail_auth_step *q,
	struct tmail_auth_reply *reply)
{
	struct users *u = call->self;

	e->scram = scram_new(u->gsasl, str_ends_case(of(q->mechanism), STR("-PLUS")));
	if (e->scram)
		return scram_go_on(call, e, q, reply);
	reply->who.why = (struct tmail_str)TMAIL_STR("no memory");
	return TMAIL_TRY_LATER;
}

/* ---- asked ------------------------------------------------------------------------------- */

int users_exchange(struct tmail_call *call, const void *question, void *answer)
{
	const struct tmail_auth_step *q = question;
	struct exchange *e = call->session;

	if (q->first)
		exchange_end(e);
	if (str_equal_case(of(q->mechanism), STR("CRAM-MD5")))
		return cram_step(call, e, q, answer);
	return q->first ? scram_begin(call, e, q, answer) : scram_go_on(call, e, q, answer);
}

int users_mechanisms(struct tmail_call *call, const void *question, void *answer)
{
	/* Their setting, and what is offered for it; the best first. */
	static const struct {
		struct str setting;
		struct tmail_str name;
	} all[] = {
		{ STR_INIT("SCRAM-SHA-256"), TMAIL_STR("SCRAM-SHA-256-PLUS") },
		{ STR_INIT("SCRAM-SHA-256"), TMAIL_STR("SCRAM-SHA-256") },
		{ STR_INIT("CRAM-MD5"), TMAIL_STR("CRAM-MD5") },
		{ STR_INIT("PLAIN"), TMAIL_STR("PLAIN") },
		{ STR_INIT("LOGIN"), TMAIL_STR("LOGIN") },
	};
	enum { ALL = sizeof all / sizeof *all };
	struct tmail_auth_mechanisms *list = answer;
	struct tmail_str *names = call->host->alloc(call, ALL * sizeof *names, TMAIL_SCOPE_CALL);
	uint32_t count = 0;

	(void)question;
	if (!names)
		return TMAIL_TRY_LATER;
	for (size_t i = 0; i < ALL; i++)
		if (users_has(call->conf, all[i].setting))
			names[count++] = all[i].name;
	list->names.item = names;
	list->names.count = count;
	list->names.stride = sizeof *names;
	return TMAIL_OK;
}
