/* SPDX-License-Identifier: MIT
 *
 * base64, hexadecimal, quoting for logs and JSON, and UTF-8. The checksum is in crc32c.c.
 */
#include "base/encode.h"

static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char hex_digits[] = "0123456789abcdef";

void base64_encode(struct buf *out, struct str in)
{
	const unsigned char *at = (const unsigned char *)in.data;
	size_t left = in.len;
	char *to = buf_reserve(out, in.len / 3 * 4 + 4), *start = to;

	for (; left >= 3; at += 3, left -= 3) {
		*to++ = base64_digits[at[0] >> 2];
		*to++ = base64_digits[(at[0] & 3) << 4 | at[1] >> 4];
		*to++ = base64_digits[(at[1] & 15) << 2 | at[2] >> 6];
		*to++ = base64_digits[at[2] & 63];
	}
	if (left) {
		unsigned second = left == 2 ? at[1] : 0;

		*to++ = base64_digits[at[0] >> 2];
		*to++ = base64_digits[(at[0] & 3) << 4 | second >> 4];
		*to++ = left == 2 ? base64_digits[(second & 15) << 2] : '=';
		*to++ = '=';
	}
	out->len += (size_t)(to - start);
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_decode(struct buf *out, struct str in)
{
	size_t padding = 0;

	if (in.len % 4)
		return false;
	while (padding < 2 && padding < in.len && in.data[in.len - 1 - padding] == '=')
		padding++;
	for (size_t at = 0; at < in.len; at += 4) {
		size_t digits = at + 4 == in.len ? 4 - padding : 4;
		uint32_t group = 0;

		for (size_t i = 0; i < digits; i++) {
			int value = base64_value(in.data[at + i]);

			if (value < 0)
				return false;
			group |= (uint32_t)value << (18 - 6 * i);
		}
		/* Bits that stand for nothing must be zero: one text, one spelling. */
		if (digits < 4 && group & (digits == 3 ? 0xffu : 0xffffu))
			return false;
		for (size_t i = 0; i + 1 < digits; i++)
			buf_add_char(out, (char)(group >> (16 - 8 * i)));
	}
	return true;
}

void hex_encode(struct buf *out, struct str in)
{
	char *to = buf_reserve(out, in.len * 2);

	for (size_t i = 0; i < in.len; i++) {
		*to++ = hex_digits[(unsigned char)in.data[i] >> 4];
		*to++ = hex_digits[in.data[i] & 15];
	}
	out->len += in.len * 2;
}

static int hex_value(char c)
{
	c = ascii_lower(c);
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_decode(struct buf *out, struct str in)
{
	if (in.len % 2)
		return false;
	for (size_t i = 0; i < in.len; i += 2) {
		int high = hex_value(in.data[i]), low = hex_value(in.data[i + 1]);

		if (high < 0 || low < 0)
			return false;
		buf_add_char(out, (char)(high << 4 | low));
	}
	return true;
}

void quote(struct buf *out, struct str in)
{
	for (size_t i = 0; i < in.len; i++) {
		char c = in.data[i];

		if (c >= ' ' && c <= '~') {
			if (c == '"' || c == '\\')
				buf_add_char(out, '\\');
			buf_add_char(out, c);
		} else {
			buf_add(out, STR("\\x"));
			hex_encode(out, str_make(&c, 1));
		}
	}
}

static void json_escape(struct buf *out, char c)
{
	static const char names[][2] = { { '"', '"' }, { '\\', '\\' }, { '\n', 'n' }, { '\r', 'r' },
		{ '\t', 't' } };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (names[i][0] == c) {
			buf_add_char(out, '\\');
			buf_add_char(out, names[i][1]);
			return;
		}
	buf_add(out, STR("\\u00"));
	hex_encode(out, str_make(&c, 1));
}

void json_quote(struct buf *out, struct str in)
{
	buf_add_char(out, '"');
	while (in.len) {
		unsigned char c = (unsigned char)in.data[0];
		size_t len = c < 0x80 ? 1 : utf8_char(in);

		if (c < ' ' || c == '"' || c == '\\' || c == 0x7f)
			json_escape(out, in.data[0]);
		else if (len)
			buf_add(out, str_slice(in, 0, len));
		else
			buf_add(out, STR("\xef\xbf\xbd"));
		in = str_slice(in, len ? len : 1, in.len);
	}
	buf_add_char(out, '"');
}

size_t utf8_char(struct str s)
{
	const unsigned char *c = (const unsigned char *)s.data;
	unsigned char low = 0x80, high = 0xbf; /* of the second octet */
	size_t len;

	if (s.len == 0)
		return 0;
	if (c[0] < 0x80)
		return 1;
	if (c[0] < 0xc2 || c[0] > 0xf4)
		return 0;
	len = c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : 4;
	if (c[0] == 0xe0)
		low = 0xa0; /* shorter forms exist below */
	else if (c[0] == 0xed)
		high = 0x9f; /* surrogates */
	else if (c[0] == 0xf0)
		low = 0x90;
	else if (c[0] == 0xf4)
		high = 0x8f; /* beyond U+10FFFF */
	if (s.len < len || c[1] < low || c[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((c[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

bool utf8_valid(struct str s)
{
	while (s.len) {
		size_t len = utf8_char(s);

		if (len == 0)
			return false;
		s = str_slice(s, len, s.len);
	}
	return true;
}

bool ascii_only(struct str s)
{
	uint64_t all = 0, octets;
	size_t i = 0;

	for (; s.len - i >= sizeof octets; i += sizeof octets) {
		memcpy(&octets, s.data + i, sizeof octets);
		all |= octets;
	}
	for (; i < s.len; i++)
		all |= (unsigned char)s.data[i];
	return !(all & 0x8080808080808080);
}
