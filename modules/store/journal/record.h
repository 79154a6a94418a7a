/* SPDX-License-Identifier: MIT
 *
 * One record of the journal as octets and back: docs/journal.md has the format. Pure. What is
 * read points into the octets it was read from.
 */
#ifndef JOURNAL_RECORD_H
#define JOURNAL_RECORD_H

#include "base/buf.h"

#include <tmail/service/queue.h>

enum record_type {
	RECORD_ADD = 1,
	RECORD_COPY = 2,
	RECORD_OUTCOME = 3,
	RECORD_END = 4,
	RECORD_HOLD = 5,
	RECORD_FREE = 6,
	RECORD_DUE = 7
};
enum { RECORD_SPOOLED = 1, RECORD_HELD = 2, RECORD_LISTED = 4, RECORD_STATES = 8 };
enum { RECORD_HEAD = 40 };

struct record {
	uint8_t type, flags;
	uint32_t meta_crc, content_crc;
	struct tmail_id id;
	struct str meta, content;
};

/* How long the two parts of a record become. */
struct extent {
	uint32_t meta, content;
};
static inline uint64_t extent_size(struct extent e)
{
	return (RECORD_HEAD + (uint64_t)e.meta + e.content + 7) & ~(uint64_t)7;
}

/* ---- writing: measure, make room for extent_size, write ------------------------------------ */

/* False: a part would not fit 32 bits. */
bool record_measure(const struct tmail_queue_op *op, struct extent *extent);
/* Head, parts and padding. ADD: spool_check is the checksum of the spool's table. `due` is that of
 * ADD, OUTCOME, FREE and DUE. */
void record_write(char *to, const struct tmail_queue_op *op, struct extent extent,
	uint32_t spool_check, int64_t due);

struct state_words { /* of a recipient, as its outcome or a copy has it */
	uint32_t fate, note, attempts;
	int64_t due;
	struct str reply;
};
struct copy {
	struct record from; /* ADD or COPY; its parts are checked */
	bool held, listed;
	struct str hold;
	const struct state_words *states; /* one a recipient, in the order of the envelope */
	uint32_t count;
};
bool copy_measure(const struct copy *copy, struct extent *extent);
void copy_write(char *to, const struct copy *copy, struct extent extent);

/* ---- reading --------------------------------------------------------------------------- */

/* The head and where the parts are, unchecked. False: `in` does not hold all of it. */
bool record_read(struct str in, struct record *r);
/* The head alone, of at least RECORD_HEAD octets; the parts have lengths but no data. */
void record_read_head(const char *in, struct record *r);
bool record_meta_good(const struct record *r);
bool record_content_good(const struct record *r);

struct meta { /* of ADD and COPY */
	uint32_t count, body, ret, smtputf8, spool_check;
	uint64_t octets, declared, spool_size;
	int64_t received, due;
	struct str sender, envid, login, opaque, hold;
	struct str recipients, states; /* for the two below; states: empty without RECORD_STATES */
	struct str kept;               /* what a copy repeats */
};
bool meta_read(const struct record *r, struct meta *meta);
/* The next one of meta->recipients, meta->states; false at the end. */
bool meta_recipient(struct reader *at, struct tmail_recipient *recipient);
bool meta_state(struct reader *at, struct state_words *state);

struct outcome {
	uint32_t recipient;
	struct state_words words;
};
bool outcome_read(const struct record *r, struct outcome *outcome);
bool due_read(const struct record *r, int64_t *due);      /* FREE, DUE */
bool hold_read(const struct record *r, struct str *hold); /* HOLD */

#endif
