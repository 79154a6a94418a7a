/* SPDX-License-Identifier: MIT
 *
 * A binary heap in an array from 1 on: the parent of place i is i / 2, and no element is due
 * before its parent. Every element knows its place, so it can be moved and removed.
 */
#include "base/heap.h"

#include "base/fail.h"

#include <stdlib.h>

enum { HEAP_FIRST = 64 };

static void heap_put(struct heap *h, size_t place, struct heap_node *n)
{
	h->nodes[place] = n;
	n->place = place;
}

/* The node belongs at `place` or above it. */
static void heap_up(struct heap *h, size_t place, struct heap_node *n)
{
	for (; place > 1 && h->nodes[place / 2]->due > n->due; place /= 2)
		heap_put(h, place, h->nodes[place / 2]);
	heap_put(h, place, n);
}

/* The node belongs at `place` or below it. */
static void heap_down(struct heap *h, size_t place, struct heap_node *n)
{
	for (size_t child; (child = place * 2) <= h->count; place = child) {
		if (child < h->count && h->nodes[child + 1]->due < h->nodes[child]->due)
			child++;
		if (h->nodes[child]->due >= n->due)
			break;
		heap_put(h, place, h->nodes[child]);
	}
	heap_put(h, place, n);
}

static void heap_settle(struct heap *h, size_t place, struct heap_node *n)
{
	if (place > 1 && h->nodes[place / 2]->due > n->due)
		heap_up(h, place, n);
	else
		heap_down(h, place, n);
}

void heap_add(struct heap *h, struct heap_node *n, int64_t due)
{
	must(n->place == 0);
	if (h->count + 1 >= h->cap) {
		h->cap = h->cap ? h->cap * 2 : HEAP_FIRST;
		h->nodes = must_realloc(h->nodes, h->cap * sizeof(struct heap_node *));
	}
	n->due = due;
	heap_up(h, ++h->count, n);
}

void heap_move(struct heap *h, struct heap_node *n, int64_t due)
{
	must(n->place > 0 && n->place <= h->count && h->nodes[n->place] == n);
	n->due = due;
	heap_settle(h, n->place, n);
}

void heap_remove(struct heap *h, struct heap_node *n)
{
	size_t place = n->place;
	struct heap_node *last;

	if (place == 0)
		return;
	must(place <= h->count && h->nodes[place] == n);
	n->place = 0;
	last = h->nodes[h->count--];
	if (last != n)
		heap_settle(h, place, last);
}

struct heap_node *heap_first(const struct heap *h)
{
	return h->count ? h->nodes[1] : NULL;
}

void heap_free(struct heap *h)
{
	for (size_t i = 1; i <= h->count; i++)
		h->nodes[i]->place = 0;
	free(h->nodes);
	*h = (struct heap){ 0 };
}
