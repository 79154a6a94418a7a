/* SPDX-License-Identifier: MIT
 *
 * What happens after 250. This is all that the floors above see of it; the files beside it
 * (commit, inject, schedule, route, lane, attempt, outcome, bounce, manage) each hold one noun.
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include "conf/conf.h"
#include "host/service.h"
#include "smtp/server.h"

#include <tmail/service/queue.h>

/* Settings of the group `queue`. */
struct queue_settings {
	struct tmail_str hostname;
	int32_t deliver;         /* false: accept and keep, deliver nothing */
	int64_t retry_min, retry_max, lifetime, bounce_lifetime;
	struct tmail_list retry; /* a list of durations in place of the exponential one */
	int64_t delay_warning;   /* 0: none */
	struct tmail_list local_ips; /* of struct tmail_str; empty: the kernel's choice */
	int64_t max_connections, max_connections_destination, max_messages_connection;
	int64_t max_recipients_transaction, idle_timeout, host_rest;
	int64_t timeout_connect, timeout_command, timeout_data;
	int64_t bounce_size;     /* larger messages are returned as headers only */
	struct tmail_str bounce_template;
};
extern const struct tmail_list queue_options;

/* Finds the queue service of the current generation, starts commit, schedule and lanes over the
 * loops, and gives smtp its upcalls. False: no queue service, or it does not answer. */
bool queue_start(struct loop *const *loops, unsigned count,
	const struct queue_settings *(*settings_of)(const struct generation *), struct why *why);
/* New attempts stop; what is under way may end until the time is over; outcomes are written. */
void queue_drain(int64_t ms);
void queue_stop(void);

/* A message made here (API, bounce, pickup): runs the same points, then commits. done(ctx) on
 * the same loop; the message is taken. */
void queue_inject(struct loop *loop, struct message *m, enum tmail_client_kind kind,
	void (*done)(void *ctx, enum commit_result result, struct str why), void *ctx);

/* For the verbs of admin; any thread that may wait. With the server stopped they act on the
 * store alone (g: a PURPOSE_ADMIN generation), and what they change is found at the next start. */
struct queue_filter {
	struct id id; /* zero: any */
	struct str sender, recipient, reason;
	int64_t before; /* microseconds since 1970; 0: any */
	uint32_t held;  /* as in tmail_queue_find */
	uint32_t fates;
	uint32_t limit;
};
enum queue_action { QUEUE_HOLD, QUEUE_RELEASE, QUEUE_RETRY, QUEUE_DISCARD, QUEUE_BOUNCE };
int queue_find(struct generation *g, const struct queue_filter *filter,
	int (*found)(void *ctx, const struct tmail_queue_entry *entry), void *ctx, struct why *why);
int queue_counts(struct generation *g, struct tmail_queue_counts *counts, struct why *why);
/* Acts at once; *touched counts messages. dry: only counts. words: reason of hold, text of bounce. */
int queue_act(struct generation *g, const struct queue_filter *filter, enum queue_action action,
	struct str words, bool dry, uint64_t *touched, struct why *why);
/* Envelope, states and content (limit octets) of one message; the arena takes it all. */
int queue_show(struct generation *g, struct id id, uint64_t limit, struct arena *arena,
	struct tmail_queue_content *content, struct why *why);

#endif
