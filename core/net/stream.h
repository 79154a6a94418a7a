/* SPDX-License-Identifier: MIT
 *
 * A connection: octets in, octets out, on one loop, in clear or through TLS: uv_poll on our own
 * descriptor, so that both take the same path. Idle streams hold no buffers.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include "base/buf.h"
#include "net/socket.h"
#include "net/tls.h"
#include "sys/loop.h"

struct stream;

enum stream_end {
	STREAM_EOF,  /* the peer closed its side */
	STREAM_ERROR /* reset, and the like; text in stream_error */
};
struct stream_owner {
	/* There are octets that were not taken: stream_input, stream_take. Called again only when
	 * more arrive, or after stream_resume. */
	void (*input)(void *owner, struct stream *s);
	/* All output has gone to the kernel. May be NULL. */
	void (*drained)(void *owner, struct stream *s);
	/* No more input will come (what is there can still be taken). At most once. */
	void (*ended)(void *owner, struct stream *s, enum stream_end how);
	/* The handshake that stream_accept_tls or stream_connect_tls began is done, once; one that
	 * fails is STREAM_ERROR. NULL where there is no TLS. */
	void (*secured)(void *owner, struct stream *s);
};

/* Takes the descriptor. It is first read from before the loop next waits. */
struct stream *stream_open(struct loop *loop, int fd, const struct stream_owner *owner, void *ctx);
/* What has arrived and was not taken; valid until the owner's callback returns or more is read. */
struct str stream_input(const struct stream *s);
void stream_take(struct stream *s, size_t n);
/* The first n octets of it are overwritten, where they lie: they were secret. */
static inline void stream_wipe(struct stream *s, size_t n)
{
	struct str input = str_slice(stream_input(s), 0, n);

	if (input.len > 0)
		explicit_bzero((char *)(uintptr_t)input.data, input.len);
}
/* No input callbacks until resume. Reading goes on to a bound (64 KiB), to see the peer leave;
 * with_reading false: not even that (back-pressure). */
void stream_pause(struct stream *s, bool with_reading);
void stream_resume(struct stream *s);
/* Copied. Goes out when the callback returns, or at stream_flush. */
void stream_write(struct stream *s, struct str octets);
/* Where to append output directly; same rules. */
struct buf *stream_output(struct stream *s);
void stream_flush(struct stream *s);
size_t stream_unsent(const struct stream *s);     /* not taken by the kernel; also after an error */
uint64_t stream_received(const struct stream *s); /* octets, since the start */
const char *stream_error(const struct stream *s);
/* From here on octets go through TLS: what was written before goes out in clear first; what has
 * arrived and was not taken is TLS already (where it must not be, the owner looks first). Until
 * `secured` there is no input, and what is written waits. The end of the peer's TLS is STREAM_EOF;
 * of a connection without it, too. How long it may take is the owner's to watch. */
void stream_accept_tls(struct stream *s, struct tls *tls);
void stream_connect_tls(struct stream *s, struct tls *tls, const struct tls_wanted *wanted);
/* After `secured`; valid as long as the stream. NULL in clear. */
const struct tls_facts *stream_tls_facts(const struct stream *s);
const struct tls_end *stream_tls(const struct stream *s); /* for tls_exporter */
/* Sends what is unsent (for at most `linger_ms`), then closes and frees; the owner hears no
 * more. Clears the pointer. */
void stream_close(struct stream **s, int64_t linger_ms);

#endif
