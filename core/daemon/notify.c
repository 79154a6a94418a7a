/* SPDX-License-Identifier: MIT
 *
 * Datagrams to the service manager. Nothing is waited for and no failure matters to mail.
 */
#include "daemon/notify.h"

#include "base/num.h"
#include "sys/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_un manager; /* sun_path[0] or [1] set: there is one */
static socklen_t manager_length;
static int64_t watchdog_ms;

void notify_setup(void)
{
	const char *path = getenv("NOTIFY_SOCKET"), *usec = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");
	uint64_t interval = 0, of = (uint64_t)getpid();
	size_t length = path ? strlen(path) : 0;

	if (length > 1 && length < sizeof manager.sun_path && (*path == '/' || *path == '@')) {
		manager.sun_family = AF_UNIX;
		memcpy(manager.sun_path, path, length);
		if (*path == '@')
			manager.sun_path[0] = '\0'; /* the abstract name space */
		manager_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	}
	if (pid)
		num_u64(str_c(pid), &of);
	if (usec && num_u64(str_c(usec), &interval) && of == (uint64_t)getpid())
		watchdog_ms = (int64_t)(interval / 2000);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

static void notify(const char *text)
{
	int fd;

	if (!manager_length)
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	while (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&manager,
		       manager_length) < 0 &&
		errno == EINTR)
		;
	close(fd);
}

void notify_ready(void)
{
	notify("READY=1");
}

void notify_reloading(void)
{
	char text[80];

	snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_mono());
	notify(text);
}

void notify_stopping(void)
{
	notify("STOPPING=1");
}

void notify_watchdog(void)
{
	notify("WATCHDOG=1");
}

int64_t notify_watchdog_interval(void)
{
	return watchdog_ms;
}
