/* SPDX-License-Identifier: MIT
 *
 * "Did you mean": the known name with the smallest edit distance (insert, drop, replace, swap
 * neighbours), ignoring case.
 */
#include "conf/conf.h"

enum { NEAREST_MAX = 64, NEAREST_DISTANCE = 3 };

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Rows of the usual table, three at a time; both are at most NEAREST_MAX long. */
static size_t distance(struct str a, struct str b)
{
	size_t rows[3][NEAREST_MAX + 1];
	size_t *before = rows[0], *last = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b.len; j++)
		last[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t *oldest = before;

		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			char ca = ascii_lower(a.data[i - 1]), cb = ascii_lower(b.data[j - 1]);

			row[j] = least(least(last[j], row[j - 1]) + 1, last[j - 1] + (ca != cb));
			if (i > 1 && j > 1 && ca == ascii_lower(b.data[j - 2]) &&
				cb == ascii_lower(a.data[i - 2]))
				row[j] = least(row[j], before[j - 2] + 1);
		}
		before = last;
		last = row;
		row = oldest;
	}
	return last[b.len];
}

const char *conf_nearest(struct str word, const char *const *names, size_t count)
{
	size_t best = NEAREST_DISTANCE + 1;
	const char *nearest = NULL;

	if (word.len > NEAREST_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		struct str name = str_c(names[i]);
		size_t d = name.len > NEAREST_MAX ? best : distance(word, name);

		if (d < best && d * 2 < word.len) {
			best = d;
			nearest = names[i];
		}
	}
	return nearest;
}
