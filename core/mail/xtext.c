/* SPDX-License-Identifier: MIT
 *
 * xtext (RFC 3461 4): printable ASCII but "+" and "=", and "+" with two upper case hexadecimal
 * digits for any octet. What an octet may be is the business of who asked for it. Its cousin for
 * addresses in UTF-8 (RFC 6533 3) has "\x{" hexadecimal digits "}" for a character.
 */
#include "mail/command.h"

#include "base/encode.h"

#include <stdio.h>

static const char digits[] = "0123456789ABCDEF";

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool is_xchar(char c)
{
	return c > ' ' && c < 0x7f && c != '+' && c != '=';
}

bool xtext_decode(struct str in, struct arena *arena, struct str *out)
{
	char *text = arena_alloc(arena, in.len + 1);
	size_t len = 0;

	for (size_t i = 0; i < in.len; i++) {
		int high, low;

		if (is_xchar(in.data[i])) {
			text[len++] = in.data[i];
			continue;
		}
		if (in.data[i] != '+' || in.len - i < 3)
			return false;
		high = hex_value(in.data[i + 1]);
		low = hex_value(in.data[i + 2]);
		if (high < 0 || low < 0)
			return false;
		text[len++] = (char)(high << 4 | low);
		i += 2;
	}
	*out = str_make(text, len);
	return true;
}

struct str xtext_encode(struct str in, struct arena *arena)
{
	char *text = arena_alloc(arena, 3 * in.len + 1);
	size_t len = 0;

	for (size_t i = 0; i < in.len; i++) {
		unsigned char c = (unsigned char)in.data[i];

		if (is_xchar(in.data[i])) {
			text[len++] = in.data[i];
			continue;
		}
		text[len++] = '+';
		text[len++] = digits[c >> 4];
		text[len++] = digits[c & 15];
	}
	return str_make(text, len);
}

static uint32_t code_point(struct str c)
{
	uint32_t code = (unsigned char)c.data[0];

	if (c.len > 1)
		code &= 0xffu >> (c.len + 1);
	for (size_t i = 1; i < c.len; i++)
		code = code << 6 | ((unsigned char)c.data[i] & 0x3f);
	return code;
}

struct str utf8_address_encode(struct str in, struct arena *arena)
{
	enum { LONGEST = sizeof "\\x{10FFFF}" };
	char *text = arena_alloc(arena, LONGEST * in.len + 1);
	size_t len = 0;

	while (in.len > 0) {
		size_t octets = utf8_char(in);
		struct str c = str_slice(in, 0, octets > 0 ? octets : 1);

		if (is_xchar(c.data[0]) && c.data[0] != '\\')
			text[len++] = c.data[0];
		else
			len += (size_t)snprintf(
				text + len, LONGEST, "\\x{%02X}", (unsigned)code_point(c));
		in = str_slice(in, c.len, in.len);
	}
	return str_make(text, len);
}
