/* SPDX-License-Identifier: MIT
 *
 * Local addresses to send from: "a&b" in that order, "a|b" drawn, an address listed twice twice
 * as often; 0.0.0.0 and :: leave it to the kernel. A family that is not in the list is not used.
 * And by what name one is introduced.
 */
#ifndef QUEUE_SOURCE_H
#define QUEUE_SOURCE_H

#include "base/ip.h"
#include "queue/queue.h"

enum { SOURCES_MAX = 32 };
struct sources {
	struct ip ips[SOURCES_MAX];
	size_t count;
	bool ordered; /* the next is tried when one does not connect */
};
/* text empty: `fallback`, of struct tmail_str. False: not an address, or & and | mixed. */
bool sources_parse(
	struct sources *s, struct str text, const struct tmail_list *fallback, struct why *why);

/* One of queue.helo. */
struct helo_settings {
	struct tmail_str ip, name;
};
extern const struct tmail_option helo_options[2];
void helo_check(const struct conf_group *group, const struct queue_settings *settings,
	struct problems *problems);
/* What a server is told at a connection from there. */
struct str helo_of(const struct queue_settings *settings, const struct ip *from);

#endif
