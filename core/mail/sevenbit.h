/* SPDX-License-Identifier: MIT
 *
 * A message for servers without 8BITMIME (RFC 6152 3): bodies with 8-bit octets become
 * quoted-printable (text) or base64 (other), their enclosing parts 7bit; everything else stays as
 * it is. A message goes through twice: the first pass sees what there is, and whether it can be
 * done at all; the second writes. Memory is bounded however large the message.
 */
#ifndef MAIL_SEVENBIT_H
#define MAIL_SEVENBIT_H

#include "base/buf.h"

struct sevenbit;

struct sevenbit *sevenbit_new(void);
void sevenbit_free(struct sevenbit **s);

/* First pass. The octets may be cut anywhere; bare CR and LF count as CRLF. */
void sevenbit_look(struct sevenbit *s, struct str octets);
struct sevenbit_seen {
	bool eight;          /* 8-bit octets somewhere; without them there is nothing to do */
	bool header;         /* in a header, of the message, a part or a message inside; or perhaps,
			      * where headers may be that cannot be told from bodies */
	const char *refusal; /* why it cannot be converted, for people: "a signed part ..." */
	uint64_t size;       /* about so many octets when it has been */
};
/* Once, at its end. */
struct sevenbit_seen sevenbit_seen(struct sevenbit *s);

/* Second pass, of the same octets; not of what was refused. */
void sevenbit_write(struct sevenbit *s, struct str octets, struct buf *out);
void sevenbit_finish(struct sevenbit *s, struct buf *out);

#endif
