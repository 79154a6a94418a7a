/* SPDX-License-Identifier: MIT
 *
 * Where mail would go: the routers are asked and the hosts looked up as for a delivery, and
 * nothing is sent. For those who want to know before the fact; beside queue.h the only header of
 * this floor that the floors above see.
 */
#ifndef QUEUE_WAY_H
#define QUEUE_WAY_H

#include "queue/route.h"

struct way_host {
	const struct hop *hop;
	struct str addresses; /* "192.0.2.1 2001:db8::1", as resolved */
	struct str sources;   /* local addresses, the hop's own or those of the settings */
	struct str tls;       /* "verify (route)": what is demanded, and who says so */
	struct str left_out;  /* why nothing would be sent there now; empty: it would */
	bool forever;         /* and never will */
};
struct way {
	const struct route *route;
	struct way_host *hosts; /* in the order in which they would be tried */
	size_t count;
	/* private */
	struct arena *arena;
	struct route *reference;
};
/* On a thread that may wait, with the server running or not. False with why: there is nothing to
 * ask with. */
bool way_find(struct generation *g, struct str sender, struct str recipient, struct str login,
	struct way *way, struct why *why);
void way_free(struct way *way);

#endif
