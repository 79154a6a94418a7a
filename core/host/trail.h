/* SPDX-License-Identifier: MIT
 *
 * The trail: every event that is told of a session, a message or a connection (log_event with
 * an id among its fields), and every verdict, kept in a ring file whatever the log's level, and
 * found again by the id. What `tmail trace` shows.
 *
 * An event tells of what its ids name. The field "id" (a module's: "message") is a message; all
 * others are what a message has to do with: its session, connections, the report about it. An
 * event with both ties them: what is told of the one alone is then part of the other's trail.
 */
#ifndef HOST_TRAIL_H
#define HOST_TRAIL_H

#include "base/fail.h"
#include "base/log.h"

/* ---- writing: one for the process; listens to the log and to verdicts while it runs ---- */
bool trail_start(const char *path, uint64_t size, struct why *why);
/* What was told before can be read; waits. Harmless when it does not run. */
void trail_flush(void);
void trail_stop(void);

/* ---- reading: any process that may read the file ---- */
enum { TRAIL_FIELDS = 32 };
struct trail_event {
	int64_t time;  /* microseconds since 1970 */
	uint64_t lost; /* so many events are missing here; there is nothing else in it then */
	const char *name;
	struct log_field fields[TRAIL_FIELDS]; /* without LOG_KIND_NONE */
	size_t count;
};
enum trail_found {
	TRAIL_FOUND,
	TRAIL_TOO_OLD, /* than the oldest that is kept */
	TRAIL_UNKNOWN, /* nothing was ever told of it */
	TRAIL_UNREADABLE
};
struct trail_kept {
	int64_t since; /* of when the oldest event of all is; 0: there is none */
	uint64_t lost; /* events that are missing after the id was made */
};
/* What is told of an id, oldest first. *kept is set unless TRAIL_UNREADABLE, which has a why. */
enum trail_found trail_read(const char *path, struct id id,
	void (*each)(void *ctx, const struct trail_event *event), void *ctx,
	struct trail_kept *kept, struct why *why);

#endif
