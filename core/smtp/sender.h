/* SPDX-License-Identifier: MIT
 *
 * Can the sender's domain receive the bounce? Asked of DNS when `sender_dns` says so, and never
 * about clients that may relay, the null sender, or address literals.
 */
#ifndef SMTP_SENDER_H
#define SMTP_SENDER_H

#include "smtp/session.h"

/* True: *say is what to refuse MAIL with (SAY_NOTHING: go on). False: the session waits, and
 * `known` follows. */
bool sender_ask(struct session *s, void (*known)(struct session *s, enum say say), enum say *say);

#endif
