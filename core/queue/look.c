/* SPDX-License-Identifier: MIT
 *
 * What administrators see. The store has the messages, in the order in which they came; who is
 * being delivered to at this moment only the loops know, and are asked once, when the looking
 * begins. Rows are given out as they are found: nothing grows with the queue.
 */
#include "queue/work.h"

#include <stdlib.h>

/* ---- who is being delivered to ---------------------------------------------------------- */

struct under_way {
	struct id id;
	uint32_t recipient;
};
struct queue_activity {
	struct buf list; /* of struct under_way, in order */
};

static void gather(struct queue_loop *ql, void *ctx)
{
	struct buf *list = ctx;
	size_t at = 0;
	struct str key;
	void *value;

	while (map_next(&ql->works, &at, &key, &value)) {
		const struct work *w = value;

		for (uint32_t i = 0; i < w->m->recipient_count; i++) {
			struct under_way one = { w->id, i };
			uint8_t state = w->recipients[i].state;

			if (state != RECIPIENT_AWAY && state != RECIPIENT_ENDED &&
				state != RECIPIENT_TO_RELEASE)
				buf_add(list, str_make((const char *)&one, sizeof one));
		}
	}
}

static int under_way_compare(const void *a, const void *b)
{
	const struct under_way *one = a, *two = b;
	int order = id_compare(one->id, two->id);

	return order ? order
		     : (one->recipient > two->recipient) - (one->recipient < two->recipient);
}

struct queue_activity *queue_activity(void)
{
	struct queue_activity *a = must_alloc(sizeof *a);

	if (!atomic_load(&queue.started))
		return a;
	queue_on_loops(gather, &a->list);
	if (a->list.len)
		qsort(a->list.data, a->list.len / sizeof(struct under_way),
			sizeof(struct under_way), under_way_compare);
	return a;
}

void queue_activity_free(struct queue_activity **a)
{
	buf_free(&(*a)->list);
	free(*a);
	*a = NULL;
}

enum queue_state queue_state(const struct queue_activity *a, const struct tmail_queue_entry *e)
{
	const struct under_way one = { id_tm(e->id), e->recipient };

	if (e->held)
		return QUEUE_HELD;
	if (a->list.len &&
		bsearch(&one, a->list.data, a->list.len / sizeof one, sizeof one,
			under_way_compare))
		return QUEUE_ACTIVE;
	return e->fate == TMAIL_FATE_PENDING ? QUEUE_WAITING : QUEUE_DEFERRED;
}

/* ---- finding ---------------------------------------------------------------------------- */

struct service *queue_store(struct generation *g)
{
	return atomic_load(&queue.started) ? queue.store : service_find(g, TMAIL_QUEUE, NULL, 0);
}

static int why_no_store(struct why *why)
{
	why_set(why, "no module keeps the queue");
	return TMAIL_REFUSED;
}

/* One question; what was handed in for writing before is in the answer. */
static int store_ask(struct service *store, uint32_t op, const void *question, void *answer,
	struct arena *arena, struct why *why)
{
	int status;

	if (atomic_load(&queue.started))
		commit_flush();
	status = service_ask_wait(store, op, question, answer, arena);
	if (status != TMAIL_OK && status != TMAIL_NOT_FOUND)
		why_set(why, "%s: the queue's store does not answer",
			instance_name(service_instance(store)));
	return status;
}

struct look {
	const struct queue_filter *filter;
	struct queue_activity *activity;
	int (*found)(void *ctx, const struct tmail_queue_entry *entry, enum queue_state state);
	void *ctx;
	uint32_t count;
	struct tmail_id last;
};

/* What the store cannot know, and where it is to stop: behind a whole message. */
static int look_at(void *ctx, const struct tmail_queue_entry *e)
{
	struct look *l = ctx;
	enum queue_state state = queue_state(l->activity, e);

	if (e->received < l->filter->after ||
		(l->filter->due_before && (e->due == 0 || e->due >= l->filter->due_before)) ||
		(l->filter->states && !(l->filter->states & 1u << state)))
		return 0;
	if (l->filter->limit && l->count >= l->filter->limit &&
		!id_equal(id_tm(l->last), id_tm(e->id)))
		return 1;
	l->count++;
	l->last = e->id;
	return l->found(l->ctx, e, state);
}

/* Ids begin with the time at which they were made, which is not after that of arrival. */
static struct tmail_id id_before(int64_t time)
{
	enum { SLACK_US = 60 * 1000000 };

	return (struct tmail_id){ time > SLACK_US ? (uint64_t)(time - SLACK_US) : 0, 0 };
}

int queue_find(struct generation *g, const struct queue_filter *f,
	int (*found)(void *ctx, const struct tmail_queue_entry *entry, enum queue_state state),
	void *ctx, struct why *why)
{
	const uint32_t held = 1u << QUEUE_HELD;
	struct look look = { .filter = f, .found = found, .ctx = ctx };
	struct tmail_queue_find question = { .size = sizeof question,
		.id = tm_id(f->id),
		.after = id_before(f->after),
		.sender = tm_str(f->sender),
		.recipient = tm_str(f->recipient),
		.reason = tm_str(f->reason),
		.before = f->before,
		.held = f->states == held                  ? 1
			: f->states && !(f->states & held) ? 2
							   : 0,
		.found = look_at,
		.ctx = &look };
	struct service *store = queue_store(g);
	struct arena *arena;
	int status;

	if (!store)
		return why_no_store(why);
	look.activity = queue_activity();
	arena = arena_new(1024);
	status = store_ask(store, TMAIL_QUEUE_FIND, &question, NULL, arena, why);
	arena_free(&arena);
	queue_activity_free(&look.activity);
	return status == TMAIL_NOT_FOUND ? TMAIL_OK : status;
}

int queue_counts(struct generation *g, struct tmail_queue_counts *counts, struct why *why)
{
	struct service *store = queue_store(g);
	struct arena *arena;
	int status;

	if (!store)
		return why_no_store(why);
	*counts = (struct tmail_queue_counts){ .size = sizeof *counts };
	arena = arena_new(256);
	status = store_ask(store, TMAIL_QUEUE_COUNT, NULL, counts, arena, why);
	arena_free(&arena);
	return status;
}

int queue_show(struct generation *g, struct id id, uint64_t limit, struct arena *arena,
	struct tmail_queue_content *content, struct why *why)
{
	struct tmail_queue_read question = {
		.size = sizeof question, .id = tm_id(id), .limit = limit
	};
	struct service *store = queue_store(g);
	int status;

	if (!store)
		return why_no_store(why);
	*content = (struct tmail_queue_content){ .size = sizeof *content };
	status = store_ask(store, TMAIL_QUEUE_READ, &question, content, arena, why);
	if (status == TMAIL_NOT_FOUND)
		why_set(why, "there is no such message in the queue");
	return status;
}
