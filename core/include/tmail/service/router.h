/* SPDX-License-Identifier: MIT
 *
 * <tmail/service/router.h>: where a recipient's mail goes next.
 *
 * Routers are asked in the order of the configuration until one answers other than NOT_FOUND.
 * On the loop of the delivery; a router that must wait answers TMAIL_PENDING (DNS) or is
 * marked blocking. One whose answers are not what they were says host->changed(call,
 * TMAIL_ROUTER), and what is kept of them is forgotten.
 */
#ifndef TMAIL_SERVICE_ROUTER_H
#define TMAIL_SERVICE_ROUTER_H

#include <tmail/module.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TMAIL_ROUTER "router"

enum tmail_router_operation { TMAIL_ROUTER_ROUTE = 1 /* tmail_route_ask -> tmail_route_answer */ };

struct tmail_route_ask {
	uint32_t size;
	uint32_t attempts;
	struct tmail_str sender, recipient, domain, login;
};

enum tmail_protocol { TMAIL_PROTOCOL_SMTP = 0, TMAIL_PROTOCOL_LMTP = 1 };
enum tmail_tls_policy { TMAIL_TLS_UNSET = 0, TMAIL_TLS_NONE = 1, TMAIL_TLS_MAY = 2,
	TMAIL_TLS_ENCRYPT = 3, TMAIL_TLS_VERIFY = 4, TMAIL_TLS_DANE = 5, TMAIL_TLS_SMTPS = 6,
	TMAIL_TLS_SMTPS_VERIFY = 7 }; /* SMTPS: from the first octet */

struct tmail_hop {
	uint32_t priority; /* lowest first; equal ones are drawn by weight */
	uint32_t weight;   /* 1 or more */
	uint16_t port;     /* 0: 25, or 465 for SMTPS */
	uint16_t protocol; /* enum tmail_protocol */
	uint32_t tls;      /* enum tmail_tls_policy */
	struct tmail_str host; /* name, address, or "/path" of a unix socket */
	struct tmail_str source; /* local addresses "a&b" or "a|b"; empty: the default */
	struct tmail_str login, password; /* empty: none */
	uint32_t secure; /* 1: the way here was validated by DNSSEC */
	uint32_t source_id; /* for humans and explain: id of the row it came from; 0: none */
	uint32_t login_clear; /* 1: the login may be said without TLS */
};
struct tmail_route_answer {
	uint32_t size;
	/* REFUSED: the recipient bounces with code, enhanced and why (null MX, no such domain);
	 * TRY_LATER: deferred with why */
	uint32_t code;
	struct tmail_str enhanced, why;
	struct tmail_str destination; /* what lanes are made of; empty: the recipient's domain */
	struct tmail_list hops; /* of struct tmail_hop; host->alloc of the call */
	uint32_t ttl; /* seconds the answer may be kept for (sender, domain, login); 0: not */
	uint32_t any_sender; /* 1: the answer depends on the domain alone */
	/* Limits of the destination; 0: the core's own, or none. */
	uint32_t connections;         /* at once */
	uint32_t messages;            /* on one connection */
	uint32_t rate_count, rate_ms; /* no more than so many messages in so many milliseconds */
	struct tmail_str reason;      /* for humans: what matched; "sender-domain+host", "MX" */
};

#ifdef __cplusplus
}
#endif
#endif
