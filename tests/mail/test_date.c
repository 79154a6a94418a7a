/* SPDX-License-Identifier: MIT
 *
 * The date of a header field, against known moments and the calendar of the C library.
 */
#include "mail/header.h"

#include "tests/mail/expect.h"

#include <time.h>

START_TEST(known_moments_have_their_date)
{
	static const struct {
		int64_t us;
		const char *text;
	} cases[] = {
		{ 0, "Thu, 01 Jan 1970 00:00:00 +0000" },
		{ 1795341600 * INT64_C(1000000), "Sun, 22 Nov 2026 10:00:00 +0000" },
		{ 951782399 * INT64_C(1000000) + 999999, "Mon, 28 Feb 2000 23:59:59 +0000" },
		{ 951782400 * INT64_C(1000000), "Tue, 29 Feb 2000 00:00:00 +0000" },
		{ 4107542400 * INT64_C(1000000), "Mon, 01 Mar 2100 00:00:00 +0000" },
		{ -1, "Wed, 31 Dec 1969 23:59:59 +0000" },
		{ 253402300799 * INT64_C(1000000), "Fri, 31 Dec 9999 23:59:59 +0000" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[40];

		date_text(cases[i].us, text);
		ck_assert_str_eq(text, cases[i].text);
	}
}
END_TEST

START_TEST(the_calendar_is_that_of_the_c_library)
{
	for (int64_t day = -200000; day < 400000; day += 1) {
		time_t seconds = (time_t)(day * 86400 + (day * 7919) % 86400);
		char text[40], want[40];
		struct tm tm;

		if (day % 365 > 3 && day % 31 > 2)
			continue; /* the ends of months and years are what matters */
		ck_assert_ptr_nonnull(gmtime_r(&seconds, &tm));
		if (tm.tm_year < -970)
			continue;
		strftime(want, sizeof want, "%a, %d %b %Y %H:%M:%S +0000", &tm);
		date_text((int64_t)seconds * 1000000, text);
		ck_assert_str_eq(text, want);
	}
}
END_TEST

START_TEST(no_moment_is_too_far_away)
{
	static const int64_t far[] = { INT64_MAX, INT64_MIN };

	for (size_t i = 0; i < 2; i++) {
		char text[40];

		date_text(far[i], text);
		ck_assert_uint_lt(strlen(text), sizeof text - 1);
		ck_assert_ptr_nonnull(strstr(text, " +0000"));
	}
}
END_TEST

TEST_MAIN("mail/date", known_moments_have_their_date, the_calendar_is_that_of_the_c_library,
	no_moment_is_too_far_away)
