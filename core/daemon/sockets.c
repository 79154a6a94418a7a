/* SPDX-License-Identifier: MIT
 *
 * Binding what the settings name, keeping what is bound already, and taking over what systemd
 * hands in. Only the parent binds; it may be root.
 */
#include "daemon/sockets.h"

#include "base/num.h"
#include "sys/file.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096, FIRST_INHERITED = 3 };

void sockets_add(struct sockets *s, const char *address, int fd)
{
	struct listening *one;

	s->item = must_realloc(s->item, (s->count + 1) * sizeof *s->item);
	one = &s->item[s->count++];
	*one = (struct listening){ .fd = fd };
	snprintf(one->address, sizeof one->address, "%s", address);
}

struct listening *sockets_find(const struct sockets *s, const char *address, size_t n)
{
	for (size_t i = 0; i < s->count; i++)
		if (!strcmp(s->item[i].address, address) && n-- == 0)
			return &s->item[i];
	return NULL;
}

size_t sockets_same(const struct sockets *s, size_t count, const char *address)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		n += !strcmp(s->item[i].address, address);
	return n;
}

static int listen_bind(const struct listen_settings *listen, struct why *why)
{
	struct endpoint e;

	if (!endpoint_parse(str_make(listen->address.data, listen->address.len),
		    (uint16_t)listen->port, &e)) {
		why_set(why, "'%.*s' is no address to listen on", (int)listen->address.len,
			listen->address.data);
		return -1;
	}
	return socket_listen(&e, BACKLOG, why);
}

bool sockets_bind(
	struct sockets *out, const struct settings *settings, struct sockets *old, struct why *why)
{
	*out = (struct sockets){ 0 };
	for (size_t i = 0; i < settings->listen_count; i++) {
		char address[ENDPOINT_TEXT];
		struct listening *known;
		int fd;

		settings_listen_text(&settings->listen[i], address);
		known = sockets_find(old, address, sockets_same(out, out->count, address));
		if (known && known->fd >= 0) {
			sockets_add(out, address, known->fd);
			out->item[out->count - 1].lent = known->lent;
			known->fd = -1;
			continue;
		}
		fd = listen_bind(&settings->listen[i], why);
		if (fd < 0) {
			sockets_undo(out, old);
			return false;
		}
		sockets_add(out, address, fd);
	}
	return true;
}

void sockets_undo(struct sockets *s, struct sockets *old)
{
	for (size_t i = 0; i < s->count; i++) {
		struct listening *one = &s->item[i];
		struct listening *home =
			sockets_find(old, one->address, sockets_same(s, i, one->address));

		if (home && home->fd < 0) {
			home->fd = one->fd;
			one->fd = -1;
		}
	}
	sockets_free(s);
}

void sockets_refuse(const struct sockets *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->item[i].fd >= 0 && !s->item[i].lent)
			shutdown(s->item[i].fd, SHUT_RD);
}

void sockets_free(struct sockets *s)
{
	for (size_t i = 0; i < s->count; i++)
		fd_close(&s->item[i].fd);
	free(s->item);
	*s = (struct sockets){ 0 };
}

/* How many systemd says there are, for this very process. */
static uint64_t inherited_count(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	uint64_t of = 0, n = 0;

	if (!pid || !count || !num_u64(str_c(pid), &of) || !num_u64(str_c(count), &n) ||
		of != (uint64_t)getpid())
		return 0;
	return n <= 1024 ? n : 1024;
}

size_t sockets_inherit(struct sockets *out)
{
	uint64_t count = inherited_count();

	*out = (struct sockets){ 0 };
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	for (int fd = FIRST_INHERITED; fd < FIRST_INHERITED + (int)count; fd++) {
		char address[ENDPOINT_TEXT];
		struct endpoint e;

		fd_set_cloexec(fd, true);
		fd_set_nonblocking(fd);
		if (!endpoint_of_socket(fd, false, &e))
			continue;
		endpoint_text(&e, address);
		sockets_add(out, address, fd);
		out->item[out->count - 1].lent = true;
	}
	return out->count;
}
