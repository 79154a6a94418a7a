/* SPDX-License-Identifier: MIT
 *
 * Local addresses to send from.
 */
#include "base/str.h"

#include "queue/source.h"
#include "sys/clock.h"
#include "tests/lib/test.h"

static const struct tmail_list none;

static bool is(const struct ip *ip, const char *text)
{
	char of[IP_TEXT];

	ip_text(ip, of);
	return strcmp(of, text) == 0;
}

START_TEST(fail_over_keeps_the_order_that_was_written)
{
	struct sources s;

	for (unsigned i = 0; i < 20; i++) {
		ck_assert(
			sources_parse(&s, STR("192.0.2.1&192.0.2.2 & [2001:db8::1]"), &none, NULL));
		ck_assert(s.ordered);
		ck_assert_uint_eq(s.count, 3);
		ck_assert(is(&s.ips[0], "192.0.2.1"));
		ck_assert(is(&s.ips[2], "2001:db8::1"));
	}
}
END_TEST

START_TEST(a_draw_goes_by_how_often_an_address_is_listed)
{
	unsigned first = 0;
	struct sources s;

	for (unsigned i = 0; i < 3000; i++) {
		ck_assert(sources_parse(
			&s, STR("192.0.2.1|192.0.2.1|192.0.2.1|192.0.2.2"), &none, NULL));
		ck_assert(!s.ordered);
		first += is(&s.ips[0], "192.0.2.1");
	}
	ck_assert_uint_gt(first, 2000);
	ck_assert_uint_lt(first, 2500);
}
END_TEST

START_TEST(without_a_list_the_settings_are_taken)
{
	const struct tmail_str settings[] = { TMAIL_STR(""), TMAIL_STR("0.0.0.0"),
		TMAIL_STR("192.0.2.7"), TMAIL_STR("::") };
	const struct tmail_list list = TMAIL_LIST(settings);
	struct sources s;

	ck_assert(sources_parse(&s, STR(""), &list, NULL));
	ck_assert_uint_eq(s.count, 2);
	ck_assert(is(&s.ips[0], "192.0.2.7") || is(&s.ips[1], "192.0.2.7"));
	ck_assert(is(&s.ips[0], "::") || is(&s.ips[1], "::"));
	ck_assert(sources_parse(&s, STR("0.0.0.0"), &list, NULL));
	ck_assert_uint_eq(s.count, 0);
}
END_TEST

START_TEST(what_is_left_to_the_kernel_only_lets_a_family_be_used)
{
	struct sources s;

	ck_assert(sources_parse(&s, STR("0.0.0.0&192.0.2.7&::"), &none, NULL));
	ck_assert_uint_eq(s.count, 2);
	ck_assert(is(&s.ips[0], "192.0.2.7"));
	ck_assert(is(&s.ips[1], "::"));
	ck_assert(sources_parse(&s, STR("0.0.0.0|::"), &none, NULL));
	ck_assert_uint_eq(s.count, 0);
}
END_TEST

static struct str named(const struct queue_settings *settings, const char *ip)
{
	struct ip from;

	ck_assert(ip_parse(str_c(ip), &from));
	return helo_of(settings, &from);
}

START_TEST(an_address_may_have_a_name_of_its_own)
{
	static const struct helo_settings names[] = {
		{ TMAIL_STR("192.0.2.7"), TMAIL_STR("out7.example.com") },
		{ TMAIL_STR("2001:DB8::7"), TMAIL_STR("six.example.com") },
	};
	const struct queue_settings settings = { .hostname = TMAIL_STR("me.example"),
		.helo = TMAIL_LIST(names) };

	ck_assert(str_equal(named(&settings, "192.0.2.7"), STR("out7.example.com")));
	ck_assert(str_equal(named(&settings, "2001:db8:0::7"), STR("six.example.com")));
	ck_assert(str_equal(named(&settings, "192.0.2.8"), STR("me.example")));
}
END_TEST

START_TEST(what_is_no_address_is_named)
{
	struct sources s;
	struct why why;

	ck_assert(!sources_parse(&s, STR("192.0.2.1|nonsense"), &none, &why));
	ck_assert_ptr_nonnull(strstr(why.text, "\"nonsense\""));
	ck_assert(!sources_parse(&s, STR("192.0.2.1|192.0.2.2&192.0.2.3"), &none, &why));
	ck_assert_ptr_nonnull(strstr(why.text, "mixed"));
}
END_TEST

TEST_MAIN("queue/source", fail_over_keeps_the_order_that_was_written,
	a_draw_goes_by_how_often_an_address_is_listed, without_a_list_the_settings_are_taken,
	what_is_no_address_is_named, what_is_left_to_the_kernel_only_lets_a_family_be_used,
	an_address_may_have_a_name_of_its_own)
