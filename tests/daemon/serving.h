/* SPDX-License-Identifier: MIT
 *
 * The parts of a server process, in the test's own: loops, a generation, listeners, the main
 * loop; and its parent, at the other end of the channel. Nothing keeps mail.
 */
#ifndef TESTS_DAEMON_SERVING_H
#define TESTS_DAEMON_SERVING_H

#include "tests/admin/modules.h"
#include "tests/daemon/place.h"
#include "tests/lib/test.h"

#include "daemon/server.h"
#include "net/socket.h"
#include "queue/own.h"
#include "sys/clock.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

enum { SERVING_LOOPS = 2 };

static int serving_parent; /* the parent's end of the channel */

static inline void serving_loop_begin(void)
{
	struct why why;

	server.main = loop_new(SERVING_LOOPS, &why);
	ck_assert_ptr_nonnull(server.main);
	log_setup(LEVEL_ERROR, LOG_TEXT, NULL);
}

/* Serves nothing yet: serving_listen does. */
static inline void serving_begin(const char *settings)
{
	struct problems problems = { 0 };
	struct generation *g;
	int ends[2];
	struct why why;

	place_begin(settings);
	fake_modules_load();
	serving_loop_begin();
	ck_assert(channel_pair(ends, &why));
	server.channel = ends[0];
	serving_parent = ends[1];
	server.file = place_conf;
	server.folders = fake_folders;
	server.identity.uid = geteuid();
	server.loops = must_alloc(SERVING_LOOPS * sizeof *server.loops);
	for (unsigned i = 0; i < SERVING_LOOPS; i++) {
		server.loops[i] = loop_new(i, &why);
		ck_assert(server.loops[i] && loop_start(server.loops[i], "loop", &why));
	}
	server.loop_count = SERVING_LOOPS;
	g = server_generation(PURPOSE_SERVE, true, NULL, &problems);
	ck_assert_msg(g, "%s", problems.count ? problems.text[0] : "");
	problems_free(&problems);
	generation_install(g);
	smtp_server_setup(&queue_absent_upcalls, settings_smtp);
	server.phase = SERVER_SERVING;
}

/* As settings that were read want it, over sockets of the kernel's choice. */
static inline void serving_bind(const struct settings *settings, struct sockets *given)
{
	struct sockets none = { 0 };
	struct why why;

	ck_assert_msg(sockets_bind(given, settings, &none, &why), "%s", why.text);
}

static inline void serving_listen(void)
{
	struct generation *g = generation_current();
	struct sockets given;
	struct why why;

	serving_bind(settings_of(g), &given);
	ck_assert_msg(listeners_set(settings_of(g), &given, &why), "%s", why.text);
	sockets_free(&given);
	generation_unref(&g);
}

static inline void serving_end(void)
{
	smtp_sessions_end();
	generation_install(NULL);
	ck_assert(generation_wait_gone(60000));
	for (unsigned i = 0; i < SERVING_LOOPS; i++)
		loop_stop(server.loops[i]);
	for (unsigned i = 0; i < SERVING_LOOPS; i++)
		loop_join(server.loops[i]);
	listeners_free();
	for (unsigned i = 0; i < SERVING_LOOPS; i++)
		loop_free(&server.loops[i]);
	free(server.loops);
	loop_free(&server.main);
	close(server.channel);
	if (serving_parent >= 0)
		close(serving_parent);
	place_end();
}

/* ---- clients ------------------------------------------------------------------------------ */

/* -1: nobody listens there. */
static inline int dial(unsigned port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	close(fd);
	return -1;
}

/* The code of the next reply; 0: the connection has ended. */
static inline int reply_of(int fd)
{
	char line[600];
	size_t n = 0;

	do {
		for (n = 0; n + 1 < sizeof line; n++)
			if (recv(fd, &line[n], 1, 0) != 1)
				return 0;
			else if (line[n] == '\n')
				break;
	} while (n > 3 && line[3] == '-');
	line[n] = '\0';
	return (int)strtol(line, NULL, 10);
}

#endif
