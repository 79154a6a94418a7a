/* SPDX-License-Identifier: MIT
 *
 * Who a client is: which mechanisms it may use here, and the auth services asked about what it
 * says. The dialogue (lines, base64, replies) is verb_auth.c's.
 */
#ifndef SMTP_AUTH_H
#define SMTP_AUTH_H

#include "mail/sasl.h"
#include "smtp/session.h"

enum auth_kind { AUTH_PLAIN, AUTH_LOGIN, AUTH_EXCHANGE };

enum auth_outcome {
	AUTH_YES,   /* login, relay of s->auth are set */
	AUTH_NO,    /* login of s->auth, if it is known */
	AUTH_MORE,  /* the service has a challenge */
	AUTH_LATER, /* nobody can say now */
	AUTH_LOST   /* the service may still be at it: this session can ask it nothing more */
};
/* challenge: of MORE, and of YES when the client is to be told something; why: for the log. Both
 * valid until the next question. */
typedef void auth_answered(
	struct session *s, enum auth_outcome outcome, struct str challenge, struct str why);

/* An exchange under way, from AUTH to its outcome. Its buffers hold secrets. */
struct auth {
	enum auth_kind kind;
	char mechanism[SASL_NAME_MAX + 1]; /* in capitals */
	bool said;               /* `in` is what the client said last, though it may be empty */
	bool begun;              /* EXCHANGE: the service was asked once */
	bool last;               /* EXCHANGE: it succeeded; the client has yet to take note */
	unsigned nth;            /* PLAIN, LOGIN: of the services, the one that is asked */
	struct service *service; /* that is asked, or whose exchange it is */
	struct buf in;           /* decoded */
	struct buf login;        /* the login, as far as it is known */
	struct buf password;
	struct str authorize; /* of `in` */
	bool relay;
	struct ticket *ticket; /* waits for its turn */
	bool known;            /* at the gate of those who are */
	struct auth_question *asked;
	auth_answered *answered;
	enum say say; /* what is said when the brake lets go */
};

/* "250-AUTH ..." for EHLO; nothing when there is no mechanism for this client now. */
void auth_offer(struct session *s, struct buf *out);

/* Is there anybody who knows who clients are? */
bool auth_exists(const struct session *s);

enum auth_found {
	AUTH_FOUND,
	AUTH_UNKNOWN,  /* no such mechanism */
	AUTH_NEEDS_TLS /* there is, but not in clear */
};
/* Is there such a mechanism for this client? Sets kind, mechanism and service of *auth. */
enum auth_found auth_find(struct session *s, struct str mechanism, struct auth *auth);

/* Checks login and password of s->auth, which may have to wait for its turn; or does a step of
 * its exchange with `in`. Answers by `answered`, at once or later, with the session awake. */
void auth_verify(struct session *s, auth_answered *answered);
void auth_step(struct session *s, auth_answered *answered);
/* The client gave up. */
void auth_forget_exchange(struct session *s);
/* The turn did not come in time. */
void auth_turn_late(struct session *s);
/* Wipes and frees s->auth; harmless without one. The subject was cancelled, or nobody is asked. */
void auth_end(struct session *s);

#endif
