/* SPDX-License-Identifier: MIT
 *
 * Where log lines go: a bounded ring written by a thread of its own, so that nobody waits for a
 * disk or a socket. Full: lines are dropped, counted, and the count logged.
 */
#ifndef SYS_LOGGER_H
#define SYS_LOGGER_H

#include "base/fail.h"
#include "base/log.h"

enum logger_target { LOGGER_STDERR, LOGGER_FILE, LOGGER_SYSLOG, LOGGER_JOURNALD, LOGGER_DISCARD };

/* Installs itself as base/log's sink. `file` for LOGGER_FILE: opened for append; re-opened by
 * logger_reopen (any thread). Start after the last fork. */
bool logger_start(enum logger_target target, const char *file, enum log_level threshold,
	enum log_format format, struct why *why);
void logger_reopen(void);
uint64_t logger_dropped(void);
/* Writes out what is there and ends the thread; lines after that go to stderr at once. */
void logger_stop(void);

#endif
