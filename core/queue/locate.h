/* SPDX-License-Identifier: MIT
 *
 * Where the hosts of a route are: all of them looked up at once, and which of them are this
 * server itself. For those who must know before anything is tried; an attempt looks its hosts up
 * one after another.
 */
#ifndef QUEUE_LOCATE_H
#define QUEUE_LOCATE_H

#include "net/dns.h"
#include "queue/route.h"

struct location { /* of the hop of the same index */
	enum dns_status status;
	bool secure;    /* validated by DNSSEC */
	struct str why; /* TRY_LATER */
	const struct ip *ips;
	size_t count, others; /* addresses; those that mail can be sent to */
	bool own;             /* it is this server, by its name or one of its addresses */
};
/* done: once, later, on the loop of the subject, unless that is cancelled; locations and the route
 * are valid during it. `name` is this server's, or empty. A reference of the route is taken. */
void hops_locate(struct subject *subject, struct route *route, struct str name,
	void (*done)(void *ctx, struct route *route, const struct location *locations), void *ctx);

/* Is this a hop that this server would reach itself by? Without looking anything up. */
bool hop_is_own(const struct hop *hop, struct str name);
/* Where DNS has for a name an address that means this machine to everybody (127.0.0.1, ::): nobody
 * is there, and it does not say that this server is a host of the domain. A server on this machine
 * is named by who wrote the route. */
bool hop_strays(const struct hop *hop, const struct endpoint *e);
/* Such an address, or one that is this server's own. */
bool hop_leads_here(const struct hop *hop, const struct endpoint *e);

#endif
