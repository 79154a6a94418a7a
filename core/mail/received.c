/* SPDX-License-Identifier: MIT
 *
 * The trace field put on top of a message (RFC 5321 4.4). Much of it is what a stranger said of
 * himself: nothing of that may end a comment, a clause or a line.
 */
#include "base/encode.h"
#include "mail/domain.h"
#include "mail/header.h"

enum { WORD_MAX = 255 };

/* Of a HELO name: only what names and literals are made of. */
static bool is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		(c != '\0' && strchr(".-_:[]", c) != NULL);
}

/* Of words in comments: ctext (RFC 5322 3.2.2), and blanks. */
static bool is_comment(char c)
{
	return c >= ' ' && c < 0x7f && c != '(' && c != ')' && c != '\\';
}

static void add_safe(struct buf *out, struct str s, bool (*safe)(char))
{
	for (size_t i = 0; i < s.len && i < WORD_MAX; i++)
		buf_add_char(out, safe(s.data[i]) ? s.data[i] : '?');
}

/* An address as it is; octets that no address of ours has, and ill-formed UTF-8, become '?'. */
static void add_address(struct buf *out, struct str s)
{
	while (s.len > 0) {
		size_t len = utf8_char(s);

		if (len == 0 || (unsigned char)s.data[0] < ' ' || s.data[0] == 0x7f) {
			buf_add_char(out, '?');
			len = 1;
		} else {
			buf_add(out, str_slice(s, 0, len));
		}
		s = str_slice(s, len, s.len);
	}
}

static void from_write(struct buf *out, const struct received *r)
{
	if (r->helo.len == 0 && r->address.len == 0)
		return;
	buf_add_c(out, " from ");
	if (r->helo.len > 0)
		add_safe(out, r->helo, is_name);
	else
		buf_add_c(out, "unknown");
	if (r->address.len > 0) {
		buf_add_c(out, " (");
		if (r->reverse_name.len > 0) {
			add_safe(out, r->reverse_name, is_name);
			buf_add_char(out, ' ');
		}
		buf_add_c(out, r->ipv6 ? "[IPv6:" : "[");
		add_safe(out, r->address, is_name);
		buf_add_c(out, "])");
	}
	buf_add_c(out, "\r\n\t");
}

static void comments_write(struct buf *out, const struct received *r)
{
	if (r->tls_version.len > 0) {
		buf_add_c(out, "(using ");
		add_safe(out, r->tls_version, is_comment);
		if (r->tls_cipher.len > 0) {
			buf_add_c(out, " with cipher ");
			add_safe(out, r->tls_cipher, is_comment);
		}
		buf_add_c(out, ")\r\n\t");
	}
	if (r->login.len > 0) {
		buf_add_c(out, "(authenticated as ");
		add_safe(out, r->login, is_comment);
		buf_add_c(out, ")\r\n\t");
	}
}

void received_write(struct buf *out, const struct received *received)
{
	char date[40];

	buf_add_c(out, "Received:");
	from_write(out, received);
	comments_write(out, received);
	/* Behind "from" the line was folded and begins with a tab. */
	buf_add_c(out, out->data[out->len - 1] == '\t' ? "by " : " by ");
	add_safe(out, received->by, is_name);
	if (received->with.len > 0) {
		buf_add_c(out, " with ");
		add_safe(out, received->with, is_name);
	}
	if (received->id.len > 0) {
		buf_add_c(out, " id ");
		add_safe(out, received->id, is_name);
	}
	if (received->recipient.len > 0) {
		buf_add_c(out, "\r\n\tfor <");
		add_address(out, received->recipient);
		buf_add_c(out, ">");
	}
	date_text(received->date, date);
	buf_add_c(out, ";\r\n\t");
	buf_add_c(out, date);
	buf_add_c(out, "\r\n");
}
