/* SPDX-License-Identifier: MIT
 *
 * Conversion to 7 bit: what it makes of messages, and of which it makes nothing. What must hold of
 * any is asked by sevenbit_check, here of messages by chance and in fuzz_sevenbit.
 */
#include "mail/sevenbit.h"

#include "tests/mail/expect.h"
#include "tests/mail/sevenbit.h"

#define UE "\303\274"
#define MIXED "Content-Type: multipart/mixed; boundary=b\n"
#define CTE "Content-Transfer-Encoding: "

static struct str lines(const char *text, struct buf *out)
{
	buf_clear(out);
	for (; *text; text++) {
		if (*text == '\n')
			buf_add_char(out, '\r');
		buf_add_char(out, *text);
	}
	return buf_str(out);
}

static void becomes(const char *text, const char *want_text)
{
	struct buf in = { 0 }, want = { 0 }, out = { 0 };
	struct str message = lines(text, &in);
	struct sevenbit_seen seen;

	for (size_t cut = 0; cut <= message.len; cut++) {
		buf_clear(&out);
		ck_assert(sevenbit_convert(message, cut / 2, cut, &seen, &out));
		expect_str(message, buf_str(&out), lines(want_text, &want));
	}
	sevenbit_check(message, buf_str(&out));
	ck_assert_uint_ge(seen.size, out.len);
	buf_free(&in);
	buf_free(&want);
	buf_free(&out);
}

START_TEST(text_becomes_quoted_printable)
{
	becomes("MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n" CTE "8bit\n"
		"Subject: x\n\nGr" UE "n \n",
		"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nSubject: x\n" CTE
		"quoted-printable\n\nGr=C3=BCn=20\n");
}
END_TEST

START_TEST(what_was_never_declared_gets_its_header)
{
	becomes("Subject: x\n\n\351\n",
		"Subject: x\nMIME-Version: 1.0\n"
		"Content-Type: text/plain; charset=unknown-8bit\n" CTE "quoted-printable\n\n=E9\n");
}
END_TEST

START_TEST(other_bodies_become_base64)
{
	becomes("MIME-Version: 1.0\nContent-Type: image/x\n\n\377\376\n",
		"MIME-Version: 1.0\nContent-Type: image/x\n" CTE "base64\n\n//4NCg==\n");
}
END_TEST

START_TEST(only_parts_that_need_it_are_encoded)
{
	becomes("MIME-Version: 1.0\n" MIXED CTE "8bit\n\npre = \n--b\n\nplain = \n--b\n" CTE
		"8bit\n\nplain too\n--b\n" CTE "\n 8bit\nX: y\n\n" UE "\n--b\n"
		"Content-Type: application/x\n" CTE "binary\n\n\377\n\n--b--\npost = \n",
		"MIME-Version: 1.0\n" MIXED CTE "7bit\n\npre = \n--b\n\nplain = \n--b\n" CTE
		"7bit\n\nplain too\n--b\nX: y\nContent-Type: text/plain; charset=unknown-8bit\n" CTE
		"quoted-printable\n\n=C3=BC\n--b\nContent-Type: application/x\n" CTE
		"base64\n\n/w0K\n--b--\npost = \n");
}
END_TEST

START_TEST(messages_inside_are_converted_too)
{
	becomes("MIME-Version: 1.0\nContent-Type: message/rfc822\n" CTE "8bit\n\nSubject: in\n\n" UE
		"\n",
		"MIME-Version: 1.0\nContent-Type: message/rfc822\n" CTE
		"7bit\n\nSubject: in\nMIME-Version: 1.0\n"
		"Content-Type: text/plain; charset=unknown-8bit\n" CTE
		"quoted-printable\n\n=C3=BC\n");
}
END_TEST

START_TEST(long_lines_are_encoded_with_the_rest)
{
	struct buf in = { 0 }, out = { 0 };
	struct sevenbit_seen seen;

	buf_add_c(&in, "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n");
	for (int i = 0; i < 999; i++)
		buf_add_char(&in, 'x');
	buf_add_c(&in, "\r\n--b\r\n\r\n\351\r\n--b--\r\n");
	ck_assert(sevenbit_convert(buf_str(&in), 100, 700, &seen, &out));
	sevenbit_check(buf_str(&in), buf_str(&out));
	buf_free(&in);
	buf_free(&out);
}
END_TEST

START_TEST(a_bare_line_end_is_one)
{
	struct buf out = { 0 };
	struct sevenbit_seen seen;

	ck_assert(sevenbit_convert(STR("A: b\n\n\351\rx\n.\r"), 7, 8, &seen, &out));
	expect_str(STR("bare"), str_slice(buf_str(&out), out.len - 15, 15),
		STR("\r\n\r\n=E9\r\nx\r\n.\r\n"));
	buf_free(&out);
}
END_TEST

START_TEST(ascii_alone_is_left_alone)
{
	struct buf in = { 0 }, out = { 0 };
	struct sevenbit_seen seen;

	ck_assert(!sevenbit_convert(lines(CTE "8bit\n\nhello\n", &in), 3, 9, &seen, &out));
	ck_assert(!seen.eight && !seen.header);
	ck_assert_uint_eq(out.len, 0);
	buf_free(&in);
}
END_TEST

START_TEST(what_cannot_be_converted_is_refused)
{
	static const struct {
		const char *message, *why;
		bool header;
	} cases[] = {
		{ "Subject: " UE "\n\nx\n", "header", true },
		{ "A: b\n\n" UE "\n", NULL, false },
		{ MIXED "\n--b\nX: " UE "\n\nx\n", "header", true },
		{ "Content-Type: message/rfc822\n\nX: " UE "\n\nx\n", "header", true },
		{ "Content-Type: multipart/signed; boundary=b\n\n--b\n\n" UE "\n", "changed",
			true },
		{ "Content-Type: message/partial\n\n" UE "\n", "changed", true },
		{ "Content-Type: message/global\n\nX: " UE "\n", NULL, false },
		{ MIXED "\n" UE "\n--b--\n", "changed", false },
		{ MIXED "\n--b--\n" UE "\n", "changed", false },
		{ MIXED "\n--b\nContent-Type: multipart/signed; boundary=s\n\n--b--\n" UE "\n",
			"changed", false },
		{ MIXED "\n--b" UE "\n\nx\n", "boundary", true },
		{ MIXED "\n--b\nContent-Type: multipart/signed; boundary=b1\n\n--b1\n\n" UE
			"\n--b1--\n--b--\n",
			"boundary", true },
		{ CTE "base64\n\n" UE "\n", "changed", false },
		{ CTE "8bit\n" CTE "7bit\n\n" UE "\n", "changed", false },
		{ "Content-Type: multipart/mixed\n\n" UE "\n", "changed", true },
		{ MIXED CTE "base64\n\n" UE "\n", "changed", true },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf in = { 0 }, out = { 0 };
		struct sevenbit_seen seen;
		struct str message = lines(cases[i].message, &in);
		bool done = sevenbit_convert(message, 5, 12, &seen, &out);

		ck_assert_msg(done == !cases[i].why, "case %zu: %s", i, seen.refusal);
		ck_assert(seen.eight);
		ck_assert_int_eq(seen.header, cases[i].header);
		ck_assert_msg(done || strstr(seen.refusal, cases[i].why), "%s", seen.refusal);
		buf_free(&in);
		buf_free(&out);
	}
}
END_TEST

START_TEST(a_header_that_was_not_seen_may_have_utf8)
{
	struct buf in = { 0 }, out = { 0 };
	struct sevenbit_seen seen;

	for (int i = 0; i < 500; i++)
		buf_add_c(&in, UE);
	ck_assert(!sevenbit_convert(buf_str(&in), 3, 600, &seen, &out));
	ck_assert(seen.header);
	/* A long line is no reason to think so. */
	buf_clear(&in);
	buf_add_c(&in,
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" UE "\r\n--b\r\n"
		"Content-Type: multipart/signed; boundary=s\r\n\r\n");
	for (int i = 0; i < 999; i++)
		buf_add_char(&in, 'x');
	ck_assert(!sevenbit_convert(buf_str(&in), 3, 600, &seen, &out));
	ck_assert(seen.refusal && seen.eight && !seen.header);
	buf_free(&in);
	buf_free(&out);
}
END_TEST

START_TEST(a_signed_part_beside_is_not_touched)
{
	becomes("MIME-Version: 1.0\n" MIXED
		"\n--b\nContent-Type: multipart/signed; boundary=s\n" CTE "8bit\n\n--s\n" CTE
		"8bit\n\nx = \n--s--\n--b\n\n" UE "\n--b--\n",
		"MIME-Version: 1.0\n" MIXED
		"\n--b\nContent-Type: multipart/signed; boundary=s\n" CTE "8bit\n\n--s\n" CTE
		"8bit\n\nx = \n--s--\n--b\nContent-Type: text/plain; charset=unknown-8bit\n" CTE
		"quoted-printable\n\n=C3=BC\n--b--\n");
}
END_TEST

/* Lines that mean something, in any order. */
START_TEST(what_must_hold_holds_for_messages_by_chance)
{
	static const char *const words[] = { "\r\n", "\r\n", "\r\n", "--b\r\n", "--b--\r\n",
		"--c\r\n", "--c--\r\n", "Content-Type: multipart/mixed; boundary=b\r\n",
		"Content-Type: multipart/mixed; boundary=c\r\n", "Content-Type: message/rfc822\r\n",
		"Content-Type: image/x\r\n", "Content-Type: multipart/digest;\r\n boundary=c\r\n",
		"Content-Transfer-Encoding: 8bit\r\n", "Content-Transfer-Encoding: base64\r\n",
		"MIME-Version: 1.0\r\n", "Subject: x\r\n", " folded\r\n", "text\r\n", "\351\r\n",
		"\377--b\r\n",
		"a line of text that is long enough to be broken where it is encoded\r\n",
		"x=\t \r\n", "bare\n", "\r" };
	uint64_t seed = 42;
	unsigned converted = 0;

	for (int round = 0; round < 20000; round++) {
		struct buf in = { 0 }, out = { 0 };
		struct sevenbit_seen seen;
		size_t first, second;

		for (uint64_t n = chance(&seed) % 20; n > 0; n--)
			buf_add_c(&in, words[chance(&seed) % (sizeof words / sizeof *words)]);
		second = chance(&seed) % (in.len + 1);
		first = chance(&seed) % (second + 1);
		if (sevenbit_convert(buf_str(&in), first, second, &seen, &out)) {
			sevenbit_check(buf_str(&in), buf_str(&out));
			converted++;
		}
		buf_free(&in);
		buf_free(&out);
	}
	ck_assert_uint_gt(converted, 1000);
}
END_TEST

TEST_MAIN("mail/sevenbit", text_becomes_quoted_printable, what_was_never_declared_gets_its_header,
	other_bodies_become_base64, only_parts_that_need_it_are_encoded,
	messages_inside_are_converted_too, long_lines_are_encoded_with_the_rest,
	a_bare_line_end_is_one, ascii_alone_is_left_alone, what_cannot_be_converted_is_refused,
	a_header_that_was_not_seen_may_have_utf8, a_signed_part_beside_is_not_touched,
	what_must_hold_holds_for_messages_by_chance)
