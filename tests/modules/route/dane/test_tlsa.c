/* SPDX-License-Identifier: MIT */
#include "modules/route/dane/tlsa.h"

#include "tests/lib/test.h"

#include <string.h>

static char text[TLSA_OWNER_MAX + 1];

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

TEST_MAIN("modules/route/dane/tlsa", records_lie_below_the_port, records_read_as_in_a_zone,
	only_an_authority_goes_by_names)
