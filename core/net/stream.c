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
 * Through TLS both are the same with one step between: what one read brought is decrypted whole,
 * what is to be sent is encrypted when what went before has left.
 *
 * What must hold:
 * 1. An owner may do anything in a callback, also close: after each one `closing` is looked at.
 * 2. The memory goes when libuv has closed the handle and the task is in no list.
 * 3. Interest in reading is given up late, when an event comes that nobody wants, because
 *    most pauses end before that and each change is two system calls.
 */
#include "net/stream_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the kernel --------------------------------------------------------------------------- */

ssize_t stream_receive(struct stream *s, char *to, size_t most)
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

static void output_borrow(struct streams *shared, struct buf *out)
{
	if (out->cap == 0 && shared->spares > 0)
		*out = shared->spare[--shared->spares];
}

void stream_give_back(struct streams *shared, struct buf *out)
{
	if (out->cap == 0)
		return;
	if (shared->spares < LENT && out->cap <= LENT_SIZE) {
		buf_clear(out);
		shared->spare[shared->spares++] = *out;
		*out = (struct buf){ 0 };
	} else {
		buf_free(out);
	}
}

/* ---- events and the task ------------------------------------------------------------------ */

static void stream_event(uv_poll_t *handle, int status, int events);

static bool in_handshake(const struct stream *s)
{
	return s->tls && !s->tls->secured;
}

static bool wants_input(const struct stream *s)
{
	if (s->eof || s->error)
		return false;
	if (s->closing)
		return true; /* to see the peer's end */
	if (in_handshake(s))
		return true; /* whatever the owner wrote meanwhile */
	return !s->unread && s->input.len < INPUT_MOST && stream_unsent(s) <= UNSENT_MOST;
}

static void stream_run(struct task *task);

void stream_schedule(struct stream *s)
{
	if (s->scheduled)
		return;
	s->scheduled = true;
	s->task.run = stream_run;
	loop_before_wait(s->loop, &s->task);
}

/* The handle is made when there is something to wait for: a peer that has gone when it is first
 * looked at costs none. */
static void stream_poll(struct stream *s, int events)
{
	int error;

	if (events == s->events)
		return;
	if (!s->open) {
		error = uv_poll_init(loop_uv(s->loop), &s->poll, s->fd);
		if (error) {
			s->error = -error;
			stream_schedule(s); /* the owner hears of it there */
			return;
		}
		s->open = true;
	}
	s->events = events;
	if (events)
		must(uv_poll_start(&s->poll, events, stream_event) == 0);
	else
		must(uv_poll_stop(&s->poll) == 0);
}

void stream_interest(struct stream *s, bool unwanted)
{
	int events = s->blocked && !s->error ? UV_WRITABLE : 0;

	if (wants_input(s) || (!unwanted && !s->eof && !s->error && (s->events & UV_READABLE)))
		events |= UV_READABLE;
	stream_poll(s, events);
}

/* ---- output ------------------------------------------------------------------------------- */

static void stream_fail(struct stream *s, int error)
{
	if (!s->error)
		s->error = error;
	s->blocked = false;
}

bool stream_push_out(struct stream *s)
{
	ssize_t n;

	if (s->out.len == s->sent || s->error || s->blocked)
		return false;
	n = octets_send(s, s->out.data + s->sent, s->out.len - s->sent);
	if (n < 0 && errno != EAGAIN) {
		stream_fail(s, errno);
		return false;
	}
	s->sent += n > 0 ? (size_t)n : 0;
	s->blocked = s->sent < s->out.len;
	if (s->blocked) {
		if (s->sent > UNSENT_MOST) {
			buf_consume(&s->out, s->sent);
			s->sent = 0;
		}
		return false;
	}
	s->sending = s->sending || !s->tls || s->tls->ours;
	s->sent = 0;
	stream_give_back(s->shared, &s->out);
	return true;
}

void stream_encrypt(struct stream *s)
{
	struct tls_end *tls = s->tls;

	if (!tls->secured || tls_end_unwritten(tls) == 0)
		return;
	output_borrow(s->shared, &s->out);
	tls_end_write(tls, UNSENT_MOST);
	if (tls->error) {
		stream_fail(s, EPROTO);
	} else if (tls_end_unwritten(tls) == 0) {
		tls->encrypted = 0;
		stream_give_back(s->shared, &tls->plain);
	}
}

static void stream_push(struct stream *s)
{
	do {
		if (s->tls && s->sent == s->out.len && !s->error)
			stream_encrypt(s);
	} while (stream_push_out(s) && s->tls);
}

/* What TLS found wrong; the peer is told why. */
static void stream_fail_tls(struct stream *s)
{
	stream_push_out(s);
	stream_fail(s, EPROTO);
}

/* ---- input -------------------------------------------------------------------------------- */

/* Untaken input is moved to where it can stay. */
static void input_keep(struct stream *s)
{
	bool in_kept = s->kept.data && s->input.data >= s->kept.data &&
		s->input.data <= s->kept.data + s->kept.len;

	if (s->input.len == 0) {
		buf_free_secret(&s->kept);
	} else if (in_kept) {
		buf_consume(&s->kept, s->kept.len - s->input.len);
	} else {
		buf_clear(&s->kept);
		buf_add(&s->kept, s->input);
		stream_wipe(s, s->input.len); /* half a line, perhaps of a password */
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
	buf_free_secret(&s->kept);
	call_input(s);
}

/* False: no more can be done with what has come. */
static bool handshake(struct stream *s)
{
	output_borrow(s->shared, &s->out);
	if (!tls_end_handshake(s->tls)) {
		stream_fail_tls(s);
		return false;
	}
	if (!s->tls->secured)
		return false;
	s->owner->secured(s->ctx, s);
	return !s->closing;
}

/* What was read becomes input, and what it says of the connection is noted. */
static void cipher_arrived(struct stream *s, size_t before, size_t n)
{
	struct tls_end *tls = s->tls;

	tls->in = str_make(s->shared->cipher, n);
	if (!tls->secured && !handshake(s))
		return;
	n = tls_end_read(tls, s->shared->octets + before, sizeof s->shared->octets - before);
	if (n > 0)
		input_arrived(s, before, n);
	if (s->closing)
		return;
	s->eof = tls->closed;
	if (tls->error)
		stream_fail_tls(s);
}

/* What came with the last octets in clear. */
static void early_arrived(struct stream *s)
{
	size_t n = s->tls->early.len;

	memcpy(s->shared->cipher, s->tls->early.data, n);
	buf_free(&s->tls->early);
	cipher_arrived(s, s->input.len, n);
}

/* Once; false when there was nothing. */
static bool stream_read(struct stream *s)
{
	size_t before;
	ssize_t n;

	input_keep(s);
	before = s->input.len;
	n = stream_receive(
		s, s->tls ? s->shared->cipher : s->shared->octets + before, READ_SIZE - before);
	if (n > 0 && s->tls) {
		cipher_arrived(s, before, (size_t)n);
	} else if (n > 0) {
		input_arrived(s, before, (size_t)n);
	} else if (n == 0 && in_handshake(s)) {
		s->tls->error = "the connection ended in the handshake";
		stream_fail(s, EPROTO);
	} else if (n == 0) {
		s->eof = true;
	} else if (errno != EAGAIN) {
		stream_fail(s, errno);
	}
	return n > 0;
}

/* What the peer said before the connection broke is still there, and may say why. */
static void read_the_last(struct stream *s)
{
	if (s->tls && (in_handshake(s) || s->tls->error))
		return;
	while (!s->closing && s->input.len < INPUT_MOST && !s->eof && stream_read(s))
		continue;
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
		if (s->error && !s->eof)
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
		stream_linger(s, events);
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

/* Before the loop waits: what was written or resumed outside of callbacks, and the first look. */
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
	if (s->tls && s->tls->early.len > 0)
		early_arrived(s);
	else if (s->fresh && wants_input(s))
		stream_read(s);
	s->fresh = false;
	if (!s->closing && s->resumed && !s->paused && s->input.len > 0)
		call_input(s);
	stream_settle(s, false);
	s->calling = false;
}

struct stream *stream_open(struct loop *loop, int fd, const struct stream_owner *owner, void *ctx)
{
	struct stream *s = must_alloc(sizeof *s);

	s->loop = loop;
	s->shared = loop_part(loop, &streams_part);
	s->fd = fd;
	s->owner = owner;
	s->ctx = ctx;
	s->fresh = true;
	list_append(&s->shared->all, &s->link);
	stream_schedule(s);
	return s;
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
	struct buf *out = s->tls ? &s->tls->plain : &s->out;

	output_borrow(s->shared, out);
	if (!s->calling)
		stream_schedule(s);
	return out;
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
	return s->out.len - s->sent + (s->tls ? tls_end_unwritten(s->tls) : 0);
}

uint64_t stream_received(const struct stream *s)
{
	return s->received;
}

const char *stream_error(const struct stream *s)
{
	if (s->tls && s->tls->error)
		return s->tls->error;
	return s->error ? strerrordesc_np(s->error) : "no error";
}

/* ---- TLS ---------------------------------------------------------------------------------- */

static void secure(struct stream *s, struct tls *tls)
{
	must(!s->tls && s->input.len <= READ_SIZE);
	s->tls = tls_end_new(tls, &s->out);
	buf_add(&s->tls->early, s->input);
	s->input.len = 0;
	input_keep(s);
}

void stream_accept_tls(struct stream *s, struct tls *tls)
{
	secure(s, tls);
	SSL_set_accept_state(s->tls->ssl);
	stream_schedule(s);
}

void stream_connect_tls(struct stream *s, struct tls *tls, const struct tls_wanted *wanted)
{
	secure(s, tls);
	tls_end_demand(s->tls, wanted);
	output_borrow(s->shared, &s->out);
	if (!tls_end_handshake(s->tls))
		stream_fail(s, EPROTO);
	stream_schedule(s);
}

const struct tls_facts *stream_tls_facts(const struct stream *s)
{
	return s->tls && s->tls->secured ? &s->tls->facts : NULL;
}

const struct tls_end *stream_tls(const struct stream *s)
{
	return s->tls;
}
