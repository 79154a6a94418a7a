/* SPDX-License-Identifier: MIT
 *
 * The reports of a message under delivery: about those who failed, who are late, who got it.
 */
#ifndef QUEUE_BOUNCE_H
#define QUEUE_BOUNCE_H

#include "queue/report.h"

/* Makes the reports that are due; those who failed get their fate when theirs is durable.
 * True: some are under way, and work_go_on is called when they have ended. */
bool bounce_start(struct work *w);

/* Content of a message from memory and the store, `limit` octets; for threads that may wait. */
bool content_read(struct service *store, const struct message *m, uint64_t size, uint64_t limit,
	struct buf *out);

#endif
