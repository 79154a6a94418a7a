/* SPDX-License-Identifier: MIT
 *
 * Reports: who is to be told what, the original's header (or all of it) read back, the report
 * written, injected, and only then the fates of those who failed. Nothing without a sender is
 * ever reported on: what fails there is dropped, and the log says so.
 */
#include "queue/bounce.h"

#include "base/encode.h"
#include "base/log.h"
#include "mail/address.h"
#include "mail/dsn.h"
#include "mail/header.h"
#include "queue/outcome.h"
#include "sys/file.h"

#include <stdlib.h>

enum { HEADER_MAX = 64 * 1024, TEMPLATE_MAX = 64 * 1024 };

/* The words of the first tmail. */
static const char text_failed[] = "Hi. This is the tmail deliverd program at ${me}\n"
				  "I'm afraid I wasn't able to deliver your message to the\n"
				  "following addresses. This is a permanent error; I've given up.\n"
				  "Sorry it didn't work out.\n"
				  "\n"
				  "${recipients}"
				  "--- Below this line is a copy of ${what}.\n";
static const char text_delayed[] = "Hi. This is the tmail deliverd program at ${me}\n"
				   "I haven't been able to deliver your message to the following\n"
				   "addresses yet. This is only a warning: I'll keep trying until\n"
				   "${until}. You don't have to send it again.\n"
				   "\n"
				   "${recipients}"
				   "--- Below this line is a copy of ${what}.\n";
static const char text_delivered[] = "Hi. This is the tmail deliverd program at ${me}\n"
				     "Your message was delivered to the following addresses.\n"
				     "\n"
				     "${recipients}"
				     "--- Below this line is a copy of ${what}.\n";
static const char text_relayed[] =
	"Hi. This is the tmail deliverd program at ${me}\n"
	"Your message was passed on for the following addresses, to a server\n"
	"that doesn't report whether it arrived.\n"
	"\n"
	"${recipients}"
	"--- Below this line is a copy of ${what}.\n";
static const char text_expired[] =
	"I'm not going to try again, this message has been in the queue for too long.\n";

static const struct {
	enum dsn_action action;
	const char *text, *subject;
} kinds[] = {
	[REPORT_FAILED] = { DSN_FAILED, text_failed, "failure" },
	[REPORT_DELAYED] = { DSN_DELAYED, text_delayed, "delay" },
	[REPORT_DELIVERED] = { DSN_DELIVERED, text_delivered, "delivery" },
	[REPORT_RELAYED] = { DSN_RELAYED, text_relayed, "relay" },
};

/* ---- the message ----------------------------------------------------------------------- */

uint64_t bounce_wants(const struct message *about, uint64_t size, enum recipient_report report,
	const struct queue_settings *settings, bool *whole)
{
	*whole = report == REPORT_FAILED && about->envelope.ret != TMAIL_RET_HDRS &&
		size <= (uint64_t)settings->bounce_size;
	return *whole ? size : size < HEADER_MAX ? size : HEADER_MAX;
}

static void recipients_text(struct buf *out, const struct bounce *b)
{
	for (size_t i = 0; i < b->count; i++) {
		const struct bounce_recipient *r = &b->recipients[i];

		buf_printf(out, "<%.*s>:\n", STR_ARG(r->address));
		if (r->host.len)
			buf_printf(out, "%.*s said: ", STR_ARG(r->host));
		buf_printf(out, "%.*s\n", STR_ARG(r->reply));
		if (b->expired)
			buf_add_c(out, text_expired);
		buf_add_char(out, '\n');
	}
}

static void text_write(struct buf *out, const struct bounce *b,
	const struct queue_settings *settings, int64_t now, bool whole)
{
	struct str template = b->template.len ? b->template : str_c(kinds[b->report].text);
	struct buf recipients = { 0 };
	char date[40], until[40];

	date_text(now, date);
	date_text(b->recipients[0].until, until);
	recipients_text(&recipients, b);
	const struct str pairs[] = { STR("me"), str_tm(settings->hostname), STR("date"),
		str_c(date), STR("sender"), str_tm(b->about->envelope.sender), STR("recipients"),
		buf_str(&recipients), STR("until"), str_c(until), STR("what"),
		whole ? STR("the message") : STR("the message's header") };
	template_expand(out, template, pairs, sizeof pairs / sizeof *pairs / 2);
	buf_free(&recipients);
}

static struct dsn_recipient *dsn_recipients(const struct bounce *b, struct arena *arena, bool *utf8)
{
	struct dsn_recipient *list = ARENA_ARRAY(arena, struct dsn_recipient, b->count);

	*utf8 = false;
	for (size_t i = 0; i < b->count; i++) {
		const struct bounce_recipient *r = &b->recipients[i];

		list[i] = (struct dsn_recipient){ .address = r->address,
			.original = r->original,
			.action = kinds[b->report].action,
			.host = r->host,
			.diagnostic = r->reply,
			.last_attempt = r->last_attempt,
			.will_retry_until = r->until };
		memcpy(list[i].status, r->status, sizeof r->status);
		if (!ascii_only(r->address) || !ascii_only(r->original))
			*utf8 = true;
	}
	return list;
}

struct message *bounce_make(const struct bounce *b, const struct queue_settings *settings)
{
	int64_t now = clock_wall();
	struct id id = id_make(now, (uint16_t)settings->node, random_u64());
	struct message *m = message_new(id, now);
	struct str me = arena_str(m->arena, str_tm(settings->hostname));
	struct buf text = { 0 };
	char id_of_report[ID_TEXT + 1], id_of_message[ID_TEXT + 1];
	bool utf8;
	struct dsn dsn = { .reporting_mta = me,
		.envid = str_tm(b->about->envelope.envid),
		.to = str_tm(b->about->envelope.sender),
		.from = arena_printf(m->arena, "MAILER-DAEMON@%.*s", STR_ARG(me)),
		.date = now,
		.arrival = b->about->envelope.received,
		.count = b->count,
		.message = b->whole ? b->content : str_slice(b->content, 0, header_end(b->content)),
		.whole = b->whole };

	id_text(id, id_of_report);
	id_text(id_tm(b->about->envelope.id), id_of_message);
	dsn.message_id = arena_printf(m->arena, "%s@%.*s", id_of_report, STR_ARG(me));
	dsn.queue_id = arena_str(m->arena, str_c(id_of_message));
	dsn.recipients = dsn_recipients(b, m->arena, &utf8);
	dsn.utf8 = utf8;
	text_write(&text, b, settings, now, b->whole);
	dsn.text = buf_str(&text);
	dsn_write(&m->data, &dsn);
	buf_free(&text);
	m->header_length = header_end(buf_str(&m->data));
	m->envelope.body = ascii_only(buf_str(&m->data)) ? TMAIL_BODY_7BIT : TMAIL_BODY_8BITMIME;
	m->envelope.smtputf8 = utf8;
	m->client_kind = TMAIL_CLIENT_BOUNCE;
	message_add_recipient(m, dsn.to, STR(""), TMAIL_NOTIFY_NEVER);
	return m;
}

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
	struct bounce bounce;
	struct buf content, template;
	const char *template_file; /* NULL: the built-in text */
	uint64_t wants, size;
	bool read;
};

static void reporting_free(struct reporting *r)
{
	buf_free(&r->content);
	buf_free(&r->template);
	free(r);
}

static bool is_reported(const struct work *w, uint32_t i, enum recipient_report report)
{
	return w->recipients[i].report == report;
}

/* Of those who failed, all that are in no report that is still to be made. */
static void fail_the_rest(struct work *w)
{
	for (uint32_t i = 0; i < w->m->recipient_count; i++)
		if (w->recipients[i].state == RECIPIENT_FAILED &&
			w->recipients[i].report == REPORT_NONE)
			outcome_failed(w, i);
}

static void reported(void *ctx, enum inject_result result, struct str why)
{
	struct reporting *r = ctx;
	struct work *w = r->w;
	enum recipient_report report = r->bounce.report;
	bool durable = result == INJECT_DURABLE || result == INJECT_REFUSED;

	if (result == INJECT_REFUSED)
		log_event(LEVEL_WARNING, NULL, "bounce_dropped", LOG_ID("id", w->id),
			LOG_STR("why", why));
	for (uint32_t i = 0; i < w->m->recipient_count; i++) {
		if (!is_reported(w, i, report))
			continue;
		w->recipients[i].report = REPORT_NONE;
		if (report == REPORT_FAILED && !durable)
			outcome_postpone(w, i, why);
	}
	reporting_free(r);
	w->reporting = false;
	work_go_on(w);
}

static void report_read(struct job *job)
{
	struct reporting *r = container_of(job, struct reporting, job);
	struct why why;

	r->read = content_read(queue.store, r->w->m, r->size, r->wants, &r->content);
	if (r->template_file && !file_read(r->template_file, TEMPLATE_MAX, &r->template, &why)) {
		log_event(LEVEL_ERROR, NULL, "bounce_template", LOG_C("why", why.text));
		buf_clear(&r->template);
	}
}

static void report_write(struct job *job)
{
	struct reporting *r = container_of(job, struct reporting, job);
	struct work *w = r->w;
	struct message *m;
	char id[ID_TEXT + 1];

	if (!r->read) {
		reported(r, INJECT_TRY_LATER, STR("the message cannot be read back now"));
		return;
	}
	r->bounce.content = buf_str(&r->content);
	r->bounce.template = buf_str(&r->template);
	m = bounce_make(&r->bounce, queue_settings_now(w->ql));
	id_text(id_tm(m->envelope.id), id);
	log_event(LEVEL_INFO, NULL, "report", LOG_ID("id", w->id),
		LOG_C("kind", kinds[r->bounce.report].subject), LOG_C("report", id),
		LOG_STR("to", str_tm(w->m->envelope.sender)));
	queue_inject(w->ql->loop, m, TMAIL_CLIENT_BOUNCE, reported, r);
}

static void report_unread(struct task *task)
{
	report_write(container_of(task, struct job, task));
}

static struct bounce_recipient *bounce_recipients(
	struct work *w, enum recipient_report report, size_t count)
{
	const struct queue_settings *settings = queue_settings_now(w->ql);
	struct bounce_recipient *list = ARENA_ARRAY(w->m->arena, struct bounce_recipient, count);
	size_t n = 0;

	for (uint32_t i = 0; i < w->m->recipient_count; i++) {
		struct work_recipient *r = &w->recipients[i];
		struct bounce_recipient *to = &list[n];

		if (!is_reported(w, i, report))
			continue;
		n++;
		*to = (struct bounce_recipient){ .address = str_tm(w->m->recipients[i].address),
			.original = str_tm(w->m->recipients[i].original),
			.host = r->host,
			.reply = r->reply,
			.last_attempt = clock_wall() };
		if (report == REPORT_DELAYED)
			to->until = w->m->envelope.received + settings->lifetime * 1000;
		memcpy(to->status, r->status, sizeof to->status);
	}
	return list;
}

static size_t reported_count(const struct work *w, enum recipient_report report, bool *expired)
{
	size_t n = 0;

	*expired = false;
	for (uint32_t i = 0; i < w->m->recipient_count; i++) {
		if (!is_reported(w, i, report))
			continue;
		n++;
		*expired |= w->recipients[i].expired;
	}
	return n;
}

static void report_start(struct work *w, enum recipient_report report, size_t count, bool expired)
{
	const struct queue_settings *settings = queue_settings_now(w->ql);
	struct reporting *r = must_alloc(sizeof *r);

	r->w = w;
	r->size = w->size;
	r->bounce.report = report;
	r->bounce.about = w->m;
	r->bounce.recipients = bounce_recipients(w, report, count);
	r->bounce.count = count;
	r->bounce.expired = expired;
	r->wants = bounce_wants(w->m, w->size, report, settings, &r->bounce.whole);
	if (settings->bounce_template.len && report == REPORT_FAILED)
		r->template_file = arena_c(w->m->arena, str_tm(settings->bounce_template));
	r->job.work = report_read;
	r->job.done = report_write;
	w->reporting = true;
	if (!lane_submit(queue.io, &r->job)) {
		r->job.task.run = report_unread;
		loop_post(w->ql->loop, &r->job.task);
	}
}

/* The null sender is never told anything. */
static void drop_reports(struct work *w)
{
	for (uint32_t i = 0; i < w->m->recipient_count; i++) {
		if (w->recipients[i].report == REPORT_FAILED)
			log_event(LEVEL_INFO, NULL, "bounce_discarded", LOG_ID("id", w->id),
				LOG_STR("to", str_tm(w->m->recipients[i].address)),
				LOG_C("why", "the message has no sender"));
		w->recipients[i].report = REPORT_NONE;
	}
}

bool bounce_start(struct work *w)
{
	bool expired;

	if (w->m->envelope.sender.len == 0)
		drop_reports(w);
	for (enum recipient_report k = REPORT_FAILED; k <= REPORT_RELAYED; k++) {
		size_t count = reported_count(w, k, &expired);

		if (count > 0) {
			report_start(w, k, count, expired);
			return true;
		}
	}
	fail_the_rest(w);
	return false;
}
