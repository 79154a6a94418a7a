/* SPDX-License-Identifier: MIT
 *
 * Which messages: what the queue's verbs were given, read.
 */
#include "admin/filter.h"

#include "base/num.h"
#include "sys/clock.h"

#include <stdlib.h>

const char *const filter_states[QUEUE_STATES] = {
	[QUEUE_ACTIVE] = "active",
	[QUEUE_WAITING] = "waiting",
	[QUEUE_DEFERRED] = "deferred",
	[QUEUE_HELD] = "held",
};

/* The time that long ago; *time stays where nothing was given. */
static bool time_read(const struct values *v, const char *name, int64_t *time, struct why *why)
{
	struct str age = value_of(v, name);
	int64_t ms, now = clock_wall();

	if (!age.data)
		return true;
	if (!num_duration(age, &ms))
		return why_set(
			why, "--%s wants a duration (30m, 2h, 5d), not '%.*s'", name, STR_ARG(age));
	*time = ms < now / 1000 ? now - ms * 1000 : 1;
	return true;
}

static bool limit_read(const struct values *v, uint32_t *limit, struct why *why)
{
	struct str text = value_of(v, "limit");
	uint64_t n;

	if (!text.data)
		return true;
	if (!num_u64(text, &n) || n == 0 || n > UINT32_MAX)
		return why_set(why, "--limit wants a number above 0, not '%.*s'", STR_ARG(text));
	*limit = (uint32_t)n;
	return true;
}

static bool state_read(struct str word, uint32_t *states, struct why *why)
{
	for (uint32_t i = 0; i < QUEUE_STATES; i++)
		if (str_equal_case(word, str_c(filter_states[i]))) {
			*states |= 1u << i;
			return true;
		}
	return why_set(
		why, "--state wants active, waiting, deferred or held, not '%.*s'", STR_ARG(word));
}

static bool states_read(const struct values *v, uint32_t *states, struct why *why)
{
	struct str text = value_of(v, "state"), word;

	if (value_set(v, "held") && text.data)
		return why_set(why, "--held is --state held: give one of them");
	if (value_set(v, "held"))
		*states = 1u << QUEUE_HELD;
	if (text.data && text.len == 0)
		return state_read(text, states, why);
	while (str_split(&text, ',', &word))
		if (!state_read(str_trim(word), states, why))
			return false;
	return true;
}

/* Malloc'd. */
static bool ids_read(const struct values *v, struct filter *f, struct why *why)
{
	f->ids = must_alloc((v->count + 1) * sizeof *f->ids);
	for (size_t i = 0; i < v->count; i++) {
		struct str text = str_make(v->item[i].value.data, v->item[i].value.len);

		if (!str_equal(str_make(v->item[i].name.data, v->item[i].name.len), STR("ID")))
			continue;
		if (!id_parse(text, &f->ids[f->id_count++]))
			return why_set(why, "'%.*s' is no message id", STR_ARG(text));
	}
	return true;
}

bool filter_read(const struct values *v, struct filter *f, struct why *why)
{
	struct queue_filter *q = &f->queue;

	*f = (struct filter){ .queue = { .sender = value_of(v, "from"),
				      .recipient = value_of(v, "to"),
				      .reason = value_of(v, "reason") } };
	if (!time_read(v, "older", &q->before, why) || !time_read(v, "newer", &q->after, why) ||
		!states_read(v, &q->states, why) || !limit_read(v, &q->limit, why) ||
		!ids_read(v, f, why)) {
		filter_free(f);
		return false;
	}
	f->narrows = q->sender.data || q->recipient.data || q->reason.data || q->before ||
		q->after || q->states || f->id_count;
	return true;
}

void filter_free(struct filter *f)
{
	free(f->ids);
	f->ids = NULL;
}

int filter_find(struct generation *g, const struct filter *f,
	int (*found)(void *ctx, const struct tmail_queue_entry *entry, enum queue_state state),
	void *ctx, struct why *why)
{
	struct queue_filter one = f->queue;
	int status = TMAIL_OK;

	if (f->id_count == 0)
		return queue_find(g, &one, found, ctx, why);
	for (size_t i = 0; i < f->id_count && status == TMAIL_OK; i++) {
		one.id = f->ids[i];
		status = queue_find(g, &one, found, ctx, why);
	}
	return status;
}
