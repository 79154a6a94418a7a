/* SPDX-License-Identifier: MIT
 *
 * The only place that knows line endings of a message on the wire (RFC 5321 4.1.1.4, 4.5.2).
 * Only CRLF ends a line and only CRLF.CRLF ends the data. One octet-level machine; any cutting
 * of the octets gives the same result. The same machine swallows refused messages.
 */
#ifndef MAIL_DOT_H
#define MAIL_DOT_H

#include "base/buf.h"

/* DATA in. Zeroed is the start (which counts as the start of a line). */
struct dot_reader {
	uint8_t state;
	bool bare_cr, bare_lf, nul; /* seen somewhere: to be refused after the true end */
	bool normalize;             /* bare CR or LF becomes CRLF in the output */
	bool discard;               /* swallow: no output */
	bool long_line;             /* a line over `line_max` was seen */
	uint32_t line, line_max;    /* octets of this line so far; 0: no limit */
};
/* Eats octets of `in` up to the end of data, or all; the message's octets are appended to out,
 * dots unstuffed, CRLFs kept; the final "." line is not part of it. *used says how many octets
 * were eaten. True when the end was found. */
bool dot_read(struct dot_reader *r, struct str in, size_t *used, struct buf *out);

/* The same checks over octets that are not dot-stuffed (BDAT): `out` gets them unchanged, or
 * normalized. line_finish: at the LAST chunk; adds the CRLF that a last line lacks. */
void line_read(struct dot_reader *r, struct str in, struct buf *out);
void line_finish(struct dot_reader *r, struct buf *out);

/* DATA out: stuffs dots; bare CR and LF become CRLF (never sent out). Zeroed is the start. */
struct dot_writer {
	uint8_t state;
};
void dot_write(struct dot_writer *w, struct str in, struct buf *out);
/* The end: a CRLF if the last line lacks one, then ".\r\n". */
void dot_finish(struct dot_writer *w, struct buf *out);

#endif
