/* SPDX-License-Identifier: MIT
 *
 * Reports to the sender (RFC 3464): about those who failed, who are late, who got it.
 */
#ifndef QUEUE_BOUNCE_H
#define QUEUE_BOUNCE_H

#include "queue/work.h"

/* Makes the reports that are due; those who failed get their fate when theirs is durable.
 * True: some are under way, and work_go_on is called when they have ended. */
bool bounce_start(struct work *w);

/* A report as a message. action of all: failed, delayed, ...; content: what is known of the
 * original, `whole` if that is all of it. */
struct bounce_recipient {
	struct str address, original, host, reply;
	char status[16];
	int64_t last_attempt, until; /* until: delayed only */
};
struct bounce {
	enum recipient_report report;
	struct message *about;
	const struct bounce_recipient *recipients;
	size_t count;
	bool expired;
	struct str content;
	bool whole;
	struct str template; /* empty: the built-in text */
};
struct message *bounce_make(const struct bounce *b, const struct queue_settings *settings);
/* Octets of the original that a report takes: all (`*whole`), or enough for its header. */
uint64_t bounce_wants(const struct message *about, uint64_t size, enum recipient_report report,
	const struct queue_settings *settings, bool *whole);
/* Content of a message from memory and the store, `limit` octets; for threads that may wait. */
bool content_read(struct service *store, const struct message *m, uint64_t size, uint64_t limit,
	struct buf *out);

#endif
