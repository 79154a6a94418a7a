/* SPDX-License-Identifier: MIT
 *
 * Addresses with ports, and sockets made from them.
 */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include "base/fail.h"
#include "base/ip.h"

#include <sys/socket.h>

struct endpoint {
	struct ip ip;
	uint16_t port;
	char path[108]; /* a unix socket when not empty */
};
enum { ENDPOINT_TEXT = 112 };

/* "192.0.2.1:25", "[2001:db8::1]:25", "*:25" (:: with both families), "/run/x.sock". */
bool endpoint_parse(struct str s, uint16_t default_port, struct endpoint *e);
void endpoint_text(const struct endpoint *e, char text[ENDPOINT_TEXT]);
socklen_t endpoint_sockaddr(const struct endpoint *e, struct sockaddr_storage *out);
bool endpoint_of_sockaddr(const struct sockaddr *sa, struct endpoint *e); /* v4-mapped undone */
bool endpoint_of_socket(int fd, bool peer, struct endpoint *e);
/* Bound, listening, non-blocking, close-on-exec, SO_REUSEADDR; IPV6_V6ONLY unless "*". */
int socket_listen(const struct endpoint *e, int backlog, struct why *why); /* -1 on failure */

#endif
