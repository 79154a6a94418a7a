/* SPDX-License-Identifier: MIT
 *
 * Rows as a table for people: a header, columns aligned by the first thousand rows (what comes
 * after is printed as it comes, so that a long list costs no memory). One value alone is
 * printed as it is, without a header: a count, or the text of a message.
 */
#include "admin/output_common.h"

#include <stdlib.h>
#include <unistd.h>

enum { ROWS_HELD = 1000, COLUMN_GAP = 2 };

struct table {
	struct output_base base; /* must be first */
	uint32_t columns;
	size_t *widths;
	struct buf *names; /* one a column, in capitals */
	struct buf *cells; /* of the rows held, one after another */
	size_t rows;
	bool started; /* the header is out */
	bool said;    /* a line for people: no rows need no header then */
};

static void line_add(struct table *t, struct buf *line, uint32_t column, struct str cell)
{
	size_t width = printable_width(cell);

	buf_add(line, cell);
	if (column + 1 == t->columns)
		return;
	for (size_t i = width; i < t->widths[column] + COLUMN_GAP; i++)
		buf_add_char(line, ' ');
}

static void line_write(struct table *t, struct buf *line)
{
	while (line->len && line->data[line->len - 1] == ' ')
		line->len--;
	buf_add_char(line, '\n');
	write_all(t->base.out, buf_str(line));
	buf_clear(line);
}

static void cells_write(struct table *t, const struct buf *cells, struct buf *line)
{
	for (uint32_t i = 0; i < t->columns; i++)
		line_add(t, line, i, buf_str(&cells[i]));
	line_write(t, line);
}

static void cells_free(struct buf *cells, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_free(&cells[i]);
}

/* The header and the rows held so far. */
static void table_start(struct table *t)
{
	struct buf line = { 0 };

	if (!t->started && t->columns && !(t->columns == 1 && t->rows == 1))
		cells_write(t, t->names, &line);
	for (size_t i = 0; i < t->rows; i++)
		cells_write(t, t->cells + i * t->columns, &line);
	cells_free(t->cells, t->rows * t->columns);
	t->rows = 0;
	t->started = true;
	buf_free(&line);
}

static void table_forget(struct table *t)
{
	cells_free(t->cells, t->rows * t->columns);
	cells_free(t->names, t->columns);
	free(t->cells);
	free(t->names);
	free(t->widths);
	t->cells = t->names = NULL;
	t->widths = NULL;
	t->columns = 0;
	t->rows = 0;
	t->started = false;
}

static char heading(char c)
{
	if (c >= 'a' && c <= 'z')
		return (char)(c & ~0x20);
	return c == '_' ? ' ' : c;
}

static void table_columns(struct output *o, const char *const *names, uint32_t n)
{
	struct table *t = (struct table *)o;

	if (t->columns && (t->rows || t->started))
		table_start(t);
	table_forget(t);
	t->columns = n;
	t->names = must_alloc((n + 1) * sizeof *t->names);
	t->widths = must_alloc((n + 1) * sizeof *t->widths);
	t->cells = must_alloc(((size_t)n * ROWS_HELD + 1) * sizeof *t->cells);
	for (uint32_t i = 0; i < n; i++) {
		enum tmail_type type;
		struct str name = column_name(names[i], &type);

		for (size_t k = 0; k < name.len; k++)
			buf_add_char(&t->names[i], heading(name.data[k]));
		t->widths[i] = t->names[i].len;
	}
}

static void table_row(struct output *o, const struct tmail_str *values, uint32_t n)
{
	struct table *t = (struct table *)o;
	bool alone = t->columns == 1 && t->rows == 0 && !t->started;
	struct buf *cells;

	if (t->columns == 0)
		return;
	if (t->rows == ROWS_HELD || t->started)
		table_start(t);
	cells = t->cells + t->rows * t->columns;
	for (uint32_t i = 0; i < t->columns; i++) {
		struct str value = i < n ? (struct str){ values[i].data, values[i].len } : STR("");
		size_t width;

		printable(&cells[i], value, alone);
		width = printable_width(buf_str(&cells[i]));
		if (width > t->widths[i] && !t->started)
			t->widths[i] = width;
	}
	t->rows++;
}

static void table_say(struct output *o, struct str text)
{
	struct table *t = (struct table *)o;
	struct buf line = { 0 };

	if (t->rows)
		table_start(t);
	printable(&line, text, true);
	line_write(t, &line);
	buf_free(&line);
	t->said = true;
}

static void table_fail(struct output *o, struct str text)
{
	struct table *t = (struct table *)o;
	struct buf line = { 0 };

	if (t->rows)
		table_start(t);
	buf_add_c(&line, "tmail: ");
	printable(&line, text, false);
	buf_add_char(&line, '\n');
	write_all(t->base.err, buf_str(&line));
	buf_free(&line);
	t->base.failed = true;
}

static void table_end(struct output_base *base, enum verb_result result)
{
	struct table *t = (struct table *)base;

	if (t->rows || (result == VERB_OK && t->columns && !t->started && !t->said))
		table_start(t);
	table_forget(t);
}

struct output *output_table(int out, int err)
{
	struct table *t = must_alloc(sizeof *t);

	output_base_setup(&t->base, out, err, table_end);
	t->base.output.columns = table_columns;
	t->base.output.row = table_row;
	t->base.output.say = table_say;
	t->base.output.fail = table_fail;
	return &t->base.output;
}
