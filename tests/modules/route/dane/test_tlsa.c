/* SPDX-License-Identifier: MIT */
#include "modules/route/dane/tlsa.h"

#include "tests/lib/test.h"

#include <string.h>

static char text[TLSA_OWNER_MAX + 1];

static bool target(const char *octets, size_t len)
{
	char room[TLSA_NAME_MAX + 1];
	bool good = cname_target(str_make(octets, len), room);

	if (good)
		memcpy(text, room, sizeof room);
	return good;
}
#define TARGET(literal) target("" literal, sizeof literal) /* the root's NUL is at its end */

START_TEST(a_name_is_read_in_lower_case)
{
	ck_assert(TARGET("\2MX\7Example\3com"));
	ck_assert_str_eq(text, "mx.example.com");
	ck_assert(TARGET("\6_under\4a-b0"));
	ck_assert_str_eq(text, "_under.a-b0");
}
END_TEST

START_TEST(what_is_no_name_of_a_host_is_none)
{
	ck_assert(!target("", 0));
	ck_assert(!TARGET(""));             /* the root */
	ck_assert(!target("\2mx", 3));      /* it does not end */
	ck_assert(!target("\5mx", 4));      /* longer than what is there */
	ck_assert(!TARGET("\300\1mx"));     /* a pointer */
	ck_assert(!TARGET("\3a.b\3com"));   /* a dot that makes another name of it */
	ck_assert(!TARGET("\4a\0bc\3com")); /* a NUL */
	ck_assert(!TARGET("\2\303\244\3com"));
}
END_TEST

START_TEST(a_name_may_have_253_letters_and_no_more)
{
	char name[300];
	size_t len = 0;

	for (int i = 0; i < 3; i++) {
		name[len++] = 63;
		memset(name + len, 'a', 63);
		len += 63;
	}
	name[len] = 61;
	memset(name + len + 1, 'b', 61);
	name[len + 62] = 0;
	ck_assert(target(name, len + 63));
	ck_assert_uint_eq(strlen(text), 3 * 64 + 61);
	name[len] = 63;
	memset(name + len + 1, 'b', 63);
	name[len + 64] = 1;
	name[len + 65] = 'c';
	name[len + 66] = 0;
	ck_assert(!target(name, len + 67));
}
END_TEST

START_TEST(records_lie_below_the_port)
{
	char name[TLSA_NAME_MAX + 1];
	struct str owner = tlsa_owner(STR("mx.example.com"), 25, text);

	ck_assert(str_equal(owner, STR("_25._tcp.mx.example.com")));
	memset(name, 'a', sizeof name);
	owner = tlsa_owner(str_make(name, TLSA_NAME_MAX), 65535, text);
	ck_assert_uint_eq(owner.len, TLSA_OWNER_MAX - 1);
}
END_TEST

static struct buf lines;

static const char *shown(struct str rdata)
{
	tlsa_text(rdata, &lines);
	return buf_c(&lines);
}

START_TEST(records_read_as_in_a_zone)
{
	char whole[3 + 65] = { 3, 0, 0 };

	ck_assert_str_eq(shown(STR("\3\1\1\253\1")), "3 1 1 ab01");
	ck_assert_str_eq(shown(STR("\377\2")), "3 1 1 ab01\n255 2 ");
	buf_clear(&lines);
	ck_assert_str_eq(shown(STR("")), " ");
	buf_clear(&lines);
	ck_assert_uint_eq(strlen(shown(str_make(whole, 3 + 64))), 6 + 128);
	buf_clear(&lines);
	ck_assert(str_ends_case(str_c(shown(str_make(whole, 3 + 65))), STR("00...")));
	buf_free(&lines);
}
END_TEST

START_TEST(only_an_authority_goes_by_names)
{
	ck_assert(tlsa_needs_names(STR("\2\0\1x")));
	ck_assert(!tlsa_needs_names(STR("\3\0\1x")));
	ck_assert(!tlsa_needs_names(STR("\1\0\1x")));
	ck_assert(!tlsa_needs_names(STR("\2\0\1")));
	ck_assert(!tlsa_needs_names(STR("")));
}
END_TEST

TEST_MAIN("modules/route/dane/tlsa", a_name_is_read_in_lower_case,
	what_is_no_name_of_a_host_is_none, a_name_may_have_253_letters_and_no_more,
	records_lie_below_the_port, records_read_as_in_a_zone, only_an_authority_goes_by_names)
