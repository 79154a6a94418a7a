/* SPDX-License-Identifier: MIT
 *
 * Reads a hosts file into a map from name to addresses. Lines that are not understood are
 * skipped, as everybody does who reads that file.
 */
#include "net/hosts.h"

#include "base/arena.h"
#include "base/fail.h"
#include "base/map.h"

#include <stdlib.h>

struct host {
	struct str name;
	struct ip ips[HOSTS_MOST];
	size_t count;
};

struct hosts {
	struct arena *arena;
	struct map names;
};

static void host_add(struct hosts *h, struct str name, const struct ip *ip)
{
	struct host *host = map_get(&h->names, name);

	if (!host) {
		host = ARENA_NEW(h->arena, struct host);
		host->name = arena_str(h->arena, name);
		map_put(&h->names, host->name, host);
	}
	for (size_t i = 0; i < host->count; i++)
		if (ip_equal(&host->ips[i], ip))
			return;
	if (host->count < HOSTS_MOST)
		host->ips[host->count++] = *ip;
}

static void hosts_line(struct hosts *h, struct str line)
{
	struct str words, address, name;
	struct ip ip;

	/* Up to a comment. */
	if (!str_split(&line, '#', &words) || !str_word(&words, &address) ||
		!ip_parse(address, &ip))
		return;
	while (str_word(&words, &name))
		host_add(h, name, &ip);
}

struct hosts *hosts_parse(struct str text)
{
	struct hosts *h = must_alloc(sizeof *h);
	struct str line;

	h->arena = arena_new(1024);
	h->names.fold = true;
	while (str_split(&text, '\n', &line))
		hosts_line(h, str_trim_line(line));
	return h;
}

static bool is_localhost(struct str name)
{
	return str_equal_case(name, STR("localhost")) || str_ends_case(name, STR(".localhost"));
}

size_t hosts_find(const struct hosts *h, struct str name, struct ip ips[HOSTS_MOST])
{
	const struct host *host;

	if (name.len > 0 && name.data[name.len - 1] == '.')
		name.len--;
	if (is_localhost(name)) {
		ips[0] = (struct ip){ .family = 6, .bytes = { [15] = 1 } };
		ips[1] = (struct ip){ .family = 4, .bytes = { 127, 0, 0, 1 } };
		return 2;
	}
	host = h ? map_get(&h->names, name) : NULL;
	if (!host)
		return 0;
	memcpy(ips, host->ips, host->count * sizeof *ips);
	return host->count;
}

void hosts_free(struct hosts **hp)
{
	struct hosts *h = *hp;

	if (!h)
		return;
	*hp = NULL;
	map_free(&h->names);
	arena_free(&h->arena);
	free(h);
}
