/* SPDX-License-Identifier: MIT
 *
 * Who and what modules are asked about: a session, with a message or without, or an attempt at
 * delivery. Belongs to one loop. Chains of hooks and calls of services run over it.
 */
#ifndef HOST_SUBJECT_H
#define HOST_SUBJECT_H

#include "base/list.h"
#include "base/log.h"
#include "host/generation.h"
#include "host/message.h"

struct scope;  /* what modules have for a session or a message */
struct record; /* who said what, record.h */

/* Something of the core's own that waits for modules on behalf of a subject. */
struct parked {
	struct link link;
	void (*cancel)(struct parked *parked); /* gives up and frees */
};

struct subject {
	struct loop *loop;
	struct generation *generation; /* a reference of its own */
	struct tmail_client client;    /* facts; the owner keeps them up to date */
	struct message *message;       /* NULL without a transaction */
	const struct log_context *log;
	bool dry; /* explain: modules that do not honour it are not asked */
	/* host's own */
	struct scope *session_scope, *message_scope; /* made when a module first needs one */
	struct link parked;
	struct record *record;
	struct arena *answers;  /* strings of the last chain_answer */
	struct arena *question; /* service_memory, not asked with yet */
	struct arena *answered; /* memory of the last ask that was answered */
	struct stream_reading *stream;
	struct recipient_verdict *verdicts, **verdict_last;
};
/* Takes a reference of g. */
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
	unsigned code; /* of REJECT and TEMPFAIL: always set, and of its class */
	char enhanced[16];
	struct str text;
	struct str hold_reason, next_hop, source;
	struct str sender; /* data NULL: not said */
	const struct instance
		*by; /* who ended it; NULL: nobody. Valid as the subject's generation */
};
/* Asks every module of the point, in order, until one ends it. True: *answer is set. False:
 * parked; done(ctx, answer) follows on the loop, once, unless cancelled. A point nobody hooks
 * costs one test. The event is copied when it must be. A hold is also put on the message. */
bool chain_ask(struct subject *s, enum tmail_point point, const union tmail_event *event,
	struct chain_answer *answer, void (*done)(void *ctx, const struct chain_answer *),
	void *ctx);
/* A notice: nothing is waited for (blocking hooks go to their lanes with copies; the next
 * question to such a module waits until it has returned, since calls of a session never
 * overlap). */
void chain_tell(struct subject *s, enum tmail_point point, const union tmail_event *event);
bool chain_hooked(const struct generation *g, enum tmail_point point);
/* HEADER to EOM over the whole message, module by module, edits made in between. ACCEPT ends a
 * module's own pass; the others are still asked. Recipients decided apart are in
 * message_verdicts. */
bool chain_content(struct subject *s, struct chain_answer *answer,
	void (*done)(void *ctx, const struct chain_answer *), void *ctx);
/* How a spooled body is read back for it (on a worker, may wait; a status of enum tmail_status);
 * set once at start by the queue floor. */
void chain_unspool(
	int (*read)(struct tmail_id id, uint64_t offset, uint64_t limit, struct buf *out));
/* Octets of the message as they arrive, for STREAM modules; true when nobody objects or nobody
 * listens. Once it was false, nobody is asked any more about this message. */
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
