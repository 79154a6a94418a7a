/* SPDX-License-Identifier: MIT
 *
 * What every unit test ends with: TEST_MAIN("base/str", each, test, of, the, file).
 */
#ifndef TESTS_LIB_TEST_H
#define TESTS_LIB_TEST_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline int test_run(const char *name, const TTest *const *tests, size_t count)
{
	Suite *suite = suite_create(name);
	TCase *cases = tcase_create(name);
	SRunner *runner;
	int failed;

	/* No test is judged by the clock; this only ends one that hangs. */
	tcase_set_timeout(cases, 900);
	for (size_t i = 0; i < count; i++)
		tcase_add_test(cases, tests[i]);
	suite_add_tcase(suite, cases);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* What cannot be tested here is not passed over in silence: tests/run reads this and counts it. */
static inline void test_skip(const char *what, int length, const char *why)
{
	printf("skip %.*s: %s\n", length, what, why);
	fflush(stdout);
}
/* Ends the test it stands in, whose name Check has lengthened by _fn. */
#define TEST_SKIP(why)                                                                             \
	do {                                                                                       \
		test_skip(__func__, (int)sizeof __func__ - 4, why);                                \
		return;                                                                            \
	} while (0)
/* Of a whole program: what its main returns, automake's word for it. */
static inline int test_skip_all(const char *name, const char *why)
{
	test_skip(name, (int)strlen(name), why);
	return 77;
}

#define TEST_MAIN(name, ...)                                                                       \
	int main(void)                                                                             \
	{                                                                                          \
		const TTest *const tests[] = { __VA_ARGS__ };                                      \
		return test_run(name, tests, sizeof tests / sizeof *tests);                        \
	}

#endif
