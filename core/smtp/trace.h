/* SPDX-License-Identifier: MIT
 *
 * What we write into a message ourselves: the Received field on top of it, and for our own
 * clients the Message-ID and Date that they forgot.
 */
#ifndef SMTP_TRACE_H
#define SMTP_TRACE_H

#include "smtp/session.h"

/* The end of the header is found and, if it has no empty line though a body follows, given one. */
void trace_header_end(struct message *m);
bool trace_too_many_hops(const struct message *m, int64_t max);
/* Before modules see the message, so that they can sign it: within its header. */
void trace_complete(struct message *m, const struct smtp_settings *settings);
/* After them: message->prefix. */
void trace_received(struct session *s, struct message *m);

#endif
