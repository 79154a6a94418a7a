/* SPDX-License-Identifier: MIT
 *
 * What is known of domains: the policy that holds, until when, and whether fetching one failed.
 * In memory; rows.h keeps it over restarts. Not locked: who uses it holds the module's lock.
 */
#ifndef MTASTS_CACHE_H
#define MTASTS_CACHE_H

#include "policy.h"

#include "base/map.h"

struct known {
	char domain[STS_NAME_MAX + 1];
	/* What was fetched last; policy NULL: nothing ever was. */
	char id[STS_ID_MAX + 1];
	struct str body;
	struct sts_policy *policy;
	struct arena *arena;
	int64_t fetched, expires; /* seconds since 1970 */
	int64_t asked;            /* when mail last went there */
	int64_t refreshed;        /* when a new one was last looked for by itself */
	/* What failed last: not tried again before then, unless the id is another. */
	char failed_id[STS_ID_MAX + 1];
	int64_t failed_until;
	char why[256], result[32];
	bool fetching;
	bool wanted;  /* a new one is to be fetched */
	bool unsaved; /* by rows.h */
	struct asking *waiting;
};

struct cache {
	struct map map;
};

struct known *cache_get(const struct cache *c, struct str domain); /* NULL: nothing is known */
struct known *cache_make(struct cache *c, struct str domain);
void cache_forget(struct cache *c, struct str domain);
void cache_free(struct cache *c);

/* The policy that holds now, or NULL. */
const struct sts_policy *known_policy(const struct known *k, int64_t now);
/* Whether it is time to ask for it again: half of its life is over, or a day. */
bool known_is_old(const struct known *k, int64_t now);
/* False, and what is wrong, when it is no policy; what was known stays then. */
bool known_take(
	struct known *k, struct str id, struct str body, int64_t fetched, const char **wrong);
void known_drop_policy(struct known *k);
void known_failed(struct known *k, struct str id, struct str result, struct str why, int64_t until);
/* Fetching for this id failed lately. */
bool known_is_failing(const struct known *k, struct str id, int64_t now);

#endif
