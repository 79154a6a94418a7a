/* SPDX-License-Identifier: MIT
 *
 * Local addresses to send from: "a&b" in that order, "a|b" drawn, an address listed twice twice
 * as often; 0.0.0.0 and :: leave it to the kernel.
 */
#ifndef QUEUE_SOURCE_H
#define QUEUE_SOURCE_H

#include "base/fail.h"
#include "base/ip.h"

#include <tmail/module.h>

enum { SOURCES_MAX = 32 };
struct sources {
	struct ip ips[SOURCES_MAX];
	size_t count;
	bool ordered; /* the next is tried when one does not connect */
};
/* text empty: `fallback`, of struct tmail_str. False: not an address, or & and | mixed. */
bool sources_parse(
	struct sources *s, struct str text, const struct tmail_list *fallback, struct why *why);

#endif
