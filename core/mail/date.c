/* SPDX-License-Identifier: MIT
 *
 * The date of a header field. Computed here and not by gmtime_r, which takes a lock that all
 * threads share.
 */
#include "mail/header.h"

#include <stdio.h>

enum { DAY = 24 * 60 * 60 };

static const char days[][4] = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" };
static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep",
	"Oct", "Nov", "Dec" };

struct civil {
	int64_t year;
	unsigned month, day; /* month from 0, day from 1 */
};

/* Days since 1970 to a date of the Gregorian calendar. Years are taken to begin in March, so that
 * the day that comes every four years is the last of its year; 400 of them have 146097 days. */
static struct civil civil_of(int64_t day)
{
	int64_t era, year;
	unsigned of_era, of_year, month;

	day += 719468; /* from 1 March of the year 0 */
	era = (day >= 0 ? day : day - 146096) / 146097;
	of_era = (unsigned)(day - era * 146097);
	year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	of_year = of_era - (unsigned)(365 * year + year / 4 - year / 100);
	month = (5 * of_year + 2) / 153;
	return (struct civil){
		.year = era * 400 + year + (month >= 10),
		.month = (month + 2) % 12,
		.day = of_year - (153 * month + 2) / 5 + 1,
	};
}

void date_text(int64_t us, char text[40])
{
	int64_t seconds = us / 1000000 - (us % 1000000 < 0);
	int64_t day = seconds / DAY - (seconds % DAY < 0);
	unsigned of_day = (unsigned)(seconds - day * DAY);
	struct civil date = civil_of(day);

	snprintf(text, 40, "%s, %02u %s %04lld %02u:%02u:%02u +0000", days[(day % 7 + 7) % 7],
		date.day, months[date.month], (long long)date.year, of_day / 3600, of_day / 60 % 60,
		of_day % 60);
}
