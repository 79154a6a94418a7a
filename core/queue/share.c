/* SPDX-License-Identifier: MIT
 *
 * Shares of the window are those of a buffer that queues have in common (dynamic thresholds):
 * with n that are full and a half of what is free for each, 2/(n+2) of it stays free.
 */
#include "queue/share.h"

#include <stdlib.h>

enum { SHARE_MIN = 20 };

struct asking { /* of one domain */
	struct str domain;
	unsigned count;
	char text[];
};

unsigned share_of_window(void)
{
	unsigned live = atomic_load_explicit(&queue.live, memory_order_relaxed);
	unsigned share = live < QUEUE_LIVE_MAX ? (QUEUE_LIVE_MAX - live) / 2 : 0;

	return share > SHARE_MIN ? share : SHARE_MIN;
}

bool share_take(struct queue_loop *ql, struct str domain)
{
	struct asking *a = map_get(&ql->asking, domain);

	if (!a) {
		a = must_alloc(sizeof *a + domain.len);
		memcpy(a->text, domain.data ? domain.data : "", domain.len);
		a->domain = str_make(a->text, domain.len);
		map_put(&ql->asking, a->domain, a);
	}
	if (a->count >= share_of_window())
		return false;
	a->count++;
	return true;
}

void share_give(struct queue_loop *ql, struct str domain)
{
	struct asking *a = map_get(&ql->asking, domain);

	must(a && a->count > 0);
	if (--a->count == 0)
		free(map_remove(&ql->asking, domain));
}

static unsigned share_of_slow(const struct queue_loop *ql)
{
	return (ql->connections_max + 1) / 2;
}

void share_opened(struct send_lane *l, int more)
{
	l->open += (unsigned)more;
	l->ql->connections += (unsigned)more;
	if (l->pace == LANE_SLOW)
		l->ql->slow += (unsigned)more;
}

void share_pace(struct send_lane *l, enum lane_pace pace)
{
	if (l->pace == LANE_SLOW)
		l->ql->slow -= l->open;
	if (pace == LANE_SLOW)
		l->ql->slow += l->open;
	l->pace = pace;
}

bool share_of_connections(const struct send_lane *l, unsigned busy)
{
	unsigned max = l->ql->connections_max, most = max;

	if (l->pace == LANE_SLOW && l->ql->slow >= share_of_slow(l->ql))
		return false;
	if (l->open > 0 && l->pace != LANE_BRISK) {
		most = max / 4 > LANE_FIRST ? max / 4 : LANE_FIRST;
		most = most < max / 2 ? most : max / 2;
	}
	return busy < most;
}

void share_wait(struct send_lane *l)
{
	struct queue_loop *ql = l->ql;

	if (link_in_list(&l->waiting))
		return;
	list_append(l->open > 0                ? &ql->wanting
			: l->pace == LANE_SLOW ? &ql->lagging
					       : &ql->waiting,
		&l->waiting);
}

/* However many are quick, the slow have a quarter when they want it. */
struct send_lane *share_next(struct queue_loop *ql)
{
	struct link *first = NULL;

	if (ql->slow < share_of_slow(ql) / 2)
		first = list_pop(&ql->lagging);
	if (!first)
		first = list_pop(&ql->waiting);
	if (!first && ql->slow < share_of_slow(ql))
		first = list_pop(&ql->lagging);
	if (!first)
		first = list_pop(&ql->wanting);
	return first ? container_of(first, struct send_lane, waiting) : NULL;
}

bool share_is_scarce(const struct queue_loop *ql)
{
	return !list_empty(&ql->waiting) || !list_empty(&ql->lagging);
}

bool share_is_wanted_of(const struct send_lane *l)
{
	return !list_empty(&l->ql->waiting) ||
		(l->pace == LANE_SLOW && !list_empty(&l->ql->lagging));
}
