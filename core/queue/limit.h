/* SPDX-License-Identifier: MIT
 *
 * What one destination may be asked to take: connections at once, messages on one of them, and
 * how many in what time. Its route says so, or the nearest pattern of `destinations` in the
 * settings, or the settings for all.
 */
#ifndef QUEUE_LIMIT_H
#define QUEUE_LIMIT_H

#include "queue/route.h"

/* One of queue.destinations. */
struct destination_settings {
	struct tmail_str domain;       /* "example.com", ".example.com" (all below it), "*" */
	struct tmail_str rate;         /* as num_rate reads it; empty: no limit */
	int64_t connections, messages; /* 0: those of all */
};
extern const struct tmail_option destination_options[4];

/* Names every pattern that says nothing or cannot be understood. */
void limits_check(const struct conf_group *group, const struct queue_settings *settings,
	struct problems *problems);

/* A pattern is compared with the route's destination, which is a domain where MX records led;
 * then with the names of its hosts. connections and messages are never 0. */
struct route_limits limits_of(const struct route *r, const struct queue_settings *settings);

#endif
