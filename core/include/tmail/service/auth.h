/* SPDX-License-Identifier: MIT
 *
 * <tmail/service/auth.h>: who somebody is.
 *
 * The core speaks AUTH and decodes it; auth services, asked in the order of the configuration
 * until one answers other than NOT_FOUND ("not mine"), say who the client is. What is asked
 * needs TMAIL_CAN_SECRET. A wrong password, a login that is not active and one that does not
 * exist are all REFUSED to the client and take the same time; TRY_LATER is 454.
 *
 * A client hears of a failure late, and after too many no more is asked for its address or
 * login: that is the core's, as is how many VERIFY run at a time.
 *
 * An exchange is one mechanism in one session: EXCHANGE once a step, with what the service
 * keeps in call->session, then an end: OK, REFUSED, or FORGET when the client gave up. A service
 * that relays to another server (Dovecot's auth socket) is marked TMAIL_WAITS, one that hashes
 * TMAIL_BLOCKING.
 */
#ifndef TMAIL_SERVICE_AUTH_H
#define TMAIL_SERVICE_AUTH_H

#include <tmail/module.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TMAIL_AUTH "auth"

enum tmail_auth_operation {
	TMAIL_AUTH_MECHANISMS = 1, /* - -> tmail_auth_mechanisms: all it takes; at once */
	TMAIL_AUTH_VERIFY = 2,     /* tmail_auth_verify -> tmail_auth_who: PLAIN and LOGIN */
	TMAIL_AUTH_EXCHANGE = 3,   /* tmail_auth_step -> tmail_auth_reply */
	TMAIL_AUTH_FORGET = 4,     /* - -> -: the exchange under way in this session is over */
	TMAIL_AUTH_FIND = 5        /* tmail_auth_find -> tmail_auth_who: no proof is asked for */
};

struct tmail_auth_who {
	uint32_t size;
	uint32_t relay;         /* 1: may relay */
	/* OK: as it is to be known from here on; EXCHANGE, REFUSED: as the client said it, for the
	 * log and the limits of failures. host->alloc of the call */
	struct tmail_str login;
	struct tmail_str why;   /* REFUSED, TRY_LATER: for the log, never for the client */
};

struct tmail_auth_mechanisms {
	uint32_t size;
	uint32_t reserved;
	/* of struct tmail_str, in capitals, the best first. PLAIN and LOGIN are by VERIFY, all
	 * others by EXCHANGE; those that end in -PLUS are offered where there is a binding */
	struct tmail_list names;
};

struct tmail_auth_verify {
	uint32_t size;
	uint32_t reserved;
	struct tmail_str authorize; /* whom to act for; empty: the login itself */
	struct tmail_str login, password; /* UTF-8, any octet but NUL; at most 1024 each */
};

struct tmail_auth_find {
	uint32_t size;
	uint32_t reserved;
	struct tmail_str login;
};

struct tmail_auth_step {
	uint32_t size;
	uint32_t first; /* 1: `in` is the initial response, data NULL when there is none */
	struct tmail_str mechanism;
	struct tmail_str in; /* decoded */
	/* For -PLUS (RFC 5929, 9266): "tls-exporter" and its octets; empty: no TLS */
	struct tmail_str binding_type, binding;
};

/* OK: authenticated (with `out` to be sent along when not empty, as SCRAM has it); PENDING is
 * the call's own; CONTINUE, as `more`: OK with more = 1, and `out` is the next challenge. */
struct tmail_auth_reply {
	uint32_t size;
	uint32_t more;
	struct tmail_str out; /* not encoded; host->alloc of the call */
	struct tmail_auth_who who;
};

#ifdef __cplusplus
}
#endif
#endif
