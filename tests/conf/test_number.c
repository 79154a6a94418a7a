/* SPDX-License-Identifier: MIT */
#include "base/num.h"
#include "conf/tree.h"

#include "tests/conf/load.h"

START_TEST(durations_and_sizes_read_as_they_are_written)
{
	static const struct {
		uint32_t type;
		int64_t v;
		const char *text;
	} rows[] = {
		{ TMAIL_TYPE_INT, INT64_MIN, "-9223372036854775808" },
		{ TMAIL_TYPE_DURATION, 0, "0" },
		{ TMAIL_TYPE_DURATION, 300, "300ms" },
		{ TMAIL_TYPE_DURATION, 90000, "1m30s" },
		{ TMAIL_TYPE_DURATION, 5 * 86400000, "5d" },
		{ TMAIL_TYPE_SIZE, 0, "0" },
		{ TMAIL_TYPE_SIZE, 100, "100" },
		{ TMAIL_TYPE_SIZE, 65536, "64K" },
		{ TMAIL_TYPE_SIZE, 65537, "65537" },
		{ TMAIL_TYPE_SIZE, 10 << 20, "10M" },
		{ TMAIL_TYPE_SIZE, INT64_C(3) << 40, "3T" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[NUMBER_TEXT];

		number_text(rows[i].type, rows[i].v, text);
		ck_assert_str_eq(text, rows[i].text);
	}
}
END_TEST

START_TEST(what_is_printed_is_the_same_number)
{
	uint64_t state = 10;

	for (int i = 0; i < 20000; i++) {
		int64_t v = (int64_t)(chance_next(&state) >> (1 + i % 60)), back = -1;
		char text[NUMBER_TEXT];

		number_text(TMAIL_TYPE_SIZE, v, text);
		ck_assert(num_size(str_c(text), &back) && back == v);
		number_text(TMAIL_TYPE_DURATION, v, text);
		ck_assert(num_duration(str_c(text), &back) && back == v);
	}
}
END_TEST

START_TEST(ranges_may_be_open_at_one_end)
{
	struct tmail_option o = { .type = TMAIL_TYPE_DURATION, .min = 1000, .max = 3600000 };
	char text[RANGE_TEXT];

	number_range_text(&o, text);
	ck_assert_str_eq(text, "1s to 1h");
	o.max = INT64_MAX;
	number_range_text(&o, text);
	ck_assert_str_eq(text, "at least 1s");
	o = (struct tmail_option){ .type = TMAIL_TYPE_INT, .min = INT64_MIN, .max = 5 };
	number_range_text(&o, text);
	ck_assert_str_eq(text, "at most 5");
	o.min = o.max;
	number_range_text(&o, text);
	ck_assert_str_eq(text, "");
}
END_TEST

TEST_MAIN("conf/number", durations_and_sizes_read_as_they_are_written,
	what_is_printed_is_the_same_number, ranges_may_be_open_at_one_end)
