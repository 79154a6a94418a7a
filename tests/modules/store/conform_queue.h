/* SPDX-License-Identifier: MIT
 *
 * What <tmail/service/queue.h> promises, as rules that any provider of the service must keep. A
 * test program gives the module and a way to set it up anew, and runs all rules.
 */
#ifndef TESTS_CONFORM_QUEUE_H
#define TESTS_CONFORM_QUEUE_H

#include "tests/lib/fake_host.h"

#include <tmail/service/queue.h>

struct conform {
	const struct tmail_module *module;
	/* A host with settings for an empty store; called before each rule. */
	struct fake_host *(*begin)(void *ctx);
	void (*end)(void *ctx, struct fake_host *f); /* after each, stopped and freed by it */
	void *ctx;
};

struct conform_rule {
	const char *name;
	void (*run)(struct fake_host *f);
};
extern const struct conform_rule conform_queue_rules[];
extern const unsigned conform_queue_count;

/* Runs one rule by its place; for a loop of tests. */
void conform_queue_run(const struct conform *c, unsigned place);

#endif
