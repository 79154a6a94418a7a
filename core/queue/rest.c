/* SPDX-License-Identifier: MIT
 *
 * What could not be reached rests: nobody of this loop tries it for a while, which grows each
 * time, and whoever would hears why at once. Hosts rest by their names, and addresses that did not
 * connect by themselves, for many names may lead to one. Both are told apart by the local
 * addresses they were tried from: a server that refuses one of them may take another.
 */
#include "queue/attempt.h"

#include <stdio.h>
#include <stdlib.h>

enum { REST_GROWTH = 16 /* times host_rest, at most */, REST_FORGOTTEN = 2 /* times its rest */ };

struct rest {
	struct str key;
	int64_t until, length; /* loop_now; microseconds */
	struct client_outcome outcome;
	struct why why;
	char text[];
};

struct str address_key(const struct endpoint *e, struct str source, char text[ADDRESS_KEY])
{
	char name[ENDPOINT_TEXT];
	int len;

	endpoint_text(e, name);
	len = snprintf(text, ADDRESS_KEY, "%s %.*s", name, STR_ARG(source));
	return str_make(text, len < ADDRESS_KEY ? (size_t)len : ADDRESS_KEY - 1);
}

const struct client_outcome *host_rests(struct queue_loop *ql, struct str key)
{
	struct rest *r = ql->rests.count ? map_get(&ql->rests, key) : NULL;

	return r && r->until > loop_now(ql->loop) ? &r->outcome : NULL;
}

bool hosts_failed(struct queue_loop *ql, const struct route *route)
{
	if (ql->rests.count == 0)
		return false;
	for (size_t i = 0; i < route->count; i++)
		if (!map_get(&ql->rests, route->hops[i].rest_key))
			return false;
	return true;
}

static struct rest *rest_of(struct queue_loop *ql, struct str key)
{
	struct rest *r = map_get(&ql->rests, key);

	if (r)
		return r;
	r = must_alloc(sizeof *r + key.len);
	memcpy(r->text, key.data, key.len);
	r->key = str_make(r->text, key.len);
	map_put(&ql->rests, r->key, r);
	return r;
}

void host_failed(struct queue_loop *ql, struct str key, const struct client_outcome *o)
{
	int64_t first = queue_settings_now(ql)->host_rest * 1000, now = loop_now(ql->loop);
	struct rest *r;

	if (first == 0)
		return;
	r = rest_of(ql, key);
	if (r->until > now)
		return; /* others had set out before it was known: no more news */
	r->length = r->length ? r->length * 2 : first;
	if (r->length > first * REST_GROWTH)
		r->length = first * REST_GROWTH;
	r->until = now + r->length;
	r->outcome = *o;
	why_set(&r->why, "%.*s", STR_ARG(o->text));
	r->outcome.text = str_c(r->why.text);
}

void host_answered(struct queue_loop *ql, struct str key)
{
	if (ql->rests.count)
		free(map_remove(&ql->rests, key));
}

/* Those whose rest is long over; or all. */
void hosts_wake(struct queue_loop *ql, bool all)
{
	int64_t now = loop_now(ql->loop);
	size_t at = 0;
	struct str key;
	void *value;

	while (map_next(&ql->rests, &at, &key, &value)) {
		struct rest *r = value;

		if (!all && r->until + (REST_FORGOTTEN - 1) * r->length > now)
			continue;
		map_remove(&ql->rests, key);
		free(r);
	}
	if (all)
		map_free(&ql->rests);
}
