/* SPDX-License-Identifier: MIT
 *
 * Reports: who is to be told what, the original's header (or all of it) read back, the report
 * made (report.c), injected, and only then the fates of those who failed. (Who is to be told at
 * all is outcome.c's to say.)
 */
#include "queue/bounce.h"

#include "base/log.h"
#include "queue/outcome.h"

#include <stdlib.h>

/* ---- the original ---------------------------------------------------------------------- */

bool content_read(struct service *store, const struct message *m, uint64_t size, uint64_t limit,
	struct buf *out)
{
	struct tmail_queue_read question = { .size = sizeof question, .id = m->envelope.id };
	struct str pieces[2];
	size_t count = message_pieces(m, pieces);
	struct arena *arena;
	bool ok = true;

	if (limit > size)
		limit = size;
	for (size_t i = 0; i < count && out->len < limit; i++)
		buf_add(out, str_slice(pieces[i], 0, limit - out->len));
	while (ok && out->len < limit) {
		struct tmail_queue_content content = { .size = sizeof content };

		arena = arena_new(1024);
		question.offset = out->len;
		question.limit = limit - out->len;
		ok = service_ask_wait(store, TMAIL_QUEUE_READ, &question, &content, arena) ==
				TMAIL_OK &&
			content.octets.len > 0 && content.octets.len <= question.limit;
		if (ok)
			buf_add(out, str_tm(content.octets));
		arena_free(&arena);
	}
	return ok;
}

/* ---- of a message under delivery ------------------------------------------------------- */

struct reporting {
	struct job job;
	struct work *w;
	struct report report;
	struct buf content;
	uint64_t wants, size;
	bool read;
};

static void reporting_free(struct reporting *r)
{
	buf_free(&r->content);
	free(r);
}

static bool is_reported(const struct work *w, uint32_t i, enum recipient_report report)
{
	return w->recipients[i].report == report;
}

/* Of those who failed, all whom nobody is to be told of. */
static void fail_the_rest(struct work *w)
{
	for (uint32_t i = 0; i < w->m->recipient_count; i++)
		if (w->recipients[i].state == RECIPIENT_TO_REPORT &&
			w->recipients[i].report == REPORT_NONE)
			outcome_reported(w, i, REPORT_FAILED);
}

/* Is it tried again? More than a report of failure is at stake; one of delay or success is worth
 * no more than the message itself. */
static bool is_postponed(
	const struct work *w, enum recipient_report kind, enum inject_result result)
{
	if (result == INJECT_DURABLE || result == INJECT_REFUSED)
		return false;
	return kind == REPORT_FAILED || clock_wall() < outcome_end_of_life(w);
}

static void reported(void *ctx, enum inject_result result, struct str why)
{
	struct reporting *r = ctx;
	struct work *w = r->w;
	enum recipient_report kind = r->report.kind;
	bool again = is_postponed(w, kind, result);

	if (result != INJECT_DURABLE)
		log_event(LEVEL_WARNING, NULL, again ? "report_postponed" : "report_dropped",
			LOG_ID("id", w->id), LOG_STR("kind", report_name(kind)),
			LOG_STR("why", why));
	for (uint32_t i = 0; i < w->m->recipient_count; i++) {
		if (!is_reported(w, i, kind))
			continue;
		w->recipients[i].report = REPORT_NONE;
		if (again)
			outcome_postpone(w, i, kind);
		else
			outcome_reported(w, i, kind);
	}
	reporting_free(r);
	w->reporting = false;
	work_go_on(w);
}

static void report_read(struct job *job)
{
	struct reporting *r = container_of(job, struct reporting, job);

	r->read = content_read(queue.store, r->w->m, r->size, r->wants, &r->content);
}

static void report_write(struct job *job)
{
	struct reporting *r = container_of(job, struct reporting, job);
	struct work *w = r->w;
	struct message *m;

	if (!r->read) {
		reported(r, INJECT_TRY_LATER, STR("the message cannot be read back now"));
		return;
	}
	r->report.content = buf_str(&r->content);
	m = report_make(&r->report, queue_settings_now(w->ql));
	log_event(LEVEL_INFO, NULL, "report", LOG_ID("id", w->id),
		LOG_STR("kind", report_name(r->report.kind)),
		LOG_ID("report", id_tm(m->envelope.id)),
		LOG_STR("to", str_tm(w->m->envelope.sender)));
	queue_inject(w->ql->loop, m, TMAIL_CLIENT_BOUNCE, reported, r);
}

static void report_unread(struct task *task)
{
	report_write(container_of(task, struct job, task));
}

static void recipients_list(struct reporting *r)
{
	struct work *w = r->w;
	struct report_recipient *list =
		ARENA_ARRAY(w->m->arena, struct report_recipient, w->m->recipient_count);

	r->report.recipients = list;
	r->report.count = 0;
	for (uint32_t i = 0; i < w->m->recipient_count; i++) {
		struct work_recipient *from = &w->recipients[i];
		struct report_recipient *to = &list[r->report.count];

		if (!is_reported(w, i, r->report.kind))
			continue;
		r->report.count++;
		*to = (struct report_recipient){ .address = str_tm(w->m->recipients[i].address),
			.original = str_tm(w->m->recipients[i].original),
			.host = from->silent ? STR("") : from->host,
			.reply = from->reply,
			.last_attempt = clock_wall(),
			.expired = from->expired };
		memcpy(to->status, from->status, sizeof to->status);
	}
}

static void report_start(struct work *w, enum recipient_report kind)
{
	struct reporting *r = must_alloc(sizeof *r);

	r->w = w;
	r->size = w->size;
	r->report.kind = kind;
	r->report.about = w->m;
	recipients_list(r);
	r->wants = report_wants(w->m, w->size, kind, queue_settings_now(w->ql), &r->report.whole);
	r->job.work = report_read;
	r->job.done = report_write;
	w->reporting = true;
	if (!lane_submit(queue.io, &r->job)) {
		r->job.task.run = report_unread;
		loop_post(w->ql->loop, &r->job.task);
	}
}

bool bounce_start(struct work *w)
{
	for (enum recipient_report k = REPORT_FAILED; k <= REPORT_RELAYED; k++)
		for (uint32_t i = 0; i < w->m->recipient_count; i++)
			if (is_reported(w, i, k)) {
				report_start(w, k);
				return true;
			}
	fail_the_rest(w);
	return false;
}
