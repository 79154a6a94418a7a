/* SPDX-License-Identifier: MIT */
#include "base/encode.h"

#include "tests/base/expect.h"

/* RFC 4648, section 10. */
static const struct {
	struct str plain, base64;
} vectors[] = {
	{ STR_INIT(""), STR_INIT("") },
	{ STR_INIT("f"), STR_INIT("Zg==") },
	{ STR_INIT("fo"), STR_INIT("Zm8=") },
	{ STR_INIT("foo"), STR_INIT("Zm9v") },
	{ STR_INIT("foob"), STR_INIT("Zm9vYg==") },
	{ STR_INIT("fooba"), STR_INIT("Zm9vYmE=") },
	{ STR_INIT("foobar"), STR_INIT("Zm9vYmFy") },
	{ STR_INIT("\0user\0pass"), STR_INIT("AHVzZXIAcGFzcw==") },
	{ STR_INIT("\xfb\xff\xbf"), STR_INIT("+/+/") },
};

START_TEST(base64_is_that_of_the_rfc)
{
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		struct buf encoded = { 0 }, decoded = { 0 };

		base64_encode(&encoded, vectors[i].plain);
		ck_assert(str_equal(buf_str(&encoded), vectors[i].base64));
		ck_assert(base64_decode(&decoded, vectors[i].base64));
		ck_assert(str_equal(buf_str(&decoded), vectors[i].plain));
		buf_free(&encoded);
		buf_free(&decoded);
	}
}
END_TEST

START_TEST(base64_that_is_not_exact_is_refused)
{
	static const struct str bad[] = { STR_INIT("Z"), STR_INIT("Zg"), STR_INIT("Zg="),
		STR_INIT("===="), STR_INIT("Z==="), STR_INIT("Zg==Zg=="), STR_INIT("Zm 9"),
		STR_INIT("Zm9v\n"), STR_INIT("Zm9-"), STR_INIT("Zm\09"), STR_INIT("Zh=="),
		STR_INIT("Zm9="), STR_INIT("=m9v"), STR_INIT("Z=9v"), STR_INIT("Zg=a") };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct buf out = { 0 };

		ck_assert_msg(!base64_decode(&out, bad[i]), "%.*s is taken", STR_ARG(bad[i]));
		buf_free(&out);
	}
}
END_TEST

START_TEST(any_octets_survive_base64_and_hex)
{
	uint64_t state = 6;

	for (int round = 0; round < 2000; round++) {
		struct buf text = { 0 }, back = { 0 };
		char data[100];
		struct str in = { data, chance_next(&state) % sizeof data };

		for (size_t i = 0; i < in.len; i++)
			data[i] = (char)chance_next(&state);
		base64_encode(&text, in);
		ck_assert_uint_eq(text.len, (in.len + 2) / 3 * 4);
		ck_assert(base64_decode(&back, buf_str(&text)));
		ck_assert(str_equal(buf_str(&back), in));
		buf_clear(&text);
		buf_clear(&back);
		hex_encode(&text, in);
		ck_assert(hex_decode(&back, buf_str(&text)));
		ck_assert(str_equal(buf_str(&back), in));
		buf_free(&text);
		buf_free(&back);
	}
}
END_TEST

START_TEST(hex_is_lower_case_and_reads_both)
{
	struct buf b = { 0 };

	hex_encode(&b, STR("\x00\xaf"));
	expect_text(buf_str(&b), "00af");
	buf_clear(&b);
	ck_assert(hex_decode(&b, STR("aFFa")));
	expect_text(buf_str(&b), "\xaf\xfa");
	ck_assert(!hex_decode(&b, STR("abc")));
	ck_assert(!hex_decode(&b, STR("0x")));
	ck_assert(!hex_decode(&b, STR("g0")));
	buf_free(&b);
}
END_TEST

START_TEST(quoting_leaves_only_printable_ascii)
{
	struct buf b = { 0 };

	quote(&b, STR("a \"b\" \\ \r\n\0\x7f\xc3\xa9~"));
	expect_text(buf_str(&b), "a \\\"b\\\" \\\\ \\x0d\\x0a\\x00\\x7f\\xc3\\xa9~");
	buf_free(&b);
}
END_TEST

START_TEST(json_strings_are_escaped_and_well_formed)
{
	struct buf b = { 0 };

	json_quote(&b, STR("a\"\\/\n\r\t\x01\0\x7f\xc3\xa9"));
	expect_text(buf_str(&b), "\"a\\\"\\\\/\\n\\r\\t\\u0001\\u0000\\u007f\xc3\xa9\"");
	buf_clear(&b);
	json_quote(&b, STR("<\xff\xc3>\xed\xa0\x80"));
	expect_text(
		buf_str(&b), "\"<\xef\xbf\xbd\xef\xbf\xbd>\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
	buf_free(&b);
}
END_TEST

START_TEST(utf8_is_that_of_rfc_3629)
{
	static const struct {
		struct str text;
		size_t len;
	} chars[] = {
		{ STR_INIT(""), 0 },
		{ STR_INIT("\0"), 1 },
		{ STR_INIT("\x7f"), 1 },
		{ STR_INIT("\x80"), 0 },
		{ STR_INIT("\xc0\x80"), 0 },
		{ STR_INIT("\xc1\xbf"), 0 },
		{ STR_INIT("\xc2\x80"), 2 },
		{ STR_INIT("\xc2"), 0 },
		{ STR_INIT("\xc2\x20"), 0 },
		{ STR_INIT("\xdf\xbf"), 2 },
		{ STR_INIT("\xe0\x9f\xbf"), 0 },
		{ STR_INIT("\xe0\xa0\x80"), 3 },
		{ STR_INIT("\xed\x9f\xbf"), 3 },
		{ STR_INIT("\xed\xa0\x80"), 0 },
		{ STR_INIT("\xef\xbf\xbf"), 3 },
		{ STR_INIT("\xe2\x82"), 0 },
		{ STR_INIT("\xe2\x82\xc0"), 0 },
		{ STR_INIT("\xf0\x8f\xbf\xbf"), 0 },
		{ STR_INIT("\xf0\x90\x80\x80"), 4 },
		{ STR_INIT("\xf4\x8f\xbf\xbf"), 4 },
		{ STR_INIT("\xf4\x90\x80\x80"), 0 },
		{ STR_INIT("\xf5\x80\x80\x80"), 0 },
		{ STR_INIT("\xff"), 0 },
	};

	for (size_t i = 0; i < sizeof chars / sizeof *chars; i++)
		ck_assert_msg(utf8_char(chars[i].text) == chars[i].len, "row %zu", i);
	ck_assert(utf8_valid(STR("")));
	ck_assert(utf8_valid(STR("gr\xc3\xbc\xc3\x9f \xf0\x9f\x93\xa7")));
	ck_assert(!utf8_valid(STR("gr\xc3")));
}
END_TEST

START_TEST(ascii_has_seven_bits)
{
	ck_assert(ascii_only(STR("")));
	ck_assert(ascii_only(STR("a\0\x7f")));
	ck_assert(!ascii_only(STR("a\x80")));
	for (size_t len = 1; len < 40; len++)
		for (size_t at = 0; at < len; at++) {
			char text[40] = { 0 };

			ck_assert(ascii_only(str_make(text, len)));
			text[at] = '\x80';
			ck_assert(!ascii_only(str_make(text, len)));
		}
}
END_TEST

TEST_MAIN("base/encode", base64_is_that_of_the_rfc, base64_that_is_not_exact_is_refused,
	any_octets_survive_base64_and_hex, hex_is_lower_case_and_reads_both,
	quoting_leaves_only_printable_ascii, json_strings_are_escaped_and_well_formed,
	utf8_is_that_of_rfc_3629, ascii_has_seven_bits)
