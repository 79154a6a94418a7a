/* SPDX-License-Identifier: MIT
 *
 * A configuration from text, and its problems as one text, a line each: what the tests of conf
 * compare with.
 */
#ifndef TESTS_CONF_LOAD_H
#define TESTS_CONF_LOAD_H

#include "conf/conf.h"
#include "tests/base/expect.h"

/* The problems so far against literal lines; forgets them. */
static inline void expect_problems(struct problems *p, const char *lines)
{
	struct buf all = { 0 };

	for (size_t i = 0; i < p->count; i++)
		buf_printf(&all, "%s\n", p->text[i]);
	ck_assert_str_eq(buf_c(&all), lines);
	buf_free(&all);
	problems_free(p);
}

/* From text in which there is no mistake. */
static inline struct conf *conf_of(const char *text)
{
	struct problems p = { 0 };
	struct conf *c = conf_parse(str_c(text), "t.conf", &p);

	expect_problems(&p, "");
	return c;
}

#endif
