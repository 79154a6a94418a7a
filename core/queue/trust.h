/* SPDX-License-Identifier: MIT
 *
 * Whom this server believes when it sends, and how old a TLS it speaks: what all connections of the
 * settings in force share. Made off the loops, since authorities are read from files.
 */
#ifndef QUEUE_TRUST_H
#define QUEUE_TRUST_H

#include "net/tls.h"
#include "queue/queue.h"

/* Can it be made of these settings? */
bool trust_check(const struct queue_settings *settings, struct why *why);
/* From here on it is as these settings say; what cannot be made stays as it was, and is logged. At
 * the start and with new settings; not on a loop. */
void trust_follow(const struct queue_settings *settings);
/* A reference, any thread; NULL before the start. */
struct tls *trust_now(void);
void trust_end(void);

#endif
