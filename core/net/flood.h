/* SPDX-License-Identifier: MIT
 *
 * Clients that come and have gone again when they are accepted, as fast as they can. Each costs an
 * accept and a close, and the kernel more than that. Beyond fifty a second they get no session;
 * and who is more than twenty of them is not heard for two seconds, then for a quarter of one at
 * least, so that others behind that address get through, who send again as after any loss. A
 * filter at the listening socket (socket(7), SO_ATTACH_FILTER) drops what comes from there before
 * it is a connection. One address is an IPv4 address or an IPv6 /64; it is left alone while one in
 * fifty of its clients stays. Each `now` is of clock_mono, microseconds.
 */
#ifndef NET_FLOOD_H
#define NET_FLOOD_H

#include "base/ip.h"

#include <pthread.h>

enum { FLOOD_SEEN = 64, FLOOD_BANS = 64, FLOOD_BAN = 2000, FLOOD_HEARD = 250 /* ms */ };

/* What one ear saw in this second; its loop's own. */
struct flood_watch {
	int64_t second;
	unsigned gone;
	struct flood_seen {
		struct ip network;
		unsigned gone, stayed;
	} seen[FLOOD_SEEN]; /* at a place by chance; the later of two is forgotten */
};

/* Of a socket, for all its ears. Any thread. */
struct flood {
	int fd;
	pthread_mutex_t lock;
	struct flood_ban {
		struct ip network;
		int64_t until; /* clock_mono */
	} bans[FLOOD_BANS];
	unsigned count, heard; /* of them these are over, and not to be banned again yet */
};

/* Filters that an earlier process left at the socket go. fd stays the caller's, and open as long as
 * any of this is called. */
void flood_begin(struct flood *f, int fd);

enum flood_verdict {
	FLOOD_NO,
	FLOOD_CLOSE, /* too many of all are gone: no session for it */
	FLOOD_ONE    /* and of this one, alone: flood_ban */
};
/* One more, that has gone again or not. On the loop of `w`. */
enum flood_verdict flood_see(struct flood_watch *w, const struct ip *peer, bool gone, int64_t now);
/* For FLOOD_BAN from now on; flood_lift is owed then. False: it is already, and what comes was on
 * its way; or was until FLOOD_HEARD ago; or the system has no such filters. */
bool flood_ban(struct flood *f, const struct ip *peer, int64_t now);
/* Those whose ban is over are heard again. Milliseconds to the next; 0: there is none. */
int64_t flood_lift(struct flood *f, int64_t now);

#endif
