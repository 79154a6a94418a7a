/* SPDX-License-Identifier: MIT
 *
 * Reading names out of resource data. Pure; what is not well formed is refused.
 */
#include "base/rdata.h"

/* Letters, digits, hyphen and underscore, and whatever else is printable but means something
 * to nobody: a dot inside a label or a backslash would make another name of it. */
static bool is_plain(unsigned char c)
{
	return c > ' ' && c < 127 && c != '.' && c != '\\';
}

bool dns_name(struct str rdata, size_t at, char text[256])
{
	char made[256];
	size_t len = 0;

	for (;;) {
		if (at >= rdata.len)
			return false;
		size_t label = (unsigned char)rdata.data[at++];
		if (label == 0)
			break;
		/* Above 63 it is a pointer, which uncompressed data does not have. 255 octets
		 * on the wire (RFC 1035 2.3.4) are 253 as text. */
		if (label > 63 || label > rdata.len - at || len + label + 1 > 254)
			return false;
		for (size_t i = 0; i < label; i++) {
			unsigned char c = (unsigned char)rdata.data[at++];
			if (!is_plain(c))
				return false;
			made[len++] = ascii_lower((char)c);
		}
		made[len++] = '.';
	}
	if (len > 0)
		len--;
	memcpy(text, made, len);
	text[len] = '\0';
	return true;
}

bool dns_mx(struct str rdata, uint16_t *preference, char host[256])
{
	if (rdata.len < 3 || !dns_name(rdata, 2, host))
		return false;
	*preference = (uint16_t)((unsigned char)rdata.data[0] << 8 | (unsigned char)rdata.data[1]);
	return true;
}
