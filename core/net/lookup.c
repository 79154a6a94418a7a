/* SPDX-License-Identifier: MIT
 *
 * What is put together from several questions: the addresses of a name, and the confirmed name
 * of an address. Everything here is on the asking loop.
 */
#include "net/dns.h"

#include "base/buf.h"
#include "base/list.h"
#include "net/resolver.h"

#include <stdlib.h>

enum { V6, V4, ADDRESSES_MOST = 64, NAMES_MOST = 8 };
enum { RESOLUTION_MS = 50 }; /* RFC 8305 3: how long IPv4 waits for IPv6 */

struct addresses {
	struct ip ips[ADDRESSES_MOST];
	size_t count;
};

struct dns_lookup {
	struct loop *loop;
	struct deadline soon; /* what is known without a question is said in the next turn */
	bool answering;
	/* Addresses. */
	bool whole;                 /* those of both families, however long it takes */
	struct dns_query *query[2]; /* by family; of a reverse look-up the first, for PTR */
	struct addresses found[2];
	enum dns_status status; /* the worst of those that found nothing */
	bool insecure;
	struct why why;
	void (*addresses_done)(void *ctx, const struct dns_addresses *answer);
	/* The reverse. */
	struct ip ip;
	char (*names)[256]; /* of PTR, the one looked at last */
	size_t names_left;
	struct dns_lookup *forward;
	void (*reverse_done)(void *ctx, enum dns_status status, struct str name);
	void *ctx;
};

static void lookup_free(struct dns_lookup *l)
{
	free(l->names);
	free(l);
}

static struct dns_lookup *lookup_new(struct loop *loop, void *ctx)
{
	struct dns_lookup *l = must_alloc(sizeof *l);

	l->loop = loop;
	l->ctx = ctx;
	l->status = DNS_NOT_FOUND;
	return l;
}

static void lookup_soon(struct dns_lookup *l, void (*answer)(struct deadline *), int64_t ms)
{
	deadline_init(&l->soon, l->loop, answer);
	deadline_set(&l->soon, ms);
}

void dns_lookup_cancel(struct dns_lookup **lp)
{
	struct dns_lookup *l = *lp;

	if (!l)
		return;
	*lp = NULL;
	if (l->answering)
		return; /* its memory goes when `done` returns */
	dns_cancel(&l->query[V6]);
	dns_cancel(&l->query[V4]);
	dns_lookup_cancel(&l->forward);
	if (l->soon.fired)
		deadline_clear(&l->soon);
	lookup_free(l);
}

/* ---- addresses of a name ------------------------------------------------------------------ */

static void address_add(struct dns_lookup *l, const struct ip *ip)
{
	struct addresses *to = &l->found[ip->family == 6 ? V6 : V4];

	if (to->count < ADDRESSES_MOST)
		to->ips[to->count++] = *ip;
}

/* One of each family in turn, IPv6 first (RFC 8305 4). */
static size_t interleave(const struct dns_lookup *l, struct ip *ips)
{
	size_t count = 0;

	for (size_t i = 0; i < ADDRESSES_MOST; i++)
		for (int family = V6; family <= V4; family++)
			if (i < l->found[family].count)
				ips[count++] = l->found[family].ips[i];
	return count;
}

static void addresses_answer(struct dns_lookup *l)
{
	struct ip ips[2 * ADDRESSES_MOST];
	struct dns_addresses answer = { .status = DNS_OK, .ips = ips };

	answer.count = interleave(l, ips);
	answer.secure = answer.count > 0 && !l->insecure;
	if (answer.count == 0)
		answer.status = l->status;
	if (answer.status == DNS_TRY_LATER)
		answer.why = str_c(l->why.text);
	dns_cancel(&l->query[V6]);
	if (l->soon.fired)
		deadline_clear(&l->soon);
	l->answering = true;
	l->addresses_done(l->ctx, &answer);
	lookup_free(l);
}

static void addresses_known(struct deadline *d)
{
	addresses_answer(container_of(d, struct dns_lookup, soon));
}

static void address_record(struct dns_lookup *l, int family, struct str rdata)
{
	struct ip ip = { .family = family == V6 ? 6 : 4 };
	size_t len = family == V6 ? 16 : 4;
	char text[IP_TEXT];

	if (rdata.len != len)
		return;
	memcpy(ip.bytes, rdata.data, len);
	ip_text(&ip, text);
	if (ip_parse(str_c(text), &ip)) /* IPv4 in the guise of IPv6 is taken for what it is */
		address_add(l, &ip);
}

static void addresses_part(struct dns_lookup *l, int family, const struct dns_answer *answer)
{
	l->query[family] = NULL;
	for (size_t i = 0; i < answer->count; i++)
		address_record(l, family, answer->records[i]);
	if (answer->status == DNS_OK && !answer->secure)
		l->insecure = true;
	if (answer->status == DNS_TRY_LATER) {
		l->status = DNS_TRY_LATER;
		why_set(&l->why, "%.*s", STR_ARG(answer->why));
	}
	if (!l->query[V6] && !l->query[V4])
		addresses_answer(l);
	else if (family == V4 && l->found[V4].count > 0 && !l->whole)
		lookup_soon(l, addresses_known, RESOLUTION_MS);
}

static void aaaa_done(void *ctx, const struct dns_answer *answer)
{
	addresses_part(ctx, V6, answer);
}

static void a_done(void *ctx, const struct dns_answer *answer)
{
	addresses_part(ctx, V4, answer);
}

struct dns_lookup *dns_addresses(struct loop *loop, struct str name,
	void (*done)(void *ctx, const struct dns_addresses *answer), void *ctx)
{
	struct dns_lookup *l = lookup_new(loop, ctx);
	struct ip known[HOSTS_MOST];
	size_t count = 0;

	l->addresses_done = done;
	if (ip_parse(name, &known[0]))
		count = 1;
	else
		count = resolver_hosts(name, known);
	if (count > 0) {
		for (size_t i = 0; i < count; i++)
			address_add(l, &known[i]);
		l->insecure = true; /* nobody has signed it */
		lookup_soon(l, addresses_known, 0);
		return l;
	}
	l->query[V6] = dns_ask(loop, name, DNS_AAAA, aaaa_done, l);
	l->query[V4] = dns_ask(loop, name, DNS_A, a_done, l);
	return l;
}

/* ---- the name of an address --------------------------------------------------------------- */

static void reverse_answer(struct dns_lookup *l, enum dns_status status, struct str name)
{
	l->answering = true;
	l->reverse_done(l->ctx, status, name);
	lookup_free(l);
}

static void reverse_known(struct deadline *d)
{
	reverse_answer(container_of(d, struct dns_lookup, soon), DNS_OK, STR("localhost"));
}

static void forward_done(void *ctx, const struct dns_addresses *answer);

/* The next name that PTR gave; without one there is none that is confirmed. */
static void reverse_next(struct dns_lookup *l)
{
	if (l->names_left == 0) {
		reverse_answer(l, l->status, STR(""));
		return;
	}
	l->forward = dns_addresses(l->loop, str_c(l->names[l->names_left - 1]), forward_done, l);
	l->forward->whole = true;
}

static void forward_done(void *ctx, const struct dns_addresses *answer)
{
	struct dns_lookup *l = ctx;

	l->forward = NULL;
	for (size_t i = 0; i < answer->count; i++) {
		if (ip_equal(&answer->ips[i], &l->ip)) {
			reverse_answer(l, DNS_OK, str_c(l->names[l->names_left - 1]));
			return;
		}
	}
	/* Another name may still confirm it; if none does, this one might have later. */
	if (answer->status == DNS_TRY_LATER)
		l->status = DNS_TRY_LATER;
	l->names_left--;
	reverse_next(l);
}

static void ptr_done(void *ctx, const struct dns_answer *answer)
{
	struct dns_lookup *l = ctx;

	l->query[V6] = NULL;
	l->status = answer->status == DNS_TRY_LATER ? DNS_TRY_LATER : DNS_NOT_FOUND;
	l->names = must_alloc(NAMES_MOST * sizeof *l->names);
	for (size_t i = 0; i < answer->count && l->names_left < NAMES_MOST; i++) {
		char *name = l->names[l->names_left];
		if (dns_name(answer->records[i], 0, name) && name[0])
			l->names_left++;
	}
	reverse_next(l);
}

static bool is_localhost(const struct ip *ip)
{
	struct ip ips[HOSTS_MOST];
	size_t count = hosts_find(NULL, STR("localhost"), ips);

	for (size_t i = 0; i < count; i++)
		if (ip_equal(&ips[i], ip))
			return true;
	return false;
}

struct dns_lookup *dns_reverse(struct loop *loop, const struct ip *ip,
	void (*done)(void *ctx, enum dns_status status, struct str name), void *ctx)
{
	struct dns_lookup *l = lookup_new(loop, ctx);
	char name[80];

	l->reverse_done = done;
	l->ip = *ip;
	if (is_localhost(ip)) {
		lookup_soon(l, reverse_known, 0);
		return l;
	}
	ip_reverse_name(ip, name);
	l->query[V6] = dns_ask(loop, str_c(name), DNS_PTR, ptr_done, l);
	return l;
}
