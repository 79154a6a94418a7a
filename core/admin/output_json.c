/* SPDX-License-Identifier: MIT
 *
 * Rows as JSON for programs: one array of objects, [] when there are none. Trouble is an object
 * {"error": "..."}, in place of the array, or behind it when rows were out already. Lines for
 * people are left out. Values are strings, always: a number that grows a letter one day changes
 * no type.
 */
#include "admin/output_common.h"

#include "base/encode.h"

#include <stdlib.h>

struct json {
	struct output_base base; /* must be first */
	struct buf *names;       /* quoted */
	uint32_t columns;
	size_t rows;
	struct buf error; /* the first */
};

static void names_free(struct json *j)
{
	for (uint32_t i = 0; i < j->columns; i++)
		buf_free(&j->names[i]);
	free(j->names);
	j->names = NULL;
	j->columns = 0;
}

static void json_columns(struct output *o, const char *const *names, uint32_t n)
{
	struct json *j = (struct json *)o;

	names_free(j);
	j->columns = n;
	j->names = must_alloc((n + 1) * sizeof *j->names);
	for (uint32_t i = 0; i < n; i++)
		json_quote(&j->names[i], str_c(names[i]));
}

static void json_row(struct output *o, const struct tmail_str *values, uint32_t n)
{
	struct json *j = (struct json *)o;
	struct buf line = { 0 };

	buf_add_c(&line, j->rows++ ? ",\n {" : "[{");
	for (uint32_t i = 0; i < j->columns; i++) {
		buf_add_c(&line, i ? ", " : "");
		buf_add(&line, buf_str(&j->names[i]));
		buf_add_c(&line, ": ");
		json_quote(&line, i < n ? (struct str){ values[i].data, values[i].len } : STR(""));
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
	if (j->error.len == 0)
		json_quote(&j->error, text);
}

static void json_end(struct output_base *base, enum verb_result result)
{
	struct json *j = (struct json *)base;
	struct buf line = { 0 };

	if (j->rows)
		buf_add_c(&line, "]\n");
	else if (!j->base.failed && result == VERB_OK)
		buf_add_c(&line, "[]\n");
	if (j->base.failed || result != VERB_OK) {
		buf_add_c(&line, "{\"error\": ");
		buf_add(&line, j->error.len ? buf_str(&j->error) : STR("\"failed\""));
		buf_add_c(&line, "}\n");
	}
	write_all(j->base.out, buf_str(&line));
	buf_free(&line);
	buf_free(&j->error);
	names_free(j);
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
