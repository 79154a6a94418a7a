/* SPDX-License-Identifier: MIT
 *
 * Numbers that are counted: the core's (one table) and the modules'. Any thread; relaxed.
 */
#ifndef HOST_METRICS_H
#define HOST_METRICS_H

#include "base/str.h"

#define METRICS(X)                                                                                 \
	X(sessions_accepted, "connections that were accepted")                                     \
	X(sessions_refused, "connections refused at once with 421")                                \
	X(sessions_open, "sessions there are now (gauge)")                                         \
	X(commands, "commands read")                                                               \
	X(commands_refused, "commands answered 4xx or 5xx")                                        \
	X(messages_accepted, "messages answered 250")                                              \
	X(messages_refused, "messages refused at or after the end of data")                        \
	X(octets_accepted, "octets of accepted messages")                                          \
	X(recipients_refused, "RCPT answered 4xx or 5xx")                                          \
	X(relay_denied, "recipients refused because the client may not relay")                     \
	X(tls_sessions, "TLS handshakes of clients")                                               \
	X(tls_failed, "TLS handshakes of clients that came to nothing")                            \
	X(logins, "clients that have logged in")                                                   \
	X(logins_failed, "logins that were refused")                                               \
	X(limit_logins, "logins not looked at: their address or login had failed too often")       \
	X(limit_early_talker, "clients that spoke before the greeting")                            \
	X(limit_line, "lines that were too long")                                                  \
	X(limit_errors, "sessions closed for too many errors")                                     \
	X(limit_timeout, "sessions closed because the client was too slow")                        \
	X(limit_connections, "connections refused because there were too many")                    \
	X(limit_memory, "messages refused because memory or disk ran short")                       \
	X(commits, "batches written by the store")                                                 \
	X(commit_unknown, "messages whose commit had to be asked for again")                       \
	X(deliveries, "recipients delivered")                                                      \
	X(deferrals, "attempts that were deferred")                                                \
	X(bounces, "recipients that bounced")                                                      \
	X(expired, "recipients given up after the lifetime")                                       \
	X(discarded, "messages discarded by a module or an administrator")                         \
	X(duplicates_possible, "final replies that were lost: the message may arrive twice")       \
	X(dials, "outgoing connections tried")                                                     \
	X(dials_failed, "outgoing connections that failed")                                        \
	X(connections_reused, "deliveries over a connection that was open already")                \
	X(turned_away, "parcels put back because too many wait for their destination")             \
	X(trace_lost, "events that tmail trace lacks because there was no room for them")

enum metric {
#define X(name, summary) METRIC_##name,
	METRICS(X)
#undef X
		METRIC_COUNT
};
void metric_add(enum metric m, int64_t n);
int64_t metric_get(enum metric m);
const char *metric_name(enum metric m);
const char *metric_summary(enum metric m);
/* All of them, modules' included ("rcpthost_lookups"). */
void metrics_each(
	void (*each)(void *ctx, const char *name, const char *summary, int64_t value), void *ctx);

#endif
