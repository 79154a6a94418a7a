/* SPDX-License-Identifier: MIT
 *
 * Rows for programs: one array on standard output, of the types that columns declare; trouble as
 * one object on standard error.
 */
#include "tests/admin/capture.h"

#include <jansson.h>

static struct output *o;

static void begin(void)
{
	capture_begin();
	o = output_json(out_fd, err_fd);
}

/* Ends it; all that was printed is one document. */
static json_t *end(enum verb_result result)
{
	json_error_t error;
	json_t *found;

	capture_end(&o, result);
	found = json_loads(buf_c(&out_text), 0, &error);
	ck_assert_msg(found, "%s: %s", error.text, buf_c(&out_text));
	ck_assert(json_is_array(found));
	return found;
}

static json_t *value(json_t *array, size_t i, const char *name)
{
	return json_object_get(json_array_get(array, i), name);
}

START_TEST(rows_are_an_array_of_objects)
{
	static const char *const names[] = { "name", "long_value" };
	json_t *rows;

	begin();
	o->columns(o, names, 2);
	o->say(o, STR("not in JSON"));
	put(o, "a\"b", "1");
	put(o, "\xff", "");
	rows = end(VERB_OK);
	ck_assert_uint_eq(json_array_size(rows), 2);
	ck_assert_str_eq(json_string_value(value(rows, 0, "name")), "a\"b");
	ck_assert_str_eq(json_string_value(value(rows, 0, "long_value")), "1");
	ck_assert_str_eq(json_string_value(value(rows, 1, "name")), "\xef\xbf\xbd");
	ck_assert_str_eq(json_string_value(value(rows, 1, "long_value")), "");
	ck_assert_uint_eq(err_text.len, 0);
	json_decref(rows);
	capture_free();
}
END_TEST

/* What a value of a column is written as. */
static const struct {
	const char *column, *value, *json;
} kinds[] = {
	{ "a", "5", "\"5\"" },
	{ "a", NULL, "null" },
	{ "a", "", "\"\"" },
	{ "a:int", "0", "0" },
	{ "a:int", "-12", "-12" },
	{ "a:int", "9223372036854775807", "9223372036854775807" },
	{ "a:int", "9223372036854775808", "\"9223372036854775808\"" },
	{ "a:int", "007", "\"007\"" }, /* no JSON as it is */
	{ "a:int", "-0", "\"-0\"" },
	{ "a:int", "+1", "\"+1\"" },
	{ "a:int", "1e3", "\"1e3\"" },
	{ "a:int", " 1", "\" 1\"" },
	{ "a:int", "0.1.0", "\"0.1.0\"" },
	{ "a:int", "1]", "\"1]\"" },
	{ "a:int", "", "null" },
	{ "a:int", NULL, "null" },
	{ "a:bool", "1", "true" },
	{ "a:bool", "yes", "true" },
	{ "a:bool", "false", "false" },
	{ "a:bool", "", "null" },
	{ "a:bool", "perhaps", "\"perhaps\"" },
	{ "a:int:bool", "1", "true" },
	{ "a:b", "1", "\"1\"" },
};

START_TEST(values_are_of_their_columns_type_and_never_no_json)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		char *text;
		json_t *rows;

		begin();
		o->columns(o, &kinds[i].column, 1);
		put(o, kinds[i].value);
		rows = end(VERB_OK);
		text = json_dumps(json_object_iter_value(json_object_iter(json_array_get(rows, 0))),
			JSON_ENCODE_ANY);
		ck_assert_msg(!strcmp(text, kinds[i].json), "%s %s: %s", kinds[i].column,
			kinds[i].value ? kinds[i].value : "(null)", text);
		free(text);
		json_decref(rows);
	}
	capture_free();
}
END_TEST

START_TEST(the_type_is_no_part_of_the_name)
{
	static const char *const names[] = { "a:int", "b:bool", "c", "d:x" };
	json_t *rows;

	begin();
	o->columns(o, names, 4);
	put(o, "1", "1", "1", "1");
	rows = end(VERB_OK);
	ck_assert(json_is_integer(value(rows, 0, "a")) && json_is_true(value(rows, 0, "b")) &&
		json_is_string(value(rows, 0, "c")) && json_is_string(value(rows, 0, "d:x")));
	json_decref(rows);
	capture_free();
}
END_TEST

START_TEST(a_row_that_is_too_short_ends_with_null)
{
	static const char *const names[] = { "a", "b:int" };
	json_t *rows;

	begin();
	o->columns(o, names, 2);
	put(o, "1");
	put(o, "1", "2", "3");
	rows = end(VERB_OK);
	ck_assert(json_is_null(value(rows, 0, "b")));
	ck_assert_uint_eq(json_object_size(json_array_get(rows, 1)), 2);
	json_decref(rows);
	capture_free();
}
END_TEST

START_TEST(a_second_table_goes_on_in_the_same_array)
{
	static const char *const first[] = { "a" }, *const second[] = { "b:int" };
	json_t *rows;

	begin();
	o->columns(o, first, 1);
	put(o, "x");
	o->columns(o, second, 1);
	put(o, "2");
	rows = end(VERB_OK);
	ck_assert_str_eq(json_string_value(value(rows, 0, "a")), "x");
	ck_assert_int_eq(json_integer_value(value(rows, 1, "b")), 2);
	json_decref(rows);
	capture_free();
}
END_TEST

START_TEST(no_rows_are_an_empty_array)
{
	begin();
	capture_end(&o, VERB_OK);
	ck_assert_str_eq(buf_c(&out_text), "[]\n");
	ck_assert_uint_eq(err_text.len, 0);
	capture_free();
}
END_TEST

START_TEST(trouble_alone_prints_no_rows_that_could_be_taken_for_an_answer)
{
	begin();
	output_fail(o, "no \"such\" thing");
	capture_end(&o, VERB_FAILED);
	ck_assert_uint_eq(out_text.len, 0);
	ck_assert_str_eq(buf_c(&err_text), "{\"errors\": [\"no \\\"such\\\" thing\"]}\n");
	capture_free();
}
END_TEST

START_TEST(every_trouble_is_told)
{
	begin();
	output_fail(o, "first");
	output_fail(o, "second");
	capture_end(&o, VERB_FAILED);
	ck_assert_str_eq(buf_c(&err_text), "{\"errors\": [\"first\", \"second\"]}\n");
	capture_free();
}
END_TEST

START_TEST(a_failure_without_a_word_is_trouble_all_the_same)
{
	begin();
	capture_end(&o, VERB_USAGE);
	ck_assert_uint_eq(out_text.len, 0);
	ck_assert_str_eq(buf_c(&err_text), "{\"errors\": [\"failed\"]}\n");
	capture_free();
}
END_TEST

START_TEST(trouble_behind_rows_leaves_two_whole_documents)
{
	static const char *const names[] = { "a" };
	json_t *rows, *trouble;

	begin();
	o->columns(o, names, 1);
	put(o, "1");
	output_fail(o, "broken");
	rows = end(VERB_FAILED);
	ck_assert_uint_eq(json_array_size(rows), 1);
	trouble = json_loads(buf_c(&err_text), 0, NULL);
	ck_assert_str_eq(
		json_string_value(json_array_get(json_object_get(trouble, "errors"), 0)), "broken");
	json_decref(rows);
	json_decref(trouble);
	capture_free();
}
END_TEST

START_TEST(rows_are_out_before_the_end)
{
	static const char *const names[] = { "a" };

	begin();
	o->columns(o, names, 1);
	put(o, "1");
	ck_assert_int_gt(lseek(out_fd, 0, SEEK_END), 0);
	json_decref(end(VERB_OK));
	capture_free();
}
END_TEST

TEST_MAIN("admin/output_json", rows_are_an_array_of_objects,
	values_are_of_their_columns_type_and_never_no_json, the_type_is_no_part_of_the_name,
	a_row_that_is_too_short_ends_with_null, a_second_table_goes_on_in_the_same_array,
	no_rows_are_an_empty_array, trouble_alone_prints_no_rows_that_could_be_taken_for_an_answer,
	every_trouble_is_told, a_failure_without_a_word_is_trouble_all_the_same,
	trouble_behind_rows_leaves_two_whole_documents, rows_are_out_before_the_end)
