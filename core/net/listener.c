/* SPDX-License-Identifier: MIT
 *
 * Each loop has an ear at the shared socket. Whoever is first accepts, one a turn, and gives
 * what it accepted to the loop with fewest connections when that has clearly fewer.
 *
 * An ear belongs to its loop: it is opened, paused and closed there. The listener's memory is
 * held by its owner, by its ears and by connections on their way to another loop; the last one
 * frees it.
 */
#include "net/listener.h"

#include "base/list.h"
#include "base/log.h"
#include "net/flood.h"
#include "sys/file.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { PAUSE_MS = 100 };

struct ear {
	uv_poll_t poll;
	struct listener *listener;
	struct loop *loop;
	struct link link; /* of the loop's ears */
	struct task start, stop;
	struct deadline pause, lift;
	struct flood_watch watch;
	bool lifting; /* lift is set */
	bool open;    /* poll is libuv's; the loop's own */
	/* No task of ours is on its way to the loop any more, and none must be sent. */
	atomic_bool closed;
};

struct listener {
	int fd;
	unsigned count;
	struct listener_events events;
	struct endpoint local; /* where it listens; family 0: asked for each connection */
	atomic_uint holders;
	atomic_bool stopped;
	atomic_bool exhausted; /* said so, and not accepted since */
	struct flood flood;
	struct ear ears[];
};

/* A connection on its way to another loop. */
struct handover {
	struct task task;
	struct listener *listener;
	struct loop *loop;
	int fd;
	struct endpoint peer, local;
};

static void listener_release(struct listener *l)
{
	if (atomic_fetch_sub(&l->holders, 1) == 1)
		free(l);
}

/* ---- handing over ------------------------------------------------------------------------- */

static void handover_run(struct task *task)
{
	struct handover *h = container_of(task, struct handover, task);
	struct listener *l = h->listener;

	if (loop_ending(h->loop)) {
		loop_load_add(h->loop, -1);
		fd_close(&h->fd);
	} else {
		l->events.accepted(l->events.ctx, h->loop, h->fd, &h->peer, &h->local);
	}
	free(h);
	listener_release(l);
}

/* This loop, unless another has clearly less: moving a connection has its price too. */
static struct loop *loop_choose(const struct listener *l, struct loop *here)
{
	struct loop *least = here;
	unsigned load = loop_load(here);

	for (unsigned i = 0; i < l->count; i++) {
		struct loop *loop = l->ears[i].loop;
		if (loop_load(loop) + 1 < load && loop_load(loop) < loop_load(least) &&
			!loop_ending(loop))
			least = loop;
	}
	return least;
}

static struct endpoint local_of(const struct listener *l, int fd)
{
	struct endpoint local = l->local;

	if (local.ip.family == 0 && !local.path[0])
		endpoint_of_socket(fd, false, &local);
	return local;
}

static void connection_keep(struct ear *ear, int fd, const struct endpoint *peer)
{
	struct listener *l = ear->listener;
	struct endpoint local = local_of(l, fd);
	struct loop *to = loop_choose(l, ear->loop);
	struct handover *h;

	loop_load_add(to, 1);
	if (to == ear->loop) {
		l->events.accepted(l->events.ctx, to, fd, peer, &local);
		return;
	}
	h = must_alloc(sizeof *h);
	h->task.run = handover_run;
	h->listener = l;
	h->loop = to;
	h->fd = fd;
	h->peer = *peer;
	h->local = local;
	atomic_fetch_add(&l->holders, 1);
	loop_post(to, &h->task);
}

/* ---- an ear ------------------------------------------------------------------------------- */

static void ear_event(uv_poll_t *handle, int status, int events);

static void ear_closed(uv_handle_t *handle)
{
	struct ear *ear = container_of((uv_poll_t *)handle, struct ear, poll);

	listener_release(ear->listener);
}

static void ear_close(struct ear *ear)
{
	list_remove(&ear->link);
	atomic_store(&ear->closed, true);
	if (!ear->open)
		return;
	ear->open = false;
	deadline_clear(&ear->pause);
	deadline_clear(&ear->lift);
	uv_close((uv_handle_t *)&ear->poll, ear_closed);
}

static void ears_begin(struct loop *loop, void *part)
{
	(void)loop;
	list_init(part);
}

static void ears_end(void *part)
{
	LIST_EACH(struct ear, ear, (struct link *)part, link)
		ear_close(ear);
}

static const struct loop_part ears_part = {
	.size = sizeof(struct link),
	.begin = ears_begin,
	.end = ears_end,
};

static void ear_listen(struct ear *ear)
{
	must(uv_poll_start(&ear->poll, UV_READABLE, ear_event) == 0);
}

static void pause_over(struct deadline *d)
{
	ear_listen(container_of(d, struct ear, pause));
}

/* Descriptors or memory are used up: the connection stays in the backlog, and polling would
 * only say so again and again. */
static void ear_exhausted(struct ear *ear, int error)
{
	uv_poll_stop(&ear->poll);
	deadline_set(&ear->pause, PAUSE_MS);
	if (!atomic_exchange(&ear->listener->exhausted, true))
		log_event(LEVEL_ERROR, NULL, "accept_paused",
			LOG_C("reason", strerrordesc_np(error)));
}

static bool is_exhausted(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void lift(struct deadline *d)
{
	struct ear *ear = container_of(d, struct ear, lift);
	int64_t wait = flood_lift(&ear->listener->flood, loop_now(ear->loop));

	ear->lifting = wait > 0;
	if (ear->lifting)
		deadline_set(d, wait);
}

/* Who talks to himself is heard whatever he does: it may be the way of all mail of this host. */
static void flood_stop(struct ear *ear, int fd, const struct ip *peer)
{
	struct listener *l = ear->listener;
	struct endpoint local = local_of(l, fd);
	char text[IP_TEXT];

	if (l->events.relayed || ip_equal(peer, &local.ip) ||
		!flood_ban(&l->flood, peer, loop_now(ear->loop)))
		return;
	if (!ear->lifting)
		deadline_set(&ear->lift, FLOOD_BAN);
	ear->lifting = true;
	ip_text(peer, text);
	log_event(LEVEL_WARNING, NULL, "flood_not_heard", LOG_C("address", text),
		LOG_NUM("ms", FLOOD_BAN));
}

/* No session and no greeting is half of what it would cost. One alone may have closed its side
 * only, and read the greeting (RFC 5321 3.1). */
static bool is_flood(struct ear *ear, int fd, const struct ip *peer)
{
	char octet;
	ssize_t n = recv(fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT);
	bool gone = n == 0 || (n < 0 && errno != EAGAIN); /* closed, or reset */
	enum flood_verdict verdict = flood_see(&ear->watch, peer, gone, loop_now(ear->loop));

	if (verdict == FLOOD_ONE)
		flood_stop(ear, fd, peer);
	return verdict != FLOOD_NO;
}

/* One a turn: who connects and leaves as fast as it can must not keep the loop from those that are
 * there. */
static void ear_event(uv_poll_t *handle, int status, int events)
{
	struct ear *ear = container_of(handle, struct ear, poll);
	struct listener *l = ear->listener;
	struct sockaddr_storage address = { 0 };
	socklen_t len = sizeof address;
	struct endpoint peer = { 0 };
	int fd;

	(void)status;
	(void)events;
	if (atomic_load(&l->stopped))
		return;
	fd = accept4(l->fd, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		if (atomic_load_explicit(&l->exhausted, memory_order_relaxed))
			atomic_store(&l->exhausted, false);
		endpoint_of_sockaddr((const struct sockaddr *)&address, &peer);
		if (is_flood(ear, fd, &peer.ip))
			fd_close(&fd);
		else
			connection_keep(ear, fd, &peer);
	} else if (is_exhausted(errno)) { /* else another loop was first, or it is gone again */
		ear_exhausted(ear, errno);
	}
}

static void ear_start(struct task *task)
{
	struct ear *ear = container_of(task, struct ear, start);
	int error;

	if (atomic_load(&ear->listener->stopped) || loop_ending(ear->loop)) {
		atomic_store(&ear->closed, true);
		listener_release(ear->listener);
		return;
	}
	error = uv_poll_init(loop_uv(ear->loop), &ear->poll, ear->listener->fd);
	if (error) {
		log_event(LEVEL_ERROR, NULL, "listen_failed", LOG_C("reason", uv_strerror(error)));
		atomic_store(&ear->closed, true);
		listener_release(ear->listener);
		return;
	}
	ear->open = true;
	deadline_init(&ear->pause, ear->loop, pause_over);
	deadline_init(&ear->lift, ear->loop, lift);
	list_append(loop_part(ear->loop, &ears_part), &ear->link);
	ear_listen(ear);
}

static void ear_stop(struct task *task)
{
	struct ear *ear = container_of(task, struct ear, stop);
	struct listener *l = ear->listener;

	ear_close(ear);
	listener_release(l);
}

/* ------------------------------------------------------------------------------------------ */

struct listener *listener_start(int fd, struct loop *const *loops, unsigned count,
	const struct listener_events *events, struct why *why)
{
	const int on = 1;
	struct listener *l;
	struct endpoint local;

	if (!endpoint_of_socket(fd, false, &local)) {
		why_errno(why, "listening socket");
		return NULL;
	}
	if (!fd_set_nonblocking(fd)) {
		why_errno(why, "listening socket: non-blocking");
		return NULL;
	}
	/* Inherited by what is accepted; refused by a unix socket. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	l = must_alloc(sizeof *l + count * sizeof *l->ears);
	l->fd = fd;
	flood_begin(&l->flood, fd);
	l->count = count;
	l->events = *events;
	if (!ip_is_any(&local.ip))
		l->local = local;
	l->holders = 1 + count;
	for (unsigned i = 0; i < count; i++) {
		l->ears[i].listener = l;
		l->ears[i].loop = loops[i];
		l->ears[i].start.run = ear_start;
		l->ears[i].stop.run = ear_stop;
	}
	for (unsigned i = 0; i < count; i++)
		loop_post(loops[i], &l->ears[i].start);
	return l;
}

void listener_stop(struct listener *l)
{
	if (atomic_exchange(&l->stopped, true))
		return;
	for (unsigned i = 0; i < l->count; i++) {
		if (atomic_load(&l->ears[i].closed))
			continue; /* by the end of its loop */
		atomic_fetch_add(&l->holders, 1);
		loop_post(l->ears[i].loop, &l->ears[i].stop);
	}
}

void listener_left(struct loop *loop)
{
	loop_load_add(loop, -1);
}

void listener_free(struct listener **lp)
{
	struct listener *l = *lp;

	if (!l)
		return;
	*lp = NULL;
	listener_stop(l);
	listener_release(l);
}
