/* SPDX-License-Identifier: MIT
 *
 * What people and programs get to see: output_table.c, output_json.c, output_common.c.
 */
#include "admin/output_common.h"

#include "tests/lib/test.h"

#include <jansson.h>
#include <sys/mman.h>
#include <unistd.h>

static int out, err;
static char out_text[1 << 20], err_text[4096];

static void files_open(void)
{
	out = memfd_create("out", MFD_CLOEXEC);
	err = memfd_create("err", MFD_CLOEXEC);
	ck_assert(out >= 0 && err >= 0);
}

static void files_read(void)
{
	ssize_t n = pread(out, out_text, sizeof out_text - 1, 0);

	out_text[n > 0 ? n : 0] = '\0';
	n = pread(err, err_text, sizeof err_text - 1, 0);
	err_text[n > 0 ? n : 0] = '\0';
	close(out);
	close(err);
}

static void row(struct output *o, const char *a, const char *b)
{
	const struct tmail_str values[] = { { a, strlen(a) }, { b, strlen(b) } };

	o->row(o, values, 2);
}

static const char *const names[] = { "name", "long_value" };

START_TEST(columns_are_as_wide_as_their_widest)
{
	struct output *o;

	files_open();
	o = output_table(out, err);
	o->columns(o, names, 2);
	row(o, "a", "1");
	row(o, "longer", "2");
	row(o, "é", "3");
	output_end(&o, VERB_OK);
	files_read();
	ck_assert_ptr_null(o);
	ck_assert_str_eq(out_text,
		"NAME    LONG VALUE\n"
		"a       1\n"
		"longer  2\n"
		"é       3\n");
	ck_assert_str_eq(err_text, "");
}
END_TEST

START_TEST(no_rows_still_have_a_header)
{
	struct output *o;

	files_open();
	o = output_table(out, err);
	o->columns(o, names, 2);
	output_end(&o, VERB_OK);
	files_read();
	ck_assert_str_eq(out_text, "NAME  LONG VALUE\n");
}
END_TEST

START_TEST(a_line_in_place_of_rows_needs_no_header)
{
	struct output *o;

	files_open();
	o = output_table(out, err);
	o->columns(o, names, 2);
	o->say(o, STR("There is no message in queue."));
	output_end(&o, VERB_OK);
	files_read();
	ck_assert_str_eq(out_text, "There is no message in queue.\n");
}
END_TEST

START_TEST(one_value_alone_is_printed_as_it_is)
{
	const struct tmail_str value = TMAIL_STR("42");
	struct output *o;

	files_open();
	o = output_table(out, err);
	o->columns(o, names, 1);
	o->row(o, &value, 1);
	output_end(&o, VERB_OK);
	files_read();
	ck_assert_str_eq(out_text, "42\n");
}
END_TEST

START_TEST(nothing_a_peer_said_steers_the_terminal)
{
	struct output *o;

	files_open();
	o = output_table(out, err);
	o->columns(o, names, 2);
	row(o, "x\033[2J\n\x7f",
		"\xc2\x9b"
		"2J\xff");
	output_fail(o, "bad %s", "\033]0;t\007 name\nnext");
	output_end(&o, VERB_FAILED);
	files_read();
	ck_assert_ptr_nonnull(strstr(out_text, "x\\x1b[2J\\x0a\\x7f  \\xc2\\x9b2J\\xff\n"));
	ck_assert_str_eq(err_text, "tmail: bad \\x1b]0;t\\x07 name\\x0anext\n");
}
END_TEST

START_TEST(rows_beyond_those_that_are_held_are_all_printed)
{
	struct output *o;
	size_t lines = 0;
	char text[16];

	files_open();
	o = output_table(out, err);
	o->columns(o, names, 2);
	for (int i = 0; i < 2500; i++) {
		snprintf(text, sizeof text, "%d", i);
		row(o, text, "x");
	}
	output_end(&o, VERB_OK);
	files_read();
	for (const char *c = out_text; *c; c++)
		lines += *c == '\n';
	ck_assert_uint_eq(lines, 2501);
	ck_assert_ptr_nonnull(strstr(out_text, "\n2499  x\n"));
	ck_assert_ptr_nonnull(strstr(out_text, "\n1000  x\n"));
}
END_TEST

START_TEST(a_second_table_follows_the_first)
{
	struct output *o;

	files_open();
	o = output_table(out, err);
	o->columns(o, names, 2);
	row(o, "a", "1");
	o->columns(o, names, 1);
	o->row(o, &(struct tmail_str)TMAIL_STR("only"), 1);
	output_end(&o, VERB_OK);
	files_read();
	ck_assert_str_eq(out_text, "NAME  LONG VALUE\na     1\nonly\n");
}
END_TEST

START_TEST(json_is_an_array_of_objects)
{
	struct output *o;
	json_t *array;

	files_open();
	o = output_json(out, err);
	o->columns(o, names, 2);
	o->say(o, STR("not in JSON"));
	row(o, "a\"b", "1");
	row(o, "\xff", "");
	output_end(&o, VERB_OK);
	files_read();
	array = json_loads(out_text, 0, NULL);
	ck_assert(json_is_array(array));
	ck_assert_uint_eq(json_array_size(array), 2);
	ck_assert_str_eq(
		json_string_value(json_object_get(json_array_get(array, 0), "name")), "a\"b");
	ck_assert_str_eq(
		json_string_value(json_object_get(json_array_get(array, 1), "long_value")), "");
	json_decref(array);
}
END_TEST

START_TEST(no_rows_are_an_empty_array)
{
	struct output *o;

	files_open();
	o = output_json(out, err);
	output_end(&o, VERB_OK);
	files_read();
	ck_assert_str_eq(out_text, "[]\n");
}
END_TEST

START_TEST(trouble_is_an_object)
{
	struct output *o;
	json_t *object;

	files_open();
	o = output_json(out, err);
	output_fail(o, "no \"such\" thing");
	output_end(&o, VERB_FAILED);
	files_read();
	object = json_loads(out_text, 0, NULL);
	ck_assert_str_eq(json_string_value(json_object_get(object, "error")), "no \"such\" thing");
	json_decref(object);
}
END_TEST

START_TEST(trouble_behind_rows_leaves_two_whole_documents)
{
	struct output *o;
	json_t *first, *second;
	size_t used;
	json_error_t error;

	files_open();
	o = output_json(out, err);
	o->columns(o, names, 2);
	row(o, "a", "1");
	output_fail(o, "broken");
	output_end(&o, VERB_FAILED);
	files_read();
	first = json_loads(out_text, JSON_DISABLE_EOF_CHECK, &error);
	ck_assert(json_is_array(first));
	used = (size_t)error.position;
	second = json_loads(out_text + used, 0, NULL);
	ck_assert(json_is_object(second));
	json_decref(first);
	json_decref(second);
}
END_TEST

START_TEST(no_progress_is_drawn_where_nobody_looks)
{
	struct output *o;

	files_open();
	o = output_table(out, err);
	o->progress(o, 1, 10);
	output_end(&o, VERB_OK);
	files_read();
	ck_assert_str_eq(err_text, "");
}
END_TEST

START_TEST(a_secret_is_the_first_line_of_standard_input)
{
	struct output *o;
	struct buf answer = { 0 };
	struct why why;
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert(write_all(ends[1], STR("pass word\r\nnext")));
	close(ends[1]);
	dup2(ends[0], STDIN_FILENO);
	files_open();
	o = output_table(out, err);
	ck_assert(o->secret(o, "PASSWORD", &answer, &why));
	ck_assert(str_equal(buf_str(&answer), STR("pass word")));
	buf_clear(&answer);
	ck_assert(o->secret(o, "PASSWORD", &answer, &why));
	buf_clear(&answer);
	ck_assert(!o->secret(o, "PASSWORD", &answer, &why));
	ck_assert_str_eq(why.text, "PASSWORD: nothing was given on standard input");
	output_end(&o, VERB_OK);
	files_read();
	ck_assert_str_eq(err_text, "");
	buf_free(&answer);
}
END_TEST

TEST_MAIN("admin/output", columns_are_as_wide_as_their_widest, no_rows_still_have_a_header,
	a_line_in_place_of_rows_needs_no_header, one_value_alone_is_printed_as_it_is,
	nothing_a_peer_said_steers_the_terminal, rows_beyond_those_that_are_held_are_all_printed,
	a_second_table_follows_the_first, json_is_an_array_of_objects, no_rows_are_an_empty_array,
	trouble_is_an_object, trouble_behind_rows_leaves_two_whole_documents,
	no_progress_is_drawn_where_nobody_looks, a_secret_is_the_first_line_of_standard_input)
