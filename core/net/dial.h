/* SPDX-License-Identifier: MIT
 *
 * Connecting to the first of several addresses that answers (RFC 8305): the next is tried
 * 250 ms after the last, or at once when it failed.
 */
#ifndef NET_DIAL_H
#define NET_DIAL_H

#include "net/socket.h"
#include "sys/loop.h"

struct dial;
struct dial_result {
	int fd; /* connected, non-blocking, TCP_NODELAY; the receiver's; -1: none */
	struct endpoint peer, local;
	struct why why; /* fd -1: each address and its reason */
};
/* sources: local addresses to bind to, the first of the peer's family is taken (0.0.0.0 or ::, or
 * without any: the kernel's choice); a peer whose family has none is left out. timeout: ms for all
 * of it. done: once, never before dial_start returns. */
struct dial *dial_start(struct loop *loop, const struct endpoint *peers, size_t count,
	const struct ip *sources, size_t source_count, int64_t timeout,
	void (*done)(void *ctx, const struct dial_result *result), void *ctx);
void dial_cancel(struct dial **dial);

#endif
