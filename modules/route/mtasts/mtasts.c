/* SPDX-License-Identifier: MIT
 *
 * route/mtasts: policies that domains publish on the web say which hosts may be used, and that
 * their certificates must be good (MTA-STS, RFC 8461). How one is found is in discover.c, the
 * grammar in policy.c, what is known in cache.c, rows.c keeps it. The page for people: mtasts.md.
 */
#include "mtasts.h"
#include "curl.h"

#include <stdlib.h>
#include <time.h>

enum { MONTH = 31 * 86400, REFRESHED_AT_ONCE = 16 };

int64_t mtasts_now(void)
{
	return (int64_t)time(NULL);
}

/* ---- in the background --------------------------------------------------------------------- */

static bool wants_new(const struct known *k, int64_t now, int64_t retry)
{
	if (k->fetching || now < k->refreshed + retry)
		return false;
	return k->wanted || (known_is_old(k, now) && now < k->asked + MONTH);
}

/* Nothing is known of it that is worth its memory. */
static bool is_over(const struct known *k, int64_t now)
{
	return !known_policy(k, now) && !k->fetching && !k->waiting && now >= k->failed_until;
}

/* Those that a new policy is to be looked for of; what is over goes. */
static unsigned refresh_find(struct mtasts *m, struct buf domains[REFRESHED_AT_ONCE])
{
	int64_t now = mtasts_now();
	unsigned count = 0;
	struct str domain;
	size_t at = 0;
	void *entry;

	pthread_mutex_lock(&m->lock);
	while (map_next(&m->cache.map, &at, &domain, &entry)) {
		struct known *k = entry;

		if (is_over(k, now)) {
			cache_forget(&m->cache, domain);
		} else if (count < REFRESHED_AT_ONCE && wants_new(k, now, m->retry)) {
			k->refreshed = now;
			k->wanted = false;
			buf_add(&domains[count++], domain);
		}
	}
	pthread_mutex_unlock(&m->lock);
	return count;
}

/* Not at the start, which would take longer; nor with the first mail, for whom it is too late. */
static void curl_look(struct tmail_call *call)
{
	struct mtasts *m = call->self;
	struct tmail_field field = { "why", { NULL, 0 } };
	struct why why;

	if (!m->curl_looked && !curl_get(&why)) {
		field.value = tm(str_c(why.text));
		call->host->log(call, TMAIL_ERROR, "mtasts_no_libcurl", &field, 1);
	}
	m->curl_looked = true;
}

static enum tmail_verdict tick(struct tmail_call *call, const union tmail_event *event)
{
	struct buf domains[REFRESHED_AT_ONCE] = { { 0 } };
	unsigned count = refresh_find(call->self, domains);

	(void)event;
	curl_look(call);
	for (unsigned i = 0; i < count; i++) {
		struct mtasts_fetch fetch = { .domain = tm(buf_str(&domains[i])) };
		struct mtasts_found found = { .why = { NULL, 0 } };

		call->host->ask(call, MTASTS_SERVICE, MTASTS_FETCH, &fetch, &found);
		buf_free(&domains[i]);
	}
	mtasts_rows_save(call);
	return TMAIL_CONTINUE;
}

static enum tmail_verdict changed(struct tmail_call *call, const union tmail_event *event)
{
	struct tmail_sql_result result = { .size = sizeof result };

	if (str_equal(of(event->changed.table), STR("mtasts")))
		mtasts_rows_read(call, &result);
	return TMAIL_CONTINUE;
}

/* ---- life ---------------------------------------------------------------------------------- */

static int start(struct tmail_call *call)
{
	const struct mtasts_conf *conf = call->conf;
	struct mtasts *m = call->self;
	struct tmail_sql_result result = { .size = sizeof result };
	char *ca_file = conf->ca_file.len ? str_dup_c(of(conf->ca_file)) : NULL;

	pthread_mutex_init(&m->lock, NULL);
	m->retry = conf->retry / 1000;
	m->fetcher = fetcher_new(ca_file, conf->fetch_timeout, mtasts_fetched, m);
	free(ca_file);
	if (!m->fetcher) {
		call->host->reply(call, 0, "", "no thread can be had for what it fetches");
		return TMAIL_REFUSED;
	}
	if (mtasts_rows_read(call, &result) != TMAIL_OK) {
		struct tmail_field field = { "why", result.why };

		call->host->log(call, TMAIL_WARNING, "mtasts_unread", &field, 1);
	}
	return TMAIL_OK;
}

static void stop(struct tmail_call *call)
{
	struct mtasts *m = call->self;

	fetcher_free(&m->fetcher);
	mtasts_rows_save(call);
	cache_free(&m->cache);
	pthread_mutex_destroy(&m->lock);
}

/* ---- the descriptor -------------------------------------------------------------------- */

static const struct tmail_option options[] = {
	TMAIL_FILE(struct mtasts_conf, ca_file, "ca_file", NULL,
		"Certificates of the authorities that web servers of policies may be certified by; "
		"without it those of the system."),
	TMAIL_DURATION(struct mtasts_conf, fetch_timeout, "fetch_timeout", "25s", 1000, 600000,
		"How long fetching a policy may take. Mail for which that is longer than the "
		"module's timeout is tried again later."),
	TMAIL_DURATION(struct mtasts_conf, retry, "retry", "5m", 0, 86400000,
		"How long after a policy could not be fetched it is not tried again."),
};

static const struct tmail_hook hooks[] = {
	{ TMAIL_POINT_CHANGED, TMAIL_BLOCKING, changed },
	{ TMAIL_POINT_TICK, TMAIL_BLOCKING, tick },
};

static const struct tmail_operation policy_operations[] = {
	{ TMAIL_TLS_POLICY_ASK, TMAIL_DRY, mtasts_ask },
};

static const struct tmail_operation own_operations[] = {
	{ MTASTS_FETCH, TMAIL_DRY, mtasts_fetch },
};

static const struct tmail_service services[] = {
	{ TMAIL_TLS_POLICY, NULL, TMAIL_LIST(policy_operations) },
	{ MTASTS_SERVICE, NULL, TMAIL_LIST(own_operations) },
};

static const struct tmail_migration migrations[] = {
	{ 1,
		"create table mtasts (domain varchar(255) not null primary key,"
		" id varchar(32) not null, policy text not null, fetched bigint not null,"
		" expires bigint not null)" },
};

TMAIL_MODULE(mtasts, .name = "route/mtasts", .version = TMAIL_VERSION,
	.summary = "Demands the hosts and certificates of a domain's published policy (MTA-STS).",
	.capabilities = TMAIL_CAN_NET | TMAIL_CAN_SQL | TMAIL_CAN_FILE,
	.conf_size = sizeof(struct mtasts_conf), .self_size = sizeof(struct mtasts),
	.options = TMAIL_LIST(options), .hooks = TMAIL_LIST(hooks),
	.services = TMAIL_LIST(services), .migrations = TMAIL_LIST(migrations),
	.verbs = { mtasts_verbs, MTASTS_VERBS, sizeof(struct tmail_verb) }, .start = start,
	.stop = stop);
