/* SPDX-License-Identifier: MIT
 *
 * A listener, and its share of each loop: the sessions there and the transactions kept for
 * them. Private to this floor.
 */
#ifndef SMTP_PLACE_H
#define SMTP_PLACE_H

#include "smtp/session.h"

#include <stdatomic.h>

enum { ROLE_MX, ROLE_SUBMISSION, ROLE_SMTPS }; /* listen_settings.role */

struct place {
	struct smtp_server *server;
	struct loop *loop;
	struct link sessions;
	struct transaction *kept; /* for the next MAIL */
	unsigned kept_count;
	bool draining;
	struct task drain, end; /* posted by other threads; once each */
	atomic_bool drain_posted, end_posted;
};

struct smtp_server {
	struct link link; /* of all servers */
	struct listener *listener;
	int32_t role;
	enum listen_tls tls;
	bool proxy, auth_clear, received_client;
	atomic_bool leaving; /* takes no new clients */
	struct str name;     /* malloc'd when name_owned */
	bool name_owned;
	struct cidr *proxy_from;
	size_t proxy_count;
	unsigned place_count;
	struct place places[];
};

/* May this peer send a PROXY header? */
bool server_trusts(const struct smtp_server *server, const struct ip *peer);
const struct smtp_upcalls *server_upcalls(void);
const struct smtp_settings *server_settings(const struct generation *generation);
/* Where a client with or without a login would come in, or at the listener of that name or role.
 * Any thread; NULL with why. */
struct place *server_place_for(
	const struct generation *g, struct str listener, bool login, struct why *why);
/* A session of the place has ended. */
void place_left(struct place *place);

#endif
