/* SPDX-License-Identifier: MIT
 *
 * Rows as JSON for programs: one array of objects on standard output, [] when there are none.
 * Trouble is one object {"errors": ["...", ...]} on standard error; what rows there were are
 * still a whole array, and if there were none nothing is printed. Lines for people are left out.
 * Values are of the types that the columns declare; what a column holds that is not of its type
 * is a string all the same, so that no line is ever no JSON.
 */
#include "admin/output_common.h"

#include "base/encode.h"
#include "base/num.h"

#include <inttypes.h>
#include <stdlib.h>

struct json {
	struct output_base base; /* must be first */
	struct json_column {
		struct buf name; /* quoted */
		enum tmail_type type;
	} * columns;
	uint32_t count;
	size_t rows;
	struct buf errors; /* quoted, commas between */
};

static void columns_free(struct json *j)
{
	for (uint32_t i = 0; i < j->count; i++)
		buf_free(&j->columns[i].name);
	free(j->columns);
	j->columns = NULL;
	j->count = 0;
}

static void json_columns(struct output *o, const char *const *names, uint32_t n)
{
	struct json *j = (struct json *)o;

	columns_free(j);
	j->count = n;
	j->columns = must_alloc((n + 1) * sizeof *j->columns);
	for (uint32_t i = 0; i < n; i++)
		json_quote(&j->columns[i].name, column_name(names[i], &j->columns[i].type));
}

/* As JSON writes it: no zeros in front, no sign but '-'. */
static bool is_number(struct str value)
{
	char text[24];
	int64_t number;

	if (!num_i64(value, &number))
		return false;
	snprintf(text, sizeof text, "%" PRId64, number);
	return str_equal(value, str_c(text));
}

static void value_add(struct buf *line, enum tmail_type type, struct str value)
{
	bool on;

	if (!value.data || (type != TMAIL_TYPE_STRING && value.len == 0))
		buf_add_c(line, "null");
	else if (type == TMAIL_TYPE_INT && is_number(value))
		buf_add(line, value);
	else if (type == TMAIL_TYPE_BOOL && num_bool(value, &on))
		buf_add_c(line, on ? "true" : "false");
	else
		json_quote(line, value);
}

static void json_row(struct output *o, const struct tmail_str *values, uint32_t n)
{
	struct json *j = (struct json *)o;
	struct buf line = { 0 };

	buf_add_c(&line, j->rows++ ? ",\n {" : "[{");
	for (uint32_t i = 0; i < j->count; i++) {
		buf_add_c(&line, i ? ", " : "");
		buf_add(&line, buf_str(&j->columns[i].name));
		buf_add_c(&line, ": ");
		value_add(&line, j->columns[i].type,
			i < n ? str_make(values[i].data, values[i].len) : str_make(NULL, 0));
	}
	buf_add_char(&line, '}');
	write_all(j->base.out, buf_str(&line));
	buf_free(&line);
}

static void json_say(struct output *o, struct str line)
{
	(void)o;
	(void)line;
}

static void json_fail(struct output *o, struct str text)
{
	struct json *j = (struct json *)o;

	j->base.failed = true;
	buf_add_c(&j->errors, j->errors.len ? ", " : "");
	json_quote(&j->errors, text);
}

static void json_end(struct output_base *base, enum verb_result result)
{
	struct json *j = (struct json *)base;
	struct buf line = { 0 };

	if (j->rows)
		write_all(j->base.out, STR("]\n"));
	else if (!j->base.failed && result == VERB_OK)
		write_all(j->base.out, STR("[]\n"));
	if (j->base.failed || result != VERB_OK) {
		buf_add_c(&line, "{\"errors\": [");
		buf_add(&line, j->errors.len ? buf_str(&j->errors) : STR("\"failed\""));
		buf_add_c(&line, "]}\n");
		write_all(j->base.err, buf_str(&line));
	}
	buf_free(&line);
	buf_free(&j->errors);
	columns_free(j);
}

struct output *output_json(int out, int err)
{
	struct json *j = must_alloc(sizeof *j);

	output_base_setup(&j->base, out, err, json_end);
	j->base.output.columns = json_columns;
	j->base.output.row = json_row;
	j->base.output.say = json_say;
	j->base.output.fail = json_fail;
	return &j->base.output;
}
