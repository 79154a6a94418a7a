/* SPDX-License-Identifier: MIT
 *
 * Passwords as they are stored: a scheme in braces and what it makes of a password, as Dovecot
 * reads it. New ones are argon2id (libsodium) or SHA512-CRYPT; read is what crypt(3) knows
 * besides, with or without braces. password_hash and password_verify take as long as a hash takes:
 * on a worker.
 */
#ifndef AUTH_USERS_PASSWORD_H
#define AUTH_USERS_PASSWORD_H

#include "base/buf.h"

enum password_scheme { PASSWORD_ARGON2ID, PASSWORD_SHA512_CRYPT };

struct password_cost {
	int32_t scheme; /* enum password_scheme */
	int64_t memory; /* octets, argon2id */
	int64_t passes;
	int64_t rounds; /* SHA512-CRYPT */
};

enum { PASSWORD_TEXT = 256 }; /* of what is stored, with its NUL */

/* What one hash can never have more of here, in octets, and why: memory of the machine, or a limit
 * of the process. Whether there is as much free when it comes to it is another matter. */
int64_t password_memory_most(const char **whose);
/* False when the system has no memory for it. */
bool password_hash(const struct password_cost *cost, struct str password, char out[PASSWORD_TEXT]);
/* One that no password is right for, and that takes as long to find out. Made without a hash where
 * the scheme is argon2id: a start does not wait for it. */
bool password_nobody(const struct password_cost *cost, char out[PASSWORD_TEXT]);

enum password_result {
	PASSWORD_RIGHT,
	PASSWORD_WRONG,
	PASSWORD_UNKNOWN, /* a scheme that is not known here */
	PASSWORD_BUSY     /* no memory for it now */
};
enum password_result password_verify(struct str stored, struct str password);
/* Would password_hash make one of the same scheme and cost? */
bool password_is_current(const struct password_cost *cost, struct str stored);

#endif
