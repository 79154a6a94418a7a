/* SPDX-License-Identifier: MIT
 *
 * Threads and blocking sockets: a peer is to be simple rather than fast. Everything recorded is
 * under one lock; a thread that waits on a socket is ended by shutting that socket down.
 */
#include "tests/lib/peer.h"

#include "base/buf.h"
#include "base/fail.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 512, MESSAGES_MAX = 20000, RULES_MAX = 16, RECIPIENTS_MAX = 512 };

struct connection {
	struct peer *peer;
	pthread_t thread;
	int fd;
	unsigned number;
	uint32_t from;
	struct buf in;
	bool threaded;
};
struct peer {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t change;
	int listener;
	unsigned port;
	bool ending, held;
	const char *const *steps;
	struct peer_rule rules[RULES_MAX];
	size_t rule_count;
	unsigned flags;
	struct buf seen;
	unsigned surprises, connections, messages;
	struct connection *connection[CONNECTIONS_MAX];
	struct peer_message *message;
};

/* ---- sockets --------------------------------------------------------------------------- */

static void say(struct connection *c, struct str octets)
{
	while (octets.len > 0) {
		ssize_t n = send(c->fd, octets.data, octets.len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		octets = str_slice(octets, (size_t)n, octets.len);
	}
}

static bool hear(struct connection *c)
{
	char *room = buf_reserve(&c->in, 65536);
	ssize_t n = recv(c->fd, room, 65536, 0);

	if (n <= 0)
		return false;
	pthread_mutex_lock(&c->peer->lock);
	buf_add(&c->peer->seen, str_make(room, (size_t)n));
	pthread_cond_broadcast(&c->peer->change);
	pthread_mutex_unlock(&c->peer->lock);
	c->in.len += (size_t)n;
	return true;
}

/* A line without its end, copied to `line`. False: the client has gone. */
static bool hear_line(struct connection *c, struct buf *line)
{
	ptrdiff_t lf;

	while ((lf = str_find(buf_str(&c->in), '\n')) < 0)
		if (!hear(c))
			return false;
	buf_clear(line);
	buf_add(line, str_trim_line(str_slice(buf_str(&c->in), 0, (size_t)lf)));
	buf_consume(&c->in, (size_t)lf + 1);
	return true;
}

/* To the end of data; dots are taken off. */
static bool hear_content(struct connection *c, struct buf *content)
{
	struct buf line = { 0 };
	bool there = false;
	ptrdiff_t lf;

	while (!there) {
		while ((lf = str_find(buf_str(&c->in), '\n')) < 0)
			if (!hear(c))
				goto gone;
		buf_clear(&line);
		buf_add(&line, str_slice(buf_str(&c->in), 0, (size_t)lf + 1));
		buf_consume(&c->in, (size_t)lf + 1);
		there = str_equal(buf_str(&line), STR(".\r\n"));
		if (!there)
			buf_add(content,
				str_slice(buf_str(&line), line.data[0] == '.' ? 1 : 0, line.len));
	}
gone:
	buf_free(&line);
	return there;
}

/* ---- scripts --------------------------------------------------------------------------- */

static void surprise(struct peer *p)
{
	pthread_mutex_lock(&p->lock);
	p->surprises++;
	pthread_mutex_unlock(&p->lock);
}

static void flood(struct connection *c)
{
	while (send(c->fd, "250-0123456789", 14, MSG_NOSIGNAL) > 0)
		;
}

/* False: the connection has ended. */
static bool step_play(struct connection *c, const char *step)
{
	struct buf line = { 0 };
	bool alive = true;

	if (strncmp(step, ">> ", 3) == 0) {
		say(c, str_c(step + 3));
	} else if (strncmp(step, "> ", 2) == 0) {
		say(c, str_c(step + 2));
		say(c, STR("\r\n"));
	} else if (strcmp(step, "<.") == 0) {
		alive = hear_content(c, &line);
	} else if (strcmp(step, "<*") == 0) {
		alive = hear(c);
		buf_clear(&c->in);
	} else if (strncmp(step, "< ", 2) == 0) {
		alive = hear_line(c, &line);
		if (!alive || !str_starts_case(buf_str(&line), str_c(step + 2)))
			surprise(c->peer);
	} else if (strcmp(step, "wait") == 0) {
		while (hear(c))
			;
	} else if (strcmp(step, "flood") == 0) {
		flood(c);
	} else if (strcmp(step, "reset") == 0) {
		struct linger now = { 1, 0 };

		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
		alive = false;
	} else {
		alive = false; /* close, next */
	}
	buf_free(&line);
	return alive;
}

static struct connection *connection_take(struct peer *p)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	socklen_t size = sizeof from;
	int fd = accept(p->listener, (struct sockaddr *)&from, &size), on = 1;
	struct connection *c;

	if (fd < 0)
		return NULL;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	pthread_mutex_lock(&p->lock);
	if (p->ending || p->connections == CONNECTIONS_MAX) {
		pthread_mutex_unlock(&p->lock);
		close(fd);
		return NULL;
	}
	c = must_alloc(sizeof *c);
	c->peer = p;
	c->fd = fd;
	c->from = ntohl(from.sin_addr.s_addr);
	p->connection[p->connections++] = c;
	c->number = p->connections;
	pthread_cond_broadcast(&p->change);
	pthread_mutex_unlock(&p->lock);
	return c;
}

static void connection_close(struct connection *c)
{
	pthread_mutex_lock(&c->peer->lock);
	close(c->fd);
	c->fd = -1;
	pthread_mutex_unlock(&c->peer->lock);
}

static void *script_run(void *arg)
{
	struct peer *p = arg;
	const char *const *step = p->steps;

	while (*step) {
		struct connection *c = connection_take(p);
		bool alive = c != NULL;

		if (!c)
			return NULL;
		while (alive && *step)
			alive = step_play(c, *step++);
		connection_close(c);
		/* What was left of this connection's part is not the next one's. */
		while (*step && step != p->steps && strcmp(step[-1], "next") != 0 &&
			strcmp(step[-1], "close") != 0 && strcmp(step[-1], "reset") != 0)
			step++;
	}
	return NULL;
}

/* ---- servers --------------------------------------------------------------------------- */

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
	say(c, str_c(text));
	say(c, STR("\r\n"));
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

static bool serve_data(struct connection *c, struct transaction *t)
{
	const char *go = answer(c->peer, STR("DATA"), t->count ? "354 go on" : "503 no recipients");
	size_t times = c->peer->flags & PEER_LMTP ? t->count : 1;
	struct buf said = { 0 };
	bool alive = true;

	if (!reply(c, go))
		return false;
	if (strncmp(go, "354", 3) != 0)
		return true;
	if (!hear_content(c, &t->content))
		return false;
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
				p->flags & PEER_PLAIN
					? "250 peer.example"
					: "250-peer.example\r\n250-PIPELINING\r\n250-SIZE\r\n"
					  "250-8BITMIME\r\n250-DSN\r\n250 SMTPUTF8"));
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
	bool alive = reply(c, answer(c->peer, STR("connect"), "220 peer.example ready"));

	while (alive && hear_line(c, &line))
		alive = serve_line(c, t, buf_str(&line));
	buf_free(&line);
	transaction_free(t);
	free(t);
	connection_close(c);
	return NULL;
}

static void *server_run(void *arg)
{
	struct peer *p = arg;
	struct connection *c;

	while ((c = connection_take(p))) {
		c->threaded = true;
		must(pthread_create(&c->thread, NULL, connection_run, c) == 0);
	}
	return NULL;
}

/* ---- both ------------------------------------------------------------------------------ */

static struct peer *peer_new(void *(*run)(void *), const char *const *steps,
	const struct peer_rule *rules, size_t count, unsigned flags)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	struct peer *p = must_alloc(sizeof *p);

	must(count <= RULES_MAX);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->change, NULL);
	p->message = must_alloc(MESSAGES_MAX * sizeof *p->message);
	p->steps = steps;
	if (count)
		memcpy(p->rules, rules, count * sizeof *rules);
	p->rule_count = count;
	p->flags = flags;
	p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(p->listener >= 0);
	must(bind(p->listener, (struct sockaddr *)&at, sizeof at) == 0);
	must(listen(p->listener, 1024) == 0);
	must(getsockname(p->listener, (struct sockaddr *)&at, &len) == 0);
	p->port = ntohs(at.sin_port);
	must(pthread_create(&p->thread, NULL, run, p) == 0);
	return p;
}

struct peer *peer_script(const char *const *steps)
{
	return peer_new(script_run, steps, NULL, 0, 0);
}

struct peer *peer_server(const struct peer_rule *rules, size_t count, unsigned flags)
{
	return peer_new(server_run, NULL, rules, count, flags);
}

unsigned peer_port(const struct peer *p)
{
	return p->port;
}

char *peer_seen(struct peer *p)
{
	char *copy;

	pthread_mutex_lock(&p->lock);
	copy = str_dup_c(buf_str(&p->seen));
	pthread_mutex_unlock(&p->lock);
	return copy;
}

void peer_wait_seen(struct peer *p, const char *text)
{
	pthread_mutex_lock(&p->lock);
	while (str_search_case(buf_str(&p->seen), str_c(text)) < 0)
		pthread_cond_wait(&p->change, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

static unsigned number(struct peer *p, const unsigned *what)
{
	unsigned n;

	pthread_mutex_lock(&p->lock);
	n = *what;
	pthread_mutex_unlock(&p->lock);
	return n;
}

unsigned peer_surprises(struct peer *p)
{
	return number(p, &p->surprises);
}

unsigned peer_connections(struct peer *p)
{
	return number(p, &p->connections);
}

unsigned peer_messages(struct peer *p)
{
	return number(p, &p->messages);
}

static void wait_for(struct peer *p, const unsigned *what, unsigned n)
{
	pthread_mutex_lock(&p->lock);
	while (*what < n)
		pthread_cond_wait(&p->change, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

void peer_wait_messages(struct peer *p, unsigned n)
{
	wait_for(p, &p->messages, n);
}

void peer_wait_connections(struct peer *p, unsigned n)
{
	wait_for(p, &p->connections, n);
}

const struct peer_message *peer_message(struct peer *p, unsigned i)
{
	must(i < peer_messages(p));
	return &p->message[i];
}

static void set_held(struct peer *p, bool held)
{
	pthread_mutex_lock(&p->lock);
	p->held = held;
	pthread_cond_broadcast(&p->change);
	pthread_mutex_unlock(&p->lock);
}

void peer_hold(struct peer *p)
{
	set_held(p, true);
}

void peer_let_go(struct peer *p)
{
	set_held(p, false);
}

void peer_rule_set(struct peer *p, size_t i, const char *text, unsigned times)
{
	pthread_mutex_lock(&p->lock);
	p->rules[i].reply = text;
	p->rules[i].times = times;
	pthread_mutex_unlock(&p->lock);
}

void peer_end(struct peer **pp)
{
	struct peer *p = *pp;

	*pp = NULL;
	pthread_mutex_lock(&p->lock);
	p->ending = true;
	shutdown(p->listener, SHUT_RDWR);
	for (unsigned i = 0; i < p->connections; i++)
		if (p->connection[i]->fd >= 0)
			shutdown(p->connection[i]->fd, SHUT_RDWR);
	pthread_cond_broadcast(&p->change);
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
	for (unsigned i = 0; i < p->connections; i++) {
		if (p->connection[i]->threaded)
			pthread_join(p->connection[i]->thread, NULL);
		buf_free(&p->connection[i]->in);
		free(p->connection[i]);
	}
	for (unsigned i = 0; i < p->messages; i++) {
		free((void *)p->message[i].sender.data);
		free((void *)p->message[i].content.data);
		free((void *)p->message[i].recipients.data);
		free((void *)p->message[i].mail.data);
	}
	close(p->listener);
	free(p->message);
	buf_free(&p->seen);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->change);
	free(p);
}
