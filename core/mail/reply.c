/* SPDX-License-Identifier: MIT
 *
 * Replies, both ways. What we write is always a reply, whatever text it was given. What we read is
 * a stranger's: a line, a reply and the number of its lines are bounded, and whatever does not
 * fit the grammar ends the dialogue instead of being guessed at.
 */
#include "mail/reply.h"

#include "base/encode.h"
#include "base/fail.h"

#include <stdio.h>

enum { REPLY_OUT_MAX = 512, CODE_LEN = 3 };

/* One to three digits without a leading zero (RFC 3463 2). */
static bool subcode_valid(struct str s)
{
	if (s.len < 1 || s.len > 3 || (s.len > 1 && s.data[0] == '0'))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (s.data[i] < '0' || s.data[i] > '9')
			return false;
	return true;
}

bool enhanced_valid(struct str s, unsigned code)
{
	unsigned class = code / 100;
	struct str subject, detail;

	if (s.len < 5 || s.data[1] != '.' || (class != 2 && class != 4 && class != 5) ||
		s.data[0] != (char)('0' + class))
		return false;
	s = str_slice(s, 2, s.len);
	if (!str_split(&s, '.', &subject) || !str_split(&s, '.', &detail) || s.data)
		return false;
	return subcode_valid(subject) && subcode_valid(detail);
}

/* Octets of the character at the front that may stand in a reply, or 0. */
static size_t text_char(struct str s, bool utf8)
{
	unsigned char c = (unsigned char)s.data[0];
	size_t len;

	if (c < 0x80)
		return c == '\t' || (c >= ' ' && c < 0x7f) ? 1 : 0;
	len = utf8 ? utf8_char(s) : 0;
	return len == 2 && c == 0xc2 && (unsigned char)s.data[1] < 0xa0 ? 0 : len;
}

/* ---- writing ----------------------------------------------------------------------------- */

/* One line of a reply, as much of *rest as fits; the mark before the text is set once it is
 * known whether another line follows. Answers where that mark is. */
static size_t line_write(
	struct buf *out, const char *prefix, size_t code_at, struct str *rest, bool utf8)
{
	size_t start = out->len, room, mark;

	buf_add_c(out, prefix);
	mark = start + code_at;
	room = REPLY_OUT_MAX - 2 - (out->len - start);
	while (rest->len > 0) {
		size_t len = text_char(*rest, utf8), take = len > 0 ? len : 1;

		if (take > room)
			break;
		if (len > 0)
			buf_add(out, str_slice(*rest, 0, len));
		else
			buf_add_char(out, '?');
		room -= take;
		*rest = str_slice(*rest, take, rest->len);
	}
	buf_add_c(out, "\r\n");
	return mark;
}

void reply_write(struct buf *out, unsigned code, const char *enhanced, struct str text, bool utf8)
{
	char prefix[32];
	struct str line;
	size_t mark = 0;

	must(code >= 200 && code <= 599);
	if (enhanced && !enhanced_valid(str_c(enhanced), code))
		enhanced = NULL;
	snprintf(prefix, sizeof prefix, "%u-%s%s", code, enhanced ? enhanced : "",
		enhanced ? " " : "");
	if (text.len == 0)
		text = STR(""); /* also of no text a line is made */
	else if (text.data[text.len - 1] == '\n')
		text.len--;
	while (str_split(&text, '\n', &line)) {
		if (line.len > 0 && line.data[line.len - 1] == '\r')
			line.len--;
		do {
			mark = line_write(out, prefix, CODE_LEN, &line, utf8);
		} while (line.len > 0);
	}
	out->data[mark] = ' ';
}

/* ---- reading ----------------------------------------------------------------------------- */

static enum reply_result reply_bad(struct reply *reply, const char *why)
{
	reply->bad = why;
	return REPLY_BAD;
}

/* The code at the front of a line, or 0. */
static unsigned code_read(struct str line)
{
	unsigned code = 0;

	if (line.len < CODE_LEN)
		return 0;
	for (size_t i = 0; i < CODE_LEN; i++) {
		if (line.data[i] < '0' || line.data[i] > '9')
			return 0;
		code = code * 10 + (unsigned)(line.data[i] - '0');
	}
	return code >= 200 && code <= 599 ? code : 0;
}

/* Takes the enhanced code off the text's front; the first one of a reply is kept. */
static void enhanced_take(struct reply *reply, struct str *text)
{
	ptrdiff_t blank = str_find(*text, ' ');
	struct str word = blank < 0 ? *text : str_slice(*text, 0, (size_t)blank);

	if (word.len >= sizeof reply->enhanced || !enhanced_valid(word, reply->code))
		return;
	if (!reply->enhanced[0]) {
		memcpy(reply->enhanced, word.data, word.len);
		reply->enhanced[word.len] = '\0';
	}
	*text = str_slice(*text, word.len + 1, text->len);
}

static void text_add(struct reply *reply, struct str text)
{
	if (reply->lines > 0)
		buf_add_char(&reply->text, '\n');
	while (text.len > 0) {
		size_t len = text_char(text, true);

		if (len > 0)
			buf_add(&reply->text, str_slice(text, 0, len));
		else
			buf_add_char(&reply->text, '?');
		text = str_slice(text, len > 0 ? len : 1, text.len);
	}
	reply->lines++;
}

/* One line without its end. */
static enum reply_result line_take(struct reply *reply, struct str line)
{
	unsigned code = code_read(line);
	struct str text = str_slice(line, CODE_LEN + 1, line.len);
	bool more = line.len > CODE_LEN && line.data[CODE_LEN] == '-';

	if (code == 0 || (line.len > CODE_LEN && line.data[CODE_LEN] != ' ' && !more))
		return reply_bad(reply, "no reply code");
	if (reply->lines > 0 && code != reply->code)
		return reply_bad(reply, "different codes in one reply");
	if (reply->lines == REPLY_LINES_MAX)
		return reply_bad(reply, "too many lines");
	if (text.len + reply->text.len + 1 > REPLY_MAX)
		return reply_bad(reply, "too long");
	reply->code = code;
	enhanced_take(reply, &text);
	text_add(reply, text);
	return more ? REPLY_MORE : REPLY_DONE;
}

enum reply_result reply_read(struct reply *reply, struct str *in)
{
	enum reply_result result = reply->bad ? REPLY_BAD : REPLY_MORE;

	while (result == REPLY_MORE) {
		/* A line that is too long is so before its end has come. */
		ptrdiff_t lf = str_find(str_slice(*in, 0, REPLY_LINE_MAX), '\n');
		struct str line;

		if (lf < 0 && in->len >= REPLY_LINE_MAX)
			return reply_bad(reply, "a line without an end");
		if (lf < 0)
			return REPLY_MORE;
		line = str_slice(*in, 0, (size_t)lf);
		if (line.len > 0 && line.data[line.len - 1] == '\r')
			line.len--;
		result = line_take(reply, line);
		if (result != REPLY_BAD)
			*in = str_slice(*in, (size_t)lf + 1, in->len);
	}
	return result;
}

void reply_reset(struct reply *reply)
{
	struct buf text = reply->text;

	buf_clear(&text);
	*reply = (struct reply){ .text = text };
}

void reply_free(struct reply *reply)
{
	buf_free(&reply->text);
	*reply = (struct reply){ .code = 0 };
}
