/* SPDX-License-Identifier: MIT
 *
 * Line endings on the wire. Tables for what is known to have gone wrong elsewhere; beside them the
 * reference of lines_reference.h, over all short texts and many long ones, in every cutting.
 */
#include "mail/dot.h"

#include "tests/mail/expect.h"
#include "tests/mail/lines_reference.h"

/* ---- helpers ----------------------------------------------------------------------------- */

/* Feeds `wire` in pieces that end at `first` and `second`. Answers the octets used. */
static size_t feed(struct dot_reader *r, struct str wire, size_t first, size_t second, bool dots,
	struct buf *out)
{
	const size_t cuts[] = { 0, first, second, wire.len };
	size_t used = 0;

	for (int i = 0; i < 3; i++) {
		struct str piece = str_slice(wire, cuts[i], cuts[i + 1] - cuts[i]);
		size_t n = 0;
		bool end;

		if (!dots) {
			line_read(r, piece, out);
			used += piece.len;
			continue;
		}
		end = dot_read(r, piece, &n, out);
		used += n;
		if (end)
			return used;
		ck_assert_uint_eq(n, piece.len);
	}
	return used;
}

static void expect_reference(struct str wire, size_t first, size_t second, bool dots,
	bool normalize, const struct lines_reference *want, struct str want_out, struct buf *out)
{
	struct dot_reader r = { .normalize = normalize };
	size_t used;

	buf_clear(out);
	used = feed(&r, wire, first, second, dots, out);
	expect_str(wire, buf_str(out), want_out);
	ck_assert_uint_eq(used, want->used);
	ck_assert_int_eq(r.bare_cr, want->bare_cr);
	ck_assert_int_eq(r.bare_lf, want->bare_lf);
	ck_assert_int_eq(r.nul, want->nul);
	if (dots) {
		size_t more;

		ck_assert_int_eq(dot_read(&r, str_make(NULL, 0), &more, out), want->end);
	}
}

/* Every cutting of the octets into two, or three, gives what the reference gives for all. */
static void expect_every_split(struct str wire, int pieces, bool dots, bool normalize)
{
	struct lines_reference want = { .dots = dots, .normalize = normalize };
	struct buf want_out = { 0 }, out = { 0 };

	lines_reference(&want, wire, &want_out);
	for (size_t first = 0; first <= wire.len; first++)
		for (size_t second = first; second <= (pieces == 3 ? wire.len : first); second++)
			expect_reference(wire, first, second, dots, normalize, &want,
				buf_str(&want_out), &out);
	buf_free(&want_out);
	buf_free(&out);
}

/* The n-th text of `len` letters out of CR, LF, dot, a, NUL. */
static void nth_text(unsigned n, size_t len, char *text)
{
	static const char letters[] = { '\r', '\n', '.', 'a', '\0' };

	for (size_t i = 0; i < len; i++, n /= sizeof letters)
		text[i] = letters[n % sizeof letters];
}

/* A text of such letters, but with runs of "a" long enough for whole vectors. */
static struct str random_text(uint64_t *state, char *text, size_t room)
{
	static const char *const pieces[] = { "\r\n", "\r\n", "\r\n.", "\r", "\n", ".", "\r\n..",
		"\r\n.\r", "" };
	size_t len = 0;

	while (len < room) {
		uint64_t roll = chance(state);
		const char *piece = pieces[roll % 9];
		size_t run = (roll >> 8) % 3 ? (roll >> 16) % 70 : 0;

		for (; *piece && len < room; piece++)
			text[len++] = *piece;
		for (; run > 0 && len < room; run--)
			text[len++] = 'a';
		if ((roll >> 32) % 20 == 0 && len < room)
			text[len++] = '\0';
	}
	return str_make(text, len);
}

/* ---- DATA in ----------------------------------------------------------------------------- */

START_TEST(only_crlf_dot_crlf_ends_the_data)
{
	static const struct {
		struct str wire;
		bool end;
	} cases[] = {
		{ STR_INIT(".\r\n"), true },
		{ STR_INIT("a\r\n.\r\n"), true },
		{ STR_INIT("a\n.\n"), false },
		{ STR_INIT("a\n.\r\n"), false },
		{ STR_INIT("a\r\n.\n"), false },
		{ STR_INIT("a\r.\r"), false },
		{ STR_INIT("a\r.\n"), false },
		{ STR_INIT("a\n.\r"), false },
		{ STR_INIT("a\r.\r\n"), false },
		{ STR_INIT("a\r\n.\r"), false },
		{ STR_INIT("a\r\n.\r\r\n"), false },
		{ STR_INIT("a\r\r\n.\r\r\n"), false },
		{ STR_INIT("a\r\r\n.\r\n"), true },
		{ STR_INIT("a\r\n..\r\n"), false },
		{ STR_INIT("a\r\n.\v\r\n"), false },
		{ STR_INIT("a\r\n. \r\n"), false },
		{ STR_INIT("a\r\n.\0\r\n"), false },
		{ STR_INIT("a\r\n\r.\r\n"), false },
		{ STR_INIT("a\v.\v\r\n"), false },
		{ STR_INIT("a\n\r.\n\r"), false },
		{ STR_INIT("a\n\r\n.\r\n"), true },
		{ STR_INIT("a\r\n\n.\r\n"), false },
		{ STR_INIT("a\xc2\x85.\xc2\x85\r\n"), false },
		{ STR_INIT("a\r\n.\r\n\r\n.\r\n"), true },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (int normalize = 0; normalize < 2; normalize++) {
			struct dot_reader r = { .normalize = normalize };
			struct buf out = { 0 };
			size_t used;

			ck_assert_msg(dot_read(&r, cases[i].wire, &used, &out) == cases[i].end,
				"case %zu", i);
			buf_free(&out);
			expect_every_split(cases[i].wire, 3, true, normalize);
		}
}
END_TEST

START_TEST(dots_are_unstuffed_and_the_end_is_no_part_of_the_message)
{
	const struct str wire = STR("..\r\n...\r\n..a\r\n.b\r\na.\r\n.\r\nQUIT\r\n");
	struct dot_reader r = { 0 };
	struct buf out = { 0 };
	size_t used;

	ck_assert(dot_read(&r, wire, &used, &out));
	expect_str(wire, buf_str(&out), STR(".\r\n..\r\n.a\r\nb\r\na.\r\n"));
	expect_str(wire, str_slice(wire, used, wire.len), STR("QUIT\r\n"));
	ck_assert(!r.bare_cr && !r.bare_lf && !r.nul);
	buf_free(&out);
}
END_TEST

START_TEST(every_short_text_is_read_as_the_reference_says_however_it_is_cut)
{
	char text[7];

	for (size_t len = 0; len <= 6; len++) {
		unsigned count = 1;

		for (size_t i = 0; i < len; i++)
			count *= 5;
		for (unsigned n = 0; n < count; n++) {
			nth_text(n, len, text);
			for (int mode = 0; mode < 4; mode++)
				expect_every_split(
					str_make(text, len), len < 6 ? 3 : 2, mode & 1, mode & 2);
		}
	}
}
END_TEST

START_TEST(long_texts_are_read_as_the_reference_says_however_they_are_cut)
{
	static char text[4096];
	uint64_t state = 42;

	for (int round = 0; round < 3000; round++) {
		struct str wire = random_text(&state, text, 1 + chance(&state) % sizeof text);
		bool dots = round & 1, normalize = round & 2;
		struct lines_reference want = { .dots = dots, .normalize = normalize };
		struct buf want_out = { 0 }, out = { 0 };

		lines_reference(&want, wire, &want_out);
		for (int cut = 0; cut < 8; cut++) {
			size_t second = chance(&state) % (wire.len + 1);

			expect_reference(wire, chance(&state) % (second + 1), second, dots,
				normalize, &want, buf_str(&want_out), &out);
		}
		buf_free(&want_out);
		buf_free(&out);
	}
}
END_TEST

START_TEST(bare_ones_and_nul_are_noticed_wherever_they_stand)
{
	static char text[200];
	static const struct {
		char c;
		bool cr, lf, nul;
	} cases[] = { { '\r', true, false, false }, { '\n', false, true, false },
		{ '\0', false, false, true }, { '\t', false, false, false },
		{ '\x0b', false, false, false }, { '\x0e', false, false, false },
		{ '\x8d', false, false, false }, { '\x80', false, false, false } };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (size_t at = 0; at < sizeof text - 1; at++) {
			struct dot_reader r = { 0 };
			struct buf out = { 0 };
			size_t used;

			memset(text, 'x', sizeof text);
			text[at] = cases[i].c;
			ck_assert(!dot_read(&r, str_make(text, sizeof text), &used, &out));
			ck_assert_int_eq(r.bare_cr, cases[i].cr);
			ck_assert_int_eq(r.bare_lf, cases[i].lf);
			ck_assert_int_eq(r.nul, cases[i].nul);
			ck_assert_uint_eq(out.len, sizeof text);
			buf_free(&out);
		}
}
END_TEST

START_TEST(normalizing_rewrites_but_never_finds_another_end)
{
	const struct str wire = STR("a\nb\rc\r\r\nd\n.\ne\n.\r\nf\r\n.\r\n");
	struct dot_reader r = { .normalize = true };
	struct buf out = { 0 };
	size_t used;

	ck_assert(dot_read(&r, wire, &used, &out));
	ck_assert_uint_eq(used, wire.len);
	expect_str(wire, buf_str(&out), STR("a\r\nb\r\nc\r\n\r\nd\r\n.\r\ne\r\n.\r\nf\r\n"));
	ck_assert(r.bare_cr && r.bare_lf);
	buf_free(&out);
}
END_TEST

START_TEST(what_is_discarded_ends_at_the_same_place)
{
	const struct str wire = STR("a\n.\nb\r\n..\r\n\0\r\n.\r\nNOOP\r\n");
	struct dot_reader r = { .discard = true };
	struct buf out = { 0 };
	size_t used;

	ck_assert(dot_read(&r, wire, &used, &out));
	expect_str(wire, str_slice(wire, used, wire.len), STR("NOOP\r\n"));
	ck_assert_uint_eq(out.len, 0);
	ck_assert(r.bare_lf && r.nul && !r.bare_cr);
	/* Whoever asks again hears the same, and nothing more is eaten. */
	ck_assert(dot_read(&r, STR("x"), &used, &out));
	ck_assert_uint_eq(used, 0);
	buf_free(&out);
}
END_TEST

/* Longest line of a text without bare ones, counted apart. */
static size_t longest_line(struct str text)
{
	size_t longest = 0;
	struct str line;

	while (str_split(&text, '\n', &line)) {
		size_t len = line.len - (line.len > 0 && line.data[line.len - 1] == '\r');

		longest = len > longest ? len : longest;
	}
	return longest;
}

START_TEST(a_line_over_the_limit_is_noticed_however_it_is_cut)
{
	static char text[2048];
	uint64_t state = 7;

	for (int round = 0; round < 2000; round++) {
		struct buf out = { 0 }, wire = { 0 };
		size_t longest;

		while (wire.len < sizeof text / 2) {
			memset(buf_reserve(&wire, 80), 'x', 80);
			wire.len += chance(&state) % 80;
			buf_add_c(&wire, "\r\n");
		}
		longest = longest_line(buf_str(&wire));
		for (size_t max = longest - 1; max <= longest; max++) {
			struct dot_reader r = { .line_max = (uint32_t)max };
			size_t second = chance(&state) % (wire.len + 1);

			feed(&r, buf_str(&wire), chance(&state) % (second + 1), second, true, &out);
			ck_assert_int_eq(r.long_line, longest > max);
			ck_assert_uint_eq(r.line, 0);
		}
		buf_free(&wire);
		buf_free(&out);
	}
}
END_TEST

/* ---- BDAT in ----------------------------------------------------------------------------- */

START_TEST(a_last_line_without_an_end_gets_one)
{
	static const struct {
		struct str in, out;
		bool normalize, bare_cr, bare_lf;
	} cases[] = {
		{ STR_INIT(""), STR_INIT(""), false, false, false },
		{ STR_INIT("a"), STR_INIT("a\r\n"), false, false, false },
		{ STR_INIT("a\r\n"), STR_INIT("a\r\n"), false, false, false },
		{ STR_INIT(".\r\n"), STR_INIT(".\r\n"), false, false, false },
		{ STR_INIT(".\r\n."), STR_INIT(".\r\n.\r\n"), false, false, false },
		{ STR_INIT("a\r"), STR_INIT("a\r\r\n"), false, true, false },
		{ STR_INIT("a\n"), STR_INIT("a\n\r\n"), false, false, true },
		{ STR_INIT("a\r"), STR_INIT("a\r\n"), true, true, false },
		{ STR_INIT("a\n"), STR_INIT("a\r\n"), true, false, true },
		{ STR_INIT("a\n\r\n"), STR_INIT("a\r\n\r\n"), true, false, true },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (size_t cut = 0; cut <= cases[i].in.len; cut++) {
			struct dot_reader r = { .normalize = cases[i].normalize };
			struct buf out = { 0 };

			feed(&r, cases[i].in, cut, cut, false, &out);
			line_finish(&r, &out);
			expect_str(cases[i].in, buf_str(&out), cases[i].out);
			ck_assert_int_eq(r.bare_cr, cases[i].bare_cr);
			ck_assert_int_eq(r.bare_lf, cases[i].bare_lf);
			buf_free(&out);
		}
}
END_TEST

START_TEST(a_dot_alone_in_a_chunk_is_text)
{
	struct dot_reader r = { 0 };
	struct buf out = { 0 };

	line_read(&r, STR(".\r\n..\r\n.\r\n"), &out);
	line_finish(&r, &out);
	expect_str(STR("chunk"), buf_str(&out), STR(".\r\n..\r\n.\r\n"));
	buf_free(&out);
}
END_TEST

/* ---- DATA out ---------------------------------------------------------------------------- */

/* What the other side will read out of `in`: bare ones as CRLF, and a last line end. */
static void sent_form(struct str in, struct buf *out)
{
	for (size_t i = 0; i < in.len; i++) {
		if (in.data[i] != '\r' && in.data[i] != '\n') {
			buf_add_char(out, in.data[i]);
			continue;
		}
		i += in.data[i] == '\r' && i + 1 < in.len && in.data[i + 1] == '\n';
		buf_add_c(out, "\r\n");
	}
	if (out->len > 0 && out->data[out->len - 1] != '\n')
		buf_add_c(out, "\r\n");
}

static void expect_round_trip(struct str in, size_t first, size_t second)
{
	struct buf want = { 0 }, wire = { 0 }, got = { 0 };
	struct dot_writer w = { 0 };
	struct dot_reader r = { 0 };
	size_t used;

	sent_form(in, &want);
	dot_write(&w, str_slice(in, 0, first), &wire);
	dot_write(&w, str_slice(in, first, second - first), &wire);
	dot_write(&w, str_slice(in, second, in.len), &wire);
	dot_finish(&w, &wire);
	ck_assert(dot_read(&r, buf_str(&wire), &used, &got));
	ck_assert_uint_eq(used, wire.len);
	ck_assert(!r.bare_cr && !r.bare_lf);
	expect_str(in, buf_str(&got), buf_str(&want));
	buf_free(&want);
	buf_free(&wire);
	buf_free(&got);
}

START_TEST(what_is_written_is_read_back_without_a_bare_cr_or_lf)
{
	char text[7];

	for (size_t len = 0; len <= 6; len++) {
		unsigned count = 1;

		for (size_t i = 0; i < len; i++)
			count *= 5;
		for (unsigned n = 0; n < count; n++) {
			nth_text(n, len, text);
			for (size_t cut = 0; cut <= len; cut++)
				expect_round_trip(str_make(text, len), cut / 2, cut);
		}
	}
}
END_TEST

START_TEST(long_texts_are_written_and_read_back_however_they_are_cut)
{
	static char text[4096];
	uint64_t state = 4711;

	for (int round = 0; round < 3000; round++) {
		struct str in = random_text(&state, text, 1 + chance(&state) % sizeof text);
		size_t second = chance(&state) % (in.len + 1);

		expect_round_trip(in, chance(&state) % (second + 1), second);
	}
}
END_TEST

START_TEST(a_message_that_carries_the_end_of_data_cannot_end_it)
{
	const struct str in = STR("x\n.\nMAIL FROM:<>\r\n.\r\nRSET\r.\r");
	struct dot_writer w = { 0 };
	struct buf wire = { 0 };

	dot_write(&w, in, &wire);
	dot_finish(&w, &wire);
	expect_str(in, buf_str(&wire), STR("x\r\n..\r\nMAIL FROM:<>\r\n..\r\nRSET\r\n..\r\n.\r\n"));
	buf_free(&wire);
}
END_TEST

TEST_MAIN("mail/dot", only_crlf_dot_crlf_ends_the_data,
	dots_are_unstuffed_and_the_end_is_no_part_of_the_message,
	every_short_text_is_read_as_the_reference_says_however_it_is_cut,
	long_texts_are_read_as_the_reference_says_however_they_are_cut,
	bare_ones_and_nul_are_noticed_wherever_they_stand,
	normalizing_rewrites_but_never_finds_another_end, what_is_discarded_ends_at_the_same_place,
	a_line_over_the_limit_is_noticed_however_it_is_cut, a_last_line_without_an_end_gets_one,
	a_dot_alone_in_a_chunk_is_text, what_is_written_is_read_back_without_a_bare_cr_or_lf,
	long_texts_are_written_and_read_back_however_they_are_cut,
	a_message_that_carries_the_end_of_data_cannot_end_it)
