/* SPDX-License-Identifier: MIT
 *
 * quoted-printable and base64, whole and octet by octet.
 */
#include "mail/transfer.h"

#include "tests/mail/expect.h"
#include "tests/mail/sevenbit.h"

static void quoted_is(struct str in, const char *want)
{
	struct quoted_writer whole = { 0 }, piecewise = { 0 };
	struct buf out = { 0 }, out2 = { 0 };

	quoted_write(&whole, in, &out);
	quoted_finish(&whole, &out);
	for (size_t i = 0; i < in.len; i++)
		quoted_write(&piecewise, str_slice(in, i, 1), &out2);
	quoted_finish(&piecewise, &out2);
	expect_str(in, buf_str(&out), str_c(want));
	expect_str(in, buf_str(&out2), str_c(want));
	buf_free(&out);
	buf_free(&out2);
}

START_TEST(what_may_stand_for_itself_does)
{
	quoted_is(STR(""), "");
	quoted_is(STR("a b\tc!~\r\n"), "a b\tc!~\r\n");
	quoted_is(STR("1+1=2\r\n"), "1+1=3D2\r\n");
	quoted_is(STR("\303\274\377\0\177\001"), "=C3=BC=FF=00=7F=01");
}
END_TEST

START_TEST(blanks_at_a_lines_end_are_encoded)
{
	quoted_is(STR("a \r\nb\t\r\n \r\nc "), "a=20\r\nb=09\r\n=20\r\nc=20");
	quoted_is(STR("a  b"), "a  b");
}
END_TEST

START_TEST(only_crlf_is_a_lines_end)
{
	quoted_is(STR("a\rb\nc\r\r\n"), "a=0Db=0Ac=0D\r\n");
	quoted_is(STR("a \rb"), "a=20=0Db");
	quoted_is(STR("a\r"), "a=0D");
}
END_TEST

START_TEST(no_line_begins_like_a_boundary)
{
	struct buf line = { 0 }, want = { 0 };

	quoted_is(STR("--b\r\n-\r\na-"), "=2D-b\r\n=2D\r\na-");
	buf_printf(&line, "%075d--b", 0); /* it must be broken there */
	buf_printf(&want, "%075d=\r\n=2D-b", 0);
	quoted_is(buf_str(&line), buf_c(&want));
	buf_free(&line);
	buf_free(&want);
}
END_TEST

START_TEST(lines_have_76_octets_at_the_most)
{
	struct quoted_writer q = { 0 };
	struct base64_writer b = { .count = 0 };
	struct buf in = { 0 }, out = { 0 }, back = { 0 };
	uint64_t seed = 7;

	for (int i = 0; i < 3000; i++)
		buf_add_char(&in, (char)chance(&seed));
	quoted_write(&q, buf_str(&in), &out);
	quoted_finish(&q, &out);
	ck_assert(lines_within(buf_str(&out), 76));
	quoted_decode(buf_str(&out), &back);
	expect_str(STR("quoted"), buf_str(&back), buf_str(&in));
	buf_clear(&out);
	buf_clear(&back);
	for (size_t at = 0, n; at < in.len; at += n) {
		n = chance(&seed) % 100;
		base64_write(&b, str_slice(buf_str(&in), at, n), &out);
	}
	base64_finish(&b, &out);
	base64_finish(&b, &out); /* there is nothing more to end */
	ck_assert(lines_within(buf_str(&out), 76));
	ck_assert_uint_eq(out.len, in.len / 57 * 78 + (in.len % 57 + 2) / 3 * 4 + 2);
	base64_lines_decode(buf_str(&out), &back);
	expect_str(STR("base64"), buf_str(&back), buf_str(&in));
	buf_free(&in);
	buf_free(&out);
	buf_free(&back);
}
END_TEST

TEST_MAIN("mail/transfer", what_may_stand_for_itself_does, blanks_at_a_lines_end_are_encoded,
	only_crlf_is_a_lines_end, no_line_begins_like_a_boundary, lines_have_76_octets_at_the_most)
