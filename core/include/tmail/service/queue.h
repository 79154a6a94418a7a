/* SPDX-License-Identifier: MIT
 *
 * <tmail/service/queue.h>: the service that keeps accepted mail.
 *
 * One instance provides it. WRITE is called by one thread of the core, the commit lane, with
 * what arrived while the last call ran; the others on workers of the instance, several at a
 * time. Times are microseconds since 1970. docs/journal.md has the rules behind this page.
 *
 * A claim is one recipient's and one process's, and is given by CLAIM or by an ADD without a due
 * time. It ends with the recipient's OUTCOME, with RELEASE, with the process, or where several
 * nodes share a store, when it runs out. Between a RELEASE and its answer nothing is claimed, and
 * one that fails is made again before the next CLAIM. So a claim is told by message and recipient:
 * what tells it from one that ran out before (a token) is the store's own affair.
 */
#ifndef TMAIL_SERVICE_QUEUE_H
#define TMAIL_SERVICE_QUEUE_H

#include <tmail/module.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TMAIL_QUEUE "queue"

enum tmail_queue_operation {
	TMAIL_QUEUE_WRITE = 1,   /* struct tmail_queue_write; no answer struct */
	TMAIL_QUEUE_CLAIM = 2,   /* tmail_queue_claim -> tmail_queue_claimed */
	TMAIL_QUEUE_RELEASE = 3, /* tmail_queue_release: claims are given back, nothing was tried */
	TMAIL_QUEUE_READ = 4,    /* tmail_queue_read -> tmail_queue_content */
	TMAIL_QUEUE_FIND = 5,    /* tmail_queue_find; entries through its callback */
	TMAIL_QUEUE_COUNT = 6,   /* - -> tmail_queue_counts */
	TMAIL_QUEUE_CHECK = 7,   /* tmail_queue_check: is it durable? OK, NOT_FOUND, TRY_LATER */
	TMAIL_QUEUE_RESERVE = 8, /* tmail_queue_reserve: OK or TRY_LATER when there is no room */
	TMAIL_QUEUE_SPOOL = 9,   /* tmail_queue_spool: octets of a large body, ahead of its add */
	TMAIL_QUEUE_UNSPOOL = 10, /* tmail_queue_read, of a spool -> tmail_queue_content.octets */
	TMAIL_QUEUE_RENEW = 11   /* tmail_queue_renew; only stores whose claims run out have it */
};

/* Of a recipient. PENDING: never tried; those up to DEFERRED are living. */
enum tmail_fate { TMAIL_FATE_PENDING = 0, TMAIL_FATE_DEFERRED = 1, TMAIL_FATE_DELIVERED = 2,
	TMAIL_FATE_BOUNCED = 3, TMAIL_FATE_EXPIRED = 4, TMAIL_FATE_DISCARDED = 5 };

enum tmail_queue_change {
	TMAIL_QUEUE_ADD = 0,     /* a message; its recipients are PENDING and claimed by the writer,
	                            unless `due` is set: then nobody has claimed it */
	TMAIL_QUEUE_OUTCOME = 1, /* of one recipient, whose claim ends: fate, due, attempts, note,
	                            reply; also of one that nobody has claimed */
	TMAIL_QUEUE_END = 2,     /* every recipient has its end: the message may go */
	TMAIL_QUEUE_HOLD = 3,    /* the message is held (reason) until FREE */
	TMAIL_QUEUE_FREE = 4,    /* no longer held; due now */
	TMAIL_QUEUE_DUE = 5      /* living recipients become due at `due` (flush, retry) */
};

/* Of one op. What the core does about an ADD: NO and NEVER are told to who sent it, UNKNOWN is
 * asked about by CHECK. About an outcome of a delivery (OUTCOME, END, HOLD): NO and UNKNOWN are
 * asked again until they are something else, since it is true; said again it changes nothing. */
enum tmail_queue_result {
	TMAIL_QUEUE_DURABLE = 0, /* kept; OUTCOME, END: also when just that was kept before */
	TMAIL_QUEUE_NO = 1,      /* not now, and nothing of it is kept; `why` says it (disk full) */
	TMAIL_QUEUE_UNKNOWN = 2, /* it may be kept, or come to be */
	TMAIL_QUEUE_LOST = 3,    /* OUTCOME: the claim had run out, and another node has the
	                            recipient; END: has one that lives. Nothing of it is kept, and
	                            the core asks no more: it is the other's to say */
	TMAIL_QUEUE_NEVER = 4    /* nothing of it is kept, and never would be: what it is about is
	                            not there or has its end, or the op is no good. The core logs
	                            an error and asks no more; a claim, if there is one, stays */
};

struct tmail_queue_op {
	uint32_t change; /* enum tmail_queue_change */
	uint32_t recipient; /* OUTCOME: its index */
	struct tmail_id id;
	/* ADD */
	const struct tmail_envelope *envelope;
	struct tmail_str opaque; /* the core's words about the message: notes, client; kept as is */
	const struct tmail_str *content; /* octets in memory, in order */
	uint32_t content_count;
	uint32_t spooled; /* 1: SPOOL of this id holds what follows the content */
	uint64_t spool_size;
	/* ADD, OUTCOME, DUE */
	int64_t due; /* ADD: 0 is claimed by the writer */
	/* OUTCOME */
	uint32_t fate, attempts;
	struct tmail_str reply; /* OUTCOME: last words; HOLD: reason; ADD: hold reason or empty */
	uint32_t note; /* OUTCOME: the core's own word about the recipient, below 16; kept as is */
};
struct tmail_queue_verdict {
	uint32_t result; /* enum tmail_queue_result */
	uint32_t full;   /* NO: 1 when the reason is space */
	struct tmail_str why; /* valid until the next WRITE */
};
struct tmail_queue_write {
	uint32_t size;
	uint32_t count;
	struct tmail_list ops; /* of struct tmail_queue_op */
	struct tmail_queue_verdict *results; /* count of them, filled in by the store */
};

struct tmail_queue_claim {
	uint32_t size;
	uint32_t limit; /* messages at most */
	int64_t now;    /* what is due then */
};
struct tmail_queue_entry { /* one living recipient */
	struct tmail_id id;
	uint32_t recipient, fate, attempts, held;
	int64_t due, received;
	uint64_t octets; /* of the whole message */
	struct tmail_str sender, address, reply, hold;
	uint32_t note; /* of its last OUTCOME; 0: none yet */
};
struct tmail_queue_claimed {
	uint32_t size;
	struct tmail_list entries; /* of tmail_queue_entry; of a message together; in due order */
	int64_t next; /* when there will be more; 0: not before the next change */
};
struct tmail_queue_given_back { /* the claim of one recipient */
	struct tmail_id id;
	uint32_t recipient;
	int64_t due; /* when it may be claimed again; 0: when it was due */
};
/* Nothing but these is touched, and a claim that the process has not got (any more) is passed over.
 * OK: all are given back. TRY_LATER: any number is; all are asked for again. REFUSED: never. */
struct tmail_queue_release {
	uint32_t size;
	struct tmail_list claims; /* of struct tmail_queue_given_back */
};
/* Claims of several nodes run out, so that those of a dead node come back. The core renews what
 * it holds in good time, and before a final dot when less than half is left. */
struct tmail_queue_renew {
	uint32_t size, count;
	const struct tmail_id *ids;
	int64_t *left; /* count of them, filled in: milliseconds from now on; 0: lost */
};

struct tmail_queue_read {
	uint32_t size;
	struct tmail_id id;
	uint64_t offset; /* in the content */
	uint64_t limit;  /* octets of content at most; 0: only the envelope */
};
struct tmail_queue_content {
	uint32_t size;
	const struct tmail_envelope *envelope; /* all recipients, also those that have ended */
	struct tmail_str opaque;
	struct tmail_list states; /* of struct tmail_queue_entry, one a recipient */
	struct tmail_str octets;  /* allocated with host->alloc of the call */
	uint64_t total;
};

struct tmail_queue_find { /* every filter that is set must match */
	uint32_t size;
	uint32_t limit; /* entries at most; 0: all. A message is not divided: one that has more is
	                   given whole when it comes first, and not at all later */
	struct tmail_id id, after; /* zero: any; after: for the next page */
	struct tmail_str sender, recipient; /* whole address or "@domain"; any case */
	struct tmail_str reason; /* found in the last reply, any case */
	int64_t before; /* received before; 0: any */
	uint32_t fates; /* 1 << fate; 0: the living */
	uint32_t held;  /* 0 any, 1 only held, 2 only not held */
	/* return other than 0 to end the walk; called in the order of ids */
	int (*found)(void *ctx, const struct tmail_queue_entry *entry);
	void *ctx;
};
struct tmail_queue_counts {
	uint32_t size;
	uint32_t reserved;
	uint64_t messages, recipients, pending, deferred, held, octets;
};
struct tmail_queue_check {
	uint32_t size;
	uint32_t reserved;
	struct tmail_id id;
};
struct tmail_queue_reserve { /* before 354: room for that many octets more */
	uint32_t size;
	uint32_t reserved;
	uint64_t octets; /* an ADD gives back what its content has, a RESERVE with `give_back` the
	                    rest; 0: is there any room at all? */
	uint32_t give_back;
};
struct tmail_queue_spool {
	uint32_t size;
	uint32_t last;    /* 1: after these octets flush; 2: drop the spool of this id */
	struct tmail_id id;
	uint64_t offset;
	struct tmail_str octets;
};

#ifdef __cplusplus
}
#endif
#endif
