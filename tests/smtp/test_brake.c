/* SPDX-License-Identifier: MIT
 *
 * Debts of failed logins: whose they are, when they are too many, how they are given back, and
 * that nobody runs them up for another.
 */
#include "smtp/brake.h"
#include "tests/lib/test.h"

#include <stdio.h>

#define MINUTE 60000000LL

static const struct brake_limits limits = { .address = 3, .login = 6 };

static struct ip at(const char *text)
{
	struct ip ip;

	ck_assert(ip_parse(str_c(text), &ip));
	return ip;
}

static void failures(const char *address, const char *login, unsigned times, int64_t now)
{
	struct ip ip = at(address);

	while (times-- > 0)
		brake_failed(&ip, str_c(login), &limits, now);
}

static enum brake ask(const char *address, const char *login, int64_t now)
{
	struct ip ip = at(address);

	return brake_ask(&ip, str_c(login), &limits, now);
}

START_TEST(an_address_is_stopped_for_every_login_and_let_go_with_time)
{
	struct ip ip = at("192.0.2.1");

	brake_reset();
	failures("192.0.2.1", "a", 2, 0);
	ck_assert_int_eq(ask("192.0.2.1", "a", 0), BRAKE_OFF);
	ck_assert_uint_eq(brake_failures(&ip, &limits, 0), 2);
	failures("192.0.2.1", "b", 1, 0);
	ck_assert_int_eq(ask("192.0.2.1", "c", 0), BRAKE_ADDRESS);
	ck_assert_int_eq(ask("192.0.2.1", "", 0), BRAKE_ADDRESS);
	ck_assert_int_eq(ask("192.0.2.2", "c", 0), BRAKE_OFF);
	ck_assert_int_eq(ask("192.0.2.1", "c", 19 * MINUTE), BRAKE_ADDRESS);
	ck_assert_int_eq(ask("192.0.2.1", "c", 20 * MINUTE), BRAKE_OFF);
	ck_assert_uint_eq(brake_failures(&ip, &limits, 20 * MINUTE), 2);
	ck_assert_uint_eq(brake_failures(&ip, &limits, 60 * MINUTE), 0);
	/* However many there were, an hour without is enough. */
	failures("192.0.2.1", "a", 100, 0);
	ck_assert_int_eq(ask("192.0.2.1", "a", 61 * MINUTE), BRAKE_OFF);
}
END_TEST

START_TEST(a_network_of_ipv6_is_one_address)
{
	brake_reset();
	failures("2001:db8:0:1::1", "a", 3, 0);
	ck_assert_int_eq(ask("2001:db8:0:1:ffff::9", "b", 0), BRAKE_ADDRESS);
	ck_assert_int_eq(ask("2001:db8:0:2::1", "b", 0), BRAKE_OFF);
	ck_assert_int_eq(ask("32.1.13.184", "b", 0), BRAKE_OFF); /* the same octets */
}
END_TEST

START_TEST(a_login_is_stopped_whatever_its_capitals)
{
	brake_reset();
	for (int i = 0; i < 6; i++) {
		char address[IP_TEXT];

		snprintf(address, sizeof address, "192.0.2.%d", i);
		failures(address, i % 2 ? "Joe@Example.ORG" : "joe@example.org", 1, 0);
	}
	ck_assert_int_eq(ask("198.51.100.1", "JOE@example.org", 0), BRAKE_LOGIN);
	ck_assert_int_eq(ask("198.51.100.1", "ann@example.org", 0), BRAKE_OFF);
	ck_assert_int_eq(ask("198.51.100.1", "", 0), BRAKE_OFF);
	ck_assert_int_eq(ask("198.51.100.1", "joe@example.org", 10 * MINUTE), BRAKE_OFF);
}
END_TEST

START_TEST(nobody_is_locked_out_of_where_they_have_been)
{
	struct ip home = at("192.0.2.1");

	brake_reset();
	brake_passed(&home, STR("joe"), 0);
	failures("198.51.100.1", "joe", 3, 0); /* from elsewhere */
	failures("198.51.100.2", "joe", 3, 0);
	failures("192.0.2.1", "ann", 3, 0); /* a neighbour, who is somebody else */
	ck_assert_int_eq(ask("192.0.2.1", "joe", 0), BRAKE_OFF);
	ck_assert_int_eq(ask("192.0.2.1", "ann", 0), BRAKE_ADDRESS);
	ck_assert_int_eq(ask("198.51.100.3", "joe", 0), BRAKE_LOGIN);
}
END_TEST

START_TEST(who_is_known_does_not_guess_for_ever_either)
{
	struct ip home = at("192.0.2.1");

	brake_reset();
	brake_passed(&home, STR("joe"), 0);
	failures("192.0.2.1", "joe", 3, 0);
	/* Its own failures are its own: the address and the login owe nothing. */
	ck_assert_int_eq(ask("192.0.2.1", "ann", 0), BRAKE_OFF);
	ck_assert_uint_eq(brake_failures(&home, &limits, 0), 0);
	ck_assert_int_eq(ask("198.51.100.1", "joe", 0), BRAKE_OFF);
	failures("192.0.2.1", "joe", 3, 0); /* and now they do */
	ck_assert_int_eq(ask("192.0.2.1", "joe", 0), BRAKE_ADDRESS);
	/* A success forgives nothing. */
	brake_passed(&home, STR("joe"), 0);
	ck_assert_int_eq(ask("192.0.2.1", "joe", 0), BRAKE_ADDRESS);
}
END_TEST

START_TEST(clients_of_this_host_are_judged_by_their_login)
{
	brake_reset();
	for (int i = 0; i < 20; i++) {
		char login[16];

		snprintf(login, sizeof login, "joe%d", i);
		failures("127.0.0.1", login, 1, 0);
	}
	ck_assert_int_eq(ask("127.0.0.1", "ann", 0), BRAKE_OFF);
	failures("::1", "joe", 6, 0);
	ck_assert_int_eq(ask("127.0.0.1", "joe", 0), BRAKE_LOGIN);
}
END_TEST

START_TEST(no_limit_is_no_limit)
{
	static const struct brake_limits none = { 0, 0 };
	struct ip ip = at("192.0.2.1");

	brake_reset();
	for (int i = 0; i < 1000; i++)
		brake_failed(&ip, STR("joe"), &none, 0);
	ck_assert_int_eq(brake_ask(&ip, STR("joe"), &none, 0), BRAKE_OFF);
	ck_assert_uint_eq(brake_failures(&ip, &none, 0), 0);
}
END_TEST

/* A hundred thousand addresses that failed once do not make one forgotten that failed often. */
START_TEST(the_largest_debts_are_remembered_longest)
{
	brake_reset();
	failures("192.0.2.1", "a", 3, 0);
	for (unsigned i = 0; i < 100000; i++) {
		struct ip ip = { .family = 4,
			.bytes = { 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i } };

		brake_failed(&ip, STR(""), &limits, 0);
	}
	ck_assert_int_eq(ask("192.0.2.1", "a", 0), BRAKE_ADDRESS);
}
END_TEST

START_TEST(who_succeeded_and_owes_nothing_is_known_there_and_nowhere_else)
{
	struct ip here = at("127.0.0.1"), there = at("192.0.2.1");

	brake_reset();
	ck_assert(!brake_knows(&here, STR("joe"), MINUTE));
	brake_passed(&here, STR("joe"), MINUTE);
	ck_assert(brake_knows(&here, STR("JOE"), MINUTE));
	ck_assert(!brake_knows(&there, STR("joe"), MINUTE));
	ck_assert(!brake_knows(&here, STR("ann"), MINUTE));
	failures("127.0.0.1", "ann", 1, MINUTE); /* of others: nothing to him */
	ck_assert(brake_knows(&here, STR("joe"), MINUTE));
	failures("127.0.0.1", "joe", 1, MINUTE);
	ck_assert(!brake_knows(&here, STR("joe"), MINUTE));
	ck_assert(brake_knows(&here, STR("joe"), 21 * MINUTE));
}
END_TEST

TEST_MAIN("smtp/brake", an_address_is_stopped_for_every_login_and_let_go_with_time,
	a_network_of_ipv6_is_one_address, a_login_is_stopped_whatever_its_capitals,
	nobody_is_locked_out_of_where_they_have_been, who_is_known_does_not_guess_for_ever_either,
	clients_of_this_host_are_judged_by_their_login, no_limit_is_no_limit,
	the_largest_debts_are_remembered_longest,
	who_succeeded_and_owes_nothing_is_known_there_and_nowhere_else)
