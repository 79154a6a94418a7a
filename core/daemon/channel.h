/* SPDX-License-Identifier: MIT
 *
 * What the parent and its server say to each other, over a pair of sockets that keep packets
 * apart and carry descriptors. Both are of one build, or of two near each other: a new server
 * under an old parent after an upgrade.
 */
#ifndef DAEMON_CHANNEL_H
#define DAEMON_CHANNEL_H

#include "base/fail.h"

#include <stdint.h>

enum packet_type { /* numbers stay what they are */
	/* parent to server, at the start, in any order, before BEGIN */
	PACKET_SOCKET = 1,   /* text: address as configured; the listening socket */
	PACKET_CONTROL = 2,  /* the control socket */
	PACKET_PAGE = 3,     /* struct running_page */
	PACKET_LOCK = 4,     /* kept open, to keep the lock */
	PACKET_WATCHDOG = 5, /* text: ms between ALIVE */
	PACKET_CRASHED = 6,  /* text: what became of the server before, for the log */
	PACKET_BEGIN = 7,    /* start */
	PACKET_BESIDE = 8,   /* check only, answer CHECKED, wait for BEGIN */
	/* parent to server, later */
	PACKET_RELOAD = 20,
	PACKET_STOP = 21,        /* finish, then end */
	PACKET_STOP_NOW = 22,    /* end */
	PACKET_DRAIN = 23,       /* answer to RESTART: the new one is good; finish, then end */
	PACKET_LISTEN_DONE = 24, /* answer to LISTEN: all sockets were sent */
	PACKET_NO = 25,          /* answer to LISTEN or RESTART: text says why not */
	PACKET_REOPEN = 26,      /* log files */
	/* At the start before BEGIN, before LISTEN_DONE, and when one of them has changed. */
	PACKET_FILE = 27,  /* text: its name in the configuration; open to be read */
	PACKET_FILES = 28, /* that were all files that had changed, and the others */
	/* server to parent */
	PACKET_CHECKED = 40,
	PACKET_READY = 41,  /* at start, and after a reload: the last LISTEN is in force */
	PACKET_LISTEN = 42, /* read the configuration again and send all its sockets */
	PACKET_RESTART = 43,
	PACKET_RELOADING = 44,
	PACKET_ALIVE = 45,
	PACKET_KEPT = 47,  /* a reload was refused: what LISTEN gave is not used */
	PACKET_FAILED = 46 /* text: why it cannot start */
};

enum { PACKET_TEXT = 1024 };
struct packet {
	uint32_t type;
	char text[PACKET_TEXT]; /* NUL-terminated */
	int fd;                 /* the receiver's; -1: none */
};

/* Both ends, close-on-exec, non-blocking. */
bool channel_pair(int ends[2], struct why *why);
/* Waits when the other side is slow to read; false when it is gone. fd -1: none. */
bool channel_send(int channel, enum packet_type type, const char *text, int fd);
enum channel_state { CHANNEL_PACKET, CHANNEL_EMPTY, CHANNEL_GONE };
/* What is there; with wait_ms (-1: for ever) waits that long for it. */
enum channel_state channel_receive(int channel, struct packet *packet, int wait_ms);

#endif
