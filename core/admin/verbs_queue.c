/* SPDX-License-Identifier: MIT
 *
 * Verbs over the queue. Each takes ids or a filter, or both; those that end or stop messages
 * want one of them, or --all in so many words. The queue floor does the work, with the server
 * running or on the store alone.
 */
#include "admin/verbs.h"

#include "base/encode.h"
#include "base/num.h"
#include "queue/queue.h"
#include "sys/clock.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

enum { PURGE_OVERDUE = 24 * 3600, CONTENT_AT_MOST = 64 * 1024 * 1024 };

static const char *const fate_words[] = {
	[TMAIL_FATE_PENDING] = "Delivery in progress",
	[TMAIL_FATE_DEFERRED] = "Scheduled",
	[TMAIL_FATE_DELIVERED] = "Delivered",
	[TMAIL_FATE_BOUNCED] = "Bounced",
	[TMAIL_FATE_EXPIRED] = "Expired",
	[TMAIL_FATE_DISCARDED] = "Discarded",
};

static const char *status_of(const struct tmail_queue_entry *e)
{
	if (e->held)
		return "Held";
	return e->fate < sizeof fate_words / sizeof *fate_words ? fate_words[e->fate] : "Unknown";
}

static void time_text(int64_t us, char text[24])
{
	time_t seconds = (time_t)(us / 1000000);
	struct tm tm;

	text[0] = '\0';
	if (us > 0 && gmtime_r(&seconds, &tm))
		strftime(text, 24, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* ---- filters ------------------------------------------------------------------------------ */

static bool filter_older(struct queue_filter *f, struct str age, struct why *why)
{
	int64_t ms;

	if (!age.data)
		return true;
	if (!num_duration(age, &ms))
		return why_set(
			why, "--older wants a duration (30m, 2h, 5d), not '%.*s'", STR_ARG(age));
	f->before = clock_wall() - ms * 1000;
	return true;
}

static bool filter_limit(struct queue_filter *f, struct str limit, struct why *why)
{
	uint64_t n;

	if (!limit.data)
		return true;
	if (!num_u64(limit, &n) || n == 0 || n > UINT32_MAX)
		return why_set(why, "--limit wants a number above 0, not '%.*s'", STR_ARG(limit));
	f->limit = (uint32_t)n;
	return true;
}

/* All but the id. */
static bool filter_of(const struct values *v, struct queue_filter *f, struct why *why)
{
	*f = (struct queue_filter){ .sender = value_of(v, "from"),
		.recipient = value_of(v, "to"),
		.reason = value_of(v, "reason"),
		.held = value_set(v, "held") };
	return filter_older(f, value_of(v, "older"), why) &&
		filter_limit(f, value_of(v, "limit"), why);
}

static bool filter_narrow(const struct values *v)
{
	return value_set(v, "from") || value_set(v, "to") || value_set(v, "reason") ||
		value_set(v, "held") || value_set(v, "older") || value_set(v, "ID");
}

static bool id_of(struct str text, struct id *id, struct why *why)
{
	return id_parse(text, id) || why_set(why, "'%.*s' is no message id", STR_ARG(text));
}

static enum verb_result trouble(struct output *o, const char *verb, const char *why)
{
	output_fail(o, "%s: %s", verb, why);
	return VERB_FAILED;
}

/* ---- list, count -------------------------------------------------------------------------- */

struct listing {
	struct output *o;
	uint64_t count;
};

static struct tmail_str text_str(const char *text)
{
	return (struct tmail_str){ text, strlen(text) };
}

static int list_row(void *ctx, const struct tmail_queue_entry *e)
{
	struct listing *l = ctx;
	char id[ID_TEXT + 1], added[24], next[24], attempts[12];

	id_text(id_tm(e->id), id);
	time_text(e->received, added);
	time_text(e->fate == TMAIL_FATE_DEFERRED && !e->held ? e->due : 0, next);
	snprintf(attempts, sizeof attempts, "%" PRIu32, e->attempts);
	l->o->row(l->o,
		(const struct tmail_str[]){ text_str(id),
			e->sender.len ? e->sender : (struct tmail_str)TMAIL_STR("<>"), e->address,
			text_str(status_of(e)), text_str(added), text_str(next), text_str(attempts),
			e->held ? e->hold : e->reply },
		8);
	l->count++;
	return 0;
}

static enum verb_result list_run(
	struct generation *g, const struct values *values, struct output *o)
{
	static const char *const names[] = { "id", "from", "to", "status", "added", "next_delivery",
		"attempts", "reason" };
	struct listing listing = { o, 0 };
	struct queue_filter filter;
	struct why why;

	if (!filter_of(values, &filter, &why))
		return trouble(o, "queue list", why.text);
	o->columns(o, names, 8);
	if (queue_find(g, &filter, list_row, &listing, &why) != TMAIL_OK)
		return trouble(o, "queue list", why.text);
	if (listing.count == 0)
		o->say(o, STR("There is no message in queue."));
	return VERB_OK;
}

static int count_one(void *ctx, const struct tmail_queue_entry *e)
{
	(void)e;
	++*(uint64_t *)ctx;
	return 0;
}

/* The store knows how many it has; only for some of them it must look at each. */
static int count_of(struct generation *g, const struct values *values,
	const struct queue_filter *filter, uint64_t *count, struct why *why)
{
	struct tmail_queue_counts all = { 0 };
	int status;

	if (filter_narrow(values) || value_set(values, "limit"))
		return queue_find(g, filter, count_one, count, why);
	status = queue_counts(g, &all, why);
	*count = all.recipients;
	return status;
}

/* Recipients, as `queue list` has rows. */
static enum verb_result count_run(
	struct generation *g, const struct values *values, struct output *o)
{
	static const char *const names[] = { "recipients" };
	struct queue_filter filter;
	uint64_t count = 0;
	char text[24];
	struct why why;

	if (!filter_of(values, &filter, &why) ||
		count_of(g, values, &filter, &count, &why) != TMAIL_OK)
		return trouble(o, "queue count", why.text);
	snprintf(text, sizeof text, "%" PRIu64, count);
	o->columns(o, names, 1);
	o->row(o, (const struct tmail_str[]){ text_str(text) }, 1);
	return VERB_OK;
}

/* ---- show --------------------------------------------------------------------------------- */

static void show_row(struct output *o, const char *name, struct tmail_str value)
{
	o->row(o, (const struct tmail_str[]){ text_str(name), value }, 2);
}

static void show_recipient(struct output *o, const struct tmail_queue_entry *e)
{
	struct buf text = { 0 };
	char next[24];

	buf_printf(&text, "%.*s: %s", (int)e->address.len, e->address.data, status_of(e));
	time_text(e->fate == TMAIL_FATE_DEFERRED ? e->due : 0, next);
	if (e->attempts)
		buf_printf(&text, ", %" PRIu32 " attempts", e->attempts);
	if (*next)
		buf_printf(&text, ", next at %s", next);
	if (e->reply.len)
		buf_printf(&text, ": %.*s", (int)e->reply.len, e->reply.data);
	show_row(o, "recipient", (struct tmail_str){ text.data, text.len });
	buf_free(&text);
}

static void show_page(struct output *o, const struct tmail_queue_content *c)
{
	static const char *const names[] = { "name", "value" };
	const struct tmail_envelope *e = c->envelope;
	char id[ID_TEXT + 1], added[24], size[24];

	id_text(id_tm(e->id), id);
	time_text(e->received, added);
	snprintf(size, sizeof size, "%" PRIu64, c->total);
	o->columns(o, names, 2);
	show_row(o, "id", text_str(id));
	show_row(o, "from", e->sender.len ? e->sender : (struct tmail_str)TMAIL_STR("<>"));
	if (e->login.len)
		show_row(o, "login", e->login);
	if (e->envid.len)
		show_row(o, "envid", e->envid);
	show_row(o, "added", text_str(added));
	show_row(o, "octets", text_str(size));
	TMAIL_EACH(struct tmail_queue_entry, r, c->states) {
		if (r->held && r->hold.len)
			show_row(o, "hold", r->hold);
		break;
	}
	TMAIL_EACH(struct tmail_queue_entry, r, c->states) {
		show_recipient(o, r);
	}
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
	struct arena *arena;
	struct why why;
	struct id id;
	int status;

	if (!id_of(value_of(values, "ID"), &id, &why))
		return trouble(o, "queue show", why.text);
	arena = arena_new(4096);
	status = queue_show(g, id, whole ? CONTENT_AT_MOST : 0, arena, &content, &why);
	if (status == TMAIL_OK && whole)
		show_content(o, &content);
	else if (status == TMAIL_OK)
		show_page(o, &content);
	else if (status == TMAIL_NOT_FOUND)
		trouble(o, "queue show", "there is no such message in the queue");
	else
		trouble(o, "queue show", why.text);
	arena_free(&arena);
	return status == TMAIL_OK ? VERB_OK : VERB_FAILED;
}

/* ---- acts --------------------------------------------------------------------------------- */

struct act {
	const char *verb;
	enum queue_action action;
	const char *done; /* "held" */
	bool all;         /* without an id or filter it means everything */
	struct str words;
};

/* One filter, or one a given id. */
static bool act_over(struct generation *g, const struct act *act, const struct values *values,
	struct queue_filter *filter, uint64_t *touched, struct output *o, struct why *why)
{
	bool dry = value_set(values, "dry-run");
	size_t ids = 0, done = 0;
	uint64_t n;

	for (size_t i = 0; i < values->count; i++)
		ids += str_equal(str_tm(values->item[i].name), STR("ID"));
	if (ids == 0)
		return queue_act(g, filter, act->action, act->words, dry, touched, why) == TMAIL_OK;
	for (size_t i = 0; i < values->count; i++) {
		struct str text = str_tm(values->item[i].value);

		if (!str_equal(str_tm(values->item[i].name), STR("ID")))
			continue;
		n = 0;
		if (!id_of(text, &filter->id, why))
			return false;
		if (queue_act(g, filter, act->action, act->words, dry, &n, why) != TMAIL_OK)
			return false;
		if (n == 0)
			return why_set(why, "there is no message '%.*s' in the queue to be %s",
				STR_ARG(text), act->done);
		*touched += n;
		o->progress(o, ++done, ids);
	}
	return true;
}

static enum verb_result act_run(
	struct generation *g, const struct act *act, const struct values *values, struct output *o)
{
	static const char *const names[] = { "messages" };
	struct queue_filter filter;
	uint64_t touched = 0;
	char text[24];
	struct why why;

	if (!act->all && !filter_narrow(values) && !value_set(values, "all")) {
		output_fail(o, "%s: which messages? give an id, a filter, or --all", act->verb);
		return VERB_USAGE;
	}
	if (!filter_of(values, &filter, &why) ||
		!act_over(g, act, values, &filter, &touched, o, &why))
		return trouble(o, act->verb, why.text);
	snprintf(text, sizeof text, "%" PRIu64, touched);
	o->columns(o, names, 1);
	o->row(o, (const struct tmail_str[]){ text_str(text) }, 1);
	return VERB_OK;
}

static enum verb_result flush_run(
	struct generation *g, const struct values *values, struct output *o)
{
	return act_run(g, &(const struct act){ "queue flush", QUEUE_RETRY, "tried", true, STR("") },
		values, o);
}

static enum verb_result retry_run(
	struct generation *g, const struct values *values, struct output *o)
{
	return act_run(g,
		&(const struct act){ "queue retry", QUEUE_RETRY, "tried", false, STR("") }, values,
		o);
}

static enum verb_result hold_run(
	struct generation *g, const struct values *values, struct output *o)
{
	struct str why = value_of(values, "because");

	return act_run(g,
		&(const struct act){ "queue hold", QUEUE_HOLD, "held", false,
			why.data ? why : STR("held by admin") },
		values, o);
}

static enum verb_result release_run(
	struct generation *g, const struct values *values, struct output *o)
{
	return act_run(g,
		&(const struct act){ "queue release", QUEUE_RELEASE, "released", false, STR("") },
		values, o);
}

static enum verb_result discard_run(
	struct generation *g, const struct values *values, struct output *o)
{
	return act_run(g,
		&(const struct act){ "queue discard", QUEUE_DISCARD, "discarded", false, STR("") },
		values, o);
}

static enum verb_result bounce_run(
	struct generation *g, const struct values *values, struct output *o)
{
	struct str text = value_of(values, "text");

	return act_run(g,
		&(const struct act){ "queue bounce", QUEUE_BOUNCE, "bounced", false,
			text.data ? text : STR("bounced by admin") },
		values, o);
}

/* ---- purge: what should have been tried a day ago and was not ------------------------------ */

struct purge {
	int64_t before;
	struct id *ids;
	size_t count;
};

static int purge_find(void *ctx, const struct tmail_queue_entry *e)
{
	struct purge *p = ctx;
	struct id id = id_tm(e->id);

	if (e->held || e->due == 0 || e->due >= p->before ||
		(p->count && id_equal(p->ids[p->count - 1], id)))
		return 0;
	p->ids = must_realloc(p->ids, (p->count + 1) * sizeof *p->ids);
	p->ids[p->count++] = id;
	return 0;
}

static bool purge_all(struct generation *g, const struct purge *p, bool dry, uint64_t *touched,
	struct output *o, struct why *why)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct queue_filter one = { .id = p->ids[i] };
		uint64_t n = 0;

		if (queue_act(g, &one, QUEUE_DISCARD, STR(""), dry, &n, why) != TMAIL_OK)
			return false;
		*touched += n;
		o->progress(o, i + 1, p->count);
	}
	return true;
}

static enum verb_result purge_run(
	struct generation *g, const struct values *values, struct output *o)
{
	static const char *const names[] = { "messages" };
	struct purge purge = { .before = clock_wall() - PURGE_OVERDUE * INT64_C(1000000) };
	struct queue_filter filter;
	uint64_t touched = 0;
	char text[24];
	struct why why;
	bool ok = filter_of(values, &filter, &why) &&
		queue_find(g, &filter, purge_find, &purge, &why) == TMAIL_OK &&
		purge_all(g, &purge, value_set(values, "dry-run"), &touched, o, &why);

	free(purge.ids);
	if (!ok)
		return trouble(o, "queue purge", why.text);
	snprintf(text, sizeof text, "%" PRIu64, touched);
	o->columns(o, names, 1);
	o->row(o, (const struct tmail_str[]){ text_str(text) }, 1);
	return VERB_OK;
}

/* ---- the table ---------------------------------------------------------------------------- */

#define FILTER                                                                                     \
	{ "from", NULL, TMAIL_TYPE_STRING, 0, "only from this sender: an address, or @domain" },   \
		{ "to", NULL, TMAIL_TYPE_STRING, 0,                                                \
			"only to this recipient: an address, or @domain" },                        \
		{ "reason", NULL, TMAIL_TYPE_STRING, 0,                                            \
			"only where the last reply has this in it" },                              \
		{ "older", NULL, TMAIL_TYPE_STRING, 0, "only what came longer ago: 30m, 2h, 5d" }, \
		{ "held", NULL, TMAIL_TYPE_BOOL, 0, "only what is held" },                         \
	{                                                                                          \
		"limit", NULL, TMAIL_TYPE_INT, 0, "no more than that many"                         \
	}
#define DRY                                                                                        \
	{                                                                                          \
		"dry-run", "n", TMAIL_TYPE_BOOL, 0, "only say how many it would be"                \
	}
#define ACT                                                                                        \
	FILTER, { "all", NULL, TMAIL_TYPE_BOOL, 0, "every message there is" }, DRY,                \
	{                                                                                          \
		"ID", NULL, TMAIL_TYPE_STRING, TMAIL_POSITIONAL | TMAIL_REPEATED,                  \
			"a message's id, as queue list shows it"                                   \
	}

static const struct tmail_argument filter_arguments[] = { FILTER };
static const struct tmail_argument purge_arguments[] = { FILTER, DRY };
static const struct tmail_argument act_arguments[] = { ACT };
static const struct tmail_argument hold_arguments[] = {
	{ "because", NULL, TMAIL_TYPE_STRING, 0, "the reason, shown by queue list" }, ACT
};
static const struct tmail_argument bounce_arguments[] = {
	{ "text", NULL, TMAIL_TYPE_STRING, 0, "the reason that the sender is told" }, ACT
};
static const struct tmail_argument show_arguments[] = {
	{ "content", NULL, TMAIL_TYPE_BOOL, 0, "the message itself, in place of its states" },
	{ "ID", NULL, TMAIL_TYPE_STRING, TMAIL_POSITIONAL | TMAIL_REQUIRED,
		"the message's id, as queue list shows it" },
};

#define QUEUE_VERB(name_, role_, arguments_, run_, summary_)                                       \
	{                                                                                          \
		.name = name_, .summary = summary_, .role = role_, .flags = TMAIL_OFFLINE,         \
		.service = TMAIL_QUEUE, .arguments = TMAIL_LIST(arguments_), .run = run_           \
	}

static const struct verb table[] = {
	QUEUE_VERB("queue list", TMAIL_ROLE_READ, filter_arguments, list_run,
		"Lists the messages in the queue, one row a recipient."),
	QUEUE_VERB("queue show", TMAIL_ROLE_READ, show_arguments, show_run,
		"Shows one message: envelope, recipients and their states, or its content."),
	QUEUE_VERB("queue count", TMAIL_ROLE_READ, filter_arguments, count_run,
		"Counts the rows that queue list would show."),
	QUEUE_VERB("queue flush", TMAIL_ROLE_OPERATE, act_arguments, flush_run,
		"Tries what waits now, all of it or what a filter names."),
	QUEUE_VERB("queue retry", TMAIL_ROLE_OPERATE, act_arguments, retry_run,
		"Tries the named messages now."),
	QUEUE_VERB("queue hold", TMAIL_ROLE_OPERATE, hold_arguments, hold_run,
		"Keeps messages in the queue, undelivered, until they are released."),
	QUEUE_VERB("queue release", TMAIL_ROLE_OPERATE, act_arguments, release_run,
		"Lets held messages go on, at once."),
	QUEUE_VERB("queue discard", TMAIL_ROLE_OPERATE, act_arguments, discard_run,
		"Throws messages away; nobody is told."),
	QUEUE_VERB("queue bounce", TMAIL_ROLE_OPERATE, bounce_arguments, bounce_run,
		"Returns messages to their senders."),
	QUEUE_VERB("queue purge", TMAIL_ROLE_OPERATE, purge_arguments, purge_run,
		"Throws away what should have been tried more than a day ago and was not."),
};

const struct verb_table verbs_queue = { table, sizeof table / sizeof *table };
