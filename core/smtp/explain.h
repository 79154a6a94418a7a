/* SPDX-License-Identifier: MIT
 *
 * What a session would say, asked before the fact: a real session over a pair of sockets whose
 * subject is dry. Modules that do not honour that are not asked, nothing is kept of it, and it
 * ends before content.
 */
#ifndef SMTP_EXPLAIN_H
#define SMTP_EXPLAIN_H

#include "net/socket.h"
#include "smtp/server.h"

struct explain_asked {
	struct ip ip; /* of the client; family 0: it has none */
	struct str helo, login, sender, recipient;
	uint64_t size;       /* 0: not said */
	struct str listener; /* its name or role; empty: the one such a client would use */
};
struct explain_row { /* of a command: what each said about it, and then its reply */
	enum tmail_point point;
	const char *by;  /* the instance; NULL: the core */
	bool reply;      /* the one to the command */
	int verdict;     /* enum tmail_verdict, RECORD_*; of the core's: of a reply alone */
	struct str text; /* the reply's, or the reason */
	int64_t took;    /* microseconds */
};
struct explain_end {
	bool accepted; /* the recipient was */
	bool relay;    /* the client may */
};
/* On a thread that may wait. each: on this thread, in order. False with why: there is nobody to
 * ask, or the session was lost. */
bool smtp_explain(struct generation *g, const struct explain_asked *asked,
	void (*each)(void *ctx, const struct explain_row *row), void *ctx, struct explain_end *end,
	struct why *why);
/* The record of a dry subject. */
struct explain_row *explain_rows(const struct subject *s, struct arena *arena, size_t *count);

#endif
