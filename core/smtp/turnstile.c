/* SPDX-License-Identifier: MIT
 *
 * One list behind one lock, in the order of ranks; within a rank first come, first served. What
 * must hold: `inside` counts those who passed and have not left, also those who were told by a
 * task that has not run yet.
 */
#include "smtp/turnstile.h"

#include "base/fail.h"
#include "base/list.h"

#include <pthread.h>
#include <stdlib.h>

enum { WAITING_MOST = 1024, WAITING_ADDRESS = 16 };

struct ticket {
	struct link link; /* in the list while it waits */
	struct task task; /* posted when it passes */
	struct loop *loop;
	struct ip network;
	unsigned rank;
	bool passed, cancelled;
	void (*told)(void *ctx, bool passed);
	void *ctx;
};

static struct {
	pthread_mutex_t lock;
	struct link waiting;
	unsigned waiting_count, inside, width;
} gate = { .lock = PTHREAD_MUTEX_INITIALIZER, .waiting = { &gate.waiting, &gate.waiting } };

static struct ip network_of(const struct ip *ip)
{
	struct ip network = *ip;

	if (network.family == 6)
		memset(network.bytes + 8, 0, 8);
	return network;
}

static void ticket_run(struct task *task)
{
	struct ticket *t = container_of(task, struct ticket, task);

	if (!t->cancelled)
		t->told(t->ctx, t->passed);
	else if (t->passed)
		turnstile_leave();
	free(t);
}

/* ---- with the lock ------------------------------------------------------------------------ */

static void ticket_tell(struct ticket *t, bool passed)
{
	list_remove(&t->link);
	gate.waiting_count--;
	t->passed = passed;
	loop_post(t->loop, &t->task);
}

static void gate_open(void)
{
	while (gate.inside < gate.width && !list_empty(&gate.waiting)) {
		gate.inside++;
		ticket_tell(container_of(gate.waiting.next, struct ticket, link), true);
	}
}

/* Room for one of this rank, if need be in place of the last. */
static bool gate_has_room(unsigned rank)
{
	struct ticket *last;

	if (gate.waiting_count < WAITING_MOST)
		return true;
	last = container_of(gate.waiting.prev, struct ticket, link);
	if (last->rank <= rank)
		return false;
	ticket_tell(last, false);
	return true;
}

/* How many of the same network wait. Those of this host are many people behind one address. */
static unsigned waiting_of(const struct ip *network)
{
	unsigned count = 0;

	if (network->family == 0 || ip_is_loopback(network))
		return 0;
	LIST_EACH(struct ticket, t, &gate.waiting, link)
		count += ip_equal(&t->network, network);
	return count;
}

static void gate_queue(struct ticket *t)
{
	struct link *before = &gate.waiting;

	LIST_EACH(struct ticket, other, &gate.waiting, link) {
		if (other->rank > t->rank)
			break;
		before = &other->link;
	}
	list_insert_after(before, &t->link);
	gate.waiting_count++;
}

static enum turnstile gate_enter(const struct turnstile_asked *asked, struct ticket **ticket)
{
	struct ip network = network_of(asked->ip);
	struct ticket *t;
	unsigned waiting, rank;

	gate.width = asked->width;
	if (gate.inside < gate.width) {
		gate.inside++;
		return TURNSTILE_PASS;
	}
	waiting = waiting_of(&network);
	rank = asked->failures + waiting;
	if (waiting == WAITING_ADDRESS || !gate_has_room(rank))
		return TURNSTILE_FULL;
	t = *ticket = must_alloc(sizeof *t);
	t->task.run = ticket_run;
	t->loop = asked->loop;
	t->network = network;
	t->rank = rank;
	t->told = asked->told;
	t->ctx = asked->ctx;
	gate_queue(t);
	return TURNSTILE_WAITS;
}

/* ---- asked ------------------------------------------------------------------------------- */

enum turnstile turnstile_enter(const struct turnstile_asked *asked, struct ticket **ticket)
{
	enum turnstile answer;

	pthread_mutex_lock(&gate.lock);
	answer = gate_enter(asked, ticket);
	pthread_mutex_unlock(&gate.lock);
	return answer;
}

void turnstile_cancel(struct ticket **tp)
{
	struct ticket *t = *tp;

	*tp = NULL;
	if (!t)
		return;
	pthread_mutex_lock(&gate.lock);
	if (link_in_list(&t->link)) {
		list_remove(&t->link);
		gate.waiting_count--;
	} else {
		t->cancelled = true; /* its task is on the way, and gives the place back */
		t = NULL;
	}
	pthread_mutex_unlock(&gate.lock);
	free(t);
}

void turnstile_leave(void)
{
	pthread_mutex_lock(&gate.lock);
	must(gate.inside > 0);
	gate.inside--;
	gate_open();
	pthread_mutex_unlock(&gate.lock);
}
