/* SPDX-License-Identifier: MIT
 *
 * Saying what went wrong, and stopping at once when it is our own bug. Nothing here allocates
 * on the way down: must_failed works when memory is gone.
 */
#include "base/fail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void (*failed_hook)(const char *text);

void must_hook(void (*hook)(const char *text))
{
	failed_hook = hook;
}

noreturn void must_failed(const char *what, const char *file, int line)
{
	char text[512];
	int len = snprintf(text, sizeof text, "bug: must(%s) failed at %s:%d\n", what, file, line);

	if (len > 0) {
		size_t size = (size_t)len < sizeof text ? (size_t)len : sizeof text - 1;
		ssize_t ignored = write(STDERR_FILENO, text, size);

		(void)ignored;
		if (text[size - 1] == '\n')
			text[size - 1] = '\0';
	}
	if (failed_hook)
		failed_hook(text);
	abort();
}

void *must_alloc(size_t size)
{
	void *memory = calloc(1, size ? size : 1);

	must(memory != NULL);
	return memory;
}

void *must_realloc(void *old, size_t size)
{
	void *memory = realloc(old, size ? size : 1);

	must(memory != NULL);
	return memory;
}

/* Through a copy, since the arguments may point into why->text itself. */
static void why_store(struct why *why, const char *text)
{
	size_t len = strnlen(text, sizeof why->text - 1);

	memcpy(why->text, text, len);
	why->text[len] = '\0';
}

bool why_set(struct why *why, const char *format, ...)
{
	char text[sizeof why->text];
	va_list args;

	if (!why)
		return false;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	why_store(why, text);
	return false;
}

bool why_errno(struct why *why, const char *format, ...)
{
	int error = errno;
	char text[sizeof why->text], reason[128], both[sizeof text + sizeof reason + 2];
	va_list args;

	if (!why)
		return false;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	snprintf(both, sizeof both, "%s: %s", text, strerror_r(error, reason, sizeof reason));
	why_store(why, both);
	errno = error;
	return false;
}

bool why_prefix(struct why *why, const char *format, ...)
{
	char text[sizeof why->text], both[2 * sizeof text + 2];
	va_list args;

	if (!why)
		return false;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	snprintf(both, sizeof both, "%s: %s", text, why->text);
	why_store(why, both);
	return false;
}
