/* SPDX-License-Identifier: MIT
 *
 * The core as one who asks services: found by name in a generation, asked on the loop (not
 * blocking) or on their instance's lane.
 */
#ifndef HOST_SERVICE_H
#define HOST_SERVICE_H

#include "host/subject.h"

struct service; /* one operation set of one instance, in the order of the configuration */

/* The n-th instance with that service (and key, if not NULL); NULL: no such. */
struct service *service_find(
	const struct generation *g, const char *name, const char *key, unsigned n);
const struct instance *service_instance(const struct service *s);
/* Its instance's `when` has this client in it. */
bool service_minds(const struct service *s, const struct tmail_client *client);
bool service_has(const struct service *s, uint32_t op);
/* For the commit thread, workers, start-up and commands: waits, on a thread that is no loop's.
 * What is marked blocking runs here; the rest on a loop of the server, where there is one. The
 * arena takes what the service allocates. TRY_LATER when the instance has not been started,
 * UNSUPPORTED when it has no such operation. */
int service_ask_wait(
	struct service *s, uint32_t op, const void *question, void *answer, struct arena *arena);
/* On a loop. Answers a status now, or TMAIL_PENDING: done(ctx, status) follows unless the
 * subject is cancelled. TRY_LATER also when the instance is too busy. TMAIL_LATE: it did not
 * answer in time; nothing of the answer may be read. An operation runs to its end although it is
 * late or the subject is cancelled: put question and answer in memory from service_memory (or in
 * what lives for ever). What the service allocates lies there too. */
struct arena *service_memory(
	struct subject *subject); /* for the next ask; until the one after it */
int service_ask(struct service *s, struct subject *subject, uint32_t op, const void *question,
	void *answer, void (*done)(void *ctx, int status), void *ctx);

/* Cached tables (service/table.h). OK and NOT_FOUND now when cached, else PENDING and `done`
 * follows; NOT_FOUND also when no module has the table (then *exists is false). The key is
 * folded to lower case here. */
int table_lookup(struct subject *subject, const char *table, struct str key, struct str *value,
	bool *exists, void (*done)(void *ctx, int status, struct str value), void *ctx);
/* Everything of a table is forgotten (its generation moved), on every loop; CHANGED is told. */
void table_changed(struct generation *g, const char *table);
/* Polls the generation table of the sql service; ms between (tests: shorter). */
void table_poll_start(int64_t interval_ms, int64_t ttl_ms);
void table_poll_stop(void);

#endif
