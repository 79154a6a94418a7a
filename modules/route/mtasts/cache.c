/* SPDX-License-Identifier: MIT
 *
 * One entry a domain, by its name in lower case.
 */
#include "cache.h"

#include "base/fail.h"

#include <stdio.h>
#include <stdlib.h>

enum { DAY = 86400 };

static void text_set(char *to, size_t room, struct str s)
{
	snprintf(to, room, "%.*s", STR_ARG(s));
}

struct known *cache_get(const struct cache *c, struct str domain)
{
	return map_get(&c->map, domain);
}

struct known *cache_make(struct cache *c, struct str domain)
{
	struct known *k = cache_get(c, domain);

	if (k)
		return k;
	must(domain.len <= STS_NAME_MAX);
	k = must_alloc(sizeof *k);
	text_set(k->domain, sizeof k->domain, domain);
	map_put(&c->map, str_c(k->domain), k);
	return k;
}

void known_drop_policy(struct known *k)
{
	arena_free(&k->arena);
	k->policy = NULL;
	k->body = STR("");
	k->id[0] = '\0';
	k->expires = 0;
}

static void known_free(struct known *k)
{
	known_drop_policy(k);
	free(k);
}

void cache_forget(struct cache *c, struct str domain)
{
	struct known *k = map_remove(&c->map, domain);

	if (k)
		known_free(k);
}

void cache_free(struct cache *c)
{
	size_t at = 0;
	struct str key;
	void *k;

	while (map_next(&c->map, &at, &key, &k))
		known_free(k);
	map_free(&c->map);
}

const struct sts_policy *known_policy(const struct known *k, int64_t now)
{
	return k && k->policy && now < k->expires ? k->policy : NULL;
}

bool known_is_old(const struct known *k, int64_t now)
{
	int64_t half = (k->expires - k->fetched) / 2;

	return known_policy(k, now) && now >= k->fetched + (half < DAY ? half : DAY);
}

bool known_take(
	struct known *k, struct str id, struct str body, int64_t fetched, const char **wrong)
{
	struct arena *arena = arena_new(1024);
	struct str kept = arena_str(arena, body);
	struct sts_policy *policy = sts_policy_parse(kept, arena, wrong);

	if (!policy) {
		arena_free(&arena);
		return false;
	}
	known_drop_policy(k);
	text_set(k->id, sizeof k->id, id);
	k->arena = arena;
	k->body = kept;
	k->policy = policy;
	k->fetched = fetched;
	k->expires = fetched + policy->max_age;
	k->failed_until = 0;
	return true;
}

void known_failed(struct known *k, struct str id, struct str result, struct str why, int64_t until)
{
	text_set(k->failed_id, sizeof k->failed_id, id);
	text_set(k->result, sizeof k->result, result);
	text_set(k->why, sizeof k->why, why);
	k->failed_until = until;
}

bool known_is_failing(const struct known *k, struct str id, int64_t now)
{
	return k && now < k->failed_until && str_equal(str_c(k->failed_id), id);
}
