/* SPDX-License-Identifier: MIT
 *
 * Content as it arrives, of DATA and of BDAT alike: octets → the one machine that knows line
 * endings (mail/dot) → the message, whose body goes to the store's spool when it is large. What
 * is refused on the way goes through the same machine to the same end, without being kept, and
 * only then is the reason told.
 */
#include "base/log.h"
#include "host/metrics.h"
#include "mail/header.h"
#include "smtp/place.h"
#include "smtp/transaction.h"

enum { RESERVE_MORE = 1024 * 1024 };

/* ---- time -------------------------------------------------------------------------------- */

/* ms that are left of so many since then. */
static int64_t left_of(const struct session *s, int64_t ms, int64_t since)
{
	int64_t spent = (loop_now(s->subject.loop) - since) / 1000;

	return ms > spent ? ms - spent : 0;
}

int64_t content_left(const struct session *s)
{
	return left_of(s, s->settings->timeout_message, s->transaction->content_first);
}

/* What the octets so far have earned, counted from the start: who sends one octet a minute is
 * not given a minute for each. */
int64_t content_patience(const struct session *s)
{
	const struct transaction *t = s->transaction;
	const struct smtp_settings *settings = s->settings;
	uint64_t earned = t->arrived * 1000 / (uint64_t)settings->min_data_rate;
	int64_t all = content_left(s), ms;

	if (earned >= (uint64_t)settings->timeout_message)
		return all;
	ms = left_of(s, settings->timeout_data + (int64_t)earned, t->content_began);
	return ms < all ? ms : all;
}

static void content_begin(struct session *s, enum session_state state)
{
	struct transaction *t = s->transaction;

	t->arrived = 0;
	t->whole = false;
	t->content_began = loop_now(s->subject.loop);
	if (t->content_first == 0)
		t->content_first = t->content_began;
	t->reader.normalize = s->settings->bare_newline == 1;
	if (t->scan_at == 0)
		t->scan_at = MESSAGE_MEMORY;
	session_enter(s, state);
}

void content_data(struct session *s)
{
	content_begin(s, STATE_DATA);
}

void content_chunk(struct session *s)
{
	content_begin(s, STATE_CHUNK);
}

/* ---- room -------------------------------------------------------------------------------- */

/* The header must be in memory as a whole; looked for at sizes that double. Whether it is too
 * large is said by the same octets however they were cut: by those up to the limit. */
static void header_look(struct session *s)
{
	struct transaction *t = s->transaction;
	struct message *m = t->message;
	const size_t most = (size_t)s->settings->max_header_size + 1;
	size_t end;

	if (m->header_length > 0)
		return;
	t->scan_at = 2 * m->data.len < most || m->data.len >= most ? 2 * m->data.len : most;
	if (header_complete(str_slice(buf_str(&m->data), 0, most), &end))
		m->header_length = end;
	else if (m->data.len >= most)
		transaction_refuse(s, SAY_HEADER_TOO_LARGE);
}

/* After octets were taken, and after the spool took them. */
static void content_go_on(struct session *s)
{
	struct transaction *t = s->transaction;

	if (!t->whole) {
		session_expect(s);
	} else if (s->state == STATE_CHUNK && !t->chunk_last && t->refusal.len == 0) {
		session_enter(s, STATE_CHUNKS);
		session_say(s, SAY_CHUNK_OK);
	} else {
		finish_start(s);
	}
}

enum say content_spool_trouble(struct session *s)
{
	struct message *m = s->transaction->message;
	enum commit_result room = server_upcalls()->reserve(&s->subject, RESERVE_MORE);

	if (room == COMMIT_DURABLE)
		m->reserved += RESERVE_MORE;
	if (room != COMMIT_FULL)
		return SAY_LATER;
	metric_add(METRIC_limit_memory, 1);
	return SAY_NO_ROOM;
}

static void spooled(void *ctx, bool ok, struct str why)
{
	struct session *s = ctx;

	session_wake(s);
	if (!ok) {
		log_event(LEVEL_WARNING, &s->log, "spool_failed", LOG_STR("why", why));
		transaction_refuse(s, content_spool_trouble(s));
	}
	content_go_on(s);
	session_run(s);
}

/* Body that is too much for memory goes to the store; the session reads on when it is there. */
static void content_spool(struct session *s)
{
	session_wait(s, WAITING_SPOOL);
	server_upcalls()->spool(&s->subject, false, spooled, s);
}

/* More than was said or thought: the store keeps more room free, or the message ends here. */
static void content_reserve(struct session *s)
{
	struct message *m = s->transaction->message;

	while (message_size(m) > m->reserved) {
		enum commit_result result = server_upcalls()->reserve(&s->subject, RESERVE_MORE);

		if (result != COMMIT_DURABLE) {
			if (result == COMMIT_FULL)
				metric_add(METRIC_limit_memory, 1);
			transaction_refuse(s, result == COMMIT_FULL ? SAY_NO_ROOM : SAY_LATER);
			return;
		}
		m->reserved += RESERVE_MORE;
	}
}

static bool too_large(const struct session *s)
{
	uint64_t max = (uint64_t)s->settings->max_message_size;

	return max && message_size(s->transaction->message) > max;
}

/* Memory is shared by all sessions: what does not fit is spooled, and a header alone that does
 * not fit is too much. */
static void content_fit(struct session *s)
{
	struct message *m = s->transaction->message;
	bool charged = message_charge(m);

	if (!charged || m->data.len >= s->transaction->scan_at)
		header_look(s);
	if (s->transaction->refusal.len > 0)
		return;
	if (m->header_length > 0 &&
		(!charged || m->data.len - m->header_length >= MESSAGE_MEMORY)) {
		if (m->data.len > m->header_length)
			content_spool(s);
		return;
	}
	if (charged)
		return;
	metric_add(METRIC_limit_memory, 1);
	transaction_refuse(s, SAY_NO_ROOM);
}

/* The message has octets more than `before`. */
static void content_grew(struct session *s, size_t before)
{
	struct transaction *t = s->transaction;
	struct message *m = t->message;
	struct chain_answer answer;

	if (t->refusal.len > 0 || !m || m->data.len == before)
		return;
	if (too_large(s)) {
		transaction_refuse(s, SAY_TOO_LARGE);
		return;
	}
	if (!chain_stream(
		    &s->subject, str_slice(buf_str(&m->data), before, m->data.len), &answer)) {
		transaction_mark(s, &answer);
		if (!m->discard) {
			transaction_refuse_answer(s, &answer);
			return;
		}
	}
	content_reserve(s);
	if (t->refusal.len == 0)
		content_fit(s);
}

/* ---- octets ------------------------------------------------------------------------------ */

static void content_took(struct session *s, size_t used, size_t before)
{
	s->transaction->arrived += used;
	stream_take(s->stream, used);
	content_grew(s, before);
	if (s->waiting == WAITING_NOBODY)
		content_go_on(s);
}

static bool data_step(struct session *s)
{
	struct transaction *t = s->transaction;
	struct message *m = t->message;
	struct str in = stream_input(s->stream);
	size_t before = m->data.len, used;

	if (in.len == 0)
		return false;
	t->whole = dot_read(&t->reader, in, &used, &m->data);
	content_took(s, used, before);
	return true;
}

static bool chunk_step(struct session *s)
{
	struct transaction *t = s->transaction;
	struct str in = stream_input(s->stream);
	size_t before = t->message ? t->message->data.len : 0;

	if (in.len == 0 && t->chunk_left > 0)
		return false;
	if (in.len > t->chunk_left)
		in.len = (size_t)t->chunk_left;
	t->chunk_left -= in.len;
	if (t->refusal.len == 0)
		line_read(&t->reader, in, &t->message->data);
	t->whole = t->chunk_left == 0;
	if (t->whole && t->chunk_last && t->refusal.len == 0)
		line_finish(&t->reader, &t->message->data);
	content_took(s, in.len, before);
	return true;
}

bool content_step(struct session *s)
{
	return s->state == STATE_DATA ? data_step(s) : chunk_step(s);
}
