/* SPDX-License-Identifier: MIT
 *
 * What the connections of the generator say, and what became of it: load.c says how much of it,
 * talk.c holds the conversations.
 */
#ifndef BENCH_TALK_H
#define BENCH_TALK_H

#include "wire.h"

enum step {
	CLOSED,
	GREETING,
	TLS_WISH,
	HANDSHAKE,
	HELLO,
	LOGIN,
	SENDER,
	RECIPIENT,
	DATA,
	CONTENT,
	DOT,
	QUIT
};
enum security { IN_CLEAR, STARTTLS, IMPLICIT };

struct connection {
	struct wire wire;
	enum step step;
	bool watched_writing;
	long sent;    /* messages of this connection */
	long number;  /* of the message, of all */
	size_t at;    /* octets of the content that have gone out */
	double since; /* when the content was out; without messages, when it was opened */
	char line[1024];
	size_t length;
};

struct words {
	char **list;
	long count;
};

struct option {
	long connections, messages, per_connection, size, seconds;
	struct words recipients;
	struct words logins; /* what AUTH PLAIN says, taken in turns; none: no login */
	enum security security;
	bool hello; /* no messages: the answer to EHLO is what is counted */
	int port;
};

struct count {
	long started, accepted, refused, lost, connected;
	double *latency; /* seconds, of each that was accepted */
};

extern struct option option;
extern struct count count;

double now(void);
void talk_begin(void); /* once, with all options */
void connection_open(struct connection *c);
/* Waits for what is next, a second at most, and acts on it; true when messages were accepted. */
bool talk_turn(void);

#endif
