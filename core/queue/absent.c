/* SPDX-License-Identifier: MIT
 *
 * What smtp is given when no module keeps a queue: there is room for no message, so that MAIL is
 * answered "try later" and the server still runs, can be asked, and says what it lacks.
 */
#include "queue/queue.h"

static enum commit_result no_room(struct subject *subject, uint64_t octets)
{
	(void)subject;
	(void)octets;
	return COMMIT_TRY_LATER;
}

static void nothing_reserved(struct subject *subject, uint64_t octets)
{
	(void)subject;
	(void)octets;
}

/* What follows needs a message, and no MAIL was taken. */
static void no_spool(struct subject *subject, bool last,
	void (*done)(void *ctx, bool ok, struct str why), void *ctx)
{
	(void)subject;
	(void)last;
	(void)done;
	(void)ctx;
	must(!"a body without a queue");
}

static void no_commit(struct subject *subject, struct message *message,
	void (*done)(void *ctx, enum commit_result result, struct str why), void *ctx)
{
	(void)subject;
	(void)message;
	(void)done;
	(void)ctx;
	must(!"a message without a queue");
}

static void nothing_to_forget(void *ctx)
{
	(void)ctx;
}

static void nothing_to_drop(struct message *message)
{
	(void)message;
}

const struct smtp_upcalls queue_absent_upcalls = {
	.reserve = no_room,
	.unreserve = nothing_reserved,
	.spool = no_spool,
	.commit = no_commit,
	.forget = nothing_to_forget,
	.drop = nothing_to_drop,
};

bool queue_present(const struct generation *g)
{
	return service_find(g, TMAIL_QUEUE, NULL, 0) != NULL;
}
