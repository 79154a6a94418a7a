/* SPDX-License-Identifier: MIT
 *
 * The filter is classic BPF, compiled by the kernel: it compares the source of a packet with each
 * address. Connections inherit it when they are made, and it never has their own address then.
 */
#include "net/flood.h"

#include <linux/filter.h>
#include <string.h>
#include <sys/socket.h>

enum { ALL_MOST = 50, ONE_MOST = 20, STAYS = 50 };

static struct ip network_of(const struct ip *ip)
{
	struct ip network = *ip;

	if (network.family == 6)
		memset(network.bytes + 8, 0, 8);
	return network;
}

/* ---- what was seen -------------------------------------------------------------------------- */

static struct flood_seen *seen_of(struct flood_watch *w, const struct ip *peer)
{
	struct ip network = network_of(peer);
	unsigned at = 0;

	for (size_t i = 0; i < sizeof network.bytes; i++)
		at = at * 31 + network.bytes[i];
	if (!ip_equal(&w->seen[at % FLOOD_SEEN].network, &network))
		w->seen[at % FLOOD_SEEN] = (struct flood_seen){ .network = network };
	return &w->seen[at % FLOOD_SEEN];
}

enum flood_verdict flood_see(struct flood_watch *w, const struct ip *peer, bool gone, int64_t now)
{
	int64_t second = now / 1000000;
	struct flood_seen *one;

	if (w->second != second)
		*w = (struct flood_watch){ .second = second };
	if (!gone && w->gone == 0)
		return FLOOD_NO;
	one = seen_of(w, peer);
	if (!gone) {
		one->stayed++;
		return FLOOD_NO;
	}
	one->gone++;
	if (++w->gone <= ALL_MOST)
		return FLOOD_NO;
	return one->gone > ONE_MOST && one->stayed * STAYS < one->gone ? FLOOD_ONE : FLOOD_CLOSE;
}

/* ---- the filter ----------------------------------------------------------------------------- */

enum { DROP = 0, PASS = INT32_MAX };    /* octets of the packet that are left */
enum { V4_SOURCE = 12, V6_SOURCE = 8 }; /* in its header */
enum { HEAD = 5, V6_LINES = 5 };        /* for all; most for an address */

static struct sock_filter load(uint16_t size, unsigned at)
{
	return (struct sock_filter)BPF_STMT(BPF_LD | BPF_ABS | size, (uint32_t)SKF_NET_OFF + at);
}

/* On with the next line if it is that, else so many are left out. */
static struct sock_filter is(uint32_t value, uint8_t left_out)
{
	return (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, left_out);
}

static struct sock_filter does(uint16_t code, uint32_t number)
{
	return (struct sock_filter)BPF_STMT(code, number);
}

static uint32_t word(const struct ip *ip, size_t at)
{
	const uint8_t *o = ip->bytes + at;

	return (uint32_t)o[0] << 24 | (uint32_t)o[1] << 16 | (uint32_t)o[2] << 8 | o[3];
}

static struct sock_filter *ban_write(const struct ip *network, struct sock_filter *line)
{
	if (network->family == 6) {
		*line++ = load(BPF_W, V6_SOURCE);
		*line++ = is(word(network, 0), 3);
		*line++ = load(BPF_W, V6_SOURCE + 4);
		*line++ = is(word(network, 4), 1);
	} else {
		*line++ = is(word(network, 0), 1);
	}
	*line++ = does(BPF_RET | BPF_K, DROP);
	return line;
}

/* Those of IPv4 first; packets of IPv6 go around them. */
static unsigned filter_write(const struct flood *f, struct sock_filter *first)
{
	struct sock_filter *line = first + HEAD;

	for (unsigned i = f->heard; i < f->count; i++)
		if (f->bans[i].network.family == 4)
			line = ban_write(&f->bans[i].network, line);
	*line++ = does(BPF_RET | BPF_K, PASS);
	first[0] = load(BPF_B, 0);
	first[1] = does(BPF_ALU | BPF_RSH | BPF_K, 4); /* the version */
	first[2] = is(6, 1);
	first[3] = does(BPF_JMP | BPF_JA, (uint32_t)(line - first - 4));
	first[4] = load(BPF_W, V4_SOURCE);
	for (unsigned i = f->heard; i < f->count; i++)
		if (f->bans[i].network.family == 6)
			line = ban_write(&f->bans[i].network, line);
	*line++ = does(BPF_RET | BPF_K, PASS);
	return (unsigned)(line - first);
}

static bool filter_set(const struct flood *f)
{
	struct sock_filter lines[HEAD + V6_LINES * FLOOD_BANS + 2];
	struct sock_fprog program = { .filter = lines };
	int none = 0;

	if (f->heard == f->count) /* there may be none */
		return setsockopt(f->fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none) == 0;
	program.len = (unsigned short)filter_write(f, lines);
	return setsockopt(f->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

/* ---- who is banned; in the order in which that ends ----------------------------------------- */

static void first_forget(struct flood *f)
{
	f->heard -= f->heard > 0;
	memmove(&f->bans[0], &f->bans[1], --f->count * sizeof *f->bans);
}

static bool is_known(const struct flood *f, const struct ip *network)
{
	for (unsigned i = 0; i < f->count; i++)
		if (ip_equal(&f->bans[i].network, network))
			return true;
	return false;
}

bool flood_ban(struct flood *f, const struct ip *peer, int64_t now)
{
	struct flood_ban one = { network_of(peer), now + FLOOD_BAN * 1000 };
	bool done = false;

	pthread_mutex_lock(&f->lock);
	while (f->count && f->bans[0].until + FLOOD_HEARD * 1000 <= now)
		first_forget(f);
	if (!is_known(f, &one.network)) {
		if (f->count == FLOOD_BANS)
			first_forget(f);
		f->bans[f->count++] = one;
		done = filter_set(f);
		f->count -= !done;
	}
	pthread_mutex_unlock(&f->lock);
	return done;
}

int64_t flood_lift(struct flood *f, int64_t now)
{
	unsigned before;
	int64_t wait;

	pthread_mutex_lock(&f->lock);
	before = f->heard;
	while (f->heard < f->count && f->bans[f->heard].until <= now)
		f->heard++;
	if (f->heard > before)
		filter_set(f);
	wait = f->heard < f->count ? (f->bans[f->heard].until - now) / 1000 + 1 : 0;
	pthread_mutex_unlock(&f->lock);
	return wait;
}

void flood_begin(struct flood *f, int fd)
{
	f->fd = fd;
	pthread_mutex_init(&f->lock, NULL);
	filter_set(f);
}
