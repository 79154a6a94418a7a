/* SPDX-License-Identifier: MIT
 *
 * The server side of SMTP: what listens, under which settings, and what it hands upwards.
 */
#ifndef SMTP_SERVER_H
#define SMTP_SERVER_H

#include "conf/conf.h"
#include "host/subject.h"
#include "net/listener.h"
#include "net/tls.h"
#include "smtp/brake.h"

/* Settings of the group `smtp`. smtp_options is their table (smtp/settings.c). 0 is "no limit"
 * where the table's range allows it. */
struct smtp_settings {
	struct tmail_str hostname; /* copied from the top level by the daemon, as `node` is */
	int32_t hide_signature, vrfy, received_login, helo_required, helo_fqdn;
	int32_t early_pipelining; /* allow refuse: what comes behind a HELO before its answer */
	int32_t sender_dns;       /* off reject defer */
	int32_t bare_newline;     /* refuse normalize */
	int64_t max_message_size, max_header_size, max_hops, max_recipients, max_bad_rcpt;
	int64_t max_errors;
	int64_t max_junk; /* NOOP, RSET, VRFY, ... without a message in between */
	int64_t max_vrfy, max_messages, max_line, greet_delay;
	int64_t max_sessions, max_sessions_address, max_rate_address; /* rate: a minute */
	/* ms. A command has timeout_command to become whole; content has timeout_data, and what
	 * its octets take at min_data_rate, but never more than timeout_message. */
	int64_t timeout_command, timeout_data, timeout_message, min_data_rate, timeout_session;
	int64_t reverse_lookup; /* ms to wait for the reverse name at most; 0: no look-up */
	int32_t sender_login;   /* off match table */
	int64_t auth_delay, max_auth_errors, auth_parallel;
	struct brake_limits brake;
	int64_t node;
};
extern const struct tmail_list smtp_options;

/* One entry of the list `listen`. */
struct listen_settings {
	struct tmail_str address, name;
	int64_t port;
	int32_t role;                 /* mx submission smtps */
	int32_t tls;                  /* role off starttls required implicit; see listen_tls */
	int32_t proxy;                /* PROXY is required */
	struct tmail_list proxy_from; /* of struct tmail_str, CIDR */
	int32_t auth_clear;           /* PLAIN and LOGIN need no TLS */
	int32_t received_client;      /* Received says from where a logged-in client came */
	int32_t enabled;
};
extern const struct tmail_list listen_options;
enum listen_tls {
	LISTEN_TLS_OFF,
	LISTEN_TLS_STARTTLS, /* is offered, where there is a certificate */
	LISTEN_TLS_REQUIRED, /* no mail before STARTTLS */
	LISTEN_TLS_IMPLICIT  /* from the first octet */
};
enum listen_tls listen_tls(const struct listen_settings *listen);

/* What happens to a message once it is whole: given by the queue floor. All on the loop. */
enum commit_result { COMMIT_DURABLE, COMMIT_FULL, COMMIT_TRY_LATER };
struct smtp_upcalls {
	/* Room for that many octets more (0: is there any at all?); answers at once. Asked at MAIL
	 * and before 354. What was reserved for a message is counted in message->reserved; commit
	 * gives it back, or unreserve. */
	enum commit_result (*reserve)(struct subject *subject, uint64_t octets);
	void (*unreserve)(struct subject *subject, uint64_t octets);
	/* Octets of message->data beyond MESSAGE_MEMORY go to the store: takes message->data behind
	 * the header away and raises spool_size. Reading is paused until done. */
	void (*spool)(struct subject *subject, bool last,
		void (*done)(void *ctx, bool ok, struct str why), void *ctx);
	/* Takes the message (also when the client leaves). done only if the session is still
	 * there: the session clears its interest with commit_forget. */
	void (*commit)(struct subject *subject, struct message *message,
		void (*done)(void *ctx, enum commit_result result, struct str why), void *ctx);
	void (*forget)(void *ctx);
	/* A spool of a message that will not be committed. */
	void (*drop)(struct message *message);
};

/* Upcalls are set once at start; settings live in a generation (smtp_settings_of). */
void smtp_server_setup(const struct smtp_upcalls *upcalls,
	const struct smtp_settings *(*settings_of)(const struct generation *));
/* The certificates for handshakes that begin from now on, of all listeners; NULL: there are none.
 * The reference is taken over. Any thread. */
void smtp_server_tls(struct tls *tls);
struct smtp_server; /* one listener's sessions */
struct smtp_server *smtp_server_start(int fd, const struct listen_settings *settings,
	struct loop *const *loops, unsigned count, struct why *why);
/* Stops accepting. Sessions without a transaction get 421 now, others when it ends. Any thread. */
void smtp_server_drain(struct smtp_server *s);
void smtp_server_free(struct smtp_server **s);
unsigned smtp_sessions(void); /* of all listeners */
/* All that are left get 421 and are closed. */
void smtp_sessions_end(void);

#endif
