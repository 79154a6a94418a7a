/* SPDX-License-Identifier: MIT
 *
 * One client's connection, from accept to close: what it is, its states, and what the files
 * beside it do with it. A session belongs to its loop.
 *
 * Every entry from outside (octets, deadline, the answer to a question) ends with session_run,
 * which may free the session; after it nothing of the session is touched.
 */
#ifndef SMTP_SESSION_H
#define SMTP_SESSION_H

#include "base/list.h"
#include "mail/command.h"
#include "mail/dot.h"
#include "net/dns.h"
#include "net/stream.h"
#include "smtp/say.h"
#include "smtp/server.h"

enum session_state {
	STATE_NEW,     /* accepted, nothing was done yet */
	STATE_PROXY,   /* a PROXY header must come first */
	STATE_TLS,     /* in a handshake: after STARTTLS, or before anything */
	STATE_CONNECT, /* before the greeting: modules are asked, early talkers waited for */
	STATE_START,   /* greeted; HELO has not been said */
	STATE_READY,   /* HELO was said; no transaction */
	STATE_MAIL,    /* a sender, no recipient yet */
	STATE_RCPT,    /* a recipient at least */
	STATE_CHUNKS,  /* between the chunks of a message */
	STATE_DATA,    /* content arrives, up to its dot */
	STATE_CHUNK,   /* content arrives, up to the chunk's size */
	STATE_AUTH,    /* the answer to a challenge must come next */
	STATE_FINISH,  /* content is whole: modules, trace, commit */
	STATE_GONE,    /* the last reply is said: to be freed; the stream sees to the rest */
	SESSION_STATES
};

enum session_waiting { /* for whom the session reads no further */
	WAITING_NOBODY,
	WAITING_ANSWER,  /* modules, tables, DNS: cancelled with the subject or by its file */
	WAITING_AUTH,    /* its turn to be checked, or the time that a failed login takes */
	WAITING_REVERSE, /* the client's name; not for ever */
	WAITING_SPOOL,   /* the store holds our octets: the session cannot end before it answers */
	WAITING_COMMIT,  /* the message is the store's; the session may leave */
	WAITING_CLIENT   /* the client does not read what we say */
};

enum session_stop {
	STOP_NO,
	STOP_SOON, /* 421 as soon as there is no transaction */
	STOP_NOW   /* 421 as soon as nobody holds what is ours */
};

struct auth;
struct transaction;
struct place;
struct verb;
struct session;

struct dry {                                              /* who asks before the fact, explain.c */
	void (*over)(struct dry *dry, struct session *s); /* its record can be read */
	void (*gone)(struct dry *dry); /* nothing of it is left; in place of place_left */
};

struct session {
	struct subject subject; /* first: message, client facts, generation */
	struct stream *stream;
	struct place *place;
	const struct smtp_settings *settings;
	struct link link;                 /* of the place's sessions */
	struct deadline deadline;         /* of the state, or of who is waited for */
	const struct verb *verb;          /* under way */
	struct transaction *transaction;  /* from MAIL to the final reply; else NULL */
	struct auth *auth;                /* from AUTH to its outcome; else NULL */
	struct dry *dry;                  /* NULL: a client's */
	struct dns_lookup *reverse;       /* under way; NULL: answered, or never asked */
	char *helo, *reverse_name, *said; /* malloc'd; said: the argument of the verb under way */
	char *login;                      /* malloc'd: who is logged in */
	union tmail_event event;          /* what modules are asked about now */
	void (*then)(struct session *s, bool ok); /* who wants to know of relay_client */
	struct id id;
	int64_t opened;                   /* clock_mono */
	uint8_t state, waiting, stopping; /* stopping: enum session_stop */
	bool running, eof, esmtp, relay_known;
	bool broken;       /* the connection is; nothing more can be said */
	bool in_line;      /* the rest of an over-long line is swallowed */
	bool login_relays; /* who is logged in may relay */
	bool counted;      /* against the limits of its address */
	bool progress;     /* something was done since the deadline was set */
	uint32_t errors, bad_recipients, junk, verified, messages, auth_errors;
	struct log_context log;
	struct log_field log_id;
	struct ip peer;
	char address[IP_TEXT], local_address[IP_TEXT];
};

/* ---- session.c -------------------------------------------------------------------------- */

/* generation: a reference is taken. Then greet_start and session_run. */
struct session *session_new(struct place *place, struct generation *generation, int fd,
	const struct endpoint *peer, const struct endpoint *local);
/* The only one to change the state: asserts that the step is legal, sets its deadline. */
void session_enter(struct session *s, enum session_state next);
/* READY or START: where a session without a transaction is. */
enum session_state session_rest(const struct session *s);
/* Goes on until there is nothing to do without more octets or answers. May free it. */
void session_run(struct session *s);
/* Sets the deadline that the state has from now on. */
void session_expect(struct session *s);
/* Stops reading until session_wake. */
void session_wait(struct session *s, enum session_waiting who);
/* The answer is there. Its receiver goes on and ends with session_run. */
void session_wake(struct session *s);
void session_say(struct session *s, enum say say);
void session_say_line(struct session *s, unsigned code, const char *enhanced, struct str text);
void session_sayf(struct session *s, unsigned code, const char *enhanced, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* Says it and ends the session, whoever is asked or waited for. reason: a word for DISCONNECT
 * and the log. Not while the store holds what is ours. */
void session_close(struct session *s, enum say say, const char *reason);
/* Ends it without a word. */
void session_drop(struct session *s, const char *reason);
/* 421, by itself; ends with session_run. */
void session_stop(struct session *s, enum session_stop how);
/* Frees it at once, without a word: the loop has stopped. */
void session_free(struct session *s);

/* ---- greet.c ---------------------------------------------------------------------------- */

/* Who the client is, as far as its connection or a PROXY header says. */
void greet_facts(struct session *s, const struct endpoint *peer, const struct endpoint *local);
void greet_start(struct session *s);
void greet_begin(struct session *s); /* the same, and no PROXY header comes */
/* PROXY header: true when it was taken off the input. */
bool greet_proxy(struct session *s);
void greet_early(struct session *s);                 /* octets before the greeting */
void greet_late(struct session *s);                  /* the wait before it is over */
bool greet_reverse_missing(const struct session *s); /* worth waiting for a little longer */

/* TLS from the first octet has begun. */
void greet_secured(struct session *s);

/* ---- verb_tls.c -------------------------------------------------------------------------- */

bool tls_offered(const struct session *s); /* STARTTLS is */
bool tls_missing(const struct session *s); /* there must be TLS first */
/* Where TLS comes first its handshake begins, and true. */
bool tls_from_start(struct session *s);
void tls_secured(struct session *s); /* the stream's handshake is done */
void tls_failed(struct session *s);  /* or will never be */

/* ---- command.c: one line after another --------------------------------------------------- */

/* Takes a line and does what it says; false when there is no whole line. */
bool command_step(struct session *s);

enum line { LINE_MORE, LINE_WHOLE, LINE_TOO_LONG };
/* The next line, of at most `max` octets, without its CRLF: it is still in the stream. TOO_LONG:
 * it was swallowed. */
enum line command_line(struct session *s, size_t max, struct str *line);

/* ---- verb_auth.c ------------------------------------------------------------------------- */

bool auth_line(struct session *s); /* a line that answers a challenge; false: there is none */
void auth_late(struct session *s); /* WAITING_AUTH was long enough */
/* Who was logged in is so no more: TLS begins, or the session ends. */
void auth_logout(struct session *s);

/* ---- content.c: what arrives between 354 (BDAT) and its end ------------------------------ */

/* What is said when the store did not take octets: there is no room, or try later. */
enum say content_spool_trouble(struct session *s);
void content_data(struct session *s);  /* DATA was agreed to: 354 */
void content_chunk(struct session *s); /* the transaction says how large it is, and how refused */
bool content_step(struct session *s);  /* false when there are no octets */
int64_t content_patience(const struct session *s); /* ms from now, for this DATA or chunk */
int64_t content_left(const struct session *s);     /* ms from now, for all chunks together */

/* ---- finish.c: from the end of content to its final reply -------------------------------- */

void finish_start(struct session *s);
void finish_unnamed(struct session *s); /* the reverse name was waited for long enough */

/* ---- explain.c --------------------------------------------------------------------------- */

/* What the core found out for the verb under way, into the record of a dry session. */
void explain_note(struct session *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- transaction.h says the rest ---------------------------------------------------------- */

#endif
