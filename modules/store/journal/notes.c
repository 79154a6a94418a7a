/* SPDX-License-Identifier: MIT
 *
 * The notes of a store: a short list of lines and a counter for each metric.
 */
#include "notes.h"

#include "base/fail.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct tmail_metric journal_metrics[METRIC_COUNT] = {
	[METRIC_BATCHES] = { "journal_batches", TMAIL_COUNTER, "Batches written, one flush each." },
	[METRIC_MESSAGES] = { "journal_messages", TMAIL_COUNTER, "Messages made durable." },
	[METRIC_FLUSH_FAILURES] = { "journal_flush_failures", TMAIL_COUNTER,
		"Writes or flushes that failed and ended a file." },
	[METRIC_UNSETTLED] = { "journal_unsettled", TMAIL_COUNTER,
		"Messages of which nobody could say whether they are kept, until the next file." },
	[METRIC_REFUSED_FULL] = { "journal_refused_full", TMAIL_COUNTER,
		"Messages refused for want of room." },
	[METRIC_COPIED] = { "journal_copied", TMAIL_COUNTER,
		"Messages copied to the end so that an old file could be used again." },
	[METRIC_DAMAGED] = { "journal_damaged", TMAIL_COUNTER,
		"Damaged places found and put into quarantine." },
	[METRIC_INDEXED] = { "journal_indexed", TMAIL_COUNTER,
		"Messages written to the index of what waits." },
	[METRIC_FILES_MADE] = { "journal_files_made", TMAIL_COUNTER,
		"Files made for the journal." },
};

void notes_init(struct notes *n)
{
	memset(n, 0, sizeof *n);
	pthread_mutex_init(&n->lock, NULL);
	n->lines = must_alloc(NOTES_MOST * sizeof *n->lines);
}

void notes_free(struct notes *n)
{
	pthread_mutex_destroy(&n->lock);
	free(n->lines);
}

void note(struct notes *n, enum tmail_level level, const char *event, const char *format, ...)
{
	va_list args;

	pthread_mutex_lock(&n->lock);
	if (n->count == NOTES_MOST) {
		n->lost++;
	} else {
		struct note_line *line = &n->lines[n->count++];

		line->level = level;
		line->event = event;
		va_start(args, format);
		vsnprintf(line->text, sizeof line->text, format, args);
		va_end(args);
	}
	atomic_store_explicit(&n->waiting, true, memory_order_relaxed);
	pthread_mutex_unlock(&n->lock);
}

void note_count(struct notes *n, enum note_metric metric, uint64_t by)
{
	atomic_fetch_add_explicit(&n->metrics[metric], by, memory_order_relaxed);
}

bool notes_take(struct notes *n, struct note_line *line)
{
	bool found = false;

	pthread_mutex_lock(&n->lock);
	if (n->count) {
		*line = n->lines[0];
		memmove(n->lines, n->lines + 1, --n->count * sizeof *n->lines);
		found = true;
	} else if (n->lost) {
		*line = (struct note_line){ .level = TMAIL_WARNING, .event = "journal_lines_lost" };
		snprintf(line->text, sizeof line->text, "%u", n->lost);
		n->lost = 0;
		found = true;
	} else {
		atomic_store_explicit(&n->waiting, false, memory_order_relaxed);
	}
	pthread_mutex_unlock(&n->lock);
	return found;
}

void notes_tell(struct notes *n, struct tmail_call *call)
{
	struct note_line line;

	for (uint32_t i = 0; i < METRIC_COUNT; i++) {
		uint64_t by = 0;

		if (atomic_load_explicit(&n->metrics[i], memory_order_relaxed))
			by = atomic_exchange_explicit(&n->metrics[i], 0, memory_order_relaxed);
		if (by)
			call->host->count(call, i, by);
	}
	if (!atomic_load_explicit(&n->waiting, memory_order_relaxed))
		return;
	while (notes_take(n, &line)) {
		struct tmail_field field = { "what", { line.text, strlen(line.text) } };

		call->host->log(call, line.level, line.event, &field, 1);
	}
}
