/* SPDX-License-Identifier: MIT
 *
 * Who asks at the control socket: a command. Waits for the server, however long the verb takes.
 * Also makes the listening socket, since both sides must agree on what "nobody is there" means:
 * no socket, or a connection refused; anything else is trouble, and no proof of a stopped server.
 */
#include "admin/control_wire.h"
#include "admin/verb.h"

#include "sys/file.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 64, READ_AT_ONCE = 16 * 1024 };

enum reach { REACHED, STOPPED, TROUBLE };

static bool address_of(const char *path, struct sockaddr_un *address, struct why *why)
{
	size_t length = strlen(path);

	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (length >= sizeof address->sun_path)
		return why_set(why, "%s: longer than the %zu octets a socket's path may have", path,
			sizeof address->sun_path - 1);
	memcpy(address->sun_path, path, length);
	return true;
}

static enum reach control_connect(const char *path, int *fd, struct why *why)
{
	struct sockaddr_un address;
	int s, error;

	if (!address_of(path, &address, why))
		return TROUBLE;
	s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s < 0) {
		why_errno(why, "%s: socket", path);
		return TROUBLE;
	}
	if (connect(s, (struct sockaddr *)&address, sizeof address) == 0) {
		*fd = s;
		return REACHED;
	}
	error = errno;
	close(s);
	if (error == ENOENT || error == ECONNREFUSED)
		return STOPPED;
	errno = error;
	why_errno(why, "%s", path);
	return TROUBLE;
}

int control_listen(const char *path, struct why *why)
{
	struct sockaddr_un address;
	enum reach reach;
	mode_t mask;
	int fd = -1, bound;

	reach = control_connect(path, &fd, why);
	if (reach == REACHED) {
		close(fd);
		why_set(why, "%s: a server answers there already", path);
	}
	if (reach != STOPPED || !address_of(path, &address, why))
		return -1;
	unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		why_errno(why, "%s: socket", path);
		return -1;
	}
	mask = umask(0177);
	bound = bind(fd, (struct sockaddr *)&address, sizeof address);
	umask(mask);
	if (bound != 0 || listen(fd, BACKLOG) != 0) {
		why_errno(why, "%s", path);
		fd_close(&fd);
	}
	return fd;
}

/* The server wants a secret: asked of the person here. */
static bool secret_give(int fd, struct output *o, struct buf *name, struct why *why)
{
	struct buf answer = { 0 }, line = { 0 };
	bool ok = o->secret(o, buf_c(name), &answer, why);

	if (ok) {
		wire_answer(&line, buf_str(&answer));
		ok = send(fd, line.data, line.len, MSG_NOSIGNAL) == (ssize_t)line.len ||
			why_errno(why, "control socket");
	}
	buf_free_secret(&answer);
	buf_free_secret(&line);
	buf_clear(name);
	return ok;
}

/* Lines until the result; a VERB_* or -2. */
static int replies_read(int fd, struct output *o, struct why *why)
{
	struct buf in = { 0 }, name = { 0 };
	enum verb_result result = VERB_FAILED;
	enum wire_reply reply = WIRE_MORE;
	bool ok = true;

	while (ok && reply != WIRE_RESULT) {
		ptrdiff_t end = str_find(buf_str(&in), '\n');
		ssize_t n;

		if (end >= 0) {
			reply = wire_reply_read(str_make(in.data, (size_t)end), o, &result, &name);
			buf_consume(&in, (size_t)end + 1);
			if (reply == WIRE_BAD)
				ok = why_set(why, "the server said what is no answer");
			else if (reply == WIRE_SECRET)
				ok = secret_give(fd, o, &name, why);
			continue;
		}
		n = recv(fd, buf_reserve(&in, READ_AT_ONCE), READ_AT_ONCE, 0);
		if (n > 0)
			in.len += (size_t)n;
		else if (n == 0)
			ok = why_set(why, "the server ended before the command did");
		else if (errno != EINTR)
			ok = why_errno(why, "control socket");
	}
	buf_free(&in);
	buf_free(&name);
	return ok ? (int)result : -2;
}

int control_ask(
	const char *path, const struct str *words, size_t count, struct output *o, struct why *why)
{
	struct buf request = { 0 };
	struct str rest;
	int fd = -1, answer = 0;

	switch (control_connect(path, &fd, why)) {
	case STOPPED:
		return -1;
	case TROUBLE:
		return -2;
	case REACHED:
		break;
	}
	wire_request(&request, words, count);
	rest = buf_str(&request);
	while (rest.len) {
		ssize_t n = send(fd, rest.data, rest.len, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			break; /* what it says, if anything, is still read */
		if (n > 0)
			rest = str_slice(rest, (size_t)n, rest.len);
	}
	answer = replies_read(fd, o, why);
	buf_free_secret(&request);
	close(fd);
	return answer;
}
