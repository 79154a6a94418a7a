/* SPDX-License-Identifier: MIT
 *
 * The trees are treaps: ordered by id, and a heap by a priority that is a hash of the id, which
 * keeps them shallow in expectation, whatever order ids come in, and needs no memory.
 */
#include "living.h"

#include "base/fail.h"

int tmail_id_compare(struct tmail_id a, struct tmail_id b)
{
	if (a.hi != b.hi)
		return a.hi < b.hi ? -1 : 1;
	return (a.lo > b.lo) - (a.lo < b.lo);
}

static uint64_t priority(const struct living *m)
{
	uint64_t v = (m->id.hi ^ m->id.lo * 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;

	return v ^ v >> 29;
}

struct state *living_state(struct living *m, uint32_t index)
{
	struct state *states = living_states(m);

	if (index < m->count && states[index].index == index)
		return &states[index];
	for (uint32_t i = 0; i < m->count; i++)
		if (states[i].index == index)
			return &states[i];
	return NULL;
}

struct living *tree_find(struct living *root, struct tmail_id id)
{
	while (root) {
		int order = tmail_id_compare(id, root->id);

		if (order == 0)
			return root;
		root = order < 0 ? root->left : root->right;
	}
	return NULL;
}

struct living *tree_after(struct living *root, struct tmail_id id)
{
	struct living *best = NULL;

	while (root) {
		if (tmail_id_compare(id, root->id) < 0) {
			best = root;
			root = root->left;
		} else {
			root = root->right;
		}
	}
	return best;
}

/* Takes the place of the first on its way down that has a smaller priority, whose tree is split
 * in two around the new id. */
void tree_insert(struct living **root, struct living *m)
{
	uint64_t mine = priority(m);
	struct living **place = root, *rest, **left = &m->left, **right = &m->right;

	while (*place && priority(*place) >= mine) {
		int order = tmail_id_compare(m->id, (*place)->id);

		must(order != 0);
		place = order < 0 ? &(*place)->left : &(*place)->right;
	}
	rest = *place;
	*place = m;
	while (rest) {
		if (tmail_id_compare(rest->id, m->id) < 0) {
			*left = rest;
			left = &rest->right;
			rest = rest->right;
		} else {
			*right = rest;
			right = &rest->left;
			rest = rest->left;
		}
	}
	*left = *right = NULL;
}

void tree_remove(struct living **root, struct living *m)
{
	struct living **place = root, *left = m->left, *right = m->right;

	while (*place != m) {
		must(*place);
		place = tmail_id_compare(m->id, (*place)->id) < 0 ? &(*place)->left
								  : &(*place)->right;
	}
	while (left && right) {
		if (priority(left) >= priority(right)) {
			*place = left;
			place = &left->right;
			left = left->right;
		} else {
			*place = right;
			place = &right->left;
			right = right->left;
		}
	}
	*place = left ? left : right;
	m->left = m->right = NULL;
}
