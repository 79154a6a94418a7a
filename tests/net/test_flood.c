/* SPDX-License-Identifier: MIT
 *
 * Floods: who counts as one, and that the kernel drops what is from there and nothing else. The
 * filter is tried with datagrams, which show that one was dropped by the one that comes behind it.
 */
#include "net/flood.h"

#include "tests/net/net.h"

#include <netinet/in.h>
#include <string.h>

enum { SECOND = 1000000 };

static struct flood_watch watch;

static enum flood_verdict see(const char *address, unsigned times, bool gone, int64_t now)
{
	enum flood_verdict verdict = FLOOD_NO;
	struct ip ip;

	ck_assert(ip_parse(str_c(address), &ip));
	for (unsigned i = 0; i < times; i++)
		verdict = flood_see(&watch, &ip, gone, now);
	return verdict;
}

START_TEST(fifty_a_second_are_no_flood)
{
	ck_assert_int_eq(see("192.0.2.1", 50, true, SECOND), FLOOD_NO);
	ck_assert_int_eq(see("192.0.2.1", 50, true, 2 * SECOND), FLOOD_NO);
	ck_assert_int_eq(see("192.0.2.1", 1000, false, 2 * SECOND), FLOOD_NO);
}
END_TEST

START_TEST(who_is_more_than_twenty_of_them_is_one)
{
	char address[20];

	for (int i = 0; i < 31; i++) {
		snprintf(address, sizeof address, "192.0.2.%d", i);
		see(address, 1, true, SECOND);
	}
	ck_assert_int_eq(see("198.51.100.1", 20, true, SECOND), FLOOD_CLOSE);
	ck_assert_int_eq(see("198.51.100.1", 1, true, SECOND), FLOOD_ONE);
	ck_assert_int_eq(see("203.0.113.9", 1, true, SECOND), FLOOD_CLOSE);
	ck_assert_int_eq(see("198.51.100.1", 1, false, SECOND), FLOOD_NO);
	ck_assert_int_eq(see("198.51.100.1", 1, true, 2 * SECOND), FLOOD_NO);
}
END_TEST

START_TEST(who_has_others_that_stay_is_none_but_of_fifty_times_as_many)
{
	see("192.0.2.1", 1, true, SECOND);
	see("192.0.2.1", 2, false, SECOND);
	ck_assert_int_eq(see("192.0.2.1", 99, true, SECOND), FLOOD_CLOSE);
	ck_assert_int_eq(see("192.0.2.1", 1, true, SECOND), FLOOD_ONE);
}
END_TEST

START_TEST(a_network_of_ipv6_is_one)
{
	see("2001:db8::1", 50, true, SECOND);
	ck_assert_int_eq(see("2001:db8::ffff:1", 1, true, SECOND), FLOOD_ONE);
	ck_assert_int_eq(see("2001:db8:0:1::1", 1, true, SECOND), FLOOD_CLOSE);
}
END_TEST

/* ---- the filter ---------------------------------------------------------------------------- */

static struct flood flood;
static struct endpoint here;

/* Of addresses of IPv6 also those that this host does not have. */
static int datagrams_at(const char *text)
{
	int on = 1;
	struct endpoint e = endpoint_of(text);
	struct sockaddr_storage address;
	socklen_t len = endpoint_sockaddr(&e, &address);
	int fd = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (address.ss_family == AF_INET6)
		ck_assert_int_eq(setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof on), 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, len), 0);
	return fd;
}

/* Where something is heard, from then on through the filter. */
static int listen_for(const char *text)
{
	int fd = datagrams_at(text);

	ck_assert(endpoint_of_socket(fd, false, &here));
	flood_begin(&flood, fd);
	return fd;
}

static bool ban(const char *address, int64_t now)
{
	struct ip ip;

	ck_assert(ip_parse(str_c(address), &ip));
	return flood_ban(&flood, &ip, now);
}

static void say(const char *from, const char *to)
{
	struct endpoint e = endpoint_of(to);
	struct sockaddr_storage address;
	char source[IP_TEXT + 4];
	socklen_t len;
	int fd;

	snprintf(source, sizeof source, strchr(from, ':') ? "[%s]:0" : "%s:0", from);
	fd = datagrams_at(source);
	e.port = here.port;
	len = endpoint_sockaddr(&e, &address);
	ck_assert_int_eq(sendto(fd, from, strlen(from), 0, (struct sockaddr *)&address, len),
		(int)strlen(from));
	fd_close(&fd);
}

/* What came first. */
static void heard(int fd, const char *from)
{
	char text[64] = "";

	ck_assert_int_gt(recv(fd, text, sizeof text - 1, 0), 0);
	ck_assert_str_eq(text, from);
}

START_TEST(who_is_banned_is_not_heard_until_it_is_over)
{
	int fd = listen_for("127.0.0.1:0");

	ck_assert(ban("127.7.0.1", 0));
	ck_assert(ban("127.7.0.2", 1 * SECOND));
	ck_assert(!ban("127.7.0.1", 1 * SECOND)); /* still on its way; that makes it no longer */
	say("127.7.0.1", "127.0.0.1:0");
	say("127.7.0.2", "127.0.0.1:0");
	say("127.7.0.3", "127.0.0.1:0");
	heard(fd, "127.7.0.3");
	ck_assert_int_eq(flood_lift(&flood, 2 * SECOND - 1), 1);
	say("127.7.0.1", "127.0.0.1:0");
	say("127.0.0.1", "127.0.0.1:0");
	heard(fd, "127.0.0.1");
	ck_assert_int_eq(flood_lift(&flood, 2 * SECOND), 1001);
	say("127.7.0.2", "127.0.0.1:0");
	say("127.7.0.1", "127.0.0.1:0");
	heard(fd, "127.7.0.1");
	ck_assert_int_eq(flood_lift(&flood, 3 * SECOND), 0);
	say("127.7.0.2", "127.0.0.1:0");
	heard(fd, "127.7.0.2");
	fd_close(&fd);
}
END_TEST

START_TEST(between_two_bans_one_is_heard_for_a_while)
{
	const int64_t again = 2 * SECOND + FLOOD_HEARD * 1000;
	int fd = listen_for("127.0.0.1:0");

	ck_assert(ban("127.7.0.1", 0));
	ck_assert_int_eq(flood_lift(&flood, 2 * SECOND), 0);
	ck_assert(!ban("127.7.0.1", again - 1));
	say("127.7.0.1", "127.0.0.1:0");
	heard(fd, "127.7.0.1");
	ck_assert(ban("127.7.0.1", again));
	say("127.7.0.1", "127.0.0.1:0");
	say("127.7.0.2", "127.0.0.1:0");
	heard(fd, "127.7.0.2");
	ck_assert_int_eq(flood_lift(&flood, again), 2001);
	ck_assert_int_eq(flood_lift(&flood, again + 2 * SECOND), 0);
	say("127.7.0.1", "127.0.0.1:0");
	heard(fd, "127.7.0.1");
	fd_close(&fd);
}
END_TEST

START_TEST(the_first_go_where_there_are_too_many)
{
	int fd = listen_for("127.0.0.1:0");
	char address[20];

	for (int i = 1; i <= FLOOD_BANS + 1; i++) {
		snprintf(address, sizeof address, "127.7.0.%d", i);
		ck_assert(ban(address, i));
	}
	for (int i = FLOOD_BANS + 1; i > 0; i--) {
		snprintf(address, sizeof address, "127.7.0.%d", i);
		say(address, "127.0.0.1:0");
	}
	heard(fd, "127.7.0.1");
	fd_close(&fd);
}
END_TEST

START_TEST(a_filter_that_was_left_behind_goes)
{
	int fd = listen_for("127.0.0.1:0");

	ck_assert(ban("127.7.0.1", 0));
	flood_begin(&(struct flood){ 0 }, fd);
	say("127.7.0.1", "127.0.0.1:0");
	say("127.7.0.2", "127.0.0.1:0");
	heard(fd, "127.7.0.1");
	heard(fd, "127.7.0.2");
	fd_close(&fd);
}
END_TEST

/* Bans of both families, at a socket for both. */
START_TEST(both_families_are_told_apart)
{
	int fd = listen_for("*:0");

	ck_assert(ban("127.7.0.1", 0));
	ck_assert(ban("2001:db8::1", 0));
	ck_assert(ban("127.7.0.3", 0));
	say("127.7.0.1", "127.0.0.1:0");
	say("127.7.0.3", "127.0.0.1:0");
	say("127.7.0.2", "127.0.0.1:0");
	heard(fd, "127.7.0.2");
	say("2001:db8::2", "[::1]:0");
	say("2001:db8:0:1::1", "[::1]:0");
	heard(fd, "2001:db8:0:1::1");
	say("2001:db8::2", "[::1]:0");
	say("2001:db9::1", "[::1]:0");
	heard(fd, "2001:db9::1");
	ck_assert(ban("2001:db9::1", 0));
	ck_assert(ban("2001:db8:7:8::1", 0));
	say("2001:db8:7:8::2", "[::1]:0");
	say("2001:db8:7:9::1", "[::1]:0");
	heard(fd, "2001:db8:7:9::1");
	say("2001:db9::2", "[::1]:0");
	say("127.7.0.3", "127.0.0.1:0");
	say("::1", "[::1]:0");
	heard(fd, "::1");
	fd_close(&fd);
}
END_TEST

TEST_MAIN("net/flood", fifty_a_second_are_no_flood, who_is_more_than_twenty_of_them_is_one,
	who_has_others_that_stay_is_none_but_of_fifty_times_as_many, a_network_of_ipv6_is_one,
	who_is_banned_is_not_heard_until_it_is_over, between_two_bans_one_is_heard_for_a_while,
	the_first_go_where_there_are_too_many, a_filter_that_was_left_behind_goes,
	both_families_are_told_apart)
