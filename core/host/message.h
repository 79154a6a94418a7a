/* SPDX-License-Identifier: MIT
 *
 * A message from MAIL to its end: envelope, content, notes. One owner at a time: the session
 * until commit, then the queue. Content is, in order: prefix (trace, put on top at the end),
 * data (header and the first of the body), and what the store has spooled.
 */
#ifndef HOST_MESSAGE_H
#define HOST_MESSAGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/id.h"
#include "base/ip.h"
#include "base/map.h"

#include <stdatomic.h>

#include <tmail/module.h>

static inline struct tmail_str tm_str(struct str s)
{
	return (struct tmail_str){ s.data, s.len };
}
static inline struct str str_tm(struct tmail_str s)
{
	return (struct str){ s.data, s.len };
}
static inline struct tmail_id tm_id(struct id i)
{
	return (struct tmail_id){ i.hi, i.lo };
}
static inline struct id id_tm(struct tmail_id i)
{
	return (struct id){ i.hi, i.lo };
}

enum {
	MESSAGE_MEMORY = 64 * 1024,       /* more than this goes to the store's spool */
	MESSAGE_BUDGET = 64 * 1024 * 1024 /* of all messages' content in this process */
};

struct message {
	_Atomic unsigned refs; /* the owner's, and of calls that still read facts about it */
	struct arena *arena;
	struct tmail_envelope envelope; /* strings in the arena; recipients: .list below */
	struct tmail_recipient *recipients;
	size_t recipient_count, recipient_cap;
	struct buf prefix, data;
	size_t header_length; /* of data, with the empty line; 0: not known yet */
	uint64_t spool_size;
	bool spool_stale;      /* a module replaced the body: what was spooled is to be dropped */
	size_t charged;        /* octets counted in the process's budget */
	uint64_t reserved;     /* octets the store keeps free for it (smtp/server.h, reserve) */
	struct tmail_str hold; /* reason; data NULL: not held */
	bool relay;            /* from an authenticated or relay client */
	/* Recipients that modules refused after DATA though the message was accepted: they bounce,
	 * nothing is tried for them. Only with `relay`; in the arena. */
	const struct recipient_verdict *refused;
	bool discard;        /* say yes, keep nothing */
	uint8_t client_kind; /* enum tmail_client_kind */
	/* what trace and bounces say of where it came from */
	struct tmail_str client_address, client_helo, client_name;
	struct tmail_id session;
	struct note *notes; /* newest first; one hides older ones of its name */
};
struct note { /* never changed, so that a worker may read those it began with */
	struct note *next;
	struct tmail_str name, value;
};

struct message *message_new(struct id id, int64_t now);
/* The owner's end; the memory stays as long as calls of modules refer to it. Any thread. */
void message_free(struct message **m);
struct message *message_ref(struct message *m);
/* Copies; index is its place. At most `index` UINT32_MAX. */
struct tmail_recipient *message_add_recipient(
	struct message *m, struct str address, struct str original, uint32_t notify);
/* Takes one out; those behind it move up, and so do their numbers: before commit only. */
void message_remove_recipient(struct message *m, uint32_t index);
/* All for whom gone[index]. */
void message_remove_recipients(struct message *m, const bool *gone);
bool message_has_recipient(
	const struct message *m, struct str address); /* domain folded, local exact */
ptrdiff_t message_find_recipient(const struct message *m, struct str address); /* -1: not there */
uint64_t message_size(const struct message *m);
/* Up to 2 pieces of what is in memory. */
size_t message_pieces(const struct message *m, struct str pieces[2]);
/* Counts the content against the budget; false when it does not fit (then it must be spooled,
 * or dropped from memory and read back). Any thread. */
bool message_charge(struct message *m);
void message_uncharge(struct message *m);
size_t message_budget_used(void);
void message_note_set(struct message *m, struct str name, struct str value);
bool message_note_get(const struct message *m, struct str name, struct str *value);
bool note_find(const struct note *notes, struct str name, struct str *value);

/* The core's own words about a message for the store (queue.h `opaque`): notes, hold, client.
 * Decoding answers false for what is not well formed and leaves the message usable. */
void message_opaque_write(struct buf *out, const struct message *m);
bool message_opaque_read(struct message *m, struct str in);

#endif
