/* SPDX-License-Identifier: MIT
 *
 * A load generator: sends messages over a number of connections to a server on this host, as
 * fast as it answers, and prints one line of JSON with the rate and the time from the final dot
 * to the reply. One process, one epoll loop, bounded in messages and time. It counts what was
 * refused, lost, or never answered; it judges nothing.
 *
 *   load [-c connections] [-n messages] [-m messages a connection] [-s octets] [-t seconds]
 *        [-r recipient | -f file of recipients, a line each, taken in turns] PORT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { GRACE = 5 }; /* seconds */
enum step { CLOSED, GREETING, HELLO, SENDER, RECIPIENT, DATA, CONTENT, DOT, QUIT };

struct connection {
	int fd;
	enum step step;
	long sent;   /* messages of this connection */
	long number; /* of the message, of all */
	size_t at;   /* octets of the content that have gone out */
	double dot;  /* when the content was out */
	char line[1024];
	size_t length;
};

static struct {
	long connections, messages, per_connection, size, seconds;
	char **recipients;
	long recipient_count;
	int port;
} option = { 20, 10000, 100, 4096, 60, NULL, 0, 0 };

static struct {
	long started, accepted, refused, lost, connected, unanswered;
	double *latency;
} count;

static int poller;
static char *content;
static size_t content_length;

static double now(void)
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

static void watch(struct connection *c, bool writing, int how)
{
	struct epoll_event event = { .events = writing ? EPOLLIN | EPOLLOUT : EPOLLIN,
		.data.ptr = c };

	epoll_ctl(poller, how, c->fd, &event);
}

static void connection_open(struct connection *c)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)option.port) };
	int one = 1;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	c->step = CLOSED;
	c->sent = 0;
	c->length = 0;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		return;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) {
		close(c->fd);
		count.lost++;
		return;
	}
	c->step = GREETING;
	count.connected++;
	watch(c, false, EPOLL_CTL_ADD);
}

static void connection_close(struct connection *c, bool lost)
{
	if (c->step > HELLO && c->step < QUIT)
		count.started--;
	if (lost)
		count.lost++;
	close(c->fd);
	c->step = CLOSED;
	if (count.started < option.messages)
		connection_open(c);
}

static void say(struct connection *c, const char *text, enum step next)
{
	size_t length = strlen(text);

	c->step = next;
	if (send(c->fd, text, length, MSG_NOSIGNAL) != (ssize_t)length)
		connection_close(c, true);
}

static void content_send(struct connection *c)
{
	while (c->at < content_length) {
		ssize_t n = send(c->fd, content + c->at, content_length - c->at, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN) {
			watch(c, true, EPOLL_CTL_MOD);
			c->step = CONTENT;
			return;
		}
		if (n < 0) {
			connection_close(c, true);
			return;
		}
		c->at += (size_t)n;
	}
	if (c->step == CONTENT)
		watch(c, false, EPOLL_CTL_MOD);
	c->step = DOT;
	c->dot = now();
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
		count.latency[count.accepted++] = now() - c->dot;
	else
		count.refused++;
	message_start(c);
}

/* One reply has come whole. */
static void reply(struct connection *c, int code)
{
	char line[300];

	switch (c->step) {
	case GREETING:
		say(c, "EHLO load.test\r\n", HELLO);
		break;
	case HELLO:
		message_start(c);
		break;
	case SENDER:
		snprintf(line, sizeof line, "RCPT TO:<%s>\r\n",
			option.recipients[c->number % option.recipient_count]);
		say(c, line, RECIPIENT);
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

static void input(struct connection *c)
{
	ssize_t n = recv(c->fd, c->line + c->length, sizeof c->line - c->length, 0);
	char *end;

	if (n <= 0) {
		if (n < 0 && errno == EAGAIN)
			return;
		connection_close(c, c->step != QUIT);
		return;
	}
	c->length += (size_t)n;
	while (c->step != CLOSED && (end = memchr(c->line, '\n', c->length))) {
		bool last = end - c->line < 4 || c->line[3] != '-';
		int code = (c->line[0] - '0') * 100 + (c->line[1] - '0') * 10 + c->line[2] - '0';

		c->length -= (size_t)(end + 1 - c->line);
		memmove(c->line, end + 1, c->length);
		if (last)
			reply(c, code);
	}
	if (c->length == sizeof c->line)
		connection_close(c, true);
}

/* Connections that have been told nothing yet, not even a greeting. */
static long unanswered(const struct connection *connections)
{
	long n = 0;

	for (long i = 0; i < option.connections; i++)
		n += connections[i].step == GREETING;
	return n;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double percentile(double p)
{
	return count.accepted ? count.latency[(long)(p * (double)(count.accepted - 1))] * 1e3 : 0;
}

static void recipient_add(const char *address)
{
	char **list =
		realloc(option.recipients, (size_t)(option.recipient_count + 1) * sizeof *list);

	if (!list || !(list[option.recipient_count++] = strdup(address)))
		exit(2);
	option.recipients = list;
}

static void recipients_read(const char *path)
{
	FILE *file = fopen(path, "r");
	char line[256];

	if (!file)
		exit(2);
	while (fgets(line, sizeof line, file)) {
		line[strcspn(line, "\n")] = '\0';
		recipient_add(line);
	}
	fclose(file);
}

static void options_read(int argc, char **argv)
{
	int o;

	while ((o = getopt(argc, argv, "c:n:m:s:t:r:f:")) != -1) {
		long v = strtol(optarg, NULL, 10);

		if (o == 'r')
			recipient_add(optarg);
		else if (o == 'f')
			recipients_read(optarg);
		else if (o == 'c')
			option.connections = v;
		else if (o == 'n')
			option.messages = v;
		else if (o == 'm')
			option.per_connection = v;
		else if (o == 's')
			option.size = v;
		else if (o == 't')
			option.seconds = v;
		else
			exit(2);
	}
	if (option.recipient_count == 0)
		recipient_add("user@dest.test");
	option.port = optind < argc ? (int)strtol(argv[optind], NULL, 10) : 0;
	if (option.port <= 0 || option.connections <= 0 || option.messages <= 0) {
		fprintf(stderr, "load: a port is missing, or a number is not one\n");
		exit(2);
	}
}

static void print_result(double seconds)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	qsort(count.latency, (size_t)count.accepted, sizeof *count.latency, by_size);
	printf("{\"rate\": %.0f, \"accepted\": %ld, \"refused\": %ld, \"lost\": %ld, "
	       "\"unanswered\": %ld, \"connections\": %ld, \"seconds\": %.3f, \"p50_ms\": %.3f, "
	       "\"p99_ms\": %.3f, \"own_cpu_s\": %.2f}\n",
		(double)count.accepted / seconds, count.accepted, count.refused, count.lost,
		count.unanswered, count.connected, seconds, percentile(0.5), percentile(0.99),
		(double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
			(double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
}

int main(int argc, char **argv)
{
	struct connection *connections;
	struct epoll_event events[256];
	double start, last, end;
	bool done = false;
	long before;
	int n;

	options_read(argc, argv);
	content_make();
	connections = calloc((size_t)option.connections, sizeof *connections);
	count.latency = calloc((size_t)option.messages, sizeof *count.latency);
	poller = epoll_create1(0);
	if (!connections || !count.latency || poller < 0)
		return 2;
	start = last = now();
	end = start + (double)option.seconds;
	for (long i = 0; i < option.connections; i++)
		connection_open(&connections[i]);
	while (now() < end) {
		if (!done && count.accepted + count.refused >= option.messages) {
			done = true; /* who came last is not counted as left alone for that */
			end = now() + GRACE;
		}
		if (done && unanswered(connections) == 0)
			break;
		n = epoll_wait(poller, events, 256, 1000);
		before = count.accepted;

		for (int i = 0; i < n; i++) {
			struct connection *c = events[i].data.ptr;

			if (c->step == CONTENT && events[i].events & EPOLLOUT)
				content_send(c);
			if (c->step != CLOSED && events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP))
				input(c);
		}
		if (count.accepted > before)
			last = now();
	}
	count.unanswered = unanswered(connections);
	print_result(last > start ? last - start : 1e-9);
	return 0;
}
