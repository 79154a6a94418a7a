/* SPDX-License-Identifier: MIT
 *
 * A terminal, and what a program writes to it. Its own end is made raw, so that what is written
 * is what is read; `person` types, `screen` is what was seen.
 */
#ifndef TESTS_ADMIN_TERMINAL_H
#define TESTS_ADMIN_TERMINAL_H

#include "tests/lib/test.h"

#include "base/buf.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

struct terminal {
	int person, program;
	struct buf screen;
};

static inline void terminal_open(struct terminal *t)
{
	struct termios modes;

	*t = (struct terminal){ .person = posix_openpt(O_RDWR | O_NOCTTY) };
	ck_assert_int_ge(t->person, 0);
	ck_assert(grantpt(t->person) == 0 && unlockpt(t->person) == 0);
	t->program = open(ptsname(t->person), O_RDWR | O_NOCTTY);
	ck_assert_int_ge(t->program, 0);
	ck_assert_int_eq(tcgetattr(t->program, &modes), 0);
	modes.c_oflag &= ~(tcflag_t)OPOST;
	ck_assert_int_eq(tcsetattr(t->program, TCSANOW, &modes), 0);
}

static inline void terminal_type(struct terminal *t, const char *keys)
{
	ck_assert_int_eq(write(t->person, keys, strlen(keys)), (ssize_t)strlen(keys));
}

/* All that is there to be seen; waits until that has `text` in it. */
static inline const char *terminal_wait(struct terminal *t, const char *text)
{
	while (!strstr(buf_c(&t->screen), text)) {
		ssize_t n = read(t->person, buf_reserve(&t->screen, 4096), 4096);

		ck_assert_msg(n > 0, "\"%s\" was not seen in \"%s\"", text, buf_c(&t->screen));
		t->screen.len += (size_t)n;
	}
	return buf_c(&t->screen);
}

static inline const char *terminal_screen(struct terminal *t)
{
	struct pollfd p = { .fd = t->person, .events = POLLIN };

	while (poll(&p, 1, 0) == 1 && (p.revents & POLLIN)) {
		ssize_t n = read(t->person, buf_reserve(&t->screen, 4096), 4096);

		if (n <= 0)
			break;
		t->screen.len += (size_t)n;
	}
	return buf_c(&t->screen);
}

static inline void terminal_close(struct terminal *t)
{
	close(t->person);
	close(t->program);
	buf_free(&t->screen);
}

#endif
