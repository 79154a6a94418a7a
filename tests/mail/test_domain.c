/* SPDX-License-Identifier: MIT
 *
 * Names in ASCII and UTF-8, and literals. Most of what is refused here only looks like a name.
 */
#include "mail/domain.h"

#include "tests/mail/expect.h"

/* Four times sixty-two letters and dots, and a rest. */
#define D60 "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"

START_TEST(names_are_letters_digits_and_hyphens)
{
	static const struct {
		struct str name;
		bool ascii, utf8; /* good without, and with UTF-8 */
	} cases[] = {
		{ STR_INIT("example"), true, true },
		{ STR_INIT("a.b-c.example"), true, true },
		{ STR_INIT("A.EXAMPLE"), true, true },
		{ STR_INIT("3com.1.2"), true, true },
		{ STR_INIT("a--b.example"), true, true },
		{ STR_INIT(""), false, false },
		{ STR_INIT("."), false, false },
		{ STR_INIT(".example"), false, false },
		{ STR_INIT("example."), false, false },
		{ STR_INIT("a..b"), false, false },
		{ STR_INIT("-a.example"), false, false },
		{ STR_INIT("a-.example"), false, false },
		{ STR_INIT("a_b.example"), false, false },
		{ STR_INIT("a b"), false, false },
		{ STR_INIT("a/b"), false, false },
		{ STR_INIT("../../etc"), false, false },
		{ STR_INIT("a@b"), false, false },
		{ STR_INIT("a\0b"), false, false },
		{ STR_INIT("example\0"), false, false },
		{ STR_INIT("a\r\n.example"), false, false },
		{ STR_INIT("%s%n"), false, false },
		{ STR_INIT("[192.0.2.1]"), false, false },
		{ STR_INIT("ddd" D60 ".example"), true, true },
		{ STR_INIT("dddd" D60 ".example"), false, false },
		{ STR_INIT(D60 "." D60 "." D60 "." D60 ".abcdefghijk"), true, true },
		{ STR_INIT(D60 "." D60 "." D60 "." D60 ".abcdefghijkl"), false, false },
		/* A-labels: what they promise must be there. */
		{ STR_INIT("xn--bcher-kva.example"), true, true },
		{ STR_INIT("XN--BCHER-KVA.example"), true, true },
		{ STR_INIT("example.xn--p1ai"), true, true },
		{ STR_INIT("xn--i-7iq.example"), true, true },
		{ STR_INIT("xn---"), false, false },
		{ STR_INIT("xn--"), false, false },
		{ STR_INIT("xn--a.example"), false, false },
		{ STR_INIT("xn--abc-"), false, false },
		{ STR_INIT("xn--99999999.example"), false, false },
		/* U-labels. */
		{ STR_INIT("b\xc3\xbc"
			   "cher.example"),
			false, true },
		{ STR_INIT("B\xc3\x9c"
			   "CHER.example"),
			false, true },
		{ STR_INIT("fa\xc3\x9f.de"), false, true },
		{ STR_INIT("\xd7\x90"
			   "1.example"),
			false, true },
		{ STR_INIT("xn--bcher-kva.b\xc3\xbc"
			   "cher"),
			false, true },
		/* Not UTF-8: overlong, surrogate, cut, five octets, a lone octet. */
		{ STR_INIT("a\xc0\xae"
			   "b.example"),
			false, false },
		{ STR_INIT("a\xe0\x80\xaf.example"), false, false },
		{ STR_INIT("a\xed\xa0\x80.example"), false, false },
		{ STR_INIT("a.example\xc3"), false, false },
		{ STR_INIT("a\xf8\x88\x80\x80\x80.example"), false, false },
		{ STR_INIT("\x80.example"), false, false },
		/* What only looks like a name in ASCII, or hides a dot, a slash, or nothing. */
		{ STR_INIT("c\xe3\x80\x82"
			   "example"),
			false, false },
		{ STR_INIT("c\xef\xbc\x8e"
			   "example"),
			false, false },
		{ STR_INIT("c\xef\xbd\xa1"
			   "example"),
			false, false },
		{ STR_INIT("\xef\xbd\x85xample.com"), false, false },
		{ STR_INIT("\xe2\x84\xaa.example"), false, false },
		{ STR_INIT("ex\xe2\x84\x80mple.example"), false, false },
		{ STR_INIT("exa\xc2\xadmple.example"), false, false },
		{ STR_INIT("a\xe2\x80\x8b.example"), false, false },
		{ STR_INIT("a\xe2\x80\xae.example"), false, false },
		{ STR_INIT("\xc2\x9b.example"), false, false },
		{ STR_INIT("b\xc3\xbc_.example"), false, false },
		{ STR_INIT("b\xc3\xbc\0.example"), false, false },
		{ STR_INIT("b\xc3\xbc..example"), false, false },
		{ STR_INIT("b\xc3\xbc.example."), false, false },
		{ STR_INIT("-b\xc3\xbc.example"), false, false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		ck_assert_msg(domain_valid(cases[i].name, false) == cases[i].ascii, "ascii %zu: %s",
			i, cases[i].name.data);
		ck_assert_msg(domain_valid(cases[i].name, true) == cases[i].utf8, "utf8 %zu: %s", i,
			cases[i].name.data);
	}
}
END_TEST

START_TEST(names_have_one_ascii_form_in_lower_case)
{
	static const struct {
		struct str name, ascii; /* empty: none */
	} cases[] = {
		{ STR_INIT("Example.ORG"), STR_INIT("example.org") },
		{ STR_INIT("XN--BCHER-KVA.example"), STR_INIT("xn--bcher-kva.example") },
		{ STR_INIT("b\xc3\xbc"
			   "cher.Example"),
			STR_INIT("xn--bcher-kva.example") },
		{ STR_INIT("B\xc3\x9c"
			   "CHER.example"),
			STR_INIT("xn--bcher-kva.example") },
		{ STR_INIT("bu\xcc\x88"
			   "cher.example"),
			STR_INIT("xn--bcher-kva.example") },
		{ STR_INIT("fa\xc3\x9f.de"), STR_INIT("xn--fa-hia.de") },
		{ STR_INIT("a..b"), STR_INIT("") },
		{ STR_INIT(""), STR_INIT("") },
		{ STR_INIT("\xff"), STR_INIT("") },
		{ STR_INIT("c\xe3\x80\x82"
			   "example"),
			STR_INIT("") },
	};
	struct arena *arena = arena_new(1024);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct str got = STR("untouched");

		if (!domain_ascii(cases[i].name, arena, &got)) {
			expect_str(cases[i].name, got, STR("untouched"));
			got = STR("");
		}
		expect_str(cases[i].name, got, cases[i].ascii);
	}
	arena_free(&arena);
}
END_TEST

START_TEST(literals_are_addresses_in_brackets_and_have_one_form)
{
	static const struct {
		struct str literal, text; /* empty: none */
	} cases[] = {
		{ STR_INIT("[192.0.2.1]"), STR_INIT("[192.0.2.1]") },
		{ STR_INIT("[IPv6:2001:db8::1]"), STR_INIT("[IPv6:2001:db8::1]") },
		{ STR_INIT("[ipv6:2001:DB8:0:0:0:0:0:1]"), STR_INIT("[IPv6:2001:db8::1]") },
		{ STR_INIT("[IPv6:::]"), STR_INIT("[IPv6:::]") },
		{ STR_INIT("[IPv6:::ffff:192.0.2.1]"), STR_INIT("[192.0.2.1]") },
		{ STR_INIT("[]"), STR_INIT("") },
		{ STR_INIT("["), STR_INIT("") },
		{ STR_INIT("192.0.2.1"), STR_INIT("") },
		{ STR_INIT("[192.0.2.1"), STR_INIT("") },
		{ STR_INIT("[192.0.2]"), STR_INIT("") },
		{ STR_INIT("[192.0.2.256]"), STR_INIT("") },
		{ STR_INIT("[192.0.2.1 ]"), STR_INIT("") },
		{ STR_INIT("[192.0.2.1\0]"), STR_INIT("") },
		{ STR_INIT("[2001:db8::1]"), STR_INIT("") },
		{ STR_INIT("[IPv6:192.0.2.1]"), STR_INIT("") },
		{ STR_INIT("[IPv6:1:2:3:4:5:6:7:8:9]"), STR_INIT("") },
		{ STR_INIT("[IPv6:fe80::1%eth0]"), STR_INIT("") },
		{ STR_INIT("[x400:something]"), STR_INIT("") },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char room[DOMAIN_LITERAL_TEXT];
		struct str text = STR("");
		struct ip ip;

		if (domain_literal(cases[i].literal, &ip))
			text = domain_literal_text(&ip, room);
		expect_str(cases[i].literal, text, cases[i].text);
		ck_assert_int_eq(domain_or_literal(cases[i].literal),
			text.len > 0 || domain_valid(cases[i].literal, false));
	}
	ck_assert(domain_or_literal(STR("mx.example")));
	ck_assert(!domain_or_literal(STR("b\xc3\xbc"
					 "cher.example")));
	ck_assert(!domain_or_literal(STR("")));
}
END_TEST

START_TEST(parents_go_up_to_the_last_label)
{
	struct str s = STR("a.b.c");

	s = domain_parent(s);
	expect_str(STR("first"), s, STR("b.c"));
	s = domain_parent(s);
	expect_str(STR("second"), s, STR("c"));
	s = domain_parent(s);
	expect_str(STR("third"), s, STR(""));
	expect_str(STR("of nothing"), domain_parent(s), STR(""));
}
END_TEST

START_TEST(a_domain_is_looked_up_by_its_a_labels)
{
	struct arena *arena = arena_new(256);

	ck_assert(str_equal(domain_key(STR("b\xc3\xbc"
					   "cher.example"),
				    arena),
		STR("xn--bcher-kva.example")));
	ck_assert(str_equal(domain_key(STR("example.org"), arena), STR("example.org")));
	ck_assert(str_equal(domain_key(STR("[192.0.2.1]"), arena), STR("[192.0.2.1]")));
	ck_assert(str_equal(domain_key(STR(""), arena), STR("")));
	arena_free(&arena);
}
END_TEST

TEST_MAIN("mail/domain", names_are_letters_digits_and_hyphens,
	names_have_one_ascii_form_in_lower_case,
	literals_are_addresses_in_brackets_and_have_one_form, parents_go_up_to_the_last_label,
	a_domain_is_looked_up_by_its_a_labels)
