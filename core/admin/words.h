/* SPDX-License-Identifier: MIT
 *
 * What a recipient of the queue is said to be, in rows.
 */
#ifndef ADMIN_WORDS_H
#define ADMIN_WORDS_H

#include "admin/verb.h"
#include "queue/queue.h"

enum { WORDS_TIME = 24 };
/* "2026-01-31T12:00:00Z"; empty for 0. */
void words_time(int64_t us, char text[WORDS_TIME]);
/* Of a C string; an empty one is no value. */
struct tmail_str words_str(const char *text);
/* A sender, or "<>". */
struct tmail_str words_sender(struct tmail_str sender);
/* "Scheduled" */
const char *words_state(const struct tmail_queue_entry *e, enum queue_state state);
/* When it will be tried next, if it will. */
int64_t words_next(const struct tmail_queue_entry *e, enum queue_state state);
/* Why it is held, or what was said last. */
struct str words_why(const struct tmail_queue_entry *e);
/* Last words are "host[address:port]: what it said" when somebody said them. */
struct str words_host(struct tmail_str reply);
struct str words_without_host(struct tmail_str reply);

#endif
