/* SPDX-License-Identifier: MIT
 *
 * Replies (RFC 5321 4.2, RFC 2034): ours written, those of others read.
 */
#ifndef MAIL_REPLY_H
#define MAIL_REPLY_H

#include "base/buf.h"

/* One reply; text may hold LF for more lines; the enhanced code (may be NULL) is put on each.
 * Octets that are not printable ASCII (or, with utf8, well-formed UTF-8) become '?'; lines are
 * cut to 512 octets with CRLF by continuing on a next one. */
void reply_write(struct buf *out, unsigned code, const char *enhanced, struct str text, bool utf8);
/* "5.7.1" or the like for this code's class: of class 2, 4 or 5 and three numbers. */
bool enhanced_valid(struct str s, unsigned code);

/* Of a server, as it arrives. */
enum { REPLY_LINES_MAX = 100, REPLY_LINE_MAX = 2048, REPLY_MAX = 32768 };
enum reply_result {
	REPLY_DONE,
	REPLY_MORE,
	REPLY_BAD /* not a reply: no code, codes that differ, no end in sight, too long, too many */
};
struct reply {
	unsigned code;
	char enhanced[16]; /* "" when it has none, or one of another class */
	struct buf text;   /* lines joined by LF, without codes; control octets as '?' */
	unsigned lines;
	const char *bad; /* REPLY_BAD: why */
};
/* Takes whole lines off *in. A lone LF is taken for a line's end here (others' servers). */
enum reply_result reply_read(struct reply *reply, struct str *in);
void reply_reset(struct reply *reply); /* for the next one; keeps memory */
void reply_free(struct reply *reply);

#endif
