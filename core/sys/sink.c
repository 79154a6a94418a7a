/* SPDX-License-Identifier: MIT
 *
 * The targets of the log. A regular file takes everything in one write; a pipe or a socket is
 * asked first and given no more than it takes for sure, so that a reader who has stopped cannot
 * keep the server from ending; syslog (RFC 3164, as libc speaks it) and the journal (its
 * native protocol) get a datagram a line on a socket that is not connected, so that their
 * restart needs nothing from us.
 */
#include "sys/sink.h"

#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { PIPE_SURE = 4096 /* PIPE_BUF: what poll promises */, PATIENCE_MS = 1000 };

/* Of syslog(3), by our level. */
static const int priorities[] = { 3, 4, 6, 7 };
enum { FACILITY_MAIL = 2 << 3 };

/* ---- datagrams --------------------------------------------------------------------------- */

/* What follows time and level in a line of text; a JSON line as it is. */
static struct str without_head(struct str line)
{
	struct str rest = str_trim_line(line), word;

	if (rest.len > 0 && rest.data[0] == '{')
		return rest;
	if (!str_word(&rest, &word) || !str_word(&rest, &word))
		return str_trim_line(line);
	return str_trim(rest);
}

void syslog_datagram(struct buf *out, enum log_level level, struct str line, int pid)
{
	buf_printf(out, "<%d>tmail[%d]: ", FACILITY_MAIL | priorities[level], pid);
	buf_add(out, without_head(line));
}

void journald_datagram(struct buf *out, enum log_level level, struct str line)
{
	struct str message = without_head(line), rest = message, event;

	buf_printf(out, "PRIORITY=%d\nSYSLOG_FACILITY=2\nSYSLOG_IDENTIFIER=tmail\n",
		priorities[level]);
	if (message.len > 0 && message.data[0] != '{' && str_word(&rest, &event)) {
		buf_add(out, STR("TMAIL_EVENT="));
		buf_add(out, event);
		buf_add_char(out, '\n');
	}
	buf_add(out, STR("MESSAGE="));
	buf_add(out, message);
	buf_add_char(out, '\n');
}

static bool send_datagram(struct sink *s, enum log_level level, struct str line)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = strlen(s->path);

	buf_clear(&s->datagram);
	if (s->target == LOGGER_SYSLOG)
		syslog_datagram(&s->datagram, level, line, getpid());
	else
		journald_datagram(&s->datagram, level, line);
	memcpy(to.sun_path, s->path, len + 1); /* its length was looked at in sink_open */
	for (;;) {
		ssize_t n = sendto(s->fd, s->datagram.data, s->datagram.len, MSG_NOSIGNAL,
			(struct sockaddr *)&to, sizeof to);
		if (n >= 0)
			return true;
		if (errno != EINTR)
			return false; /* also EAGAIN: its patience (SO_SNDTIMEO) was used up */
	}
}

static uint64_t write_datagrams(struct sink *s, struct str lines)
{
	uint64_t lost = 0;
	struct str line;

	while (str_split(&lines, '\n', &line)) {
		if (line.len == 0)
			continue; /* behind the last LF */
		enum log_level level = (enum log_level)(line.data[0] - '0');
		if (!send_datagram(s, level, str_slice(line, 1, SIZE_MAX)))
			lost++;
	}
	return lost;
}

/* ---- streams ----------------------------------------------------------------------------- */

static uint64_t count_lines(struct str lines)
{
	uint64_t count = 0;

	for (size_t i = 0; i < lines.len; i++)
		count += lines.data[i] == '\n';
	return count;
}

/* True when a write of PIPE_SURE octets will not wait; false when there is no use any more. */
static bool wait_for_reader(int fd, const atomic_bool *hurry)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	for (;;) {
		bool last = atomic_load(hurry);
		int n = poll(&p, 1, PATIENCE_MS);
		if (n > 0)
			return true; /* an error too: the write will tell */
		if ((n == 0 && last) || (n < 0 && errno != EINTR))
			return false;
	}
}

static uint64_t write_stream(struct sink *s, struct str lines, const atomic_bool *hurry)
{
	struct stat st;
	bool regular = fstat(s->fd, &st) == 0 && S_ISREG(st.st_mode);

	while (lines.len > 0) {
		size_t most = regular || lines.len < PIPE_SURE ? lines.len : PIPE_SURE;
		if (!regular && !wait_for_reader(s->fd, hurry))
			break;
		ssize_t n = write(s->fd, lines.data, most);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			break;
		if (n > 0)
			lines = str_slice(lines, (size_t)n, SIZE_MAX);
	}
	return count_lines(lines);
}

uint64_t sink_write(struct sink *s, struct str lines, const atomic_bool *hurry)
{
	if (s->target == LOGGER_DISCARD)
		return 0;
	if (sink_has_levels(s))
		return write_datagrams(s, lines);
	return write_stream(s, lines, hurry);
}

bool sink_has_levels(const struct sink *s)
{
	return s->target == LOGGER_SYSLOG || s->target == LOGGER_JOURNALD;
}

/* ---- life -------------------------------------------------------------------------------- */

static int open_file(const char *path, struct why *why)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);

	if (fd < 0)
		why_errno(why, "log file %s", path);
	return fd;
}

static bool open_socket(struct sink *s, struct why *why)
{
	struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };

	if (strlen(s->path) >= sizeof((struct sockaddr_un *)0)->sun_path)
		return why_set(why, "log socket %s: name too long", s->path);
	if (access(s->path, W_OK) != 0)
		return why_errno(why, "log socket %s", s->path);
	s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return why_errno(why, "log socket %s", s->path);
	setsockopt(s->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	return true;
}

static bool open_target(struct sink *s, struct why *why)
{
	switch (s->target) {
	case LOGGER_FILE:
		s->fd = open_file(s->path, why);
		return s->fd >= 0;
	case LOGGER_SYSLOG:
		return open_socket(s, why);
	case LOGGER_JOURNALD:
		if (open_socket(s, NULL))
			return true;
		s->target = LOGGER_STDERR;
		break;
	case LOGGER_STDERR:
	case LOGGER_DISCARD:
		break;
	}
	s->fd = STDERR_FILENO;
	return true;
}

bool sink_open(struct sink *s, enum logger_target target, const char *path, struct why *why)
{
	if (!path && target == LOGGER_SYSLOG)
		path = "/dev/log";
	if (!path && target == LOGGER_JOURNALD)
		path = "/run/systemd/journal/socket";
	if (!path && target == LOGGER_FILE)
		return why_set(why, "log file: no name given");
	*s = (struct sink){ .target = target, .fd = -1, .path = str_dup_c(str_c(path)) };
	if (open_target(s, why))
		return true;
	sink_close(s);
	return false;
}

bool sink_reopen(struct sink *s, struct why *why)
{
	int fd;

	if (s->target != LOGGER_FILE)
		return true;
	fd = open_file(s->path, why);
	if (fd < 0)
		return false;
	fd_close(&s->fd);
	s->fd = fd;
	return true;
}

void sink_close(struct sink *s)
{
	if (s->fd != STDERR_FILENO)
		fd_close(&s->fd);
	free(s->path);
	buf_free(&s->datagram);
}
