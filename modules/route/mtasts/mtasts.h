/* SPDX-License-Identifier: MIT
 *
 * What the files of route/mtasts have of each other: the module's memory, and who may touch it.
 */
#ifndef MTASTS_MTASTS_H
#define MTASTS_MTASTS_H

#include "cache.h"
#include "fetch.h"

#include <pthread.h>

#include <tmail/service/sql.h>
#include <tmail/service/tlspolicy.h>

struct mtasts_conf {
	struct tmail_str ca_file;
	int64_t fetch_timeout, retry; /* ms */
};

struct mtasts {
	pthread_mutex_t lock; /* of the cache */
	struct cache cache;
	struct fetcher *fetcher; /* NULL: opened for its commands alone */
	int64_t retry;           /* seconds */
	bool curl_looked;        /* whether there is a libcurl; of the ticks */
};

static inline struct str of(struct tmail_str s)
{
	return str_make(s.data, s.len);
}

static inline struct tmail_str tm(struct str s)
{
	return (struct tmail_str){ s.data, s.len };
}

/* Seconds since 1970. */
int64_t mtasts_now(void);

/* ---- discover.c: from a domain to its policy, on a loop ------------------------------------ */

int mtasts_ask(struct tmail_call *call, const void *question, void *answer);

/* The module's own service, for its threads that are on no loop. */
#define MTASTS_SERVICE "mtasts"
enum { MTASTS_FETCH = 1 /* struct mtasts_fetch -> mtasts_found */ };
struct mtasts_fetch {
	struct tmail_str domain;
	bool wait; /* until it has been fetched; else it is only begun */
};
struct mtasts_found {
	struct tmail_str why; /* of any answer but OK */
};
int mtasts_fetch(struct tmail_call *call, const void *question, void *answer);
/* Of the fetcher. */
void mtasts_fetched(void *self, const struct fetched *fetched);

/* ---- rows.c: the table, from where one may wait -------------------------------------------- */

/* All of it, in place of what is known and saved. */
int mtasts_rows_read(struct tmail_call *call, struct tmail_sql_result *result);
/* What is not saved yet. */
void mtasts_rows_save(struct tmail_call *call);

/* ---- commands.c ------------------------------------------------------------------------------ */

enum { MTASTS_VERBS = 3 };
extern const struct tmail_verb mtasts_verbs[MTASTS_VERBS];

#endif
