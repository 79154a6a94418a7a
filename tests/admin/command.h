/* SPDX-License-Identifier: MIT
 *
 * Command lines run over a generation of modules that are built into the test; what they print
 * is in `out` (collect.h).
 */
#ifndef TESTS_ADMIN_COMMAND_H
#define TESTS_ADMIN_COMMAND_H

#include "tests/admin/collect.h"
#include "tests/admin/modules.h"
#include "tests/lib/test.h"

#include <unistd.h>

static struct generation *generation;
static struct collect out;

/* only: the instances that are started, NULL at the end. */
static inline void command_begin(const char *settings, const char *const *only)
{
	struct problems problems = { 0 };
	struct generation_setup setup = { .purpose = PURPOSE_ADMIN,
		.module_dirs = fake_folders,
		.only = only,
		.trusted_uid = geteuid(),
		.create = true };

	fake_modules_load();
	setup.conf = conf_parse(str_c(settings), "tmail.conf", &problems);
	generation = generation_new(&setup, NULL, &problems);
	ck_assert_msg(generation, "%s", problems.count ? problems.text[0] : "");
	generation_install(generation_ref(generation));
	collect_init(&out);
}

static inline void command_end(void)
{
	generation_install(NULL);
	generation_unref(&generation);
	buf_free(&out.text);
	admin_setup(NULL);
}

/* Words are parted by blanks. */
static inline enum verb_result command_run(const char *line, bool offline)
{
	struct str words[32], rest = str_c(line), word;
	size_t n = 0;

	while (str_word(&rest, &word)) {
		ck_assert_uint_lt(n, sizeof words / sizeof *words);
		words[n++] = word;
	}
	buf_clear(&out.text);
	return verb_command(generation, words, n, offline, &out.output);
}

/* What it printed, of a verb that runs with the server stopped. */
static inline const char *printed(const char *line, enum verb_result result)
{
	enum verb_result got = command_run(line, true);

	ck_assert_msg(got == result, "%s: %d\n%s", line, (int)got, buf_c(&out.text));
	return buf_c(&out.text);
}

#endif
