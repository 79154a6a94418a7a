/* SPDX-License-Identifier: MIT
 *
 * Recipients of the queue, counted in groups: by state, domain, sender, reason or host.
 */
#ifndef ADMIN_COUNT_H
#define ADMIN_COUNT_H

#include "admin/filter.h"

struct count;
/* By one of count_names; NULL with why: there is no such. */
struct count *count_new(struct str by, struct why *why);
void count_add(struct count *c, const struct tmail_queue_entry *e, enum queue_state state);
/* Columns and rows, the largest group first; o may be NULL. Frees it. */
void count_end(struct count **c, struct output *o);

#endif
