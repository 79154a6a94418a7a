/* SPDX-License-Identifier: MIT
 *
 * A connection to a port of this host, in clear or through TLS: octets out, octets in, nothing
 * ever waits. What TLS needs the poller for it says in `writing`.
 */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <sys/types.h>

struct wire {
	int fd;
	SSL *ssl;     /* NULL: in clear */
	bool writing; /* the kernel takes no more now, or there is no connection yet */
};

enum { WIRE_AGAIN = 0, WIRE_GONE = -1 };

bool wire_open(struct wire *w, int port);
/* Begins TLS, or goes on with it: 1 when it is there, or as below. */
int wire_secure(struct wire *w);
/* Octets, or one of the two above. */
ssize_t wire_send(struct wire *w, const char *from, size_t length);
ssize_t wire_receive(struct wire *w, char *to, size_t room);
/* Is something here that the kernel will not tell of? */
bool wire_holds(const struct wire *w);
void wire_close(struct wire *w);

#endif
