/* SPDX-License-Identifier: MIT
 *
 * The routes in memory and which of them hold for a recipient. Built once from the rows, then
 * read only. Pure.
 */
#ifndef ROUTE_TABLE_ROUTES_H
#define ROUTE_TABLE_ROUTES_H

#include "base/arena.h"
#include "base/fail.h"

struct route {
	int64_t id;
	struct str user;   /* login, or the domain of logins; empty: any */
	struct str sender; /* address or domain; empty: any */
	struct str host;   /* "example.com", ".example.com" (its subdomains) or "*" */
	int64_t priority, port;
	struct str remote_host, local_ip, login, password, tls;
	int64_t connections, messages; /* at once, on one connection; 0: the core's */
	struct str rate;               /* "5/s"; empty: none */
	bool login_clear;              /* the login may be said without TLS */
	uint32_t weight;               /* so many rows were the same but for their ids */
	struct route *next; /* of the same user, sender and host, in the order of their ids */
};

struct routes;

struct routes *routes_new(void);
/* Copies; user, sender and host are folded (common/names.h). In the order of ids. */
void routes_add(struct routes *r, const struct route *route);
size_t routes_count(const struct routes *r);
void routes_free(struct routes **r);

struct route_question {
	struct str login, sender, domain; /* any case, U-labels or A-labels; all may be empty */
};
struct route_match {
	const char *kind; /* which matched: "sender-domain+host", "parent", "*"; NULL: none */
	bool any_sender;  /* nothing but the domain was looked at */
};
/* The first of the most specific kind that has a match; the others follow by ->next. NULL: no
 * route, so MX. */
const struct route *routes_find(
	const struct routes *r, const struct route_question *question, struct route_match *match);

/* `&` fail-over or `|` round robin between addresses, IPv6 in brackets or not; never both. */
bool route_local_ip_valid(struct str s, struct why *why);

#endif
