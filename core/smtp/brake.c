/* SPDX-License-Identifier: MIT
 *
 * A table of debts behind one lock, in sets of eight as a processor's cache has them. A debt is
 * the time at which all of it will have been given back (GCRA, as in limit.c): one number, no
 * window. Keys are hashes with the seed of the process: nobody can aim at a neighbour.
 */
#include "smtp/brake.h"

#include <pthread.h>

#define HOUR_US 3600000000LL

enum { SETS = 4096, KNOWN_SETS = 1024, WAYS = 8 };
enum kind { KIND_ADDRESS = 1, KIND_LOGIN, KIND_PAIR };

struct debt {
	uint64_t key;  /* 0: free */
	int64_t spent; /* of who is known: also says who was last heard of */
};

static struct {
	pthread_mutex_t lock;
	struct debt debts[SETS][WAYS];
	struct debt known[KNOWN_SETS][WAYS]; /* a login at an address where it succeeded */
} table = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- keys -------------------------------------------------------------------------------- */

static uint64_t key_of(enum kind kind, const struct ip *ip, struct str login)
{
	uint64_t parts[3] = { kind, 0, 0 }, key;

	if (kind != KIND_LOGIN)
		parts[1] = str_hash(str_make((const char *)ip->bytes, ip->family == 4 ? 4 : 8));
	if (kind != KIND_ADDRESS)
		parts[2] = str_hash_case(login);
	key = str_hash(str_make((const char *)parts, sizeof parts));
	return key ? key : 1;
}

static struct debt *find(struct debt *set, uint64_t key)
{
	for (unsigned i = 0; i < WAYS; i++)
		if (set[i].key == key)
			return &set[i];
	return NULL;
}

/* Its place, or that of the one who owes least. */
static struct debt *place(struct debt *set, uint64_t key)
{
	struct debt *least = find(set, key);

	if (least)
		return least;
	least = set;
	for (unsigned i = 1; i < WAYS; i++)
		if (set[i].spent < least->spent)
			least = &set[i];
	*least = (struct debt){ .key = key };
	return least;
}

static struct debt *debts_of(uint64_t key)
{
	return table.debts[key % SETS];
}

static struct debt *known_of(const struct ip *ip, struct str login)
{
	uint64_t key = key_of(KIND_PAIR, ip, login);

	return login.len > 0 ? find(table.known[key % KNOWN_SETS], key) : NULL;
}

/* ---- debts ------------------------------------------------------------------------------- */

static bool owes_too_much(const struct debt *d, int64_t limit, int64_t now)
{
	return limit && d && d->spent - now > HOUR_US - HOUR_US / limit;
}

static void charge(struct debt *d, int64_t limit, int64_t now)
{
	if (d->spent < now)
		d->spent = now;
	if (limit && d->spent - now <= HOUR_US)
		d->spent += HOUR_US / limit;
}

static bool counts_address(const struct ip *ip)
{
	return ip->family != 0 && !ip_is_loopback(ip);
}

static bool owes(enum kind kind, const struct ip *ip, struct str login, int64_t limit, int64_t now)
{
	uint64_t key = key_of(kind, ip, login);

	return owes_too_much(find(debts_of(key), key), limit, now);
}

static void owe(enum kind kind, const struct ip *ip, struct str login, int64_t limit, int64_t now)
{
	uint64_t key = key_of(kind, ip, login);

	if (limit)
		charge(place(debts_of(key), key), limit, now);
}

enum brake brake_ask(
	const struct ip *ip, struct str login, const struct brake_limits *limits, int64_t now)
{
	enum brake brake = BRAKE_OFF;
	const struct debt *known;

	pthread_mutex_lock(&table.lock);
	known = known_of(ip, login);
	if (known && !owes_too_much(known, limits->address, now))
		brake = BRAKE_OFF;
	else if (counts_address(ip) && owes(KIND_ADDRESS, ip, login, limits->address, now))
		brake = BRAKE_ADDRESS;
	else if (login.len > 0 && owes(KIND_LOGIN, ip, login, limits->login, now))
		brake = BRAKE_LOGIN;
	pthread_mutex_unlock(&table.lock);
	return brake;
}

void brake_failed(
	const struct ip *ip, struct str login, const struct brake_limits *limits, int64_t now)
{
	struct debt *known;

	pthread_mutex_lock(&table.lock);
	known = known_of(ip, login);
	if (known && !owes_too_much(known, limits->address, now)) {
		charge(known, limits->address, now);
	} else {
		if (counts_address(ip))
			owe(KIND_ADDRESS, ip, login, limits->address, now);
		if (login.len > 0)
			owe(KIND_LOGIN, ip, login, limits->login, now);
	}
	pthread_mutex_unlock(&table.lock);
}

void brake_passed(const struct ip *ip, struct str login, int64_t now)
{
	uint64_t key = key_of(KIND_PAIR, ip, login);
	struct debt *known;

	pthread_mutex_lock(&table.lock);
	known = place(table.known[key % KNOWN_SETS], key);
	if (known->spent < now)
		known->spent = now; /* what it owes it goes on owing */
	pthread_mutex_unlock(&table.lock);
}

unsigned brake_failures(const struct ip *ip, const struct brake_limits *limits, int64_t now)
{
	uint64_t key = key_of(KIND_ADDRESS, ip, STR(""));
	const struct debt *d;
	int64_t left = 0;

	if (!limits->address || !counts_address(ip))
		return 0;
	pthread_mutex_lock(&table.lock);
	d = find(debts_of(key), key);
	if (d)
		left = d->spent - now;
	pthread_mutex_unlock(&table.lock);
	if (left <= 0)
		return 0;
	return (unsigned)((left + HOUR_US / limits->address - 1) / (HOUR_US / limits->address));
}

bool brake_knows(const struct ip *ip, struct str login, int64_t now)
{
	const struct debt *known;
	bool knows;

	pthread_mutex_lock(&table.lock);
	known = known_of(ip, login);
	knows = known && known->spent <= now;
	pthread_mutex_unlock(&table.lock);
	return knows;
}

void brake_reset(void)
{
	pthread_mutex_lock(&table.lock);
	memset(table.debts, 0, sizeof table.debts);
	memset(table.known, 0, sizeof table.known);
	pthread_mutex_unlock(&table.lock);
}
