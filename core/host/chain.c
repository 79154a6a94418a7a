/* SPDX-License-Identifier: MIT
 *
 * Asking all modules of a point. The walk begins on the stack; only when a hook may wait does it
 * move to the heap. After a wait nothing is believed but the walk itself: where it stands, what
 * was said so far, and the subject.
 */
#include "host/verdict.h"

#include <stdlib.h>

struct chain {
	struct parked parked;
	struct turn turn;
	unsigned next;
	bool on_heap;
	struct chain_answer answer;
	void (*done)(void *ctx, const struct chain_answer *answer);
	void *ctx;
};

static void chain_free(struct chain *c)
{
	list_remove(&c->parked.link);
	turn_end(&c->turn);
	free(c);
}

static void chain_cancel(struct parked *parked)
{
	chain_free(container_of(parked, struct chain, parked));
}

static struct chain *chain_to_heap(const struct chain *c)
{
	struct chain *heap = must_alloc(sizeof *heap);

	*heap = *c;
	heap->on_heap = true;
	heap->parked.cancel = chain_cancel;
	list_append(&heap->turn.subject->parked, &heap->parked.link);
	return heap;
}

/* True when the chain has come to its end. */
static bool chain_walk(struct chain **cp, const union tmail_event *event)
{
	struct chain *c = *cp;
	struct subject *s = c->turn.subject;
	const struct hooks *hooks = &s->generation->points[c->turn.point];

	while (c->next < hooks->count) {
		const struct hook *h = &hooks->item[c->next++];
		int verdict;

		if (!instance_minds(h->instance, c->turn.point, &s->client))
			continue;
		if (s->dry && !(h->flags & TMAIL_DRY)) {
			verdict_not_asked(s, c->turn.point, h);
			continue;
		}
		if (!c->on_heap &&
			(h->flags & (TMAIL_WAITS | TMAIL_BLOCKING) ||
				notice_under_way(s, h->position)))
			*cp = c = chain_to_heap(c);
		verdict = turn_ask(&c->turn, h, event);
		if (verdict == TURN_LATER)
			return false;
		if (verdict_take(&c->turn, verdict, &c->answer))
			break;
	}
	return true;
}

static void chain_spoke(struct turn *t, int verdict)
{
	struct chain *c = container_of(t, struct chain, turn);
	struct chain_answer answer;
	void (*done)(void *, const struct chain_answer *) = c->done;
	void *ctx = c->ctx;

	if (!verdict_take(t, verdict, &c->answer) && !chain_walk(&c, &t->facts->event))
		return;
	answer = c->answer;
	chain_free(c);
	done(ctx, &answer);
}

bool chain_hooked(const struct generation *g, enum tmail_point point)
{
	return g->points[point].count > 0;
}

bool chain_ask(struct subject *s, enum tmail_point point, const union tmail_event *event,
	struct chain_answer *answer, void (*done)(void *ctx, const struct chain_answer *),
	void *ctx)
{
	struct chain walk, *c = &walk;

	answer_clear(answer);
	if (s->generation->points[point].count == 0)
		return true;
	if (s->answers)
		arena_reset(s->answers);
	walk = (struct chain){ .turn = { .subject = s, .point = point, .spoke = chain_spoke },
		.done = done,
		.ctx = ctx };
	if (!chain_walk(&c, event))
		return false;
	*answer = c->answer;
	if (c->on_heap)
		chain_free(c);
	return true;
}
