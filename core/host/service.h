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
struct service *service_find(const struct generation *g, const char *name, const char *key,
	unsigned n);
const struct instance *service_instance(const struct service *s);
bool service_has(const struct service *s, uint32_t op);
/* For the commit thread, workers, start-up and commands: waits. The arena takes what the
 * service allocates. */
int service_ask_wait(struct service *s, uint32_t op, const void *question, void *answer,
	struct arena *arena);
/* On a loop. Answers a status now, or TMAIL_PENDING: done(ctx, status) follows unless the
 * subject is cancelled. question and answer must live until then. What the service allocates
 * is the subject's until its next ask of the same kind. */
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
