/* SPDX-License-Identifier: MIT
 *
 * The path that every octet of every peer takes, so made of few system calls: a request and
 * its reply are one wait, one read, one send.
 *
 * In: all streams of a loop read into one buffer of the loop. The owner looks at it there; only
 * what it leaves is copied into the stream's own buffer, so idle streams hold none. One read a
 * turn: what is left in the kernel comes in the next, so that no peer starves the others.
 * Out: what the owner writes is gathered and sent once, when its callback returns, or before
 * the loop waits if it wrote from elsewhere. Buffers for it are lent by the loop.
 *
 * What must hold:
 * 1. An owner may do anything in a callback, also close: after each one `closing` is looked at.
 * 2. The memory goes when libuv has closed the handle and the task is in no list.
 * 3. Interest in reading is given up late, when an event comes that nobody wants, because
 *    most pauses end before that and each change is two system calls.
 */
#include "net/stream.h"

#include "base/list.h"
#include "sys/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	READ_SIZE = 64 * 1024,
	INPUT_MOST = 64 * 1024,  /* untaken: then the peer has to wait */
	UNSENT_MOST = 64 * 1024, /* a peer that does not read is not read from */
	LENT = 16,               /* output buffers that a loop keeps */
	LENT_SIZE = 8 * 1024
};

/* What the streams of a loop share. */
struct streams {
	struct link all;
	struct buf spare[LENT];
	unsigned spares;
	char octets[READ_SIZE];
};

struct stream {
	uv_poll_t poll;
	struct loop *loop;
	struct streams *shared;
	struct link link;
	const struct stream_owner *owner;
	void *ctx;
	struct str input; /* untaken: in shared->octets during a callback, else in `kept` */
	struct buf kept;
	struct buf out;
	size_t sent; /* of out */
	uint64_t received;
	struct task task;
	struct deadline linger;
	int fd, error;
	int events;         /* what libuv polls for */
	bool open : 1;      /* the handle is libuv's */
	bool scheduled : 1; /* task is in the loop's list */
	bool calling : 1;   /* the owner is being called: what it writes goes out afterwards */
	bool paused : 1;    /* no input callbacks */
	bool unread : 1;    /* not even reading */
	bool resumed : 1;   /* input is to be shown again */
	bool eof : 1;
	bool ended : 1;   /* the owner was told */
	bool blocked : 1; /* the kernel took no more */
	bool sending : 1; /* something was sent and `drained` not called yet */
	bool closing : 1;
	bool shut : 1; /* closing, and our side is */
	bool gone : 1; /* only the task holds the memory */
};
_Static_assert(sizeof(struct stream) <= 400, "an idle connection is cheap");

/* ---- the two that TLS will share ---------------------------------------------------------- */

static ssize_t octets_read(struct stream *s, char *to, size_t most)
{
	ssize_t n;

	do {
		n = recv(s->fd, to, most, 0);
	} while (n < 0 && errno == EINTR);
	return n;
}

static ssize_t octets_send(struct stream *s, const char *from, size_t len)
{
	ssize_t n;

	do {
		n = send(s->fd, from, len, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n;
}

/* ---- what a loop lends -------------------------------------------------------------------- */

static void stream_destroy(struct stream *s);

static void streams_begin(struct loop *l, void *part)
{
	struct streams *shared = part;

	(void)l;
	list_init(&shared->all);
}

/* Lingering ones, and those whose owners have gone without a word. */
static void streams_end(void *part)
{
	struct streams *shared = part;

	LIST_EACH(struct stream, s, &shared->all, link)
		stream_destroy(s);
	while (shared->spares > 0)
		buf_free(&shared->spare[--shared->spares]);
}

static const struct loop_part streams_part = {
	.size = sizeof(struct streams),
	.begin = streams_begin,
	.end = streams_end,
};

static void output_borrow(struct stream *s)
{
	if (s->out.cap == 0 && s->shared->spares > 0)
		s->out = s->shared->spare[--s->shared->spares];
}

static void output_give_back(struct stream *s)
{
	struct streams *shared = s->shared;

	s->sent = 0;
	if (s->out.cap == 0)
		return;
	if (shared->spares < LENT && s->out.cap <= LENT_SIZE) {
		buf_clear(&s->out);
		shared->spare[shared->spares++] = s->out;
		s->out = (struct buf){ 0 };
	} else {
		buf_free(&s->out);
	}
}

/* ---- events and the task ------------------------------------------------------------------ */

static void stream_event(uv_poll_t *handle, int status, int events);

static bool wants_input(const struct stream *s)
{
	if (s->eof || s->error)
		return false;
	if (s->closing)
		return true; /* to see the peer's end */
	return !s->unread && s->input.len < INPUT_MOST && stream_unsent(s) <= UNSENT_MOST;
}

static void stream_poll(struct stream *s, int events)
{
	if (!s->open || events == s->events)
		return;
	s->events = events;
	if (events)
		must(uv_poll_start(&s->poll, events, stream_event) == 0);
	else
		must(uv_poll_stop(&s->poll) == 0);
}

/* unwanted: an event to read has come; else an interest in reading that is no longer wanted
 * stays until one comes. */
static void stream_interest(struct stream *s, bool unwanted)
{
	int events = s->blocked && !s->error ? UV_WRITABLE : 0;

	if (wants_input(s) || (!unwanted && !s->eof && !s->error && (s->events & UV_READABLE)))
		events |= UV_READABLE;
	stream_poll(s, events);
}

static void stream_run(struct task *task);

static void stream_schedule(struct stream *s)
{
	if (s->scheduled)
		return;
	s->scheduled = true;
	s->task.run = stream_run;
	loop_before_wait(s->loop, &s->task);
}

/* ---- output ------------------------------------------------------------------------------- */

static void stream_fail(struct stream *s, int error)
{
	if (!s->error)
		s->error = error;
	s->blocked = false;
}

static void stream_push(struct stream *s)
{
	size_t len = stream_unsent(s);
	ssize_t n;

	if (len == 0 || s->error || s->blocked)
		return;
	n = octets_send(s, s->out.data + s->sent, len);
	if (n < 0 && errno != EAGAIN) {
		stream_fail(s, errno);
		return;
	}
	s->sent += n > 0 ? (size_t)n : 0;
	s->blocked = s->sent < s->out.len;
	if (!s->blocked) {
		s->sending = true;
		output_give_back(s);
	} else if (s->sent > UNSENT_MOST) {
		buf_consume(&s->out, s->sent);
		s->sent = 0;
	}
}

/* ---- input -------------------------------------------------------------------------------- */

/* Untaken input is moved to where it can stay. */
static void input_keep(struct stream *s)
{
	bool in_kept = s->kept.data && s->input.data >= s->kept.data &&
		s->input.data <= s->kept.data + s->kept.len;

	if (s->input.len == 0) {
		buf_free(&s->kept);
	} else if (in_kept) {
		buf_consume(&s->kept, s->kept.len - s->input.len);
	} else {
		buf_clear(&s->kept);
		buf_add(&s->kept, s->input);
	}
	s->input = buf_str(&s->kept);
}

static void call_input(struct stream *s)
{
	s->resumed = false;
	s->owner->input(s->ctx, s);
	if (!s->closing)
		input_keep(s);
}

/* What was kept comes first, so that the owner sees one piece. */
static void input_arrived(struct stream *s, size_t before, size_t n)
{
	s->received += n;
	if (s->paused) {
		buf_add(&s->kept, str_make(s->shared->octets + before, n));
		s->input = buf_str(&s->kept);
		return;
	}
	if (before > 0)
		memcpy(s->shared->octets, s->kept.data, before);
	s->input = str_make(s->shared->octets, before + n);
	buf_free(&s->kept);
	call_input(s);
}

static void stream_read(struct stream *s)
{
	size_t before;
	ssize_t n;

	input_keep(s);
	before = s->input.len;
	n = octets_read(s, s->shared->octets + before, READ_SIZE - before);
	if (n > 0)
		input_arrived(s, before, (size_t)n);
	else if (n == 0)
		s->eof = true;
	else if (errno != EAGAIN)
		stream_fail(s, errno);
}

/* What the peer said before the connection broke is still there, and may say why. */
static void read_the_last(struct stream *s)
{
	size_t before;
	ssize_t n = 1;

	while (n > 0 && !s->closing && s->input.len < INPUT_MOST) {
		input_keep(s);
		before = s->input.len;
		n = octets_read(s, s->shared->octets + before, READ_SIZE - before);
		if (n > 0)
			input_arrived(s, before, (size_t)n);
	}
}

/* ---- the owner ---------------------------------------------------------------------------- */

/* After anything that may have changed something: sends, tells, and polls for what is wanted. */
static void stream_settle(struct stream *s, bool unwanted)
{
	if (s->closing)
		return;
	stream_push(s);
	if ((s->eof || s->error) && !s->ended) {
		s->ended = true;
		if (s->error && !s->eof && s->open)
			read_the_last(s);
		if (s->closing)
			return;
		s->owner->ended(s->ctx, s, s->error ? STREAM_ERROR : STREAM_EOF);
		if (s->closing)
			return;
		stream_push(s);
	}
	if (s->sending && stream_unsent(s) == 0) {
		s->sending = false;
		if (s->owner->drained && !s->error) {
			s->owner->drained(s->ctx, s);
			if (s->closing)
				return;
			/* Not at once: who always has more must not keep the loop. */
			if (stream_unsent(s) > 0)
				stream_schedule(s);
		}
	}
	stream_interest(s, unwanted);
}

static void linger_on(struct stream *s, int events);

static void stream_event(uv_poll_t *handle, int status, int events)
{
	struct stream *s = container_of(handle, struct stream, poll);
	bool unwanted = false;

	if (status < 0) {
		s->events = 0; /* libuv has stopped; a read tells what it was */
		events = UV_READABLE;
	}
	if (events & UV_WRITABLE)
		s->blocked = false;
	if (s->closing) {
		linger_on(s, events);
		return;
	}
	s->calling = true;
	if (events & UV_READABLE) {
		if (wants_input(s) || (status < 0 && s->input.len < INPUT_MOST))
			stream_read(s);
		else
			unwanted = true;
	}
	if (status < 0 && !s->closing && !s->error)
		stream_fail(s, ECONNRESET);
	stream_settle(s, unwanted);
	s->calling = false;
}

/* Before the loop waits: what was written or resumed outside of callbacks. */
static void stream_run(struct task *task)
{
	struct stream *s = container_of(task, struct stream, task);

	s->scheduled = false;
	if (s->gone) {
		free(s);
		return;
	}
	if (s->closing)
		return;
	s->calling = true;
	input_keep(s);
	if (s->resumed && !s->paused && s->input.len > 0)
		call_input(s);
	stream_settle(s, false);
	s->calling = false;
}

struct stream *stream_open(struct loop *loop, int fd, const struct stream_owner *owner, void *ctx)
{
	struct stream *s = must_alloc(sizeof *s);
	int error;

	s->loop = loop;
	s->shared = loop_part(loop, &streams_part);
	s->fd = fd;
	s->owner = owner;
	s->ctx = ctx;
	list_append(&s->shared->all, &s->link);
	error = uv_poll_init(loop_uv(loop), &s->poll, fd);
	s->open = error == 0;
	if (s->open) {
		stream_interest(s, false);
	} else {
		s->error = -error;
		stream_schedule(s); /* the owner hears of it there */
	}
	return s;
}

struct loop *stream_loop(const struct stream *s)
{
	return s->loop;
}

int stream_fd(const struct stream *s)
{
	return s->fd;
}

struct str stream_input(const struct stream *s)
{
	return s->input;
}

void stream_take(struct stream *s, size_t n)
{
	must(n <= s->input.len);
	s->input.data += n;
	s->input.len -= n;
	/* Outside of a callback nobody else asks for more again. */
	if (!s->calling)
		stream_schedule(s);
}

void stream_pause(struct stream *s, bool with_reading)
{
	s->paused = true;
	s->unread = !with_reading;
	s->resumed = false;
}

void stream_resume(struct stream *s)
{
	s->paused = false;
	s->unread = false;
	s->resumed = true;
	stream_schedule(s);
}

struct buf *stream_output(struct stream *s)
{
	output_borrow(s);
	if (!s->calling)
		stream_schedule(s);
	return &s->out;
}

void stream_write(struct stream *s, struct str octets)
{
	buf_add(stream_output(s), octets);
}

void stream_flush(struct stream *s)
{
	stream_push(s);
	stream_schedule(s);
}

size_t stream_unsent(const struct stream *s)
{
	return s->out.len - s->sent;
}

uint64_t stream_received(const struct stream *s)
{
	return s->received;
}

const char *stream_error(const struct stream *s)
{
	return s->error ? strerrordesc_np(s->error) : "no error";
}

/* ---- the end ------------------------------------------------------------------------------ */

static void stream_closed(uv_handle_t *handle)
{
	struct stream *s = container_of((uv_poll_t *)handle, struct stream, poll);

	s->gone = true;
	if (!s->scheduled)
		free(s);
}

static void stream_destroy(struct stream *s)
{
	s->closing = true;
	s->eof = true;
	list_remove(&s->link);
	deadline_clear(&s->linger);
	buf_free(&s->kept);
	buf_clear(&s->out);
	output_give_back(s);
	if (s->open) {
		s->open = false;
		uv_close((uv_handle_t *)&s->poll, stream_closed);
	} else {
		s->gone = true;
		stream_schedule(s);
	}
	fd_close(&s->fd);
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
static void linger_on(struct stream *s, int events)
{
	ssize_t n;

	stream_push(s);
	if (!s->error && stream_unsent(s) == 0 && !s->shut) {
		s->shut = true;
		if (shutdown(s->fd, SHUT_WR) != 0)
			s->error = errno;
	}
	if ((events & UV_READABLE) && !s->error && !s->eof) {
		n = octets_read(s, s->shared->octets, READ_SIZE);
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
	stream_push(s);
	s->closing = true;
	s->input = (struct str){ NULL, 0 };
	if (s->error || !s->open || linger_ms <= 0 || (s->eof && stream_unsent(s) == 0)) {
		stream_destroy(s);
		return;
	}
	deadline_init(&s->linger, s->loop, linger_expired);
	deadline_set(&s->linger, linger_ms);
	/* Not reading now: the owner may be looking at input of another stream. */
	linger_on(s, 0);
}
