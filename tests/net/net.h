/* SPDX-License-Identifier: MIT
 *
 * What tests of the net floor share: one loop that is run until something has happened, and
 * sockets on the loopback with ports from the kernel.
 */
#ifndef TESTS_NET_NET_H
#define TESTS_NET_NET_H

#include "net/socket.h"
#include "sys/file.h"
#include "sys/loop.h"
#include "tests/lib/test.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

static struct loop *loop;

static inline bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	if (a->path[0] || b->path[0])
		return strcmp(a->path, b->path) == 0;
	return a->port == b->port && ip_equal(&a->ip, &b->ip);
}

static inline void loop_set_up(void)
{
	struct why why;

	loop = loop_new(0, &why);
	ck_assert_ptr_nonnull(loop);
}

static struct task loop_return_task;

static inline void loop_return(struct task *task)
{
	(void)task;
	loop_stop(loop_current());
}

/* One turn: what is ready now is seen, and nothing is waited for. */
static inline void loop_turn(void)
{
	loop_return_task.run = loop_return;
	loop_post(loop, &loop_return_task);
	loop_run(loop);
}

/* Turns until it is true; each waits a little, so that it costs no processor. */
#define LOOP_UNTIL(condition)                                                                      \
	do {                                                                                       \
		loop_turn();                                                                       \
		if (!(condition))                                                                  \
			poll(NULL, 0, 1);                                                          \
	} while (!(condition))

static inline struct endpoint endpoint_of(const char *text)
{
	struct endpoint e;

	ck_assert(endpoint_parse(str_c(text), 0, &e));
	return e;
}

/* A listening socket, and where it is. */
static inline int listen_on(const char *text, struct endpoint *where)
{
	struct endpoint e = endpoint_of(text);
	struct why why;
	int fd = socket_listen(&e, 64, &why);

	ck_assert_msg(fd >= 0, "%s", why.text);
	ck_assert(endpoint_of_socket(fd, false, where));
	return fd;
}

/* A client. From: NULL for any address; flags: SOCK_NONBLOCK, or 0. */
static inline int connect_from(const char *from, int flags, const struct endpoint *where)
{
	struct sockaddr_storage address;
	socklen_t len = endpoint_sockaddr(where, &address);
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	ck_assert_int_ge(fd, 0);
	if (from) {
		struct endpoint e = endpoint_of(from);
		struct sockaddr_storage source;
		socklen_t size = endpoint_sockaddr(&e, &source);

		ck_assert_int_eq(bind(fd, (struct sockaddr *)&source, size), 0);
	}
	if (connect(fd, (struct sockaddr *)&address, len) != 0)
		ck_assert_int_eq(errno, EINPROGRESS);
	return fd;
}

/* As others write them: blocking. */
static inline int connect_to(const struct endpoint *where)
{
	return connect_from(NULL, 0, where);
}

/* Both ends of a TCP connection; the first one is the server's, as accepted. */
static inline void connected_pair(int *server, int *client)
{
	struct endpoint where;
	int fd = listen_on("127.0.0.1:0", &where);

	*client = connect_to(&where);
	*server = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (*server < 0) { /* not in the backlog yet */
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ck_assert_int_eq(poll(&p, 1, -1), 1);
		*server = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	}
	ck_assert_int_ge(*server, 0);
	fd_close(&fd);
}

#endif
