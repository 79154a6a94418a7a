/* SPDX-License-Identifier: MIT
 *
 * TLS of one connection without its socket: ciphertext comes in and goes out as octets, so that
 * the stream decides when the kernel is asked for what. Private to this floor.
 */
#ifndef NET_TLS_END_H
#define NET_TLS_END_H

#include "base/buf.h"
#include "base/map.h"
#include "net/tls.h"

#include <openssl/ssl.h>
#include <stdatomic.h>

struct tls_names;    /* of a server: tls_server.c */
struct tls_sessions; /* of a client: tls_client.c */
struct tls_system;

struct tls {
	atomic_uint refs;
	SSL_CTX *ctx;
	struct tls_names *names;
	struct tls_sessions *sessions;
	struct tls_system *system; /* whom the system trusts; NULL: a file of its own says whom */
};

#define TLS_UNUSABLE "no usable TLSA record"
enum { TLS_RECORD_MOST = 16 * 1024 + 256 }; /* what a part of a record may become */

struct tls_end {
	struct tls *tls;
	SSL *ssl;
	struct str in;          /* ciphertext that has arrived: taken whole by tls_end_read */
	struct buf *out;        /* ciphertext to be sent: the stream's */
	struct buf early;       /* ciphertext that came before there was TLS */
	struct buf plain;       /* written, not encrypted yet */
	size_t encrypted;       /* of plain */
	struct str session_key; /* of a client, malloc'd; empty: none */
	const char *error;      /* static; NULL: all is well */
	struct tls_facts facts;
	char *peer;         /* facts.peer when it is somebody */
	bool unusable_tlsa; /* DANE was wanted and no record can be used */
	bool secured;       /* the handshake is done */
	bool closed;        /* the peer said that no more will come */
	bool ours;          /* some of what is in `out` is the owner's */
	bool said_bye;
};

/* Once a process, before anything else of the library. */
void tls_library(void);
/* NULL with why. */
struct tls *tls_new(const SSL_METHOD *method, enum tls_version least, const char *ciphers,
	const char *ciphersuites, struct why *why);
/* Of the library's last error; static. */
const char *tls_reason(void);
bool tls_why(struct why *why, const char *what); /* "what: reason"; answers false */

/* Never NULL; one that cannot be made has its error. */
struct tls_end *tls_end_new(struct tls *tls, struct buf *out);
void tls_end_free(struct tls_end **e);
/* Goes on with what is in `in`; false when it has failed, with an alert in `out`. */
bool tls_end_handshake(struct tls_end *e);
/* Decrypts all of `in`; 0: nothing came of it. See `closed` and `error`. */
size_t tls_end_read(struct tls_end *e, char *to, size_t room);
/* Encrypts up to that many octets of `plain`. */
void tls_end_write(struct tls_end *e, size_t most);
static inline size_t tls_end_unwritten(const struct tls_end *e)
{
	return e->plain.len - e->encrypted;
}
/* Once all is encrypted: tells the peer that no more comes. */
void tls_end_bye(struct tls_end *e);

/* ---- tls_server.c, tls_ticket.c, tls_client.c -------------------------------------------- */

void tls_names_free(struct tls_names **names);
void tls_tickets(SSL_CTX *ctx);
void tls_sessions_free(struct tls_sessions **sessions);
void tls_system_free(struct tls_system **system);
/* What this client demands, before its handshake. */
void tls_end_demand(struct tls_end *e, const struct tls_wanted *wanted);

#endif
