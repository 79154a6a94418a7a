/* SPDX-License-Identifier: MIT
 *
 * A queue service in memory, as a module built into a test: module_preload(&memory_queue), and
 * "test/memory" in the configuration. It keeps what it is told to, counts, and can be made to
 * refuse, to lose its tongue, or to wait. One in a process; it outlives its instance, so that a
 * test can stop the server and start it again.
 */
#ifndef TESTS_LIB_MEMORY_QUEUE_H
#define TESTS_LIB_MEMORY_QUEUE_H

#include <tmail/service/queue.h>

#include "base/str.h"

extern const struct tmail_module memory_queue;

/* What the next writes come to. */
enum memory_mood {
	MEMORY_TAKES,
	MEMORY_REFUSES,        /* NO, for now */
	MEMORY_FULL,           /* NO, for want of space; RESERVE says so too */
	MEMORY_MUMBLES,        /* UNKNOWN, but it is there */
	MEMORY_LOSES,          /* UNKNOWN, and it is not */
	MEMORY_DOES_NOT_KNOW,  /* UNKNOWN, and CHECK cannot say */
	MEMORY_FAILS,          /* WRITE itself answers TRY_LATER */
	MEMORY_IS_STRICT,      /* takes, but is told of nobody twice: NEVER to who has ended */
	MEMORY_HAS_LOST,       /* LOST: another node has it */
	MEMORY_NEVER,          /* NEVER */
	MEMORY_TAKES_THE_FIRST /* of outcomes those of the first recipient; NO to others */
};
void memory_reset(void); /* forgets all */
void memory_set(enum memory_mood mood);
/* The same, for outcomes alone. */
void memory_outcomes(enum memory_mood mood);
/* And what RELEASE comes to: NEVER is REFUSED, all but TAKES is "later". */
void memory_releasing(enum memory_mood mood);
/* READ answers "later"; or only where it is of content. */
void memory_unreadable(bool unreadable);
void memory_contents_unreadable(bool unreadable);
/* WRITE waits until it is let go. */
void memory_hold(void);
void memory_let_go(void);

unsigned memory_messages(void); /* not ended */
unsigned memory_writes(void);   /* calls of WRITE */
unsigned memory_adds(void);     /* ADDs taken, also of messages that have ended */
unsigned memory_ended(void);
unsigned memory_claimed(void);       /* living recipients that somebody has claimed */
unsigned memory_duplicate_ops(void); /* outcomes of recipients that had ended */
unsigned memory_releases(void);      /* claims given back ... */
unsigned memory_strays(void);        /* ... that there were not */
unsigned memory_claims(void);        /* calls of CLAIM */
unsigned memory_reads(void);
uint64_t memory_reserved(void);
uint64_t memory_spooled(void); /* octets of spools */
void memory_wait_ended(unsigned n);
void memory_wait_refused(unsigned n); /* ops answered NO, LOST, NEVER, and RELEASEs not done */
void memory_wait_messages(unsigned n);
void memory_wait_adds(unsigned n);
void memory_wait_writing(void); /* until a WRITE is held */

/* Of the i-th message that is there, in the order it came (also when it has ended). */
struct memory_recipient {
	uint32_t fate, attempts, note;
	int64_t due;
	int claimed;
	char reply[512];
};
struct memory_message {
	struct tmail_id id;
	char sender[256], recipients[1024], hold[128]; /* recipients: "a b" */
	uint32_t count, ended;
	int held;
	char *content; /* free() it */
	size_t content_len;
	struct memory_recipient recipient[8];
};
/* False: there is no such. */
int memory_message(unsigned i, struct memory_message *m);
/* Waits until the recipient of the i-th message has the fate (and is claimed by nobody). */
void memory_wait_fate(unsigned i, uint32_t recipient, uint32_t fate);
/* As another node would change it. */
void memory_change(unsigned i, uint32_t recipient, uint32_t fate, int64_t due);
/* All that is living becomes due now, as time would make it. */
void memory_all_due(void);

#endif
