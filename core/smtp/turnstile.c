/* SPDX-License-Identifier: MIT
 *
 * Two gates behind one lock, each with a list in the order of ranks; within a rank first come,
 * first served. What must hold: `inside` of a gate counts those who passed and have not left, also
 * those who were told by a task that has not run yet.
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
	struct gate *gate;
	struct ip network;
	unsigned rank;
	bool passed, cancelled;
	void (*told)(void *ctx, bool passed);
	void *ctx;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct gate {
	struct link waiting;
	unsigned waiting_count, inside, width;
} strangers = { .waiting = { &strangers.waiting, &strangers.waiting } },
  friends = { .waiting = { &friends.waiting, &friends.waiting } };

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
		turnstile_leave(t->gate == &friends);
	free(t);
}

/* ---- with the lock ------------------------------------------------------------------------ */

static void ticket_tell(struct ticket *t, bool passed)
{
	list_remove(&t->link);
	t->gate->waiting_count--;
	t->passed = passed;
	loop_post(t->loop, &t->task);
}

static void gate_open(struct gate *g)
{
	while (g->inside < g->width && !list_empty(&g->waiting)) {
		g->inside++;
		ticket_tell(container_of(g->waiting.next, struct ticket, link), true);
	}
}

/* Room for one of this rank, if need be in place of the last. */
static bool gate_has_room(struct gate *g, unsigned rank)
{
	struct ticket *last;

	if (g->waiting_count < WAITING_MOST)
		return true;
	last = container_of(g->waiting.prev, struct ticket, link);
	if (last->rank <= rank)
		return false;
	ticket_tell(last, false);
	return true;
}

/* How many of the same network wait. Those of this host are many people behind one address. */
static unsigned waiting_of(struct gate *g, const struct ip *network)
{
	unsigned count = 0;

	if (network->family == 0 || ip_is_loopback(network))
		return 0;
	LIST_EACH(struct ticket, t, &g->waiting, link)
		count += ip_equal(&t->network, network);
	return count;
}

static void gate_queue(struct ticket *t)
{
	struct link *before = &t->gate->waiting;

	LIST_EACH(struct ticket, other, &t->gate->waiting, link) {
		if (other->rank > t->rank)
			break;
		before = &other->link;
	}
	list_insert_after(before, &t->link);
	t->gate->waiting_count++;
}

static enum turnstile gate_enter(const struct turnstile_asked *asked, struct ticket **ticket)
{
	struct gate *g = asked->known ? &friends : &strangers;
	struct ip network = network_of(asked->ip);
	struct ticket *t;
	unsigned waiting, rank;

	g->width = asked->width;
	if (g->inside < g->width) {
		g->inside++;
		return TURNSTILE_PASS;
	}
	waiting = waiting_of(g, &network);
	rank = asked->failures + waiting;
	if (waiting == WAITING_ADDRESS || !gate_has_room(g, rank))
		return TURNSTILE_FULL;
	t = *ticket = must_alloc(sizeof *t);
	t->task.run = ticket_run;
	t->loop = asked->loop;
	t->gate = g;
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

	pthread_mutex_lock(&lock);
	answer = gate_enter(asked, ticket);
	pthread_mutex_unlock(&lock);
	return answer;
}

void turnstile_cancel(struct ticket **tp)
{
	struct ticket *t = *tp;

	*tp = NULL;
	if (!t)
		return;
	pthread_mutex_lock(&lock);
	if (link_in_list(&t->link)) {
		list_remove(&t->link);
		t->gate->waiting_count--;
	} else {
		t->cancelled = true; /* its task is on the way, and gives the place back */
		t = NULL;
	}
	pthread_mutex_unlock(&lock);
	free(t);
}

void turnstile_leave(bool known)
{
	struct gate *g = known ? &friends : &strangers;

	pthread_mutex_lock(&lock);
	must(g->inside > 0);
	g->inside--;
	gate_open(g);
	pthread_mutex_unlock(&lock);
}
