/* SPDX-License-Identifier: MIT
 *
 * TLS of one side (RFC 8446, 5246), on OpenSSL: what is made once of settings, certificates and
 * keys, and shared by the connections of all loops. The octets go through net/stream. What is
 * made does not change: new certificates are a new struct tls, and connections keep the one
 * they began with. Any thread, but where a stream is named.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/buf.h"
#include "base/fail.h"
#include "base/str.h"

struct tls;     /* counted */
struct tls_end; /* one connection's; the stream's own */

enum tls_version { TLS_VERSION_1_2, TLS_VERSION_1_3 };
enum tls_ask { TLS_ASK_NEVER, TLS_ASK_OPTIONAL, TLS_ASK_REQUIRED }; /* a client's certificate */

/* A chain and its key, as PEM; the names are for texts. The texts stay the caller's, who wipes
 * that of the key. */
struct tls_pair {
	const char *certificate_name, *key_name;
	struct str certificate, key;
};
struct tls_server_settings {
	const struct tls_pair *pairs; /* the first is for clients that name nobody we know */
	size_t pair_count;
	enum tls_version least;
	const char *ciphers;      /* of TLS 1.2, OpenSSL's form; NULL: our own */
	const char *ciphersuites; /* of TLS 1.3; NULL: our own */
	enum tls_ask client_certificates;
	struct str client_ca; /* PEM: who may have signed them */
	bool tickets;         /* resumption; the keys are the process's, and rotate */
};
/* NULL with why, which names the file: not PEM, no certificate of this key, expired is no
 * reason. */
struct tls *tls_server_new(const struct tls_server_settings *settings, struct why *why);
/* Of a server: when the first of its certificates is good no more; seconds since 1970. */
int64_t tls_expires(const struct tls *tls);
/* A key and a certificate of that host by itself, as PEM. */
bool tls_make(struct str name, struct buf *certificate, struct buf *key, struct why *why);

struct tls_client_settings {
	const char *ca_file; /* whom `TLS_CHECK_NAME` trusts; NULL: the system's */
	enum tls_version least;
	const char *ciphers, *ciphersuites;
};
struct tls *tls_client_new(const struct tls_client_settings *settings, struct why *why);
struct tls *tls_keep(struct tls *tls);
void tls_drop(struct tls **tls); /* clears the pointer; NULL is allowed */

/* What a client demands of the server. */
enum tls_check {
	TLS_CHECK_NOTHING, /* RFC 7435: any certificate; what is wrong with it is in the facts */
	TLS_CHECK_NAME,    /* a chain to a trusted root, and one of the names (RFC 6125) */
	TLS_CHECK_DANE     /* the records (RFC 7672: usages 2 and 3 only, names for usage 2) */
};
struct tls_wanted {
	enum tls_check check;
	struct str sni;          /* empty: none; never an address */
	const struct str *names; /* A-labels; "*." at the front of a pattern is MTA-STS's */
	size_t name_count;
	const struct str *tlsa; /* RDATA, DANE */
	size_t tlsa_count;
	bool authenticate; /* DANE: no record that can be used is a failure; else it is encrypted */
	/* Sessions are resumed between connections that have the same key; empty: never. It must
	 * say all that the check depends on. */
	struct str session_key;
};

/* Of a handshake that ended well. */
struct tls_facts {
	const char *version; /* "TLSv1.3" */
	const char *cipher;  /* "TLS_AES_256_GCM_SHA384" */
	unsigned bits;
	bool resumed;
	bool verified;           /* the peer's certificate: chain and name, or DANE */
	const char *trouble;     /* not verified: what is wrong with it; NULL: there is none */
	const char *peer;        /* subject of the peer's certificate; "": none; RFC 2253 */
	const char *server_name; /* SNI as the client said it; "": none */
};
/* The channel binding "tls-exporter" (RFC 9266), 32 octets; false for TLS 1.2 without extended
 * master secret. */
bool tls_exporter(const struct tls_end *end, uint8_t octets[32]);

#endif
