/* SPDX-License-Identifier: MIT
 *
 * The table of say.h with its lines put together at compile time.
 */
#include "smtp/say.h"

#include "base/fail.h"

#define DIGIT(code, i) ((code)[i] - '0')

static const struct say_row rows[SAYS] = { [SAY_NOTHING] = { STR_INIT(""), 0, 0 },
#define X(name, code, enhanced, text, flags)                                                       \
	[SAY_##name] = { STR_INIT(code " " enhanced text "\r\n"),                                  \
		100 * DIGIT(code, 0) + 10 * DIGIT(code, 1) + DIGIT(code, 2), (flags) },
	SMTP_SAYS(X)
#undef X
};

const struct say_row *say_row(enum say say)
{
	must((unsigned)say < SAYS);
	return &rows[say];
}

bool say_ends(unsigned code)
{
	return code == 421 || code == 521;
}
