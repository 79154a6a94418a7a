/* SPDX-License-Identifier: MIT
 *
 * What the two kinds of peers share: a peer, its connections, and octets to and from them. Private
 * to peer.c (sockets, scripts, what arrived) and peer_server.c.
 */
#ifndef TESTS_LIB_PEER_INSIDE_H
#define TESTS_LIB_PEER_INSIDE_H

#include "tests/lib/peer.h"

#include "base/buf.h"
#include "base/fail.h"

#include <pthread.h>
#include <stdlib.h>

enum { CONNECTIONS_MAX = 512, MESSAGES_MAX = 20000, RULES_MAX = 16, RECIPIENTS_MAX = 512 };

struct connection {
	struct peer *peer;
	pthread_t thread;
	int fd;
	unsigned number;
	uint32_t from;
	struct buf in;
	SSL *ssl;
	bool threaded;
};
struct peer {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t change;
	int listener;
	unsigned port;
	char path[64]; /* of a unix socket */
	bool ending, held;
	const char *const *steps;
	struct peer_rule rules[RULES_MAX];
	size_t rule_count;
	unsigned flags;
	SSL_CTX *tls;
	bool (*call)(struct connection *c, struct str line);
	struct buf seen;
	unsigned surprises, connections, messages;
	struct connection *connection[CONNECTIONS_MAX];
	struct peer_message *message;
};

/* False of each: the client has gone. Of content, dots are taken off; a chunk is what follows
 * "BDAT n ...". */
bool peer_hear_content(struct connection *c, struct buf *content);
bool peer_hear_chunk(struct connection *c, struct str line, struct buf *content);
/* From here on it goes through TLS. */
bool peer_handshake(struct connection *c);
/* The next connection; NULL when the peer ends. */
struct connection *peer_connection_take(struct peer *p);
void peer_connection_close(struct connection *c);
/* A thread: serves all that connect. */
void *peer_server_run(void *peer);

#endif
