/* SPDX-License-Identifier: MIT
 *
 * One place where log lines end: a file, a stream, a syslog or a journal. Used by one thread, the
 * logger's; may wait, but not for ever on somebody who does not read.
 */
#ifndef SYS_SINK_H
#define SYS_SINK_H

#include "base/buf.h"
#include "sys/logger.h"

#include <stdatomic.h>

struct sink {
	enum logger_target target;
	int fd;
	char *path; /* of a file, or of the socket of syslog and journald */
	struct buf datagram;
};

/* path: of LOGGER_FILE; of the sockets for tests, NULL: the usual one. A journal that is not
 * there becomes stderr. */
bool sink_open(struct sink *s, enum logger_target target, const char *path, struct why *why);
/* Lines with their LF, for a target with levels each behind an octet '0' + level. As many at
 * once as the target takes. With *hurry one who does not read is given a second, else all the
 * time. Answers how many lines were lost. */
uint64_t sink_write(struct sink *s, struct str lines, const atomic_bool *hurry);
bool sink_has_levels(const struct sink *s);
/* A file by its name again, after rotation; the old one stays when that fails. */
bool sink_reopen(struct sink *s, struct why *why);
void sink_close(struct sink *s);

/* A line as one datagram. The time and level in front of a line of text are left out: the
 * receiver has its own. */
void syslog_datagram(struct buf *out, enum log_level level, struct str line, int pid);
void journald_datagram(struct buf *out, enum log_level level, struct str line);

#endif
