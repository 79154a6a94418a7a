/* SPDX-License-Identifier: MIT
 *
 * Rows for people: what is a header, how wide a column is, what reaches a terminal.
 */
#include "tests/admin/capture.h"

static const char *const names[] = { "name", "long_value" };
static const char *const one[] = { "value:int" };
static struct output *o;

static void begin(void)
{
	capture_begin();
	o = output_table(out_fd, err_fd);
}

static void end(enum verb_result result)
{
	capture_end(&o, result);
}

START_TEST(columns_are_as_wide_as_their_widest)
{
	begin();
	o->columns(o, names, 2);
	put(o, "a", "1");
	put(o, "longer", "2");
	put(o, "é", "3");
	end(VERB_OK);
	ck_assert_str_eq(buf_c(&out_text),
		"NAME    LONG VALUE\n"
		"a       1\n"
		"longer  2\n"
		"é       3\n");
	ck_assert_uint_eq(err_text.len, 0);
	capture_free();
}
END_TEST

START_TEST(the_type_of_a_column_is_not_for_people)
{
	static const char *const typed[] = { "count:int", "on:bool", "at:noon" };

	begin();
	o->columns(o, typed, 3);
	put(o, "1", "1", "2");
	end(VERB_OK);
	ck_assert_str_eq(buf_c(&out_text), "COUNT  ON  AT:NOON\n1      1   2\n");
	capture_free();
}
END_TEST

START_TEST(no_rows_still_have_a_header)
{
	begin();
	o->columns(o, names, 2);
	end(VERB_OK);
	ck_assert_str_eq(buf_c(&out_text), "NAME  LONG VALUE\n");
	capture_free();
}
END_TEST

START_TEST(no_rows_and_trouble_have_none)
{
	begin();
	o->columns(o, names, 2);
	output_fail(o, "broken");
	end(VERB_FAILED);
	ck_assert_uint_eq(out_text.len, 0);
	ck_assert_str_eq(buf_c(&err_text), "tmail: broken\n");
	capture_free();
}
END_TEST

START_TEST(rows_before_trouble_are_printed)
{
	begin();
	o->columns(o, names, 2);
	put(o, "a", "1");
	output_fail(o, "broken");
	end(VERB_FAILED);
	ck_assert_str_eq(buf_c(&out_text), "NAME  LONG VALUE\na     1\n");
	capture_free();
}
END_TEST

START_TEST(a_line_in_place_of_rows_needs_no_header)
{
	begin();
	o->columns(o, names, 2);
	o->say(o, STR("There is no message in queue."));
	end(VERB_OK);
	ck_assert_str_eq(buf_c(&out_text), "There is no message in queue.\n");
	capture_free();
}
END_TEST

START_TEST(a_line_stands_where_it_was_said)
{
	begin();
	o->say(o, STR("before"));
	o->columns(o, names, 2);
	put(o, "a", "1");
	o->say(o, STR("between"));
	put(o, "b", "2");
	end(VERB_OK);
	ck_assert_str_eq(buf_c(&out_text), "before\nNAME  LONG VALUE\na     1\nbetween\nb     2\n");
	capture_free();
}
END_TEST

START_TEST(one_value_alone_is_printed_as_it_is)
{
	begin();
	o->columns(o, one, 1);
	put(o, "two\nlines");
	end(VERB_OK);
	ck_assert_str_eq(buf_c(&out_text), "two\nlines\n");
	capture_free();
}
END_TEST

START_TEST(two_values_of_one_column_have_a_header)
{
	begin();
	o->columns(o, one, 1);
	put(o, "42");
	put(o, "43");
	end(VERB_OK);
	ck_assert_str_eq(buf_c(&out_text), "VALUE\n42\n43\n");
	capture_free();
}
END_TEST

START_TEST(a_row_that_is_too_short_or_too_long_has_as_many_cells_as_there_are_columns)
{
	begin();
	put(o, "before any column");
	o->columns(o, names, 2);
	put(o, "a");
	put(o, "b", "2", "3");
	put(o, NULL, "4");
	end(VERB_OK);
	ck_assert_str_eq(buf_c(&out_text), "NAME  LONG VALUE\na\nb     2\n      4\n");
	capture_free();
}
END_TEST

START_TEST(nothing_a_peer_said_steers_the_terminal)
{
	begin();
	o->columns(o, names, 2);
	put(o, "x\033[2J\n\x7f",
		"\xc2\x9b"
		"2J\xff");
	output_fail(o, "bad %s", "\033]0;t\007 name\nnext");
	end(VERB_FAILED);
	ck_assert_ptr_nonnull(strstr(buf_c(&out_text), "x\\x1b[2J\\x0a\\x7f  \\xc2\\x9b2J\\xff\n"));
	ck_assert_str_eq(buf_c(&err_text), "tmail: bad \\x1b]0;t\\x07 name\\x0anext\n");
	capture_free();
}
END_TEST

START_TEST(rows_beyond_those_that_are_held_are_printed_as_they_come)
{
	char text[16];
	size_t lines = 0;

	begin();
	o->columns(o, names, 2);
	for (int i = 0; i < 1001; i++) {
		snprintf(text, sizeof text, "%d", i);
		put(o, text, "x");
	}
	ck_assert_int_gt(lseek(out_fd, 0, SEEK_END), 0); /* not all are held */
	for (int i = 1001; i < 2500; i++) {
		snprintf(text, sizeof text, "%d", i);
		put(o, text, "x");
	}
	end(VERB_OK);
	for (size_t i = 0; i < out_text.len; i++)
		lines += out_text.data[i] == '\n';
	ck_assert_uint_eq(lines, 2501);
	ck_assert_ptr_nonnull(strstr(buf_c(&out_text), "\n1000  x\n"));
	ck_assert_ptr_nonnull(strstr(buf_c(&out_text), "\n2499  x\n"));
	capture_free();
}
END_TEST

START_TEST(a_second_table_follows_the_first)
{
	begin();
	o->columns(o, names, 2);
	put(o, "a", "1");
	o->columns(o, one, 1);
	put(o, "only");
	end(VERB_OK);
	ck_assert_str_eq(buf_c(&out_text), "NAME  LONG VALUE\na     1\nonly\n");
	capture_free();
}
END_TEST

TEST_MAIN("admin/output_table", columns_are_as_wide_as_their_widest,
	the_type_of_a_column_is_not_for_people, no_rows_still_have_a_header,
	no_rows_and_trouble_have_none, rows_before_trouble_are_printed,
	a_line_in_place_of_rows_needs_no_header, a_line_stands_where_it_was_said,
	one_value_alone_is_printed_as_it_is, two_values_of_one_column_have_a_header,
	a_row_that_is_too_short_or_too_long_has_as_many_cells_as_there_are_columns,
	nothing_a_peer_said_steers_the_terminal,
	rows_beyond_those_that_are_held_are_printed_as_they_come, a_second_table_follows_the_first)
