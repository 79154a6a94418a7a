/* SPDX-License-Identifier: MIT
 *
 * Limits from the route, the patterns and the settings, each number by itself: a route that says
 * only how many connections leaves the rate to the pattern.
 */
#include "queue/limit.h"

#include "base/num.h"

enum { NEAR_ANY = 1 };

const struct tmail_option destination_options[5] = {
	TMAIL_STRING(struct destination_settings, domain, "domain", NULL,
		"The destination: example.com, .example.com (all below it), or * (every one); the "
		"domain of the recipients, or a host that its mail goes to. The nearest holds."),
	TMAIL_INT(struct destination_settings, connections, "connections", "0", 0, 10000,
		"Connections to it at a time, in place of max_connections_destination; 0 is that."),
	TMAIL_INT(struct destination_settings, messages, "messages", "0", 0, 1000000,
		"Messages over one connection, in place of max_messages_connection; 0 is that."),
	TMAIL_STRING(struct destination_settings, rate, "rate", NULL,
		"Messages in a time, evenly spread: 5/s, 100/m, 0.5/s, 1/250ms."),
	TMAIL_CHOICE(struct destination_settings, tls, "tls", "default",
		"default none may encrypt verify dane",
		"TLS on the way there, in place of what the domain itself publishes and of `tls` "
		"of all; of the nearest pattern that says something of it."),
};

void limits_check(const struct conf_group *group, const struct queue_settings *settings,
	struct problems *problems)
{
	size_t i = 0;
	uint32_t count, ms;

	TMAIL_EACH(struct destination_settings, d, settings->destinations) {
		const struct conf_group *g = conf_list_at(group, "destinations", i++);

		if (d->domain.len == 0)
			problem_add(problems, g, NULL, "a destination without its domain");
		if (d->rate.len > 0 && !num_rate(str_tm(d->rate), &count, &ms))
			problem_add(problems, g, "rate", "'%.*s' is no rate, like 5/s or 100/m",
				STR_ARG(str_tm(d->rate)));
	}
}

/* How near a pattern is to a name; 0: it does not match. */
static size_t nearness(struct str pattern, struct str name)
{
	if (str_equal(pattern, STR("*")))
		return NEAR_ANY;
	if (str_equal_case(pattern, name))
		return SIZE_MAX;
	if (pattern.len > 1 && pattern.data[0] == '.' && str_ends_case(name, pattern))
		return pattern.len;
	return 0;
}

static const struct destination_settings *nearest_of(
	const struct queue_settings *settings, struct str name, bool tls, size_t *near)
{
	const struct destination_settings *nearest = NULL;

	TMAIL_EACH(struct destination_settings, d, settings->destinations) {
		size_t n = tls && !d->tls ? 0 : nearness(str_tm(d->domain), name);

		if (n > *near) {
			*near = n;
			nearest = d;
		}
	}
	return nearest;
}

/* tls: of those that say something of it. */
static const struct destination_settings *pattern_of(
	const struct route *r, const struct queue_settings *settings, bool tls)
{
	size_t near = 0;
	const struct destination_settings *d = nearest_of(settings, r->destination, tls, &near),
					  *host;

	if (near > NEAR_ANY)
		return d;
	for (size_t i = 0; i < r->count; i++) {
		host = nearest_of(settings, r->hops[i].host, tls, &near);
		d = host ? host : d;
	}
	return d;
}

struct route_limits limits_of(const struct route *r, const struct queue_settings *settings)
{
	const struct destination_settings *d = pattern_of(r, settings, false);
	struct route_limits limits = r->limits;

	if (d && limits.connections == 0)
		limits.connections = (uint32_t)d->connections;
	if (d && limits.messages == 0)
		limits.messages = (uint32_t)d->messages;
	if (d && limits.rate_count == 0 &&
		!num_rate(str_tm(d->rate), &limits.rate_count, &limits.rate_ms))
		limits.rate_count = limits.rate_ms = 0;
	if (limits.connections == 0)
		limits.connections = (uint32_t)settings->max_connections_destination;
	if (limits.messages == 0)
		limits.messages = (uint32_t)settings->max_messages_connection;
	return limits;
}

enum tmail_tls_policy tls_of(const struct route *r, const struct queue_settings *settings)
{
	const struct destination_settings *d = pattern_of(r, settings, true);

	return d ? (enum tmail_tls_policy)d->tls : TMAIL_TLS_UNSET;
}
