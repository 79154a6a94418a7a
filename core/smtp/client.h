/* SPDX-License-Identifier: MIT
 *
 * The client side of SMTP and LMTP: one connection to a server, kept open for one transaction
 * after another. Knows nothing of queues: it is handed a transaction, and says what became of
 * each recipient.
 */
#ifndef SMTP_CLIENT_H
#define SMTP_CLIENT_H

#include "base/arena.h"
#include "mail/reply.h"
#include "net/dial.h"
#include "net/tls.h"
#include "sys/lane.h"

#include <tmail/service/router.h>

struct client; /* a connection, on one loop */

enum client_tls { CLIENT_TLS_NONE, CLIENT_TLS_MAY, CLIENT_TLS_MUST };
struct client_timeouts { /* ms (RFC 5321 4.5.3.2) */
	int64_t connect, greeting, command, mail, rcpt, data_start, data_block, data_end, quit;
};
struct client_settings {
	struct str helo; /* our name */
	/* Or, where it depends on where the connection comes from; ctx is client_connect's. */
	struct str (*introduce)(void *ctx, const struct endpoint *local);
	enum tmail_protocol protocol;
	bool chunking; /* BDAT where it saves a wait (RFC 3030) */
	struct client_timeouts timeouts;
	const struct log_context *log;
	/* What is pointed to from here on stays until `ready`. Under CLIENT_TLS_MUST nothing but
	 * EHLO and STARTTLS is ever said in clear. */
	enum client_tls secure;
	bool implicit; /* TLS from the first octet */
	struct tls *tls;
	struct tls_wanted wanted;
	struct str login, password; /* empty: none */
	bool login_clear;           /* also without TLS */
	struct lane *workers;       /* where a login is computed */
};

/* What the server offers, after EHLO. */
enum {
	CLIENT_PIPELINING = 1,
	CLIENT_8BITMIME = 2,
	CLIENT_SIZE = 4,
	CLIENT_SMTPUTF8 = 8,
	CLIENT_DSN = 16,
	CLIENT_CHUNKING = 32,
	CLIENT_STARTTLS = 64,
	CLIENT_ENHANCED = 128,
	CLIENT_AUTH = 256
};

/* Where a thing went wrong decides what may be tried next. */
enum client_stage {
	STAGE_CONNECT,
	STAGE_GREETING,
	STAGE_EHLO,
	STAGE_TLS, /* 4.7.4: the server has none; 4.7.5: it came to nothing */
	STAGE_AUTH,
	STAGE_MAIL,
	STAGE_RCPT,
	STAGE_DATA,
	STAGE_CONTENT,
	STAGE_DOT,
	STAGE_DONE
};
enum client_class {
	CLASS_OK,
	CLASS_TEMPORARY, /* 4yz, or the connection failed */
	CLASS_PERMANENT, /* 5yz that is about this message or recipient */
	CLASS_NEXT_HOST, /* not about the message: try another host (greeting 4yz/5yz, EHLO, TLS, a
			  * login, 421) */
	CLASS_UNKNOWN    /* the final reply was lost: it may have been taken */
};
struct client_outcome {
	enum client_class class;
	enum client_stage stage;
	unsigned code;
	char enhanced[16];
	/* RCPT: the transaction has room for no more; the next one may, at once. */
	bool crowded;
	/* TLS that may be came to nothing: without it the server might do. */
	bool in_clear;
	/* The remote's words, or ours ("connection lost while waiting for ..."), without codes:
	 * "code x.y.z words" is the caller's to build. */
	struct str text;
};
const char *client_stage_name(enum client_stage stage); /* for the log */
/* The code for a report (RFC 3463): the server's own, or what its reply says by itself. */
void client_status(const struct client_outcome *o, char status[16]);
/* Texts of outcomes live until the next client_send, or until the client is closed; the one
 * handed to `ready` while it runs. */

/* Dials and speaks up to EHLO, TLS and the login. ready: once, never before client_connect
 * returns; client NULL when there is none, with the outcome (always CLASS_NEXT_HOST). The client is
 * the receiver's. `log` of the settings must live as long as the client. */
struct client_open;
struct client_open *client_connect(struct loop *loop, const struct endpoint *peers, size_t count,
	const struct ip *sources, size_t source_count, const struct client_settings *settings,
	void (*ready)(void *ctx, struct client *c, const struct client_outcome *outcome),
	void *ctx);
void client_connect_cancel(struct client_open **open);
/* Who is spoken to, also while `ready` runs without a client; NULL: nobody is connected. */
const struct client *client_opening(const struct client_open *open);
unsigned client_offers(const struct client *c);
uint64_t client_size_limit(const struct client *c); /* 0: none said */
const struct endpoint *client_peer(const struct client *c);
const struct endpoint *client_local(const struct client *c);
/* NULL: in clear. Valid as long as the client. */
const struct tls_facts *client_tls(const struct client *c);
/* That it is logged in with; NULL: it is not. */
const char *client_mechanism(const struct client *c);

/* One transaction. The caller keeps all of it, unchanged, until `done`. Of addresses whose domain
 * alone is not ASCII the A-labels are said where the server has no SMTPUTF8. */
struct client_recipient {
	struct str address, original; /* original: ORCPT "type;address" or empty */
	unsigned notify;
	struct client_outcome outcome; /* set when done */
};
struct client_transaction {
	struct str sender;
	struct client_recipient *recipients;
	size_t count;
	uint64_t size;
	unsigned body; /* TMAIL_BODY_* */
	unsigned ret;  /* TMAIL_RET_* */
	bool smtputf8; /* the header needs it; what the addresses need is seen to here */
	struct str envid;
	struct str submitter; /* AUTH=, for a server that we are logged in to; empty: <> */
	/* Asked once, before a word is said: false is "not yet", and client_more says when; until
	 * then the transaction may be changed. NULL: ready. */
	bool (*prepare)(void *ctx);
	/* Set: nothing is sent, this is everybody's outcome. */
	const struct client_outcome *refused;
	/* Content, in order: octets that are there, then more() until it says 0; more answers
	 * PENDING with -1 and calls client_more when there is something. */
	struct str pieces[3];
	size_t piece_count;
	int (*more)(void *ctx, struct str *octets);
	/* Every recipient has its outcome. usable: the connection can take another transaction.
	 * Never before client_send returns. */
	void (*done)(void *ctx, struct client *c, bool usable);
	void *ctx;
};
/* Pipelines MAIL, RCPTs and DATA where the server offers it; on a fresh connection and with content
 * that is small and at hand, BDAT and all. Not while one is under way. */
void client_send(struct client *c, struct client_transaction *t);
void client_more(struct client *c);
/* The server closed or spoke while idle; the owner then closes. Set between transactions. */
void client_watch(struct client *c, void (*lost)(void *ctx, struct client *c), void *ctx);
/* QUIT (not waited for longer than its timeout), close, free. Clears the pointer. A transaction
 * under way ends in CLASS_TEMPORARY or UNKNOWN first, through its `done`. */
void client_close(struct client **c);
/* The same without waiting for the server's farewell: for a loop that is about to end. */
void client_abort(struct client **c);

#endif
