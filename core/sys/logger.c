/* SPDX-License-Identifier: MIT
 *
 * The log's lines, put down by whoever logs and written to their sink by a writer (writer.h).
 * What must hold: every line is written or counted as dropped, and the count is logged.
 */
#include "sys/logger.h"

#include "sys/clock.h"
#include "sys/sink.h"
#include "sys/writer.h"

#include <unistd.h>

enum { HALF = 512 * 1024, DOZE_US = 3000 };

static uint64_t lines_write(struct writer *w, struct str lines);
static void file_reopen(struct writer *w);

static struct {
	struct writer writer;
	bool levels; /* each line has an octet for its level in front */
	/* The writer's. */
	struct sink sink;
	uint64_t reported; /* of those that were dropped */
} logger = { .writer = { .half = HALF,
		     .doze = DOZE_US,
		     .prompt = HALF / 2,
		     .write = lines_write,
		     .called = file_reopen,
		     WRITER_INIT } };

static void logger_line(enum log_level level, struct str line)
{
	char octet = (char)('0' + level);

	if (!writer_put(&logger.writer, str_make(&octet, logger.levels), line)) {
		ssize_t ignored = write(STDERR_FILENO, line.data, line.len);

		(void)ignored;
	}
}

static void discard_line(enum log_level level, struct str line)
{
	(void)level;
	(void)line;
}

/* ---- on the writer's thread -------------------------------------------------------------- */

/* As a line of its own, once for all that were lost since the last one. */
static void report_dropped(uint64_t dropped)
{
	uint64_t count = dropped - logger.reported;

	if (count == 0 || atomic_load(&logger.writer.hurry))
		return;
	logger.reported = dropped;
	log_event(LEVEL_WARNING, NULL, "log_lines_dropped", LOG_NUM("count", count));
}

static uint64_t lines_write(struct writer *w, struct str lines)
{
	uint64_t lost = sink_write(&logger.sink, lines, &w->hurry);

	report_dropped(writer_dropped(w) + lost);
	return lost;
}

static void file_reopen(struct writer *w)
{
	struct why why;

	(void)w;
	if (!sink_reopen(&logger.sink, &why))
		log_event(LEVEL_ERROR, NULL, "log_reopen_failed", LOG_C("reason", why.text));
}

/* ---- life -------------------------------------------------------------------------------- */

bool logger_start(enum logger_target target, const char *file, enum log_level threshold,
	enum log_format format, struct why *why)
{
	if (!sink_open(&logger.sink, target, target == LOGGER_FILE ? file : NULL, why))
		return false;
	log_clock(clock_wall);
	if (target == LOGGER_DISCARD) {
		log_setup(threshold, format, discard_line);
		sink_close(&logger.sink);
		return true;
	}
	logger.levels = sink_has_levels(&logger.sink);
	if (!writer_start(&logger.writer, "log", why)) {
		sink_close(&logger.sink);
		return false;
	}
	log_setup(threshold, format, logger_line);
	return true;
}

void logger_reopen(void)
{
	writer_call(&logger.writer);
}

uint64_t logger_dropped(void)
{
	return writer_dropped(&logger.writer);
}

void logger_stop(void)
{
	if (writer_stop(&logger.writer))
		sink_close(&logger.sink);
}
