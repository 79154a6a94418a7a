/* SPDX-License-Identifier: MIT
 *
 * The structure of messages, good and hostile: what each octet is told to be, however the message
 * is cut.
 */
#include "mail/mime.h"

#include "tests/mail/expect.h"

static const char *const kinds[] = { [MIME_TEXT] = "text",
	[MIME_OTHER] = "other",
	[MIME_FIXED] = "fixed",
	[MIME_MULTIPART] = "multipart",
	[MIME_MESSAGE] = "message" };

/* "h" a header line, "[kind]" its end, "." a body's line, "|" a boundary, "!" broken. `most`:
 * octets that are shown at once. */
static void outline(struct str message, size_t most, struct buf *out)
{
	struct mime m = { .len = 0 };
	bool inside = false;

	while (message.len > 0) {
		struct str piece = str_slice(message, 0, most);
		enum mime_event event;

		message = str_slice(message, piece.len, message.len);
		while ((event = mime_next(&m, &piece)) != MIME_MORE) {
			if (event == MIME_BROKEN) {
				buf_add_char(out, '!');
				return;
			}
			if (event == MIME_HEADER_END)
				buf_printf(out, "[%s]", kinds[m.entity.kind]);
			else if (event == MIME_BODY && !inside)
				buf_add_char(out, '.');
			else if (event != MIME_BODY)
				buf_add_char(out, event == MIME_BOUNDARY ? '|' : 'h');
			inside = event == MIME_BODY && m.octets.data[m.octets.len - 1] != '\n';
		}
	}
}

/* LF stands for CRLF. */
static struct str lines(const char *text, struct buf *out)
{
	for (; *text; text++) {
		if (*text == '\n')
			buf_add_char(out, '\r');
		buf_add_char(out, *text);
	}
	return buf_str(out);
}

static void outline_is(const char *text, const char *want)
{
	struct buf message = { 0 }, got = { 0 };
	struct str s = lines(text, &message);

	for (size_t most = s.len; most > 0; most = most > 3 ? 3 : most - 1) {
		buf_clear(&got);
		outline(s, most, &got);
		expect_str(s, buf_str(&got), str_c(want));
	}
	buf_free(&message);
	buf_free(&got);
}

#define MIXED "Content-Type: multipart/mixed; boundary=b\n\n"

START_TEST(a_message_is_a_header_and_a_body)
{
	outline_is("Subject: x\n\nhello\n\n-- \nme\n", "h[text]....");
	outline_is("Subject: x\n", "h");
	outline_is("\nhello\n", "[text].");
	outline_is("Content-Type: image/png\n\nx\n", "h[other].");
	outline_is("Content-Type: nonsense\n\nx\n", "h[text].");
	outline_is("Content-Type: ;\n\nx\n", "h[text].");
	outline_is("A: b\n c\n\td\n\nx\n", "hhh[text].");
}
END_TEST

START_TEST(a_line_that_is_none_of_a_header_begins_the_body)
{
	outline_is("Subject: x\nhello there\nA: b\n", "h[text]..");
	outline_is(" folded: nothing\n", "[text].");
	outline_is("Content-Type: message/rfc822\nhello there\n", "h[message][text].");
}
END_TEST

START_TEST(boundaries_part_a_multipart)
{
	outline_is(MIXED "pre\n--b\n\none\n--b\nX: y\n\ntwo\n--b--\npost\n",
		"h[multipart].|[text].|h[text].|.");
	outline_is(MIXED "--b \t\n\none\n--b-- \n", "h[multipart]|[text].|");
	outline_is(MIXED "--b\n\nno end\n", "h[multipart]|[text].");
	outline_is(MIXED "nothing of the kind\n--c\n", "h[multipart]..");
	outline_is(MIXED "--b\nX: y\n--b--\n", "h[multipart]|h|");
	outline_is(MIXED "--b\n\n-b\n--a\n -- b\n--b--\n--b\n", "h[multipart]|[text]...|.");
	outline_is("Content-Type: multipart/x; boundary=\"a \\\"b\"\n\n--a \"b\n\nx\n--a \"b--\n",
		"h[multipart]|[text].|");
	outline_is("Content-Type: (c) multipart (c(c)\\)) / mixed; a=b ;\n boundary (c) = b (c)\n\n"
		   "--b\n\nx\n",
		"hh[multipart]|[text].");
}
END_TEST

START_TEST(the_longest_boundary_that_fits_counts)
{
	outline_is(MIXED "--b\nContent-Type: multipart/mixed; boundary=bb\n\n--bb\n\nx\n--bb--\n"
			 "y\n--b--\n",
		"h[multipart]|h[multipart]|[text].|.|");
	outline_is("Content-Type: multipart/mixed; boundary=bb\n\n--bb\n"
		   "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--bb\n\ny\n",
		"h[multipart]|h[multipart]|[text].|[text].");
	/* An outer one ends those within. */
	outline_is(MIXED "--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\nx\n--b\n\ny\n"
			 "--c\n",
		"h[multipart]|h[multipart]|[text].|[text]..");
}
END_TEST

START_TEST(a_line_that_only_begins_like_a_boundary_is_broken)
{
	static const char *const ends[] = { "1", "-", "---", "--1", " 1", "-- -", "\303\274" };

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		struct buf text = { 0 };

		buf_printf(&text, MIXED "--b\n\nx\n--b%s\ny\n", ends[i]);
		outline_is(buf_c(&text), "h[multipart]|[text].!");
		buf_free(&text);
	}
	outline_is(MIXED "--b\nContent-Type: multipart/signed; boundary=b1\n\n--b1\n\nx\n",
		"h[multipart]|h[fixed]!");
}
END_TEST

START_TEST(messages_are_looked_into)
{
	outline_is("Content-Type: message/rfc822\n\nSubject: in\n\nx\n", "h[message]h[text].");
	outline_is("Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: in\n\nx\n--b\n"
		   "Content-Type: text/plain\n\ny\n",
		"h[multipart]|[message]h[text].|h[text].");
	outline_is("Content-Type: message/partial\n\nx\n", "h[fixed].");
	outline_is("Content-Type: message/global\n\nx\n", "h[other].");
}
END_TEST

START_TEST(what_contradicts_itself_stays_as_it_is)
{
	static const char *const headers[] = {
		"Content-Type: multipart/mixed\n",
		"Content-Type: multipart/mixed; boundary=\"\"\n",
		"Content-Type: multipart/mixed; boundary=\"b \"\n",
		"Content-Type: multipart/mixed; boundary=a=b\n",
		"Content-Type: multipart/mixed; boundary=b; boundary=b\n",
		"Content-Type: multipart/mixed; boundary="
		"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n",
		"Content-Type: multipart/mixed; boundary=\""
		"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\"\n",
		"Content-Type: multipart/signed; boundary=b\n",
		"Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n",
		"Content-Type: text/plain\nContent-Type: text/plain\n",
		"Content-Transfer-Encoding: 8bit\nContent-Transfer-Encoding: 8bit\n",
		"Content-Transfer-Encoding: quoted-printable\n",
		"Content-Transfer-Encoding: x-unknown\n",
		"Content-Transfer-Encoding:\n",
	};
	struct buf text = { 0 }, want = { 0 };

	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
		struct str rest = str_c(headers[i]), line;

		buf_clear(&text);
		buf_clear(&want);
		while (str_split(&rest, '\n', &line) && line.len > 0)
			buf_add_char(&want, 'h');
		buf_printf(&text, "%s\n--b\n", headers[i]);
		buf_add_c(&want, "[fixed].");
		outline_is(buf_c(&text), buf_c(&want));
	}
	buf_free(&text);
	buf_free(&want);
}
END_TEST

START_TEST(a_boundary_may_have_70_octets)
{
	struct buf text = { 0 };
	char b[71];

	memset(b, 'b', 70);
	b[70] = '\0';
	buf_printf(&text, "Content-Type: multipart/mixed; boundary=\"%s\"\n\n--%s\n\nx\n--%s--\n",
		b, b, b);
	outline_is(buf_c(&text), "h[multipart]|[text].|");
	buf_free(&text);
}
END_TEST

/* Whether so many are fine, and one more is broken. */
static void bound_is(size_t most, void (*build)(struct buf *out, size_t n))
{
	for (size_t n = most; n <= most + 1; n++) {
		struct buf text = { 0 }, message = { 0 }, got = { 0 };

		build(&text, n);
		outline(lines(buf_c(&text), &message), 4096, &got);
		ck_assert_msg((str_find(buf_str(&got), '!') >= 0) == (n > most), "%zu", n);
		buf_free(&text);
		buf_free(&message);
		buf_free(&got);
	}
}

static void nested(struct buf *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "Content-Type: multipart/mixed; boundary=b%zu.\n\n--b%zu.\n", i, i);
	buf_add_c(out, "\nx\n");
}

static void many(struct buf *out, size_t n)
{
	buf_add_c(out, MIXED);
	for (size_t i = 1; i < n; i++)
		buf_add_c(out, "--b\n\nx\n");
}

static void long_field(struct buf *out, size_t n)
{
	buf_add_c(out, "X:");
	for (size_t i = 2; i < n; i++)
		buf_add_char(out, 'y');
	buf_add_c(out, "\n\nx\n");
}

static void long_boundary_line(struct buf *out, size_t n)
{
	buf_add_c(out, MIXED "--b");
	for (size_t i = 3; i < n; i++)
		buf_add_char(out, ' ');
	buf_add_c(out, "\n\nx\n");
}

START_TEST(what_exceeds_a_bound_is_broken)
{
	bound_is(MIME_DEPTH_MAX, nested);
	bound_is(MIME_ENTITIES_MAX, many);
	bound_is(MIME_LINE_MAX, long_field);
	bound_is(MIME_LINE_MAX, long_boundary_line);
}
END_TEST

START_TEST(a_value_that_is_too_long_is_not_believed)
{
	struct buf text = { 0 };

	buf_add_c(&text, "Content-Type: text/plain\n");
	for (int i = 0; i < 30; i++)
		buf_printf(&text, " ;x%d=%0*d\n", i, 80, 0);
	buf_add_c(&text, "\nx\n");
	outline_is(buf_c(&text), "hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh[fixed].");
	buf_free(&text);
}
END_TEST

TEST_MAIN("mail/mime", a_message_is_a_header_and_a_body,
	a_line_that_is_none_of_a_header_begins_the_body, boundaries_part_a_multipart,
	the_longest_boundary_that_fits_counts, a_line_that_only_begins_like_a_boundary_is_broken,
	messages_are_looked_into, what_contradicts_itself_stays_as_it_is,
	a_boundary_may_have_70_octets, what_exceeds_a_bound_is_broken,
	a_value_that_is_too_long_is_not_believed)
