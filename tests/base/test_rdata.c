/* SPDX-License-Identifier: MIT
 *
 * Names inside resource data, and what is refused as one.
 */
#include "base/rdata.h"

#include "tests/lib/test.h"

#include <stdio.h>
#include <string.h>

static char text[256];

START_TEST(a_name_is_text_in_lower_case_without_its_last_dot)
{
	ck_assert(dns_name(STR("\4Mail\7eXample\4test\0"), 0, text));
	ck_assert_str_eq(text, "mail.example.test");
	ck_assert(dns_name(STR("xx\1a\0"), 2, text));
	ck_assert_str_eq(text, "a");
	ck_assert(dns_name(STR("\0"), 0, text));
	ck_assert_str_eq(text, "");
	ck_assert(dns_name(STR("\5_smtp\4_tcp\0"), 0, text));
	ck_assert_str_eq(text, "_smtp._tcp");
}
END_TEST

START_TEST(a_name_that_is_cut_or_compressed_is_refused)
{
	snprintf(text, sizeof text, "before");
	ck_assert(!dns_name(STR(""), 0, text));
	ck_assert(!dns_name(STR("\4mail"), 0, text));
	ck_assert(!dns_name(STR("\4mai"), 0, text));
	ck_assert(!dns_name(STR("\4mail\0"), 7, text));
	ck_assert(!dns_name(STR("\300\0"), 0, text));
	ck_assert(!dns_name(STR("\1a\100"), 0, text));
	ck_assert_str_eq(text, "before");
}
END_TEST

START_TEST(a_label_that_would_make_another_name_is_refused)
{
	ck_assert(!dns_name(STR("\3a.b\0"), 0, text));
	ck_assert(!dns_name(STR("\3a\0b\0"), 0, text));
	ck_assert(!dns_name(STR("\3a\\b\0"), 0, text));
	ck_assert(!dns_name(STR("\3a b\0"), 0, text));
	ck_assert(!dns_name(STR("\3a\377b\0"), 0, text));
}
END_TEST

START_TEST(the_longest_name_fits_and_a_longer_one_is_refused)
{
	char wire[512];
	size_t len = 0;

	/* Three labels of 63 and one of 61: 255 octets, 253 as text. */
	for (int i = 0; i < 4; i++) {
		size_t label = i < 3 ? 63 : 61;
		wire[len++] = (char)label;
		memset(wire + len, 'a', label);
		len += label;
	}
	wire[len++] = 0;
	ck_assert_uint_eq(len, 255);
	ck_assert(dns_name(str_make(wire, len), 0, text));
	ck_assert_uint_eq(strlen(text), 253);
	wire[192] = 62;
	memset(wire + 193, 'a', 62);
	wire[255] = 0;
	ck_assert(!dns_name(str_make(wire, 256), 0, text));
	for (size_t i = 0; i < sizeof wire; i += 2)
		memcpy(wire + i, "\1a", 2);
	ck_assert(!dns_name(str_make(wire, sizeof wire), 0, text));
}
END_TEST

START_TEST(an_mx_record_has_a_preference_and_a_host)
{
	uint16_t preference;

	ck_assert(dns_mx(STR("\1\2\4mail\4test\0"), &preference, text));
	ck_assert_uint_eq(preference, 258);
	ck_assert_str_eq(text, "mail.test");
	ck_assert(dns_mx(STR("\377\377\0"), &preference, text)); /* null MX, RFC 7505 */
	ck_assert_uint_eq(preference, 65535);
	ck_assert_str_eq(text, "");
	ck_assert(!dns_mx(STR("\0\1"), &preference, text));
	ck_assert(!dns_mx(STR("\0\1\4mail"), &preference, text));
	ck_assert_uint_eq(preference, 65535);
}
END_TEST

TEST_MAIN("base/rdata", a_name_is_text_in_lower_case_without_its_last_dot,
	a_name_that_is_cut_or_compressed_is_refused,
	a_label_that_would_make_another_name_is_refused,
	the_longest_name_fits_and_a_longer_one_is_refused, an_mx_record_has_a_preference_and_a_host)
