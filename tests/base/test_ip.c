/* SPDX-License-Identifier: MIT */
#include "base/ip.h"

#include "tests/base/expect.h"

static struct ip ip_of(const char *text)
{
	struct ip ip;

	ck_assert_msg(ip_parse(str_c(text), &ip), "%s", text);
	return ip;
}

static struct cidr cidr_of(const char *text)
{
	struct cidr cidr;

	ck_assert_msg(cidr_parse(str_c(text), &cidr), "%s", text);
	return cidr;
}

START_TEST(addresses_come_back_in_their_usual_form)
{
	static const struct {
		const char *in, *out;
		int family;
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1", 4 },
		{ "255.255.255.255", "255.255.255.255", 4 },
		{ "2001:DB8:0:0:0:0:0:1", "2001:db8::1", 6 },
		{ "::", "::", 6 },
		{ "::1", "::1", 6 },
		{ "::ffff:192.0.2.1", "192.0.2.1", 4 },
		{ "::ffff:c000:201", "192.0.2.1", 4 },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
			"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 6 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct ip ip = ip_of(rows[i].in);
		char text[IP_TEXT];

		ip_text(&ip, text);
		ck_assert_str_eq(text, rows[i].out);
		ck_assert_int_eq(ip.family, rows[i].family);
	}
}
END_TEST

START_TEST(what_is_no_address_is_refused)
{
	static const struct str bad[] = { STR_INIT(""), STR_INIT("1.2.3"), STR_INIT("1.2.3.4.5"),
		STR_INIT("256.1.1.1"), STR_INIT("01.2.3.4"), STR_INIT("1.2.3.4 "), STR_INIT(" ::1"),
		STR_INIT("1.2.3.4\0"), STR_INIT("0x1.2.3.4"), STR_INIT("[::1]"),
		STR_INIT("fe80::1%eth0"), STR_INIT(":::"), STR_INIT("1::2::3"), STR_INIT("12345::"),
		STR_INIT("localhost"),
		STR_INIT("0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000") };
	struct ip ip = { .family = 9 };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(!ip_parse(bad[i], &ip), "row %zu", i);
	ck_assert_int_eq(ip.family, 9);
}
END_TEST

START_TEST(equal_means_same_family_and_octets)
{
	struct ip a = ip_of("192.0.2.1"), mapped = ip_of("::ffff:192.0.2.1");
	struct ip b = ip_of("192.0.2.2"), six = ip_of("c000:201::");

	ck_assert(ip_equal(&a, &mapped));
	ck_assert(!ip_equal(&a, &b));
	ck_assert(!ip_equal(&a, &six));
}
END_TEST

START_TEST(loopback_and_any_are_known_in_both_families)
{
	static const struct {
		const char *text;
		bool loopback, any;
	} rows[] = { { "127.0.0.1", true, false }, { "127.255.0.9", true, false },
		{ "::1", true, false }, { "::ffff:127.0.0.1", true, false },
		{ "0.0.0.0", false, true }, { "::", false, true }, { "10.0.0.1", false, false },
		{ "7f00::1", false, false }, { "::2", false, false } };
	struct ip none = { 0 };

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct ip ip = ip_of(rows[i].text);

		ck_assert_int_eq(ip_is_loopback(&ip), rows[i].loopback);
		ck_assert_int_eq(ip_is_any(&ip), rows[i].any);
	}
	ck_assert(!ip_is_loopback(&none) && !ip_is_any(&none));
}
END_TEST

START_TEST(networks_have_their_members)
{
	static const struct {
		const char *net, *ip;
		bool has;
	} rows[] = {
		{ "192.0.2.0/24", "192.0.2.255", true },
		{ "192.0.2.0/24", "192.0.3.0", false },
		{ "192.0.2.128/25", "192.0.2.128", true },
		{ "192.0.2.128/25", "192.0.2.127", false },
		{ "10.0.0.0/8", "10.255.1.2", true },
		{ "192.0.2.7", "192.0.2.7", true },
		{ "192.0.2.7", "192.0.2.6", false },
		{ "0.0.0.0/0", "203.0.113.9", true },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "::/0", "2001:db8::1", true },
		{ "::/0", "192.0.2.1", false },
		{ "2001:db8::/33", "2001:db8:7fff::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
		{ "::ffff:192.0.2.0/120", "192.0.2.9", true },
		{ "192.0.2.0/24", "::ffff:192.0.2.9", true },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct cidr cidr = cidr_of(rows[i].net);
		struct ip ip = ip_of(rows[i].ip);

		ck_assert_msg(
			cidr_has(&cidr, &ip) == rows[i].has, "%s %s", rows[i].net, rows[i].ip);
	}
}
END_TEST

/* Each bit of an address, in and out of each network that contains its neighbour. */
START_TEST(a_network_compares_exactly_its_bits)
{
	for (unsigned bits = 0; bits <= 128; bits++)
		for (unsigned flip = 0; flip < 128; flip++) {
			struct cidr cidr = { .ip = { .family = 6 }, .bits = (uint8_t)bits };
			struct ip ip = { .family = 6 };

			ip.bytes[flip / 8] = (uint8_t)(0x80 >> flip % 8);
			ck_assert_int_eq(cidr_has(&cidr, &ip), flip >= bits);
		}
}
END_TEST

START_TEST(what_is_no_network_is_refused)
{
	static const char *const bad[] = { "", "/", "/24", "192.0.2.0/", "192.0.2.0/33",
		"192.0.2.1/24", "192.0.2.0/24/24", "192.0.2.0/-1", "192.0.2.0/ 24",
		"2001:db8::/129", "2001:db8::1/64", "192.0.2/24", "::ffff:192.0.2.0/24",
		"192.0.2.0/4294967320" };
	struct cidr cidr;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(!cidr_parse(str_c(bad[i]), &cidr), "%s is taken", bad[i]);
}
END_TEST

START_TEST(reverse_names_run_backwards)
{
	struct ip four = ip_of("192.0.2.1"), six = ip_of("2001:db8::567:89ab"), none = { 0 };
	char text[80];

	ip_reverse_name(&four, text);
	ck_assert_str_eq(text, "1.2.0.192.in-addr.arpa");
	ip_reverse_name(&six, text);
	ck_assert_str_eq(
		text, "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
	ip_reverse_name(&none, text);
	ck_assert_str_eq(text, "");
	ip_text(&none, text);
	ck_assert_str_eq(text, "");
}
END_TEST

TEST_MAIN("base/ip", addresses_come_back_in_their_usual_form, what_is_no_address_is_refused,
	equal_means_same_family_and_octets, loopback_and_any_are_known_in_both_families,
	networks_have_their_members, a_network_compares_exactly_its_bits,
	what_is_no_network_is_refused, reverse_names_run_backwards)
