/* SPDX-License-Identifier: MIT
 *
 * A load generator: sends messages over a number of connections to a server on this host, as
 * fast as it answers, and prints one line of JSON with the rate and the time from the final dot
 * to the reply. One process, one epoll loop, bounded in messages and time. It counts what was
 * refused, lost, or never answered; it judges nothing.
 *
 *   load [-c connections] [-n messages] [-m messages a connection] [-s octets] [-t seconds]
 *        [-r recipient | -f file of recipients, a line each, taken in turns]
 *        [-T starttls | -T implicit] [-a file of logins, "name password" a line] [-e] PORT
 *
 * With logins each connection logs in by AUTH PLAIN. With -e no message is sent: what is counted
 * is connections that came to the answer of EHLO, and the time it took from their begin.
 */
#include "talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { GRACE = 5 }; /* seconds */

struct option option = {
	.connections = 20, .messages = 10000, .per_connection = 100, .size = 4096, .seconds = 60
};
struct count count;

/* Connections that have been told nothing yet, not even a greeting. */
static long unanswered(const struct connection *connections)
{
	long n = 0;

	for (long i = 0; i < option.connections; i++)
		n += connections[i].step == GREETING || connections[i].step == HANDSHAKE;
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

static void words_add(struct words *words, const char *text)
{
	char **list = realloc(words->list, (size_t)(words->count + 1) * sizeof *list);

	if (!list || !(list[words->count++] = strdup(text)))
		exit(2);
	words->list = list;
}

/* A line each. */
static void words_read(struct words *words, const char *path)
{
	FILE *file = fopen(path, "r");
	char line[256];

	if (!file)
		exit(2);
	while (fgets(line, sizeof line, file)) {
		line[strcspn(line, "\n")] = '\0';
		words_add(words, line);
	}
	fclose(file);
}

/* Each "name password" becomes what AUTH PLAIN says of it. */
static void logins_encode(void)
{
	for (long i = 0; i < option.logins.count; i++) {
		char *word = option.logins.list[i], *password = strchr(word, ' ');
		unsigned char plain[300] = "", text[512];
		int length;

		if (!password)
			exit(2);
		*password++ = '\0';
		length = snprintf((char *)plain, sizeof plain, "%c%s%c%s", 0, word, 0, password);
		EVP_EncodeBlock(text, plain, length);
		free(word);
		option.logins.list[i] = strdup((char *)text);
	}
}

static enum security security_named(const char *name)
{
	if (strcmp(name, "starttls") == 0)
		return STARTTLS;
	if (strcmp(name, "implicit") == 0)
		return IMPLICIT;
	exit(2);
}

static void options_read(int argc, char **argv)
{
	int o;

	while ((o = getopt(argc, argv, "c:n:m:s:t:r:f:T:a:e")) != -1) {
		long v = optarg ? strtol(optarg, NULL, 10) : 0;

		if (o == 'r')
			words_add(&option.recipients, optarg);
		else if (o == 'f')
			words_read(&option.recipients, optarg);
		else if (o == 'T')
			option.security = security_named(optarg);
		else if (o == 'a')
			words_read(&option.logins, optarg);
		else if (o == 'e')
			option.hello = true;
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
	if (option.recipients.count == 0)
		words_add(&option.recipients, "user@dest.test");
	logins_encode();
	option.port = optind < argc ? (int)strtol(argv[optind], NULL, 10) : 0;
	if (option.port <= 0 || option.connections <= 0 || option.messages <= 0) {
		fprintf(stderr, "load: a port is missing, or a number is not one\n");
		exit(2);
	}
}

static void print_result(double seconds, long left)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	qsort(count.latency, (size_t)count.accepted, sizeof *count.latency, by_size);
	printf("{\"rate\": %.0f, \"accepted\": %ld, \"refused\": %ld, \"lost\": %ld, "
	       "\"unanswered\": %ld, \"connections\": %ld, \"seconds\": %.3f, \"p50_ms\": %.3f, "
	       "\"p99_ms\": %.3f, \"own_cpu_s\": %.2f}\n",
		(double)count.accepted / seconds, count.accepted, count.refused, count.lost, left,
		count.connected, seconds, percentile(0.5), percentile(0.99),
		(double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
			(double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
}

int main(int argc, char **argv)
{
	struct connection *connections;
	double start, last, end;
	bool done = false;

	options_read(argc, argv);
	connections = calloc((size_t)option.connections, sizeof *connections);
	if (!connections)
		return 2;
	talk_begin();
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
		if (talk_turn())
			last = now();
	}
	print_result(last > start ? last - start : 1e-9, unanswered(connections));
	return 0;
}
