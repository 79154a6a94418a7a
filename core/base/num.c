/* SPDX-License-Identifier: MIT
 *
 * Numbers in text, strictly: no blanks, no sign but where it is said, no overflow. The text is
 * walked with its length, so a NUL inside it is just another octet that is no digit.
 */
#include "base/num.h"

#include <inttypes.h>
#include <stdio.h>

struct unit {
	struct str name;
	int64_t factor;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits at the front of *s, taken off; false when there are none or too many. */
static bool take_digits(struct str *s, uint64_t *v)
{
	uint64_t sum = 0;
	size_t i = 0;

	for (; i < s->len && is_digit(s->data[i]); i++)
		if (__builtin_mul_overflow(sum, 10u, &sum) ||
			__builtin_add_overflow(sum, (uint64_t)(s->data[i] - '0'), &sum))
			return false;
	if (i == 0)
		return false;
	*s = str_slice(*s, i, s->len);
	*v = sum;
	return true;
}

bool num_u64(struct str s, uint64_t *v)
{
	uint64_t sum;

	if (!take_digits(&s, &sum) || s.len)
		return false;
	*v = sum;
	return true;
}

bool num_i64(struct str s, int64_t *v)
{
	bool minus = s.len && s.data[0] == '-';
	uint64_t sum;

	if (!num_u64(minus ? str_slice(s, 1, s.len) : s, &sum) ||
		sum > (uint64_t)INT64_MAX + (minus ? 1 : 0))
		return false;
	*v = minus ? (int64_t)(0 - sum) : (int64_t)sum;
	return true;
}

static int hex_digit(char c)
{
	c = ascii_lower(c);
	if (is_digit(c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool num_hex(struct str s, uint64_t *v)
{
	uint64_t sum = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		int digit = hex_digit(s.data[i]);

		if (digit < 0 || sum >> 60)
			return false;
		sum = sum << 4 | (uint64_t)digit;
	}
	*v = sum;
	return true;
}

bool num_bool(struct str s, bool *v)
{
	static const struct {
		struct str word;
		bool means;
	} words[] = {
		{ STR_INIT("true"), true },
		{ STR_INIT("yes"), true },
		{ STR_INIT("on"), true },
		{ STR_INIT("1"), true },
		{ STR_INIT("false"), false },
		{ STR_INIT("no"), false },
		{ STR_INIT("off"), false },
		{ STR_INIT("0"), false },
	};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (str_equal_case(s, words[i].word)) {
			*v = words[i].means;
			return true;
		}
	return false;
}

/* The unit whose name is all letters at the front of *s, taken off; NULL: none has it. */
static const struct unit *take_unit(struct str *s, const struct unit *units, size_t count)
{
	size_t len = 0;

	while (len < s->len && !is_digit(s->data[len]))
		len++;
	for (size_t i = 0; i < count; i++)
		if (str_equal_case(str_slice(*s, 0, len), units[i].name)) {
			*s = str_slice(*s, len, s->len);
			return &units[i];
		}
	return NULL;
}

/* number * factor added to *sum, where all of it must fit. */
static bool add_product(int64_t *sum, uint64_t number, int64_t factor)
{
	int64_t product;

	return !__builtin_mul_overflow(number, factor, &product) &&
		!__builtin_add_overflow(*sum, product, sum);
}

static const struct unit times[] = {
	{ STR_INIT("w"), 7 * 86400000 },
	{ STR_INIT("d"), 86400000 },
	{ STR_INIT("h"), 3600000 },
	{ STR_INIT("m"), 60000 },
	{ STR_INIT("s"), 1000 },
	{ STR_INIT("ms"), 1 },
};

bool num_duration(struct str s, int64_t *ms)
{
	const struct unit *before = NULL, *unit;
	uint64_t number;
	int64_t sum = 0;

	if (num_u64(s, &number)) {
		if (!add_product(&sum, number, 1000))
			return false;
		*ms = sum;
		return true;
	}
	/* Units fall from left to right: 30m1h is a slip, not an hour and a half. */
	do {
		if (!take_digits(&s, &number))
			return false;
		unit = take_unit(&s, times, sizeof times / sizeof *times);
		if (!unit || (before && unit <= before) || !add_product(&sum, number, unit->factor))
			return false;
		before = unit;
	} while (s.len);
	*ms = sum;
	return true;
}

bool num_size(struct str s, int64_t *octets)
{
	static const struct unit units[] = {
		{ STR_INIT(""), 1 },
		{ STR_INIT("K"), INT64_C(1) << 10 },
		{ STR_INIT("M"), INT64_C(1) << 20 },
		{ STR_INIT("G"), INT64_C(1) << 30 },
		{ STR_INIT("T"), INT64_C(1) << 40 },
	};
	const struct unit *unit;
	uint64_t number;
	int64_t sum = 0;

	if (!take_digits(&s, &number))
		return false;
	unit = take_unit(&s, units, sizeof units / sizeof *units);
	if (!unit || s.len || !add_product(&sum, number, unit->factor))
		return false;
	*octets = sum;
	return true;
}

/* Digits and at most three behind a point, as thousandths. */
static bool take_thousandths(struct str *s, int64_t *v)
{
	uint64_t number, more;
	int64_t sum = 0;
	size_t before;

	if (!take_digits(s, &number) || !add_product(&sum, number, 1000))
		return false;
	if (s->len && s->data[0] == '.') {
		*s = str_slice(*s, 1, s->len);
		before = s->len;
		if (!take_digits(s, &more) || before - s->len > 3)
			return false;
		for (size_t digits = before - s->len; digits < 3; digits++)
			more *= 10;
		if (__builtin_add_overflow(sum, (int64_t)more, &sum))
			return false;
	}
	*v = sum;
	return true;
}

static int64_t common_divisor(int64_t a, int64_t b)
{
	while (b != 0) {
		int64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

bool num_rate(struct str s, uint32_t *count, uint32_t *ms)
{
	const struct unit *unit;
	int64_t number, time, divisor;

	if (!take_thousandths(&s, &number) || number == 0 || !s.len || s.data[0] != '/')
		return false;
	s = str_slice(s, 1, s.len);
	if (s.len && !is_digit(s.data[0])) {
		unit = take_unit(&s, times, sizeof times / sizeof *times);
		if (!unit || s.len)
			return false;
		time = unit->factor;
	} else if (!num_duration(s, &time) || time == 0) {
		return false;
	}
	if (number % 1000 == 0) {
		number /= 1000;
	} else {
		if (__builtin_mul_overflow(time, 1000, &time))
			return false;
		divisor = common_divisor(number, time);
		number /= divisor;
		time /= divisor;
	}
	if (number > UINT32_MAX || time > UINT32_MAX)
		return false;
	*count = (uint32_t)number;
	*ms = (uint32_t)time;
	return true;
}

/* In that unit, if three digits behind a point are enough. */
static bool rate_in(uint32_t count, uint32_t ms, uint32_t unit, uint64_t *thousandths)
{
	uint64_t whole = (uint64_t)count * unit;

	if (__builtin_mul_overflow(whole, 1000, thousandths) || *thousandths % ms != 0)
		return false;
	*thousandths /= ms;
	return *thousandths / 1000 <= UINT32_MAX;
}

const char *num_rate_text(uint32_t count, uint32_t ms, char text[NUM_RATE_TEXT])
{
	static const struct {
		uint32_t ms;
		char name;
	} units[] = { { 1000, 's' }, { 60000, 'm' }, { 3600000, 'h' }, { 86400000, 'd' } };
	enum { UNITS = sizeof units / sizeof *units };
	uint64_t n = (uint64_t)count * 1000;
	size_t i = 0;
	int len;

	while (i < UNITS && units[i].ms != ms)
		i++;
	if (i == UNITS)
		for (i = 0; i < UNITS && !rate_in(count, ms, units[i].ms, &n);)
			i++;
	if (i == UNITS) {
		snprintf(text, NUM_RATE_TEXT, "%" PRIu32 "/%" PRIu32 "ms", count, ms);
		return text;
	}
	len = snprintf(text, NUM_RATE_TEXT, "%" PRIu64 ".%03u", n / 1000, (unsigned)(n % 1000));
	while (text[len - 1] == '0')
		len--;
	len -= text[len - 1] == '.';
	snprintf(text + len, (size_t)(NUM_RATE_TEXT - len), "/%c", units[i].name);
	return text;
}
