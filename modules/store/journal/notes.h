/* SPDX-License-Identifier: MIT
 *
 * What the store has to say and to count. A module may speak only in a call; the store's own
 * thread has none, so lines and counts wait here until the next call takes them. Any thread.
 */
#ifndef JOURNAL_NOTES_H
#define JOURNAL_NOTES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <tmail/module.h>

enum note_metric {
	METRIC_BATCHES,
	METRIC_MESSAGES,
	METRIC_FLUSH_FAILURES,
	METRIC_UNSETTLED,
	METRIC_REFUSED_FULL,
	METRIC_COPIED,
	METRIC_DAMAGED,
	METRIC_INDEXED,
	METRIC_FILES_MADE,
	METRIC_COUNT
};
extern const struct tmail_metric journal_metrics[METRIC_COUNT];

enum { NOTES_MOST = 64, NOTE_TEXT = 320 };

struct note_line {
	enum tmail_level level;
	const char *event; /* a constant */
	char text[NOTE_TEXT];
};
struct notes {
	pthread_mutex_t lock;
	struct note_line *lines;
	unsigned count, lost;
	atomic_bool waiting; /* lines are there */
	atomic_uint_fast64_t metrics[METRIC_COUNT];
};

void notes_init(struct notes *n);
void notes_free(struct notes *n);
/* One line, `event` and text; beyond NOTES_MOST they are counted only. */
void note(struct notes *n, enum tmail_level level, const char *event, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void note_count(struct notes *n, enum note_metric metric, uint64_t by);
/* Takes the oldest line; false: none is there. */
bool notes_take(struct notes *n, struct note_line *line);
/* Says and counts all through the call's host. */
void notes_tell(struct notes *n, struct tmail_call *call);

#endif
