/* SPDX-License-Identifier: MIT
 *
 * Accepting on a shared listening socket, on every loop. A connection goes to the loop with
 * fewest and stays there. Who comes and has gone again over and over is not heard for a while.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "net/socket.h"
#include "sys/loop.h"

struct listener;

/* accepted: on the loop that will keep the connection; fd (non-blocking, close-on-exec,
 * TCP_NODELAY) is the receiver's, which calls listener_left when that connection has ended. */
struct listener_events {
	void (*accepted)(void *ctx, struct loop *loop, int fd, const struct endpoint *peer,
		const struct endpoint *local);
	void *ctx;
	bool relayed; /* by a proxy: its addresses are many clients', and none is shut out */
};
/* fd stays the caller's. The same loops, in the same order, for every listener. */
struct listener *listener_start(int fd, struct loop *const *loops, unsigned count,
	const struct listener_events *events, struct why *why);
/* No further accept on any loop; what was accepted is still handed over. Any thread. On
 * EMFILE and the like accepting pauses for 100 ms by itself and logs once. */
void listener_stop(struct listener *l);
void listener_left(struct loop *loop);
void listener_free(struct listener **l); /* after the loops have stopped */

#endif
