/* SPDX-License-Identifier: MIT
 *
 * Where mail would go: the routers are asked and the hosts looked up as for a delivery, and
 * nothing is sent. For those who want to know before the fact; beside queue.h the only header of
 * this floor that the floors above see.
 */
#ifndef QUEUE_WAY_H
#define QUEUE_WAY_H

#include "queue/route.h"
#include "smtp/explain.h"

struct way_asked {
	struct str sender, recipient, login;
	bool modules;             /* PREDELIVER is asked too, about a message of: */
	struct str address, helo; /* the client, if it has an address */
	bool relay;               /* who may relay */
};
struct way_host {
	const struct hop *hop;
	struct str addresses; /* "192.0.2.1 2001:db8::1", as resolved */
	struct str sources;   /* local addresses, the hop's own or those of the settings */
	struct str tls;       /* "verify (route)": what is demanded, and who says so */
	struct str policy;    /* what its domain says of it; empty: nothing */
	struct str left_out;  /* why nothing would be sent there now; empty: it would */
	bool forever;         /* and never will */
};
struct way {
	const struct route *route;
	struct way_host *hosts; /* in the order in which they would be tried */
	size_t count;
	struct route_limits limits; /* in force, wherever they come from; none without a host */
	struct explain_row *said;   /* by modules, before routers were asked */
	size_t said_count;
	struct str mail_from; /* what the next server is told, if a module made it another */
	/* private */
	struct arena *arena;
	struct route *reference;
};
/* On a thread that may wait, with the server running or not. False with why: there is nothing to
 * ask with. */
bool way_find(
	struct generation *g, const struct way_asked *asked, struct way *way, struct why *why);
void way_free(struct way *way);

#endif
