/* SPDX-License-Identifier: MIT
 *
 * The connection of a client: dialling, idling, QUIT; the table of states with their deadlines and
 * legal steps. What is said up to EHLO is in client_hello.c, the login in client_auth.c, what is
 * said between MAIL and the final reply in client_send.c. Whatever a server does, a state ends:
 * by a reply, by the connection's end, or by its deadline; and what it says out of turn ends the
 * connection.
 *
 *   [TLS ->] GREETING -> EHLO [-> HELO] [-> STARTTLS -> TLS -> EHLO] [-> AUTH] -> IDLE
 *   IDLE <-> a transaction
 */
#include "smtp/client_state.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { CLIENT_LINGER = 2000, CLIENT_TEXT_MAX = 1024 };

struct client_open {
	struct loop *loop;
	struct dial *dial;
	struct client *client;
	struct client_settings settings; /* helo: NUL-terminated copy, freed with this */
	void (*ready)(void *ctx, struct client *c, const struct client_outcome *outcome);
	void *ctx;
	struct client_outcome outcome;
};

/* ---- states ---------------------------------------------------------------------------- */

#define TO(state) (1u << AT_##state)
#define WITHIN(name) (offsetof(struct client_timeouts, name) + 1) /* 0: no deadline */

/* reply NULL: the server has nothing to say in this state. */
static const struct state_row {
	const char *waits_for;
	enum client_stage stage;
	size_t within;
	uint32_t next;
	void (*reply)(struct client *c);
} rows[AT_STATES] = {
	[AT_GREETING] = { "the greeting", STAGE_GREETING, WITHIN(greeting), TO(EHLO),
		client_greeting_reply },
	[AT_EHLO] = { "the reply to EHLO", STAGE_EHLO, WITHIN(command),
		TO(HELO) | TO(STARTTLS) | TO(AUTH) | TO(IDLE), client_ehlo_reply },
	[AT_HELO] = { "the reply to HELO", STAGE_EHLO, WITHIN(command), TO(AUTH) | TO(IDLE),
		client_helo_reply },
	[AT_STARTTLS] = { "the reply to STARTTLS", STAGE_TLS, WITHIN(command),
		TO(TLS) | TO(AUTH) | TO(IDLE), client_starttls_reply },
	[AT_TLS] = { "the TLS handshake", STAGE_TLS, WITHIN(command), TO(EHLO) | TO(GREETING),
		NULL },
	[AT_AUTH] = { "the reply to AUTH", STAGE_AUTH, WITHIN(command), TO(AUTH) | TO(IDLE),
		client_auth_reply },
	[AT_IDLE] = { "nothing", STAGE_MAIL, 0, TO(RSET) | TO(MAIL) | TO(QUIT), NULL },
	[AT_RSET] = { "the reply to RSET", STAGE_MAIL, WITHIN(command), TO(MAIL),
		client_transaction_reply },
	[AT_MAIL] = { "the reply to MAIL", STAGE_MAIL, WITHIN(mail), TO(RCPT) | TO(IDLE),
		client_transaction_reply },
	[AT_RCPT] = { "the reply to RCPT", STAGE_RCPT, WITHIN(rcpt),
		TO(RCPT) | TO(DATA) | TO(DOT) | TO(EMPTY) | TO(IDLE), client_transaction_reply },
	[AT_DATA] = { "the reply to DATA", STAGE_DATA, WITHIN(data_start),
		TO(CONTENT) | TO(EMPTY) | TO(IDLE), client_transaction_reply },
	[AT_CONTENT] = { "the server to take the content", STAGE_CONTENT, WITHIN(data_block),
		TO(DOT), client_transaction_reply },
	[AT_DOT] = { "the reply to the end of data", STAGE_DOT, WITHIN(data_end),
		TO(DOT) | TO(IDLE), client_transaction_reply },
	[AT_EMPTY] = { "the reply to the end of data", STAGE_DOT, WITHIN(data_start), TO(IDLE),
		client_transaction_reply },
	[AT_QUIT] = { "the reply to QUIT", STAGE_DONE, WITHIN(quit), 0, NULL },
	[AT_ENDED] = { "nothing", STAGE_DONE, 0, 0, NULL },
};

void client_enter(struct client *c, enum client_state state)
{
	const struct state_row *row = &rows[state];
	int64_t within = 0;

	must(state == AT_ENDED || rows[c->state].next & 1u << state);
	c->state = state;
	if (row->within)
		memcpy(&within, (const char *)&c->settings.timeouts + row->within - 1,
			sizeof within);
	if (within > 0)
		deadline_set(&c->deadline, within);
	else
		deadline_clear(&c->deadline);
}

enum client_stage client_stage(const struct client *c)
{
	return rows[c->state].stage;
}

const char *client_waits_for(const struct client *c)
{
	return rows[c->state].waits_for;
}

struct buf *client_output(struct client *c)
{
	return stream_output(c->stream);
}

/* ---- outcomes -------------------------------------------------------------------------- */

struct client_outcome client_replied(struct client *c, enum client_stage stage)
{
	struct client_meaning means = client_meaning(stage, c->reply.code, c->reply.enhanced);
	struct client_outcome o = { .class = means.class,
		.stage = stage,
		.code = c->reply.code,
		.crowded = means.crowded };
	struct str text = str_slice(buf_str(&c->reply.text), 0, CLIENT_TEXT_MAX);

	memcpy(o.enhanced, c->reply.enhanced, sizeof o.enhanced);
	o.text = arena_str(c->words, text);
	return o;
}

static struct client_outcome said(struct client *c, enum client_class class,
	enum client_stage stage, const char *format, va_list args)
{
	struct client_outcome o = { .class = class, .stage = stage };
	char text[400];

	vsnprintf(text, sizeof text, format, args);
	o.text = arena_str(c->words, str_c(text));
	return o;
}

struct client_outcome client_said(
	struct client *c, enum client_class class, enum client_stage stage, const char *format, ...)
{
	struct client_outcome o;
	va_list args;

	va_start(args, format);
	o = said(c, class, stage, format, args);
	va_end(args);
	return o;
}

struct client_outcome client_status_said(
	struct client *c, enum client_stage stage, const char *enhanced, const char *format, ...)
{
	struct client_outcome o;
	va_list args;

	va_start(args, format);
	o = said(c, CLASS_NEXT_HOST, stage, format, args);
	va_end(args);
	memcpy(o.enhanced, enhanced, strlen(enhanced) + 1);
	return o;
}

/* ---- the end --------------------------------------------------------------------------- */

/* Clients that said QUIT have no owner any more: those that still wait for the farewell when
 * their loop ends go with it. */
struct leaving {
	struct link clients;
};

static void leaving_begin(struct loop *l, void *part)
{
	(void)l;
	list_init(&((struct leaving *)part)->clients);
}

static void leaving_end(void *part)
{
	LIST_EACH(struct client, c, &((struct leaving *)part)->clients, link)
		client_free(c);
}

static const struct loop_part leaving_kind = { sizeof(struct leaving), leaving_begin, leaving_end };

static void client_unlink(struct client *c)
{
	deadline_clear(&c->deadline);
	if (c->stream)
		stream_close(&c->stream, CLIENT_LINGER);
}

void client_free(struct client *c)
{
	client_unlink(c);
	list_remove(&c->link);
	login_end(&c->login);
	reply_free(&c->reply);
	arena_free(&c->words);
	arena_free(&c->arena);
	free(c);
}

void client_fail(struct client *c, struct client_outcome outcome)
{
	if (c->open) {
		outcome.class = CLASS_NEXT_HOST;
		outcome.in_clear =
			outcome.stage == STAGE_TLS && c->settings.secure == CLIENT_TLS_MAY;
		c->open->outcome = outcome;
	} else if (c->t && !c->finished) {
		client_transaction_fail(c, outcome);
	}
	if (c->state != AT_ENDED)
		client_enter(c, AT_ENDED);
	if (c->stream)
		stream_close(&c->stream, 0);
}

static void open_free(struct client_open *open)
{
	tls_drop(&open->settings.tls);
	free(open);
}

void client_settle(struct client *c)
{
	struct client_open *open = c->open;
	bool quit = c->state == AT_ENDED && c->closing && !c->t;

	if (open && (c->state == AT_IDLE || c->state == AT_ENDED)) {
		c->open = NULL;
		if (c->state == AT_IDLE) {
			open->ready(open->ctx, c, &open->outcome);
		} else {
			open->ready(open->ctx, NULL, &open->outcome);
			client_free(c);
		}
		open_free(open);
	} else if (c->finished && !c->posted) {
		client_finish(c);
	} else if (quit) {
		client_free(c);
	} else if (c->state == AT_ENDED && !c->t && c->lost) {
		void (*lost)(void *, struct client *) = c->lost;

		c->lost = NULL;
		lost(c->lost_ctx, c);
	}
}

/* ---- the stream's events --------------------------------------------------------------- */

void client_command(struct client *c, const char *verb, struct str argument)
{
	buf_printf(client_output(c), "%s %.*s\r\n", verb, STR_ARG(argument));
}

void client_out_of_turn(struct client *c)
{
	client_fail(c,
		client_said(c, CLASS_TEMPORARY, client_stage(c), "the server spoke out of turn"));
}

/* False: the command that the reply would answer has not left yet. Content has rules of its own:
 * it may be refused while it is sent. */
static bool is_asked(const struct client *c)
{
	return c->ahead || c->state == AT_GREETING || c->state == AT_CONTENT ||
		c->state == AT_DOT || stream_unsent(c->stream) == 0;
}

static void client_read(struct client *c)
{
	while (c->stream && !c->finished) {
		struct str in = stream_input(c->stream);
		size_t had = in.len;
		enum reply_result result;

		if (had == 0)
			return;
		if (c->state == AT_IDLE) {
			client_out_of_turn(c);
			return;
		}
		result = reply_read(&c->reply, &in);
		stream_take(c->stream, had - in.len);
		if (result == REPLY_MORE)
			return;
		if (result == REPLY_BAD) {
			client_fail(c,
				client_said(c, CLASS_TEMPORARY, client_stage(c),
					"not a reply while waiting for %s: %s", client_waits_for(c),
					c->reply.bad));
			return;
		}
		if (c->state == AT_QUIT)
			client_fail(c, (struct client_outcome){ 0 });
		else if (is_asked(c))
			rows[c->state].reply(c);
		else
			client_out_of_turn(c);
		reply_reset(&c->reply);
	}
}

static void stream_has_input(void *owner, struct stream *s)
{
	struct client *c = owner;

	(void)s;
	client_read(c);
	client_settle(c);
}

static void stream_has_drained(void *owner, struct stream *s)
{
	struct client *c = owner;

	(void)s;
	if (c->state == AT_CONTENT) {
		client_content(c);
		client_settle(c);
	}
}

static void stream_has_ended(void *owner, struct stream *s, enum stream_end how)
{
	struct client *c = owner;

	client_read(c);
	if (c->state == AT_TLS && how == STREAM_ERROR)
		client_fail(c,
			client_status_said(c, STAGE_TLS, "4.7.5", "the TLS handshake failed: %s",
				stream_error(s)));
	else if (c->finished || (c->state == AT_IDLE && !c->t) || c->state == AT_QUIT)
		client_fail(c, (struct client_outcome){ 0 });
	else if (c->state != AT_ENDED)
		client_fail(c,
			client_said(c, CLASS_TEMPORARY, client_stage(c),
				"connection lost while waiting for %s%s%s", client_waits_for(c),
				how == STREAM_ERROR ? ": " : "",
				how == STREAM_ERROR ? stream_error(s) : ""));
	client_settle(c);
}

static void stream_is_secured(void *owner, struct stream *s)
{
	struct client *c = owner;

	(void)s;
	client_secured(c);
	client_settle(c);
}

static const struct stream_owner client_stream_owner = {
	.input = stream_has_input,
	.drained = stream_has_drained,
	.ended = stream_has_ended,
	.secured = stream_is_secured,
};

static void client_late(struct deadline *d)
{
	struct client *c = container_of(d, struct client, deadline);

	client_fail(c,
		client_said(c, CLASS_TEMPORARY, client_stage(c), "timed out while waiting for %s",
			client_waits_for(c)));
	client_settle(c);
}

/* ---- opening --------------------------------------------------------------------------- */

static struct client *client_new(struct client_open *open, const struct dial_result *result)
{
	struct client *c = must_alloc(sizeof *c);

	c->loop = open->loop;
	c->arena = arena_new(256);
	c->words = arena_new(1024);
	c->settings = open->settings;
	if (c->settings.introduce)
		c->settings.helo = c->settings.introduce(open->ctx, &result->local);
	c->settings.helo = arena_str(c->arena, c->settings.helo);
	c->peer = result->peer;
	c->local = result->local;
	c->open = open;
	deadline_init(&c->deadline, c->loop, client_late);
	c->stream = stream_open(c->loop, result->fd, &client_stream_owner, c);
	c->state = c->settings.implicit ? AT_TLS : AT_GREETING;
	deadline_set(&c->deadline, c->settings.timeouts.greeting);
	if (c->settings.implicit)
		stream_connect_tls(c->stream, c->settings.tls, &c->settings.wanted);
	return c;
}

static void dialled(void *ctx, const struct dial_result *result)
{
	struct client_open *open = ctx;

	open->dial = NULL;
	if (result->fd >= 0) {
		open->client = client_new(open, result);
		return;
	}
	open->outcome = (struct client_outcome){
		.class = CLASS_NEXT_HOST, .stage = STAGE_CONNECT, .text = str_c(result->why.text)
	};
	open->ready(open->ctx, NULL, &open->outcome);
	open_free(open);
}

struct client_open *client_connect(struct loop *loop, const struct endpoint *peers, size_t count,
	const struct ip *sources, size_t source_count, const struct client_settings *settings,
	void (*ready)(void *ctx, struct client *c, const struct client_outcome *outcome), void *ctx)
{
	struct client_open *open = must_alloc(sizeof *open + settings->helo.len);
	char *helo = (char *)(open + 1);

	if (settings->helo.len)
		memcpy(helo, settings->helo.data, settings->helo.len);
	open->loop = loop;
	open->settings = *settings;
	if (settings->tls)
		tls_keep(settings->tls);
	open->settings.helo = str_make(helo, settings->helo.len);
	open->ready = ready;
	open->ctx = ctx;
	open->dial = dial_start(loop, peers, count, sources, source_count,
		settings->timeouts.connect, dialled, open);
	return open;
}

void client_connect_cancel(struct client_open **open)
{
	struct client_open *o = *open;

	if (!o)
		return;
	*open = NULL;
	if (o->dial)
		dial_cancel(&o->dial);
	if (o->client)
		client_free(o->client);
	open_free(o);
}

const struct client *client_opening(const struct client_open *open)
{
	return open->client;
}

/* ---- what others see ------------------------------------------------------------------- */

unsigned client_offers(const struct client *c)
{
	return c->offers;
}

uint64_t client_size_limit(const struct client *c)
{
	return c->size_limit;
}

const struct endpoint *client_peer(const struct client *c)
{
	return &c->peer;
}

const struct endpoint *client_local(const struct client *c)
{
	return &c->local;
}

const struct tls_facts *client_tls(const struct client *c)
{
	return c->stream ? stream_tls_facts(c->stream) : NULL;
}

const char *client_mechanism(const struct client *c)
{
	return c->mechanism;
}

void client_watch(struct client *c, void (*lost)(void *ctx, struct client *c), void *ctx)
{
	c->lost = lost;
	c->lost_ctx = ctx;
}

static void client_end(struct client **client, bool wait)
{
	struct client *c = *client;

	*client = NULL;
	if (!c || c->closing)
		return;
	c->closing = true;
	c->lost = NULL;
	if (c->t) {
		if (!c->finished)
			client_fail(c,
				client_said(c, CLASS_TEMPORARY, client_stage(c),
					"the connection was given up while waiting for %s",
					client_waits_for(c)));
		client_finish(c);
	}
	if (c->state == AT_IDLE) {
		buf_add(client_output(c), STR("QUIT\r\n"));
		client_enter(c, AT_QUIT);
		if (wait && c->settings.timeouts.quit > 0) {
			struct leaving *leaving = loop_part(c->loop, &leaving_kind);

			list_append(&leaving->clients, &c->link);
			stream_flush(c->stream);
			return;
		}
	}
	if (c->posted)
		client_unlink(c); /* freed by the task */
	else
		client_free(c);
}

void client_close(struct client **c)
{
	client_end(c, true);
}

void client_abort(struct client **c)
{
	client_end(c, false);
}
