/* SPDX-License-Identifier: MIT
 *
 * What tests of streams share: an owner that notes what it is told, and the client at the other
 * end.
 */
#ifndef TESTS_NET_OWNER_H
#define TESTS_NET_OWNER_H

#include "net/stream.h"

#include "tests/net/net.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* An owner that notes what happens, and takes what `take` says. */
struct owner {
	struct buf seen; /* taken */
	size_t shown;    /* octets in the last input callback */
	int inputs, drains, ends, secured;
	enum stream_end how;
	size_t take; /* at most, of each callback */
	struct str answer;
	void (*act)(struct owner *o); /* in the input callback */
	void (*on_end)(struct owner *o);
	void (*on_drain)(struct owner *o);
	void (*on_secured)(struct owner *o);
	struct stream *stream;
};
static struct owner owner;
static int client;

static inline void input(void *ctx, struct stream *s)
{
	struct owner *o = ctx;
	struct str in = stream_input(s);

	o->inputs++;
	o->shown = in.len;
	in = str_slice(in, 0, o->take);
	buf_add(&o->seen, in);
	stream_take(s, in.len);
	if (o->answer.len > 0)
		stream_write(s, o->answer);
	if (o->act)
		o->act(o);
}

static inline void drained(void *ctx, struct stream *s)
{
	struct owner *o = ctx;

	(void)s;
	o->drains++;
	if (o->on_drain)
		o->on_drain(o);
}

static inline void ended(void *ctx, struct stream *s, enum stream_end how)
{
	struct owner *o = ctx;

	(void)s;
	o->ends++;
	o->how = how;
	if (o->on_end)
		o->on_end(o);
}

static inline void secured(void *ctx, struct stream *s)
{
	struct owner *o = ctx;

	(void)s;
	o->secured++;
	if (o->on_secured)
		o->on_secured(o);
}

static const struct stream_owner calls = { input, drained, ended, secured };

static inline void set_up(void)
{
	int server;

	loop_set_up();
	connected_pair(&server, &client);
	owner = (struct owner){ .take = SIZE_MAX };
	owner.stream = stream_open(loop, server, &calls, &owner);
}

static inline void tear_down(void)
{
	stream_close(&owner.stream, 0);
	buf_free(&owner.seen);
	fd_close(&client);
	loop_free(&loop);
}

static inline void client_send(struct str octets)
{
	ck_assert_int_eq(send(client, octets.data, octets.len, MSG_NOSIGNAL), octets.len);
}

/* What the client gets next, awaited. */
static inline struct str client_receive(size_t len)
{
	static char text[256];

	ck_assert_int_eq(recv(client, text, len, MSG_WAITALL), len);
	return str_make(text, len);
}

static inline bool client_has_nothing(void)
{
	char c;

	return recv(client, &c, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN;
}

#endif
