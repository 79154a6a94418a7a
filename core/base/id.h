/* SPDX-License-Identifier: MIT
 *
 * Ids of sessions and messages: the time in microseconds, the node, and a part no two share.
 * As text: 26 characters of 0-9a-v (base 32), in the order of time.
 */
#ifndef BASE_ID_H
#define BASE_ID_H

#include "base/str.h"

struct id {
	uint64_t hi,
		lo; /* hi: microseconds since 1970; lo: node (16 bits), count and chance (48) */
};
enum { ID_TEXT = 26 };

/* Never the same twice in a process, and never smaller than the one before on its thread. */
struct id id_make(int64_t now_us, uint16_t node, uint64_t chance);
void id_text(struct id id, char text[ID_TEXT + 1]);
bool id_parse(struct str s, struct id *id);
static inline bool id_equal(struct id a, struct id b)
{
	return a.hi == b.hi && a.lo == b.lo;
}
static inline bool id_is_zero(struct id a)
{
	return a.hi == 0 && a.lo == 0;
}
int id_compare(struct id a, struct id b);

#endif
