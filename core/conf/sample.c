/* SPDX-License-Identifier: MIT
 *
 * The sample configuration, printed from the tables that the server reads by, so that it cannot
 * say anything else. Comments are "# text", settings that are off "#name = value;": taking the
 * one # away turns a setting on and changes nothing, since it shows its default.
 */
#include "base/num.h"
#include "conf/tree.h"

enum { SAMPLE_WIDTH = 80, SAMPLE_INDENT = 4 };

static void add_indent(struct buf *out, unsigned depth)
{
	for (unsigned i = 0; i < depth * SAMPLE_INDENT; i++)
		buf_add_char(out, ' ');
}

/* Wrapped between words; a word longer than a line stands alone. */
static void add_comment(struct buf *out, unsigned depth, struct str text)
{
	size_t column = 0;
	struct str word;

	while (str_word(&text, &word)) {
		if (column && column + 1 + word.len > SAMPLE_WIDTH) {
			buf_add_char(out, '\n');
			column = 0;
		}
		if (column == 0) {
			add_indent(out, depth);
			buf_add_char(out, '#');
			column = depth * SAMPLE_INDENT + 1;
		}
		buf_add_char(out, ' ');
		buf_add(out, word);
		column += 1 + word.len;
	}
	if (column)
		buf_add_char(out, '\n');
}

void option_remarks(struct buf *out, const struct tmail_option *o)
{
	struct str rest = str_c(o->choices), word;
	char range[RANGE_TEXT];

	for (int i = 0; o->type == TMAIL_TYPE_CHOICE && str_word(&rest, &word); i++)
		buf_printf(out, "%s%.*s", i ? ", " : " One of: ", STR_ARG(word));
	if (o->type == TMAIL_TYPE_CHOICE)
		buf_add_char(out, '.');
	number_range_text(o, range);
	if (*range)
		buf_printf(out, " Range: %s.", range);
	if (o->flags & TMAIL_REQUIRED)
		buf_add_c(out, " Required.");
	if (o->flags & TMAIL_RESTART)
		buf_add_c(out, " A change needs a restart.");
}

/* What an option without a default is when nobody sets it. */
static struct str zero_text(const struct tmail_option *o)
{
	struct str choices = str_c(o->choices), first;

	switch (o->type) {
	case TMAIL_TYPE_BOOL:
		return STR("false");
	case TMAIL_TYPE_INT:
	case TMAIL_TYPE_DURATION:
	case TMAIL_TYPE_SIZE:
		return STR("0");
	case TMAIL_TYPE_CHOICE:
		return str_word(&choices, &first) ? first : STR("");
	default:
		return STR("");
	}
}

/* Numbers and bools stand without quotes, unless they are "30s" or a variable. */
static bool stands_bare(const struct tmail_option *o, struct str text)
{
	int64_t number;

	switch (o->type) {
	case TMAIL_TYPE_BOOL:
		return str_equal(text, STR("true")) || str_equal(text, STR("false"));
	case TMAIL_TYPE_INT:
	case TMAIL_TYPE_DURATION:
	case TMAIL_TYPE_SIZE:
		return num_i64(text, &number);
	default:
		return false;
	}
}

static void add_words(struct buf *out, struct str text)
{
	struct str word;
	const char *before = "[ ";

	while (value_word(&text, &word)) {
		buf_add_c(out, before);
		setting_quote(out, word);
		before = ", ";
	}
	buf_add_c(out, *before == '[' ? "[ ]" : " ]");
}

/* A sample is a person's text, variables and all. */
static void add_sample_value(struct buf *out, const struct tmail_option *o)
{
	struct str text = str_c(o->sample);

	if (o->type == TMAIL_TYPE_GROUPS ||
		(o->type == TMAIL_TYPE_STRINGS && (*o->sample == '[' || *o->sample == '(')))
		buf_add(out, text);
	else if (o->type == TMAIL_TYPE_STRINGS && !strstr(o->sample, "${"))
		add_words(out, text);
	else if (stands_bare(o, text))
		buf_add(out, text);
	else
		setting_quote(out, text);
}

/* A default is never expanded; in a file its ${ must be written $${. */
static void add_default_value(struct buf *out, const struct tmail_option *o)
{
	struct str text = o->fallback ? str_c(o->fallback) : zero_text(o);
	struct buf escaped = { 0 };

	if (o->type == TMAIL_TYPE_SECRET)
		text = STR("");
	for (size_t i = 0; i < text.len; i++) {
		if (str_starts(str_slice(text, i, text.len), STR("${")))
			buf_add_char(&escaped, '$');
		buf_add_char(&escaped, text.data[i]);
	}
	text = buf_str(&escaped);
	if (o->type == TMAIL_TYPE_STRINGS)
		add_words(out, text);
	else if (stands_bare(o, text))
		buf_add(out, text);
	else
		setting_quote(out, text);
	buf_free(&escaped);
}

/* Every line of text behind the indent and `mark`. */
static void add_lines(struct buf *out, unsigned depth, const char *mark, struct str text)
{
	struct str line;

	while (text.len && str_split(&text, '\n', &line)) {
		if (line.len || *mark) {
			add_indent(out, depth);
			buf_add_c(out, mark);
		}
		buf_add(out, line);
		buf_add_char(out, '\n');
	}
}

static void add_options(struct buf *out, unsigned depth, struct tmail_list options);

/* A list of groups that has no sample: one group with all its options, all of it off. */
static void add_groups(struct buf *out, unsigned depth, const struct tmail_option *o)
{
	struct buf text = { 0 };

	buf_printf(&text, "%s = (\n", o->name);
	add_indent(&text, 1);
	buf_add_c(&text, "{\n");
	add_options(&text, 2, o->options);
	add_indent(&text, 1);
	buf_add_c(&text, "}\n);\n");
	add_lines(out, depth, "#", buf_str(&text));
	buf_free(&text);
}

static void add_option(struct buf *out, unsigned depth, const struct tmail_option *o)
{
	struct buf text = { 0 };

	buf_add_c(&text, o->summary ? o->summary : "");
	option_remarks(&text, o);
	add_comment(out, depth, buf_str(&text));
	buf_clear(&text);
	if (o->type == TMAIL_TYPE_GROUPS && !o->sample) {
		add_groups(out, depth, o);
	} else {
		buf_printf(&text, "%s = ", o->name);
		if (o->sample)
			add_sample_value(&text, o);
		else
			add_default_value(&text, o);
		buf_add_c(&text, ";\n");
		add_lines(out, depth, o->sample ? "" : "#", buf_str(&text));
	}
	buf_free(&text);
}

static void add_options(struct buf *out, unsigned depth, struct tmail_list options)
{
	const char *between = "";

	TMAIL_EACH(struct tmail_option, o, options) {
		buf_add_c(out, between);
		add_option(out, depth, o);
		between = "\n";
	}
}

void conf_print_sample(struct buf *out, const struct conf_section *section)
{
	struct str summary = str_c(section->summary);

	if (!section->name) {
		add_comment(out, 0, summary);
		if (summary.len)
			buf_add_char(out, '\n');
		add_options(out, 0, section->options);
	} else if (section->list == CONF_OF_MODULE) {
		add_comment(out, 1, summary);
		buf_printf(out, "    {\n        module = \"%s\";\n%s", section->name,
			section->options.count ? "\n" : "");
		add_options(out, 2, section->options);
		buf_add_c(out, "    }");
	} else if (section->list == CONF_LIST) {
		add_comment(out, 0, summary);
		buf_printf(out, "%s = (\n    {\n", section->name);
		add_options(out, 2, section->options);
		buf_add_c(out, "    }\n);\n");
	} else {
		add_comment(out, 0, summary);
		buf_printf(out, "%s = {\n", section->name);
		add_options(out, 1, section->options);
		buf_add_c(out, "};\n");
	}
}
