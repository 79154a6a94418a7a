/* SPDX-License-Identifier: MIT
 *
 * What the service manager is told.
 */
#include "daemon/notify.h"

#include "tests/lib/test.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int manager;
static char got[200];

/* An abstract socket: no file is left. */
static void manager_open(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char name[60];
	int n = snprintf(name, sizeof name, "@tmail-notify-%d", (int)getpid());

	memcpy(address.sun_path, name, (size_t)n);
	address.sun_path[0] = '\0';
	manager = socket(AF_UNIX, SOCK_DGRAM, 0);
	ck_assert_int_eq(bind(manager, (struct sockaddr *)&address,
				 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n)),
		0);
	setenv("NOTIFY_SOCKET", name, 1);
}

static const char *next(void)
{
	ssize_t n = recv(manager, got, sizeof got - 1, 0);

	got[n > 0 ? n : 0] = '\0';
	return got;
}

START_TEST(each_state_is_said)
{
	manager_open();
	notify_setup();
	ck_assert_ptr_null(getenv("NOTIFY_SOCKET"));
	notify_ready();
	ck_assert_str_eq(next(), "READY=1");
	notify_reloading();
	ck_assert_ptr_nonnull(strstr(next(), "RELOADING=1\nMONOTONIC_USEC="));
	notify_watchdog();
	ck_assert_str_eq(next(), "WATCHDOG=1");
	notify_stopping();
	ck_assert_str_eq(next(), "STOPPING=1");
}
END_TEST

START_TEST(the_watchdog_is_fed_twice_as_often_as_asked)
{
	setenv("WATCHDOG_USEC", "30000000", 1);
	notify_setup();
	ck_assert_int_eq(notify_watchdog_interval(), 15000);
}
END_TEST

START_TEST(a_watchdog_of_another_process_is_not_ours)
{
	setenv("WATCHDOG_USEC", "30000000", 1);
	setenv("WATCHDOG_PID", "1", 1);
	notify_setup();
	ck_assert_int_eq(notify_watchdog_interval(), 0);
}
END_TEST

START_TEST(without_a_manager_nothing_happens)
{
	unsetenv("NOTIFY_SOCKET");
	notify_setup();
	notify_ready();
	setenv("NOTIFY_SOCKET", "relative/path", 1);
	notify_setup();
	notify_ready();
	ck_assert_int_eq(notify_watchdog_interval(), 0);
}
END_TEST

TEST_MAIN("daemon/notify", each_state_is_said, the_watchdog_is_fed_twice_as_often_as_asked,
	a_watchdog_of_another_process_is_not_ours, without_a_manager_nothing_happens)
