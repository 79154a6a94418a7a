/* SPDX-License-Identifier: MIT */
#include "base/num.h"

#include "tests/base/expect.h"

#define expect_no(call, out)                                                                       \
	do {                                                                                       \
		out = 77;                                                                          \
		ck_assert_msg(!(call), "%s is taken", #call);                                      \
		ck_assert(out == 77);                                                              \
	} while (0)

START_TEST(whole_numbers_are_digits_and_nothing_else)
{
	static const struct str bad[] = { STR_INIT(""), STR_INIT(" 1"), STR_INIT("1 "),
		STR_INIT("+1"), STR_INIT("-1"), STR_INIT("1a"), STR_INIT("0x1"), STR_INIT("1\0"),
		STR_INIT("18446744073709551616"), STR_INIT("99999999999999999999999") };
	uint64_t v;

	ck_assert(num_u64(STR("0"), &v) && v == 0);
	ck_assert(num_u64(STR("007"), &v) && v == 7);
	ck_assert(num_u64(STR("18446744073709551615"), &v) && v == UINT64_MAX);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		expect_no(num_u64(bad[i], &v), v);
}
END_TEST

START_TEST(signed_numbers_reach_both_ends)
{
	int64_t v;

	ck_assert(num_i64(STR("-9223372036854775808"), &v) && v == INT64_MIN);
	ck_assert(num_i64(STR("9223372036854775807"), &v) && v == INT64_MAX);
	ck_assert(num_i64(STR("-0"), &v) && v == 0);
	expect_no(num_i64(STR("9223372036854775808"), &v), v);
	expect_no(num_i64(STR("-9223372036854775809"), &v), v);
	expect_no(num_i64(STR("--1"), &v), v);
	expect_no(num_i64(STR("-"), &v), v);
	expect_no(num_i64(STR(""), &v), v);
}
END_TEST

START_TEST(hexadecimal_has_at_most_sixteen_digits_that_count)
{
	uint64_t v;

	ck_assert(num_hex(STR("fF"), &v) && v == 255);
	ck_assert(num_hex(STR("ffffffffffffffff"), &v) && v == UINT64_MAX);
	ck_assert(num_hex(STR("00ffffffffffffffff"), &v) && v == UINT64_MAX);
	expect_no(num_hex(STR("10000000000000000"), &v), v);
	expect_no(num_hex(STR(""), &v), v);
	expect_no(num_hex(STR("0x1"), &v), v);
	expect_no(num_hex(STR("g"), &v), v);
}
END_TEST

START_TEST(yes_and_no_have_four_words_each)
{
	static const char *const yes[] = { "true", "YES", "On", "1" };
	static const char *const no[] = { "False", "no", "OFF", "0" };
	bool v;

	for (int i = 0; i < 4; i++) {
		ck_assert(num_bool(str_c(yes[i]), &v) && v);
		ck_assert(num_bool(str_c(no[i]), &v) && !v);
	}
	ck_assert(!num_bool(STR(""), &v));
	ck_assert(!num_bool(STR("y"), &v));
	ck_assert(!num_bool(STR("true "), &v));
}
END_TEST

START_TEST(durations_are_milliseconds)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = { { "0", 0 }, { "90", 90000 }, { "300ms", 300 }, { "30s", 30000 },
		{ "5m", 300000 }, { "1h30m", 5400000 }, { "5d", 432000000 }, { "1w", 604800000 },
		{ "1H1S", 3601000 }, { "1s500ms", 1500 }, { "0s", 0 } };
	static const char *const bad[] = { "", "s", "1x", "-1s", "1h30", "30m1h", "1m1m", "1 h",
		"1.5h", "1h ", "1s\n", "9223372036854775807s", "18446744073709551615",
		"15250284453w" };
	int64_t v;

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		ck_assert_msg(num_duration(str_c(good[i].text), &v), "%s", good[i].text);
		ck_assert_int_eq(v, good[i].ms);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		v = 77;
		ck_assert_msg(!num_duration(str_c(bad[i]), &v), "%s is taken", bad[i]);
		ck_assert_int_eq(v, 77);
	}
}
END_TEST

START_TEST(sizes_are_octets)
{
	static const struct {
		const char *text;
		int64_t octets;
	} good[] = { { "0", 0 }, { "100", 100 }, { "64K", 65536 }, { "10m", 10485760 },
		{ "1G", 1073741824 }, { "1T", 1099511627776 },
		{ "9223372036854775807", INT64_MAX } };
	static const char *const bad[] = { "", "K", "-1", "1KB", "1K1", "1 K", "1.5M",
		"9223372036854775808", "9007199254740992K" };
	int64_t v;

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		ck_assert_msg(num_size(str_c(good[i].text), &v), "%s", good[i].text);
		ck_assert_int_eq(v, good[i].octets);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		v = 77;
		ck_assert_msg(!num_size(str_c(bad[i]), &v), "%s is taken", bad[i]);
		ck_assert_int_eq(v, 77);
	}
}
END_TEST

START_TEST(rates_are_so_many_in_such_a_time)
{
	static const struct {
		const char *text;
		uint32_t count, ms;
	} good[] = { { "5/s", 5, 1000 }, { "100/m", 100, 60000 }, { "2000/h", 2000, 3600000 },
		{ "1/250ms", 1, 250 }, { "0.5/s", 1, 2000 }, { "2.5/s", 1, 400 },
		{ "10/1m30s", 10, 90000 }, { "3/2", 3, 2000 }, { "1.0/s", 1, 1000 },
		{ "0.125/M", 1, 480000 }, { "4294967295/w", 4294967295, 604800000 } };
	static const char *const bad[] = { "", "5", "5/", "/s", "0/s", "0.000/s", "5/0s", "-1/s",
		"5/x", "5 /s", "5/s ", "5/ss", ".5/s", "5./s", "0.0005/s", "1e3/s", "5/s/s",
		"4294967296/s", "1/8w", "0.001/d", "18446744073709551615/s",
		"9223372036854775.999/s" };
	uint32_t count, ms;

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		ck_assert_msg(num_rate(str_c(good[i].text), &count, &ms), "%s", good[i].text);
		ck_assert_uint_eq(count, good[i].count);
		ck_assert_uint_eq(ms, good[i].ms);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		count = ms = 77;
		ck_assert_msg(!num_rate(str_c(bad[i]), &count, &ms), "%s is taken", bad[i]);
		ck_assert_uint_eq(count, 77);
		ck_assert_uint_eq(ms, 77);
	}
}
END_TEST

START_TEST(rates_are_written_as_people_would_and_read_back)
{
	static const struct {
		const char *given, *text; /* text NULL: as given */
	} rates[] = { { "5/s", NULL }, { "100/m", NULL }, { "120/m", NULL }, { "2000/h", NULL },
		{ "0.5/s", NULL }, { "2.5/s", NULL }, { "0.125/m", NULL }, { "1/d", NULL },
		{ "50/s", NULL }, { "4294967295/d", NULL }, { "1/250ms", "4/s" },
		{ "3/2", "1.5/s" }, { "1/3000ms", "20/m" }, { "1/1001ms", NULL },
		{ "3/w", "3/604800000ms" } };
	uint32_t count, ms, again, again_ms;
	char text[NUM_RATE_TEXT];

	for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
		ck_assert(num_rate(str_c(rates[i].given), &count, &ms));
		num_rate_text(count, ms, text);
		ck_assert_str_eq(text, rates[i].text ? rates[i].text : rates[i].given);
		ck_assert(num_rate(str_c(text), &again, &again_ms));
		ck_assert_uint_eq((uint64_t)count * again_ms, (uint64_t)again * ms);
	}
}
END_TEST

TEST_MAIN("base/num", whole_numbers_are_digits_and_nothing_else, signed_numbers_reach_both_ends,
	hexadecimal_has_at_most_sixteen_digits_that_count, yes_and_no_have_four_words_each,
	durations_are_milliseconds, sizes_are_octets, rates_are_so_many_in_such_a_time,
	rates_are_written_as_people_would_and_read_back)
