/* SPDX-License-Identifier: MIT
 *
 * From a domain to its policy (RFC 8461 3, 5.1), on the loop of who asks:
 *
 *   TXT _mta-sts.DOMAIN -> what is known answers
 *                       -> A, AAAA of mta-sts.DOMAIN -> the fetcher -> all who wait are answered
 *
 * What must hold: a policy that has not ended is never forgotten because something failed; and
 * nothing of a loop waits.
 */
#include "mtasts.h"

#include <stdio.h>

enum { TYPE_A = 1, TYPE_TXT = 16, TYPE_AAAA = 28, ADDRESSES_MAX = 8 };
enum record { RECORD_NONE, RECORD_UNKNOWN, RECORD_THERE };

/* An ask under way; in the memory of its call. */
struct asking {
	struct asking *next; /* of who waits for a fetch */
	struct tmail_call *call;
	struct mtasts *self;
	struct str domain;
	const struct tmail_tls_policy_ask *ask; /* else for the module itself: */
	const struct mtasts_fetch *fetch;
	struct tmail_tls_policy_answer *answer;
	struct mtasts_found *found;
	enum record record;
	char id[STS_ID_MAX + 1];
	char addresses[ADDRESSES_MAX * 48];
	unsigned address_count;
	struct tmail_str dns_why;
};

static struct tmail_str copy(struct tmail_call *call, struct str s)
{
	char *room = call->host->alloc(call, s.len + 1, TMAIL_SCOPE_CALL);

	if (!room)
		return (struct tmail_str)TMAIL_STR("");
	if (s.data)
		memcpy(room, s.data, s.len);
	return (struct tmail_str){ room, s.len };
}

static void step_ends(struct tmail_call *call, int status)
{
	if (status != TMAIL_PENDING)
		call->host->resume(call, status);
}

static int resolve(struct asking *a, const char *prefix, uint32_t type, tmail_resolved *done)
{
	char name[STS_NAME_MAX + 16];
	struct tmail_str asked = { name, 0 };

	asked.len = (size_t)snprintf(name, sizeof name, "%s.%.*s", prefix, STR_ARG(a->domain));
	return a->call->host->net->resolve(a->call, asked, type, done, a) == TMAIL_OK
		? TMAIL_PENDING
		: TMAIL_TRY_LATER;
}

/* ---- what is known answers ----------------------------------------------------------------- */

static void say_about(struct asking *a, const struct known *k)
{
	struct buf text = { 0 };

	buf_printf(&text, "id %s, %s", k->id, sts_mode_name(k->policy->mode));
	a->answer->about = copy(a->call, buf_str(&text));
	a->answer->text = copy(a->call, k->policy->lines);
	buf_free(&text);
}

/* RFC 8460 4.3.2.2: there ought to be a policy, and it cannot be had. Mail goes all the same. */
static int none(struct asking *a, const struct known *k)
{
	if (a->record == RECORD_THERE && known_is_failing(k, str_c(a->id), mtasts_now())) {
		a->answer->result = copy(a->call, str_c(k->result));
		a->answer->why = copy(a->call, str_c(k->why));
	}
	return TMAIL_NOT_FOUND;
}

static int policy_says(struct asking *a, struct known *k, const struct sts_policy *policy)
{
	bool enforced = policy->mode == STS_ENFORCE;
	struct buf why = { 0 };
	struct tmail_str *host;

	say_about(a, k);
	if (!sts_policy_admits(policy, of(a->ask->host))) {
		buf_printf(&why, "%.*s is no mx of the domain's MTA-STS policy (id %s, %s)",
			STR_ARG(of(a->ask->host)), k->id, sts_mode_name(policy->mode));
		a->answer->why = copy(a->call, buf_str(&why));
		a->answer->result = (struct tmail_str)TMAIL_STR("validation-failure");
		buf_free(&why);
		if (enforced)
			return TMAIL_REFUSED;
	}
	host = a->call->host->alloc(a->call, sizeof *host, TMAIL_SCOPE_CALL);
	if (!host)
		return TMAIL_TRY_LATER;
	*host = copy(a->call, of(a->ask->host));
	a->answer->names = (struct tmail_list){ host, 1, sizeof *host };
	a->answer->policy = enforced ? TMAIL_TLS_VERIFY : TMAIL_TLS_MAY;
	return TMAIL_OK;
}

/* Nothing more will be asked. The lock is held. */
static int conclude(struct asking *a, struct known *k)
{
	int64_t now = mtasts_now();
	const struct sts_policy *policy = known_policy(k, now);

	if (a->fetch) {
		bool fine = policy && a->record == RECORD_THERE &&
			!known_is_failing(k, str_c(a->id), now);

		if (!fine)
			a->found->why = a->record != RECORD_THERE ? a->dns_why
				: k                               ? copy(a->call, str_c(k->why))
								  : (struct tmail_str)TMAIL_STR("");
		return fine ? TMAIL_OK : TMAIL_NOT_FOUND;
	}
	if (!k)
		return TMAIL_NOT_FOUND;
	k->asked = now;
	return policy && policy->mode != STS_NONE ? policy_says(a, k, policy) : none(a, k);
}

/* ---- the fetch ----------------------------------------------------------------------------- */

/* The core gave the call up: it waits for the fetcher, or that is about to tell it. */
static int gone(struct tmail_call *call, void *ctx)
{
	struct asking *a = ctx;
	struct known *k;
	int found = 0;

	(void)call;
	pthread_mutex_lock(&a->self->lock);
	k = cache_get(&a->self->cache, a->domain);
	for (struct asking **at = k ? &k->waiting : NULL; at && *at; at = &(*at)->next)
		if (*at == a) {
			*at = a->next;
			found = 1;
			break;
		}
	pthread_mutex_unlock(&a->self->lock);
	return found;
}

/* The lock is held. */
static int wait_for_it(struct asking *a, struct known *k)
{
	a->next = k->waiting;
	k->waiting = a;
	a->call->host->abandoned(a->call, gone, a);
	return TMAIL_PENDING;
}

/* The lock is held. One fetch of a domain at a time; who comes later waits for it too. */
static int fetch(struct asking *a)
{
	struct known *k = cache_make(&a->self->cache, a->domain);

	k->wanted = false;
	if (!k->fetching)
		fetch_start(a->self->fetcher, a->domain, str_c(a->id), str_c(a->addresses));
	k->fetching = true;
	if (a->fetch && !a->fetch->wait)
		return TMAIL_OK;
	return wait_for_it(a, k);
}

/* Everybody hears, each in his own words. */
void mtasts_fetched(void *self, const struct fetched *fetched)
{
	struct mtasts *m = self;
	int64_t now = mtasts_now();
	struct asking *waiting;
	const char *wrong = NULL;
	struct known *k;

	pthread_mutex_lock(&m->lock);
	k = cache_make(&m->cache, fetched->domain);
	k->fetching = false;
	if (fetched->result.len)
		known_failed(k, fetched->id, fetched->result, fetched->why, now + m->retry);
	else if (known_take(k, fetched->id, fetched->body, now, &wrong))
		k->unsaved = true;
	else
		known_failed(
			k, fetched->id, STR("sts-policy-invalid"), str_c(wrong), now + m->retry);
	waiting = k->waiting;
	k->waiting = NULL;
	while (waiting) {
		struct asking *a = waiting;
		int status = conclude(a, k);

		waiting = a->next; /* it may be gone once it is told */
		a->call->host->resume(a->call, status);
	}
	pthread_mutex_unlock(&m->lock);
}

static void address_add(struct asking *a, struct str rdata, bool six)
{
	size_t len = strlen(a->addresses);
	struct buf text = { 0 };

	if (rdata.len != (six ? 16 : 4) || a->address_count == ADDRESSES_MAX)
		return;
	buf_add_c(&text, a->address_count++ ? "," : "");
	for (size_t i = 0; i < rdata.len; i += six ? 2 : 1) {
		const unsigned char *o = (const unsigned char *)rdata.data + i;

		if (six)
			buf_printf(&text, "%s%x", i ? ":" : "[", o[0] << 8 | o[1]);
		else
			buf_printf(&text, "%s%u", i ? "." : "", o[0]);
	}
	buf_add_c(&text, six ? "]" : "");
	snprintf(a->addresses + len, sizeof a->addresses - len, "%s", buf_c(&text));
	buf_free(&text);
}

static void addresses_take(struct asking *a, const struct tmail_dns_answer *dns, bool six)
{
	TMAIL_EACH(struct tmail_str, record, dns->records)
		address_add(a, of(*record), six);
	if (dns->status == TMAIL_TRY_LATER)
		a->dns_why = copy(a->call, of(dns->why));
}

static void addresses_known(struct tmail_call *call, void *ctx, const struct tmail_dns_answer *dns)
{
	struct asking *a = ctx;
	struct known *k;
	int status;

	addresses_take(a, dns, true);
	pthread_mutex_lock(&a->self->lock);
	if (a->address_count > 0) {
		status = fetch(a);
	} else {
		k = cache_make(&a->self->cache, a->domain);
		known_failed(k, str_c(a->id), STR("sts-policy-fetch-error"),
			a->dns_why.len ? of(a->dns_why) : STR("its web server has no address"),
			mtasts_now() + a->self->retry);
		k->wanted = false;
		status = conclude(a, k);
	}
	pthread_mutex_unlock(&a->self->lock);
	step_ends(call, status);
}

static void v4_known(struct tmail_call *call, void *ctx, const struct tmail_dns_answer *dns)
{
	addresses_take(ctx, dns, false);
	step_ends(call, resolve(ctx, "mta-sts", TYPE_AAAA, addresses_known));
}

/* ---- the record -------------------------------------------------------------------------- */

/* RFC 8461 3.1: exactly one of those that begin as one, and that is right. */
static void record_take(struct asking *a, const struct tmail_dns_answer *dns)
{
	struct buf text = { 0 };
	struct str id;
	unsigned count = 0;

	a->record = dns->status == TMAIL_TRY_LATER ? RECORD_UNKNOWN : RECORD_NONE;
	a->dns_why = dns->status == TMAIL_TRY_LATER
		? copy(a->call, of(dns->why))
		: (struct tmail_str)TMAIL_STR("it has no record _mta-sts, or a wrong one");
	TMAIL_EACH(struct tmail_str, record, dns->records) {
		buf_clear(&text);
		if (!sts_record_text(of(*record), &text) || !sts_record_is(buf_str(&text)))
			continue;
		count++;
		if (!sts_record_parse(buf_str(&text), &id))
			continue;
		snprintf(a->id, sizeof a->id, "%.*s", STR_ARG(id));
		a->record = RECORD_THERE;
	}
	buf_free(&text);
	if (count > 1)
		a->record = RECORD_NONE;
}

/* RFC 8461 5.1: what is known will do while a new one is fetched, unless it rules the host out. */
static bool can_wait(const struct asking *a, const struct sts_policy *policy)
{
	return a->ask && policy &&
		(policy->mode != STS_ENFORCE || sts_policy_admits(policy, of(a->ask->host)));
}

/* False: a new one is to be fetched, and waited for. The lock is held. */
static bool is_answered(struct asking *a, struct known *k)
{
	int64_t now = mtasts_now();
	const struct sts_policy *policy = known_policy(k, now);
	bool is_new = !policy || !str_equal(str_c(k->id), str_c(a->id));

	if (a->record != RECORD_THERE)
		return true;
	if (a->fetch)
		return false;
	if (!is_new || known_is_failing(k, str_c(a->id), now))
		return true;
	if (!can_wait(a, policy))
		return false;
	k->wanted = true;
	return true;
}

static int record_judge(struct asking *a, const struct tmail_dns_answer *dns)
{
	struct known *k;
	int status = TMAIL_PENDING;

	record_take(a, dns);
	pthread_mutex_lock(&a->self->lock);
	k = cache_get(&a->self->cache, a->domain);
	if (is_answered(a, k))
		status = conclude(a, k);
	pthread_mutex_unlock(&a->self->lock);
	return status != TMAIL_PENDING ? status : resolve(a, "mta-sts", TYPE_A, v4_known);
}

static void record_known(struct tmail_call *call, void *ctx, const struct tmail_dns_answer *dns)
{
	step_ends(call, record_judge(ctx, dns));
}

/* ---- asked ------------------------------------------------------------------------------- */

static int begin(struct tmail_call *call, struct asking **out, struct tmail_str domain)
{
	struct mtasts *self = call->self;
	struct asking *a;

	if (domain.len == 0 || domain.len > STS_NAME_MAX - 9 || domain.data[0] == '[' ||
		!self->fetcher)
		return TMAIL_NOT_FOUND;
	a = call->host->alloc(call, sizeof *a, TMAIL_SCOPE_CALL);
	if (!a)
		return TMAIL_TRY_LATER;
	a->call = call;
	a->self = self;
	a->domain = of(domain);
	*out = a;
	return TMAIL_OK;
}

int mtasts_ask(struct tmail_call *call, const void *question, void *answer)
{
	const struct tmail_tls_policy_ask *ask = question;
	struct asking *a;
	int status = begin(call, &a, ask->domain);

	if (status != TMAIL_OK)
		return status;
	a->ask = ask;
	a->answer = answer;
	a->answer->kind = (struct tmail_str)TMAIL_STR("sts");
	return resolve(a, "_mta-sts", TYPE_TXT, record_known);
}

int mtasts_fetch(struct tmail_call *call, const void *question, void *answer)
{
	const struct mtasts_fetch *wanted = question;
	struct asking *a;
	int status = begin(call, &a, wanted->domain);

	if (status != TMAIL_OK)
		return status;
	a->fetch = wanted;
	a->found = answer;
	return resolve(a, "_mta-sts", TYPE_TXT, record_known);
}
