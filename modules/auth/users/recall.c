/* SPDX-License-Identifier: MIT
 *
 * Sets of eight in one piece of locked memory; the oldest of a set goes first.
 */
#include "recall.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

enum { SETS = 128, WAYS = 8, TAG = 32 };

struct entry {
	uint8_t tag[TAG];
	int64_t until; /* 0: free */
};

struct recall {
	pthread_mutex_t lock;
	int64_t seconds;
	struct secret {
		uint8_t key[crypto_generichash_KEYBYTES];
		struct entry sets[SETS][WAYS];
	} * secret;
};

struct recall *recall_new(int64_t seconds)
{
	struct recall *r = calloc(1, sizeof *r);

	if (!r)
		return NULL;
	r->seconds = seconds;
	r->secret = sodium_malloc(sizeof *r->secret);
	if (!r->secret || pthread_mutex_init(&r->lock, NULL) != 0) {
		sodium_free(r->secret);
		free(r);
		return NULL;
	}
	sodium_memzero(r->secret, sizeof *r->secret);
	randombytes_buf(r->secret->key, sizeof r->secret->key);
	return r;
}

void recall_free(struct recall **rp)
{
	struct recall *r = *rp;

	*rp = NULL;
	if (!r)
		return;
	sodium_free(r->secret); /* wipes */
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* Lengths are part of it: no two logins can share a tag by moving their border. */
static void tag_of(const struct recall *r, const struct str parts[3], uint8_t tag[TAG])
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, r->secret->key, sizeof r->secret->key, TAG);
	for (unsigned i = 0; i < 3; i++) {
		uint64_t len = parts[i].len;

		crypto_generichash_update(&state, (const uint8_t *)&len, sizeof len);
		crypto_generichash_update(&state, (const uint8_t *)parts[i].data, len);
	}
	crypto_generichash_final(&state, tag, TAG);
	sodium_memzero(&state, sizeof state);
}

static struct entry *find(struct recall *r, const uint8_t tag[TAG], int64_t now)
{
	struct entry *set = r->secret->sets[tag[0] % SETS];

	for (unsigned i = 0; i < WAYS; i++)
		if (set[i].until > now && sodium_memcmp(set[i].tag, tag, TAG) == 0)
			return &set[i];
	return NULL;
}

bool recall_has(
	struct recall *r, struct str login, struct str password, struct str stored, int64_t now)
{
	const struct str parts[3] = { login, password, stored };
	uint8_t tag[TAG];
	bool found;

	if (r->seconds == 0)
		return false;
	tag_of(r, parts, tag);
	pthread_mutex_lock(&r->lock);
	found = find(r, tag, now) != NULL;
	pthread_mutex_unlock(&r->lock);
	return found;
}

void recall_put(
	struct recall *r, struct str login, struct str password, struct str stored, int64_t now)
{
	const struct str parts[3] = { login, password, stored };
	struct entry *oldest;
	uint8_t tag[TAG];

	if (r->seconds == 0)
		return;
	tag_of(r, parts, tag);
	pthread_mutex_lock(&r->lock);
	oldest = find(r, tag, now);
	if (!oldest) {
		oldest = r->secret->sets[tag[0] % SETS];
		for (unsigned i = 1; i < WAYS; i++)
			if (r->secret->sets[tag[0] % SETS][i].until < oldest->until)
				oldest = &r->secret->sets[tag[0] % SETS][i];
		memcpy(oldest->tag, tag, TAG);
		oldest->until = now + r->seconds;
	}
	pthread_mutex_unlock(&r->lock);
}

void recall_clear(struct recall *r)
{
	pthread_mutex_lock(&r->lock);
	sodium_memzero(r->secret->sets, sizeof r->secret->sets);
	pthread_mutex_unlock(&r->lock);
}
