/* SPDX-License-Identifier: MIT
 *
 * Where a recipient's mail goes next, as the routers say (service/router.h): asked in order on
 * the loop of the message, kept for as long as they allow.
 */
#ifndef QUEUE_ROUTE_H
#define QUEUE_ROUTE_H

#include "queue/state.h"

#include <tmail/service/router.h>

enum { ROUTE_HOPS_MAX = 64 };

struct hop { /* as tmail_hop, with copies of its strings */
	uint32_t priority, weight, tls, source_id;
	uint16_t port;
	bool secure, login_clear;
	enum tmail_protocol protocol;
	struct str host, source, login, password;
	struct str rest_key; /* "host:port source", the host in lower case */
};
struct route_limits { /* of a destination; 0: the core's, or none */
	uint32_t connections, messages;
	uint32_t rate_count, rate_ms; /* so many messages in so many milliseconds */
};
/* Never changed once made; counted, for lanes of any loop. */
struct route {
	atomic_uint refs;
	int status; /* TMAIL_OK, TMAIL_REFUSED, TMAIL_TRY_LATER */
	unsigned code;
	char enhanced[16];
	struct str why;
	struct str destination;
	struct str key; /* of its lane: destination, hops and limits */
	struct route_limits limits;
	struct str router, reason; /* for humans: the instance that answered, what matched there */
	struct hop *hops;
	size_t count;
	size_t cut; /* hops behind those, which only lead back to this server */
	struct arena *arena;
};
struct route *route_ref(struct route *r);
void route_unref(struct route **r);

/* Indexes of the hops in the order in which they are tried: the lowest priority first, equal ones
 * drawn by weight, anew each time. Answers their number. */
size_t route_order(const struct route *r, uint8_t order[ROUTE_HOPS_MAX]);

/* No route, but a reason (copied) why there is none; code 0: none. */
struct route *route_said(int status, unsigned code, const char *enhanced, struct str why);

/* What PREDELIVER says in place of the routers: "[host]:port", and a source of its own (NULL
 * data: as the route has it). */
struct route *route_direct(struct str next_hop, struct str source, struct str destination);
struct route *route_from(const struct route *r, struct str source);

/* A question under way, in its asker's memory. */
struct route_asking {
	struct queue_loop *ql;
	struct subject *subject;
	struct tmail_route_ask ask;
	struct str name; /* this server's own: a host so called is no way on */
	void (*found)(void *ctx, struct route *route);
	void *ctx;
	/* route.c's own */
	struct tmail_route_answer answer;
	unsigned router; /* the n-th is being asked */
	unsigned asked;  /* ql->routes_forgotten, when it began */
	int64_t began;   /* loop_now */
	uint32_t ttl;    /* what all that were asked allow */
	bool any_sender;
};
/* Answers a reference, or NULL: found() follows with one unless the subject is cancelled. What is
 * above "own" is set by the caller; without `ql` (the server is stopped) nothing is kept. */
struct route *route_ask(struct route_asking *a);
/* What is kept, without asking. */
struct route *route_kept(struct queue_loop *ql, const struct tmail_route_ask *ask);
void routes_forget(struct queue_loop *ql, bool all);

#endif
