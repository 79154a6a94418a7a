/* SPDX-License-Identifier: MIT
 *
 * Two files in memory for an output to write: out_fd and err_fd, and what was written, as text.
 */
#ifndef TESTS_ADMIN_CAPTURE_H
#define TESTS_ADMIN_CAPTURE_H

#include "tests/lib/test.h"

#include "admin/verb.h"

#include <sys/mman.h>
#include <unistd.h>

static int out_fd, err_fd;
static struct buf out_text, err_text;

static inline void capture_begin(void)
{
	out_fd = memfd_create("out", MFD_CLOEXEC);
	err_fd = memfd_create("err", MFD_CLOEXEC);
	ck_assert(out_fd >= 0 && err_fd >= 0);
}

static inline void capture_read(int fd, struct buf *text)
{
	ssize_t n;

	buf_clear(text);
	while ((n = pread(fd, buf_reserve(text, 65536), 65536, (off_t)text->len)) > 0)
		text->len += (size_t)n;
	buf_c(text);
	close(fd);
}

/* Ends the output; out_text and err_text are then strings. */
static inline void capture_end(struct output **o, enum verb_result result)
{
	output_end(o, result);
	ck_assert_ptr_null(*o);
	capture_read(out_fd, &out_text);
	capture_read(err_fd, &err_text);
}

static inline void capture_free(void)
{
	buf_free(&out_text);
	buf_free(&err_text);
}

/* A row of C strings; NULL: no value. */
#define put(o, ...)                                                                                \
	put_all(o, (const char *const[]){ __VA_ARGS__ },                                           \
		sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))

static inline void put_all(struct output *o, const char *const *values, size_t count)
{
	struct tmail_str row[16];

	ck_assert_uint_le(count, sizeof row / sizeof *row);
	for (size_t i = 0; i < count; i++)
		row[i] = (struct tmail_str){ values[i], values[i] ? strlen(values[i]) : 0 };
	o->row(o, row, (uint32_t)count);
}

#endif
