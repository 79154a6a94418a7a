/* SPDX-License-Identifier: MIT
 *
 * When messages come under delivery: fresh ones at once, those of the store when they are due,
 * and only as many as there is room for.
 */
#ifndef QUEUE_SCHEDULE_H
#define QUEUE_SCHEDULE_H

#include "queue/state.h"

void schedule_start(void);
void schedule_end(void);  /* on the first loop: nothing is claimed any more */
void schedule_over(void); /* on no loop: what is still to be given back is, if it can be */

/* A message that is durable and claimed by this process; it is taken. size: of its content,
 * which may have been dropped from memory. */
void schedule_fresh(struct queue_loop *ql, struct message *m, uint64_t size);
/* May one more be claimed? If not it is looked for later, and a message better added unclaimed. */
bool schedule_has_room(void);
/* The claim of a recipient who was not tried is to be given back. due: clock_wall, 0 is as it
 * was. Any thread. */
void schedule_release(struct id id, uint32_t recipient, int64_t due);
/* Does so now, with the lock held, for threads that may wait; it is done anyway before the next
 * claim. False: the store does not take it now. */
bool schedule_give_back(void);
/* Something in the store is, or will be, due. Any thread. */
void schedule_due_at(int64_t due);
/* A claim that found enough took so many microseconds of the processor, and so many fresh messages
 * came meanwhile: microseconds until the next. The other costs of what is tried again are in
 * proportion, so most of the time is left to what is fresh; where nothing is, there is no rest. */
int64_t schedule_rest(int64_t spent, uint32_t claimed, uint32_t fresh);
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
