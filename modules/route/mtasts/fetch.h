/* SPDX-License-Identifier: MIT
 *
 * Policies from the web: one thread that has many transfers under way (RFC 8461 3.3). Whether one
 * of a domain is is not known here. Where the web server is, who asks has found out.
 */
#ifndef MTASTS_FETCH_H
#define MTASTS_FETCH_H

#include "base/buf.h"

enum { FETCH_BODY_MAX = 64 * 1024 };

struct fetched {
	struct str domain, id; /* as they were asked for */
	struct str body;       /* of a success; else */
	struct str result;     /* in the words of RFC 8460 4.3 */
	struct str why;
};

struct fetcher;

/* `done` runs on its thread. NULL: there can be none. */
struct fetcher *fetcher_new(const char *ca_file, int64_t timeout_ms,
	void (*done)(void *ctx, const struct fetched *), void *ctx);
/* From any thread; addresses as "192.0.2.1,[2001:db8::1]". */
void fetch_start(struct fetcher *f, struct str domain, struct str id, struct str addresses);
/* What is under way is dropped: nobody waits for it any more. */
void fetcher_free(struct fetcher **f);

#endif
