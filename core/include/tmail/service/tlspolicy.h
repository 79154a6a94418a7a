/* SPDX-License-Identifier: MIT
 *
 * <tmail/service/tlspolicy.h>: what a domain asks of TLS on the way to it (DANE, MTA-STS).
 *
 * Asked once a connection, on its loop, for hosts that DNS named (MX or the domain's own address)
 * and no setting or route of the administrator's has decided about, and for those that a route
 * asks `dane` of. Services are asked in the order of the configuration, those whose ASK says
 * TMAIL_FIRST before the others (DANE goes before MTA-STS, RFC 8461 2), until one answers other
 * than NOT_FOUND. It may answer TMAIL_PENDING; what must not be waited for on a loop is blocking.
 */
#ifndef TMAIL_SERVICE_TLSPOLICY_H
#define TMAIL_SERVICE_TLSPOLICY_H

#include <tmail/service/router.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TMAIL_TLS_POLICY "tls-policy"

enum tmail_tls_policy_operation {
	TMAIL_TLS_POLICY_ASK = 1, /* tmail_tls_policy_ask -> tmail_tls_policy_answer */
	TMAIL_TLS_POLICY_REPORT =
		2 /* tmail_tls_policy_report -> -: all services are told; optional */
};

struct tmail_tls_policy_ask {
	uint32_t size;
	uint32_t secure; /* 1: DNSSEC validated the way from the domain to the host (MX or route) */
	uint32_t address_secure; /* 1: and the host's addresses */
	uint16_t port, reserved;
	struct tmail_str domain; /* of the recipient; A-labels. Empty: not DNS named the host */
	struct tmail_str host;   /* the next one, A-labels, no last dot */
};

/* OK: an answer. NOT_FOUND: no policy of this kind. REFUSED: the domain does not want this host
 * used (why); TRY_LATER: it must not be used now (why); both go on with the next host. `why` and
 * `result` of the others: what is wrong is reported, and mail goes all the same. */
struct tmail_tls_policy_answer {
	uint32_t size;
	uint32_t policy; /* enum tmail_tls_policy: ENCRYPT, VERIFY or DANE; MAY: with `names`, what
			  * is wrong is reported and mail goes all the same ("testing") */
	struct tmail_list names; /* VERIFY, DANE: of struct tmail_str; empty: the host */
	struct tmail_list tlsa;  /* DANE: of struct tmail_str, RDATA */
	struct tmail_str kind;   /* of TLS-RPT (RFC 8460 4.2): "tlsa", "sts" */
	struct tmail_str text;   /* the policy for people, reports and logs, a line a record */
	struct tmail_str why;    /* what is wrong */
	struct tmail_str result; /* and in the words of RFC 8460 4.3; empty: "validation-failure" */
	struct tmail_str about;  /* of the policy, for traces: its id */
};

/* How a handshake went, for TLS-RPT: also where there was no policy. */
struct tmail_tls_policy_report {
	uint32_t size;
	uint32_t good; /* 1: success; else result tells what failed */
	struct tmail_str domain, host, address, local_address;
	struct tmail_str kind, text; /* of the policy; "no-policy-found" */
	struct tmail_str result;  /* RFC 8460 4.3: "starttls-not-supported", "dane-required", ... */
	struct tmail_str details; /* for humans */
};

#ifdef __cplusplus
}
#endif
#endif
