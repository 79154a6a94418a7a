/* SPDX-License-Identifier: MIT
 *
 * Manual pages of settings in mdoc(7), printed from the tables.
 */
#include "conf/tree.h"

/* Text in which nothing is taken for a request or an escape. */
static void add_text(struct buf *out, struct str text)
{
	bool first = true;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (first && (c == '.' || c == '\''))
			buf_add_c(out, "\\&");
		if (c == '\\')
			buf_add_c(out, "\\e");
		else
			buf_add_char(out, c);
		first = c == '\n';
	}
}

/* One argument of a macro: never itself a macro or punctuation. */
static void add_argument(struct buf *out, struct str text)
{
	buf_add_c(out, "\"\\&");
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '"')
			buf_add_c(out, "\\(dq");
		else if (text.data[i] == '\\')
			buf_add_c(out, "\\e");
		else
			buf_add_char(out, text.data[i]);
	}
	buf_add_char(out, '"');
}

static void add_type(struct buf *out, const struct tmail_option *o)
{
	static const char *const names[] = {
		[TMAIL_TYPE_BOOL] = "bool",
		[TMAIL_TYPE_INT] = "number",
		[TMAIL_TYPE_STRING] = "string",
		[TMAIL_TYPE_DURATION] = "duration",
		[TMAIL_TYPE_SIZE] = "size",
		[TMAIL_TYPE_FILE] = "file",
		[TMAIL_TYPE_STRINGS] = "strings",
		[TMAIL_TYPE_CHOICE] = "choice",
		[TMAIL_TYPE_SECRET] = "secret",
		[TMAIL_TYPE_GROUPS] = "groups",
	};

	must(o->type < sizeof names / sizeof *names);
	buf_add_c(out, names[o->type]);
}

static void add_list(struct buf *out, struct tmail_list options)
{
	buf_add_c(out, ".Bl -tag -width Ds\n");
	TMAIL_EACH(struct tmail_option, o, options) {
		struct buf text = { 0 };

		buf_printf(out, ".It Cm %s No = Ar ", o->name);
		add_type(out, o);
		buf_add_char(out, '\n');
		buf_add_c(&text, o->summary ? o->summary : "");
		option_remarks(&text, o);
		add_text(out, str_trim(buf_str(&text)));
		buf_add_char(out, '\n');
		if (o->fallback && *o->fallback && o->type != TMAIL_TYPE_SECRET) {
			buf_add_c(out, "The default is\n.Ql ");
			add_argument(out, str_c(o->fallback));
			buf_add_c(out, " .\n");
		}
		if (o->type == TMAIL_TYPE_GROUPS)
			add_list(out, o->options);
		buf_free(&text);
	}
	buf_add_c(out, ".El\n");
}

void conf_print_man(struct buf *out, const struct conf_section *section)
{
	if (section->name) {
		buf_add_c(out, ".Ss ");
		add_argument(out, str_c(section->name));
		buf_add_char(out, '\n');
	}
	if (section->summary) {
		add_text(out, str_c(section->summary));
		buf_add_char(out, '\n');
	}
	if (section->options.count)
		add_list(out, section->options);
}
