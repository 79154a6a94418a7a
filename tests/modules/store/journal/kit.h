/* SPDX-License-Identifier: MIT
 *
 * A store on a disk that forgets, and short words for what tests do with it.
 */
#ifndef TESTS_JOURNAL_KIT_H
#define TESTS_JOURNAL_KIT_H

#include "disk.h"

#include "modules/store/journal/store.h"
#include "tests/lib/folder.h"

enum { KIT_SEGMENT = 128 * 1024 };

struct kit {
	struct disk *disk;
	struct store *store;
	struct why why; /* of an opening that failed */
	char folder[TEST_FOLDER], index[TEST_FOLDER + 16];
	bool no_index;
	uint64_t segment_size, keep_free;
};

/* A new disk and a store on it. */
void kit_begin(struct kit *k);
void kit_end(struct kit *k);
bool kit_open(struct kit *k);
void kit_close(struct kit *k);                       /* in order */
void kit_crash(struct kit *k, enum disk_crash mode); /* power off and on; not opened again */
void kit_reopen(struct kit *k);
/* Tends until there is nothing to do. */
void kit_tend(struct kit *k);

struct tmail_id kit_id(uint64_t n);
uint32_t kit_add(struct kit *k, uint64_t n, size_t octets); /* enum tmail_queue_result */
bool kit_full(void);                                        /* was the last NO for want of space? */
uint32_t kit_defer(struct kit *k, uint64_t n, const char *reply);
uint32_t kit_deliver(struct kit *k, uint64_t n); /* outcome and END */
uint32_t kit_hold(struct kit *k, uint64_t n, const char *reason);
bool kit_spool(struct kit *k, uint64_t n, size_t octets);
uint32_t kit_add_spooled(struct kit *k, uint64_t n, size_t octets);
uint64_t kit_count(struct kit *k);
/* TMAIL_OK: it lives, and its content is what was added. */
int kit_read(struct kit *k, uint64_t n);
int kit_check(struct kit *k, uint64_t n);
/* How many lines of that event it has said since the last time; others are forgotten. */
unsigned kit_said(struct kit *k, const char *event);
/* All that FIND says, a line each. */
void kit_print(struct kit *k, struct buf *out);

#endif
