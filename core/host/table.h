/* SPDX-License-Identifier: MIT
 *
 * Cached tables, as the other files of this floor see them (service.h has the rest).
 */
#ifndef HOST_TABLE_H
#define HOST_TABLE_H

#include "host/call.h"

struct table; /* a name, and how often what is behind it moved; for ever */

struct table *table_of(const char *name);
const char *table_name(const struct table *t);
uint64_t table_moved(const struct table *t);
void table_move(struct table *t); /* what any loop keeps of it is forgotten */
int64_t table_keep_time(void);    /* ms that an answer is kept */
/* After a reload other modules may answer. */
void tables_forget(void);
/* Without the cache, on a thread that waits. The value is in the arena. */
int table_ask_wait(struct generation *g, const char *table, struct str key, struct arena *arena,
	struct str *value);

#endif
