/* SPDX-License-Identifier: MIT
 *
 * Three kinds of trouble, three words. Our bug: must() aborts, always compiled in. The
 * environment at start and the world: a function answers false or a status, and says why.
 */
#ifndef BASE_FAIL_H
#define BASE_FAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdnoreturn.h>

/* What went wrong, for a person: names the thing, the reason, the place. Set on failure only. */
struct why {
	char text[512];
};

/* Sets the text (a NULL why is fine) and answers false, so that `return why_set(...)` reads. */
bool why_set(struct why *why, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same with ": strerror(errno)" behind. Keeps errno. */
bool why_errno(struct why *why, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Puts "prefix: " in front of what is there; answers false. */
bool why_prefix(struct why *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

noreturn void must_failed(const char *what, const char *file, int line);
#define must(condition) ((condition) ? (void)0 : must_failed(#condition, __FILE__, __LINE__))

/* malloc and friends that must() succeed; zeroed. */
void *must_alloc(size_t size);
void *must_realloc(void *old, size_t size);

/* Called with the text before the abort; the server notes it for the parent. */
void must_hook(void (*hook)(const char *text));

#endif
