/* SPDX-License-Identifier: MIT
 *
 * Records and policies of MTA-STS: what is one, and which hosts it admits.
 */
#include "modules/route/mtasts/policy.h"

#include "tests/lib/test.h"

#define HEAD "version: STSv1\n"
#define WHOLE HEAD "mode: enforce\nmx: mx.example.com\nmax_age: 86400\n"

static const char *id_of(const char *record)
{
	static char text[STS_ID_MAX + 1];
	struct str id;

	if (!sts_record_parse(str_c(record), &id))
		return NULL;
	ck_assert_uint_le(id.len, STS_ID_MAX);
	memcpy(text, id.data, id.len);
	text[id.len] = '\0';
	return text;
}

START_TEST(a_record_has_an_id)
{
	ck_assert_str_eq(id_of("v=STSv1; id=20240101T010101;"), "20240101T010101");
	ck_assert_str_eq(id_of("v=STSv1;id=1"), "1");
	ck_assert_str_eq(id_of("v=STSv1 ;\tid=1 ; "), "1");
	ck_assert_str_eq(id_of("v=STSv1; x-y.z=a/b; id=1; id=2;"), "1");
	ck_assert_str_eq(id_of("v=STSv1; id=0123456789abcdef0123456789ABCDEF"),
		"0123456789abcdef0123456789ABCDEF");
}
END_TEST

START_TEST(what_is_malformed_is_no_record)
{
	static const char *const wrong[] = { "", "v=STSv1", "v=STSv1;",
		"v=STSv1; id=", "id=1; v=STSv1", "v=STSv2; id=1", "v=STSv1; id=a-b",
		"v=STSv1; id=1; ; x=1", "v=STSv1; id", "V=STSv1; id=1",
		"v=STSv1; id=0123456789abcdef0123456789abcdef0", "v=STSv1x; id=1",
		"v=STSv1; =1; id=1", "v=STSv1; id = 1", "v=STSv1; ID=1", "v=STSv1; id=1; x=a b" };

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		ck_assert_msg(!id_of(wrong[i]), "%s", wrong[i]);
}
END_TEST

START_TEST(a_record_that_is_wrong_counts_as_one_all_the_same)
{
	ck_assert(sts_record_is(STR("v=STSv1; id=a-b")));
	ck_assert(sts_record_is(STR("v=STSv1")));
	ck_assert(!sts_record_is(STR("v=STSv10; id=1")));
	ck_assert(!sts_record_is(STR("v=spf1 -all")));
}
END_TEST

START_TEST(the_strings_of_a_record_are_one_text)
{
	struct buf text = { 0 };

	ck_assert(sts_record_text(STR("\3v=S\5TSv1;"), &text));
	ck_assert(str_equal(buf_str(&text), STR("v=STSv1;")));
	ck_assert(!sts_record_text(STR("\5abc"), &text));
	ck_assert(!sts_record_text(STR(""), &text));
	buf_free(&text);
}
END_TEST

static struct arena *memory;
static const char *wrong;

static struct sts_policy *policy_of(const char *body)
{
	if (memory)
		arena_free(&memory);
	memory = arena_new(1024);
	return sts_policy_parse(str_c(body), memory, &wrong);
}

START_TEST(a_policy_is_read)
{
	struct sts_policy *p = policy_of(WHOLE);

	ck_assert_ptr_nonnull(p);
	ck_assert_int_eq(p->mode, STS_ENFORCE);
	ck_assert_uint_eq(p->max_age, 86400);
	ck_assert_uint_eq(p->count, 1);
	ck_assert(str_equal(p->lines,
		STR("version: STSv1\nmode: enforce\nmx: mx.example.com\n"
		    "max_age: 86400")));
	arena_free(&memory);
}
END_TEST

START_TEST(lines_end_either_way_and_what_is_unknown_is_passed_over)
{
	struct sts_policy *p = policy_of("x-new: 1\r\nversion:STSv1\r\nmode:  testing \r\n\r\n"
					 "no colon\r\nmax_age:0\r\nMX: not.this\r\nmx:\tA.b.\r\n"
					 "mode: none\r\nmax_age: 7\r\nversion: STSv2");

	ck_assert_ptr_nonnull(p);
	ck_assert_int_eq(p->mode, STS_TESTING);
	ck_assert_uint_eq(p->max_age, 0);
	ck_assert_uint_eq(p->count, 1);
	ck_assert(str_equal(p->patterns[0], STR("a.b")));
	arena_free(&memory);
}
END_TEST

START_TEST(an_age_has_a_most)
{
	ck_assert_uint_eq(policy_of(HEAD "mode: none\nmax_age: 31557600")->max_age, STS_AGE_MAX);
	ck_assert_uint_eq(policy_of(HEAD "mode: none\nmax_age: 9999999999")->max_age, STS_AGE_MAX);
	arena_free(&memory);
}
END_TEST

START_TEST(what_lacks_a_field_or_has_a_wrong_one_is_no_policy)
{
	static const struct {
		const char *body, *wrong;
	} cases[] = {
		{ "", "no version" },
		{ "mode: none\nmax_age: 1", "no version" },
		{ "version: STSv2\nmode: none\nmax_age: 1", "version is not" },
		{ HEAD "max_age: 1\nmx: a.b", "no mode" },
		{ HEAD "mode: Enforce\nmax_age: 1\nmx: a.b", "mode is not" },
		{ HEAD "mode: enforce\nmx: a.b", "no max_age" },
		{ HEAD "mode: enforce\nmx: a.b\nmax_age: -1", "max_age is not" },
		{ HEAD "mode: enforce\nmx: a.b\nmax_age: 10000000000", "max_age is not" },
		{ HEAD "mode: enforce\nmx: a.b\nmax_age: 1d", "max_age is not" },
		{ HEAD "mode: enforce\nmax_age: 1", "no mx" },
		{ HEAD "mode: testing\nmax_age: 1", "no mx" },
		{ WHOLE "mx: *\n", "mx of it" },
		{ WHOLE "mx: a.*.b\n", "mx of it" },
		{ WHOLE "mx: *.*.b\n", "mx of it" },
		{ WHOLE "mx: *.\n", "mx of it" },
		{ WHOLE "mx: a..b\n", "mx of it" },
		{ WHOLE "mx: \n", "mx of it" },
		{ WHOLE "mx: [192.0.2.1]\n", "mx of it" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		ck_assert_msg(!policy_of(cases[i].body), "%s", cases[i].body);
		ck_assert_msg(strstr(wrong, cases[i].wrong), "%s: %s", cases[i].body, wrong);
	}
	arena_free(&memory);
}
END_TEST

START_TEST(there_are_only_so_many_hosts)
{
	struct buf body = { 0 };

	buf_add_c(&body, WHOLE);
	for (int i = 1; i < STS_PATTERNS_MAX; i++)
		buf_printf(&body, "mx: mx%d.example.com\n", i);
	ck_assert_ptr_nonnull(policy_of(buf_c(&body)));
	buf_add_c(&body, "mx: more.example.com\n");
	ck_assert_ptr_null(policy_of(buf_c(&body)));
	buf_free(&body);
	arena_free(&memory);
}
END_TEST

START_TEST(a_policy_of_mode_none_needs_no_host)
{
	ck_assert_ptr_nonnull(policy_of(HEAD "mode: none\nmax_age: 1"));
	arena_free(&memory);
}
END_TEST

START_TEST(a_star_is_one_whole_label)
{
	struct sts_policy *p = policy_of(
		HEAD "mode: enforce\nmax_age: 1\nmx: Mx.Example.com\nmx: *.example.net.\n");

	ck_assert(sts_policy_admits(p, STR("mx.example.com")));
	ck_assert(sts_policy_admits(p, STR("MX.example.COM.")));
	ck_assert(sts_policy_admits(p, STR("a.example.net")));
	ck_assert(sts_policy_admits(p, STR("A.EXAMPLE.NET.")));
	ck_assert(!sts_policy_admits(p, STR("a.mx.example.com")));
	ck_assert(!sts_policy_admits(p, STR("example.com")));
	ck_assert(!sts_policy_admits(p, STR("example.net")));
	ck_assert(!sts_policy_admits(p, STR(".example.net")));
	ck_assert(!sts_policy_admits(p, STR("a.b.example.net")));
	ck_assert(!sts_policy_admits(p, STR("aexample.net")));
	ck_assert(!sts_policy_admits(p, STR("")));
	arena_free(&memory);
}
END_TEST

TEST_MAIN("modules/route/mtasts/policy", a_record_has_an_id, what_is_malformed_is_no_record,
	a_record_that_is_wrong_counts_as_one_all_the_same, the_strings_of_a_record_are_one_text,
	a_policy_is_read, lines_end_either_way_and_what_is_unknown_is_passed_over,
	an_age_has_a_most, what_lacks_a_field_or_has_a_wrong_one_is_no_policy,
	there_are_only_so_many_hosts, a_policy_of_mode_none_needs_no_host,
	a_star_is_one_whole_label)
