/* SPDX-License-Identifier: MIT
 *
 * What client.c (the connection), client_hello.c (the greeting, EHLO and TLS), client_auth.c (the
 * login), client_send.c (the transaction), client_say.c (its commands) and client_class.c (what
 * replies mean) share: one client, its states, and the one function that changes the state. Private
 * to these files.
 */
#ifndef SMTP_CLIENT_STATE_H
#define SMTP_CLIENT_STATE_H

#include "base/list.h"
#include "mail/dot.h"
#include "net/stream.h"
#include "smtp/client.h"
#include "smtp/login.h"

/* A state is the reply that is waited for; with pipelining the commands behind it may have been
 * sent long before. The table in client.c says how long, and what may follow. */
enum client_state {
	AT_GREETING,
	AT_EHLO,     /* or LHLO */
	AT_HELO,     /* EHLO was not known */
	AT_STARTTLS, /* 220, and then */
	AT_TLS,      /* the handshake, and EHLO again */
	AT_AUTH,
	AT_IDLE, /* no reply is waited for */
	AT_RSET, /* what the last transaction left behind is cleared */
	AT_MAIL,
	AT_RCPT, /* of recipients[rcpt] */
	AT_DATA,
	AT_CONTENT, /* no reply may come: the content is being sent */
	AT_DOT,     /* LMTP: of recipients[rcpt] */
	AT_EMPTY,   /* the end of data was sent, and there is nobody to send to */
	AT_QUIT,
	AT_ENDED, /* the connection is of no more use */
	AT_STATES
};

/* Of a recipient within a transaction. SETTLED: it has its outcome; SKIPPED: it had it before
 * anything was said, and RCPT is not sent for it. */
enum client_recipient_state {
	RECIPIENT_WAITING,
	RECIPIENT_ACCEPTED,
	RECIPIENT_SETTLED,
	RECIPIENT_SKIPPED
};

struct client {
	struct link link; /* of those that leave */
	struct loop *loop;
	struct client_settings settings;
	struct arena *arena; /* of the connection */
	struct arena *words; /* texts of outcomes, until the next transaction */
	struct stream *stream;
	struct deadline deadline;
	struct reply reply;
	enum client_state state;
	unsigned offers;
	uint64_t size_limit;
	struct endpoint peer, local;
	struct client_open *open; /* until `ready` */

	/* The login. */
	struct str mechanisms; /* as offered; in the arena */
	struct login *login;   /* under way */
	const char *mechanism; /* it succeeded with */
	unsigned challenges;   /* so many came */
	bool auth_said;        /* the command */
	bool proven;           /* the mechanism has all it wants: only a yes may come */
	struct str unsaid;     /* too long a response for the command; waits for a challenge */
	struct str given_up;   /* "*" was said, for this reason */

	/* The transaction. */
	struct client_transaction *t;
	uint8_t *states;  /* enum client_recipient_state, one a recipient */
	struct str *said; /* their addresses as this server is told them, and then the sender's */
	size_t rcpt;      /* whose reply comes next */
	size_t accepted;
	bool ahead;       /* commands whose replies are not waited for yet are on their way: all of
			   * the envelope, and DATA or the content */
	bool chunk;       /* the content is on its way with them: one BDAT */
	bool used;        /* a transaction went over the connection before */
	bool utf8;        /* the envelope or the header needs SMTPUTF8 */
	bool finished;    /* every recipient has its outcome; `done` is to be told */
	bool needs_reset; /* the server still holds an envelope */
	bool closing;     /* client_close is at work */
	bool posted;      /* the task is on its way: the client must outlive it */
	struct task task;

	/* Its content. */
	struct dot_writer dot;
	size_t piece, piece_at;
	bool more_waits; /* more() answered PENDING, or prepare() "not yet" */

	void (*lost)(void *ctx, struct client *c);
	void *lost_ctx;
};

/* Changes the state; sets its deadline. */
void client_enter(struct client *c, enum client_state state);
/* Octets that go out when the callback returns. */
struct buf *client_output(struct client *c);
/* The row of its table that a reply falls into. ends: the connection is of no more use. */
struct client_meaning {
	enum client_class class;
	bool ends, crowded;
};
struct client_meaning client_meaning(enum client_stage stage, unsigned code, const char *enhanced);
/* The words of the reply just read, as an outcome of that stage. */
struct client_outcome client_replied(struct client *c, enum client_stage stage);
/* An outcome in our own words, and the same with a status for reports. */
struct client_outcome client_said(struct client *c, enum client_class class,
	enum client_stage stage, const char *format, ...) __attribute__((format(printf, 4, 5)));
struct client_outcome client_status_said(struct client *c, enum client_stage stage,
	const char *enhanced, const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The connection is of no more use: it is closed, and whoever has no outcome gets this one. It
 * is told when the event that led here ends. */
void client_fail(struct client *c, struct client_outcome outcome);
/* A reply that nobody waits for would be taken for the next command's. */
void client_out_of_turn(struct client *c);
/* Tells whoever waits, as the last act of an event: the client may be gone afterwards. */
void client_settle(struct client *c);
void client_free(struct client *c);
enum client_stage client_stage(const struct client *c);
const char *client_waits_for(const struct client *c);

/* A line of our own. */
void client_command(struct client *c, const char *verb, struct str argument);

/* client_hello.c: the greeting is there; the replies; the handshake has ended. */
void client_greeting_reply(struct client *c);
void client_ehlo_reply(struct client *c);
void client_helo_reply(struct client *c);
void client_starttls_reply(struct client *c);
void client_secured(struct client *c);

/* client_auth.c: all that goes before the login is done. */
void client_log_in(struct client *c);
void client_auth_reply(struct client *c);

/* client_say.c: what can be known before a word is said becomes outcomes, RECIPIENT_SKIPPED. */
void client_check(struct client *c);
void client_settle_one(struct client *c, size_t i, struct client_outcome outcome);
void client_say_mail(struct client *c);
void client_say_rcpt(struct client *c, size_t i);
/* All of the content as one chunk. */
void client_say_chunk(struct client *c);

/* client_send.c: the reply that a transaction's state waited for has come. */
void client_transaction_reply(struct client *c);
/* Everybody without an outcome gets this one (CLASS_UNKNOWN where all of the content was sent and
 * the reply to it is missing). */
void client_transaction_fail(struct client *c, struct client_outcome outcome);
/* There is room for more content. */
void client_content(struct client *c);
/* Tells `done`, as the last thing that is done with the client. */
void client_finish(struct client *c);

#endif
