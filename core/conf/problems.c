/* SPDX-License-Identifier: MIT
 *
 * The mistakes of a run, in the order they were found, each one line with its place in front.
 */
#include "conf/tree.h"

#include <stdlib.h>

static void problem_keep(
	struct problems *p, const char *file, unsigned line, const char *format, va_list args)
{
	struct buf text = { 0 };

	if (file && *file && line)
		buf_printf(&text, "%s:%u: ", file, line);
	else if (file && *file)
		buf_printf(&text, "%s: ", file);
	buf_vprintf(&text, format, args);
	if (p->count == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 8;
		p->text = must_realloc(p->text, p->cap * sizeof(char *));
	}
	p->text[p->count++] = str_dup_c(buf_str(&text));
	buf_free(&text);
}

void problem_at(struct problems *p, const char *file, unsigned line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	problem_keep(p, file, line, format, args);
	va_end(args);
}

void problem_add(struct problems *p, const struct conf_group *where, const char *key,
	const char *format, ...)
{
	const struct setting *s = key ? setting_find(where, key) : NULL;
	va_list args;

	va_start(args, format);
	if (s)
		problem_keep(p, s->file, s->line, format, args);
	else
		problem_keep(p, where ? where->file : NULL, where ? where->line : 0, format, args);
	va_end(args);
}

void problems_free(struct problems *p)
{
	for (size_t i = 0; i < p->count; i++)
		free(p->text[i]);
	free(p->text);
	*p = (struct problems){ 0 };
}
