/* SPDX-License-Identifier: MIT
 *
 * One operation asked on a loop, for whoever keeps the `struct ask`. For the files of this floor
 * only.
 */
#ifndef HOST_ASK_H
#define HOST_ASK_H

#include "host/call.h"
#include "host/service.h"

struct ask {
	struct call *call;
	struct arena *memory; /* question, answer and what the service allocates; may be NULL */
	void (*done)(struct ask *a, int status);
};
/* A status now, or TMAIL_PENDING: done follows, unless ask_end comes first. subject may be NULL.
 * The generation of the service must live until then. */
int ask_start(struct ask *a, struct service *s, struct subject *subject, struct loop *loop,
	uint32_t op, const void *question, void *answer);
/* Gives up, if it is under way. `memory` is the caller's again when the operation is over; else
 * it goes with it. */
void ask_end(struct ask *a);

const struct tmail_operation *service_operation(const struct service *s, uint32_t op);

#endif
