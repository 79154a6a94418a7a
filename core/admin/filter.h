/* SPDX-License-Identifier: MIT
 *
 * Which messages: the words of the queue's verbs that say it, and what they mean.
 */
#ifndef ADMIN_FILTER_H
#define ADMIN_FILTER_H

#include "admin/verb.h"
#include "queue/queue.h"

#define FILTER_ARGUMENTS                                                                           \
	{ "from", NULL, TMAIL_TYPE_STRING, 0, "only from this sender: an address, or @domain" },   \
		{ "to", NULL, TMAIL_TYPE_STRING, 0,                                                \
			"only to this recipient: an address, or @domain" },                        \
		{ "reason", NULL, TMAIL_TYPE_STRING, 0,                                            \
			"only where the last reply, or who gave it, has this in it" },             \
		{ "state", NULL, TMAIL_TYPE_STRING, 0,                                             \
			"only active, waiting, deferred or held; several with commas" },           \
		{ "held", NULL, TMAIL_TYPE_BOOL, 0, "the same as --state held" },                  \
		{ "older", NULL, TMAIL_TYPE_STRING, 0, "only what came longer ago: 30m, 2h, 5d" }, \
		{ "newer", NULL, TMAIL_TYPE_STRING, 0, "only what came since: 30m, 2h, 5d" },      \
	{                                                                                          \
		"limit", NULL, TMAIL_TYPE_INT, 0,                                                  \
			"no further message when there were so many recipients"                    \
	}
#define FILTER_IDS                                                                                 \
	{                                                                                          \
		"ID", NULL, TMAIL_TYPE_STRING, TMAIL_POSITIONAL | TMAIL_REPEATED,                  \
			"a message's id, as queue list shows it"                                   \
	}

extern const char *const filter_states[QUEUE_STATES]; /* "active", ... */

struct filter {
	struct queue_filter queue;
	struct id *ids; /* in place of all messages; NULL: none were given */
	size_t id_count;
	bool narrows; /* something says which; a limit does not */
};
/* False with why, and nothing to free. */
bool filter_read(const struct values *v, struct filter *f, struct why *why);
void filter_free(struct filter *f);
/* queue_find, over each of the ids where there are some. */
int filter_find(struct generation *g, const struct filter *f,
	int (*found)(void *ctx, const struct tmail_queue_entry *entry, enum queue_state state),
	void *ctx, struct why *why);

#endif
