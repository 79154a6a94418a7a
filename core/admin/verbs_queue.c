/* SPDX-License-Identifier: MIT
 *
 * Verbs that look at the queue: list, count, show. With the server running or on the store alone.
 */
#include "admin/verbs.h"

#include "admin/count.h"
#include "admin/filter.h"
#include "admin/words.h"

#include <inttypes.h>
#include <stdlib.h>

enum { CONTENT_AT_MOST = 64 * 1024 * 1024 };

static enum verb_result trouble(struct output *o, const char *verb, const char *why)
{
	output_fail(o, "%s: %s", verb, why);
	return VERB_FAILED;
}

/* ---- list --------------------------------------------------------------------------------- */

struct listing {
	struct output *o;
	uint64_t count;
};

static int list_row(void *ctx, const struct tmail_queue_entry *e, enum queue_state state)
{
	struct listing *l = ctx;
	struct str why = words_why(e);
	char id[ID_TEXT + 1], added[WORDS_TIME], next[WORDS_TIME], attempts[12];

	id_text(id_tm(e->id), id);
	words_time(e->received, added);
	words_time(words_next(e, state), next);
	snprintf(attempts, sizeof attempts, "%" PRIu32, e->attempts);
	l->o->row(l->o,
		(const struct tmail_str[]){ words_str(id), words_sender(e->sender), e->address,
			words_str(words_state(e, state)), words_str(added), words_str(next),
			words_str(attempts), { why.len ? why.data : NULL, why.len } },
		8);
	l->count++;
	return 0;
}

static enum verb_result list_run(
	struct generation *g, const struct values *values, struct output *o)
{
	static const char *const names[] = { "id", "from", "to", "status", "added", "next_delivery",
		"attempts:int", "reason" };
	struct listing listing = { o, 0 };
	struct filter filter;
	struct why why;
	int status;

	if (!filter_read(values, &filter, &why))
		return trouble(o, "queue list", why.text);
	o->columns(o, names, 8);
	status = filter_find(g, &filter, list_row, &listing, &why);
	filter_free(&filter);
	if (status != TMAIL_OK)
		return trouble(o, "queue list", why.text);
	if (listing.count == 0)
		o->say(o, STR("There is no message in queue."));
	return VERB_OK;
}

/* ---- count -------------------------------------------------------------------------------- */

static int count_one(void *ctx, const struct tmail_queue_entry *e, enum queue_state state)
{
	(void)e;
	(void)state;
	++*(uint64_t *)ctx;
	return 0;
}

static int count_grouped(void *ctx, const struct tmail_queue_entry *e, enum queue_state state)
{
	count_add(ctx, e, state);
	return 0;
}

/* The store knows how many it has; only for some of them it must look at each. */
static int count_all(
	struct generation *g, const struct filter *filter, uint64_t *count, struct why *why)
{
	struct tmail_queue_counts all = { 0 };
	int status;

	if (filter->narrows || filter->queue.limit)
		return filter_find(g, filter, count_one, count, why);
	status = queue_counts(g, &all, why);
	*count = all.recipients;
	return status;
}

static int count_groups(struct generation *g, const struct filter *filter, struct str by,
	struct output *o, struct why *why)
{
	struct count *count = count_new(by, why);
	int status;

	if (!count)
		return TMAIL_REFUSED;
	status = filter_find(g, filter, count_grouped, count, why);
	count_end(&count, status == TMAIL_OK ? o : NULL);
	return status;
}

/* Recipients, as `queue list` has rows. */
static enum verb_result count_run(
	struct generation *g, const struct values *values, struct output *o)
{
	static const char *const names[] = { "recipients:int" };
	struct str by = value_of(values, "by");
	struct filter filter;
	uint64_t count = 0;
	char text[24];
	struct why why;
	int status;

	if (!filter_read(values, &filter, &why))
		return trouble(o, "queue count", why.text);
	status = by.data ? count_groups(g, &filter, by, o, &why)
			 : count_all(g, &filter, &count, &why);
	filter_free(&filter);
	if (status != TMAIL_OK)
		return trouble(o, "queue count", why.text);
	if (by.data)
		return VERB_OK;
	snprintf(text, sizeof text, "%" PRIu64, count);
	o->columns(o, names, 1);
	o->row(o, (const struct tmail_str[]){ words_str(text) }, 1);
	return VERB_OK;
}

/* ---- show --------------------------------------------------------------------------------- */

static void show_fact(struct output *o, const char *name, struct tmail_str value)
{
	if (value.len)
		o->row(o, (const struct tmail_str[]){ words_str(name), value }, 2);
}

static void show_facts(struct output *o, const struct tmail_queue_content *c)
{
	static const char *const names[] = { "name", "value" };
	const struct tmail_envelope *e = c->envelope;
	struct tmail_str hold = { NULL, 0 };
	char id[ID_TEXT + 1], added[WORDS_TIME], octets[24];

	TMAIL_EACH(struct tmail_queue_entry, r, c->states) {
		if (r->held)
			hold = r->hold;
	}
	id_text(id_tm(e->id), id);
	words_time(e->received, added);
	snprintf(octets, sizeof octets, "%" PRIu64, c->total);
	o->columns(o, names, 2);
	show_fact(o, "id", words_str(id));
	show_fact(o, "from", words_sender(e->sender));
	show_fact(o, "login", e->login);
	show_fact(o, "envid", e->envid);
	show_fact(o, "added", words_str(added));
	show_fact(o, "octets", words_str(octets));
	show_fact(o, "hold", hold);
}

static void show_recipient(
	struct output *o, const struct tmail_queue_entry *e, enum queue_state state)
{
	struct str host = words_host(e->reply), said = words_without_host(e->reply);
	char next[WORDS_TIME], attempts[12];

	words_time(words_next(e, state), next);
	snprintf(attempts, sizeof attempts, "%" PRIu32, e->attempts);
	o->row(o,
		(const struct tmail_str[]){ e->address, words_str(words_state(e, state)),
			words_str(attempts), words_str(next),
			{ host.len ? host.data : NULL, host.len },
			{ said.len ? said.data : NULL, said.len } },
		6);
}

/* What the message is, and then each recipient, those that have ended too. */
static void show_page(struct output *o, const struct tmail_queue_content *c)
{
	static const char *const names[] = { "recipient", "status", "attempts:int", "next_delivery",
		"host", "reply" };
	struct queue_activity *activity = queue_activity();

	show_facts(o, c);
	o->columns(o, names, 6);
	TMAIL_EACH(struct tmail_queue_entry, r, c->states) {
		show_recipient(o, r, queue_state(activity, r));
	}
	queue_activity_free(&activity);
}

static void show_content(struct output *o, const struct tmail_queue_content *c)
{
	static const char *const names[] = { "content" };

	o->columns(o, names, 1);
	o->row(o, &c->octets, 1);
}

static enum verb_result show_run(
	struct generation *g, const struct values *values, struct output *o)
{
	struct tmail_queue_content content = { .size = sizeof content };
	bool whole = value_set(values, "content");
	struct str text = value_of(values, "ID");
	struct arena *arena;
	struct why why;
	struct id id;
	int status;

	if (!id_parse(text, &id)) {
		output_fail(o, "queue show: '%.*s' is no message id", STR_ARG(text));
		return VERB_FAILED;
	}
	arena = arena_new(4096);
	status = queue_show(g, id, whole ? CONTENT_AT_MOST : 0, arena, &content, &why);
	if (status != TMAIL_OK)
		trouble(o, "queue show", why.text);
	else if (whole)
		show_content(o, &content);
	else
		show_page(o, &content);
	arena_free(&arena);
	return status == TMAIL_OK ? VERB_OK : VERB_FAILED;
}

/* ---- the table ---------------------------------------------------------------------------- */

static const struct tmail_argument list_arguments[] = { FILTER_ARGUMENTS, FILTER_IDS };
static const struct tmail_argument count_arguments[] = {
	{ "by", NULL, TMAIL_TYPE_STRING, 0,
		"in groups: by state, domain, sender (his domain), reason or host" },
	FILTER_ARGUMENTS, FILTER_IDS
};
static const struct tmail_argument show_arguments[] = {
	{ "content", NULL, TMAIL_TYPE_BOOL, 0, "the message itself, in place of its states" },
	{ "ID", NULL, TMAIL_TYPE_STRING, TMAIL_POSITIONAL | TMAIL_REQUIRED,
		"the message's id, as queue list shows it" },
};

static const struct verb table[] = {
	{ .name = "queue list",
		.summary = "Lists what is in the queue, oldest first, one row a recipient.",
		.flags = TMAIL_OFFLINE,
		.service = TMAIL_QUEUE,
		.arguments = TMAIL_LIST(list_arguments),
		.run = list_run },
	{ .name = "queue show",
		.summary = "Shows one message: envelope, recipients and their states, or its "
			   "content.",
		.flags = TMAIL_OFFLINE,
		.service = TMAIL_QUEUE,
		.arguments = TMAIL_LIST(show_arguments),
		.run = show_run },
	{ .name = "queue count",
		.summary = "Counts the rows that queue list would show.",
		.flags = TMAIL_OFFLINE,
		.service = TMAIL_QUEUE,
		.arguments = TMAIL_LIST(count_arguments),
		.run = count_run },
};

const struct verb_table verbs_queue = { table, sizeof table / sizeof *table };
