/* SPDX-License-Identifier: MIT
 *
 * Limits of an address: sessions at a time, sessions a minute, and that nothing is remembered
 * for longer than it matters.
 */
#include "smtp/limit.h"
#include "tests/lib/test.h"

#define MINUTE 60000000LL

static struct ip address(const char *text)
{
	struct ip ip;

	ck_assert(ip_parse(str_c(text), &ip));
	return ip;
}

START_TEST(sessions_at_a_time_are_counted_for_each_address)
{
	struct ip a = address("192.0.2.1"), b = address("192.0.2.2");

	ck_assert_int_eq(limit_enter(&a, 2, 0, 0), LIMIT_OK);
	ck_assert_int_eq(limit_enter(&a, 2, 0, 0), LIMIT_OK);
	ck_assert_int_eq(limit_enter(&a, 2, 0, 0), LIMIT_SESSIONS);
	ck_assert_int_eq(limit_enter(&b, 2, 0, 0), LIMIT_OK);
	limit_left(&a, 0);
	ck_assert_int_eq(limit_enter(&a, 2, 0, 0), LIMIT_OK);
	limit_left(&a, 0);
	limit_left(&a, 0);
	limit_left(&b, 0);
	ck_assert_uint_eq(limit_networks(), 0);
}
END_TEST

START_TEST(a_network_of_ipv6_is_one_client)
{
	struct ip a = address("2001:db8:0:1::1"), b = address("2001:db8:0:1:ffff::2"),
		  c = address("2001:db8:0:2::1");

	ck_assert_int_eq(limit_enter(&a, 1, 0, 0), LIMIT_OK);
	ck_assert_int_eq(limit_enter(&b, 1, 0, 0), LIMIT_SESSIONS);
	ck_assert_int_eq(limit_enter(&c, 1, 0, 0), LIMIT_OK);
	limit_left(&b, 0);
	limit_left(&c, 0);
	ck_assert_uint_eq(limit_networks(), 0);
}
END_TEST

START_TEST(a_rate_may_be_used_at_once_and_comes_back_evenly)
{
	struct ip a = address("192.0.2.1");
	int64_t now = 1000;

	for (int i = 0; i < 6; i++) {
		ck_assert_int_eq(limit_enter(&a, 0, 6, now), LIMIT_OK);
		limit_left(&a, now);
	}
	ck_assert_int_eq(limit_enter(&a, 0, 6, now), LIMIT_RATE);
	ck_assert_int_eq(limit_enter(&a, 0, 6, now + MINUTE / 6 - 1), LIMIT_RATE);
	now += MINUTE / 6;
	ck_assert_int_eq(limit_enter(&a, 0, 6, now), LIMIT_OK);
	limit_left(&a, now);
	ck_assert_int_eq(limit_enter(&a, 0, 6, now), LIMIT_RATE);
	ck_assert_uint_eq(limit_networks(), 1);
	now += 2 * MINUTE;
	ck_assert_int_eq(limit_enter(&a, 0, 6, now), LIMIT_OK);
	limit_left(&a, now + MINUTE);
	ck_assert_uint_eq(limit_networks(), 0);
}
END_TEST

START_TEST(networks_whose_rate_has_come_back_are_forgotten)
{
	for (unsigned i = 0; i < 20000; i++) {
		struct ip ip = { 4, { 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i } };
		int64_t now = (int64_t)i * MINUTE;

		ck_assert_int_eq(limit_enter(&ip, 0, 1, now), LIMIT_OK);
		limit_left(&ip, now);
	}
	ck_assert_uint_le(limit_networks(), 1100);
}
END_TEST

TEST_MAIN("smtp/limit", sessions_at_a_time_are_counted_for_each_address,
	a_network_of_ipv6_is_one_client, a_rate_may_be_used_at_once_and_comes_back_evenly,
	networks_whose_rate_has_come_back_are_forgotten)
