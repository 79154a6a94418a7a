/* SPDX-License-Identifier: MIT
 *
 * Threads and blocking sockets: a peer is to be simple rather than fast. Everything recorded is
 * under one lock; a thread that waits on a socket is ended by shutting that socket down.
 */
#include "tests/lib/peer_inside.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- sockets --------------------------------------------------------------------------- */

void peer_say(struct connection *c, struct str octets)
{
	while (octets.len > 0) {
		ssize_t n = c->ssl ? SSL_write(c->ssl, octets.data, (int)octets.len)
				   : send(c->fd, octets.data, octets.len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		octets = str_slice(octets, (size_t)n, octets.len);
	}
}

static bool hear(struct connection *c)
{
	char *room = buf_reserve(&c->in, 65536);
	ssize_t n = c->ssl ? SSL_read(c->ssl, room, 65536) : recv(c->fd, room, 65536, 0);

	if (n <= 0)
		return false;
	pthread_mutex_lock(&c->peer->lock);
	buf_add(&c->peer->seen, str_make(room, (size_t)n));
	pthread_cond_broadcast(&c->peer->change);
	pthread_mutex_unlock(&c->peer->lock);
	c->in.len += (size_t)n;
	return true;
}

/* A line without its end, copied to `line`, a NUL behind it. False: the client has gone. */
bool peer_hear_line(struct connection *c, struct buf *line)
{
	ptrdiff_t lf;

	while ((lf = str_find(buf_str(&c->in), '\n')) < 0)
		if (!hear(c))
			return false;
	buf_clear(line);
	buf_add(line, str_trim_line(str_slice(buf_str(&c->in), 0, (size_t)lf)));
	buf_c(line);
	buf_consume(&c->in, (size_t)lf + 1);
	return true;
}

/* To the end of data; dots are taken off. */
bool peer_hear_content(struct connection *c, struct buf *content)
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

/* The octets of "BDAT n ...". */
bool peer_hear_chunk(struct connection *c, struct str line, struct buf *content)
{
	size_t size = strtoul(line.data + sizeof "BDAT", NULL, 10);

	while (c->in.len < size)
		if (!hear(c))
			return false;
	buf_add(content, str_slice(buf_str(&c->in), 0, size));
	buf_consume(&c->in, size);
	return true;
}

/* ---- TLS ------------------------------------------------------------------------------- */

bool peer_handshake(struct connection *c)
{
	pthread_mutex_lock(&c->peer->lock);
	must(c->peer->tls && !c->ssl);
	c->ssl = SSL_new(c->peer->tls);
	pthread_mutex_unlock(&c->peer->lock);
	must(SSL_set_fd(c->ssl, c->fd));
	return SSL_accept(c->ssl) == 1;
}

void peer_secure(struct peer *p, SSL_CTX *ctx)
{
	pthread_mutex_lock(&p->lock);
	must(!p->tls && SSL_CTX_up_ref(ctx));
	signal(SIGPIPE, SIG_IGN); /* the library has no MSG_NOSIGNAL */
	p->tls = ctx;
	pthread_mutex_unlock(&p->lock);
}

int peer_socket(const struct connection *c)
{
	return c->fd;
}

SSL *peer_ssl(const struct connection *c)
{
	return c->ssl;
}

void peer_call(struct peer *p, bool (*call)(struct connection *c, struct str line))
{
	pthread_mutex_lock(&p->lock);
	p->call = call;
	pthread_mutex_unlock(&p->lock);
}

/* ---- scripts --------------------------------------------------------------------------- */

static void surprise(struct peer *p)
{
	pthread_mutex_lock(&p->lock);
	p->surprises++;
	pthread_mutex_unlock(&p->lock);
}

static void flood(struct connection *c, struct str what)
{
	while (send(c->fd, what.data, what.len, MSG_NOSIGNAL) > 0)
		;
}

/* False: the connection has ended. */
static bool step_play(struct connection *c, const char *step)
{
	struct buf line = { 0 };
	bool alive = true;

	if (strncmp(step, ">> ", 3) == 0) {
		peer_say(c, str_c(step + 3));
	} else if (strncmp(step, "> ", 2) == 0) {
		peer_say(c, str_c(step + 2));
		peer_say(c, STR("\r\n"));
	} else if (strcmp(step, "<.") == 0) {
		alive = peer_hear_content(c, &line);
	} else if (strcmp(step, "<*") == 0) {
		alive = hear(c);
		buf_clear(&c->in);
	} else if (strncmp(step, "< ", 2) == 0) {
		alive = peer_hear_line(c, &line);
		if (!alive || !str_starts_case(buf_str(&line), str_c(step + 2)))
			surprise(c->peer);
		else if (strncmp(step, "< BDAT", 6) == 0)
			alive = peer_hear_chunk(c, buf_str(&line), &line);
	} else if (strcmp(step, "wait") == 0) {
		while (hear(c))
			;
	} else if (strcmp(step, "tls") == 0) {
		alive = peer_handshake(c);
	} else if (strcmp(step, "call") == 0) {
		alive = c->peer->call(c, STR(""));
	} else if (strcmp(step, "flood") == 0) {
		flood(c, STR("250-0123456789"));
	} else if (strcmp(step, "lines") == 0) {
		flood(c, STR("250-0123456789\r\n"));
	} else if (strcmp(step, "nul") == 0) {
		peer_say(c, STR("\0\0\0 ok\r\n"));
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

struct connection *peer_connection_take(struct peer *p)
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

void peer_connection_close(struct connection *c)
{
	if (c->ssl)
		SSL_shutdown(c->ssl);
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
		struct connection *c = peer_connection_take(p);
		bool alive = c != NULL;

		if (!c)
			return NULL;
		while (alive && *step)
			alive = step_play(c, *step++);
		peer_connection_close(c);
		/* What was left of this connection's part is not the next one's. */
		while (*step && step != p->steps && strcmp(step[-1], "next") != 0 &&
			strcmp(step[-1], "close") != 0 && strcmp(step[-1], "reset") != 0)
			step++;
	}
	return NULL;
}

/* ---- both ------------------------------------------------------------------------------ */

static void listen_on_port(struct peer *p)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;

	p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(p->listener >= 0);
	must(bind(p->listener, (struct sockaddr *)&at, sizeof at) == 0);
	must(getsockname(p->listener, (struct sockaddr *)&at, &len) == 0);
	p->port = ntohs(at.sin_port);
}

static void listen_on_path(struct peer *p)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	p->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(p->listener >= 0);
	snprintf(p->path, sizeof p->path, "/tmp/tmail-peer-%d-%d", getpid(), p->listener);
	unlink(p->path);
	memcpy(at.sun_path, p->path, sizeof p->path);
	must(bind(p->listener, (struct sockaddr *)&at, sizeof at) == 0);
}

static struct peer *peer_new(void *(*run)(void *), const char *const *steps,
	const struct peer_rule *rules, size_t count, unsigned flags)
{
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
	if (flags & PEER_UNIX)
		listen_on_path(p);
	else
		listen_on_port(p);
	must(listen(p->listener, 1024) == 0);
	must(pthread_create(&p->thread, NULL, run, p) == 0);
	return p;
}

struct peer *peer_script(const char *const *steps)
{
	return peer_new(script_run, steps, NULL, 0, 0);
}

struct peer *peer_server(const struct peer_rule *rules, size_t count, unsigned flags)
{
	return peer_new(peer_server_run, NULL, rules, count, flags);
}

unsigned peer_port(const struct peer *p)
{
	return p->port;
}

const char *peer_path(const struct peer *p)
{
	return p->path;
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
		SSL_free(p->connection[i]->ssl);
		free(p->connection[i]);
	}
	for (unsigned i = 0; i < p->messages; i++) {
		free((void *)p->message[i].sender.data);
		free((void *)p->message[i].content.data);
		free((void *)p->message[i].recipients.data);
		free((void *)p->message[i].mail.data);
	}
	close(p->listener);
	if (p->path[0])
		unlink(p->path);
	free(p->message);
	SSL_CTX_free(p->tls);
	buf_free(&p->seen);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->change);
	free(p);
}
