/* SPDX-License-Identifier: MIT
 *
 * One look-up a host, all under way together; the last that is answered tells. What waits is
 * parked with the subject.
 */
#include "queue/locate.h"

#include "queue/own.h"

#include <stdlib.h>

enum { SMTP_PORT = 25 };

struct search { /* of one host */
	struct locating *all;
	struct dns_lookup *lookup;
};

struct locating {
	struct parked parked;
	struct route *route;
	struct arena *arena;
	struct location *locations;
	struct search *searches;
	size_t missing;
	struct deadline soon; /* nothing is to be looked up */
	void (*done)(void *ctx, struct route *route, const struct location *locations);
	void *ctx;
};

bool hop_is_own(const struct hop *hop, struct str name)
{
	return hop->protocol == TMAIL_PROTOCOL_SMTP && name.len > 0 &&
		str_equal_case(hop->host, name) && port_is_own(hop->port);
}

bool hop_strays(const struct hop *hop, const struct endpoint *e)
{
	struct ip literal;

	return hop->source_id == 0 && hop->port == SMTP_PORT &&
		(ip_is_loopback(&e->ip) || ip_is_any(&e->ip)) && !ip_parse(hop->host, &literal);
}

bool hop_leads_here(const struct hop *hop, const struct endpoint *e)
{
	return hop_strays(hop, e) || endpoint_is_own(e);
}

static void locating_free(struct locating *all)
{
	list_remove(&all->parked.link);
	deadline_clear(&all->soon);
	for (size_t i = 0; i < all->route->count; i++)
		dns_lookup_cancel(&all->searches[i].lookup);
	route_unref(&all->route);
	arena_free(&all->arena);
	free(all);
}

static void locating_cancel(struct parked *parked)
{
	locating_free(container_of(parked, struct locating, parked));
}

static void locating_tell(struct locating *all)
{
	list_remove(&all->parked.link); /* whoever is told may end the subject */
	all->done(all->ctx, all->route, all->locations);
	locating_free(all);
}

static void locating_known(struct deadline *d)
{
	locating_tell(container_of(d, struct locating, soon));
}

static void location_found(void *ctx, const struct dns_addresses *answer)
{
	struct search *search = ctx;
	struct locating *all = search->all;
	size_t i = (size_t)(search - all->searches);
	struct location *at = &all->locations[i];
	struct ip *ips = ARENA_ARRAY(all->arena, struct ip, answer->count);

	search->lookup = NULL;
	at->status = answer->status;
	at->secure = answer->secure;
	at->why = arena_str(all->arena, answer->why);
	at->ips = ips;
	at->count = answer->count;
	for (size_t n = 0; n < answer->count; n++) {
		const struct hop *hop = &all->route->hops[i];
		struct endpoint e = { .ip = answer->ips[n], .port = hop->port };

		ips[n] = e.ip;
		if (!hop_leads_here(hop, &e))
			at->others++;
		else if (!hop_strays(hop, &e))
			at->own = true;
	}
	if (--all->missing == 0)
		locating_tell(all);
}

void hops_locate(struct subject *subject, struct route *route, struct str name,
	void (*done)(void *ctx, struct route *route, const struct location *locations), void *ctx)
{
	struct locating *all = must_alloc(sizeof *all);

	all->arena = arena_new(1024);
	all->route = route_ref(route);
	all->locations = ARENA_ARRAY(all->arena, struct location, route->count);
	all->searches = ARENA_ARRAY(all->arena, struct search, route->count);
	all->done = done;
	all->ctx = ctx;
	all->parked.cancel = locating_cancel;
	list_append(&subject->parked, &all->parked.link);
	deadline_init(&all->soon, subject->loop, locating_known);
	for (size_t i = 0; i < route->count; i++) {
		const struct hop *hop = &route->hops[i];

		all->locations[i].own = hop_is_own(hop, name);
		if (hop->host.data[0] == '/')
			continue;
		all->missing++;
		all->searches[i].all = all;
		all->searches[i].lookup =
			dns_addresses(subject->loop, hop->host, location_found, &all->searches[i]);
	}
	if (all->missing == 0)
		deadline_set(&all->soon, 0);
}
