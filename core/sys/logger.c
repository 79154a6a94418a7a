/* SPDX-License-Identifier: MIT
 *
 * Lines are copied into one of two halves under a short lock; the writer's thread takes a
 * whole half, gives the other to the callers, and writes without the lock. So a caller waits
 * for a copy of one line at the most, never for a disk.
 *
 * The writer is woken when it sleeps. After it has written something it only dozes for a
 * moment, in which nobody wakes it: on a busy server it finds many lines at once and callers
 * make no system call. What must hold: every line is written or counted as dropped.
 */
#include "sys/logger.h"

#include "sys/clock.h"
#include "sys/sink.h"
#include "sys/thread.h"

#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
	HALF = 512 * 1024,
	KEPT = 64 * 1024, /* of a half; the rest goes back to the kernel after a rush */
	DOZE_US = 3000
};

enum writer_state { AWAKE, DOZING, SLEEPING };

static struct {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool clock_set; /* of the condition */
	bool running;
	enum writer_state writer;
	bool levels; /* each line has an octet for its level in front */
	bool reopen;
	bool ending;
	char *half[2];
	unsigned active; /* the half that callers fill */
	size_t used;     /* of it */
	uint64_t dropped, reported;
	/* The writer's. */
	struct sink sink;
	atomic_bool hurry;
	pthread_t thread;
} logger = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- the callers' side ------------------------------------------------------------------- */

static void write_at_once(struct str line)
{
	ssize_t ignored = write(STDERR_FILENO, line.data, line.len);

	(void)ignored;
}

/* With the lock held. */
static void line_keep(enum log_level level, struct str line)
{
	char *to = logger.half[logger.active] + logger.used;

	if (line.len + 1 > HALF - logger.used) {
		logger.dropped++;
		return;
	}
	if (logger.levels)
		*to++ = (char)('0' + level);
	memcpy(to, line.data, line.len);
	logger.used += line.len + logger.levels;
	/* Half full in one doze: it should not get full. */
	if (logger.writer == SLEEPING || (logger.writer == DOZING && logger.used > HALF / 2)) {
		logger.writer = AWAKE;
		pthread_cond_signal(&logger.wake);
	}
}

static void logger_line(enum log_level level, struct str line)
{
	bool running;

	pthread_mutex_lock(&logger.lock);
	running = logger.running;
	if (running)
		line_keep(level, line);
	pthread_mutex_unlock(&logger.lock);
	if (!running)
		write_at_once(line);
}

static void discard_line(enum log_level level, struct str line)
{
	(void)level;
	(void)line;
}

/* ---- the writer's side ------------------------------------------------------------------- */

static void doze(void)
{
	struct timespec until;

	must(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
	until.tv_nsec += DOZE_US * 1000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	logger.writer = DOZING;
	while (logger.writer == DOZING && !logger.ending && !logger.reopen)
		if (pthread_cond_timedwait(&logger.wake, &logger.lock, &until) != 0)
			break;
	logger.writer = AWAKE;
}

static void sleep_until_woken(void)
{
	logger.writer = SLEEPING;
	while (logger.writer == SLEEPING && !logger.ending && !logger.reopen)
		pthread_cond_wait(&logger.wake, &logger.lock);
	logger.writer = AWAKE;
}

/* Takes the filled half, if it has anything; with the lock held, which is given up meanwhile. */
static bool write_half(void)
{
	struct str lines = { logger.half[logger.active], logger.used };
	uint64_t lost;

	if (lines.len == 0)
		return false;
	logger.active ^= 1;
	logger.used = 0;
	pthread_mutex_unlock(&logger.lock);
	lost = sink_write(&logger.sink, lines, &logger.hurry);
	if (lines.len > KEPT)
		madvise(logger.half[logger.active ^ 1] + KEPT, HALF - KEPT, MADV_DONTNEED);
	pthread_mutex_lock(&logger.lock);
	logger.dropped += lost;
	return true;
}

static void reopen(void)
{
	struct why why;

	logger.reopen = false;
	pthread_mutex_unlock(&logger.lock);
	if (!sink_reopen(&logger.sink, &why))
		log_event(LEVEL_ERROR, NULL, "log_reopen_failed", LOG_C("reason", why.text));
	pthread_mutex_lock(&logger.lock);
}

/* As a line of its own, once for all that were lost since the last one. */
static void report_dropped(void)
{
	uint64_t count = logger.dropped - logger.reported;

	if (count == 0)
		return;
	logger.reported = logger.dropped;
	pthread_mutex_unlock(&logger.lock);
	log_event(LEVEL_WARNING, NULL, "log_lines_dropped", LOG_NUM("count", count));
	pthread_mutex_lock(&logger.lock);
}

static void *writer_thread(void *arg)
{
	bool wrote;

	(void)arg;
	pthread_mutex_lock(&logger.lock);
	for (;;) {
		if (logger.reopen)
			reopen();
		wrote = write_half();
		if (wrote && !logger.ending)
			report_dropped();
		if (logger.ending && !wrote)
			break;
		if (logger.ending || logger.reopen)
			continue;
		if (wrote)
			doze();
		else
			sleep_until_woken();
	}
	pthread_mutex_unlock(&logger.lock);
	return NULL;
}

/* ---- life -------------------------------------------------------------------------------- */

static char *half_new(void)
{
	char *half = mmap(NULL, HALF, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(half != MAP_FAILED);
	return half;
}

static void wake_init(void)
{
	pthread_condattr_t attr;

	if (logger.clock_set)
		return;
	must(pthread_condattr_init(&attr) == 0);
	must(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
	must(pthread_cond_init(&logger.wake, &attr) == 0);
	pthread_condattr_destroy(&attr);
	logger.clock_set = true;
}

bool logger_start(enum logger_target target, const char *file, enum log_level threshold,
	enum log_format format, struct why *why)
{
	must(!logger.running);
	if (!sink_open(&logger.sink, target, target == LOGGER_FILE ? file : NULL, why))
		return false;
	wake_init();
	log_clock(clock_wall);
	if (target == LOGGER_DISCARD) {
		log_setup(threshold, format, discard_line);
		sink_close(&logger.sink);
		return true;
	}
	logger.half[0] = half_new();
	logger.half[1] = half_new();
	logger.levels = sink_has_levels(&logger.sink);
	logger.ending = logger.reopen = false;
	logger.hurry = false;
	logger.used = 0;
	logger.writer = AWAKE;
	if (!thread_start(&logger.thread, "log", writer_thread, NULL, why)) {
		munmap(logger.half[0], HALF);
		munmap(logger.half[1], HALF);
		sink_close(&logger.sink);
		return false;
	}
	pthread_mutex_lock(&logger.lock);
	logger.running = true;
	pthread_mutex_unlock(&logger.lock);
	log_setup(threshold, format, logger_line);
	return true;
}

void logger_reopen(void)
{
	pthread_mutex_lock(&logger.lock);
	if (logger.running) {
		logger.reopen = true;
		pthread_cond_signal(&logger.wake);
	}
	pthread_mutex_unlock(&logger.lock);
}

uint64_t logger_dropped(void)
{
	uint64_t dropped;

	pthread_mutex_lock(&logger.lock);
	dropped = logger.dropped;
	pthread_mutex_unlock(&logger.lock);
	return dropped;
}

void logger_stop(void)
{
	pthread_mutex_lock(&logger.lock);
	bool running = logger.running;
	logger.running = false;
	logger.ending = true;
	atomic_store(&logger.hurry, true);
	if (running)
		pthread_cond_signal(&logger.wake);
	pthread_mutex_unlock(&logger.lock);
	if (!running)
		return;
	pthread_join(logger.thread, NULL);
	munmap(logger.half[0], HALF);
	munmap(logger.half[1], HALF);
	sink_close(&logger.sink);
}
