/* SPDX-License-Identifier: MIT
 *
 * quoted-printable and base64. Of the first, what stands for itself is what every gateway leaves
 * alone but "=" and blanks at a line's end; a line keeps one octet free for the "=" that breaks it.
 */
#include "mail/transfer.h"

#include "base/encode.h"

/* ---- quoted-printable -------------------------------------------------------------------- */

static void room_for(struct quoted_writer *w, unsigned octets, struct buf *out)
{
	if (w->column + octets < TRANSFER_LINE)
		return;
	buf_add_c(out, "=\r\n");
	w->column = 0;
}

static void add_quoted(struct quoted_writer *w, char c, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";

	room_for(w, 3, out);
	buf_add_char(out, '=');
	buf_add_char(out, digits[(unsigned char)c >> 4]);
	buf_add_char(out, digits[c & 15]);
	w->column += 3;
}

static void add_plain(struct quoted_writer *w, char c, struct buf *out)
{
	room_for(w, 1, out);
	if (w->column == 0 && c == '-') {
		add_quoted(w, c, out);
		return;
	}
	buf_add_char(out, c);
	w->column++;
}

/* What was held is followed by c. */
static void let_go(struct quoted_writer *w, char c, struct buf *out)
{
	char held = w->held;

	w->held = '\0';
	if (held == '\r' || c == '\r')
		add_quoted(w, held, out);
	else
		add_plain(w, held, out);
}

static void quoted_step(struct quoted_writer *w, char c, struct buf *out)
{
	if (w->held == '\r' && c == '\n') {
		buf_add_c(out, "\r\n");
		w->column = 0;
		w->held = '\0';
		return;
	}
	if (w->held)
		let_go(w, c, out);
	if (c == '\r' || c == ' ' || c == '\t')
		w->held = c;
	else if (c > ' ' && c < 0x7f && c != '=')
		add_plain(w, c, out);
	else
		add_quoted(w, c, out);
}

void quoted_write(struct quoted_writer *w, struct str in, struct buf *out)
{
	for (size_t i = 0; i < in.len; i++)
		quoted_step(w, in.data[i], out);
}

void quoted_finish(struct quoted_writer *w, struct buf *out)
{
	if (w->held)
		let_go(w, '\r', out);
}

/* ---- base64 ------------------------------------------------------------------------------ */

void base64_write(struct base64_writer *w, struct str in, struct buf *out)
{
	while (in.len > 0) {
		struct str part = str_slice(in, 0, sizeof w->octets - w->count);

		memcpy(w->octets + w->count, part.data, part.len);
		w->count += part.len;
		in = str_slice(in, part.len, in.len);
		if (w->count == sizeof w->octets)
			base64_finish(w, out);
	}
}

void base64_finish(struct base64_writer *w, struct buf *out)
{
	if (w->count == 0)
		return;
	base64_encode(out, str_make(w->octets, w->count));
	buf_add_c(out, "\r\n");
	w->count = 0;
}
