/* SPDX-License-Identifier: MIT
 *
 * One connection of a lane, from looking for a host that answers to its close: hosts in order
 * of preference, their addresses, then one transaction after another.
 */
#ifndef QUEUE_ATTEMPT_H
#define QUEUE_ATTEMPT_H

#include "queue/lane.h"
#include "queue/policy.h"
#include "queue/source.h"

#include "net/dns.h"

enum { ATTEMPT_PEERS_MAX = 16, ATTEMPT_HANGS_MS = 1000 };

struct attempt {
	struct link link;      /* of the lane's idle or busy */
	struct link idle_link; /* of the loop's idle */
	struct send_lane *lane;
	struct parcel *parcel;         /* being sent, or waiting for this connection alone */
	bool bound;                    /* connects for its parcel alone */
	uint8_t order[ROUTE_HOPS_MAX]; /* hops, most preferred first */
	size_t count, at;
	uint64_t skip;                 /* hops not to be tried: the parcel was there */
	bool temporary;                /* not all hosts said "never" */
	struct client_outcome outcome; /* of the last host that failed */
	struct why why;                /* its text */
	struct dns_lookup *lookup;
	struct endpoint peers[ATTEMPT_PEERS_MAX];
	size_t peer_count;
	struct sources sources;
	size_t source_at;
	struct policy *policy; /* of the host of now */
	bool in_clear;         /* its TLS does not work, and need not */
	char tls[160];         /* what came of it, for the log */
	struct client_open *open;
	struct client *client;
	struct str host; /* "name[address]:port", in host_text */
	char host_text[320];
	unsigned sent;    /* transactions on this connection */
	unsigned reloads; /* the loop's, when it was decided what is demanded of the host */
	int64_t since,
		send_at;      /* loop_now: it looks for a host, or is connected; the last of them */
	struct deadline late; /* it is idle for too long; it hangs; or no host is left */
	struct sending *sending;
	struct log_field id; /* for the log: what is told of it is told of those it sends, too */
	struct log_context log;
	int64_t began; /* with the host of now, clock_mono */
};

/* Looks for a host; its lane hears by lane_connected or lane_failed, later. parcel: for it
 * alone, and at none of the hosts where it was; NULL: for whatever waits. */
struct attempt *attempt_new(struct send_lane *lane, struct parcel *parcel);
/* Sends the parcel; the lane hears by lane_sent, later. */
void attempt_send(struct attempt *a, struct parcel *p);
/* The connection stays open for a while. */
void attempt_rest(struct attempt *a);
/* Could it take that parcel? (It was not at that host.) */
bool attempt_fits(const struct attempt *a, const struct parcel *p);
/* For the log: what became of the attempt became of the parcel. */
void attempt_is_for(const struct attempt *a, const struct parcel *p);
/* Closes; a parcel being sent gets its outcome first. abort: without a farewell. */
void attempt_free(struct attempt **a, bool abort);
/* What is under way ends now: by lane_sent or lane_failed. */
void attempt_abort(struct attempt *a);

/* settle.c: after a transaction. The host took some, and had no room in it for others: those go
 * there with the next one, at once (RFC 5321 4.5.3.1.10). */
bool parcel_is_crowd(const struct parcel *p);
/* Another host may know better about what was not final. True: somebody is left for it, or for this
 * one `again`. good: somebody got it. */
bool parcel_settle(struct parcel *p, bool again, bool *good);

/* send.c: a parcel over the client of an attempt. done: everybody has an outcome, copied into
 * the parcel's arena; stale: the connection had died while idle, nothing was said. */
struct sending;
struct sending *sending_start(struct attempt *a, struct parcel *p,
	void (*done)(struct attempt *a, bool usable, bool stale));

/* rest.c: what failed rests: a host (the rest_key of its hop), or an address (address_key).
 * Answers the reason while it does, else NULL. */
enum { ADDRESS_KEY = ENDPOINT_TEXT + 256 };
struct str address_key(const struct endpoint *e, struct str source, char text[ADDRESS_KEY]);
const struct client_outcome *host_rests(struct queue_loop *ql, struct str key);
void host_failed(struct queue_loop *ql, struct str key, const struct client_outcome *o);
void host_answered(struct queue_loop *ql, struct str key);
/* All hosts of the route failed lately, and have not answered since. */
bool hosts_failed(struct queue_loop *ql, const struct route *r);
void hosts_wake(struct queue_loop *ql, bool all);

#endif
