/* SPDX-License-Identifier: MIT
 *
 * This server's own listening addresses (queue_listens): where no mail is sent to.
 */
#ifndef QUEUE_OWN_H
#define QUEUE_OWN_H

#include "net/socket.h"

/* Any thread. */
bool endpoint_is_own(const struct endpoint *e);
/* Does it listen at that port, at whichever address? */
bool port_is_own(uint16_t port);

#endif
