/* SPDX-License-Identifier: MIT
 *
 * SCRAM-SHA-256 (RFC 5802, 7677), with channel binding or without, on GNU SASL and stored keys
 * in Dovecot's form: "{SCRAM-SHA-256}" iterations, salt, StoredKey, ServerKey. From the keys
 * nobody can log in, but who has them can play the server.
 */
#ifndef AUTH_USERS_SCRAM_H
#define AUTH_USERS_SCRAM_H

#include "base/buf.h"

#include <gsasl.h>

enum { SCRAM_TEXT = 192, SCRAM_SECRET = 32 };

/* Whether SASLprep allows that password: one that it forbids has no keys. */
bool scram_may(struct str password);
/* Takes as long as the iterations do; false: no memory, or a password that SASLprep forbids. */
bool scram_keys(struct str password, int64_t iterations, char out[SCRAM_TEXT]);
/* Of that many? One count for all, else it tells who exists: those of nobody have it. */
bool scram_is_current(struct str stored, int64_t iterations);
/* Keys that nobody has the password of, always the same for a login: who asks cannot tell them
 * from those of somebody. The secret is of the installation. */
void scram_keys_nobody(const uint8_t secret[SCRAM_SECRET], struct str login, int64_t iterations,
	char out[SCRAM_TEXT]);

enum scram_found { SCRAM_FOUND, SCRAM_TRY_LATER };
struct scram_lookup {
	/* The keys of a login, or nobody's. */
	enum scram_found (*find)(void *ctx, struct str login, char keys[SCRAM_TEXT]);
	void *ctx;
};
enum scram_result {
	SCRAM_MORE,  /* `out` is the next challenge */
	SCRAM_RIGHT, /* `out` is the last word */
	SCRAM_WRONG,
	SCRAM_LATER
};
struct scram;
/* plus: the variant with channel binding. The library's context is shared by all. NULL: no
 * memory. */
struct scram *scram_new(Gsasl *library, bool plus);
void scram_free(struct scram **s);
/* binding: octets of tls-exporter; empty: there is no TLS. */
enum scram_result scram_step(struct scram *s, struct str in, struct str binding,
	const struct scram_lookup *lookup, struct buf *out);
/* Who it says it is; empty before the first step. Whom it wants to act for; empty: itself. */
struct str scram_login(const struct scram *s);
struct str scram_authorize(const struct scram *s);
/* Set once for the library's context. */
void scram_setup(Gsasl *library);

#endif
