/* SPDX-License-Identifier: MIT
 *
 * Verbs that change the queue. Each takes ids or a filter, or both; those that end or stop
 * messages want one of them, or --all in so many words. With the server running or on the store
 * alone.
 */
#include "admin/verbs.h"

#include "admin/filter.h"
#include "admin/words.h"
#include "sys/clock.h"

#include <inttypes.h>
#include <stdlib.h>

enum { PURGE_OVERDUE = 24 * 3600 };

struct act {
	const char *verb;
	enum queue_action action;
	const char *done;  /* "held" */
	const char *words; /* the value that says why; NULL: none does */
	bool all;          /* without an id or filter it means everything */
	bool purges;       /* only what is overdue */
};

static void act_progress(void *ctx, uint64_t done, uint64_t of)
{
	struct output *o = ctx;

	o->progress(o, done, of);
}

static enum verb_result touched_row(struct output *o, uint64_t touched)
{
	static const char *const names[] = { "messages:int" };
	char text[24];

	snprintf(text, sizeof text, "%" PRIu64, touched);
	o->columns(o, names, 1);
	o->row(o, (const struct tmail_str[]){ words_str(text) }, 1);
	return VERB_OK;
}

/* Those that are there; of the others each is told. */
static bool act_on_ids(struct generation *g, const struct act *act, const struct filter *filter,
	struct queue_order *order, struct output *o, uint64_t *touched, struct why *why)
{
	struct queue_filter one = filter->queue;
	char id[ID_TEXT + 1];

	order->progress = NULL;
	for (size_t i = 0; i < filter->id_count; i++) {
		uint64_t n = 0;

		one.id = filter->ids[i];
		id_text(one.id, id);
		if (queue_act(g, &one, order, &n, why) != TMAIL_OK)
			return false;
		if (n == 0)
			output_fail(o, "%s: there is no message '%s' in the queue to be %s",
				act->verb, id, act->done);
		*touched += n;
		o->progress(o, i + 1, filter->id_count);
	}
	return true;
}

static enum verb_result act_on(struct generation *g, const struct act *act,
	const struct values *values, const struct filter *filter, struct output *o)
{
	struct queue_order order = { .action = act->action,
		.words = act->words ? value_of(values, act->words) : STR(""),
		.dry = value_set(values, "dry-run"),
		.progress = act_progress,
		.ctx = o };
	uint64_t touched = 0;
	struct why why;
	bool ok;

	if (filter->id_count)
		ok = act_on_ids(g, act, filter, &order, o, &touched, &why);
	else
		ok = queue_act(g, &filter->queue, &order, &touched, &why) == TMAIL_OK;
	if (!ok) {
		output_fail(o, "%s: %s", act->verb, why.text);
		return VERB_FAILED;
	}
	if (touched == 0 && filter->id_count)
		return VERB_FAILED;
	touched_row(o, touched);
	return touched >= filter->id_count ? VERB_OK : VERB_FAILED;
}

/* What is overdue: it is neither held nor being sent. False: nothing can be both. */
static bool purge_narrow(struct queue_filter *f)
{
	f->states = (f->states ? f->states : ~0u) & (1u << QUEUE_WAITING | 1u << QUEUE_DEFERRED);
	f->due_before = clock_wall() - PURGE_OVERDUE * INT64_C(1000000);
	return f->states != 0;
}

static enum verb_result act_run(
	struct generation *g, const struct act *act, const struct values *values, struct output *o)
{
	struct filter filter;
	enum verb_result result;
	struct why why;

	if (!filter_read(values, &filter, &why)) {
		output_fail(o, "%s: %s", act->verb, why.text);
		return VERB_FAILED;
	}
	if (!act->all && !filter.narrows && !value_set(values, "all")) {
		output_fail(o, "%s: which messages? give an id, a filter, or --all", act->verb);
		filter_free(&filter);
		return VERB_USAGE;
	}
	if (act->purges && !purge_narrow(&filter.queue))
		result = touched_row(o, 0);
	else
		result = act_on(g, act, values, &filter, o);
	filter_free(&filter);
	return result;
}

#define ACT(name, ...)                                                                             \
	static enum verb_result name(                                                              \
		struct generation *g, const struct values *values, struct output *o)               \
	{                                                                                          \
		static const struct act act = { __VA_ARGS__ };                                     \
		return act_run(g, &act, values, o);                                                \
	}
ACT(flush_run, .verb = "queue flush", .action = QUEUE_RETRY, .done = "tried", .all = true)
ACT(retry_run, .verb = "queue retry", .action = QUEUE_RETRY, .done = "tried")
ACT(hold_run, .verb = "queue hold", .action = QUEUE_HOLD, .done = "held", .words = "because")
ACT(release_run, .verb = "queue release", .action = QUEUE_RELEASE, .done = "released")
ACT(discard_run, .verb = "queue discard", .action = QUEUE_DISCARD, .done = "discarded")
ACT(bounce_run, .verb = "queue bounce", .action = QUEUE_BOUNCE, .done = "bounced", .words = "text")
ACT(purge_run, .verb = "queue purge", .action = QUEUE_DISCARD, .done = "purged", .all = true,
	.purges = true)

/* ---- the table ---------------------------------------------------------------------------- */

#define DRY                                                                                        \
	{                                                                                          \
		"dry-run", "n", TMAIL_TYPE_BOOL, 0, "only say how many it would be"                \
	}
#define ACT_ARGUMENTS                                                                              \
	FILTER_ARGUMENTS, { "all", NULL, TMAIL_TYPE_BOOL, 0, "every message there is" }, DRY,      \
		FILTER_IDS

static const struct tmail_argument purge_arguments[] = { FILTER_ARGUMENTS, DRY };
static const struct tmail_argument act_arguments[] = { ACT_ARGUMENTS };
static const struct tmail_argument hold_arguments[] = {
	{ "because", NULL, TMAIL_TYPE_STRING, 0, "the reason, shown by queue list" }, ACT_ARGUMENTS
};
static const struct tmail_argument bounce_arguments[] = {
	{ "text", NULL, TMAIL_TYPE_STRING, 0, "the reason that the sender is told" }, ACT_ARGUMENTS
};

#define ACT_VERB(name_, arguments_, run_, summary_)                                                \
	{                                                                                          \
		.name = name_, .summary = summary_, .role = TMAIL_ROLE_OPERATE,                    \
		.flags = TMAIL_OFFLINE, .service = TMAIL_QUEUE,                                    \
		.arguments = TMAIL_LIST(arguments_), .run = run_                                   \
	}

static const struct verb table[] = {
	ACT_VERB("queue flush", act_arguments, flush_run,
		"Tries what waits now, all of it or what a filter names."),
	ACT_VERB("queue retry", act_arguments, retry_run,
		"Tries the named messages now, along the routes as they are now."),
	ACT_VERB("queue hold", hold_arguments, hold_run,
		"Keeps messages in the queue, undelivered, until they are released."),
	ACT_VERB("queue release", act_arguments, release_run, "Lets held messages go on, at once."),
	ACT_VERB("queue discard", act_arguments, discard_run,
		"Throws messages away; nobody is told."),
	ACT_VERB(
		"queue bounce", bounce_arguments, bounce_run, "Returns messages to their senders."),
	ACT_VERB("queue purge", purge_arguments, purge_run,
		"Throws away what should have been tried more than a day ago and was not."),
};

const struct verb_table verbs_act = { table, sizeof table / sizeof *table };
