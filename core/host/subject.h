/* SPDX-License-Identifier: MIT
 *
 * Who and what modules are asked about: a session, with a message or without, or an attempt at
 * delivery. Belongs to one loop. Chains of hooks and calls of services run over it.
 */
#ifndef HOST_SUBJECT_H
#define HOST_SUBJECT_H

#include "base/log.h"
#include "host/generation.h"
#include "host/message.h"

struct call; /* one hook or operation under way; outlives the subject if it must */

struct subject {
	struct loop *loop;
	struct generation *generation; /* a reference of its own */
	struct tmail_client client;    /* facts; the owner keeps them up to date */
	struct message *message;       /* NULL without a transaction */
	const struct log_context *log;
	/* host's own */
	void **session_states, **message_states; /* by instance, allocated at first call */
	struct arena *session_arena;
	struct call *parked;
	struct record *record;
	bool dry;
};
void subject_init(struct subject *s, struct loop *loop, struct generation *g);
/* Ends the modules' message states (message_end), session states (session_end). What is parked
 * is cancelled: its `done` is not called. */
void subject_message_end(struct subject *s);
void subject_end(struct subject *s);
void subject_cancel(struct subject *s);

/* What a chain came to. Strings live until the next ask on the subject or subject_message_end. */
struct chain_answer {
	enum tmail_verdict verdict; /* CONTINUE, ACCEPT, REJECT, TEMPFAIL, DISCARD */
	bool relay, hold;
	unsigned code;        /* of REJECT and TEMPFAIL: always set, and of its class */
	char enhanced[16];
	struct str text;
	struct str hold_reason, next_hop, source;
	const struct instance *by; /* who ended it; NULL: nobody */
};
/* Asks every module of the point, in order, until one ends it. True: *answer is set. False:
 * parked; done(ctx, answer) follows on the loop, once, unless cancelled. A point nobody hooks
 * costs one test. */
bool chain_ask(struct subject *s, enum tmail_point point, const union tmail_event *event,
	struct chain_answer *answer, void (*done)(void *ctx, const struct chain_answer *), void *ctx);
/* A notice: nothing is waited for (blocking hooks go to their lanes with copies). */
void chain_tell(struct subject *s, enum tmail_point point, const union tmail_event *event);
bool chain_hooked(const struct generation *g, enum tmail_point point);
/* HEADER to EOM over the whole message, module by module, edits made in between. Recipients
 * decided apart are in message_verdicts. */
bool chain_content(struct subject *s, struct chain_answer *answer,
	void (*done)(void *ctx, const struct chain_answer *), void *ctx);
/* How a spooled body is read back for it; set once at start by the queue floor. */
void chain_unspool(int (*read)(struct tmail_id id, uint64_t offset, uint64_t limit, struct buf *out));
/* Octets as they arrive, for STREAM modules; true when nobody objects or nobody listens. */
bool chain_stream(struct subject *s, struct str octets, struct chain_answer *answer);

/* A recipient refused after DATA by a module, apart from the others. */
struct recipient_verdict {
	struct recipient_verdict *next;
	uint32_t index;
	enum tmail_verdict verdict;
	unsigned code;
	char enhanced[16];
	struct str text;
};
struct recipient_verdict *message_verdicts(const struct subject *s);

#endif
