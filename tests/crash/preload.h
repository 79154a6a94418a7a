/* SPDX-License-Identifier: MIT
 *
 * What the preloaded libraries share: the real function behind a name, and the path that a name in
 * an open folder stands for.
 */
#ifndef TESTS_CRASH_PRELOAD_H
#define TESTS_CRASH_PRELOAD_H

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static inline unsigned mode_of(int flags, va_list args)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(args, unsigned) : 0;
}

/* open and openat under all their names, as int open_at(int folder, const char *path, int flags,
 * unsigned mode). */
#define PRELOAD_OPEN(function)                                                                     \
	int function(const char *path, int flags, ...)                                             \
	{                                                                                          \
		va_list args;                                                                      \
		unsigned mode;                                                                     \
		va_start(args, flags);                                                             \
		mode = mode_of(flags, args);                                                       \
		va_end(args);                                                                      \
		return open_at(AT_FDCWD, path, flags, mode);                                       \
	}
#define PRELOAD_OPENAT(function)                                                                   \
	int function(int at, const char *path, int flags, ...)                                     \
	{                                                                                          \
		va_list args;                                                                      \
		unsigned mode;                                                                     \
		va_start(args, flags);                                                             \
		mode = mode_of(flags, args);                                                       \
		va_end(args);                                                                      \
		return open_at(at, path, flags, mode);                                             \
	}

/* The path that a name in an open folder stands for. */
static inline const char *whole_path(int folder_fd, const char *path, char whole[PATH_MAX])
{
	char link[64];
	ssize_t n;

	if (path[0] == '/' || folder_fd == AT_FDCWD)
		return path;
	snprintf(link, sizeof link, "/proc/self/fd/%d", folder_fd);
	n = readlink(link, whole, PATH_MAX - 1);
	if (n < 0)
		n = 0;
	snprintf(whole + n, (size_t)(PATH_MAX - n), "/%s", path);
	return whole;
}

/* Is it below the folder that this variable names? */
static inline int is_below(const char *variable, const char *path)
{
	const char *folder = getenv(variable);

	return folder && *folder && path && strncmp(path, folder, strlen(folder)) == 0;
}

#endif
