/* SPDX-License-Identifier: MIT
 *
 * CRAM-MD5 (RFC 2195) without the password: what is stored are the two states of MD5 behind the
 * keyed pads of HMAC, in Dovecot's form "{CRAM-MD5}" and 64 hexadecimal digits. They are as good
 * as the password for CRAM-MD5, and for nothing else.
 */
#ifndef AUTH_USERS_CRAM_H
#define AUTH_USERS_CRAM_H

#include "base/buf.h"

enum { CRAM_TEXT = sizeof "{CRAM-MD5}" + 64, CRAM_DIGEST = 32 };

void cram_context(struct str password, char out[CRAM_TEXT]);
/* The digest a client with that password would answer the challenge with; false: what is stored
 * is no context. */
bool cram_digest(struct str stored, struct str challenge, char out[CRAM_DIGEST + 1]);

#endif
