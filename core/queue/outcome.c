/* SPDX-License-Identifier: MIT
 *
 * From an outcome of the client to a fate:
 *
 *   OK         delivered
 *   PERMANENT  failed: bounced once its report is durable
 *   UNKNOWN    deferred, ten minutes at least: it may have been taken
 *   the rest   deferred; failed (expired) when the message is older than its lifetime
 *
 * What must hold: each outcome is one log line, one notice to the modules, one counter, one op.
 */
#include "queue/outcome.h"

#include "base/log.h"
#include "base/num.h"

#include <stdio.h>

enum { UNKNOWN_DELAY_MS = 10 * 60 * 1000, JITTER_PERCENT = 20 };

/* ---- when again ------------------------------------------------------------------------ */

static int64_t listed_delay(const struct tmail_list *list, uint32_t attempts)
{
	uint32_t i = attempts > list->count ? list->count - 1 : attempts - 1;
	int64_t ms = 0;

	if (!num_duration(str_tm(*TMAIL_AT(struct tmail_str, *list, i)), &ms))
		return 0;
	return ms;
}

int64_t retry_delay(const struct queue_settings *settings, uint32_t attempts)
{
	int64_t ms = settings->retry_min;

	if (attempts == 0)
		attempts = 1;
	if (settings->retry.count > 0 && (ms = listed_delay(&settings->retry, attempts)) > 0)
		return ms;
	ms = settings->retry_min;
	for (uint32_t i = 1; i < attempts && ms < settings->retry_max; i++)
		ms *= 2;
	if (ms > settings->retry_max)
		ms = settings->retry_max;
	/* A fifth either way, so that what failed together does not come back together. */
	ms -= ms * JITTER_PERCENT / 100;
	return ms + (int64_t)random_below((uint64_t)(ms * 2 * JITTER_PERCENT / 100) + 1);
}

static int64_t end_of_life(const struct work *w, const struct queue_settings *settings)
{
	int64_t ms = w->m->envelope.sender.len ? settings->lifetime : settings->bounce_lifetime;

	return w->m->envelope.received + ms * 1000;
}

/* ---- words ----------------------------------------------------------------------------- */

void outcome_status(const struct client_outcome *o, char status[16])
{
	const char *usual = "4.0.0";

	if (o->enhanced[0]) {
		memcpy(status, o->enhanced, sizeof o->enhanced);
		return;
	}
	if (o->class == CLASS_OK)
		usual = "2.0.0";
	else if (o->class == CLASS_PERMANENT)
		usual = "5.0.0";
	else if (o->code == 0)
		usual = o->stage == STAGE_CONNECT ? "4.4.1" : "4.4.2";
	memcpy(status, usual, strlen(usual) + 1);
}

/* "250 2.0.0 words"; our own words stand alone. */
static struct str reply_text(struct work *w, const struct client_outcome *o)
{
	if (o->code == 0)
		return arena_str(w->m->arena, o->text);
	return arena_printf(w->m->arena, "%u%s%s%s%.*s", o->code, o->enhanced[0] ? " " : "",
		o->enhanced, o->text.len ? " " : "", STR_ARG(o->text));
}

static void outcome_log(
	struct work *w, uint32_t index, const char *event, const struct parcel *p, int64_t due)
{
	const struct work_recipient *r = &w->recipients[index];

	log_event(LEVEL_INFO, NULL, event, LOG_ID("id", w->id),
		LOG_STR("from", str_tm(w->m->envelope.sender)),
		LOG_STR("to", str_tm(w->m->recipients[index].address)),
		LOG_IF(r->host.len > 0, LOG_STR("host", r->host)), LOG_STR("reply", r->reply),
		LOG_NUM("attempt", r->attempts),
		LOG_IF(p != NULL, LOG_NUM("ms", p ? (clock_mono() - p->began) / 1000 : 0)),
		LOG_IF(due != 0, LOG_NUM("retry", (due - clock_wall()) / 1000000)));
}

static void outcome_tell(struct work *w, uint32_t index, enum tmail_point point, int64_t due)
{
	const struct work_recipient *r = &w->recipients[index];
	union tmail_event event = { .outcome = {
					    .recipient = &w->m->recipients[index],
					    .host = tm_str(r->host),
					    .reply = tm_str(r->reply),
					    .attempts = r->attempts,
					    .due = due,
				    } };

	if (chain_hooked(queue_generation_now(w->ql), point))
		chain_tell(work_subject(w), point, &event);
}

static void outcome_write(struct work *w, uint32_t index, enum tmail_fate fate, int64_t due)
{
	struct work_recipient *r = &w->recipients[index];
	struct tmail_queue_op *op = work_op(w, TMAIL_QUEUE_OUTCOME);

	r->fate = (uint8_t)fate;
	r->state = RECIPIENT_ENDED;
	op->recipient = index;
	op->fate = (uint32_t)fate;
	op->due = due;
	op->attempts = r->attempts;
	op->reply = tm_str(r->reply);
}

/* ---- fates ----------------------------------------------------------------------------- */

static bool notify_wants(const struct work *w, uint32_t index, uint32_t bit, bool unsaid)
{
	uint32_t notify = w->m->recipients[index].notify;

	return notify ? notify & bit && !(notify & TMAIL_NOTIFY_NEVER) : unsaid;
}

static void delivered(struct work *w, uint32_t index, const struct parcel *p)
{
	struct work_recipient *r = &w->recipients[index];

	metric_add(METRIC_deliveries, 1);
	outcome_write(w, index, TMAIL_FATE_DELIVERED, 0);
	outcome_log(w, index, "delivered", p, 0);
	outcome_tell(w, index, TMAIL_POINT_DELIVERED, 0);
	if (p && p->relayed && notify_wants(w, index, TMAIL_NOTIFY_SUCCESS, false))
		r->report = p->protocol == TMAIL_PROTOCOL_LMTP ? REPORT_DELIVERED : REPORT_RELAYED;
}

/* The sender is told once that it is late: at the deferral whose wait the moment falls into
 * (what lies between a wait's end and its attempt counts to the next). */
static bool warning_is_due(
	struct work *w, const struct queue_settings *s, uint32_t index, int64_t due)
{
	int64_t moment = w->m->envelope.received + s->delay_warning * 1000;

	return s->delay_warning > 0 && w->recipients[index].was_due < moment && moment <= due &&
		notify_wants(w, index, TMAIL_NOTIFY_DELAY, true);
}

static void deferred(struct work *w, uint32_t index, const struct parcel *p, int64_t delay_ms)
{
	const struct queue_settings *settings = queue_settings_now(w->ql);
	struct work_recipient *r = &w->recipients[index];
	int64_t now = clock_wall(), due = now + delay_ms * 1000, end = end_of_life(w, settings);

	if (due > end && end > now)
		due = end; /* the last one is at the end of its life */
	r->due = due;
	metric_add(METRIC_deferrals, 1);
	outcome_write(w, index, TMAIL_FATE_DEFERRED, due);
	outcome_log(w, index, "deferred", p, due);
	outcome_tell(w, index, TMAIL_POINT_DEFERRED, due);
	if (warning_is_due(w, settings, index, due))
		r->report = REPORT_DELAYED;
}

static void failed(struct work *w, uint32_t index, bool expired)
{
	struct work_recipient *r = &w->recipients[index];

	r->state = RECIPIENT_FAILED;
	r->expired = expired;
	if (notify_wants(w, index, TMAIL_NOTIFY_FAILURE, true))
		r->report = REPORT_FAILED;
}

void outcome_set(
	struct work *w, uint32_t index, const struct client_outcome *o, const struct parcel *p)
{
	const struct queue_settings *settings = queue_settings_now(w->ql);
	struct work_recipient *r = &w->recipients[index];
	int64_t delay;

	r->attempts++;
	r->reply = reply_text(w, o);
	r->host = p ? arena_str(w->m->arena, p->host) : STR("");
	outcome_status(o, r->status);
	delay = retry_delay(settings, r->attempts);
	if (o->class != CLASS_OK && r->stop == STOP_DISCARD) {
		outcome_discard(w, index, w->stop_words);
		return;
	}
	if (o->class != CLASS_OK && r->stop == STOP_BOUNCE) {
		failed(w, index, false);
		return;
	}
	switch (o->class) {
	case CLASS_OK:
		delivered(w, index, p);
		return;
	case CLASS_PERMANENT:
		failed(w, index, false);
		return;
	case CLASS_UNKNOWN:
		metric_add(METRIC_duplicates_possible, 1);
		if (delay < UNKNOWN_DELAY_MS)
			delay = UNKNOWN_DELAY_MS;
		break;
	case CLASS_TEMPORARY:
	case CLASS_NEXT_HOST:
		break;
	}
	if (clock_wall() >= end_of_life(w, settings)) {
		failed(w, index, true);
		return;
	}
	/* A host that says 5yz to everybody is not the message's end, but its status must not
	 * say so either (RFC 3463 2). */
	if (r->status[0] == '5')
		r->status[0] = '4';
	deferred(w, index, p, delay);
}

void outcome_discard(struct work *w, uint32_t index, struct str words)
{
	struct work_recipient *r = &w->recipients[index];

	r->reply = arena_str(w->m->arena, words);
	outcome_write(w, index, TMAIL_FATE_DISCARDED, 0);
	outcome_log(w, index, "discarded", NULL, 0);
	metric_add(METRIC_discarded, 1);
}

void outcome_failed(struct work *w, uint32_t index)
{
	struct work_recipient *r = &w->recipients[index];

	metric_add(r->expired ? METRIC_expired : METRIC_bounces, 1);
	outcome_write(w, index, r->expired ? TMAIL_FATE_EXPIRED : TMAIL_FATE_BOUNCED, 0);
	outcome_log(w, index, r->expired ? "expired" : "bounced", NULL, 0);
	outcome_tell(w, index, TMAIL_POINT_BOUNCED, 0);
}

void outcome_postpone(struct work *w, uint32_t index, struct str why)
{
	log_event(
		LEVEL_WARNING, NULL, "bounce_postponed", LOG_ID("id", w->id), LOG_STR("why", why));
	w->recipients[index].report = REPORT_NONE;
	deferred(w, index, NULL, queue_settings_now(w->ql)->retry_min);
}
