/* SPDX-License-Identifier: MIT
 *
 * The sockets that are listened on, as parent and server both know them: each by the address in
 * the configuration, in its order. Two of one address (port 0) are told apart by that order.
 */
#ifndef DAEMON_SOCKETS_H
#define DAEMON_SOCKETS_H

#include "daemon/settings.h"

struct listening {
	char address[ENDPOINT_TEXT]; /* as configured: port 0 stays 0 */
	int fd;
	bool lent; /* systemd's, which goes on listening when tmail does not */
};
struct sockets {
	struct listening *item;
	size_t count;
};

void sockets_add(struct sockets *s, const char *address, int fd);
/* The n-th socket of that address, or NULL. */
struct listening *sockets_find(const struct sockets *s, const char *address, size_t n);
/* How many of the first `count` have that address: the n of the next. */
size_t sockets_same(const struct sockets *s, size_t count, const char *address);
/* What the settings want: taken over from `old` where it has it (the descriptor moves, and is
 * -1 there), from systemd's, bound where not. False with why; then old is as it was. */
bool sockets_bind(
	struct sockets *out, const struct settings *settings, struct sockets *old, struct why *why);
/* Puts back into `old` what sockets_bind took, and closes the rest. */
void sockets_undo(struct sockets *s, struct sockets *old);
/* From now on who connects is refused, whichever process has the sockets open. */
void sockets_refuse(const struct sockets *s);
/* Closes what is still open, and frees. */
void sockets_free(struct sockets *s);

/* Sockets that systemd handed over (LISTEN_FDS), by their own addresses; clears the
 * environment. Answers how many there are. */
size_t sockets_inherit(struct sockets *out);

#endif
