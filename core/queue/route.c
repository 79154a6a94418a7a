/* SPDX-License-Identifier: MIT
 *
 * Asking the routers, and keeping what they said: by domain alone where they allow it, else by
 * domain, sender and login. Each loop keeps its own; a new generation of settings forgets all.
 */
#include "queue/route.h"

#include "base/log.h"
#include "base/num.h"
#include "host/table.h"
#include "mail/address.h"
#include "queue/locate.h"
#include "queue/own.h"

#include <stdlib.h>

enum { SMTP_PORT = 25, SMTPS_PORT = 465 };
enum { ROUTES_KEPT_MAX = 20000, ROUTE_TTL_MAX = 3600 };
/* What could not be said now is so for as long as it took to find that out, within these: whoever
 * asks again meanwhile hears at once. */
enum { FAILED_MIN_US = 1000000, FAILED_MAX_US = 30000000 };

struct kept {
	struct str key;
	int64_t until; /* loop_now */
	struct route *route;
	char text[];
};

/* ---- routes ---------------------------------------------------------------------------- */

struct route *route_ref(struct route *r)
{
	atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
	return r;
}

void route_unref(struct route **rp)
{
	struct route *r = *rp;

	*rp = NULL;
	if (!r || atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) > 1)
		return;
	arena_free(&r->arena);
	free(r);
}

static struct route *route_new(int status)
{
	struct route *r = must_alloc(sizeof *r);

	r->refs = 1;
	r->status = status;
	r->arena = arena_new(512);
	return r;
}

/* Routes of one key share a lane, and so connections: whatever decides where a connection goes
 * and as whom is in it. */
static void route_seal(struct route *r)
{
	struct buf key = { 0 };

	buf_add(&key, r->destination);
	for (size_t i = 0; i < r->count; i++) {
		struct hop *h = &r->hops[i];

		h->rest_key = arena_printf(r->arena, "%.*s:%u %.*s",
			STR_ARG(arena_str_lower(r->arena, h->host)), h->port, STR_ARG(h->source));
		buf_printf(&key, "\n%u %u %u %u %d%d %.*s %.*s %016llx", h->priority, h->weight,
			(unsigned)h->protocol, h->tls, h->secure, h->login_clear,
			STR_ARG(h->rest_key), STR_ARG(h->login),
			(unsigned long long)str_hash(h->password));
	}
	buf_printf(&key, "\n%u %u %u/%u", r->limits.connections, r->limits.messages,
		r->limits.rate_count, r->limits.rate_ms);
	r->key = arena_str(r->arena, buf_str(&key));
	buf_free(&key);
}

struct route *route_said(int status, unsigned code, const char *enhanced, struct str why)
{
	struct route *r = route_new(status);

	r->code = code;
	if (strlen(enhanced) < sizeof r->enhanced)
		memcpy(r->enhanced, enhanced, strlen(enhanced) + 1);
	r->why = arena_str(r->arena, why);
	return r;
}

/* "[host]:port", "[host]", "host:port", "host". */
static bool hop_parse(struct str text, struct hop *h)
{
	struct str port = STR("");
	uint64_t number = SMTP_PORT;
	ptrdiff_t at;

	h->host = text;
	if (text.len > 0 && text.data[0] == '[') {
		at = str_find(text, ']');
		if (at < 0)
			return false;
		h->host = str_slice(text, 1, (size_t)at - 1);
		port = str_slice(text, (size_t)at + 1, text.len);
		if (port.len > 0 && port.data[0] != ':')
			return false;
		port = str_slice(port, 1, port.len);
	} else if (text.len > 0 && text.data[0] != '/' && (at = str_find_last(text, ':')) >= 0) {
		h->host = str_slice(text, 0, (size_t)at);
		port = str_slice(text, (size_t)at + 1, text.len);
	}
	if (port.len > 0 && (!num_u64(port, &number) || number == 0 || number > UINT16_MAX))
		return false;
	h->port = (uint16_t)number;
	return h->host.len > 0;
}

struct route *route_direct(struct str next_hop, struct str source, struct str destination)
{
	struct hop hop = { .weight = 1, .source_id = UINT32_MAX }; /* of no row, but written down */
	struct route *r;

	if (!hop_parse(next_hop, &hop))
		return route_said(TMAIL_TRY_LATER, 451, "4.3.5",
			STR("a module named a next hop that cannot be used"));
	r = route_new(TMAIL_OK);
	r->destination = arena_str_lower(r->arena, destination);
	r->hops = ARENA_NEW(r->arena, struct hop);
	r->count = 1;
	hop.host = arena_str(r->arena, hop.host);
	hop.source = arena_str(r->arena, source);
	r->hops[0] = hop;
	route_seal(r);
	return r;
}

static void hop_copy(struct arena *arena, struct hop *to, const struct hop *from)
{
	*to = *from;
	to->host = arena_str(arena, from->host);
	to->source = arena_str(arena, from->source);
	to->login = arena_str(arena, from->login);
	to->password = arena_str(arena, from->password);
}

struct route *route_from(const struct route *from, struct str source)
{
	struct route *r = route_new(from->status);

	r->destination = arena_str(r->arena, from->destination);
	r->limits = from->limits;
	r->router = arena_str(r->arena, from->router);
	r->reason = arena_str(r->arena, from->reason);
	r->hops = ARENA_ARRAY(r->arena, struct hop, from->count);
	r->count = from->count;
	for (size_t i = 0; i < r->count; i++) {
		hop_copy(r->arena, &r->hops[i], &from->hops[i]);
		r->hops[i].source = arena_str(r->arena, source);
	}
	route_seal(r);
	return r;
}

static struct str without_brackets(struct str s)
{
	if (s.len > 2 && s.data[0] == '[' && s.data[s.len - 1] == ']')
		return str_slice(s, 1, s.len - 2);
	return s;
}

static struct route *route_of_answer(const struct route_asking *a)
{
	const struct tmail_route_answer *answer = &a->answer;
	struct str destination = str_tm(answer->destination);
	struct route *r = route_new(TMAIL_OK);

	if (destination.len == 0)
		destination = str_tm(a->ask.domain);
	r->destination = arena_str_lower(r->arena, destination);
	r->limits = (struct route_limits){ answer->connections, answer->messages,
		answer->rate_ms ? answer->rate_count : 0,
		answer->rate_count ? answer->rate_ms : 0 };
	r->hops = ARENA_ARRAY(r->arena, struct hop, ROUTE_HOPS_MAX);
	TMAIL_EACH(struct tmail_hop, h, answer->hops) {
		bool smtps = h->tls == TMAIL_TLS_SMTPS || h->tls == TMAIL_TLS_SMTPS_VERIFY;
		struct hop from = { .priority = h->priority,
			.weight = h->weight ? h->weight : 1,
			.tls = h->tls,
			.source_id = h->source_id,
			.port = h->port ? h->port
				: smtps ? SMTPS_PORT
					: SMTP_PORT,
			.secure = h->secure,
			.login_clear = h->login_clear,
			.protocol = h->protocol,
			.host = without_brackets(str_tm(h->host)),
			.source = str_tm(h->source),
			.login = str_tm(h->login),
			.password = str_tm(h->password) };

		if (from.host.len > 0 && r->count < ROUTE_HOPS_MAX)
			hop_copy(r->arena, &r->hops[r->count++], &from);
	}
	route_seal(r);
	return r;
}

/* ---- order ----------------------------------------------------------------------------- */

/* One of order[from..to), by weight, to the front. */
static void draw(const struct hop *hops, uint8_t *order, size_t from, size_t to)
{
	uint64_t all = 0, lot;
	uint8_t drawn;
	size_t i;

	for (i = from; i < to; i++)
		all += hops[order[i]].weight;
	lot = random_below(all ? all : 1);
	for (i = from; i + 1 < to && lot >= hops[order[i]].weight; i++)
		lot -= hops[order[i]].weight;
	drawn = order[i];
	order[i] = order[from];
	order[from] = drawn;
}

size_t route_order(const struct route *r, uint8_t order[ROUTE_HOPS_MAX])
{
	for (size_t i = 0; i < r->count; i++) {
		size_t at = i;

		for (; at > 0 && r->hops[order[at - 1]].priority > r->hops[i].priority; at--)
			order[at] = order[at - 1];
		order[at] = (uint8_t)i;
	}
	for (size_t i = 0, end; i < r->count; i++) {
		for (end = i + 1; end < r->count; end++)
			if (r->hops[order[end]].priority != r->hops[order[i]].priority)
				break;
		draw(r->hops, order, i, end);
	}
	return r->count;
}

/* ---- what is kept ---------------------------------------------------------------------- */

/* The recipient's own address is no part: answers are kept for domains. */
static void key_write(struct buf *key, const struct tmail_route_ask *ask, bool any_sender)
{
	buf_add(key, str_tm(ask->domain));
	if (any_sender)
		return;
	buf_add_char(key, '\n');
	buf_add(key, str_tm(ask->sender));
	buf_add_char(key, '\n');
	buf_add(key, str_tm(ask->login));
}

static void kept_free(struct kept *k)
{
	route_unref(&k->route);
	free(k);
}

/* What a router said of its answers since. */
static void kept_follow(struct queue_loop *ql)
{
	uint64_t moved = table_moved(queue.routers);

	if (moved != ql->routers_moved)
		routes_forget(ql, true);
	ql->routers_moved = moved;
}

static struct route *kept_find(struct queue_loop *ql, struct str key)
{
	struct kept *k = map_get(&ql->routes, key);

	if (!k)
		return NULL;
	if (k->until > loop_now(ql->loop))
		return route_ref(k->route);
	map_remove(&ql->routes, key);
	kept_free(k);
	return NULL;
}

struct route *route_kept(struct queue_loop *ql, const struct tmail_route_ask *ask)
{
	struct buf key = { 0 };
	struct route *r;

	if (!ql)
		return NULL;
	kept_follow(ql);
	if (ql->routes.count == 0)
		return NULL;
	r = kept_find(ql, str_tm(ask->domain));
	if (r)
		return r;
	key_write(&key, ask, false);
	r = kept_find(ql, buf_str(&key));
	buf_free(&key);
	return r;
}

/* Microseconds. */
static int64_t time_to_keep(const struct route_asking *a, const struct route *r)
{
	int64_t took = loop_now(a->ql->loop) - a->began;

	if (r->status != TMAIL_TRY_LATER)
		return (int64_t)a->ttl * 1000000;
	return took < FAILED_MIN_US ? FAILED_MIN_US : took < FAILED_MAX_US ? took : FAILED_MAX_US;
}

static void route_keep(const struct route_asking *a, struct route *r)
{
	int64_t keep = a->ql ? time_to_keep(a, r) : 0;
	struct map *routes;
	struct buf key = { 0 };
	struct kept *k, *before;

	if (keep == 0)
		return;
	kept_follow(a->ql);
	if (a->asked != a->ql->routes_forgotten)
		return;
	routes = &a->ql->routes;
	if (routes->count >= ROUTES_KEPT_MAX)
		routes_forget(a->ql, true); /* this answer is as good as before */
	key_write(&key, &a->ask, a->any_sender);
	k = must_alloc(sizeof *k + key.len);
	memcpy(k->text, key.data ? key.data : "", key.len);
	k->key = str_make(k->text, key.len);
	k->until = loop_now(a->ql->loop) + keep;
	k->route = route_ref(r);
	before = map_remove(routes, k->key);
	if (before)
		kept_free(before);
	map_put(routes, k->key, k);
	buf_free(&key);
}

void routes_forget(struct queue_loop *ql, bool all)
{
	size_t at = 0;
	struct str key;
	void *value;

	while (map_next(&ql->routes, &at, &key, &value)) {
		struct kept *k = value;

		if (!all && k->until > loop_now(ql->loop))
			continue;
		map_remove(&ql->routes, key);
		kept_free(k);
	}
	if (!all)
		return;
	map_free(&ql->routes);
	ql->routes_forgotten++;
}

/* ---- asking ---------------------------------------------------------------------------- */

static struct route *answer_read(const struct route_asking *a, int status)
{
	struct str why = str_tm(a->answer.why);
	char enhanced[16] = "";
	struct route *r;

	if (str_tm(a->answer.enhanced).len < sizeof enhanced)
		memcpy(enhanced, a->answer.enhanced.data ? a->answer.enhanced.data : "",
			a->answer.enhanced.len);
	if (status == TMAIL_OK) {
		r = route_of_answer(a);
		if (r->count > 0)
			return r;
		route_unref(&r);
		return route_said(TMAIL_TRY_LATER, 0, "4.3.5", STR("a router gave no host"));
	}
	if (status == TMAIL_REFUSED)
		return route_said(status, a->answer.code / 100 == 5 ? a->answer.code : 550,
			enhanced[0] ? enhanced : "5.4.4",
			why.len ? why : STR("there is no way to this address"));
	return route_said(TMAIL_TRY_LATER, 0, enhanced[0] ? enhanced : "4.4.3",
		why.len ? why : STR("the way to this address cannot be found now"));
}

/* RFC 5321 5.1: where this server is among the hosts, those that are no better than it are no way
 * on, or the mail comes back. What an administrator wrote is taken as it is. */
static bool route_cut(struct route *r, uint32_t priority, struct str domain)
{
	size_t n = 0;

	for (size_t i = 0; i < r->count; i++) {
		struct hop h = r->hops[i];

		if (h.priority >= priority)
			continue;
		r->hops[i] = r->hops[n];
		r->hops[n++] = h;
	}
	r->cut += r->count - n;
	r->count = n;
	route_seal(r);
	if (n > 0)
		return true;
	r->status = TMAIL_REFUSED;
	r->code = 554;
	memcpy(r->enhanced, "5.4.6", sizeof "5.4.6");
	r->why = arena_printf(r->arena, "mail for %.*s loops back to this server", STR_ARG(domain));
	return false;
}

/* By names alone. True: more is to be learnt from addresses. */
static bool route_look(const struct route_asking *a, struct route *r)
{
	bool look = false;

	for (size_t i = 0; i < r->count; i++) {
		const struct hop *h = &r->hops[i];

		if (h->source_id != 0 || h->protocol != TMAIL_PROTOCOL_SMTP)
			return false;
		look |= port_is_own(h->port);
	}
	for (size_t i = 0; i < r->count; i++)
		if (hop_is_own(&r->hops[i], a->name))
			return route_cut(r, r->hops[i].priority, str_tm(a->ask.domain)) && look &&
				r->count > 1;
	return look && r->count > 1;
}

static void located(void *ctx, struct route *r, const struct location *locations)
{
	struct route_asking *a = ctx;
	uint32_t least = UINT32_MAX;

	for (size_t i = 0; i < r->count; i++)
		if (locations[i].own && r->hops[i].priority < least)
			least = r->hops[i].priority;
	if (least != UINT32_MAX)
		route_cut(r, least, str_tm(a->ask.domain));
	route_keep(a, r);
	a->found(a->ctx, route_ref(r));
}

/* A router has spoken: NULL when it must be found out first which hosts are not this server. */
static struct route *answered(struct route_asking *a, const struct service *s, int status)
{
	struct route *r = answer_read(a, status);

	r->router = arena_str(r->arena, str_c(instance_name(service_instance(s))));
	r->reason = arena_str(r->arena, str_tm(a->answer.reason));
	if (r->status == TMAIL_OK && route_look(a, r)) {
		hops_locate(a->subject, r, a->name, located, a);
		route_unref(&r);
		return NULL;
	}
	route_keep(a, r);
	return r;
}

/* The n-th router said something: what may be kept is what it and those before it allow. */
static void ttl_take(struct route_asking *a)
{
	if (a->answer.ttl < a->ttl)
		a->ttl = a->answer.ttl;
	a->any_sender &= a->answer.any_sender != 0;
}

static struct service *router_now(const struct route_asking *a)
{
	return service_find(a->subject->generation, TMAIL_ROUTER, NULL, a->router);
}

static struct route *ask_on(struct route_asking *a);

static void router_answered(void *ctx, int status)
{
	struct route_asking *a = ctx;
	struct route *r;

	ttl_take(a);
	if (status == TMAIL_NOT_FOUND) {
		a->router++;
		r = ask_on(a);
	} else {
		r = answered(a, router_now(a), status);
	}
	if (r)
		a->found(a->ctx, r);
}

static struct route *ask_on(struct route_asking *a)
{
	for (;; a->router++) {
		struct service *s = router_now(a);
		int status;

		if (!s)
			break;
		a->answer = (struct tmail_route_answer){ .size = sizeof a->answer };
		status = service_ask(
			s, a->subject, TMAIL_ROUTER_ROUTE, &a->ask, &a->answer, router_answered, a);
		if (status == TMAIL_PENDING)
			return NULL;
		ttl_take(a);
		if (status != TMAIL_NOT_FOUND)
			return answered(a, s, status);
	}
	return a->router > 0
		? route_said(
			  TMAIL_TRY_LATER, 0, "4.4.4", STR("no router knows a way to this address"))
		: route_said(TMAIL_TRY_LATER, 0, "4.3.5",
			  STR("no router module is configured (route/mx, for instance)"));
}

struct route *route_ask(struct route_asking *a)
{
	struct route *r = route_kept(a->ql, &a->ask);

	if (r)
		return r;
	a->router = 0;
	if (a->ql) {
		kept_follow(a->ql);
		a->began = loop_now(a->ql->loop);
		a->asked = a->ql->routes_forgotten;
	}
	a->ttl = ROUTE_TTL_MAX;
	a->any_sender = true;
	a->ask.size = sizeof a->ask;
	return ask_on(a);
}
