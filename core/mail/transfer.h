/* SPDX-License-Identifier: MIT
 *
 * The two encodings that make 7 bit of anything (RFC 2045 6.7, 6.8), written piece by piece:
 * however the octets are cut, what comes out is the same. Zeroed is the start.
 */
#ifndef MAIL_TRANSFER_H
#define MAIL_TRANSFER_H

#include "base/buf.h"

enum { TRANSFER_LINE = 76, BASE64_OF_LINE = 57 };

/* CRLF stays a line's end. No line begins with "-": none can be taken for a boundary. */
struct quoted_writer {
	uint8_t column;
	char held; /* CR or blank: what it becomes depends on what follows */
};
void quoted_write(struct quoted_writer *w, struct str in, struct buf *out);
void quoted_finish(struct quoted_writer *w, struct buf *out);

struct base64_writer {
	char octets[BASE64_OF_LINE];
	size_t count;
};
void base64_write(struct base64_writer *w, struct str in, struct buf *out);
/* Ends the last line. */
void base64_finish(struct base64_writer *w, struct buf *out);

#endif
