/* SPDX-License-Identifier: MIT
 *
 * Endpoints as text and as socket addresses, and listening sockets. An endpoint whose address
 * has no family is "*": all addresses of both families, one IPv6 socket that takes IPv4 too.
 */
#include "net/socket.h"

#include "base/num.h"
#include "sys/file.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- text -------------------------------------------------------------------------------- */

static bool parse_path(struct str s, struct endpoint *e)
{
	struct endpoint made = { 0 };

	if (s.len >= sizeof made.path || str_find(s, '\0') >= 0)
		return false;
	memcpy(made.path, s.data, s.len);
	*e = made;
	return true;
}

static bool parse_port(struct str s, uint16_t *port)
{
	uint64_t v;

	if (!num_u64(s, &v) || v > UINT16_MAX)
		return false;
	*port = (uint16_t)v;
	return true;
}

/* Cuts "address" or "[address]" and the port behind it apart; no port leaves *port alone. */
static bool split_port(struct str s, struct str *address, uint16_t *port)
{
	ptrdiff_t colon = str_find_last(s, ':');

	if (s.len > 0 && s.data[0] == '[') {
		ptrdiff_t end = str_find(s, ']');
		if (end < 0)
			return false;
		*address = str_slice(s, 1, (size_t)end - 1);
		struct str rest = str_slice(s, (size_t)end + 1, SIZE_MAX);
		if (str_find(*address, ':') < 0)
			return false;
		if (rest.len == 0)
			return true;
		return rest.data[0] == ':' && parse_port(str_slice(rest, 1, SIZE_MAX), port);
	}
	/* More than one colon: an IPv6 address without brackets, so without a port. */
	if (colon < 0 || str_find(s, ':') != colon) {
		*address = s;
		return true;
	}
	*address = str_slice(s, 0, (size_t)colon);
	return parse_port(str_slice(s, (size_t)colon + 1, SIZE_MAX), port);
}

bool endpoint_parse(struct str s, uint16_t default_port, struct endpoint *e)
{
	struct endpoint made = { .port = default_port };
	struct str address;

	if (str_starts(s, STR("/")))
		return parse_path(s, e);
	if (!split_port(s, &address, &made.port))
		return false;
	if (!str_equal(address, STR("*")) && !ip_parse(address, &made.ip))
		return false;
	*e = made;
	return true;
}

void endpoint_text(const struct endpoint *e, char text[ENDPOINT_TEXT])
{
	char ip[IP_TEXT];

	if (e->path[0]) {
		snprintf(text, ENDPOINT_TEXT, "%s", e->path);
		return;
	}
	if (e->ip.family == 0) {
		snprintf(text, ENDPOINT_TEXT, "*:%u", e->port);
		return;
	}
	ip_text(&e->ip, ip);
	snprintf(text, ENDPOINT_TEXT, e->ip.family == 6 ? "[%s]:%u" : "%s:%u", ip, e->port);
}

/* ---- socket addresses -------------------------------------------------------------------- */

socklen_t endpoint_sockaddr(const struct endpoint *e, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof *out);
	if (e->path[0]) {
		struct sockaddr_un *un = (struct sockaddr_un *)out;
		un->sun_family = AF_UNIX;
		snprintf(un->sun_path, sizeof un->sun_path, "%s", e->path);
		return sizeof *un;
	}
	if (e->ip.family == 4) {
		struct sockaddr_in *in = (struct sockaddr_in *)out;
		in->sin_family = AF_INET;
		in->sin_port = htons(e->port);
		memcpy(&in->sin_addr, e->ip.bytes, 4);
		return sizeof *in;
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(e->port);
	if (e->ip.family == 6)
		memcpy(&in6->sin6_addr, e->ip.bytes, 16);
	return sizeof *in6;
}

static bool of_inet6(const struct sockaddr_in6 *in6, struct endpoint *made)
{
	made->port = ntohs(in6->sin6_port);
	if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		made->ip.family = 4;
		memcpy(made->ip.bytes, in6->sin6_addr.s6_addr + 12, 4);
	} else {
		made->ip.family = 6;
		memcpy(made->ip.bytes, &in6->sin6_addr, 16);
	}
	return true;
}

bool endpoint_of_sockaddr(const struct sockaddr *sa, struct endpoint *e)
{
	struct endpoint made = { 0 };

	switch (sa->sa_family) {
	case AF_INET: {
		const struct sockaddr_in *in = (const struct sockaddr_in *)sa;
		made.ip.family = 4;
		made.port = ntohs(in->sin_port);
		memcpy(made.ip.bytes, &in->sin_addr, 4);
		break;
	}
	case AF_INET6:
		of_inet6((const struct sockaddr_in6 *)sa, &made);
		break;
	case AF_UNIX:
		/* A client's socket has no name as a rule: the empty endpoint. */
		snprintf(made.path, sizeof made.path, "%.*s", (int)sizeof made.path - 1,
			((const struct sockaddr_un *)sa)->sun_path);
		break;
	default:
		return false;
	}
	*e = made;
	return true;
}

bool endpoint_of_socket(int fd, bool peer, struct endpoint *e)
{
	struct sockaddr_storage address = { 0 };
	socklen_t len = sizeof address;
	struct sockaddr *sa = (struct sockaddr *)&address;

	if ((peer ? getpeername(fd, sa, &len) : getsockname(fd, sa, &len)) != 0)
		return false;
	return endpoint_of_sockaddr(sa, e);
}

/* ---- listening --------------------------------------------------------------------------- */

/* What a crash left at that path; never anything that is not a socket, or that somebody answers
 * on. */
static void remove_stale(const struct sockaddr_storage *address, socklen_t len)
{
	const char *path = ((const struct sockaddr_un *)address)->sun_path;
	struct stat st;

	if (lstat(path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)address, len) != 0 && errno == ECONNREFUSED)
		unlink(path);
	fd_close(&fd);
}

static bool prepare(int fd, const struct endpoint *e, int family)
{
	const int on = 1, only = e->ip.family != 0;

	if (family == AF_UNIX)
		return true;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
		return false;
	if (family == AF_INET6 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) != 0)
		return false;
	/* What is accepted inherits it: no call for each connection. */
	return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0;
}

static int listen_at(const struct endpoint *e, int backlog)
{
	struct sockaddr_storage address;
	socklen_t len = endpoint_sockaddr(e, &address);
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	if (address.ss_family == AF_UNIX)
		remove_stale(&address, len);
	if (!prepare(fd, e, address.ss_family) ||
		bind(fd, (const struct sockaddr *)&address, len) != 0 || listen(fd, backlog) != 0)
		fd_close(&fd); /* keeps errno */
	return fd;
}

int socket_listen(const struct endpoint *e, int backlog, struct why *why)
{
	char text[ENDPOINT_TEXT];
	int fd = listen_at(e, backlog);

	if (fd < 0 && errno == EAFNOSUPPORT && e->ip.family == 0 && !e->path[0]) {
		/* "*" on a host without IPv6. */
		struct endpoint v4 = { .ip = { .family = 4 }, .port = e->port };
		fd = listen_at(&v4, backlog);
	}
	if (fd < 0) {
		int error = errno;
		endpoint_text(e, text);
		errno = error;
		why_errno(why, "listen on %s", text);
	}
	return fd;
}
