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
#define TOLD_BY_US (INT64_C(3600) * 1000000) /* a report is made, or put off, by then */

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
	int64_t ms, least, most;

	if (attempts == 0)
		attempts = 1;
	if (settings->retry.count > 0 && (ms = listed_delay(&settings->retry, attempts)) > 0)
		return ms;
	ms = settings->retry_min;
	for (uint32_t i = 1; i < attempts && ms < settings->retry_max; i++)
		ms *= 2;
	/* A fifth either way, so that what failed together does not come back together; but never
	 * beyond the bounds. */
	if (ms > settings->retry_max)
		ms = settings->retry_max;
	least = ms - ms * JITTER_PERCENT / 100;
	if (least < settings->retry_min)
		least = settings->retry_min;
	most = ms + ms * JITTER_PERCENT / 100;
	if (most > settings->retry_max)
		most = settings->retry_max;
	return least < most ? least + (int64_t)random_below((uint64_t)(most - least) + 1) : most;
}

int64_t outcome_end_of_life(const struct work *w)
{
	const struct queue_settings *settings = queue_settings_now(w->ql);
	int64_t ms = w->m->envelope.sender.len ? settings->lifetime : settings->bounce_lifetime;

	return w->m->envelope.received + ms * 1000;
}

/* unsaid: where the sender said nothing about it. The null sender is never told anything. */
static bool notify_wants(const struct work *w, uint32_t index, uint32_t bit, bool unsaid)
{
	uint32_t notify = w->m->recipients[index].notify;

	if (w->m->envelope.sender.len == 0)
		return false;
	return notify ? notify & bit && !(notify & TMAIL_NOTIFY_NEVER) : unsaid;
}

/* When the sender is to be told that it is late; 0: never. */
static int64_t late_from(
	const struct work *w, const struct queue_settings *settings, uint32_t index)
{
	if (settings->delay_warning == 0 || !notify_wants(w, index, TMAIL_NOTIFY_DELAY, true))
		return 0;
	return w->m->envelope.received + settings->delay_warning * 1000;
}

/* Attempts are also made at these two moments: then a warning is true when it is sent, and the
 * last attempt is at the end of life. But who may have taken it already has his time. */
static int64_t next_attempt(const struct work *w, const struct queue_settings *settings,
	uint32_t index, enum client_class class)
{
	int64_t now = clock_wall(), end = outcome_end_of_life(w);
	int64_t due = now + retry_delay(settings, w->recipients[index].attempts) * 1000;
	int64_t late = late_from(w, settings, index);

	if (late > now && late < due)
		due = late;
	if (class == CLASS_UNKNOWN && due < now + UNKNOWN_DELAY_MS * 1000LL)
		due = now + UNKNOWN_DELAY_MS * 1000LL;
	return end > now && end < due ? end : due;
}

/* When a report that could not be made is tried again. */
static int64_t report_again(const struct work *w)
{
	return clock_wall() + retry_delay(queue_settings_now(w->ql), 1) * 1000;
}

/* ---- words ----------------------------------------------------------------------------- */

/* "250 2.0.0 words"; our own words stand alone. */
static struct str reply_text(struct work *w, const struct client_outcome *o)
{
	if (o->code == 0)
		return arena_str(w->m->arena, o->text);
	return arena_printf(w->m->arena, "%u%s%s%s%.*s", o->code, o->enhanced[0] ? " " : "",
		o->enhanced, o->text.len ? " " : "", STR_ARG(o->text));
}

static void outcome_log(struct work *w, uint32_t index, const char *event, const struct parcel *p,
	struct str tls, int64_t due)
{
	const struct work_recipient *r = &w->recipients[index];

	log_event(LEVEL_INFO, NULL, event, LOG_ID("id", w->id),
		LOG_STR("from", str_tm(w->m->envelope.sender)),
		LOG_STR("to", str_tm(w->m->recipients[index].address)),
		LOG_IF(r->host.len > 0, LOG_STR("host", r->host)), LOG_STR("reply", r->reply),
		LOG_IF(tls.len > 0, LOG_STR("tls", tls)), LOG_NUM("attempt", r->attempts),
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

/* For the store, which has them for people: who said it, and what. */
static struct str last_words(struct work *w, const struct work_recipient *r)
{
	if (r->host.len == 0)
		return r->reply;
	return arena_printf(w->m->arena, "%.*s: %.*s", STR_ARG(r->host), STR_ARG(r->reply));
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
	op->note = fate == TMAIL_FATE_DEFERRED ? r->note : REPORT_NONE;
	op->reply = tm_str(last_words(w, r));
}

/* ---- fates ----------------------------------------------------------------------------- */

/* Where somebody is to hear of it, it stays deferred until he has: noted as taken, and due for who
 * finds it after a crash. Its claim has ended, so it must not be due while it is reported. */
static void delivered(
	struct work *w, uint32_t index, const struct parcel *p, const struct parcel_recipient *in)
{
	struct work_recipient *r = &w->recipients[index];

	metric_add(METRIC_deliveries, 1);
	if (in && in->success != REPORT_NONE &&
		notify_wants(w, index, TMAIL_NOTIFY_SUCCESS, false)) {
		r->note = (uint8_t)in->success;
		outcome_write(w, index, TMAIL_FATE_DEFERRED, clock_wall() + TOLD_BY_US);
		outcome_taken(w, index);
	} else {
		outcome_write(w, index, TMAIL_FATE_DELIVERED, 0);
	}
	outcome_log(w, index, "delivered", p, in ? in->tls : STR(""), 0);
	outcome_tell(w, index, TMAIL_POINT_DELIVERED, 0);
}

static void deferred(struct work *w, uint32_t index, const struct parcel *p, int64_t due)
{
	metric_add(METRIC_deferrals, 1);
	outcome_log(w, index, "deferred", p, STR(""), due);
	outcome_tell(w, index, TMAIL_POINT_DEFERRED, due);
}

/* Once: at the first deferral whose next attempt is after the moment. */
static bool is_to_warn(
	const struct work *w, const struct queue_settings *settings, uint32_t index, int64_t due)
{
	int64_t late = late_from(w, settings, index);

	return late > 0 && late < due && w->recipients[index].note != REPORT_DELAYED;
}

static void failed(struct work *w, uint32_t index, bool expired)
{
	struct work_recipient *r = &w->recipients[index];

	r->state = RECIPIENT_TO_REPORT;
	r->expired = expired;
	if (notify_wants(w, index, TMAIL_NOTIFY_FAILURE, true))
		r->report = REPORT_FAILED;
	else if (w->m->envelope.sender.len == 0)
		log_event(LEVEL_INFO, NULL, "bounce_discarded", LOG_ID("id", w->id),
			LOG_STR("to", str_tm(w->m->recipients[index].address)),
			LOG_C("why", "the message has no sender"));
}

void outcome_set(struct work *w, uint32_t index, const struct client_outcome *o,
	const struct parcel *p, const struct parcel_recipient *in)
{
	const struct queue_settings *settings = queue_settings_now(w->ql);
	struct work_recipient *r = &w->recipients[index];

	r->attempts++;
	r->reply = reply_text(w, o);
	r->host = in ? arena_str(w->m->arena, in->host) : STR("");
	r->silent = o->code == 0 && o->stage < STAGE_MAIL;
	client_status(o, r->status);
	if (o->class == CLASS_OK) {
		delivered(w, index, p, in);
		return;
	}
	if (o->class == CLASS_UNKNOWN)
		metric_add(METRIC_duplicates_possible, 1);
	if (r->stop == STOP_DISCARD) {
		outcome_discard(w, index, w->stop_words);
		return;
	}
	if (r->stop == STOP_BOUNCE || o->class == CLASS_PERMANENT) {
		failed(w, index, false);
		return;
	}
	if (clock_wall() >= outcome_end_of_life(w)) {
		failed(w, index, true);
		return;
	}
	/* A host that says 5yz to everybody is not the message's end, but its status must not
	 * say so either (RFC 3463 2). */
	if (r->status[0] == '5')
		r->status[0] = '4';
	r->due = next_attempt(w, settings, index, o->class);
	if (is_to_warn(w, settings, index, r->due)) {
		r->report = REPORT_DELAYED;
		r->state = RECIPIENT_TO_REPORT;
	} else {
		outcome_write(w, index, TMAIL_FATE_DEFERRED, r->due);
	}
	deferred(w, index, p, r->due);
}

void outcome_discard(struct work *w, uint32_t index, struct str words)
{
	struct work_recipient *r = &w->recipients[index];

	r->reply = arena_str(w->m->arena, words);
	r->host = STR("");
	outcome_write(w, index, TMAIL_FATE_DISCARDED, 0);
	outcome_log(w, index, "discarded", NULL, STR(""), 0);
	metric_add(METRIC_discarded, 1);
}

static void bounced(struct work *w, uint32_t index)
{
	struct work_recipient *r = &w->recipients[index];

	metric_add(r->expired ? METRIC_expired : METRIC_bounces, 1);
	outcome_write(w, index, r->expired ? TMAIL_FATE_EXPIRED : TMAIL_FATE_BOUNCED, 0);
	outcome_log(w, index, r->expired ? "expired" : "bounced", NULL, STR(""), 0);
	outcome_tell(w, index, TMAIL_POINT_BOUNCED, 0);
}

/* As it was deferred before the report was made, unless an administrator has decided since. */
static void late(struct work *w, uint32_t index)
{
	struct work_recipient *r = &w->recipients[index];

	if (r->stop == STOP_NOT) {
		outcome_write(w, index, TMAIL_FATE_DEFERRED, r->due);
		return;
	}
	r->state = RECIPIENT_DUE;
	w->again = true;
}

void outcome_reported(struct work *w, uint32_t index, enum recipient_report kind)
{
	if (kind == REPORT_FAILED) {
		bounced(w, index);
	} else if (kind == REPORT_DELAYED) {
		w->recipients[index].note = REPORT_DELAYED;
		late(w, index);
	} else {
		outcome_write(w, index, TMAIL_FATE_DELIVERED, 0);
	}
}

void outcome_postpone(struct work *w, uint32_t index, enum recipient_report kind)
{
	if (kind == REPORT_DELAYED) { /* the next deferral finds it not told */
		late(w, index);
		return;
	}
	w->recipients[index].due = report_again(w);
	outcome_write(w, index, TMAIL_FATE_DEFERRED, w->recipients[index].due);
	if (kind == REPORT_FAILED)
		deferred(w, index, NULL, w->recipients[index].due);
}

void outcome_recall(struct work *w, uint32_t index, struct str words)
{
	struct work_recipient *r = &w->recipients[index];
	ptrdiff_t at = str_search_case(words, STR(": "));

	r->host = at < 0 ? STR("") : arena_str(w->m->arena, str_slice(words, 0, (size_t)at));
	r->reply = arena_str(
		w->m->arena, at < 0 ? words : str_slice(words, (size_t)at + 2, words.len));
	memcpy(r->status, "2.0.0", sizeof "2.0.0");
}

void outcome_taken(struct work *w, uint32_t index)
{
	struct work_recipient *r = &w->recipients[index];

	if (r->stop != STOP_NOT) { /* nobody is interested any more */
		outcome_write(w, index, TMAIL_FATE_DELIVERED, 0);
		return;
	}
	r->report = r->note;
	r->state = RECIPIENT_TO_REPORT;
}
