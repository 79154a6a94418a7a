/* SPDX-License-Identifier: MIT
 *
 * When messages come under delivery: fresh ones at once, those of the store when they are due,
 * and only as many as there is room for.
 */
#ifndef QUEUE_SCHEDULE_H
#define QUEUE_SCHEDULE_H

#include "queue/state.h"

void schedule_start(void);
void schedule_end(void); /* on the first loop: nothing is claimed any more */

/* A message that is durable and claimed by this process; it is taken. size: of its content,
 * which may have been dropped from memory. */
void schedule_fresh(struct queue_loop *ql, struct message *m, uint64_t size);
/* Its claim is given back: nobody of it was tried. due: clock_wall, 0 is as it was. */
void schedule_release(struct queue_loop *ql, struct id id, int64_t due);
/* Something in the store is, or will be, due. Any thread. */
void schedule_due_at(int64_t due);
/* A work of this loop has ended. */
void schedule_work_ended(struct queue_loop *ql);

/* While held nothing is claimed from the store, and what was claimed before has been posted to
 * its loop. For threads that may wait. */
void schedule_lock(void);
void schedule_unlock(void);

/* A message as the store has it, without its content; NULL: it cannot be read. states of the
 * answer live as long as the arena. For threads that may wait. */
struct message *message_read_back(struct service *store, struct id id, struct arena *arena,
	struct tmail_queue_content *content);

#endif
