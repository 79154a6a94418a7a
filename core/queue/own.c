/* SPDX-License-Identifier: MIT
 *
 * A list that is replaced as a whole, under a lock that is held for a few comparisons. Addresses
 * of this host are looked up when the list is set.
 */
#include "queue/own.h"

#include "queue/queue.h"

#include <ifaddrs.h>
#include <pthread.h>
#include <stdlib.h>

static struct {
	pthread_mutex_t lock;
	struct endpoint *list, *host; /* host: addresses of its interfaces, ports 0 */
	size_t count, host_count;
} own = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct endpoint *interfaces(size_t *count)
{
	struct ifaddrs *all = NULL;
	struct endpoint *list = NULL;

	*count = 0;
	if (getifaddrs(&all) != 0)
		return NULL;
	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		struct endpoint e;

		if (!i->ifa_addr || !endpoint_of_sockaddr(i->ifa_addr, &e) || e.ip.family == 0)
			continue;
		list = must_realloc(list, (*count + 1) * sizeof *list);
		list[(*count)++] = e;
	}
	freeifaddrs(all);
	return list;
}

void queue_listens(const struct endpoint *endpoints, size_t count)
{
	struct endpoint *list = count ? must_alloc(count * sizeof *list) : NULL, *before, *host;
	struct endpoint *host_before;
	size_t host_count;

	host = interfaces(&host_count);
	if (count)
		memcpy(list, endpoints, count * sizeof *list);
	pthread_mutex_lock(&own.lock);
	before = own.list;
	host_before = own.host;
	own.list = list;
	own.count = count;
	own.host = host;
	own.host_count = host_count;
	pthread_mutex_unlock(&own.lock);
	free(before);
	free(host_before);
}

static bool is_of_this_host(const struct ip *ip)
{
	if (ip_is_loopback(ip) || ip_is_any(ip))
		return true;
	for (size_t i = 0; i < own.host_count; i++)
		if (ip_equal(&own.host[i].ip, ip))
			return true;
	return false;
}

static bool is_any(const struct ip *ip)
{
	return ip->family == 0 || ip_is_any(ip);
}

static bool same(const struct endpoint *listening, const struct endpoint *e)
{
	if (listening->path[0] || e->path[0])
		return strcmp(listening->path, e->path) == 0;
	if (listening->port != e->port)
		return false;
	if (is_any(&listening->ip))
		return is_of_this_host(&e->ip);
	return ip_equal(&listening->ip, &e->ip);
}

bool endpoint_is_own(const struct endpoint *e)
{
	bool found = false;

	pthread_mutex_lock(&own.lock);
	for (size_t i = 0; i < own.count && !found; i++)
		found = same(&own.list[i], e);
	pthread_mutex_unlock(&own.lock);
	return found;
}

bool port_is_own(uint16_t port)
{
	bool found = false;

	pthread_mutex_lock(&own.lock);
	for (size_t i = 0; i < own.count && !found; i++)
		found = own.list[i].port == port && !own.list[i].path[0];
	pthread_mutex_unlock(&own.lock);
	return found;
}
