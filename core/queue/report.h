/* SPDX-License-Identifier: MIT
 *
 * A report to the sender of a message (RFC 3464, 6533), as a message: what it says to people comes
 * from a template, what it says to programs from mail/dsn.
 */
#ifndef QUEUE_REPORT_H
#define QUEUE_REPORT_H

#include "mail/template.h"
#include "queue/work.h"

struct report_recipient {
	struct str address, original;
	struct str host, reply; /* who answered, and the last words */
	char status[16];
	int64_t last_attempt; /* 0: none */
	bool expired;
};
struct report {
	enum recipient_report kind;
	const struct message *about;
	const struct report_recipient *recipients;
	size_t count;
	struct str content; /* what is known of the original ... */
	bool whole;         /* ... and that is all of it */
};
struct message *report_make(const struct report *r, const struct queue_settings *settings);
/* Octets of the original that a report takes: all (`*whole`), or enough for its header. */
uint64_t report_wants(const struct message *about, uint64_t size, enum recipient_report kind,
	const struct queue_settings *settings, bool *whole);
/* "failure", "delay", ...: also the section of the template. */
struct str report_name(enum recipient_report kind);

/* What a template may say, and the text of those who have none. */
extern const struct template_words report_words;
extern const struct str report_template;

#endif
