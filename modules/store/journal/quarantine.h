/* SPDX-License-Identifier: MIT
 *
 * What is damaged is kept aside for a person, said once, and stands in nobody's way.
 */
#ifndef JOURNAL_QUARANTINE_H
#define JOURNAL_QUARANTINE_H

#include <stdbool.h>
#include <stdint.h>
#include <tmail/module.h>

struct store;
struct segment;
struct snapshot;

/* Octets of the journal, to quarantine/lsn-N. False: they could not be kept; said as well. */
bool quarantine_range(struct store *store, const struct segment *segment, uint64_t lsn,
	uint64_t length, const char *what);
/* A message that turned out damaged while the store is open: its record, and its spool. It lives
 * no more; if it could not be kept aside it stays, but is not given out. */
void quarantine_message(struct store *store, const struct snapshot *snap);
/* The file of the spool is moved aside; true also when there is none. */
bool quarantine_spool(struct store *store, struct tmail_id id);

#endif
