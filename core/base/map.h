/* SPDX-License-Identifier: MIT
 *
 * Text to pointer, open addressing. Zeroed memory is an empty map. Keys are not copied: they
 * live as long as their entry (usually inside the value). With `fold` keys ignore ASCII case.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/str.h"

struct map_slot;
struct map {
	struct map_slot *slots;
	size_t count, used, cap;
	bool fold;
};

void *map_get(const struct map *m, struct str key); /* NULL: not there */
/* Answers what stood there before, or NULL. value is not NULL. */
void *map_put(struct map *m, struct str key, void *value);
void *map_remove(struct map *m, struct str key); /* what stood there, or NULL */
/* Walk: start with *at = 0; false at the end. Removing the entry just given is allowed,
 * adding is not. */
bool map_next(const struct map *m, size_t *at, struct str *key, void **value);
void map_free(struct map *m); /* not the values */

#endif
