/* SPDX-License-Identifier: MIT
 *
 * What a stream is, for the files that make it: stream.c, its life between two peers, and
 * stream_end.c, its end. Private to this floor.
 */
#ifndef NET_STREAM_STATE_H
#define NET_STREAM_STATE_H

#include "base/list.h"
#include "net/stream.h"
#include "net/tls_end.h"

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
	char octets[READ_SIZE + TLS_RECORD_MOST];
	char cipher[READ_SIZE]; /* as it came, through TLS */
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
	struct buf out; /* for the kernel; of TLS, what is encrypted */
	size_t sent;    /* of out */
	struct tls_end *tls;
	uint64_t received;
	struct task task;
	struct deadline linger;
	int fd, error;
	int events;         /* what libuv polls for */
	bool fresh : 1;     /* not looked at yet */
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

/* ---- stream.c ---------------------------------------------------------------------------- */

ssize_t stream_receive(struct stream *s, char *to, size_t most); /* as recv */
void stream_give_back(struct streams *shared, struct buf *out);
/* Sends what is for the kernel; false when there was nothing, or not all went. */
bool stream_push_out(struct stream *s);
/* The next piece of what the owner wrote; no more than the kernel may take. */
void stream_encrypt(struct stream *s);
/* Polls for what is wanted. unwanted: an event to read has come; else an interest in reading that
 * is no longer wanted stays until one comes. */
void stream_interest(struct stream *s, bool unwanted);
void stream_schedule(struct stream *s);

/* ---- stream_end.c ------------------------------------------------------------------------ */

/* Of one that is closing: sends the rest, and waits for the peer. */
void stream_linger(struct stream *s, int events);
void stream_destroy(struct stream *s);

#endif
