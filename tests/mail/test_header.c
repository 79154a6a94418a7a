/* SPDX-License-Identifier: MIT
 *
 * Fields found and written, and the end of a header, whole and while it arrives.
 */
#include "mail/header.h"

#include "tests/mail/expect.h"

static const struct str sample = STR_INIT("Received: from a\r\n\tby b;\r\n Thu\r\n"
					  "received : c\r\n"
					  "Subject:x\r\n"
					  "X-Empty:\r\n"
					  "X-Blank:  \r\n \r\n"
					  "RECEIVED\t:d\r\n"
					  "\r\n"
					  "Body: no field\r\n");

START_TEST(fields_are_found_one_after_the_other)
{
	static const struct {
		struct str name, value;
	} want[] = {
		{ STR_INIT("Received"), STR_INIT(" from a\r\n\tby b;\r\n Thu") },
		{ STR_INIT("received"), STR_INIT(" c") },
		{ STR_INIT("Subject"), STR_INIT("x") },
		{ STR_INIT("X-Empty"), STR_INIT("") },
		{ STR_INIT("X-Blank"), STR_INIT("  \r\n ") },
		{ STR_INIT("RECEIVED"), STR_INIT("d") },
	};
	struct header_field field;
	struct str rest = sample;
	size_t whole = 0;

	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		ck_assert(header_next(&rest, &field));
		expect_str(STR("name"), field.name, want[i].name);
		expect_str(STR("value"), field.value, want[i].value);
		whole += field.whole.len;
	}
	ck_assert(!header_next(&rest, &field));
	expect_str(STR("body"), rest, STR("Body: no field\r\n"));
	ck_assert_uint_eq(whole + 2 + rest.len, sample.len);
}
END_TEST

START_TEST(the_header_ends_at_an_empty_line_or_at_what_is_no_field)
{
	static const struct {
		struct str message;
		size_t end;
		bool complete; /* nothing that follows can change it */
	} cases[] = {
		{ STR_INIT(""), 0, false },
		{ STR_INIT("\r\n"), 2, true },
		{ STR_INIT("\n"), 1, true },
		{ STR_INIT("\r"), 0, false },
		{ STR_INIT("A: b\r\n"), 6, false },
		{ STR_INIT("A: b\r\n\r"), 6, false },
		{ STR_INIT("A: b\r\n\r\nbody"), 8, true },
		{ STR_INIT("A: b\n\nbody"), 6, true },
		{ STR_INIT("A: b\r\n \r\n\r\nbody"), 11, true },
		{ STR_INIT("A: b"), 4, false },
		{ STR_INIT("A"), 0, false },
		{ STR_INIT("A: b\r\nthis is no field\r\n\r\nx"), 6, true },
		{ STR_INIT("A: b\r\n: value\r\n\r\nx"), 6, true },
		{ STR_INIT("A: b\r\nX Y: z\r\n\r\nx"), 6, true },
		{ STR_INIT("A: b\r\nX\0Y: z\r\n\r\nx"), 6, true },
		{ STR_INIT("A: b\r\n\xc3\xbc: z\r\n\r\nx"), 6, true },
		{ STR_INIT("From me Mon Jan 1\r\nA: b\r\n\r\n"), 0, true },
		{ STR_INIT(" folded first\r\nA: b\r\n\r\n"), 0, true },
		{ STR_INIT("A: b\rX-Injected: c\r\n\r\nx"), 22, true },
		{ STR_INIT("A:\0\r\n\r\nx"), 7, true },
		{ STR_INIT("A: b\r\n\r\r\nx"), 6, true },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t end = 4711;

		ck_assert_msg(header_end(cases[i].message) == cases[i].end, "case %zu: %zu", i,
			header_end(cases[i].message));
		ck_assert_msg(header_complete(cases[i].message, &end) == cases[i].complete,
			"case %zu", i);
		ck_assert_uint_eq(end, cases[i].complete ? cases[i].end : 4711);
	}
}
END_TEST

START_TEST(what_was_complete_once_stays_as_it_was)
{
	static const char letters[] = { 'A', ':', '\r', '\n', ' ' };
	char text[8];

	for (unsigned n = 0; n < 5 * 5 * 5 * 5 * 5 * 5 * 5 * 5; n++) {
		size_t end, early;
		unsigned rest = n;

		for (size_t i = 0; i < sizeof text; i++, rest /= 5)
			text[i] = letters[rest % 5];
		end = header_end(str_make(text, sizeof text));
		for (size_t len = 0; len <= sizeof text; len++)
			if (header_complete(str_make(text, len), &early))
				ck_assert_uint_eq(early, end);
	}
}
END_TEST

START_TEST(names_are_found_and_counted_in_any_case)
{
	struct header_field field;

	ck_assert_uint_eq(header_count(sample, STR("Received")), 3);
	ck_assert_uint_eq(header_count(sample, STR("subject")), 1);
	ck_assert_uint_eq(header_count(sample, STR("Receive")), 0);
	ck_assert_uint_eq(header_count(sample, STR("Body")), 0);
	ck_assert_uint_eq(header_count(sample, STR("")), 0);
	ck_assert(header_find(sample, STR("rEcEiVeD"), 2, &field));
	expect_str(STR("third"), field.value, STR("d"));
	ck_assert(header_find(sample, STR("Received"), 0, &field));
	ck_assert_ptr_eq(field.whole.data, sample.data);
	ck_assert(!header_find(sample, STR("Received"), 3, &field));
	ck_assert(!header_find(STR(""), STR("Received"), 0, &field));
}
END_TEST

START_TEST(a_name_is_printable_without_colon_and_blank)
{
	ck_assert(header_name_valid(STR("X-Spam")));
	ck_assert(header_name_valid(STR("!#$%&'*+-/=?^_`{|}~")));
	ck_assert(!header_name_valid(STR("")));
	ck_assert(!header_name_valid(STR("A:")));
	ck_assert(!header_name_valid(STR("A B")));
	ck_assert(!header_name_valid(STR("A\r\nB")));
	ck_assert(!header_name_valid(STR("A\0")));
	ck_assert(!header_name_valid(STR("\xc3\xbc")));
}
END_TEST

#define X10 "xxxxxxxxxx"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10
#define X94 X10 X10 X10 X10 X10 X10 X10 X10 X10 "xxxx"
#define X900 X100 X100 X100 X100 X100 X100 X100 X100 X100

START_TEST(fields_are_written_folded_and_clean)
{
	static const struct {
		struct str name, value, out;
	} cases[] = {
		{ STR_INIT("A"), STR_INIT("b"), STR_INIT("A: b\r\n") },
		{ STR_INIT("A"), STR_INIT(" b"), STR_INIT("A: b\r\n") },
		{ STR_INIT("A"), STR_INIT("\tb"), STR_INIT("A:\tb\r\n") },
		{ STR_INIT("A"), STR_INIT(""), STR_INIT("A:\r\n") },
		{ STR_INIT("A"), { NULL, 0 }, STR_INIT("A:\r\n") },
		{ STR_INIT("A"), STR_INIT("b\nc"), STR_INIT("A: b\r\n c\r\n") },
		{ STR_INIT("A"), STR_INIT("b\r\n\tc"), STR_INIT("A: b\r\n\tc\r\n") },
		{ STR_INIT("A"), STR_INIT("b\n\nc\n"), STR_INIT("A: b\r\n c\r\n") },
		{ STR_INIT("A"), STR_INIT("\n \nb"), STR_INIT("A: b\r\n") },
		{ STR_INIT("A"), STR_INIT("b\r\n\r\nX-Evil: c"),
			STR_INIT("A: b\r\n X-Evil: c\r\n") },
		{ STR_INIT("A"), STR_INIT("b\rX: c"), STR_INIT("A: b?X: c\r\n") },
		{ STR_INIT("A"), STR_INIT("b\0\x01\x7f\tc"), STR_INIT("A: b???\tc\r\n") },
		{ STR_INIT("A"), STR_INIT("\xc3\xbc"), STR_INIT("A: \xc3\xbc\r\n") },
		{ STR_INIT("A: x\r\nB"), STR_INIT("c"), STR_INIT("A??x??B: c\r\n") },
		/* 998 octets are a line, 999 are none. */
		{ STR_INIT("A"), STR_INIT("y " X900 X94), STR_INIT("A: y\r\n " X900 X94 "\r\n") },
		{ STR_INIT("A"), STR_INIT("y" X900 X94 " b"),
			STR_INIT("A: y" X900 X94 "\r\n b\r\n") },
		{ STR_INIT("A"), STR_INIT("y " X900 X94 " b"),
			STR_INIT("A: y\r\n " X900 X94 " b\r\n") },
		{ STR_INIT("A"), STR_INIT(X900 " " X100),
			STR_INIT("A: " X900 "\r\n " X100 "\r\n") },
		{ STR_INIT("A"), STR_INIT(X900 X100 " b"), STR_INIT("A: " X900 X100 "\r\n b\r\n") },
		{ STR_INIT("A"), STR_INIT(X900 X100), STR_INIT("A: " X900 X100 "\r\n") },
		{ STR_INIT("A"), STR_INIT(X900 " \t" X900 "\n" X900 " " X100 "  "),
			STR_INIT("A: " X900 " \r\n\t" X900 "\r\n " X900 "\r\n " X100 "\r\n") },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out = { 0 };

		header_write(&out, cases[i].name, cases[i].value);
		expect_str(cases[i].value, buf_str(&out), cases[i].out);
		buf_free(&out);
	}
}
END_TEST

START_TEST(whatever_is_written_is_one_field)
{
	static const char letters[] = { 'a', ' ', '\r', '\n', '\t', ':', '\0' };
	static char value[3000];
	uint64_t state = 99;

	for (int round = 0; round < 3000; round++) {
		size_t len = chance(&state) % sizeof value;
		struct buf out = { 0 };
		struct header_field field;
		struct str rest, line;

		for (size_t i = 0; i < len; i++)
			value[i] = chance(&state) % 8 ? 'a' : letters[chance(&state) % 7];
		header_write(&out, STR("X-Name"), str_make(value, len));
		rest = buf_str(&out);
		ck_assert(header_next(&rest, &field));
		ck_assert_uint_eq(rest.len, 0);
		ck_assert(str_equal(field.name, STR("X-Name")));
		for (rest = buf_str(&out); str_split(&rest, '\n', &line) && rest.data;) {
			ck_assert_uint_ge(line.len, 2);
			ck_assert_uint_le(line.len - 1, 998);
			ck_assert_int_eq(str_find(line, '\r'), (ptrdiff_t)line.len - 1);
			ck_assert(str_trim_line(line).len > 0);
		}
		buf_free(&out);
	}
}
END_TEST

TEST_MAIN("mail/header", fields_are_found_one_after_the_other,
	the_header_ends_at_an_empty_line_or_at_what_is_no_field,
	what_was_complete_once_stays_as_it_was, names_are_found_and_counted_in_any_case,
	a_name_is_printable_without_colon_and_blank, fields_are_written_folded_and_clean,
	whatever_is_written_is_one_field)
