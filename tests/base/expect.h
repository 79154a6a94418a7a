/* SPDX-License-Identifier: MIT
 *
 * What the tests of base and conf say often: this text is that; this call aborts; the next
 * number of a seeded generator, so that a run that failed fails again.
 */
#ifndef TESTS_BASE_EXPECT_H
#define TESTS_BASE_EXPECT_H

#include "base/str.h"
#include "tests/lib/test.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* `actual` has data and len; `expected` is a literal, which may have a NUL inside. */
#define expect_text(actual, expected)                                                              \
	do {                                                                                       \
		struct str made_ = str_make((actual).data, (actual).len);                          \
		struct str wanted_ = STR(expected);                                                \
		ck_assert_msg(str_equal(made_, wanted_), "%s is \"%.*s\", not \"%.*s\"", #actual,  \
			STR_ARG(made_), STR_ARG(wanted_));                                         \
	} while (0)

/* Runs a call in a child and expects it to end by abort(); its last words are swallowed. */
#define expect_abort(call)                                                                         \
	do {                                                                                       \
		int status_ = 0;                                                                   \
		pid_t pid_ = fork();                                                               \
		if (pid_ == 0) {                                                                   \
			ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));                  \
			signal(SIGABRT, SIG_DFL);                                                  \
			call;                                                                      \
			_exit(0);                                                                  \
		}                                                                                  \
		ck_assert_int_eq(waitpid(pid_, &status_, 0), pid_);                                \
		ck_assert_msg(WIFSIGNALED(status_) && WTERMSIG(status_) == SIGABRT,                \
			"%s did not abort", #call);                                                \
	} while (0)

/* xorshift64*: the same numbers in every run. */
static inline uint64_t chance_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1du;
}

#endif
