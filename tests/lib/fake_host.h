/* SPDX-License-Identifier: MIT
 *
 * A host for one module in a test: settings from its option table, start and stop, services and
 * verbs asked from any thread, what it logged, counted, said and emitted. No loop: hooks, NET, EDIT
 * and tables are not there.
 */
#ifndef TESTS_LIB_FAKE_HOST_H
#define TESTS_LIB_FAKE_HOST_H

#include "base/buf.h"

#include <pthread.h>
#include <tmail/module.h>

struct fake_memory;
struct fake_host {
	const struct tmail_module *module;
	struct tmail_host host;
	void *conf, *self;
	char base[256];       /* relative files start here */
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t resumed;
	struct fake_memory *memory; /* of answers; until fake_forget */
	struct buf log;             /* a line each: event field=value ... */
	struct buf reply;           /* the last one's text */
	struct buf emitted;         /* rows and words of verbs, a line each */
	uint64_t counted[64];       /* by the number of the metric */
	bool started;
};

/* Settings are the module's defaults. */
struct fake_host *fake_host_new(const struct tmail_module *module, const char *base);
void fake_host_free(struct fake_host **f);
/* As it would be written in the configuration; aborts for what does not exist or fit. */
void fake_set(struct fake_host *f, const char *option, const char *value);

/* TMAIL_OK or what the module answers; fake_said tells why. */
int fake_start(struct fake_host *f);
void fake_stop(struct fake_host *f); /* harmless when it is not started */
const char *fake_said(struct fake_host *f);
/* Waits for an answer that is PENDING. UNSUPPORTED: the module has no such service or operation. */
int fake_ask(
	struct fake_host *f, const char *service, uint32_t op, const void *question, void *answer);
/* Runs a verb without arguments; UNSUPPORTED: no such verb. */
int fake_verb(struct fake_host *f, const char *name);
/* Frees what answers point to. */
void fake_forget(struct fake_host *f);
/* Did it log that event? How often? */
unsigned fake_logged(struct fake_host *f, const char *event);

#endif
