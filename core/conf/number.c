/* SPDX-License-Identifier: MIT
 *
 * Numbers of options for people: in messages about ranges and in manual pages.
 */
#include "conf/tree.h"

#include <inttypes.h>
#include <stdio.h>

struct unit {
	const char *name;
	int64_t factor;
};

/* The largest units first, as many as are needed. */
static void duration_text(int64_t ms, char text[NUMBER_TEXT])
{
	static const struct unit units[] = { { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 },
		{ "s", 1000 }, { "ms", 1 } };
	size_t len = 0;

	if (ms <= 0) {
		snprintf(text, NUMBER_TEXT, "%" PRId64, ms / 1000);
		return;
	}
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		if (ms < units[i].factor)
			continue;
		len += (size_t)snprintf(text + len, NUMBER_TEXT - len, "%" PRId64 "%s",
			ms / units[i].factor, units[i].name);
		ms %= units[i].factor;
	}
}

/* The largest unit that divides it. */
static void size_text(int64_t octets, char text[NUMBER_TEXT])
{
	static const struct unit units[] = { { "T", INT64_C(1) << 40 }, { "G", INT64_C(1) << 30 },
		{ "M", INT64_C(1) << 20 }, { "K", INT64_C(1) << 10 }, { "", 1 } };
	size_t i = 0;

	while (octets % units[i].factor || (octets == 0 && units[i].factor > 1))
		i++;
	snprintf(text, NUMBER_TEXT, "%" PRId64 "%s", octets / units[i].factor, units[i].name);
}

void number_text(uint32_t type, int64_t v, char text[NUMBER_TEXT])
{
	if (type == TMAIL_TYPE_DURATION)
		duration_text(v, text);
	else if (type == TMAIL_TYPE_SIZE)
		size_text(v, text);
	else
		snprintf(text, NUMBER_TEXT, "%" PRId64, v);
}

void number_range_text(const struct tmail_option *o, char text[RANGE_TEXT])
{
	char min[NUMBER_TEXT], max[NUMBER_TEXT];

	text[0] = '\0';
	if (o->min == o->max)
		return;
	number_text(o->type, o->min, min);
	number_text(o->type, o->max, max);
	if (o->max == INT64_MAX)
		snprintf(text, RANGE_TEXT, "at least %s", min);
	else if (o->min == INT64_MIN)
		snprintf(text, RANGE_TEXT, "at most %s", max);
	else
		snprintf(text, RANGE_TEXT, "%s to %s", min, max);
}
