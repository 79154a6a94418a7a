/* SPDX-License-Identifier: MIT
 *
 * The end of the road as fast as it can be: takes SMTP on any number of connections, in one epoll
 * loop, keeps nothing, and counts. It offers PIPELINING. When it has had the number of messages
 * that it was told to wait for it prints one line of JSON, with the clock of that moment
 * (CLOCK_MONOTONIC), and goes on serving until its standard input ends. Told to crawl it says one
 * octet to each client in so many milliseconds.
 *
 *   sink [-n messages] [-a first address] [-k number of addresses] [-p port] [-c milliseconds]
 *
 * prints its port when it listens.
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
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MOST = 1024, REPLIES_MOST = 8192, READ_MOST = 65536 };

struct client {
	struct client *next, **here; /* of `all` */
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

static struct {
	struct in_addr first;
	long addresses, port, wanted, crawl;
} option = { .first.s_addr = 0, .addresses = 1 };

static int poller;
static long messages, connections;
static struct client *all;

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
	if (messages != option.wanted)
		return;
	printf("{\"messages\": %ld, \"connections\": %ld, \"at\": %.6f}\n", messages, connections,
		now());
	fflush(stdout);
}

static void replies_send(struct client *c, size_t length)
{
	if (length > 0 && send(c->fd, c->replies, length, MSG_NOSIGNAL) != (ssize_t)length)
		c->gone = true;
	c->replies_length -= length;
	memmove(c->replies, c->replies + length, c->replies_length);
}

static void say(struct client *c, const char *text)
{
	size_t length = strlen(text);

	if (c->replies_length + length > sizeof c->replies)
		replies_send(c, c->replies_length);
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

/* Who crawls says goodbye as slowly as all else. */
static void client_end(struct client *c)
{
	if (!c->gone || (option.crawl && c->replies_length > 0))
		return;
	*c->here = c->next;
	if (c->next)
		c->next->here = c->here;
	close(c->fd);
	free(c);
}

static void client_go_on(struct client *c)
{
	if (!option.crawl)
		replies_send(c, c->replies_length);
	client_end(c);
}

static void input(struct client *c)
{
	static char octets[READ_MOST];
	ssize_t n = recv(c->fd, octets, sizeof octets, 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		c->gone = true;
		c->replies_length = 0;
	}
	for (size_t at = 0; n > 0 && at < (size_t)n && !c->gone;)
		at += c->content ? content_take(c, octets + at, (size_t)n - at)
				 : line_take(c, octets + at, (size_t)n - at);
	client_go_on(c);
}

/* One octet to each. */
static void crawl(int timer)
{
	uint64_t times;

	if (read(timer, &times, sizeof times) != sizeof times)
		return;
	for (struct client *c = all, *next; c; c = next) {
		next = c->next;
		replies_send(c, c->replies_length > 0);
		client_end(c);
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
		c->next = all;
		c->here = &all;
		if (all)
			all->here = &c->next;
		all = c;
		connections++;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
		say(c, "220 sink.test ESMTP\r\n");
		client_go_on(c);
	}
}

static void watch(int fd, void *mark)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = mark };

	if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0)
		fail("epoll_ctl");
}

/* The n-th address; of which port. */
static long listen_at(long n, long port, void *mark)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	socklen_t length = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;

	at.sin_addr.s_addr = htonl(ntohl(option.first.s_addr) + (uint32_t)n);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
		bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 4096) < 0 ||
		getsockname(fd, (struct sockaddr *)&at, &length) < 0)
		fail("listen");
	*(int *)mark = fd;
	watch(fd, mark);
	return ntohs(at.sin_port);
}

static void crawl_start(int *timer)
{
	struct itimerspec every = { .it_interval = {
					    option.crawl / 1000, option.crawl % 1000 * 1000000 } };

	every.it_value = every.it_interval;
	*timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	if (*timer < 0 || timerfd_settime(*timer, 0, &every, NULL) < 0)
		fail("timerfd");
	watch(*timer, timer);
}

static void options_read(int argc, char **argv)
{
	int o;

	option.first.s_addr = htonl(INADDR_LOOPBACK);
	while ((o = getopt(argc, argv, "n:a:k:p:c:")) != -1) {
		long v = strtol(optarg, NULL, 10);

		if (o == 'a' && inet_pton(AF_INET, optarg, &option.first) == 1)
			continue;
		if (o == 'n')
			option.wanted = v;
		else if (o == 'k')
			option.addresses = v;
		else if (o == 'p')
			option.port = v;
		else if (o == 'c')
			option.crawl = v;
		else
			exit(2);
	}
	if (option.addresses < 1 || option.port < 0 || option.crawl < 0)
		exit(2);
}

int main(int argc, char **argv)
{
	static int parent_mark, timer;
	struct epoll_event events[256];
	struct rlimit files;
	int *listeners;

	options_read(argc, argv);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	listeners = calloc((size_t)option.addresses, sizeof *listeners);
	poller = epoll_create1(0);
	if (!listeners || poller < 0)
		fail("start");
	for (long i = 0; i < option.addresses; i++)
		option.port = listen_at(i, option.port, &listeners[i]);
	printf("%ld\n", option.port);
	fflush(stdout);
	watch(STDIN_FILENO, &parent_mark);
	if (option.crawl)
		crawl_start(&timer);
	for (;;) {
		int n = epoll_wait(poller, events, 256, -1);
		bool ticked = false;

		for (int i = 0; i < n; i++) {
			int *mark = events[i].data.ptr;

			if (mark >= listeners && mark < listeners + option.addresses)
				accept_all(*mark);
			else if (mark == &parent_mark)
				return 0;
			else if (mark == &timer)
				ticked = true;
			else
				input(events[i].data.ptr);
		}
		if (ticked) /* last, for it may end clients of whom there is an event */
			crawl(timer);
	}
}
