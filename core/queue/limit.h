/* SPDX-License-Identifier: MIT
 *
 * What settings say of one destination: what it may be asked to take (connections at once, messages
 * on one of them, and how many in what time), and the TLS on the way there. Its route says so, or
 * the nearest pattern of `destinations` in the settings, or the settings for all.
 */
#ifndef QUEUE_LIMIT_H
#define QUEUE_LIMIT_H

#include "queue/route.h"

/* One of queue.destinations. */
struct destination_settings {
	struct tmail_str domain;       /* "example.com", ".example.com" (all below it), "*" */
	struct tmail_str rate;         /* as num_rate reads it; empty: no limit */
	int64_t connections, messages; /* 0: those of all */
	int32_t tls;                   /* enum tmail_tls_policy */
};
extern const struct tmail_option destination_options[5];

/* Names every pattern that says nothing or cannot be understood. */
void limits_check(const struct conf_group *group, const struct queue_settings *settings,
	struct problems *problems);

/* A pattern is compared with the route's destination, which is a domain where MX records led;
 * then with the names of its hosts. connections and messages are never 0. */
struct route_limits limits_of(const struct route *r, const struct queue_settings *settings);
/* Of the nearest pattern that says something of TLS; else UNSET. */
enum tmail_tls_policy tls_of(const struct route *r, const struct queue_settings *settings);

#endif
