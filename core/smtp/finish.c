/* SPDX-License-Identifier: MIT
 *
 * From the end of content to its final reply, step by step; most steps may wait.
 *
 *   refused on the way? → header, hops → reverse name → spool the rest → modules → recipients
 *   decided apart → trace → commit → 250
 *
 * 250 is said after the store has said "durable", and not before. Whatever the reply, there is no
 * transaction after it.
 */
#include "base/log.h"
#include "host/metrics.h"
#include "smtp/place.h"
#include "smtp/trace.h"
#include "smtp/transaction.h"

static void finish_end(struct session *s)
{
	transaction_end(s);
	session_enter(s, session_rest(s));
}

/* ---- no ---------------------------------------------------------------------------------- */

static void refused_log(struct session *s, unsigned code, struct str why)
{
	const struct transaction *t = s->transaction;
	const struct message *m = t->message;

	if (!m)
		return; /* a chunk that belonged to no message */
	metric_add(METRIC_messages_refused, 1);
	log_event(LEVEL_INFO, &s->log, "refused", LOG_C("verb", "DATA"),
		LOG_ID("id", id_tm(m->envelope.id)), LOG_NUM("code", code),
		LOG_STR("text", str_trim_line(why)), LOG_C("client", s->address),
		LOG_STR("from", str_tm(m->envelope.sender)), LOG_NUM("rcpts", m->recipient_count));
}

/* With what transaction_refuse put down. */
static void finish_refused(struct session *s)
{
	struct transaction *t = s->transaction;
	unsigned code = t->refusal_code; /* t is gone before it is looked at */

	refused_log(s, code, buf_str(&t->refusal));
	metric_add(METRIC_commands_refused, 1);
	buf_add(stream_output(s->stream), buf_str(&t->refusal));
	finish_end(s);
	if (say_ends(code))
		session_close(s, SAY_NOTHING, "module");
}

static void finish_refuse(struct session *s, enum say say)
{
	transaction_refuse(s, say);
	finish_refused(s);
}

/* ---- yes --------------------------------------------------------------------------------- */

static void accepted_say(struct session *s, const struct message *m)
{
	struct buf *out = stream_output(s->stream);
	char id[ID_TEXT + 3];

	id_text(id_tm(m->envelope.id), id);
	memcpy(id + ID_TEXT, "\r\n", 3);
	buf_add(out, STR("250 2.0.0 Ok: queued "));
	buf_add(out, str_make(id, ID_TEXT + 2));
	s->messages++;
	s->junk = 0;
}

static void accepted_log(struct session *s, const struct message *m)
{
	const struct transaction *t = s->transaction;
	struct str first = { NULL, 0 };

	if (m->recipient_count > 0)
		first = str_tm(m->recipients[0].address);
	log_event(LEVEL_INFO, &s->log, m->discard ? "discarded" : "accepted",
		LOG_ID("id", id_tm(m->envelope.id)), LOG_STR("from", str_tm(m->envelope.sender)),
		LOG_STR("to", first), LOG_NUM("rcpts", m->recipient_count),
		LOG_NUM("size", t->size), LOG_C("client", s->address),
		LOG_STR("helo", str_tm(s->subject.client.helo)),
		LOG_IF(s->login, LOG_STR("login", str_tm(s->subject.client.login))),
		LOG_NUM("ms", (loop_now(s->subject.loop) - t->began) / 1000));
}

static void finish_discarded(struct session *s)
{
	struct message *m = s->transaction->message;

	s->transaction->size = message_size(m);
	metric_add(METRIC_discarded, 1);
	accepted_log(s, m);
	accepted_say(s, m);
	finish_end(s);
}

static void finish_queued(struct session *s)
{
	struct transaction *t = s->transaction;
	const struct message *m = t->message;
	const union tmail_event event = { .queued = { m->envelope.id } };

	t->queued = true;
	metric_add(METRIC_messages_accepted, 1);
	metric_add(METRIC_octets_accepted, (int64_t)t->size);
	accepted_log(s, m);
	accepted_say(s, m);
	chain_tell(&s->subject, TMAIL_POINT_QUEUED, &event);
	finish_end(s);
}

static void committed(void *ctx, enum commit_result result, struct str why)
{
	struct session *s = ctx;

	(void)why; /* the queue has logged it */
	session_wake(s);
	if (result == COMMIT_DURABLE) {
		finish_queued(s);
	} else {
		if (result == COMMIT_FULL)
			metric_add(METRIC_limit_memory, 1);
		finish_refuse(s, result == COMMIT_FULL ? SAY_NO_ROOM : SAY_LATER);
	}
	session_run(s);
}

/* The message is the store's from here on, also when the client leaves; a reference stays, to
 * read from and to write into the log. */
static void finish_commit(struct session *s)
{
	struct transaction *t = s->transaction;
	struct message *m = t->message;

	trace_received(s, m);
	t->size = message_size(m) - (m->spool_stale ? m->spool_size : 0);
	t->committed = true;
	message_ref(m);
	session_wait(s, WAITING_COMMIT);
	server_upcalls()->commit(&s->subject, m, committed, s);
}

/* ---- modules ----------------------------------------------------------------------------- */

static const struct recipient_verdict *first_of(
	const struct recipient_verdict *list, enum tmail_verdict verdict)
{
	while (list && list->verdict != verdict)
		list = list->next;
	return list;
}

static size_t count_of(const struct recipient_verdict *list, enum tmail_verdict verdict)
{
	size_t count = 0;

	for (; list; list = list->next)
		count += list->verdict == verdict;
	return count;
}

static void refuse_in_words_of(struct session *s, const struct recipient_verdict *verdict)
{
	struct chain_answer answer = {
		.verdict = verdict->verdict, .code = verdict->code, .text = verdict->text
	};

	memcpy(answer.enhanced, verdict->enhanced, sizeof answer.enhanced);
	transaction_refuse_answer(s, &answer);
	finish_refused(s);
}

/* For the queue: what the host keeps of verdicts ends with the session's part. */
static const struct recipient_verdict *verdicts_keep(
	struct message *m, const struct recipient_verdict *list)
{
	struct recipient_verdict *first = NULL, **last = &first;

	for (; list; list = list->next) {
		struct recipient_verdict *kept;

		if (list->verdict != TMAIL_REJECT)
			continue;
		kept = ARENA_NEW(m->arena, struct recipient_verdict);
		*kept = *list;
		kept->text = arena_str(m->arena, list->text);
		kept->next = NULL;
		*last = kept;
		last = &kept->next;
	}
	return first;
}

/* Recipients refused one by one. All alike: that is the reply. Any for now: all of it for now.
 * Else the others are accepted and the refused ones bounce, if the client is one of ours; mail
 * from strangers is never answered with mail. True when the message was refused. */
static bool recipients_decided(struct session *s)
{
	struct message *m = s->transaction->message;
	const struct recipient_verdict *verdicts = message_verdicts(&s->subject), *one;
	bool *gone;

	if (!verdicts)
		return false;
	one = first_of(verdicts, TMAIL_TEMPFAIL);
	if (!one && count_of(verdicts, TMAIL_REJECT) == m->recipient_count)
		one = first_of(verdicts, TMAIL_REJECT);
	if (one) {
		refuse_in_words_of(s, one);
		return true;
	}
	if (m->relay) {
		m->refused = verdicts_keep(m, verdicts);
		return false;
	}
	gone = ARENA_ARRAY(m->arena, bool, m->recipient_count);
	for (one = verdicts; one; one = one->next) {
		if (one->verdict != TMAIL_REJECT || one->index >= m->recipient_count ||
			gone[one->index])
			continue;
		log_event(LEVEL_INFO, &s->log, "recipient_dropped",
			LOG_ID("id", id_tm(m->envelope.id)),
			LOG_STR("to", str_tm(m->recipients[one->index].address)),
			LOG_NUM("code", one->code), LOG_STR("text", one->text));
		gone[one->index] = true;
	}
	message_remove_recipients(m, gone);
	return false;
}

static void content_decided(struct session *s, const struct chain_answer *answer)
{
	struct message *m = s->transaction->message;

	if (answer->verdict == TMAIL_REJECT || answer->verdict == TMAIL_TEMPFAIL) {
		transaction_refuse_answer(s, answer);
		finish_refused(s);
		return;
	}
	transaction_mark(s, answer);
	if (m->discard || m->recipient_count == 0) /* or modules took all of them out */
		finish_discarded(s);
	else if (!recipients_decided(s))
		finish_commit(s);
}

static void content_answered(void *ctx, const struct chain_answer *answer)
{
	struct session *s = ctx;

	session_wake(s);
	content_decided(s, answer);
	session_run(s);
}

static void finish_ask(struct session *s)
{
	struct chain_answer answer;

	if (s->transaction->message->discard)
		finish_discarded(s);
	else if (chain_content(&s->subject, &answer, content_answered, s))
		content_decided(s, &answer);
	else
		session_wait(s, WAITING_ANSWER);
}

/* ---- before them ------------------------------------------------------------------------- */

static void rest_spooled(void *ctx, bool ok, struct str why)
{
	struct session *s = ctx;

	session_wake(s);
	if (ok) {
		finish_ask(s);
	} else {
		log_event(LEVEL_WARNING, &s->log, "spool_failed", LOG_STR("why", why));
		finish_refuse(s, content_spool_trouble(s));
	}
	session_run(s);
}

static void finish_named(struct session *s)
{
	struct message *m = s->transaction->message;

	if (m->relay)
		trace_complete(m, s->settings);
	if (m->spool_size == 0) {
		finish_ask(s);
		return;
	}
	/* What is spooled comes behind what is in memory: the last octets go there too. */
	session_wait(s, WAITING_SPOOL);
	server_upcalls()->spool(&s->subject, true, rest_spooled, s);
}

void finish_unnamed(struct session *s)
{
	dns_lookup_cancel(&s->reverse);
	session_wake(s);
	finish_named(s);
}

static void finish_name(struct session *s)
{
	int64_t waited = (loop_now(s->subject.loop) - s->opened) / 1000;

	if (s->reverse && waited < s->settings->reverse_lookup) {
		session_wait(s, WAITING_REVERSE);
		deadline_set(&s->deadline, s->settings->reverse_lookup - waited);
		return;
	}
	dns_lookup_cancel(&s->reverse);
	finish_named(s);
}

/* What the octets themselves say against it. */
static enum say content_fault(struct session *s)
{
	struct transaction *t = s->transaction;
	struct message *m = t->message;

	if (t->reader.nul)
		return SAY_HAS_NUL;
	if ((t->reader.bare_cr || t->reader.bare_lf) && !t->reader.normalize)
		return SAY_BARE_NEWLINE;
	trace_header_end(m);
	if (m->header_length > (size_t)s->settings->max_header_size)
		return SAY_HEADER_TOO_LARGE;
	if (trace_too_many_hops(m, s->settings->max_hops))
		return SAY_TOO_MANY_HOPS;
	return SAY_NOTHING;
}

void finish_start(struct session *s)
{
	enum say fault;

	session_enter(s, STATE_FINISH);
	if (s->transaction->refusal.len > 0) {
		finish_refused(s);
		return;
	}
	fault = content_fault(s);
	if (fault != SAY_NOTHING)
		finish_refuse(s, fault);
	else
		finish_name(s);
}
