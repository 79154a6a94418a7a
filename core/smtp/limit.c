/* SPDX-License-Identifier: MIT
 *
 * One table of networks behind one lock. A rate is kept as the time at which the network would
 * have used up what it was given (GCRA): one number, no window. A network without sessions and
 * with its rate given back is forgotten, at the latest when the table has doubled.
 */
#include "smtp/limit.h"

#include "base/fail.h"
#include "base/map.h"

#include <pthread.h>
#include <stdlib.h>

#define MINUTE_US 60000000LL

struct network {
	char key[9]; /* family and the octets that count */
	uint32_t sessions;
	int64_t spent; /* clock_mono at which its rate is given back in full */
};

static struct {
	pthread_mutex_t lock;
	struct map networks;
	size_t sweep_at;
} table = { .lock = PTHREAD_MUTEX_INITIALIZER, .sweep_at = 1024 };

static struct str network_key(const struct ip *ip, char key[9])
{
	size_t octets = ip->family == 4 ? 4 : 8;

	key[0] = (char)ip->family;
	memcpy(key + 1, ip->bytes, octets);
	return str_make(key, 1 + octets);
}

static bool forgettable(const struct network *n, int64_t now)
{
	return n->sessions == 0 && n->spent <= now;
}

static void sweep(int64_t now)
{
	size_t at = 0;
	struct str key;
	void *value;

	while (map_next(&table.networks, &at, &key, &value)) {
		if (!forgettable(value, now))
			continue;
		map_remove(&table.networks, key);
		free(value);
	}
	table.sweep_at = 2 * table.networks.count;
	if (table.sweep_at < 1024)
		table.sweep_at = 1024;
}

static struct network *network_new(const struct ip *ip, int64_t now)
{
	struct network *n = must_alloc(sizeof *n);

	if (table.networks.count >= table.sweep_at)
		sweep(now);
	map_put(&table.networks, network_key(ip, n->key), n);
	return n;
}

enum limit_result limit_enter(const struct ip *ip, int64_t sessions, int64_t rate, int64_t now)
{
	enum limit_result result = LIMIT_OK;
	char key[9];
	struct network *n;

	pthread_mutex_lock(&table.lock);
	n = map_get(&table.networks, network_key(ip, key));
	if (!n)
		n = network_new(ip, now);
	if (n->spent < now)
		n->spent = now;
	if (sessions && n->sessions >= sessions)
		result = LIMIT_SESSIONS;
	else if (rate && n->spent - now > MINUTE_US - MINUTE_US / rate)
		result = LIMIT_RATE;
	if (result == LIMIT_OK) {
		n->sessions++;
		if (rate)
			n->spent += MINUTE_US / rate;
	}
	pthread_mutex_unlock(&table.lock);
	return result;
}

void limit_left(const struct ip *ip, int64_t now)
{
	char key[9];
	struct network *n;

	pthread_mutex_lock(&table.lock);
	n = map_get(&table.networks, network_key(ip, key));
	must(n && n->sessions > 0);
	n->sessions--;
	if (forgettable(n, now)) {
		map_remove(&table.networks, network_key(ip, key));
		free(n);
	}
	pthread_mutex_unlock(&table.lock);
}

size_t limit_networks(void)
{
	size_t count;

	pthread_mutex_lock(&table.lock);
	count = table.networks.count;
	pthread_mutex_unlock(&table.lock);
	return count;
}
