/* SPDX-License-Identifier: MIT
 *
 * Sessions counted in memory until they are written: one count for all that are alike. Bounded; not
 * locked.
 */
#ifndef ROUTE_TLSRPT_TALLY_H
#define ROUTE_TLSRPT_TALLY_H

#include "base/buf.h"
#include "base/map.h"

/* What is told of sessions, in the order of the table's columns. */
enum field {
	FIELD_DAY,    /* "2026-11-22", UTC */
	FIELD_DOMAIN, /* of the recipient */
	FIELD_KIND,   /* "tlsa", "sts", "no-policy-found" */
	FIELD_POLICY, /* a line a record */
	FIELD_HOST,   /* the MX */
	FIELD_RESULT, /* of RFC 8460 4.3; empty: success */
	FIELD_SENDING,
	FIELD_RECEIVING, /* addresses */
	FIELD_DETAILS,   /* of the first of them, for people: two are alike that differ in it */
	FIELDS
};

struct count {
	struct str field[FIELDS];
	struct str key; /* of all that makes them alike, binary */
	int64_t sessions;
	char octets[];
};

struct tally {
	struct map counts; /* key -> struct count */
	size_t most;       /* counts */
};

/* False: there is no room for one more kind; then nothing is counted. */
bool tally_add(struct tally *t, const struct str field[FIELDS], int64_t sessions);
/* What was counted goes to `to`, which is empty. */
void tally_take(struct tally *t, struct tally *to);
/* And back, as far as there is room; answers the sessions for which there was none. `from` is
 * empty then. */
int64_t tally_give_back(struct tally *t, struct tally *from);
void tally_free(struct tally *t);

#endif
