/* SPDX-License-Identifier: MIT
 *
 * Records as octets and as text. Whether a TLSA record can be used is the handshake's to say, so
 * nothing is judged here, and what is malformed is shown as it is.
 */
#include "tlsa.h"

#include "base/encode.h"

#include <stdio.h>

enum { USAGE_TA = 2, HEAD = 3 /* usage, selector, matching type */ };
enum { SHOWN_MAX = 64 /* octets: of SHA-512 all */ };

struct str tlsa_owner(struct str base, uint16_t port, char text[TLSA_OWNER_MAX + 1])
{
	int len = snprintf(text, TLSA_OWNER_MAX + 1, "_%u._tcp.%.*s", port,
		base.len > TLSA_NAME_MAX ? TLSA_NAME_MAX : (int)base.len, base.data);

	return str_make(text, (size_t)len);
}

bool tlsa_needs_names(struct str rdata)
{
	return rdata.len > HEAD && rdata.data[0] == USAGE_TA;
}

void tlsa_text(struct str rdata, struct buf *lines)
{
	struct str data = str_slice(rdata, HEAD, rdata.len);

	if (lines->len > 0)
		buf_add_char(lines, '\n');
	for (size_t i = 0; i < HEAD && i < rdata.len; i++)
		buf_printf(lines, "%s%u", i ? " " : "", (unsigned char)rdata.data[i]);
	buf_add_char(lines, ' ');
	hex_encode(lines, str_slice(data, 0, SHOWN_MAX));
	if (data.len > SHOWN_MAX)
		buf_add_c(lines, "...");
}
