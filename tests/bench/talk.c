/* SPDX-License-Identifier: MIT
 *
 * The dialogue of each connection, a step after the other: nothing is pipelined, for that is how
 * most clients of most servers speak. A connection that has ended is opened again as long as there
 * are messages to send.
 */
#include "talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

static int poller;
static char *content;
static size_t content_length;

double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Header, lines of 72 octets, and the final dot: `size` octets without that. */
static void content_make(void)
{
	static const char head[] = "From: load@source.test\r\nTo: user@dest.test\r\n"
				   "Subject: load\r\nMessage-ID: <load@source.test>\r\n\r\n";
	size_t room = sizeof head + (size_t)option.size + 128;

	content = malloc(room);
	if (!content)
		exit(2);
	memcpy(content, head, sizeof head - 1);
	content_length = sizeof head - 1;
	while (content_length + 74 < (size_t)option.size) {
		memset(content + content_length, 'x', 72);
		memcpy(content + content_length + 72, "\r\n", 2);
		content_length += 74;
	}
	memcpy(content + content_length, ".\r\n", 3);
	content_length += 3;
}

void talk_begin(void)
{
	content_make();
	/* Connections may overshoot what was asked for, each by one. */
	count.latency =
		calloc((size_t)(option.messages + option.connections), sizeof *count.latency);
	poller = epoll_create1(0);
	if (!count.latency || poller < 0)
		exit(2);
}

/* ---- a connection ------------------------------------------------------------------------ */

static void watch(struct connection *c, int how)
{
	struct epoll_event event = { .events = c->wire.writing ? EPOLLIN | EPOLLOUT : EPOLLIN,
		.data.ptr = c };

	c->watched_writing = c->wire.writing;
	epoll_ctl(poller, how, c->wire.fd, &event);
}

void connection_open(struct connection *c)
{
	c->step = CLOSED;
	c->sent = 0;
	c->length = 0;
	c->since = now();
	if (!wire_open(&c->wire, option.port)) {
		count.lost++;
		return;
	}
	c->step = option.security == IMPLICIT ? HANDSHAKE : GREETING;
	c->wire.writing = option.security == IMPLICIT; /* else it is greeted when it is connected */
	count.connected++;
	watch(c, EPOLL_CTL_ADD);
}

static void connection_close(struct connection *c, bool lost)
{
	if (c->step > LOGIN && c->step < QUIT)
		count.started--;
	if (lost)
		count.lost++;
	wire_close(&c->wire);
	c->step = CLOSED;
	if (count.started < option.messages)
		connection_open(c);
}

static void say(struct connection *c, const char *text, enum step next)
{
	size_t length = strlen(text);

	c->step = next;
	if (wire_send(&c->wire, text, length) != (ssize_t)length)
		connection_close(c, true);
}

static void handshake(struct connection *c)
{
	c->step = HANDSHAKE;
	switch (wire_secure(&c->wire)) {
	case 1:
		if (option.security == IMPLICIT)
			c->step = GREETING;
		else
			say(c, "EHLO load.test\r\n", HELLO);
		break;
	case WIRE_GONE:
		connection_close(c, true);
	}
}

static void content_send(struct connection *c)
{
	c->step = CONTENT;
	while (c->at < content_length) {
		ssize_t n = wire_send(&c->wire, content + c->at, content_length - c->at);

		if (n == WIRE_GONE)
			connection_close(c, true);
		if (n <= 0)
			return;
		c->at += (size_t)n;
	}
	c->step = DOT;
	c->since = now();
}

static void accepted(struct connection *c)
{
	count.latency[count.accepted++] = now() - c->since;
}

static void message_start(struct connection *c)
{
	if (count.started >= option.messages || c->sent >= option.per_connection) {
		say(c, "QUIT\r\n", QUIT);
		return;
	}
	c->number = count.started++;
	c->sent++;
	say(c, "MAIL FROM:<load@source.test>\r\n", SENDER);
}

static void message_end(struct connection *c, int code)
{
	if (code == 250)
		accepted(c);
	else
		count.refused++;
	message_start(c);
}

/* ---- replies ----------------------------------------------------------------------------- */

static void greeted(struct connection *c)
{
	say(c, "EHLO load.test\r\n", option.security == STARTTLS ? TLS_WISH : HELLO);
}

/* EHLO was answered for the last time. */
static void welcomed(struct connection *c, int code)
{
	char line[512];

	if (option.hello && code == 250) {
		count.started++;
		accepted(c);
		say(c, "QUIT\r\n", QUIT);
	} else if (option.logins.count > 0) {
		snprintf(line, sizeof line, "AUTH PLAIN %s\r\n",
			option.logins.list[count.connected % option.logins.count]);
		say(c, line, LOGIN);
	} else {
		message_start(c);
	}
}

static void recipient_say(struct connection *c)
{
	char line[300];

	snprintf(line, sizeof line, "RCPT TO:<%s>\r\n",
		option.recipients.list[c->number % option.recipients.count]);
	say(c, line, RECIPIENT);
}

/* One reply has come whole. */
static void reply(struct connection *c, int code)
{
	switch (c->step) {
	case GREETING:
		greeted(c);
		break;
	case TLS_WISH: /* of EHLO, then of STARTTLS */
		if (code == 220)
			handshake(c);
		else
			say(c, "STARTTLS\r\n", TLS_WISH);
		break;
	case HELLO:
		welcomed(c, code);
		break;
	case LOGIN:
		if (code == 235) {
			message_start(c);
			break;
		}
		count.refused++;
		connection_close(c, false);
		break;
	case SENDER:
		recipient_say(c);
		break;
	case RECIPIENT:
		say(c, "DATA\r\n", DATA);
		break;
	case DATA:
		if (code != 354) {
			message_end(c, code);
			break;
		}
		c->at = 0;
		content_send(c);
		break;
	case DOT:
		message_end(c, code);
		break;
	default:
		connection_close(c, false);
	}
}

/* ---- events ------------------------------------------------------------------------------ */

static void lines_take(struct connection *c)
{
	char *end;

	while (c->step != CLOSED && (end = memchr(c->line, '\n', c->length))) {
		bool last = end - c->line < 4 || c->line[3] != '-';
		int code = (c->line[0] - '0') * 100 + (c->line[1] - '0') * 10 + c->line[2] - '0';

		c->length -= (size_t)(end + 1 - c->line);
		memmove(c->line, end + 1, c->length);
		if (last)
			reply(c, code);
	}
}

static void input(struct connection *c)
{
	do {
		ssize_t n = wire_receive(&c->wire, c->line + c->length, sizeof c->line - c->length);

		if (n == WIRE_GONE)
			connection_close(c, c->step != QUIT);
		if (n <= 0)
			return;
		c->length += (size_t)n;
		lines_take(c);
		if (c->length == sizeof c->line)
			connection_close(c, true);
	} while (c->step != CLOSED && c->step != HANDSHAKE && wire_holds(&c->wire));
}

static void connection_event(struct connection *c, uint32_t events)
{
	if (c->step == HANDSHAKE)
		handshake(c);
	else if (c->step == CONTENT && events & EPOLLOUT)
		content_send(c);
	if (c->step != CLOSED && c->step != HANDSHAKE &&
		(events & (EPOLLIN | EPOLLERR | EPOLLHUP) || wire_holds(&c->wire)))
		input(c);
	if (c->step != CLOSED && c->wire.writing != c->watched_writing)
		watch(c, EPOLL_CTL_MOD);
}

bool talk_turn(void)
{
	struct epoll_event events[256];
	long before = count.accepted;
	int n = epoll_wait(poller, events, 256, 1000);

	for (int i = 0; i < n; i++)
		if (((struct connection *)events[i].data.ptr)->step != CLOSED)
			connection_event(events[i].data.ptr, events[i].events);
	return count.accepted > before;
}
