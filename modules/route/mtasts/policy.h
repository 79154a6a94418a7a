/* SPDX-License-Identifier: MIT
 *
 * The grammar of MTA-STS (RFC 8461 3.1, 3.2, 4.1): the record of DNS, the policy of the web server,
 * and which hosts that admits. Pure.
 */
#ifndef MTASTS_POLICY_H
#define MTASTS_POLICY_H

#include "base/arena.h"
#include "base/buf.h"

enum { STS_ID_MAX = 32, STS_NAME_MAX = 255, STS_PATTERNS_MAX = 512 };
#define STS_AGE_MAX 31557600u /* seconds: a year */

enum sts_mode { STS_NONE = 0, STS_TESTING = 1, STS_ENFORCE = 2 };

struct sts_policy {
	enum sts_mode mode;
	uint32_t max_age;     /* seconds */
	struct str *patterns; /* lower case, no last dot; of NONE perhaps none */
	size_t count;
	struct str lines; /* its known fields, one a line, as reports want them (RFC 8460 4.4) */
};

const char *sts_mode_name(enum sts_mode mode);

/* Appends the text of a TXT record's RDATA: its strings, one after the other. False: malformed. */
bool sts_record_text(struct str rdata, struct buf *text);
/* It begins as one of this kind, and so counts as one although the rest may be wrong. */
bool sts_record_is(struct str text);
/* "v=STSv1; id=20240101;" False: it is not right. *id points into the text. */
bool sts_record_parse(struct str text, struct str *id);

/* NULL, and what is wrong: the first thing that is. All of it lives in the arena. */
struct sts_policy *sts_policy_parse(struct str body, struct arena *arena, const char **wrong);
/* A host, in any case, with or without a dot at its end. */
bool sts_policy_admits(const struct sts_policy *p, struct str host);

#endif
