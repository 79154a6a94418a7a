/* SPDX-License-Identifier: MIT
 *
 * Addresses and paths: what is one, what is none and why, and the one form each has.
 */
#include "mail/address.h"

#include "tests/mail/expect.h"

#define L10 "llllllllll"
#define L60 L10 L10 L10 L10 L10 L10
#define D10 "dddddddddd"
#define D60 D10 D10 D10 D10 D10 D10

enum { U = ADDRESS_UTF8, N = ADDRESS_NULL, P = ADDRESS_POSTMASTER, B = ADDRESS_NO_BRACKETS };

struct address_case {
	struct str in;
	unsigned flags;
	enum address_result result;
	struct str text; /* canonical */
};

static void expect_result(struct str in, enum address_result got, enum address_result want)
{
	struct buf text = { 0 };

	quote(&text, in);
	ck_assert_msg(got == want, "\"%s\": %s, not %s", buf_c(&text), address_explain(got),
		address_explain(want));
	buf_free(&text);
}

/* The members say the same as the text. */
static void expect_consistent(const struct address *a)
{
	struct buf text = { 0 };

	buf_add(&text, a->local);
	if (a->domain.len > 0)
		buf_add_char(&text, '@');
	buf_add(&text, a->domain);
	expect_str(STR("parts"), buf_str(&text), a->text);
	expect_str(a->text, address_domain(a->text), a->domain);
	ck_assert_int_eq(a->utf8, !ascii_only(a->text));
	ck_assert_int_eq(a->literal.family != 0, a->domain.len > 0 && a->domain.data[0] == '[');
	buf_free(&text);
}

static void expect_address(const struct address_case *c)
{
	struct arena *arena = arena_new(1024);
	struct address a = { .text = STR_INIT("untouched") }, again;
	enum address_result result = address_parse(c->in, c->flags, arena, &a);

	expect_result(c->in, result, c->result);
	if (result == ADDRESS_OK) {
		expect_str(c->in, a.text, c->text);
		expect_consistent(&a);
		/* The canonical form means itself. */
		expect_result(a.text, address_parse(a.text, c->flags, arena, &again), ADDRESS_OK);
		expect_str(c->in, again.text, a.text);
	} else {
		expect_str(c->in, a.text, STR("untouched"));
	}
	arena_free(&arena);
}

#define GOOD(in, flags, text)                                                                      \
	{                                                                                          \
		STR_INIT(in), flags, ADDRESS_OK, STR_INIT(text)                                    \
	}
#define BAD(in, flags, result)                                                                     \
	{                                                                                          \
		STR_INIT(in), flags, ADDRESS_##result, STR_INIT("")                                \
	}

static void expect_all(const struct address_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++)
		expect_address(&cases[i]);
}
#define EXPECT_ALL(cases) expect_all(cases, sizeof(cases) / sizeof *(cases))

START_TEST(dot_strings_are_local_parts)
{
	static const struct address_case cases[] = {
		GOOD("a@c.example", 0, "a@c.example"),
		GOOD("a.b.c@c.example", 0, "a.b.c@c.example"),
		GOOD("Jane.Doe@C.Example", 0, "Jane.Doe@c.example"),
		GOOD("a@c", 0, "a@c"),
		GOOD("a!#$%&'*+-/=?^_`{|}~b@c", 0, "a!#$%&'*+-/=?^_`{|}~b@c"),
		GOOD("-oconfig@c", 0, "-oconfig@c"),
		GOOD("%n%s%x%p@c.example", 0, "%n%s%x%p@c.example"),
		GOOD("__proto__@c.example", 0, "__proto__@c.example"),
		GOOD("victim%elsewhere.example@c", 0, "victim%elsewhere.example@c"),
		BAD("", 0, SYNTAX),
		BAD("@", 0, SYNTAX),
		BAD("@c.example", 0, SYNTAX),
		BAD("a@", 0, SYNTAX),
		BAD("a..b@c.example", 0, SYNTAX),
		BAD(".a@c.example", 0, SYNTAX),
		BAD("a.@c.example", 0, SYNTAX),
		BAD("../../etc/passwd@c", 0, SYNTAX),
		BAD("a b@c.example", 0, SYNTAX),
		BAD(" a@c.example", 0, SYNTAX),
		BAD("a@c.example ", 0, SYNTAX),
		BAD("a@ c.example", 0, SYNTAX),
		BAD("a@b@c.example", 0, SYNTAX),
		BAD("a(comment)@c.example", 0, SYNTAX),
		BAD("a((((@c.example", 0, SYNTAX),
		BAD("a,b@c.example", 0, SYNTAX),
		BAD("a;b@c.example", 0, SYNTAX),
		BAD("a:b@c.example", 0, SYNTAX),
		BAD("a<b@c.example", 0, SYNTAX),
		BAD("<a@c.example>", 0, SYNTAX),
		BAD("a>@c.example", 0, SYNTAX),
		BAD("a[b]@c.example", 0, SYNTAX),
		BAD("a\\b@c.example", 0, SYNTAX),
		BAD("a\"b\"@c.example", 0, SYNTAX),
		BAD("${run{\\x2fbin\\x2fsh\\t-c}}@c.example", 0, SYNTAX),
		BAD("a\0b@c.example", 0, SYNTAX),
		BAD("a@c.example\0", 0, SYNTAX),
		BAD("a@c.example\0.evil.example", 0, SYNTAX),
		BAD("a\nb@c.example", 0, SYNTAX),
		BAD("a\r\nRCPT TO:<x@y>@c.example", 0, SYNTAX),
		BAD("a\x01\x07\x1b[2J@c.example", 0, SYNTAX),
		BAD("a\t@c.example", 0, SYNTAX),
		BAD("a\x7f@c.example", 0, SYNTAX),
	};

	EXPECT_ALL(cases);
}
END_TEST

START_TEST(quotes_stay_only_where_they_must)
{
	static const struct address_case cases[] = {
		GOOD("\"a b\"@c.example", 0, "\"a b\"@c.example"),
		GOOD("\"ab\"@c.example", 0, "ab@c.example"),
		GOOD("\"a.b\"@c.example", 0, "a.b@c.example"),
		GOOD("\"\\a\\b\"@c.example", 0, "ab@c.example"),
		GOOD("\"a\\ b\"@c.example", 0, "\"a b\"@c.example"),
		GOOD("\"a\\\"b\"@c.example", 0, "\"a\\\"b\"@c.example"),
		GOOD("\"a\\\\b\"@c.example", 0, "\"a\\\\b\"@c.example"),
		GOOD("\"a..b\"@c.example", 0, "\"a..b\"@c.example"),
		GOOD("\".a\"@c.example", 0, "\".a\"@c.example"),
		GOOD("\"a.\"@c.example", 0, "\"a.\"@c.example"),
		GOOD("\"\"@c.example", 0, "\"\"@c.example"),
		GOOD("\"a@b\"@c.example", 0, "\"a@b\"@c.example"),
		GOOD("\"<>,;:[]()\"@c.example", 0, "\"<>,;:[]()\"@c.example"),
		GOOD("\"' OR 1=1 -- \"@c.example", 0, "\"' OR 1=1 -- \"@c.example"),
		GOOD("\"../../x\"@c.example", 0, "\"../../x\"@c.example"),
		BAD("\"", 0, SYNTAX),
		BAD("\"@c.example", 0, SYNTAX),
		BAD("\"abc\\\"@c.example", 0, SYNTAX),
		BAD("\"abc\\", 0, SYNTAX),
		BAD("\"a\"b\"@c.example", 0, SYNTAX),
		BAD("\"a\"b@c.example", 0, SYNTAX),
		BAD("\"a\".b@c.example", 0, SYNTAX),
		BAD("b.\"a\"@c.example", 0, SYNTAX),
		BAD("\"a\" @c.example", 0, SYNTAX),
		BAD("\"a\0b\"@c.example", 0, SYNTAX),
		BAD("\"a\\\0b\"@c.example", 0, SYNTAX),
		BAD("\"a\nb\"@c.example", 0, SYNTAX),
		BAD("\"a\\\r\nb\"@c.example", 0, SYNTAX),
		BAD("\"a\tb\"@c.example", 0, SYNTAX),
		BAD("\"a\x7f\"@c.example", 0, SYNTAX),
		BAD("\"a\\\xc3\xbc\"@c.example", U, SYNTAX),
		GOOD("\"a \xc3\xbc\"@c.example", U, "\"a \xc3\xbc\"@c.example"),
		GOOD("\"\xc3\xbc\"@c.example", U, "\xc3\xbc@c.example"),
	};

	EXPECT_ALL(cases);
}
END_TEST

START_TEST(domains_are_names_or_literals)
{
	static const struct address_case cases[] = {
		GOOD("a@[127.0.0.1]", 0, "a@[127.0.0.1]"),
		GOOD("a@[IPv6:2001:DB8::1]", 0, "a@[IPv6:2001:db8::1]"),
		GOOD("a@[IPv6:::ffff:192.0.2.1]", 0, "a@[192.0.2.1]"),
		GOOD("a@xn--bcher-kva.example", 0, "a@xn--bcher-kva.example"),
		BAD("a@[127.0.0.1", 0, SYNTAX),
		BAD("a@127.0.0.1]", 0, SYNTAX),
		BAD("a@[127.0.0.1]x", 0, SYNTAX),
		BAD("a@[]", 0, SYNTAX),
		BAD("a@[2001:db8::1]", 0, SYNTAX),
		BAD("a@[IPv6:1:2:3:4:5:6:7:8:9]", 0, SYNTAX),
		BAD("a@xn---", 0, SYNTAX),
		BAD("a@c..example", 0, SYNTAX),
		BAD("a@.c.example", 0, SYNTAX),
		BAD("a@c.example.", 0, SYNTAX),
		BAD("a@-c.example", 0, SYNTAX),
		BAD("a@c_d.example", 0, SYNTAX),
		BAD("a@../../c.example", 0, SYNTAX),
		BAD("a@c.example(comment)", 0, SYNTAX),
		BAD("a", 0, NO_DOMAIN),
		BAD("\"a b\"", 0, NO_DOMAIN),
		BAD("elsewhere.example!victim", 0, NO_DOMAIN),
	};

	EXPECT_ALL(cases);
}
END_TEST

START_TEST(utf8_needs_to_be_said_and_ill_formed_is_never_taken)
{
	static const struct address_case cases[] = {
		GOOD("\xce\xb4@c.example", U, "\xce\xb4@c.example"),
		GOOD("a@b\xc3\xbc"
		     "cher.Example",
			U,
			"a@b\xc3\xbc"
			"cher.example"),
		GOOD("a\xe2\x80\xae"
		     "b\xe2\x80\x8b@c.example",
			U,
			"a\xe2\x80\xae"
			"b\xe2\x80\x8b@c.example"),
		GOOD("\xf0\x9f\x93\xa7@c.example", U, "\xf0\x9f\x93\xa7@c.example"),
		BAD("\xce\xb4@c.example", 0, NEEDS_UTF8),
		BAD("a@b\xc3\xbc"
		    "cher.example",
			0, NEEDS_UTF8),
		BAD("a\xc0\xae@c.example", U, BAD_UTF8),
		BAD("a\xc0\xae@c.example", 0, BAD_UTF8),
		BAD("a\xe0\x80\xaf@c.example", U, BAD_UTF8),
		BAD("a\xed\xa0\x80@c.example", U, BAD_UTF8),
		BAD("a\xf4\x90\x80\x80@c.example", U, BAD_UTF8),
		BAD("a\xf8\x88\x80\x80\x80@c.example", U, BAD_UTF8),
		BAD("a\xff@c.example", U, BAD_UTF8),
		BAD("a\xc3@c.example", U, BAD_UTF8),
		BAD("\"a\xc3\"@c.example", U, BAD_UTF8),
		BAD("a@c.example\xc3", U, BAD_UTF8),
		BAD("a\xc2\x9b@c.example", U, SYNTAX),
		BAD("\"a\xc2\x9b\"@c.example", U, SYNTAX),
		BAD("a\xef\xbc\xa0"
		    "c\xe3\x80\x82"
		    "example",
			U, NO_DOMAIN),
		BAD("a@c\xe3\x80\x82"
		    "example",
			U, SYNTAX),
	};

	EXPECT_ALL(cases);
}
END_TEST

START_TEST(each_length_has_its_limit_and_its_name)
{
	static const struct address_case cases[] = {
		GOOD(L60 "llll@c.example", 0, L60 "llll@c.example"),
		BAD(L60 "lllll@c.example", 0, LOCAL_LONG),
		/* 64 octets count as they are kept: quotes that fall away do not. */
		GOOD("\"" L60 "llll\"@c.example", 0, L60 "llll@c.example"),
		GOOD("\" " L60 "l\"@c.example", 0, "\" " L60 "l\"@c.example"),
		BAD("\" " L60 "ll\"@c.example", 0, LOCAL_LONG),
		BAD("\"" L60 L60 "\"@c.example", 0, LOCAL_LONG),
		BAD("\"" L60 "\\\"\\\"\"@c.example", 0, LOCAL_LONG),
		/* 64 + 1 + 189 = 254, and one more. */
		GOOD(L60 "llll@" D60 "." D60 "." D60 ".ddexp", 0,
			L60 "llll@" D60 "." D60 "." D60 ".ddexp"),
		BAD(L60 "llll@" D60 "." D60 "." D60 ".ddddexp", 0, LONG),
		BAD("a@" D60 "." D60 "." D60 "." D60 ".dddddddddddd", 0, DOMAIN_LONG),
		BAD("a@" D60 "." D60 "." D60 "." D60 ".ddddddddddd", 0, LONG),
	};

	EXPECT_ALL(cases);
}
END_TEST

START_TEST(null_and_postmaster_are_answers_only_where_asked_for)
{
	static const struct address_case cases[] = {
		GOOD("", N, ""),
		BAD("", P, SYNTAX),
		GOOD("postmaster", P, "postmaster"),
		GOOD("PostMaster", P, "postmaster"),
		GOOD("\"postmaster\"", P, "postmaster"),
		GOOD("Postmaster@c.example", P, "Postmaster@c.example"),
		BAD("postmaster", N, NO_DOMAIN),
		BAD("postmaster@", P, SYNTAX),
		BAD("abuse", P, NO_DOMAIN),
	};

	EXPECT_ALL(cases);
}
END_TEST

START_TEST(paths_leave_what_is_behind_them)
{
	static const struct {
		struct str in;
		unsigned flags;
		enum address_result result;
		struct str text, rest;
	} cases[] = {
#define PATH(in, flags, text, rest)                                                                \
	{ STR_INIT(in), flags, ADDRESS_OK, STR_INIT(text), STR_INIT(rest) }
#define NOT_PATH(in, flags, result)                                                                \
	{                                                                                          \
		STR_INIT(in), flags, ADDRESS_##result, STR_INIT(""), STR_INIT("")                  \
	}
		PATH("<a@c>", 0, "a@c", ""),
		PATH("<a@c> SIZE=1 BODY=7BIT", 0, "a@c", " SIZE=1 BODY=7BIT"),
		PATH("<a@c>\tSIZE=1", 0, "a@c", "\tSIZE=1"),
		PATH(" \t<a@c> ", 0, "a@c", " "),
		PATH("<>", N, "", ""),
		PATH("<> RET=HDRS", N, "", " RET=HDRS"),
		PATH("<Postmaster>", P, "postmaster", ""),
		PATH("<\"a b>c\"@c> X", 0, "\"a b>c\"@c", " X"),
		PATH("<\"a\\\">c\"@c> X", 0, "\"a\\\">c\"@c", " X"),
		PATH("<@a,@b.example:u@c>", 0, "u@c", ""),
		PATH("<@a:\"x y\"@c> P", 0, "\"x y\"@c", " P"),
		PATH("<@b\xc3\xbc"
		     "cher:u@c>",
			U, "u@c", ""),
		PATH("<@a:postmaster>", P, "postmaster", ""),
		PATH("a@c", B, "a@c", ""),
		PATH(" a@c SIZE=1", B, "a@c", " SIZE=1"),
		PATH("\"a b\"@c X", B, "\"a b\"@c", " X"),
		PATH("postmaster", B | P, "postmaster", ""),
		PATH("<a@c> X", B, "a@c", " X"),
		NOT_PATH("a@c", 0, SYNTAX),
		NOT_PATH("", B | N | P, SYNTAX),
		NOT_PATH("  ", B | N, SYNTAX),
		NOT_PATH("<>", 0, SYNTAX),
		NOT_PATH("<", N, SYNTAX),
		NOT_PATH("<a@c", B, SYNTAX),
		NOT_PATH("a@c>", B, SYNTAX),
		NOT_PATH("<<a@c>>", 0, SYNTAX),
		NOT_PATH("< a@c>", 0, SYNTAX),
		NOT_PATH("<a@c >", 0, SYNTAX),
		NOT_PATH("< >", N, SYNTAX),
		NOT_PATH("<a@c>SIZE=1", 0, SYNTAX),
		NOT_PATH("<a@c><b@c>", 0, SYNTAX),
		NOT_PATH("<a@c>\0", 0, SYNTAX),
		NOT_PATH("<a@c\0>", 0, SYNTAX),
		NOT_PATH("<a@c\0.evil>", 0, SYNTAX),
		NOT_PATH("<\"a@c>", 0, SYNTAX),
		NOT_PATH("<\"a\\\"@c>", 0, SYNTAX),
		NOT_PATH("<a\"b@c> X=\"y>", 0, SYNTAX),
		NOT_PATH("<a@\xc3>", U, BAD_UTF8),
		NOT_PATH("<@\xc3:a@c>", U, BAD_UTF8),
		NOT_PATH("<\xc3\xbc@c>", 0, NEEDS_UTF8),
		NOT_PATH("SIZE=100", B, NO_DOMAIN),
		NOT_PATH("<user>", P, NO_DOMAIN),
		NOT_PATH(";touch /tmp/x;", B, SYNTAX),
		NOT_PATH("<;touch /tmp/x;>", 0, SYNTAX),
		NOT_PATH("\"", B, SYNTAX),
		/* Source routes that are none. */
		NOT_PATH("<@a>", 0, SYNTAX),
		NOT_PATH("<@a:>", N, SYNTAX),
		NOT_PATH("<@:u@c>", 0, SYNTAX),
		NOT_PATH("<@a,:u@c>", 0, SYNTAX),
		NOT_PATH("<@a,b:u@c>", 0, SYNTAX),
		NOT_PATH("<@a,bcd:u@c>", 0, SYNTAX),
		NOT_PATH("<@a@b:u@c>", 0, SYNTAX),
		NOT_PATH("<a:u@c>", 0, SYNTAX),
		NOT_PATH("<@a, @b:u@c>", 0, SYNTAX),
		NOT_PATH("<@a..b:u@c>", 0, SYNTAX),
		NOT_PATH("<@[192.0.2.1]:u@c>", 0, SYNTAX),
		NOT_PATH("<@b\xc3\xbc"
			 "cher:u@c>",
			0, SYNTAX),
		NOT_PATH("<@a:@b:u@c>", 0, SYNTAX),
		NOT_PATH("@a:u@c", B, SYNTAX),
	};
	struct arena *arena = arena_new(1024);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct str rest = cases[i].in;
		struct address a;
		enum address_result result = address_path(&rest, cases[i].flags, arena, &a);

		expect_result(cases[i].in, result, cases[i].result);
		if (result == ADDRESS_OK) {
			expect_str(cases[i].in, a.text, cases[i].text);
			expect_str(cases[i].in, rest, cases[i].rest);
			expect_consistent(&a);
		} else {
			expect_str(cases[i].in, rest, cases[i].in);
		}
	}
	arena_free(&arena);
}
END_TEST

START_TEST(the_domain_is_behind_the_last_at_sign)
{
	expect_str(STR("plain"), address_domain(STR("a@c.example")), STR("c.example"));
	expect_str(STR("quoted"), address_domain(STR("\"a@b\"@c")), STR("c"));
	expect_str(STR("none"), address_domain(STR("postmaster")), STR(""));
	expect_str(STR("empty"), address_domain(STR("")), STR(""));
}
END_TEST

START_TEST(every_result_is_explained_in_its_own_words)
{
	for (int i = ADDRESS_OK; i <= ADDRESS_NO_DOMAIN; i++)
		for (int j = ADDRESS_OK; j < i; j++)
			ck_assert_str_ne(address_explain((enum address_result)i),
				address_explain((enum address_result)j));
}
END_TEST

START_TEST(without_smtputf8_a_domain_has_a_labels_and_a_local_part_nothing)
{
	static const struct {
		struct str in, out;
	} cases[] = {
		{ STR_INIT("a@b\303\274cher.example"), STR_INIT("a@xn--bcher-kva.example") },
		{ STR_INIT("a@example.org"), STR_INIT("a@example.org") },
		{ STR_INIT("\"a@b\"@b\303\274cher.example"),
			STR_INIT("\"a@b\"@xn--bcher-kva.example") },
		{ STR_INIT("\303\274@example.org"), STR_INIT("") },
		{ STR_INIT("\303\274"), STR_INIT("") },
		{ STR_INIT("a@\357\277\277"), STR_INIT("") },
	};
	struct arena *arena = arena_new(1024);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct str out = STR("");

		ck_assert_int_eq(address_ascii(cases[i].in, arena, &out), cases[i].out.len > 0);
		expect_str(cases[i].in, out, cases[i].out);
	}
	arena_free(&arena);
}
END_TEST

TEST_MAIN("mail/address", dot_strings_are_local_parts, quotes_stay_only_where_they_must,
	domains_are_names_or_literals, utf8_needs_to_be_said_and_ill_formed_is_never_taken,
	each_length_has_its_limit_and_its_name,
	null_and_postmaster_are_answers_only_where_asked_for, paths_leave_what_is_behind_them,
	the_domain_is_behind_the_last_at_sign, every_result_is_explained_in_its_own_words,
	without_smtputf8_a_domain_has_a_labels_and_a_local_part_nothing)
