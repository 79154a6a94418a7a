/* SPDX-License-Identifier: MIT
 *
 * xtext there and back.
 */
#include "mail/command.h"

#include "tests/mail/expect.h"

START_TEST(decoding_is_strict)
{
	static const struct {
		struct str in, out;
		bool good;
	} cases[] = {
		{ STR_INIT(""), STR_INIT(""), true },
		{ STR_INIT("abc@d.example"), STR_INIT("abc@d.example"), true },
		{ STR_INIT("a+2Bb+3Dc"), STR_INIT("a+b=c"), true },
		{ STR_INIT("+00+0A+FF"), STR_INIT("\0\n\xff"), true },
		{ STR_INIT("+"), STR_INIT(""), false },
		{ STR_INIT("a+2"), STR_INIT(""), false },
		{ STR_INIT("a+ZZ"), STR_INIT(""), false },
		{ STR_INIT("a+G0"), STR_INIT(""), false },
		{ STR_INIT("a+2b"), STR_INIT(""), false },
		{ STR_INIT("a=b"), STR_INIT(""), false },
		{ STR_INIT("a b"), STR_INIT(""), false },
		{ STR_INIT("a\0b"), STR_INIT(""), false },
		{ STR_INIT("a\x7f"), STR_INIT(""), false },
		{ STR_INIT("\xc3\xbc"), STR_INIT(""), false },
	};
	struct arena *arena = arena_new(1024);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct str out = STR("");

		ck_assert_msg(
			xtext_decode(cases[i].in, arena, &out) == cases[i].good, "case %zu", i);
		expect_str(cases[i].in, out, cases[i].out);
	}
	arena_free(&arena);
}
END_TEST

START_TEST(every_octet_survives_encoding)
{
	struct arena *arena = arena_new(1024);
	struct str encoded, back;
	char all[256];

	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	encoded = xtext_encode(str_make(all, sizeof all), arena);
	for (size_t i = 0; i < encoded.len; i++)
		ck_assert(encoded.data[i] > ' ' && encoded.data[i] < 0x7f);
	ck_assert_int_eq(str_find(encoded, '='), -1);
	ck_assert(xtext_decode(encoded, arena, &back));
	expect_str(STR("all octets"), back, str_make(all, sizeof all));
	expect_str(STR("plain"), xtext_encode(STR("a@b"), arena), STR("a@b"));
	expect_str(STR("few"), xtext_encode(STR("a b+c=\n"), arena), STR("a+20b+2Bc+3D+0A"));
	arena_free(&arena);
}
END_TEST

START_TEST(an_address_in_utf8_is_encoded_by_its_characters)
{
	struct arena *arena = arena_new(1024);

	expect_str(STR("few"),
		utf8_address_encode(STR("a+b=c\\d \303\274\342\202\254\360\237\230\200@e"), arena),
		STR("a\\x{2B}b\\x{3D}c\\x{5C}d\\x{20}\\x{FC}\\x{20AC}\\x{1F600}@e"));
	arena_free(&arena);
}
END_TEST

TEST_MAIN("mail/xtext", decoding_is_strict, every_octet_survives_encoding,
	an_address_in_utf8_is_encoded_by_its_characters)
