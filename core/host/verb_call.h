/* SPDX-License-Identifier: MIT
 *
 * A verb of a module, called: on a worker of its instance when it is marked TMAIL_BLOCKING or
 * not, while the caller waits. Never on a loop.
 */
#ifndef HOST_VERB_CALL_H
#define HOST_VERB_CALL_H

#include "base/str.h"
#include "host/generation.h"

/* Where what the verb says goes; each is called on the worker, in order. */
struct verb_emit {
	void (*columns)(void *ctx, const char *const *names, uint32_t n);
	void (*row)(void *ctx, const struct tmail_str *values, uint32_t n);
	void (*say)(void *ctx, struct str line);
	void (*fail)(void *ctx, struct str text);
	void (*progress)(void *ctx, uint64_t done, uint64_t of);
	void *ctx;
};

/* values: of struct tmail_value. What the verb answered; TMAIL_TRY_LATER also when the lane of
 * the instance is full. */
int verb_call(struct instance *instance, const struct tmail_verb *verb,
	const struct tmail_list *values, const struct verb_emit *emit);

#endif
