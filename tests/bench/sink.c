/* SPDX-License-Identifier: MIT
 *
 * The end of the road as fast as it can be: takes SMTP on any number of connections, in one epoll
 * loop, keeps nothing, and counts. It offers PIPELINING. When it has had the number of messages
 * that it was told to wait for it prints one line of JSON, with the clock of that moment
 * (CLOCK_MONOTONIC), and goes on serving until its standard input ends.
 *
 *   sink [-n messages]      prints its port first
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MOST = 1024, REPLIES_MOST = 8192, READ_MOST = 65536 };

struct client {
	int fd;
	bool gone;
	bool content;
	size_t matched; /* octets of the end of the content seen so far */
	size_t length;  /* of the line that has not ended */
	size_t replies_length;
	char line[LINE_MOST];
	char replies[REPLIES_MOST]; /* of what came in one read: they go out at once */
};

static const char content_end[] = "\r\n.\r\n";

static int poller;
static long wanted = 0, messages, connections;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void message_count(void)
{
	messages++;
	if (messages != wanted)
		return;
	printf("{\"messages\": %ld, \"connections\": %ld, \"at\": %.6f}\n", messages, connections,
		now());
	fflush(stdout);
}

static void replies_send(struct client *c)
{
	if (c->replies_length > 0 && send(c->fd, c->replies, c->replies_length, MSG_NOSIGNAL) !=
					     (ssize_t)c->replies_length)
		c->gone = true;
	c->replies_length = 0;
}

static void say(struct client *c, const char *text)
{
	size_t length = strlen(text);

	if (c->replies_length + length > sizeof c->replies)
		replies_send(c);
	memcpy(c->replies + c->replies_length, text, length);
	c->replies_length += length;
}

static void command(struct client *c)
{
	if (!strncasecmp(c->line, "DATA", 4)) {
		say(c, "354 Go\r\n");
		c->content = true;
		c->matched = 2; /* the line before it ended */
	} else if (!strncasecmp(c->line, "EHLO", 4)) {
		say(c, "250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 0\r\n");
	} else if (!strncasecmp(c->line, "QUIT", 4)) {
		say(c, "221 2.0.0 Bye\r\n");
		c->gone = true;
	} else {
		say(c, "250 2.0.0 Ok\r\n");
	}
}

/* Octets of the content among these; most of them are skipped by memchr. */
static size_t content_take(struct client *c, const char *octets, size_t length)
{
	size_t at = 0;

	while (at < length) {
		const char *start;

		if (octets[at] == content_end[c->matched]) {
			at++;
			if (++c->matched < sizeof content_end - 1)
				continue;
			c->content = false;
			message_count();
			say(c, "250 2.0.0 Taken\r\n");
			return at;
		}
		c->matched = 0;
		start = memchr(octets + at, '\r', length - at);
		if (!start)
			return length;
		at = (size_t)(start - octets);
	}
	return at;
}

static size_t line_take(struct client *c, const char *octets, size_t length)
{
	const char *end = memchr(octets, '\n', length);
	size_t taken = end ? (size_t)(end - octets) + 1 : length;

	if (c->length + taken >= sizeof c->line) {
		c->gone = true;
		return length;
	}
	memcpy(c->line + c->length, octets, taken);
	c->length += taken;
	c->line[c->length] = '\0';
	if (end) {
		command(c);
		c->length = 0;
	}
	return taken;
}

static void input(struct client *c)
{
	static char octets[READ_MOST];
	ssize_t n = recv(c->fd, octets, sizeof octets, 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		c->gone = true;
	for (size_t at = 0; n > 0 && at < (size_t)n && !c->gone;)
		at += c->content ? content_take(c, octets + at, (size_t)n - at)
				 : line_take(c, octets + at, (size_t)n - at);
	replies_send(c);
	if (c->gone) {
		close(c->fd);
		free(c);
	}
}

static void accept_all(int listener)
{
	int fd, one = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		struct client *c = calloc(1, sizeof *c);
		struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };

		if (!c)
			fail("calloc");
		c->fd = fd;
		connections++;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
		say(c, "220 sink.test ESMTP\r\n");
		replies_send(c);
	}
}

static int listen_somewhere(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t length = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 4096) < 0 ||
		getsockname(fd, (struct sockaddr *)&at, &length) < 0)
		fail("listen");
	printf("%d\n", ntohs(at.sin_port));
	fflush(stdout);
	return fd;
}

static void watch(int fd, void *mark)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = mark };

	if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0)
		fail("epoll_ctl");
}

int main(int argc, char **argv)
{
	static int listener_mark, parent_mark;
	struct epoll_event events[256];
	int o, listener;

	while ((o = getopt(argc, argv, "n:")) != -1) {
		if (o != 'n')
			return 2;
		wanted = strtol(optarg, NULL, 10);
	}
	poller = epoll_create1(0);
	listener = listen_somewhere();
	watch(listener, &listener_mark);
	watch(STDIN_FILENO, &parent_mark);
	for (;;) {
		int n = epoll_wait(poller, events, 256, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == &listener_mark)
				accept_all(listener);
			else if (events[i].data.ptr == &parent_mark)
				return 0;
			else
				input(events[i].data.ptr);
		}
	}
}
