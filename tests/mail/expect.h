/* SPDX-License-Identifier: MIT
 *
 * What the tests of this floor share: comparing pieces of text with lengths, and a small source of
 * numbers that is the same in every run.
 */
#ifndef TESTS_MAIL_EXPECT_H
#define TESTS_MAIL_EXPECT_H

#include "base/encode.h"
#include "tests/lib/test.h"

/* Says both sides, quoted, when they differ; `what` is the case. */
static inline void expect_str(struct str what, struct str got, struct str want)
{
	struct buf text = { 0 };

	if (str_equal(got, want))
		return;
	quote(&text, what);
	buf_add_c(&text, ": got \"");
	quote(&text, got);
	buf_add_c(&text, "\", not \"");
	quote(&text, want);
	buf_add_c(&text, "\"");
	ck_abort_msg("%s", buf_c(&text));
}

/* xorshift64; never 0. */
static inline uint64_t chance(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#endif
