/* SPDX-License-Identifier: MIT
 *
 * Not a mail server: the least work that still answers 250 only after the message is on the
 * disk. What a real one reaches is told as a part of this. One epoll thread, and one thread that
 * writes everything that waits with one write and one fdatasync.
 *
 *   reference -d FOLDER [-t seconds]      prints its port, then serves until it is killed
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

struct client {
	struct client *next; /* among those that wait for the disk */
	int fd;
	bool data, waits, gone;
	char *buffer;
	size_t length, room;
};

/* What is being gathered while the other one is written. */
struct batch {
	char *octets;
	size_t length, room;
	struct client *clients;
};

static struct batch batches[2];
static int gathering, poller, wake, file;
static struct client *done;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t some = PTHREAD_COND_INITIALIZER;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void grow(char **octets, size_t *room, size_t need)
{
	if (need <= *room)
		return;
	*room = need * 2;
	*octets = realloc(*octets, *room);
	if (!*octets)
		fail("realloc");
}

static void *writer(void *unused)
{
	uint64_t one = 1;

	(void)unused;
	for (;;) {
		struct batch *b;
		struct client *last;

		pthread_mutex_lock(&lock);
		while (!batches[gathering].clients)
			pthread_cond_wait(&some, &lock);
		b = &batches[gathering];
		gathering ^= 1;
		pthread_mutex_unlock(&lock);
		for (size_t at = 0; at < b->length;) {
			ssize_t n = write(file, b->octets + at, b->length - at);
			if (n < 0)
				fail("write");
			at += (size_t)n;
		}
		if (fdatasync(file) < 0)
			fail("fdatasync");
		pthread_mutex_lock(&lock);
		for (last = b->clients; last->next; last = last->next)
			;
		last->next = done;
		done = b->clients;
		b->clients = NULL;
		b->length = 0;
		pthread_mutex_unlock(&lock);
		if (write(wake, &one, sizeof one) < 0)
			fail("eventfd");
	}
	return NULL;
}

static void say(struct client *c, const char *text)
{
	size_t length = strlen(text);

	if (send(c->fd, text, length, MSG_NOSIGNAL) != (ssize_t)length)
		c->gone = true;
}

static void commit(struct client *c, size_t length)
{
	struct batch *b;

	pthread_mutex_lock(&lock);
	b = &batches[gathering];
	grow(&b->octets, &b->room, b->length + length);
	memcpy(b->octets + b->length, c->buffer, length);
	b->length += length;
	c->next = b->clients;
	b->clients = c;
	c->waits = true;
	pthread_cond_signal(&some);
	pthread_mutex_unlock(&lock);
}

static void take(struct client *c, size_t n)
{
	c->length -= n;
	memmove(c->buffer, c->buffer + n, c->length);
}

static void command(struct client *c, const char *line)
{
	if (!strncasecmp(line, "DATA", 4)) {
		c->data = true;
		say(c, "354 Go\r\n");
	} else if (!strncasecmp(line, "QUIT", 4)) {
		say(c, "221 Bye\r\n");
		c->gone = true;
	} else {
		say(c, "250 Ok\r\n");
	}
}

static void progress(struct client *c)
{
	while (!c->gone && !c->waits && c->length > 0) {
		char *end = c->data ? memmem(c->buffer, c->length, "\r\n.\r\n", 5)
				    : memchr(c->buffer, '\n', c->length);
		size_t length;

		if (!end)
			return;
		length = (size_t)(end - c->buffer) + (c->data ? 5 : 1);
		if (c->data) {
			commit(c, length);
			c->data = false;
		} else {
			command(c, c->buffer);
		}
		take(c, length);
	}
}

static void drop(struct client *c)
{
	close(c->fd);
	free(c->buffer);
	free(c);
}

static void input(struct client *c)
{
	ssize_t n;

	grow(&c->buffer, &c->room, c->length + 65536);
	n = recv(c->fd, c->buffer + c->length, c->room - c->length, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		c->gone = true;
	else
		c->length += (size_t)n;
	progress(c);
	if (c->gone && c->waits)
		epoll_ctl(poller, EPOLL_CTL_DEL, c->fd, NULL);
	else if (c->gone)
		drop(c);
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
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
		say(c, "220 reference\r\n");
	}
}

static void answer_done(void)
{
	struct client *c, *next;
	uint64_t number;

	if (read(wake, &number, sizeof number) < 0)
		return;
	pthread_mutex_lock(&lock);
	c = done;
	done = NULL;
	pthread_mutex_unlock(&lock);
	for (; c; c = next) {
		next = c->next;
		c->waits = false;
		if (!c->gone)
			say(c, "250 Ok\r\n");
		progress(c);
		if (c->gone && !c->waits)
			drop(c);
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

int main(int argc, char **argv)
{
	static int listener_mark, wake_mark;
	struct epoll_event event = { .events = EPOLLIN }, events[256];
	const char *folder = ".";
	char path[4096];
	pthread_t thread;
	int o, listener;

	while ((o = getopt(argc, argv, "d:t:")) != -1) {
		if (o == 'd')
			folder = optarg;
		else if (o == 't')
			alarm((unsigned)strtoul(optarg, NULL, 10));
		else
			return 2;
	}
	snprintf(path, sizeof path, "%s/messages", folder);
	file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (file < 0)
		fail(path);
	poller = epoll_create1(0);
	wake = eventfd(0, EFD_NONBLOCK);
	listener = listen_somewhere();
	event.data.ptr = &listener_mark;
	epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
	event.data.ptr = &wake_mark;
	epoll_ctl(poller, EPOLL_CTL_ADD, wake, &event);
	if (pthread_create(&thread, NULL, writer, NULL))
		fail("pthread_create");
	for (;;) {
		int n = epoll_wait(poller, events, 256, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == &listener_mark)
				accept_all(listener);
			else if (events[i].data.ptr == &wake_mark)
				answer_done();
			else
				input(events[i].data.ptr);
		}
	}
}
