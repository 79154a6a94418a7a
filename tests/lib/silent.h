/* SPDX-License-Identifier: MIT
 *
 * An address that never answers who connects to it: its backlog is full.
 */
#ifndef TESTS_LIB_SILENT_H
#define TESTS_LIB_SILENT_H

#include "net/socket.h"
#include "sys/file.h"

#include <errno.h>

struct silent {
	struct endpoint where;
	int fd, fill[8];
};

static inline void silent_make(struct silent *s)
{
	const struct endpoint any = { .ip = { .family = 4, .bytes = { 127, 0, 0, 1 } } };
	struct sockaddr_storage address;
	struct why why;
	socklen_t len;

	s->fd = socket_listen(&any, 0, &why);
	must(s->fd >= 0 && endpoint_of_socket(s->fd, false, &s->where));
	len = endpoint_sockaddr(&s->where, &address);
	for (int i = 0; i < 8; i++) {
		s->fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (connect(s->fill[i], (struct sockaddr *)&address, len) != 0)
			must(errno == EINPROGRESS);
	}
}

static inline void silent_free(struct silent *s)
{
	for (int i = 0; i < 8; i++)
		fd_close(&s->fill[i]);
	fd_close(&s->fd);
}

#endif
