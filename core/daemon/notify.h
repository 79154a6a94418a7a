/* SPDX-License-Identifier: MIT
 *
 * What systemd is told (sd_notify(3)), by a datagram to NOTIFY_SOCKET. Without one: nothing.
 */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include <stdint.h>

/* Reads NOTIFY_SOCKET and WATCHDOG_USEC and takes them out of the environment. */
void notify_setup(void);
void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);
void notify_watchdog(void);
/* ms between two signs of life, half of what systemd waits; 0: it does not. */
int64_t notify_watchdog_interval(void);

#endif
