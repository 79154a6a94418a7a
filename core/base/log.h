/* SPDX-License-Identifier: MIT
 *
 * One event, one line, fields not prose. base formats and hands the line to the sink that sys
 * installs (a ring written by a thread of its own); without one it goes to stderr.
 *
 *   log_event(LEVEL_INFO, &session->context, "mail_accepted", LOG_STR("from", s),
 *           LOG_NUM("size", n));
 *
 * A line has at most 8 KiB; a longer one is cut inside a value and ends in cut=true.
 *
 * Text:  2026-11-22T10:00:00.123456Z info mail_accepted session=... from=a@b size=4096
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/id.h"

enum log_level { LEVEL_ERROR, LEVEL_WARNING, LEVEL_INFO, LEVEL_DEBUG };
enum log_format { LOG_TEXT, LOG_JSON };

enum log_kind { LOG_KIND_STR, LOG_KIND_NUM, LOG_KIND_ID, LOG_KIND_NONE };
struct log_field {
	const char *name;
	enum log_kind kind;
	struct str str; /* quoted when it needs to be: what a peer said is never trusted */
	int64_t num;
	struct id id;
};
#define LOG_STR(name_, s) ((struct log_field){ .name = (name_), .kind = LOG_KIND_STR, .str = (s) })
#define LOG_C(name_, c) LOG_STR(name_, str_c(c))
#define LOG_NUM(name_, n)                                                                          \
	((struct log_field){ .name = (name_), .kind = LOG_KIND_NUM, .num = (int64_t)(n) })
#define LOG_ID(name_, i) ((struct log_field){ .name = (name_), .kind = LOG_KIND_ID, .id = (i) })
/* A field that is left out when the condition does not hold. */
#define LOG_IF(condition, field)                                                                   \
	((condition) ? (field) : (struct log_field){ .kind = LOG_KIND_NONE })

/* Fields that every line of a session, message or module carries. */
struct log_context {
	const struct log_context *parent;
	const struct log_field *fields;
	size_t count;
};

extern _Atomic(enum log_level) log_threshold; /* set at start and reload; read by anyone */

/* Hears of every event of the core as it is made, on its thread, also of those below the
 * threshold; must not wait. What is told of sessions and messages is kept that way. */
typedef void log_listener(const struct log_context *context, const char *event,
	const struct log_field *fields, size_t count);
extern _Atomic(log_listener *) log_heard; /* NULL: nobody listens */

/* As a line, whatever the threshold says. */
void log_write(enum log_level level, const struct log_context *context, const char *event,
	const struct log_field *fields, size_t count);
/* To the listener, and as a line if the threshold lets it. */
void log_make(enum log_level level, const struct log_context *context, const char *event,
	const struct log_field *fields, size_t count);
#define LOG_FIELDS(...) ((const struct log_field[]){ { .kind = LOG_KIND_NONE }, ##__VA_ARGS__ })
#define LOG_CALL(make, level, context, event, ...)                                                 \
	make((level), (context), (event), LOG_FIELDS(__VA_ARGS__),                                 \
		sizeof LOG_FIELDS(__VA_ARGS__) / sizeof(struct log_field))
#define log_event(level, context, event, ...)                                                      \
	((level) > log_threshold && !log_heard                                                     \
			? (void)0                                                                  \
			: LOG_CALL(log_make, (level), (context), (event), ##__VA_ARGS__))
/* For who looks for a bug in tmail: not for the listener. */
#define log_debug(context, event, ...)                                                             \
	(LEVEL_DEBUG > log_threshold                                                               \
			? (void)0                                                                  \
			: LOG_CALL(log_write, LEVEL_DEBUG, (context), (event), ##__VA_ARGS__))

/* Set once at start. sink gets one line with its LF; any thread. NULL: stderr. */
void log_setup(enum log_level threshold, enum log_format format,
	void (*sink)(enum log_level level, struct str line));
/* Where the time of a line comes from; microseconds since 1970. sys sets it. */
void log_clock(int64_t (*now)(void));

#endif
