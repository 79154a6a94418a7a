/* SPDX-License-Identifier: MIT
 *
 * The hash of maps: SipHash-1-3 (Aumasson, Bernstein), so that a peer who chooses keys cannot
 * choose collisions. Not for anything that is stored: the seed differs from process to process.
 */
#include "base/str.h"

struct sip {
	uint64_t v0, v1, v2, v3;
};

/* Written once, before there are threads. */
static uint64_t hash_seed = 0x746d61696c000001u;

void str_hash_seed(uint64_t seed)
{
	hash_seed = seed;
}

static inline uint64_t rotate(uint64_t v, int bits)
{
	return v << bits | v >> (64 - bits);
}

static inline void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotate(s->v1, 13) ^ s->v0;
	s->v0 = rotate(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotate(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotate(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotate(s->v1, 17) ^ s->v2;
	s->v2 = rotate(s->v2, 32);
}

static uint64_t word_as_is(uint64_t word)
{
	return word;
}

/* Folds the capitals among eight octets at once: 0x80 is set where 'A' <= octet <= 'Z'. */
static uint64_t word_lower(uint64_t word)
{
	const uint64_t ones = 0x0101010101010101u;
	uint64_t low = word & (0x7f * ones);
	uint64_t from_a = low + (0x80 - 'A') * ones;
	uint64_t behind_z = low + (0x80 - 'Z' - 1) * ones;
	uint64_t capital = from_a & ~behind_z & ~word & (0x80 * ones);

	return word | capital >> 2;
}

static inline uint64_t sip_hash(struct str s, uint64_t (*fold)(uint64_t))
{
	uint64_t k0 = hash_seed, k1 = rotate(hash_seed, 29) * 0x9e3779b97f4a7c15u;
	struct sip sip = { k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du,
		k0 ^ 0x6c7967656e657261u, k1 ^ 0x7465646279746573u };
	uint64_t word;
	size_t at = 0;

	for (; s.len - at >= sizeof word; at += sizeof word) {
		memcpy(&word, s.data + at, sizeof word);
		word = fold(word);
		sip.v3 ^= word;
		sip_round(&sip);
		sip.v0 ^= word;
	}
	word = 0;
	if (at < s.len)
		memcpy(&word, s.data + at, s.len - at);
	word = fold(word) ^ (uint64_t)s.len << 56;
	sip.v3 ^= word;
	sip_round(&sip);
	sip.v0 ^= word;
	sip.v2 ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(&sip);
	return sip.v0 ^ sip.v1 ^ sip.v2 ^ sip.v3;
}

uint64_t str_hash(struct str s)
{
	return sip_hash(s, word_as_is);
}

uint64_t str_hash_case(struct str s)
{
	return sip_hash(s, word_lower);
}
