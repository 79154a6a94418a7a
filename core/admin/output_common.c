/* SPDX-License-Identifier: MIT
 *
 * What the outputs of a command share. What a peer once said may come out here, so nothing
 * reaches a terminal that could steer it.
 */
#include "admin/output_common.h"

#include "base/encode.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

enum { BAR_WIDTH = 30, SECRET_LIMIT = 4096 };

struct str column_name(const char *column, enum tmail_type *type)
{
	struct str whole = str_c(column);
	ptrdiff_t colon = str_find_last(whole, ':');
	struct str said = colon < 0 ? STR("") : str_slice(whole, (size_t)colon + 1, whole.len);

	if (str_equal(said, STR("int")))
		*type = TMAIL_TYPE_INT;
	else if (str_equal(said, STR("bool")))
		*type = TMAIL_TYPE_BOOL;
	else
		*type = TMAIL_TYPE_STRING;
	return *type == TMAIL_TYPE_STRING ? whole : str_slice(whole, 0, (size_t)colon);
}

bool write_all(int fd, struct str octets)
{
	while (octets.len) {
		ssize_t n = write(fd, octets.data, octets.len);

		if (n < 0 && errno == EAGAIN) {
			struct pollfd p = { .fd = fd, .events = POLLOUT };
			poll(&p, 1, -1);
		} else if (n < 0 && errno != EINTR) {
			return false;
		} else if (n > 0) {
			octets = str_slice(octets, (size_t)n, octets.len);
		}
	}
	return true;
}

/* C1 controls are two octets in UTF-8, and terminals obey them. */
static bool is_c1(struct str character)
{
	return character.len >= 2 && (unsigned char)character.data[0] == 0xC2 &&
		(unsigned char)character.data[1] < 0xA0;
}

void printable(struct buf *out, struct str text, bool lines)
{
	while (text.len) {
		unsigned char c = (unsigned char)*text.data;
		size_t n = utf8_char(text);

		if ((n == 1 && c >= 0x20 && c != 0x7F) || (n > 1 && !is_c1(text)) ||
			(lines && (c == '\n' || c == '\t'))) {
			buf_add(out, str_slice(text, 0, n));
		} else if (lines && c == '\r' && text.len > 1 && text.data[1] == '\n') {
			n = 1; /* the LF that follows says it */
		} else {
			buf_printf(out, "\\x%02x", c);
			n = 1;
		}
		text = str_slice(text, n, text.len);
	}
}

size_t printable_width(struct str text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++)
		n += ((unsigned char)text.data[i] & 0xC0) != 0x80;
	return n;
}

void output_say(struct output *o, const char *format, ...)
{
	struct buf line = { 0 };
	va_list args;

	va_start(args, format);
	buf_vprintf(&line, format, args);
	va_end(args);
	o->say(o, buf_str(&line));
	buf_free(&line);
}

void output_fail(struct output *o, const char *format, ...)
{
	struct buf line = { 0 };
	va_list args;

	va_start(args, format);
	buf_vprintf(&line, format, args);
	va_end(args);
	o->fail(o, buf_str(&line));
	buf_free(&line);
}

static void bar_clear(struct output_base *base)
{
	if (base->drawing)
		write_all(base->err, STR("\r\033[K"));
	base->drawing = false;
}

static void base_progress(struct output *o, uint64_t done, uint64_t of)
{
	struct output_base *base = (struct output_base *)o;
	struct buf line = { 0 };
	unsigned filled;

	if (!isatty(base->err) || of == 0)
		return;
	if (done >= of) {
		bar_clear(base);
		return;
	}
	filled = (unsigned)((double)done / (double)of * BAR_WIDTH);
	buf_add_c(&line, "\r[");
	for (unsigned i = 0; i < BAR_WIDTH; i++)
		buf_add_char(&line, i < filled ? '#' : ' ');
	buf_printf(&line, "] %llu of %llu\033[K", (unsigned long long)done, (unsigned long long)of);
	write_all(base->err, buf_str(&line));
	buf_free(&line);
	base->drawing = true;
}

/* One line of standard input; from a terminal without showing it. */
static bool base_secret(struct output *o, const char *name, struct buf *answer, struct why *why)
{
	struct output_base *base = (struct output_base *)o;
	bool terminal = isatty(STDIN_FILENO);
	struct termios before, quiet;
	char c;
	ssize_t n;

	terminal = terminal && tcgetattr(STDIN_FILENO, &before) == 0;
	if (terminal) {
		/* First: who types as soon as he is asked is neither shown nor unheard. */
		quiet = before;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
		write_all(base->err, str_c(name));
		write_all(base->err, STR(": "));
	}
	while ((n = read(STDIN_FILENO, &c, 1)) == 1 && c != '\n' && answer->len < SECRET_LIMIT)
		buf_add_char(answer, c);
	if (answer->len && answer->data[answer->len - 1] == '\r')
		answer->len--;
	if (terminal) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
		write_all(base->err, STR("\n"));
	}
	if (n < 0)
		return why_errno(why, "%s: standard input", name);
	if (answer->len == 0)
		return why_set(why, "%s: nothing was given on standard input", name);
	if (answer->len >= SECRET_LIMIT)
		return why_set(why, "%s: longer than %d octets", name, SECRET_LIMIT);
	return true;
}

void output_base_setup(struct output_base *base, int out, int err,
	void (*end)(struct output_base *base, enum verb_result result))
{
	base->out = out;
	base->err = err;
	base->end = end;
	base->output.progress = base_progress;
	base->output.secret = base_secret;
}

void output_end(struct output **o, enum verb_result result)
{
	struct output_base *base = (struct output_base *)*o;

	if (!base)
		return;
	bar_clear(base);
	base->end(base, result);
	free(base);
	*o = NULL;
}
