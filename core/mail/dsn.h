/* SPDX-License-Identifier: MIT
 *
 * Delivery status notifications: a multipart/report (RFC 3464, 3462, 6533).
 */
#ifndef MAIL_DSN_H
#define MAIL_DSN_H

#include "base/arena.h"
#include "base/buf.h"

enum dsn_action { DSN_FAILED, DSN_DELAYED, DSN_DELIVERED, DSN_RELAYED, DSN_EXPANDED };
struct dsn_recipient {
	struct str address, original; /* original: "rfc822;a@b" or empty */
	enum dsn_action action;
	char status[16];       /* "5.1.1" */
	struct str host;       /* Remote-MTA, or empty */
	struct str diagnostic; /* the remote's words with their code: "550 5.1.1 no such user";
				* or why we gave up by ourselves */
	int64_t last_attempt, will_retry_until; /* 0: left out */
};
struct dsn {
	struct str reporting_mta, envid, to, from; /* from: "MAILER-DAEMON@host" */
	struct str message_id;                     /* of the report, without <> */
	struct str queue_id;                       /* of the message it is about */
	struct str subject;                        /* UTF-8; empty: a usual one */
	int64_t date, arrival;
	const struct dsn_recipient *recipients;
	size_t count;
	struct str text;    /* the template, expanded: plain text, LF lines */
	struct str message; /* what is returned: header, or all */
	bool whole;         /* message is all of it: message/rfc822, else text/rfc822-headers */
	bool utf8;          /* addresses need message/global-delivery-status */
};
/* Header and body of the report, CRLF lines of at most 998 octets; longer ones of the returned
 * message are broken by CRLF and a blank. Text or message that is not ASCII makes it 8 bit. */
void dsn_write(struct buf *out, const struct dsn *dsn);

#endif
