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

bool share_of_connections(const struct send_lane *l, unsigned busy)
{
	unsigned max = l->ql->connections_max, most = max;

	if (l->pace == LANE_SLOW)
		most = max - max / 4;
	if (l->open > 0 && l->pace != LANE_BRISK) {
		most = max / 4 > LANE_FIRST ? max / 4 : LANE_FIRST;
		most = most < max / 2 ? most : max / 2;
	}
	return busy < most;
}
