/* SPDX-License-Identifier: MIT
 *
 * A login and its password. Whoever it is, one hash is made: of the stored scheme for those who
 * exist, of the configured one for those who do not. Only who was right a short while ago costs
 * none.
 */
#include "users.h"

#include <pthread.h>
#include <sodium.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { NICE = 10 };

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static int refuse(struct tmail_auth_who *who, int status, struct str why)
{
	who->why = tm(why);
	return status;
}

static bool texts_fit(const struct tmail_auth_verify *q)
{
	return q->login.len > 0 && q->login.len <= 1024 && q->password.len > 0 &&
		q->password.len <= 1024 && !memchr(q->login.data, '\0', q->login.len) &&
		!memchr(q->password.data, '\0', q->password.len);
}

struct hashing {
	struct str stored, password;
	enum password_result result;
};

static void *hash_behind(void *ctx)
{
	struct hashing *h = ctx;

	pthread_setname_np(pthread_self(), "hash");
	setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
	h->result = password_verify(h->stored, h->password);
	return NULL;
}

/* Mail goes before passwords: who hashes gets a tenth of the share of one who does not, where there
 * is not enough for both. It takes a thread of its own, since none that stood back may come to the
 * front again, and the worker is to answer those who are remembered. */
static enum password_result hash(struct tmail_call *call, struct str stored, struct str password)
{
	struct hashing h = { stored, password, PASSWORD_BUSY };
	pthread_t thread;

	call->host->count(call, METRIC_HASHES, 1);
	if (pthread_create(&thread, NULL, hash_behind, &h) == 0)
		pthread_join(thread, NULL);
	return h.result;
}

/* The password is right: is what is stored of it what the settings want? */
static void upgrade(struct tmail_call *call, struct account *account, struct str password)
{
	struct credentials fresh;

	if (credentials_are_current(call->conf, account, password) ||
		!credentials_make(call, password, &fresh))
		return;
	credentials_replace(call, account, &fresh);
	account->password = users_keep(call, str_c(fresh.password));
	sodium_memzero(&fresh, sizeof fresh);
}

static int check(struct tmail_call *call, struct account *account, bool exists,
	const struct tmail_auth_verify *q, struct tmail_auth_who *who)
{
	struct users *u = call->self;
	struct str stored = exists ? of(account->password) : str_c(u->nobody);
	enum password_result result;

	if (exists && account->active &&
		recall_has(u->recall, of(account->login), of(q->password), stored, now())) {
		call->host->count(call, METRIC_RECALLED, 1);
		return TMAIL_OK;
	}
	result = hash(call, stored, of(q->password));
	if (result == PASSWORD_UNKNOWN) /* no hash was made */
		hash(call, str_c(u->nobody), of(q->password));
	if (result == PASSWORD_BUSY)
		return refuse(who, TMAIL_TRY_LATER, STR("no memory to hash in"));
	if (!exists)
		return refuse(who, TMAIL_NOT_FOUND, STR("unknown login"));
	if (result == PASSWORD_UNKNOWN)
		return refuse(who, TMAIL_REFUSED, STR("stored in a scheme that is not known"));
	if (result == PASSWORD_WRONG)
		return refuse(who, TMAIL_REFUSED, STR("wrong password"));
	if (!account->active)
		return refuse(who, TMAIL_REFUSED, STR("not active"));
	upgrade(call, account, of(q->password));
	recall_put(u->recall, of(account->login), of(q->password), of(account->password), now());
	return TMAIL_OK;
}

int users_verify(struct tmail_call *call, const void *question, void *answer)
{
	const struct tmail_auth_verify *q = question;
	struct tmail_auth_who *who = answer;
	struct account account = { .active = false };
	int status;

	if (!texts_fit(q))
		return refuse(who, TMAIL_REFUSED, STR("no login or password, or one too long"));
	status = account_find(call, of(q->login), &account, &who->why);
	if (status == TMAIL_TRY_LATER)
		return status;
	status = check(call, &account, status == TMAIL_OK, q, who);
	if (status != TMAIL_OK)
		return status;
	if (q->authorize.len > 0 && !str_equal_case(of(q->authorize), of(account.login)))
		return refuse(who, TMAIL_REFUSED, STR("may not act for another"));
	who->login = account.login;
	who->relay = account.relay;
	return TMAIL_OK;
}

int users_find(struct tmail_call *call, const void *question, void *answer)
{
	const struct tmail_auth_find *q = question;
	struct tmail_auth_who *who = answer;
	struct account account = { 0 };
	int status = account_find(call, of(q->login), &account, &who->why);

	if (status != TMAIL_OK)
		return status;
	if (!account.active)
		return refuse(who, TMAIL_REFUSED, STR("not active"));
	who->login = account.login;
	who->relay = account.relay;
	return TMAIL_OK;
}
