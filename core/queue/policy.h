/* SPDX-License-Identifier: MIT
 *
 * What TLS a connection to a host demands, and who says so: its route; else the nearest pattern of
 * `destinations` that does; else a module that knows what the domain wants (service/tlspolicy.h:
 * DANE, MTA-STS); else the setting for all. And what those modules are told of how it went.
 */
#ifndef QUEUE_POLICY_H
#define QUEUE_POLICY_H

#include "queue/route.h"
#include "smtp/client.h"

#include <tmail/service/tlspolicy.h>

const char *policy_name(enum tmail_tls_policy level);

struct policy {
	enum tmail_tls_policy level; /* NONE, MAY, ENCRYPT, VERIFY or DANE */
	bool implicit;               /* TLS from the first octet */
	bool refused;                /* the host must not be used now */
	char enhanced[16];
	struct str why, result; /* what is wrong, for people; of RFC 8460 4.3. Empty: nothing */
	const char *from;       /* "route", "destinations", "domain" or "tls" */
	struct str kind, text, about; /* of what the domain says; else empty */
	struct tls *tls;              /* NULL: it cannot be spoken, or must not */
	struct tls_wanted wanted;
	/* The host, from where, as whom, and all that the check depends on. */
	struct str key;
	/* private */
	struct arena *arena;
	struct subject *subject;
	struct generation *generation; /* references */
	struct route *route;
	const struct hop *hop;
	struct loop *loop;
	enum tmail_tls_policy wide; /* of the setting for all */
	bool address_secure;
	unsigned service; /* the n-th is being asked */
	struct tmail_tls_policy_answer *answer;
	void (*found)(void *ctx);
	void *ctx;
};

/* Of a hop of the route, on the loop; its addresses were validated by DNSSEC, or not. */
struct policy *policy_new(struct loop *loop, struct generation *g,
	const struct queue_settings *settings, struct route *route, const struct hop *hop,
	bool address_secure);
/* True: all above "private" is set. False: found() follows, unless it is freed. */
bool policy_find(struct policy *p, void (*found)(void *ctx), void *ctx);
void policy_free(struct policy **p);
/* "verify (route)", for people. */
struct str policy_text(const struct policy *p, struct arena *arena);
/* What the domain says, in one line: "3 1 1 0123...; 2 0 1 4567..."; empty: nothing. */
struct str policy_line(const struct policy *p, struct arena *arena);

/* How a connection went: with `facts`, or without TLS, or it did not come about by `failed`;
 * without a client there was none, since the host was refused. */
void policy_tell(struct policy *p, const struct client *c, const struct client_outcome *failed);

#endif
