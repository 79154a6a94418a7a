/* SPDX-License-Identifier: MIT
 *
 * A heap of what is due, smallest first, through a member of its elements.
 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct heap_node {
	int64_t due;
	size_t place; /* 0: in no heap */
};
struct heap {
	struct heap_node **nodes; /* nodes[0] is unused */
	size_t count, cap;
};

void heap_add(struct heap *h, struct heap_node *n, int64_t due);
void heap_move(struct heap *h, struct heap_node *n, int64_t due);
void heap_remove(struct heap *h, struct heap_node *n); /* harmless when it is in none */
struct heap_node *heap_first(const struct heap *h);    /* NULL: empty */
void heap_free(struct heap *h);

#endif
