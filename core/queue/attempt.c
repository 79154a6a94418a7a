/* SPDX-License-Identifier: MIT
 *
 * From a lane's route to a connection: hops in the order of route_order; names to addresses;
 * dialling; what failed is noted, and the next is tried. Nothing is ever told to the lane from
 * within attempt_new.
 */
#include "queue/attempt.h"

#include "queue/locate.h"
#include "queue/share.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { QUIT_MS = 2000 };

static bool hop_try(struct attempt *a);

static const struct hop *hop_now(const struct attempt *a)
{
	return &a->lane->route->hops[a->order[a->at]];
}

static uint64_t hop_bit(const struct attempt *a)
{
	return 1ull << a->order[a->at];
}

/* ---- what went wrong ------------------------------------------------------------------- */

/* Whose fault it was: who spoke by its name, else with the port that was tried. Answers the words
 * without what they begin with then. */
static struct str host_tell(struct attempt *a, const struct client_outcome *o)
{
	const struct hop *h = hop_now(a);
	struct str text = o->text, host;

	if (o->code != 0 || h->host.data[0] == '/')
		snprintf(a->host_text, sizeof a->host_text, "%.*s", STR_ARG(h->host));
	else
		snprintf(a->host_text, sizeof a->host_text,
			str_find(h->host, ':') >= 0 ? "[%.*s]:%u" : "%.*s:%u", STR_ARG(h->host),
			h->port);
	a->host = host = str_c(a->host_text);
	if (str_starts(text, host) && str_starts(str_slice(text, host.len, text.len), STR(": ")))
		text = str_slice(text, host.len + 2, text.len);
	why_set(&a->why, "%.*s", STR_ARG(text));
	return str_c(a->why.text);
}

/* The first reason that is not for ever is the one to tell; else the last. */
static void note(struct attempt *a, const struct client_outcome *o)
{
	bool forever = o->class == CLASS_PERMANENT || o->code / 100 == 5;

	log_event(LEVEL_DEBUG, &a->log, "host_failed", LOG_STR("host", hop_now(a)->rest_key),
		LOG_C("stage", client_stage_name(o->stage)),
		LOG_IF(o->code, LOG_NUM("code", o->code)), LOG_STR("reply", o->text),
		LOG_NUM("ms", (clock_mono() - a->began) / 1000));
	if (forever && a->temporary)
		return;
	a->temporary |= !forever;
	a->outcome = *o;
	a->outcome.class = a->temporary ? CLASS_TEMPORARY : CLASS_PERMANENT;
	a->outcome.text = host_tell(a, o);
}

static void note_own(struct attempt *a, enum client_class class, const char *enhanced,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

static void note_own(
	struct attempt *a, enum client_class class, const char *enhanced, const char *format, ...)
{
	struct client_outcome o = { .class = class, .stage = STAGE_CONNECT };
	char text[400];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	memcpy(o.enhanced, enhanced, strlen(enhanced) + 1);
	o.text = str_c(text);
	note(a, &o);
}

void attempt_is_for(const struct attempt *a, const struct parcel *p)
{
	bool over = a->at != SIZE_MAX && a->at >= a->count;

	log_event(LEVEL_DEBUG, &a->log,
		a->client      ? "sending"
			: over ? "no_host"
			       : "connecting",
		LOG_ID("id", p->work->id), LOG_NUM("rcpts", p->count),
		LOG_IF(a->client, LOG_STR("host", a->host)));
}

/* On to the next hop; when there is none the lane hears of it in the loop's next turn. */
static void hop_next(struct attempt *a)
{
	while (++a->at < a->count)
		if (!(a->skip & hop_bit(a)) && hop_try(a))
			return;
	deadline_set(&a->late, 0);
}

/* ---- dialling -------------------------------------------------------------------------- */

static void dial(struct attempt *a);

/* The host rests, and where it did not even connect so do all the addresses that were tried. It
 * does for those alone that demand the same of it where it failed at that. */
static void attempt_failed_at(struct attempt *a, const struct client_outcome *o)
{
	struct queue_loop *ql = a->lane->ql;
	const struct hop *h = hop_now(a);
	char key[ADDRESS_KEY];
	bool demand = o->stage == STAGE_TLS || o->stage == STAGE_AUTH;

	host_failed(ql, demand ? a->policy->key : h->rest_key, o);
	for (size_t i = 0; i < a->peer_count && o->stage == STAGE_CONNECT; i++)
		host_failed(ql, address_key(&a->peers[i], h->source, key), o);
}

/* Of a host whose TLS does not work. */
static struct str clear_key(const struct attempt *a, char text[ADDRESS_KEY])
{
	int len = snprintf(text, ADDRESS_KEY, "tls %.*s", STR_ARG(hop_now(a)->rest_key));

	return str_make(text, len < ADDRESS_KEY ? (size_t)len : ADDRESS_KEY - 1);
}

/* TLS that may be and does not work: the same address once more, without it. For a while others are
 * told so before they try. */
static bool dial_in_clear(
	struct attempt *a, const struct client *tried, const struct client_outcome *outcome)
{
	char key[ADDRESS_KEY];

	if (!outcome->in_clear || !queue_settings_now(a->lane->ql)->tls_fallback)
		return false;
	log_event(LEVEL_DEBUG, &a->log, "tls_fallback", LOG_STR("host", hop_now(a)->rest_key),
		LOG_STR("why", outcome->text));
	host_failed(a->lane->ql, clear_key(a, key), outcome);
	a->peers[0] = *client_peer(tried);
	a->peer_count = 1;
	a->in_clear = true;
	dial(a);
	return true;
}

static void secured(struct attempt *a)
{
	const struct tls_facts *facts = client_tls(a->client);
	struct arena *arena = arena_new(256);
	struct str policy = policy_text(a->policy, arena);

	if (facts)
		snprintf(a->tls, sizeof a->tls, "%.*s %s %s %s", STR_ARG(policy), facts->version,
			facts->cipher, facts->verified ? "verified" : "unverified");
	if (facts)
		log_event(LEVEL_DEBUG, &a->log, "secured", LOG_STR("policy", policy),
			LOG_C("version", facts->version), LOG_C("cipher", facts->cipher),
			LOG_C("verified", facts->verified ? "yes" : "no"),
			LOG_IF(facts->trouble != NULL, LOG_C("why", facts->trouble)),
			LOG_C("resumed", facts->resumed ? "yes" : "no"),
			LOG_C("peer", facts->peer));
	if (client_mechanism(a->client))
		log_event(LEVEL_DEBUG, &a->log, "logged_in", LOG_STR("login", hop_now(a)->login),
			LOG_C("mechanism", client_mechanism(a->client)));
	arena_free(&arena);
}

static void dialled(void *ctx, struct client *c, const struct client_outcome *outcome)
{
	struct attempt *a = ctx;
	struct queue_loop *ql = a->lane->ql;
	const struct client *tried = client_opening(a->open);
	char peer[ENDPOINT_TEXT], key[ADDRESS_KEY];

	a->open = NULL;
	if (!a->in_clear && (c || outcome->stage == STAGE_TLS))
		policy_tell(a->policy, tried, c ? NULL : outcome);
	if (!c) {
		metric_add(METRIC_dials_failed, 1);
		if (outcome->stage == STAGE_CONNECT && a->sources.ordered &&
			a->source_at + 1 < a->sources.count) {
			a->source_at++;
			dial(a);
			return;
		}
		if (dial_in_clear(a, tried, outcome))
			return;
		attempt_failed_at(a, outcome);
		note(a, outcome);
		hop_next(a);
		return;
	}
	host_answered(ql, hop_now(a)->rest_key);
	host_answered(ql, a->policy->key);
	host_answered(ql, address_key(client_peer(c), hop_now(a)->source, key));
	a->client = c;
	endpoint_text(client_peer(c), peer);
	snprintf(a->host_text, sizeof a->host_text, "%.*s[%s]", STR_ARG(hop_now(a)->host), peer);
	a->host = str_c(a->host_text);
	endpoint_text(client_local(c), peer);
	log_event(LEVEL_DEBUG, &a->log, "connected", LOG_STR("host", a->host),
		LOG_C("source", peer), LOG_NUM("ms", (clock_mono() - a->began) / 1000));
	secured(a);
	lane_connected(a->lane, a);
}

/* While destinations wait for a connection, one that may never come is waited for less. */
static struct client_timeouts timeouts(const struct queue_loop *ql, const struct queue_settings *s)
{
	bool scarce = share_is_scarce(ql);

	return (struct client_timeouts){ .connect = s->timeout_connect / (scarce ? 4 : 1),
		.greeting = s->timeout_command,
		.command = s->timeout_command,
		.mail = s->timeout_command,
		.rcpt = s->timeout_command,
		.data_start = s->timeout_command,
		.data_block = s->timeout_data / 3,
		.data_end = s->timeout_data,
		.quit = QUIT_MS };
}

static struct str introduce(void *ctx, const struct endpoint *local)
{
	struct attempt *a = ctx;

	return helo_of(queue_settings_now(a->lane->ql), &local->ip);
}

static void dial(struct attempt *a)
{
	const struct queue_settings *settings = queue_settings_now(a->lane->ql);
	const struct policy *policy = a->policy;
	const struct hop *h = hop_now(a);
	struct client_settings client = { .introduce = introduce,
		.protocol = h->protocol,
		.chunking = settings->chunking,
		.timeouts = timeouts(a->lane->ql, settings),
		.tls = policy->tls,
		.implicit = policy->implicit,
		.wanted = policy->wanted,
		.login = h->login,
		.password = h->password,
		.login_clear = h->login_clear,
		.workers = queue.io };

	if (policy->tls && !a->in_clear)
		client.secure = policy->level == TMAIL_TLS_MAY ? CLIENT_TLS_MAY : CLIENT_TLS_MUST;

	metric_add(METRIC_dials, 1);
	a->open = client_connect(a->lane->ql->loop, a->peers, a->peer_count,
		a->sources.ips + a->source_at, a->sources.count - a->source_at, &client, dialled,
		a);
}

/* What the domain has to say of it, if it has. */
static void policy_log(const struct attempt *a)
{
	const struct policy *p = a->policy;
	struct arena *arena;

	if (p->kind.len == 0)
		return;
	arena = arena_new(256);
	log_event(LEVEL_DEBUG, &a->log, "tls_policy", LOG_STR("host", hop_now(a)->host),
		LOG_STR("policy", policy_text(p, arena)),
		LOG_IF(p->text.len, LOG_STR("says", policy_line(p, arena))),
		LOG_IF(p->refused, LOG_STR("refused", p->result)),
		LOG_IF(p->why.len, LOG_STR("wrong", p->why)));
	arena_free(&arena);
}

/* What the host must be like is known. False: it is not to be used (noted). */
static bool policy_go(struct attempt *a)
{
	struct queue_loop *ql = a->lane->ql;
	const struct policy *p = a->policy;
	const struct client_outcome *rests = host_rests(ql, p->key);
	bool spoken = p->tls || p->level <= TMAIL_TLS_MAY;
	char key[ADDRESS_KEY];

	policy_log(a);
	if (p->refused)
		policy_tell(a->policy, NULL, NULL);
	if (p->refused)
		note_own(a, CLASS_TEMPORARY, p->enhanced, "host %.*s: %.*s",
			STR_ARG(hop_now(a)->host), STR_ARG(p->why));
	else if (!spoken)
		note_own(a, CLASS_TEMPORARY, "4.7.5", "host %.*s: TLS cannot be spoken here",
			STR_ARG(hop_now(a)->host));
	else if (rests)
		note(a, rests);
	if (p->refused || !spoken || rests)
		return false;
	a->in_clear = p->level == TMAIL_TLS_MAY && queue_settings_now(ql)->tls_fallback &&
		host_rests(ql, clear_key(a, key));
	dial(a);
	return true;
}

static void policy_found(void *ctx)
{
	struct attempt *a = ctx;

	if (!policy_go(a))
		hop_next(a);
}

/* Its addresses are known. False: it is not to be used (noted). */
static bool host_go(struct attempt *a, bool address_secure)
{
	struct queue_loop *ql = a->lane->ql;

	policy_free(&a->policy);
	a->reloads = ql->reloads;
	a->policy = policy_new(ql->loop, queue_generation_now(ql), queue_settings_now(ql),
		a->lane->route, hop_now(a), address_secure);
	return !policy_find(a->policy, policy_found, a) || policy_go(a);
}

/* Those that rest are left out, though never all without a reason. False: none is left. */
static bool peers_are_awake(struct attempt *a)
{
	const struct client_outcome *why = NULL, *rests;
	char key[ADDRESS_KEY];
	size_t n = 0;

	for (size_t i = 0; i < a->peer_count; i++) {
		rests = host_rests(a->lane->ql, address_key(&a->peers[i], hop_now(a)->source, key));
		if (rests)
			why = rests;
		else
			a->peers[n++] = a->peers[i];
	}
	a->peer_count = n;
	if (n == 0 && why)
		note(a, why);
	return n > 0;
}

/* Addresses that lead back here are no next hop. False: none is left. */
static bool peers_are_others(struct attempt *a)
{
	size_t n = 0;

	for (size_t i = 0; i < a->peer_count; i++)
		if (!hop_leads_here(hop_now(a), &a->peers[i]))
			a->peers[n++] = a->peers[i];
	a->peer_count = n;
	if (n == 0)
		note_own(a, CLASS_PERMANENT, "5.4.6", "mail for %.*s loops back to this server",
			STR_ARG(hop_now(a)->host));
	return n > 0;
}

static void answer_log(const struct attempt *a, const struct dns_addresses *answer)
{
	struct buf addresses = { 0 };
	char text[IP_TEXT];

	for (size_t i = 0; i < a->peer_count; i++) {
		ip_text(&a->peers[i].ip, text);
		buf_printf(&addresses, "%s%s", i ? " " : "", text);
	}
	log_event(LEVEL_DEBUG, &a->log, "looked_up", LOG_STR("host", hop_now(a)->host),
		LOG_STR("addresses", buf_str(&addresses)),
		LOG_IF(answer->status == DNS_TRY_LATER, LOG_STR("why", answer->why)),
		LOG_NUM("ms", (clock_mono() - a->began) / 1000));
	buf_free(&addresses);
}

static void looked_up(void *ctx, const struct dns_addresses *answer)
{
	struct attempt *a = ctx;
	const struct hop *h = hop_now(a);

	a->lookup = NULL;
	a->peer_count = 0;
	for (size_t i = 0; i < answer->count && a->peer_count < ATTEMPT_PEERS_MAX; i++)
		a->peers[a->peer_count++] =
			(struct endpoint){ .ip = answer->ips[i], .port = h->port };
	answer_log(a, answer);
	if (answer->status == DNS_TRY_LATER)
		note_own(a, CLASS_TEMPORARY, "4.4.3", "host %.*s: %.*s", STR_ARG(h->host),
			STR_ARG(answer->why));
	else if (a->peer_count == 0 && h->source_id != 0) /* somebody's typing error */
		note_own(a, CLASS_TEMPORARY, "4.4.4", "host %.*s not found", STR_ARG(h->host));
	else if (a->peer_count == 0)
		note_own(a, CLASS_PERMANENT, "5.4.4", "host %.*s not found", STR_ARG(h->host));
	else if (peers_are_others(a) && peers_are_awake(a) && host_go(a, answer->secure))
		return;
	hop_next(a);
}

/* False: no (noted). */
static bool hop_try(struct attempt *a)
{
	struct queue_loop *ql = a->lane->ql;
	const struct hop *h = hop_now(a);
	const struct client_outcome *rests = host_rests(ql, h->rest_key);
	struct endpoint *first = &a->peers[0];
	struct why why;

	a->began = clock_mono();
	if (rests) {
		note(a, rests);
		return false;
	}
	if (!sources_parse(&a->sources, h->source, &queue_settings_now(ql)->local_ips, &why)) {
		note_own(a, CLASS_TEMPORARY, "4.3.5", "%s", why.text);
		return false;
	}
	a->source_at = 0;
	*first = (struct endpoint){ .port = h->port };
	if (h->host.data[0] == '/') {
		if (h->host.len >= sizeof first->path) {
			note_own(a, CLASS_TEMPORARY, "4.3.5", "the path of the socket is too long");
			return false;
		}
		memcpy(first->path, h->host.data, h->host.len);
	} else if (!ip_parse(h->host, &first->ip)) {
		a->lookup = dns_addresses(ql->loop, h->host, looked_up, a);
		return true;
	}
	a->peer_count = 1;
	return peers_are_others(a) && host_go(a, false);
}

/* ---- idle, or nothing was found -------------------------------------------------------- */

static void idle_lost(void *ctx, struct client *c)
{
	struct attempt *a = ctx;

	(void)c;
	lane_idle_ended(a->lane, a);
}

static void attempt_is_late(struct deadline *d)
{
	struct attempt *a = container_of(d, struct attempt, late);

	if (a->client)
		lane_idle_ended(a->lane, a);
	else if (a->at >= a->count)
		lane_failed(a->lane, a, &a->outcome);
	else if (!lane_hangs(a->lane, a))
		deadline_set(&a->late, ATTEMPT_HANGS_MS);
}

void attempt_rest(struct attempt *a)
{
	const struct queue_settings *settings = queue_settings_now(a->lane->ql);
	int64_t age = (loop_now(a->lane->ql->loop) - a->since) / 1000;
	int64_t left = settings->max_connection_time - age, ms = settings->idle_timeout;

	if (settings->max_connection_time > 0 && left < ms)
		ms = left > 0 ? left : 0;
	client_watch(a->client, idle_lost, a);
	deadline_set(&a->late, ms);
}

/* ---- sending --------------------------------------------------------------------------- */

bool attempt_fits(const struct attempt *a, const struct parcel *p)
{
	return !(p->tried & hop_bit(a));
}

static void sent(struct attempt *a, bool usable, bool stale)
{
	struct send_lane *l = a->lane;
	struct parcel *p = a->parcel;
	bool good = false, again = usable && parcel_is_crowd(p),
	     host_is_fine = usable || p->unreadable;

	a->parcel = NULL;
	if (stale) {
		lane_put_back(l, p);
		lane_sent(l, a, usable, LANE_STALE);
		return;
	}
	p->tried |= hop_bit(a);
	p->hosts_tried++;
	if (parcel_settle(p, again, &good)) {
		if (again) {
			p->tried &= ~hop_bit(a);
			p->hosts_tried--;
		}
		lane_put_back(l, p);
	} else {
		parcel_return(p);
	}
	lane_sent(l, a, usable, good ? LANE_TAKEN : host_is_fine ? LANE_REFUSED : LANE_LOST);
}

void attempt_send(struct attempt *a, struct parcel *p)
{
	deadline_clear(&a->late);
	if (a->sent > 0)
		metric_add(METRIC_connections_reused, 1);
	a->parcel = p;
	attempt_is_for(a, p);
	p->host = arena_str(p->arena, a->host);
	p->tls = arena_str(p->arena, str_c(a->tls));
	p->success = client_offers(a->client) & CLIENT_DSN    ? REPORT_NONE
		: hop_now(a)->protocol == TMAIL_PROTOCOL_LMTP ? REPORT_DELIVERED
							      : REPORT_RELAYED;
	a->send_at = loop_now(a->lane->ql->loop);
	sending_start(a, p, sent);
	a->sent++;
}

/* ---- life ------------------------------------------------------------------------------ */

struct attempt *attempt_new(struct send_lane *lane, struct parcel *parcel)
{
	struct attempt *a = must_alloc(sizeof *a);

	a->lane = lane;
	a->since = loop_now(lane->ql->loop);
	a->parcel = parcel;
	a->bound = parcel != NULL;
	a->skip = parcel ? parcel->tried : 0;
	a->id = LOG_ID("connection", id_make(clock_wall(), 0, random_u64()));
	a->log = (struct log_context){ .fields = &a->id, .count = 1 };
	deadline_init(&a->late, lane->ql->loop, attempt_is_late);
	a->count = route_order(lane->route, a->order);
	a->at = SIZE_MAX;
	if (parcel)
		attempt_is_for(a, parcel);
	else /* whom it is for is known in the end */
		log_event(LEVEL_DEBUG, &a->log, "connecting",
			LOG_STR("destination", lane->route->destination));
	deadline_set(&a->late, ATTEMPT_HANGS_MS);
	hop_next(a);
	return a;
}

void attempt_free(struct attempt **ap, bool abort)
{
	struct attempt *a = *ap;

	*ap = NULL;
	deadline_clear(&a->late);
	dns_lookup_cancel(&a->lookup);
	client_connect_cancel(&a->open);
	policy_free(&a->policy);
	if (abort)
		client_abort(&a->client);
	else
		client_close(&a->client);
	free(a);
}

void attempt_abort(struct attempt *a)
{
	struct client_outcome o = { .class = CLASS_TEMPORARY,
		.stage = STAGE_CONNECT,
		.text = STR_INIT("the server is shutting down") };

	if (a->client && a->parcel)
		client_abort(&a->client); /* the lane hears by lane_sent */
	else if (a->client)
		lane_idle_ended(a->lane, a);
	else
		lane_failed(a->lane, a, &o);
}
