/* SPDX-License-Identifier: MIT
 *
 * A server as its parent sees it: a process, the channel to it, the page of what it runs.
 */
#ifndef DAEMON_CHILD_H
#define DAEMON_CHILD_H

#include "daemon/channel.h"
#include "daemon/sockets.h"
#include "host/running.h"

#include <sys/types.h>

/* What every server is started with. */
struct child_setup {
	const char *file; /* the configuration */
	char *program;    /* where the executable was when the parent started: an upgrade put there
	                     is what a restart runs */
	const struct sockets *sockets;
	int control, lock;
	const struct tls_settings *tls; /* whose files it is given */
	int64_t watchdog;               /* ms; 0: none */
	char crashed[PACKET_TEXT];      /* of the one before, for the log; empty: nothing */
};
bool child_setup_init(struct child_setup *setup, struct why *why);
void child_setup_free(struct child_setup *setup);

struct child {
	pid_t pid; /* 0: there is none */
	int channel;
	struct running_page *page;
	int64_t begun; /* clock_mono */
	bool checked, ready, draining;
	char failed[PACKET_TEXT]; /* its own words, when it could not start */
};
/* beside: it checks, and waits for BEGIN. */
bool child_start(struct child *c, const struct child_setup *setup, bool beside, struct why *why);
/* All files of the settings, opened anew, and then PACKET_FILES, or another packet. */
void child_files(const struct child *c, const struct tls_settings *tls, enum packet_type last);
/* Finish and end; now: end. One that has not begun is ended by a signal. */
void child_stop(struct child *c, bool now);
void child_kill(struct child *c);
/* Why it ended, by its wait status and its page; logged, and in `why`. */
void child_autopsy(const struct child *c, int status, struct why *why);
void child_free(struct child *c);

#endif
