/* SPDX-License-Identifier: MIT
 *
 * The end of a stream: what its owner left unsent goes out, the peer is told that this was all,
 * and its own end is awaited, for a while.
 */
#include "net/stream_state.h"

#include "sys/file.h"

#include <errno.h>
#include <stdlib.h>

static void stream_closed(uv_handle_t *handle)
{
	struct stream *s = container_of((uv_poll_t *)handle, struct stream, poll);

	s->gone = true;
	if (!s->scheduled)
		free(s);
}

void stream_destroy(struct stream *s)
{
	s->closing = true;
	s->eof = true;
	list_remove(&s->link);
	deadline_clear(&s->linger);
	buf_free(&s->kept);
	buf_clear(&s->out);
	stream_give_back(s->shared, &s->out);
	tls_end_free(&s->tls);
	if (s->open) {
		s->open = false;
		uv_close((uv_handle_t *)&s->poll, stream_closed);
	} else {
		s->gone = true;
		stream_schedule(s);
	}
	fd_close(&s->fd);
}

/* Behind the last octet of the owner's. */
static void farewell(struct stream *s)
{
	if (!s->tls || s->error)
		return;
	if (!s->tls->secured) /* what waited for a handshake is not said in clear */
		buf_clear(&s->tls->plain);
	if (s->sent == s->out.len)
		stream_encrypt(s);
	if (tls_end_unwritten(s->tls) == 0)
		tls_end_bye(s->tls);
}

/* A peer that did not take what was sent in its time gets a reset: else the kernel would keep
 * megabytes for it. */
static void linger_expired(struct deadline *d)
{
	const struct linger reset = { .l_onoff = 1 };
	struct stream *s = container_of(d, struct stream, linger);

	if (stream_unsent(s) > 0)
		setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	stream_destroy(s);
}

/* Our side is closed when all is sent, then the peer's end is awaited: with unread octets in
 * the kernel a close would be a reset, which can destroy the reply on its way. */
void stream_linger(struct stream *s, int events)
{
	ssize_t n;

	do {
		farewell(s);
	} while (stream_push_out(s) && s->tls);
	if (!s->error && stream_unsent(s) == 0 && !s->shut) {
		s->shut = true;
		if (shutdown(s->fd, SHUT_WR) != 0)
			s->error = errno;
	}
	if ((events & UV_READABLE) && !s->error && !s->eof) {
		n = stream_receive(s, s->shared->octets, READ_SIZE);
		if (n == 0)
			s->eof = true;
		else if (n < 0 && errno != EAGAIN)
			s->error = errno;
	}
	if (s->error || (s->eof && s->shut))
		stream_destroy(s);
	else
		stream_interest(s, false);
}

void stream_close(struct stream **sp, int64_t linger_ms)
{
	struct stream *s = *sp;

	if (!s)
		return;
	*sp = NULL;
	must(!s->closing);
	do {
		farewell(s);
	} while (stream_push_out(s) && s->tls);
	s->closing = true;
	s->input = (struct str){ NULL, 0 };
	if (s->error || linger_ms <= 0 || (s->eof && stream_unsent(s) == 0)) {
		stream_destroy(s);
		return;
	}
	deadline_init(&s->linger, s->loop, linger_expired);
	deadline_set(&s->linger, linger_ms);
	/* Not reading now: the owner may be looking at input of another stream. */
	stream_linger(s, 0);
}
