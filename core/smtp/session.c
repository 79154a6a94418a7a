/* SPDX-License-Identifier: MIT
 *
 * A session's life: its states, its deadlines, what wakes it, what ends it. What commands and
 * content mean is next door (command.c, content.c, finish.c).
 *
 *   NEW -> [PROXY] -> CONNECT -> START -> READY <-> MAIL -> RCPT -> DATA ---> FINISH -> READY
 *                                         READY <-> AUTH
 *   NEW, PROXY -> TLS -> CONNECT; START, READY -> TLS -> START
 *                                                            RCPT -> CHUNK <-> CHUNKS
 *                                                                    CHUNK -> FINISH
 *
 * What must always hold: one reply to each command, in order; after the final reply to content,
 * good or bad, there is no transaction; a session whose octets the store holds is not freed.
 */
#include "smtp/session.h"

#include "base/log.h"
#include "host/metrics.h"
#include "mail/reply.h"
#include "smtp/auth.h"
#include "smtp/limit.h"
#include "smtp/place.h"
#include "smtp/transaction.h"
#include "sys/clock.h"

#include <stdarg.h>
#include <stdlib.h>

enum { UNSENT_MAX = 64 * 1024, LINGER_MS = 10000 };

/* ---- states ------------------------------------------------------------------------------ */

enum patience { PATIENCE_NONE, PATIENCE_COMMAND, PATIENCE_CONTENT };

#define TO(state) (1u << STATE_##state)
static const struct {
	const char *name;
	uint32_t next; /* legal steps */
	enum patience patience;
} states[SESSION_STATES] = {
	[STATE_NEW] = { "new", TO(PROXY) | TO(TLS) | TO(CONNECT) | TO(GONE), PATIENCE_NONE },
	[STATE_PROXY] = { "proxy", TO(TLS) | TO(CONNECT) | TO(GONE), PATIENCE_COMMAND },
	[STATE_TLS] = { "tls", TO(CONNECT) | TO(START) | TO(GONE), PATIENCE_COMMAND },
	[STATE_CONNECT] = { "connect", TO(START) | TO(GONE), PATIENCE_NONE },
	[STATE_START] = { "start", TO(READY) | TO(TLS) | TO(MAIL) | TO(CHUNK) | TO(GONE),
		PATIENCE_COMMAND },
	[STATE_READY] = { "ready", TO(READY) | TO(TLS) | TO(AUTH) | TO(MAIL) | TO(CHUNK) | TO(GONE),
		PATIENCE_COMMAND },
	[STATE_MAIL] = { "mail", TO(START) | TO(READY) | TO(RCPT) | TO(CHUNK) | TO(GONE),
		PATIENCE_COMMAND },
	[STATE_RCPT] = { "rcpt", TO(START) | TO(READY) | TO(DATA) | TO(CHUNK) | TO(GONE),
		PATIENCE_COMMAND },
	[STATE_CHUNKS] = { "chunks", TO(START) | TO(READY) | TO(CHUNK) | TO(GONE),
		PATIENCE_COMMAND },
	[STATE_DATA] = { "data", TO(FINISH) | TO(GONE), PATIENCE_CONTENT },
	[STATE_CHUNK] = { "chunk", TO(CHUNKS) | TO(FINISH) | TO(GONE), PATIENCE_CONTENT },
	[STATE_AUTH] = { "auth", TO(READY) | TO(GONE), PATIENCE_COMMAND },
	[STATE_FINISH] = { "finish", TO(START) | TO(READY) | TO(GONE), PATIENCE_NONE },
	[STATE_GONE] = { "gone", 0, PATIENCE_NONE },
};

void session_enter(struct session *s, enum session_state next)
{
	must(states[s->state].next & 1u << next);
	log_debug(&s->log, "state", LOG_C("from", states[s->state].name),
		LOG_C("to", states[next].name));
	s->state = (uint8_t)next;
	session_expect(s);
}

enum session_state session_rest(const struct session *s)
{
	return s->helo ? STATE_READY : STATE_START;
}

static bool in_transaction(const struct session *s)
{
	return s->transaction != NULL;
}

/* ---- deadlines --------------------------------------------------------------------------- */

/* A session's own end cuts the wait for a command short, and so does that of a message which
 * comes in chunks. */
static int64_t command_patience(const struct session *s)
{
	int64_t ms = s->settings->timeout_command, left = ms;

	if (s->state == STATE_CHUNKS)
		left = content_left(s);
	else if (s->settings->timeout_session != 0 && !in_transaction(s))
		left = s->settings->timeout_session -
			(loop_now(s->subject.loop) - s->opened) / 1000;
	if (left < 1)
		left = 1;
	return ms < left ? ms : left;
}

void session_expect(struct session *s)
{
	s->progress = false;
	switch (states[s->state].patience) {
	case PATIENCE_COMMAND:
		deadline_set(&s->deadline, command_patience(s));
		return;
	case PATIENCE_CONTENT:
		deadline_set(&s->deadline, content_patience(s));
		return;
	case PATIENCE_NONE:
		return; /* fires early at most, and is set again by who waits for something */
	}
}

static void deadline_fired(struct deadline *d)
{
	struct session *s = container_of(d, struct session, deadline);

	switch ((enum session_waiting)s->waiting) {
	case WAITING_ANSWER:
	case WAITING_SPOOL:
	case WAITING_COMMIT:
		return; /* who is waited for has a deadline of its own; session_wake sets ours */
	case WAITING_AUTH:
		auth_late(s);
		break;
	case WAITING_REVERSE:
		finish_unnamed(s);
		break;
	case WAITING_CLIENT:
		metric_add(METRIC_limit_timeout, 1);
		session_drop(s, "timeout");
		break;
	case WAITING_NOBODY:
		if (states[s->state].patience == PATIENCE_NONE && s->state != STATE_CONNECT)
			return;
		if (s->state == STATE_CONNECT) {
			greet_late(s);
		} else {
			metric_add(METRIC_limit_timeout, 1);
			session_close(s, SAY_TIMEOUT, "timeout");
		}
		break;
	}
	session_run(s);
}

/* ---- saying ------------------------------------------------------------------------------ */

void session_say(struct session *s, enum say say)
{
	const struct say_row *row = say_row(say);

	if (row->code >= 400)
		metric_add(METRIC_commands_refused, 1);
	if (row->flags & SAY_ERROR)
		s->errors++;
	buf_add(stream_output(s->stream), row->line);
}

void session_say_line(struct session *s, unsigned code, const char *enhanced, struct str text)
{
	if (code >= 400)
		metric_add(METRIC_commands_refused, 1);
	reply_write(stream_output(s->stream), code, enhanced, text,
		s->transaction && s->transaction->mail.smtputf8);
}

void session_sayf(struct session *s, unsigned code, const char *enhanced, const char *format, ...)
{
	struct buf text = { 0 };
	va_list args;

	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	session_say_line(s, code, enhanced, buf_str(&text));
	buf_free(&text);
}

/* ---- ending ------------------------------------------------------------------------------ */

static void tell_end(struct session *s, const char *reason)
{
	union tmail_event event = { .disconnect = { tm_str(str_c(reason)) } };

	log_event(LEVEL_DEBUG, &s->log, "session_closed", LOG_C("reason", reason),
		LOG_NUM("messages", s->messages), LOG_NUM("errors", s->errors),
		LOG_NUM("ms", (clock_mono() - s->opened) / 1000));
	transaction_end(s);
	if (s->state != STATE_NEW && s->state != STATE_PROXY)
		chain_tell(&s->subject, TMAIL_POINT_DISCONNECT, &event);
}

void session_drop(struct session *s, const char *reason)
{
	must(s->waiting != WAITING_SPOOL);
	if (s->state == STATE_GONE)
		return;
	if (s->waiting == WAITING_COMMIT)
		server_upcalls()->forget(s);
	subject_cancel(&s->subject);
	auth_end(s);
	s->waiting = WAITING_NOBODY;
	tell_end(s, reason);
	session_enter(s, STATE_GONE);
}

void session_close(struct session *s, enum say say, const char *reason)
{
	must(s->waiting != WAITING_SPOOL && s->waiting != WAITING_COMMIT);
	if (s->state == STATE_GONE)
		return;
	session_say(s, say);
	if (say_row(say)->code >= 400)
		log_event(LEVEL_INFO, &s->log, "session_refused", LOG_C("client", s->address),
			LOG_C("reason", reason), LOG_NUM("code", say_row(say)->code),
			LOG_STR("text", str_trim_line(say_row(say)->line)));
	session_drop(s, reason);
}

void session_free(struct session *s)
{
	struct place *place = s->place;
	struct dry *dry = s->dry;

	dns_lookup_cancel(&s->reverse);
	deadline_clear(&s->deadline);
	if (dry)
		dry->over(dry, s);
	transaction_end(s);
	auth_logout(s);
	subject_end(&s->subject);
	if (s->counted)
		limit_left(&s->peer, loop_now(s->subject.loop));
	stream_close(&s->stream, LINGER_MS);
	list_remove(&s->link);
	free(s->helo);
	free(s->said);
	free(s->reverse_name);
	free(s);
	if (dry)
		dry->gone(dry);
	else
		place_left(place);
}

/* ---- going on ---------------------------------------------------------------------------- */

static bool holds_ours(const struct session *s)
{
	return s->waiting == WAITING_SPOOL || s->waiting == WAITING_COMMIT;
}

static bool must_stop(const struct session *s)
{
	if (s->stopping == STOP_NO)
		return false;
	if (s->stopping == STOP_NOW)
		return !holds_ours(s);
	return s->waiting == WAITING_NOBODY && !in_transaction(s);
}

/* A limit that was reached by the last command, or by what the client leaves unread. */
static bool over_limit(struct session *s)
{
	const struct smtp_settings *limits = s->settings;

	if (limits->max_errors && s->errors > limits->max_errors) {
		metric_add(METRIC_limit_errors, 1);
		session_close(s, SAY_TOO_MANY_ERRORS, "errors");
		return true;
	}
	if (limits->max_bad_rcpt && s->bad_recipients > limits->max_bad_rcpt) {
		metric_add(METRIC_limit_errors, 1);
		session_close(s, SAY_TOO_MANY_BAD, "bad_recipients");
		return true;
	}
	if (limits->max_junk && s->junk > limits->max_junk) {
		metric_add(METRIC_limit_errors, 1);
		session_close(s, SAY_TOO_MUCH_JUNK, "junk");
		return true;
	}
	if (stream_unsent(s->stream) <= UNSENT_MAX)
		return false;
	stream_flush(s->stream);
	if (stream_unsent(s->stream) <= UNSENT_MAX)
		return false;
	session_wait(s, WAITING_CLIENT);
	return true;
}

static bool session_step(struct session *s)
{
	switch ((enum session_state)s->state) {
	case STATE_PROXY:
		return greet_proxy(s);
	case STATE_CONNECT:
		if (stream_input(s->stream).len == 0)
			return false;
		greet_early(s);
		return true;
	case STATE_START:
	case STATE_READY:
	case STATE_MAIL:
	case STATE_RCPT:
	case STATE_CHUNKS:
		return over_limit(s) || command_step(s);
	case STATE_AUTH:
		return over_limit(s) || auth_line(s);
	case STATE_DATA:
	case STATE_CHUNK:
		return content_step(s);
	case STATE_NEW:
	case STATE_TLS:
	case STATE_FINISH:
	case STATE_GONE:
	case SESSION_STATES:
		break;
	}
	return false;
}

void session_run(struct session *s)
{
	if (s->running)
		return; /* an answer came at once: who asked goes on */
	s->running = true;
	for (;;) {
		if (s->broken && s->waiting != WAITING_SPOOL)
			session_drop(s, "lost");
		else if (must_stop(s))
			session_close(s, SAY_STOPPING, "stopping");
		if (s->waiting != WAITING_NOBODY || !session_step(s))
			break;
		s->progress = true;
	}
	if (s->eof && (s->waiting == WAITING_NOBODY || s->waiting == WAITING_AUTH))
		session_drop(s, "left");
	if (s->progress && s->waiting == WAITING_NOBODY &&
		states[s->state].patience == PATIENCE_COMMAND)
		session_expect(s);
	s->running = false;
	if (s->state == STATE_GONE)
		session_free(s);
	else
		stream_flush(s->stream);
}

void session_wait(struct session *s, enum session_waiting who)
{
	must(s->waiting == WAITING_NOBODY);
	s->waiting = (uint8_t)who;
	stream_pause(s->stream, who != WAITING_CLIENT);
}

void session_wake(struct session *s)
{
	bool running = s->running;

	must(s->waiting != WAITING_NOBODY);
	s->waiting = WAITING_NOBODY;
	s->running = true; /* octets that resume hands over are for session_run */
	stream_resume(s->stream);
	s->running = running;
	session_expect(s);
}

void session_stop(struct session *s, enum session_stop how)
{
	if (how > s->stopping)
		s->stopping = (uint8_t)how;
	session_run(s);
}

/* ---- beginning --------------------------------------------------------------------------- */

static void stream_has_input(void *owner, struct stream *stream)
{
	(void)stream;
	session_run(owner);
}

static void stream_is_drained(void *owner, struct stream *stream)
{
	struct session *s = owner;

	(void)stream;
	if (s->waiting != WAITING_CLIENT)
		return;
	session_wake(s);
	session_run(s);
}

static void stream_has_ended(void *owner, struct stream *stream, enum stream_end how)
{
	struct session *s = owner;

	(void)stream;
	s->eof = true;
	s->broken = how == STREAM_ERROR;
	if (s->broken && s->state == STATE_TLS)
		tls_failed(s);
	session_run(s);
}

static void stream_is_secure(void *owner, struct stream *stream)
{
	struct session *s = owner;

	(void)stream;
	tls_secured(s);
	session_run(s);
}

static const struct stream_owner stream_events = {
	.input = stream_has_input,
	.drained = stream_is_drained,
	.ended = stream_has_ended,
	.secured = stream_is_secure,
};

struct session *session_new(struct place *place, struct generation *generation, int fd,
	const struct endpoint *peer, const struct endpoint *local)
{
	struct session *s = must_alloc(sizeof *s);
	struct loop *loop = place->loop;

	s->place = place;
	s->state = STATE_NEW;
	s->settings = server_settings(generation);
	s->id = id_make(clock_wall(), (uint16_t)s->settings->node, random_u64());
	s->opened = loop_now(loop);
	s->log_id = LOG_ID("session", s->id);
	s->log = (struct log_context){ .fields = &s->log_id, .count = 1 };
	subject_init(&s->subject, loop, generation);
	s->subject.log = &s->log;
	greet_facts(s, peer, local);
	deadline_init(&s->deadline, loop, deadline_fired);
	list_append(&place->sessions, &s->link);
	s->stream = stream_open(loop, fd, &stream_events, s);
	return s;
}
