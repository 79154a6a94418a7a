/* SPDX-License-Identifier: MIT
 *
 * Names. One libunbound context on a thread of its own, made after the fork; answers come to
 * the loop that asked. Bogus (DNSSEC) is "try later" with its reason.
 */
#ifndef NET_DNS_H
#define NET_DNS_H

#include "base/arena.h"
#include "base/rdata.h"
#include "net/socket.h"
#include "sys/loop.h"

enum dns_status { DNS_OK, DNS_NOT_FOUND, DNS_TRY_LATER };
enum dns_type { DNS_A = 1, DNS_PTR = 12, DNS_MX = 15, DNS_TXT = 16, DNS_AAAA = 28, DNS_TLSA = 52 };

struct dns_settings {
	const char *const *servers; /* "127.0.0.1@53" (libunbound's form); none: resolv.conf */
	size_t server_count;
	const char *trust_anchor; /* file; NULL: no validation */
	const char *hosts;        /* a hosts file, or NULL */
	int64_t timeout;          /* ms until DNS_TRY_LATER */
	const char *resolv_conf;  /* NULL: /etc/resolv.conf */
};
/* Without any server (no resolv.conf) this succeeds and questions are answered TRY_LATER; the
 * file is looked for again every few seconds. */
bool dns_start(const struct dns_settings *settings, struct why *why);
/* What is under way is answered TRY_LATER, so before the asking loops are freed. */
void dns_stop(void);

struct dns_answer {
	enum dns_status status;
	bool exists;  /* NOT_FOUND: the name exists, without that type (NODATA) */
	bool secure;
	uint32_t ttl; /* seconds */
	const struct str *records; /* RDATA, names inside uncompressed */
	size_t count;
	struct str why;       /* TRY_LATER */
	struct str canonical; /* OK: the name behind all CNAMEs, without last dot; else empty */
};
struct dns_query;
/* done: once, on this loop, never before dns_ask returns; the answer is valid during it. */
struct dns_query *dns_ask(struct loop *loop, struct str name, enum dns_type type,
	void (*done)(void *ctx, const struct dns_answer *answer), void *ctx);
void dns_cancel(struct dns_query **query); /* done will not be called; clears the pointer */

/* A and AAAA together; an address as text, what the hosts file has, and localhost are answered
 * without a question: done with all addresses of both families (OK if either has some;
 * NOT_FOUND only if both say so), IPv6 and IPv4 alternating (RFC 8305 4). Once there are IPv4
 * addresses the others are waited for no longer than 50 ms (RFC 8305 3). */
struct dns_addresses {
	enum dns_status status;
	bool secure;
	const struct ip *ips;
	size_t count;
	struct str why;
};
struct dns_lookup;
struct dns_lookup *dns_addresses(struct loop *loop, struct str name,
	void (*done)(void *ctx, const struct dns_addresses *answer), void *ctx);
void dns_lookup_cancel(struct dns_lookup **lookup);

/* The reverse name of an address, confirmed forward (the name's addresses hold it); empty if
 * there is none. */
struct dns_lookup *dns_reverse(struct loop *loop, const struct ip *ip,
	void (*done)(void *ctx, enum dns_status status, struct str name), void *ctx);

#endif
