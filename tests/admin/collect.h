/* SPDX-License-Identifier: MIT
 *
 * An output that keeps what it gets, as text: one line each, "columns a|b", "row 1|2", ...;
 * a value that is not there is "(none)".
 */
#ifndef TESTS_ADMIN_COLLECT_H
#define TESTS_ADMIN_COLLECT_H

#include "admin/verb.h"

#include <check.h>

#undef fail /* Check's; ours is a member of struct output */

struct collect {
	struct output output; /* must be first */
	struct buf text;
	const char *secret; /* what secret() answers; NULL: nothing */
};

static inline void collect_list(
	struct output *o, const char *kind, const struct tmail_str *values, uint32_t n)
{
	struct collect *c = (struct collect *)o;

	buf_add_c(&c->text, kind);
	for (uint32_t i = 0; i < n; i++) {
		buf_add_c(&c->text, i ? "|" : " ");
		buf_add(&c->text,
			values[i].data ? str_make(values[i].data, values[i].len) : STR("(none)"));
	}
	buf_add_char(&c->text, '\n');
}

static inline void collect_columns(struct output *o, const char *const *names, uint32_t n)
{
	struct tmail_str values[256];

	ck_assert_uint_le(n, sizeof values / sizeof *values);
	for (uint32_t i = 0; i < n; i++)
		values[i] = (struct tmail_str){ names[i], strlen(names[i]) };
	collect_list(o, "columns", values, n);
}

static inline void collect_row(struct output *o, const struct tmail_str *values, uint32_t n)
{
	collect_list(o, "row", values, n);
}

static inline void collect_say(struct output *o, struct str line)
{
	collect_list(o, "say", &(struct tmail_str){ line.data, line.len }, 1);
}

static inline void collect_fail(struct output *o, struct str text)
{
	collect_list(o, "fail", &(struct tmail_str){ text.data, text.len }, 1);
}

static inline void collect_progress(struct output *o, uint64_t done, uint64_t of)
{
	buf_printf(&((struct collect *)o)->text, "progress %llu/%llu\n", (unsigned long long)done,
		(unsigned long long)of);
}

static inline bool collect_secret(
	struct output *o, const char *name, struct buf *answer, struct why *why)
{
	struct collect *c = (struct collect *)o;

	if (!c->secret)
		return why_set(why, "%s: nothing was given", name);
	buf_add_c(answer, c->secret);
	return true;
}

static inline void collect_init(struct collect *c)
{
	*c = (struct collect){ .output = { collect_columns, collect_row, collect_say, collect_fail,
				       collect_progress, collect_secret } };
}

#endif
