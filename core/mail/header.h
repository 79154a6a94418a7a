/* SPDX-License-Identifier: MIT
 *
 * The header of a message (RFC 5322 2.2): fields found, counted, changed. Octets are kept as
 * they came but for what is asked.
 */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include "base/buf.h"

struct header_field {
	struct str name;  /* without blanks before the colon */
	struct str value; /* behind the colon, folded as sent, without the last CRLF */
	struct str whole; /* with its CRLF */
};
/* The next field; *rest starts at the header's first octet. False at the empty line or at the
 * end, with *rest behind the empty line. A line that is no field ends the header: what follows
 * is body (nothing is lost). */
bool header_next(struct str *rest, struct header_field *field);
/* Offset of the body: behind the empty line, or where the header stops. */
size_t header_end(struct str message);
/* As it streams: true once `message` (all so far) holds the header's end; *end is set. */
bool header_complete(struct str message, size_t *end);
bool header_find(struct str header, struct str name, unsigned n, struct header_field *field);
unsigned header_count(struct str header, struct str name);
/* May it name a field: printable ASCII but the colon, and something? */
bool header_name_valid(struct str name);
/* "Name: value\r\n"; a value that starts with a blank keeps its own. LF in value becomes CRLF and
 * a blank if none follows; empty lines are dropped; control octets become '?'; lines over 998
 * octets are folded at blanks where there are some. */
void header_write(struct buf *out, struct str name, struct str value);

/* "Sun, 22 Nov 2026 10:00:00 +0000" (RFC 5322 3.3), always in UTC; room for 40 octets. */
void date_text(int64_t us, char text[40]);

/* One Received field (RFC 5321 4.4). Empty members are left out. */
struct received {
	struct str helo, reverse_name, address; /* address: text, IPv6 without its tag */
	bool ipv6;
	struct str by, with; /* host name; "ESMTP", "ESMTPSA", "UTF8SMTPS" ... (RFC 3848, 6531) */
	struct str tls_version, tls_cipher, login, id, recipient;
	int64_t date; /* microseconds since 1970 */
};
void received_write(struct buf *out, const struct received *received);

#endif
