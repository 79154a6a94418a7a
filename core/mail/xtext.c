/* SPDX-License-Identifier: MIT
 *
 * xtext (RFC 3461 4): printable ASCII but "+" and "=", and "+" with two upper case hexadecimal
 * digits for any octet. What an octet may be is the business of who asked for it.
 */
#include "mail/command.h"

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
