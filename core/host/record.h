/* SPDX-License-Identifier: MIT
 *
 * Who said what, at which point, after how long: what `tmail explain` and `tmail trace` read.
 * Nothing is kept, and no clock is read, unless somebody wants it: a subject that is dry, or a
 * sink.
 */
#ifndef HOST_RECORD_H
#define HOST_RECORD_H

#include "host/subject.h"

enum { RECORD_MAX = 256 }; /* of a subject; then the oldest go */

struct record_entry {
	struct record_entry *next;
	enum tmail_point point;
	const struct instance *instance;
	int verdict;      /* enum tmail_verdict, or RECORD_* */
	int64_t took;     /* microseconds */
	unsigned code;    /* of a refusal */
	struct str words; /* the reply's, the hold's, or what went wrong */
};
enum { RECORD_NOT_ASKED = -1, RECORD_FAILED = -2 };

/* Called with each entry of what is not dry, on the loop of its subject, which must not wait;
 * NULL: nobody. Set at start. */
void record_sink(void (*sink)(const struct subject *s, const struct record_entry *entry));
bool record_wanted(const struct subject *s);
void record_add(struct subject *s, const struct record_entry *entry);
/* Of a dry subject, oldest first; as long as the subject. */
const struct record_entry *record_of(const struct subject *s);
void record_end(struct subject *s);

const char *point_name(enum tmail_point point);       /* "RCPT" */
const char *verdict_name(enum tmail_verdict verdict); /* "REJECT" */

#endif
