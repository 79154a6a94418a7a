/* SPDX-License-Identifier: MIT
 *
 * A peer that behaves as a mail server would, but for its rules: one thread a connection.
 */
#include "tests/lib/peer_inside.h"

#include <stdio.h>

/* What is to be said to a line; `usual` when no rule speaks of it. */
static const char *answer(struct peer *p, struct str line, const char *usual)
{
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < p->rule_count; i++) {
		struct peer_rule *rule = &p->rules[i];

		if (!rule->line || !str_starts_case(line, str_c(rule->line)))
			continue;
		if (rule->times == 1)
			rule->line = NULL;
		else if (rule->times > 1)
			rule->times--;
		usual = rule->reply;
		break;
	}
	pthread_mutex_unlock(&p->lock);
	return usual;
}

static bool reply(struct connection *c, const char *text)
{
	if (!text)
		return false;
	if (!*text)
		return true;
	peer_say(c, str_c(text));
	peer_say(c, STR("\r\n"));
	return true;
}

/* What stands between < and >. */
static struct str path_of(struct str line)
{
	ptrdiff_t from = str_find(line, '<'), to = str_find_last(line, '>');

	if (from < 0 || to < from)
		return STR("");
	return str_slice(line, (size_t)from + 1, (size_t)(to - from - 1));
}

struct transaction {
	struct buf mail, recipients, content;
	struct buf each[RECIPIENTS_MAX];
	size_t count;
};

static void transaction_clear(struct transaction *t)
{
	buf_clear(&t->mail);
	buf_clear(&t->recipients);
	buf_clear(&t->content);
	t->count = 0;
}

static void transaction_free(struct transaction *t)
{
	buf_free(&t->mail);
	buf_free(&t->recipients);
	buf_free(&t->content);
	for (size_t i = 0; i < RECIPIENTS_MAX; i++)
		buf_free(&t->each[i]);
}

static struct str kept(struct str s)
{
	char *copy = must_alloc(s.len + 1);

	memcpy(copy, s.data ? s.data : "", s.len);
	return str_make(copy, s.len);
}

static void record(struct connection *c, struct transaction *t, struct str recipients)
{
	struct peer *p = c->peer;

	pthread_mutex_lock(&p->lock);
	must(p->messages < MESSAGES_MAX);
	p->message[p->messages++] =
		(struct peer_message){ .sender = kept(path_of(buf_str(&t->mail))),
			.content = kept(buf_str(&t->content)),
			.recipients = kept(recipients),
			.mail = kept(buf_str(&t->mail)),
			.connection = c->number,
			.from = c->from };
	pthread_cond_broadcast(&p->change);
	pthread_mutex_unlock(&p->lock);
}

static void while_held(struct peer *p)
{
	pthread_mutex_lock(&p->lock);
	while (p->held && !p->ending)
		pthread_cond_wait(&p->change, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

static bool taken(const char *text)
{
	return text && text[0] == '2';
}

/* The content is there. */
static bool serve_end(struct connection *c, struct transaction *t)
{
	size_t times = c->peer->flags & PEER_LMTP ? t->count : 1;
	struct buf said = { 0 };
	bool alive = true;

	while_held(c->peer);
	for (size_t i = 0; i < times && alive; i++) {
		const char *text;

		buf_clear(&said);
		buf_add_char(&said, '.');
		if (c->peer->flags & PEER_LMTP)
			buf_add(&said, buf_str(&t->each[i]));
		text = answer(c->peer, buf_str(&said), "250 2.0.0 taken");
		if (taken(text))
			record(c, t,
				c->peer->flags & PEER_LMTP ? buf_str(&t->each[i])
							   : buf_str(&t->recipients));
		alive = reply(c, text);
	}
	buf_free(&said);
	transaction_clear(t);
	return alive;
}

static bool serve_data(struct connection *c, struct transaction *t)
{
	const char *go = answer(c->peer, STR("DATA"), t->count ? "354 go on" : "503 no recipients");

	if (!reply(c, go))
		return false;
	if (strncmp(go, "354", 3) != 0)
		return true;
	return peer_hear_content(c, &t->content) && serve_end(c, t);
}

/* Chunks that are not the last are told so. */
static bool serve_chunk(struct connection *c, struct transaction *t, struct str line)
{
	bool last = str_ends_case(line, STR("LAST"));

	if (!peer_hear_chunk(c, line, &t->content))
		return false;
	if (t->count == 0)
		return reply(c, "503 no recipients");
	return last ? serve_end(c, t) : reply(c, "250 2.0.0 chunk");
}

static bool serve_rcpt(struct connection *c, struct transaction *t, struct str line)
{
	const char *text = answer(c->peer, line, t->mail.len ? "250 2.1.5 ok" : "503 no sender");

	if (taken(text) && t->count < RECIPIENTS_MAX) {
		struct buf *each = &t->each[t->count++];

		buf_clear(each);
		buf_add(each, path_of(line));
		if (t->recipients.len)
			buf_add_char(&t->recipients, ' ');
		buf_add(&t->recipients, path_of(line));
	}
	return reply(c, text);
}

static bool serve_line(struct connection *c, struct transaction *t, struct str line)
{
	struct peer *p = c->peer;

	if (str_starts_case(line, STR("EHLO")) || str_starts_case(line, STR("LHLO")))
		return reply(c,
			answer(p, line,
				p->flags & PEER_PLAIN ? "250 peer.example"
					: p->flags & PEER_TLS && !c->ssl
					? "250-peer.example\r\n250-PIPELINING\r\n250 STARTTLS"
					: p->flags & PEER_CHUNKING
					? "250-peer.example\r\n250-PIPELINING\r\n250-SIZE\r\n"
					  "250-8BITMIME\r\n250-DSN\r\n250-CHUNKING\r\n"
					  "250 SMTPUTF8"
					: "250-peer.example\r\n250-PIPELINING\r\n250-SIZE\r\n"
					  "250-8BITMIME\r\n250-DSN\r\n250 SMTPUTF8"));
	if (str_starts_case(line, STR("STARTTLS"))) {
		const char *text = answer(p, line, "220 2.0.0 go ahead");

		return reply(c, text) && (!taken(text) || peer_handshake(c));
	}
	if (str_starts_case(line, STR("AUTH")) && p->call)
		return p->call(c, line);
	if (str_starts_case(line, STR("MAIL"))) {
		const char *text = answer(p, line, "250 2.1.0 ok");

		if (taken(text)) {
			transaction_clear(t);
			buf_add(&t->mail, line);
		}
		return reply(c, text);
	}
	if (str_starts_case(line, STR("RCPT")))
		return serve_rcpt(c, t, line);
	if (str_starts_case(line, STR("DATA")))
		return serve_data(c, t);
	if (str_starts_case(line, STR("BDAT")))
		return serve_chunk(c, t, line);
	if (str_starts_case(line, STR("RSET")))
		transaction_clear(t);
	if (str_starts_case(line, STR("QUIT"))) {
		reply(c, answer(p, line, "221 2.0.0 bye"));
		return false;
	}
	return reply(c, answer(p, line, "250 2.0.0 ok"));
}

static void *connection_run(void *arg)
{
	struct connection *c = arg;
	struct transaction *t = must_alloc(sizeof *t);
	struct buf line = { 0 };
	bool alive = (!(c->peer->flags & PEER_SMTPS) || peer_handshake(c)) &&
		reply(c, answer(c->peer, STR("connect"), "220 peer.example ready"));

	while (alive && peer_hear_line(c, &line))
		alive = serve_line(c, t, buf_str(&line));
	buf_free(&line);
	transaction_free(t);
	free(t);
	peer_connection_close(c);
	return NULL;
}

void *peer_server_run(void *arg)
{
	struct peer *p = arg;
	struct connection *c;

	while ((c = peer_connection_take(p))) {
		c->threaded = true;
		must(pthread_create(&c->thread, NULL, connection_run, c) == 0);
	}
	return NULL;
}
