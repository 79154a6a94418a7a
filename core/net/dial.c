/* SPDX-License-Identifier: MIT
 *
 * Connecting. Attempts are started one after the other, 250 ms apart or as soon as one fails;
 * the first that is connected wins and the others are closed. Nothing happens before the loop's
 * next turn, so that `done` never comes while the caller is starting.
 */
#include "net/dial.h"

#include "base/list.h"
#include "sys/file.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>

enum { NEXT_MS = 250 };

struct attempt {
	uv_poll_t poll;
	struct dial *dial; /* NULL: only libuv holds the memory */
	int fd;
	const struct endpoint *peer;
	struct attempt *next;
};

struct dial {
	struct loop *loop;
	struct endpoint *peers;
	size_t count, started;
	struct ip *sources;
	size_t source_count;
	struct attempt *under_way;
	struct deadline next, limit;
	void (*done)(void *ctx, const struct dial_result *result);
	void *ctx;
	struct why why;
	bool finished; /* in `done` */
};

/* ---- one attempt -------------------------------------------------------------------------- */

static void attempt_freed(uv_handle_t *handle)
{
	free(container_of((uv_poll_t *)handle, struct attempt, poll));
}

/* The descriptor is closed too, unless it was taken. */
static void attempt_end(struct attempt *a)
{
	struct attempt **at = &a->dial->under_way;

	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	a->dial = NULL;
	uv_close((uv_handle_t *)&a->poll, attempt_freed);
	fd_close(&a->fd);
}

static void dial_note(struct dial *d, const struct endpoint *peer, const char *reason)
{
	char text[ENDPOINT_TEXT];
	size_t len = strlen(d->why.text);

	endpoint_text(peer, text);
	snprintf(d->why.text + len, sizeof d->why.text - len, "%s%s: %s", len ? "; " : "", text,
		reason);
}

/* NULL: there is none of the peer's family. */
static const struct ip *source_for(const struct dial *d, const struct endpoint *peer)
{
	for (size_t i = 0; i < d->source_count; i++)
		if (d->sources[i].family == peer->ip.family)
			return &d->sources[i];
	return NULL;
}

static bool bind_source(const struct dial *d, int fd, const struct endpoint *peer)
{
	const int on = 1;
	struct sockaddr_storage address;
	const struct ip *ip = source_for(d, peer);
	struct endpoint source = { 0 };

	if (!ip || ip_is_any(ip))
		return true;
	source.ip = *ip;
	/* The port is chosen in connect, when the peer is known: many more are free then. */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
	socklen_t len = endpoint_sockaddr(&source, &address);
	return bind(fd, (struct sockaddr *)&address, len) == 0;
}

/* A descriptor that is connecting, or connected; -1 and errno. */
static int connect_start(const struct dial *d, const struct endpoint *peer)
{
	const int on = 1;
	struct sockaddr_storage address;
	socklen_t len = endpoint_sockaddr(peer, &address);
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (address.ss_family != AF_UNIX) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		if (!bind_source(d, fd, peer)) {
			fd_close(&fd);
			return -1;
		}
	}
	if (connect(fd, (struct sockaddr *)&address, len) != 0 && errno != EINPROGRESS &&
		errno != EINTR)
		fd_close(&fd); /* keeps errno */
	return fd;
}

/* ---- the end ------------------------------------------------------------------------------ */

static void dial_close(struct dial *d)
{
	while (d->under_way)
		attempt_end(d->under_way);
	deadline_clear(&d->next);
	deadline_clear(&d->limit);
}

static void dial_destroy(struct dial *d)
{
	free(d->peers);
	free(d->sources);
	free(d);
}

static void dial_finish(struct dial *d, struct dial_result *result)
{
	dial_close(d);
	d->finished = true;
	d->done(d->ctx, result);
	dial_destroy(d);
}

static void dial_failed(struct dial *d)
{
	struct dial_result result = { .fd = -1, .why = d->why };

	dial_finish(d, &result);
}

static void dial_succeeded(struct dial *d, struct attempt *a)
{
	struct dial_result result = { .fd = a->fd, .peer = *a->peer };

	endpoint_of_socket(a->fd, false, &result.local);
	a->fd = -1; /* the receiver's; but libuv must forget it before it is used again */
	dial_finish(d, &result);
}

static void limit_reached(struct deadline *deadline)
{
	struct dial *d = container_of(deadline, struct dial, limit);

	for (struct attempt *a = d->under_way; a; a = a->next)
		dial_note(d, a->peer, "timed out");
	for (size_t i = d->started; i < d->count; i++)
		dial_note(d, &d->peers[i], "not tried in time");
	dial_failed(d);
}

/* ---- one after the other ------------------------------------------------------------------ */

static void attempt_event(uv_poll_t *handle, int status, int events);

/* False: it has failed already, and says so. */
static bool attempt_start(struct dial *d, const struct endpoint *peer)
{
	struct attempt *a;
	int error, fd;

	if (d->source_count > 0 && !peer->path[0] && !source_for(d, peer)) {
		dial_note(d, peer, "no local address of its family");
		return false;
	}
	fd = connect_start(d, peer);
	if (fd < 0) {
		dial_note(d, peer, strerrordesc_np(errno));
		return false;
	}
	a = must_alloc(sizeof *a);
	error = uv_poll_init(loop_uv(d->loop), &a->poll, fd);
	if (error) {
		dial_note(d, peer, uv_strerror(error));
		fd_close(&fd);
		free(a);
		return false;
	}
	a->dial = d;
	a->fd = fd;
	a->peer = peer;
	a->next = d->under_way;
	d->under_way = a;
	must(uv_poll_start(&a->poll, UV_WRITABLE, attempt_event) == 0);
	return true;
}

static void dial_next(struct dial *d)
{
	while (d->started < d->count) {
		if (attempt_start(d, &d->peers[d->started++])) {
			if (d->started < d->count)
				deadline_set(&d->next, NEXT_MS);
			return;
		}
	}
	if (!d->under_way)
		dial_failed(d);
}

static void next_due(struct deadline *deadline)
{
	dial_next(container_of(deadline, struct dial, next));
}

static void attempt_event(uv_poll_t *handle, int status, int events)
{
	struct attempt *a = container_of(handle, struct attempt, poll);
	struct dial *d = a->dial;
	int error = 0;
	socklen_t len = sizeof error;

	(void)events;
	if (getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error == 0 && status < 0)
		error = ECONNREFUSED; /* the kernel told libuv only that there is one */
	if (error == 0) {
		dial_succeeded(d, a);
		return;
	}
	dial_note(d, a->peer, strerrordesc_np(error));
	attempt_end(a);
	/* At once, without the rest of the 250 ms. */
	deadline_clear(&d->next);
	dial_next(d);
}

struct dial *dial_start(struct loop *loop, const struct endpoint *peers, size_t count,
	const struct ip *sources, size_t source_count, int64_t timeout,
	void (*done)(void *ctx, const struct dial_result *result), void *ctx)
{
	struct dial *d = must_alloc(sizeof *d);

	d->loop = loop;
	if (count > 0) {
		d->peers = must_alloc(count * sizeof *peers);
		memcpy(d->peers, peers, count * sizeof *peers);
		d->count = count;
	} else {
		why_set(&d->why, "no address to connect to");
	}
	if (source_count > 0) {
		d->sources = must_alloc(source_count * sizeof *sources);
		memcpy(d->sources, sources, source_count * sizeof *sources);
		d->source_count = source_count;
	}
	d->done = done;
	d->ctx = ctx;
	deadline_init(&d->next, loop, next_due);
	deadline_init(&d->limit, loop, limit_reached);
	deadline_set(&d->limit, timeout);
	deadline_set(&d->next, 0);
	return d;
}

void dial_cancel(struct dial **dp)
{
	struct dial *d = *dp;

	if (!d)
		return;
	*dp = NULL;
	if (d->finished)
		return; /* its memory goes when `done` returns */
	dial_close(d);
	dial_destroy(d);
}
