/* SPDX-License-Identifier: MIT
 *
 * Ids. Of the 48 lower bits, 32 are a counter of the process and 16 are chance: two ids of one
 * process differ in the counter, two processes that share a node number and a microsecond
 * differ by chance. The time never goes back on a thread, even when the clock does.
 */
#include "base/id.h"

#include <stdatomic.h>
#include <threads.h>

static const char digits[] = "0123456789abcdefghijklmnopqrstuv";

struct id id_make(int64_t now_us, uint16_t node, uint64_t chance)
{
	static atomic_uint_fast32_t counter;
	static thread_local struct id last;
	uint64_t count = atomic_fetch_add_explicit(&counter, 1, memory_order_relaxed) & UINT32_MAX;
	struct id id = { (uint64_t)now_us, (uint64_t)node << 48 | count << 16 | (chance & 0xffff) };

	if (id.hi < last.hi)
		id.hi = last.hi;
	if (id.hi == last.hi && id.lo <= last.lo)
		id.hi++; /* the counter went round */
	return last = id;
}

void id_text(struct id id, char text[ID_TEXT + 1])
{
	/* 130 bits in 26 digits: the first stands for the upper three bits only. */
	for (int i = ID_TEXT - 1; i >= 0; i--) {
		text[i] = digits[id.lo & 31];
		id.lo = id.lo >> 5 | id.hi << 59;
		id.hi >>= 5;
	}
	text[ID_TEXT] = '\0';
}

bool id_parse(struct str s, struct id *id)
{
	struct id sum = { 0, 0 };

	if (s.len != ID_TEXT || s.data[0] > '7')
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.data[i];
		unsigned value;

		if (c >= '0' && c <= '9')
			value = (unsigned)(c - '0');
		else if (c >= 'a' && c <= 'v')
			value = (unsigned)(c - 'a') + 10;
		else
			return false;
		sum.hi = sum.hi << 5 | sum.lo >> 59;
		sum.lo = sum.lo << 5 | value;
	}
	*id = sum;
	return true;
}

int id_compare(struct id a, struct id b)
{
	if (a.hi != b.hi)
		return a.hi < b.hi ? -1 : 1;
	return (a.lo > b.lo) - (a.lo < b.lo);
}
