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

enum convert_8bit { CONVERT_8BIT, CONVERT_BOUNCE, CONVERT_SEND };
/* Settings of the group `queue`. */
struct queue_settings {
	struct tmail_str hostname;
	int32_t deliver; /* false: accept and keep, deliver nothing */
	int64_t retry_min, retry_max, lifetime, bounce_lifetime;
	struct tmail_list retry;     /* a list of durations in place of the exponential one */
	int64_t delay_warning;       /* 0: none */
	struct tmail_list local_ips; /* of struct tmail_str; empty: the kernel's choice */
	int64_t max_connections, max_connections_destination, max_messages_connection;
	int64_t max_recipients_transaction, max_connection_time, idle_timeout, host_rest;
	struct tmail_list destinations; /* of struct destination_settings (limit.h) */
	struct tmail_list helo;         /* of struct helo_settings (source.h) */
	int64_t timeout_connect, timeout_command, timeout_data;
	int32_t chunking;
	int32_t tls; /* of those that nobody else decides about: enum tmail_tls_policy - NONE */
	int32_t tls_fallback, tls_min_version; /* enum tls_version */
	struct tmail_str tls_ca, tls_ciphers, tls_ciphersuites;
	int32_t convert_8bit; /* enum convert_8bit */
	int64_t bounce_size;  /* larger messages are returned as headers only */
	struct tmail_str bounce_template, template_text; /* the file, and what is in it */
	int64_t node; /* copied from the top level by the daemon, as hostname is */
};
extern const struct tmail_list queue_options;
/* The group `queue` of a configuration, checked as a whole, its template read; false when it
 * added problems. hostname and node are the caller's. */
bool queue_settings_read(
	struct conf *c, struct queue_settings *settings, struct problems *problems);

/* What smtp is given at its start (smtp_server_setup). Works from queue_start on. */
extern const struct smtp_upcalls queue_upcalls;
/* The same where no module keeps a queue (queue_present says so): every MAIL is 451. */
extern const struct smtp_upcalls queue_absent_upcalls;
bool queue_present(const struct generation *g);

/* Where a generation has its queue_settings. Once, before all else, also by commands. */
void queue_setup(const struct queue_settings *(*settings_of)(const struct generation *));
/* Finds the queue service of the current generation, starts commit, schedule and lanes over the
 * loops, whose indexes count from 0. False: no queue service, or it does not answer. */
bool queue_start(struct loop *const *loops, unsigned count, struct why *why);
/* A new generation has been installed: it is followed at once. Not on a loop. */
void queue_reloaded(void);
/* Addresses that this server listens on: no attempt goes there (it would be a loop). Copied;
 * any thread. An address "any" stands for all of this host's. */
void queue_listens(const struct endpoint *endpoints, size_t count);
/* New attempts stop; what is under way may end until the time is over; outcomes are written.
 * The loops must be running, and this is none of their threads. What is committed afterwards is
 * kept for the next start. */
void queue_drain(int64_t ms);
/* After queue_drain; before the loops stop. */
void queue_stop(void);

/* A message made here (API, bounce, alias, pickup): runs the same points (MAIL, RCPT, DATA, HEADER
 * to EOM, QUEUED), gets its trace, and is committed. The message is taken. done: on the same
 * loop, never before this returns. */
enum inject_result {
	INJECT_DURABLE,
	INJECT_FULL,
	INJECT_TRY_LATER,
	INJECT_REFUSED /* by a module, for good, or it has come round too often */
};
void queue_inject(struct loop *loop, struct message *m, enum tmail_client_kind kind,
	void (*done)(void *ctx, enum inject_result result, struct str why), void *ctx);

/* For the verbs of admin; any thread that may wait. With the server stopped they act on the
 * store alone (g: a PURPOSE_ADMIN generation), and what they change is found at the next start. */
enum queue_state { /* of a living recipient */
	QUEUE_ACTIVE,  /* being delivered to at this moment; with the server stopped nobody is */
	QUEUE_WAITING, /* not tried yet */
	QUEUE_DEFERRED,
	QUEUE_HELD,
	QUEUE_STATES
};
struct queue_filter { /* every one that is set must match */
	struct id id;
	struct str sender, recipient, reason; /* as in tmail_queue_find */
	int64_t before, after; /* received before, not before; microseconds since 1970; 0: any */
	int64_t due_before;    /* should have been tried before; 0: any */
	uint32_t states;       /* 1 << enum queue_state; 0: any */
	uint32_t limit;        /* no further message when there were so many; 0: all */
};
/* In the order in which they came, those of a message together. found answers other than 0 to end
 * it. */
int queue_find(struct generation *g, const struct queue_filter *filter,
	int (*found)(void *ctx, const struct tmail_queue_entry *entry, enum queue_state state),
	void *ctx, struct why *why);
int queue_counts(struct generation *g, struct tmail_queue_counts *counts, struct why *why);
/* Who is being delivered to, at this moment. */
struct queue_activity;
struct queue_activity *queue_activity(void);
void queue_activity_free(struct queue_activity **a);
enum queue_state queue_state(const struct queue_activity *a, const struct tmail_queue_entry *e);

enum queue_action { QUEUE_HOLD, QUEUE_RELEASE, QUEUE_RETRY, QUEUE_DISCARD, QUEUE_BOUNCE };
struct queue_order {
	enum queue_action action;
	struct str words; /* reason of hold, text of bounce; empty: the usual */
	bool dry;         /* only count */
	void (*progress)(void *ctx, uint64_t done, uint64_t of); /* of recipients; or NULL */
	void *ctx;
};
/* Acts at once; *touched counts messages. Discard and bounce act on the recipients that match, the
 * others on their messages: release on what is held, retry on what is not. A retry forgets what is
 * known of routes and hosts, and calls back what waits for a connection, to be routed anew. Who is
 * being sent to at this moment has his own end. */
int queue_act(struct generation *g, const struct queue_filter *filter,
	const struct queue_order *order, uint64_t *touched, struct why *why);
/* Envelope, states and content (limit octets) of one message; the arena takes it all. */
int queue_show(struct generation *g, struct id id, uint64_t limit, struct arena *arena,
	struct tmail_queue_content *content, struct why *why);

#endif
