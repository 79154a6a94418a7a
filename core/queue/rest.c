/* SPDX-License-Identifier: MIT
 *
 * Hosts that could not be reached rest: nobody of this loop tries them for a while, which grows
 * each time, and whoever would hears why at once.
 */
#include "queue/attempt.h"

#include <stdlib.h>

enum { REST_GROWTH = 16 /* times host_rest, at most */, REST_FORGOTTEN = 2 /* times its rest */ };

struct rest {
	struct str key;
	int64_t until, length; /* loop_now; microseconds */
	struct client_outcome outcome;
	struct why why;
	char text[];
};

const struct client_outcome *host_rests(struct queue_loop *ql, const struct hop *hop)
{
	struct rest *r = ql->rests.count ? map_get(&ql->rests, hop->rest_key) : NULL;

	return r && r->until > loop_now(ql->loop) ? &r->outcome : NULL;
}

static struct rest *rest_of(struct queue_loop *ql, const struct hop *hop)
{
	struct rest *r = map_get(&ql->rests, hop->rest_key);

	if (r)
		return r;
	r = must_alloc(sizeof *r + hop->rest_key.len);
	memcpy(r->text, hop->rest_key.data, hop->rest_key.len);
	r->key = str_make(r->text, hop->rest_key.len);
	map_put(&ql->rests, r->key, r);
	return r;
}

void host_failed(struct queue_loop *ql, const struct hop *hop, const struct client_outcome *o)
{
	int64_t first = queue_settings_now(ql)->host_rest * 1000;
	struct rest *r;

	if (first == 0)
		return;
	r = rest_of(ql, hop);
	r->length = r->length ? r->length * 2 : first;
	if (r->length > first * REST_GROWTH)
		r->length = first * REST_GROWTH;
	r->until = loop_now(ql->loop) + r->length;
	r->outcome = *o;
	why_set(&r->why, "%.*s", STR_ARG(o->text));
	r->outcome.text = str_c(r->why.text);
}

void host_answered(struct queue_loop *ql, const struct hop *hop)
{
	if (ql->rests.count)
		free(map_remove(&ql->rests, hop->rest_key));
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
