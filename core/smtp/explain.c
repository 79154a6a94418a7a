/* SPDX-License-Identifier: MIT
 *
 * The client of a dry session: says EHLO, MAIL and RCPT, and hears. What modules, tables and DNS
 * said in between is in the record of the session's subject, which is copied when it ends.
 */
#include "smtp/explain.h"

#include "base/encode.h"
#include "host/record.h"
#include "host/service.h"
#include "mail/domain.h"
#include "smtp/place.h"
#include "smtp/verbs.h"
#include "sys/clock.h"
#include "sys/file.h"

#include <errno.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <unistd.h>

#include <tmail/service/auth.h>

enum { REPLIES = 4 };

struct explaining {
	struct task task;
	const struct explain_asked *asked;
	struct generation *generation;
	struct place *place;
	struct dry dry;
	struct log_field log[2];
	int fd, theirs;
	struct arena *arena;  /* of who asks */
	struct arena *record; /* of the loop: the session may end at any time */
	struct str helo;
	struct buf in;
	struct explain_row *rows;
	size_t row_count;
	bool relays; /* the login may */
	bool may_relay;
	sem_t over;
};

/* ---- on the loop ----------------------------------------------------------------------- */

struct explain_row *explain_rows(const struct subject *s, struct arena *arena, size_t *count)
{
	struct explain_row *rows = ARENA_ARRAY(arena, struct explain_row, RECORD_MAX);

	*count = 0;
	for (const struct record_entry *r = record_of(s); r; r = r->next)
		rows[(*count)++] = (struct explain_row){ .point = r->point,
			.by = r->instance ? instance_name(r->instance) : NULL,
			.verdict = r->verdict,
			.text = r->code ? arena_printf(arena, "%u %.*s", r->code, STR_ARG(r->words))
					: arena_str(arena, r->words),
			.took = r->took };
	return rows;
}

static void session_over(struct dry *dry, struct session *s)
{
	struct explaining *e = container_of(dry, struct explaining, dry);

	e->record = arena_new(4096);
	e->rows = explain_rows(&s->subject, e->record, &e->row_count);
	e->may_relay = s->subject.client.flags & (TMAIL_CLIENT_AUTHENTICATED | TMAIL_CLIENT_RELAY);
}

static void session_gone(struct dry *dry)
{
	sem_post(&container_of(dry, struct explaining, dry)->over);
}

static void session_begin(struct task *task)
{
	struct explaining *e = container_of(task, struct explaining, task);
	const struct endpoint peer = { .ip = e->asked->ip, .port = 0 };
	const struct endpoint local = { .port = 0 };
	struct session *s = session_new(e->place, e->generation, e->theirs, &peer, &local);

	e->dry = (struct dry){ session_over, session_gone };
	e->log[0] = s->log_id;
	e->log[1] = LOG_C("dry", "yes");
	s->log = (struct log_context){ .fields = e->log, .count = 2 };
	s->dry = &e->dry;
	s->subject.dry = true;
	if (e->asked->login.len > 0) {
		s->subject.client.login = tm_str(e->asked->login);
		s->subject.client.flags |= TMAIL_CLIENT_AUTHENTICATED;
		s->login_relays = e->relays;
	}
	greet_begin(s);
	session_run(s);
}

void explain_note(struct session *s, const char *format, ...)
{
	struct buf words = { 0 };
	va_list args;

	if (!s->dry)
		return;
	va_start(args, format);
	buf_vprintf(&words, format, args);
	va_end(args);
	record_add(&s->subject,
		&(struct record_entry){ .point = s->verb ? s->verb->point : TMAIL_POINT_CONNECT,
			.words = buf_str(&words) });
	buf_free(&words);
}

/* ---- the client ------------------------------------------------------------------------ */

/* One whole reply, its lines joined by blanks. False: the session is gone. */
static bool reply_read(struct explaining *e, struct str *reply)
{
	struct buf text = { 0 };
	size_t at = 0;
	bool last = false;

	while (!last) {
		const char *end =
			e->in.len > at ? memchr(e->in.data + at, '\n', e->in.len - at) : NULL;
		struct str line;
		ssize_t n;

		if (end) {
			line = str_trim_line(
				str_make(e->in.data + at, (size_t)(end - e->in.data) - at));
			last = line.len < 4 || line.data[3] != '-';
			if (text.len == 0)
				buf_printf(&text, "%.*s %.*s", STR_ARG(str_slice(line, 0, 3)),
					STR_ARG(str_slice(line, 4, line.len)));
			else if (text.data[0] != '2') /* what EHLO offers is not asked for */
				buf_printf(&text, " %.*s", STR_ARG(str_slice(line, 4, line.len)));
			at = (size_t)(end + 1 - e->in.data);
			continue;
		}
		n = read(e->fd, buf_reserve(&e->in, 1024), 1024);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		e->in.len += (size_t)n;
	}
	buf_consume(&e->in, at);
	*reply = arena_str(e->arena, buf_str(&text));
	buf_free(&text);
	return last;
}

static bool is_good(struct str reply)
{
	return reply.len > 0 && reply.data[0] == '2';
}

/* The next command, and the answer to it; the greeting where there is none. */
static bool ask(struct explaining *e, struct buf *line, struct explain_row *row)
{
	int64_t began = clock_mono();

	if (line->len > 0)
		buf_add_c(line, "\r\n");
	for (size_t at = 0; at < line->len;) {
		ssize_t n = send(e->fd, line->data + at, line->len - at, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return false;
		at += n > 0 ? (size_t)n : 0;
	}
	buf_clear(line);
	if (!reply_read(e, &row->text))
		return false;
	row->took = clock_mono() - began;
	row->reply = true;
	row->verdict = is_good(row->text)  ? TMAIL_ACCEPT
		: row->text.data[0] == '4' ? TMAIL_TEMPFAIL
					   : TMAIL_REJECT;
	return is_good(row->text);
}

static void mail_line(struct buf *line, const struct explain_asked *asked)
{
	buf_printf(line, "MAIL FROM:<%.*s>", STR_ARG(asked->sender));
	if (asked->size)
		buf_printf(line, " SIZE=%llu", (unsigned long long)asked->size);
	if (!ascii_only(asked->sender) || !ascii_only(asked->recipient))
		buf_add_c(line, " SMTPUTF8");
}

/* Replies to the greeting, EHLO, MAIL and RCPT, as far as it came; answers their number. */
static size_t converse(struct explaining *e, struct explain_row replies[REPLIES])
{
	const struct explain_asked *asked = e->asked;
	struct buf line = { 0 };
	size_t n = 0;

	replies[0].point = TMAIL_POINT_CONNECT;
	replies[1].point = TMAIL_POINT_HELO;
	replies[2].point = TMAIL_POINT_MAIL;
	replies[3].point = TMAIL_POINT_RCPT;
	while (n < REPLIES) {
		if (n == 1)
			buf_printf(&line, "EHLO %.*s", STR_ARG(e->helo));
		else if (n == 2)
			mail_line(&line, asked);
		else if (n == 3)
			buf_printf(&line, "RCPT TO:<%.*s>", STR_ARG(asked->recipient));
		if (!ask(e, &line, &replies[n++]))
			break;
	}
	buf_free(&line);
	return n;
}

static void rows_tell(const struct explaining *e, const struct explain_row *replies, size_t count,
	void (*each)(void *ctx, const struct explain_row *row), void *ctx)
{
	for (size_t n = 0; n < count; n++) {
		for (size_t i = 0; i < e->row_count; i++)
			if (e->rows[i].point == replies[n].point)
				each(ctx, &e->rows[i]);
		if (replies[n].text.len > 0)
			each(ctx, &replies[n]);
	}
}

/* ---- asked ----------------------------------------------------------------------------- */

/* One that nobody objects to, when none was given. */
static struct str helo_of(const struct explaining *e)
{
	char literal[DOMAIN_LITERAL_TEXT];

	if (e->asked->helo.len > 0)
		return e->asked->helo;
	if (e->asked->ip.family == 0)
		return str_tm(server_settings(e->generation)->hostname);
	return arena_str(e->arena, domain_literal_text(&e->asked->ip, literal));
}

/* May the login relay? Without a service that knows it is taken for one that may. */
static bool login_relays(struct explaining *e)
{
	const struct tmail_auth_find find = { .size = sizeof find,
		.login = tm_str(e->asked->login) };
	struct service *service;
	bool asked = false;

	for (unsigned n = 0; (service = service_find(e->generation, TMAIL_AUTH, NULL, n)); n++) {
		struct tmail_auth_who who = { .size = sizeof who };

		if (!service_has(service, TMAIL_AUTH_FIND))
			continue;
		asked = true;
		if (service_ask_wait(service, TMAIL_AUTH_FIND, &find, &who, e->arena) == TMAIL_OK)
			return who.relay != 0;
	}
	return !asked;
}

static bool has_control(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.data[i] < ' ' || s.data[i] == 0x7f)
			return true;
	return false;
}

bool smtp_explain(struct generation *g, const struct explain_asked *asked,
	void (*each)(void *ctx, const struct explain_row *row), void *ctx, struct explain_end *end,
	struct why *why)
{
	struct explaining e = { .task.run = session_begin, .asked = asked, .generation = g };
	struct explain_row replies[REPLIES] = { 0 };
	int pair[2];
	size_t n;

	if (has_control(asked->sender) || has_control(asked->recipient) || has_control(asked->helo))
		return why_set(why, "an address or name with control characters in it");
	e.place = server_place_for(g, asked->listener, asked->login.len > 0, why);
	if (!e.place)
		return false;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return why_errno(why, "a pair of sockets");
	e.fd = pair[0];
	e.theirs = pair[1];
	fd_set_nonblocking(e.theirs);
	e.arena = arena_new(1024);
	e.helo = helo_of(&e);
	e.relays = e.asked->login.len > 0 && login_relays(&e);
	sem_init(&e.over, 0, 0);
	loop_post(e.place->loop, &e.task);
	n = converse(&e, replies);
	end->accepted = n == REPLIES && is_good(replies[REPLIES - 1].text);
	fd_close(&e.fd);
	while (sem_wait(&e.over) != 0)
		;
	end->relay = e.may_relay;
	rows_tell(&e, replies, n, each, ctx);
	sem_destroy(&e.over);
	buf_free(&e.in);
	arena_free(&e.record);
	arena_free(&e.arena);
	return true;
}
