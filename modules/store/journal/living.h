/* SPDX-License-Identifier: MIT
 *
 * One living message in memory, and trees of them in the order of ids. Envelope, replies and
 * content stay on disk. The store's lock guards all of it.
 */
#ifndef JOURNAL_LIVING_H
#define JOURNAL_LIVING_H

#include "base/heap.h"
#include "base/list.h"

#include <stdbool.h>
#include <tmail/service/queue.h>

/* Of a recipient. */
struct state {
	int64_t due;
	uint64_t
		words; /* LSN of the record with its last reply: an OUTCOME, or the message's own */
	uint32_t index;
	uint32_t attempts : 24, fate : 3, note : 4, claimed : 1;
};

/* Of what an outcome says, cut to what there is room for. */
static inline struct state state_of(uint32_t fate, uint32_t note, uint32_t attempts, int64_t due)
{
	return (struct state){
		.due = due, .attempts = attempts & 0xffffff, .fate = fate & 7, .note = note & 15
	};
}

enum living_flags {
	LIVING_SPOOLED = 1,   /* content goes on in a file of the spool */
	LIVING_WANTED = 2,    /* belongs into the index: was deferred once, or held */
	LIVING_LISTED = 4,    /* is in the index */
	LIVING_DIRTY = 8,     /* the index has to hear of it: in the list of those */
	LIVING_APPLYING = 16, /* the index is just being told: may not be freed */
	LIVING_GONE = 32,     /* has ended; kept only until the index forgot it */
	LIVING_DAMAGED = 64   /* cannot be read; not given out any more */
};

struct living {
	struct tmail_id id;
	struct living *left, *right; /* tree; free list (left) */
	struct heap_node due;        /* in the heap while somebody is due and free */
	struct link order;           /* of the table: in the order of LSNs */
	struct link dirty;
	uint64_t lsn;         /* of its ADD or last COPY */
	uint64_t as_of;       /* LSN of its last change */
	uint64_t dirty_since; /* of the first change that the index has not heard */
	uint64_t hold;        /* LSN of the record with the reason; 0: not held */
	uint64_t octets;
	uint32_t length; /* of the record */
	uint32_t count;  /* recipients */
	uint32_t living; /* of them */
	uint32_t flags;
	union {
		struct state one; /* count is 1 */
		struct state *many;
	} states;
};
_Static_assert(sizeof(struct living) <= 192,
	"a living message takes at most 200 octets with its "
	"place in the heap");

static inline struct state *living_states(struct living *m)
{
	return m->count == 1 ? &m->states.one : m->states.many;
}
static inline bool fate_lives(uint32_t fate)
{
	return fate <= TMAIL_FATE_DEFERRED;
}
/* By its index; NULL: no such. */
struct state *living_state(struct living *m, uint32_t index);

int tmail_id_compare(struct tmail_id a, struct tmail_id b);

/* A tree is its root; NULL is the empty one. Ids in it are unique. */
struct living *tree_find(struct living *root, struct tmail_id id);
struct living *tree_after(struct living *root, struct tmail_id id); /* smallest above; or NULL */
void tree_insert(struct living **root, struct living *m);
void tree_remove(struct living **root, struct living *m);

#endif
