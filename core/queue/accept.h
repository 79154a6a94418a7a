/* SPDX-License-Identifier: MIT
 *
 * Messages on their way into the store: room for them, their spooled bodies, their commit.
 */
#ifndef QUEUE_ACCEPT_H
#define QUEUE_ACCEPT_H

#include "queue/commit.h"

/* A message to be kept: the message is taken. done(ctx) on this loop, never before this returns,
 * unless forgotten. Once durable it goes to delivery. */
void accept_message(struct queue_loop *ql, struct message *m,
	void (*done)(void *ctx, enum commit_result result, struct str why), void *ctx);
void accept_forget(struct queue_loop *ql, void *ctx);

/* The ADD of a message; content has room for 2. opaque must live as long. */
void accept_op(struct tmail_queue_op *op, struct message *m, struct buf *opaque,
	struct tmail_str content[2]);

/* Recipients that a module refused after DATA, of a message that was accepted: they are noted
 * with the message, so that a restart knows. "550 words", or false. */
bool refused_after_data(const struct message *m, uint32_t recipient, struct str *words);

/* What is spooled of this id goes; waits for what is being spooled now. */
void spool_drop(struct queue_loop *ql, struct id id);
/* For chain_unspool. */
int spool_read(struct tmail_id id, uint64_t offset, uint64_t limit, struct buf *out);

/* Of smtp_upcalls; spool.c. */
enum commit_result room_reserve(struct subject *subject, uint64_t octets);
void room_give_back(uint64_t octets);
void spool_octets(struct subject *subject, bool last,
	void (*done)(void *ctx, bool ok, struct str why), void *ctx);
void spool_forget(struct queue_loop *ql, void *ctx);

#endif
