/* SPDX-License-Identifier: MIT
 *
 * What the files of this module share: its settings, what lives as long as it, and its table.
 */
#ifndef ROUTE_TLSRPT_TLSRPT_H
#define ROUTE_TLSRPT_TLSRPT_H

#include "tally.h"

#include <pthread.h>

#include <tmail/service/sql.h>

struct tlsrpt_conf {
	int64_t write_every, keep, most; /* ms, ms, counts */
	struct tmail_str organization, contact;
};

struct tlsrpt {
	pthread_mutex_t lock; /* of the tally */
	struct tally tally;
	pthread_mutex_t writing; /* one writes at a time: who waited finds all of it written */
	int64_t next_write, next_sweep; /* of TICK: microseconds since 1970 */
	bool running;                   /* not opened for its commands alone */
	bool failing;                   /* and that was told; of `writing` */
};

enum { METRIC_SESSIONS, METRIC_FAILURES, METRIC_DROPPED };
enum { DAY_TEXT = sizeof "2026-11-22" };

static inline struct str of(struct tmail_str s)
{
	return str_make(s.data, s.len);
}

static inline struct tmail_str tm(struct str s)
{
	return (struct tmail_str){ s.data, s.len };
}

/* Of UTC; seconds since 1970. */
struct str day_text(int64_t seconds, char room[DAY_TEXT]);
/* As day_text writes it. */
bool day_valid(struct str day);

/* ---- rows.c ------------------------------------------------------------------------------- */

/* What is in memory goes to the table; what cannot be written stays. Waits. */
void rows_write(struct tmail_call *call);
/* Days before that one are forgotten. */
void rows_sweep(struct tmail_call *call, struct str day);
/* Each row of a day and a domain, either empty for all, by day, domain and policy. False: the
 * person was told why not. */
typedef void rows_seen(void *ctx, const struct str field[FIELDS], int64_t sessions);
bool rows_read(
	struct tmail_call *call, struct str day, struct str domain, rows_seen *seen, void *ctx);

/* ---- report.c ------------------------------------------------------------------------------- */

struct report; /* of a day and a domain (RFC 8460 4.4) */

struct report *report_new(
	struct str organization, struct str contact, struct str domain, struct str day);
/* Rows of the same policy follow one another. */
void report_add(struct report *r, const struct str field[FIELDS], int64_t sessions);
/* Its JSON, indented; malloc. NULL: there was no row, or no memory. */
char *report_end(struct report **r);

/* ---- commands.c ----------------------------------------------------------------------------- */

enum { TLSRPT_VERBS = 2 };
extern const struct tmail_verb tlsrpt_verbs[TLSRPT_VERBS];

#endif
