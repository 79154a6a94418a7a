/* SPDX-License-Identifier: MIT
 *
 * Modules built by a test itself, with the compiler the tree was built with, in a folder that
 * the loader trusts.
 */
#ifndef TESTS_HOST_BUILD_H
#define TESTS_HOST_BUILD_H

#include "base/buf.h"
#include "sys/file.h"
#include "tests/lib/folder.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The top of the sources: said by `make check`, else found from where this file is. */
static inline const char *build_top(void)
{
	static char top[PATH_MAX];
	const char *said = getenv("srcdir");
	char *end;

	if (said)
		return said;
	snprintf(top, sizeof top, "%s", __FILE__);
	for (int up = 0; up < 3; up++)
		if ((end = strrchr(top, '/')))
			*end = '\0';
	return top;
}

/* A fresh folder that nobody else can write to: below a sticky /tmp it is one always; where /tmp
 * is otherwise, the build or the home may do. */
static inline char *build_folder(void)
{
	const char *places[] = { P_tmpdir, getenv("top_builddir"), getenv("HOME") };
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		if (!places[i] || places[i][0] != '/' || !path_trusted(places[i], geteuid(), NULL))
			continue;
		snprintf(path, sizeof path, "%s/tmail-test-XXXXXX", places[i]);
		if (mkdtemp(path))
			return strdup(path);
	}
	ck_abort_msg("neither %s, the build nor the home is safe from others", P_tmpdir);
	return NULL;
}

static inline int build_run(const char *command)
{
	pid_t child = fork();
	int status = -1;

	if (child == 0) {
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return status;
}

/* Compiles a source (relative to the top) to folder/name (its folders are made). */
static inline void build_module(
	const char *folder, const char *name, const char *source, const char *flags)
{
	const char *cc = getenv("CC");
	struct buf command = { 0 }, path = { 0 };
	char *slash;

	buf_printf(&path, "%s/%s", folder, name);
	slash = strrchr((char *)(uintptr_t)buf_c(&path), '/');
	*slash = '\0';
	ck_assert(folder_make(path.data, NULL));
	buf_printf(&command,
		"%s -std=c11 -fPIC -fvisibility=hidden %s -I'%s/core/include' -shared -o '%s/%s' "
		"'%s/%s'",
		cc ? cc : "cc", flags, build_top(), folder, name, build_top(), source);
	ck_assert_msg(build_run(buf_c(&command)) == 0, "%s", buf_c(&command));
	buf_free(&command);
	buf_free(&path);
}

static inline void build_folder_end(char *folder)
{
	test_folder_remove(folder);
	free(folder);
}

#endif
