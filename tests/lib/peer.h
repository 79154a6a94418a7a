/* SPDX-License-Identifier: MIT
 *
 * Next hops for tests, on a port of the kernel's choice and on threads of their own: one that
 * plays a script, word by word, however it lies; and a server that behaves, but for the rules
 * it was given. Both record what arrived.
 */
#ifndef TESTS_LIB_PEER_H
#define TESTS_LIB_PEER_H

#include "base/buf.h"

#include <openssl/ssl.h>

struct peer;
struct connection; /* of a peer */

/* A script: steps, NULL at the end. Connections are taken one after another.
 *   "> 220 hello"  sends the line with CRLF        ">> text"  sends it as it is
 *   "< MAIL FROM"  reads a line that starts so     "<."       reads to the end of data
 *   "<*"           reads what one recv gives       "wait"     reads until the client closes
 *   "< BDAT"       reads the chunk behind it too
 *   "close" "reset"  end the connection            "next"     closes, takes the next one
 *   "flood"        sends digits without an end until the client closes
 *   "lines"        the same, lines of one reply      "nul"      sends a line of NULs
 *   "tls"          goes on through TLS, or ends       "call"     does what peer_call says
 * At the end of the script the connection is closed. */
struct peer *peer_script(const char *const *steps);

/* A server: whatever comes is answered as a mail server would. A rule changes what is said to
 * lines that start with its `line` (any case); "." is the end of data, "connect" the greeting.
 * `times` 0: always; else that often. Reply NULL: the connection is closed; "" : nothing is
 * said. A reply may have several lines ("250-a\r\n250 b"). */
struct peer_rule {
	const char *line, *reply;
	unsigned times;
};
enum {
	PEER_TLS = 16, /* offers STARTTLS; with PEER_SMTPS it speaks nothing else */
	PEER_SMTPS = 32,
	PEER_LMTP = 1,
	PEER_PLAIN = 2,    /* offers nothing */
	PEER_CHUNKING = 4, /* offers that too */
	PEER_UNIX = 8      /* listens on peer_path */
};
struct peer *peer_server(const struct peer_rule *rules, size_t count, unsigned flags);

unsigned peer_port(const struct peer *p);
const char *peer_path(const struct peer *p);
/* What arrived on all connections, in order; free() it. */
char *peer_seen(struct peer *p);
/* Waits until it has arrived (any case). */
void peer_wait_seen(struct peer *p, const char *text);
/* Lines that did not come as the script said; 0 is well. */
unsigned peer_surprises(struct peer *p);
unsigned peer_connections(struct peer *p);

/* A message that the server answered 2yz to. Waits until there are n of them. */
struct peer_message {
	struct str sender, content; /* dots unstuffed */
	struct str recipients;      /* "a@b c@d", those accepted */
	struct str mail;            /* the whole line */
	unsigned connection;        /* from 1 */
	uint32_t from;              /* the IPv4 address it came from, as a number */
};
void peer_wait_messages(struct peer *p, unsigned n);
unsigned peer_messages(struct peer *p);
const struct peer_message *peer_message(struct peer *p, unsigned i);
/* Waits until n connections were taken. */
void peer_wait_connections(struct peer *p, unsigned n);
/* While held, the server says nothing to the end of data; let go answers all. */
void peer_hold(struct peer *p);
void peer_let_go(struct peer *p);
/* Changes what rule `i` says. */
void peer_rule_set(struct peer *p, size_t i, const char *reply, unsigned times);
/* What is spoken, through TLS or not. A line is without its end, a NUL behind it; false: the client
 * has gone. */
void peer_say(struct connection *c, struct str octets);
bool peer_hear_line(struct connection *c, struct buf *line);
/* Of what "tls" and STARTTLS make of a connection; before any. A reference is taken. */
void peer_secure(struct peer *p, SSL_CTX *ctx);
SSL *peer_ssl(const struct connection *c); /* NULL: in clear */
int peer_socket(const struct connection *c);
/* What the step "call", or a server at a line that says AUTH (offered by a rule), does; false: the
 * connection ends. */
void peer_call(struct peer *p, bool (*call)(struct connection *c, struct str line));
/* Ends the threads; also in the middle of a script. */
void peer_end(struct peer **p);

#endif
