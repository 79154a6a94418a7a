/* SPDX-License-Identifier: MIT
 *
 * What the files of this module share: its settings, what lives as long as it, and an account as
 * its row says.
 */
#ifndef AUTH_USERS_USERS_H
#define AUTH_USERS_USERS_H

#include "cram.h"
#include "password.h"
#include "recall.h"
#include "scram.h"

#include <pthread.h>

#include <tmail/service/auth.h>
#include <tmail/service/sql.h>

struct users_conf {
	struct password_cost cost;
	struct tmail_list mechanisms; /* of struct tmail_str */
	int64_t scram_iterations, remember;
	struct tmail_str home, quota;
};

struct users {
	Gsasl *gsasl;
	struct recall *recall;
	char nobody[PASSWORD_TEXT]; /* what a login that does not exist is checked against */
	pthread_mutex_t lock;       /* of the secret */
	bool secret_known;
	uint8_t secret[SCRAM_SECRET];
};

enum { METRIC_HASHES, METRIC_RECALLED, METRIC_LOOKUPS };

static inline struct str of(struct tmail_str s)
{
	return str_make(s.data, s.len);
}

static inline struct tmail_str tm(struct str s)
{
	struct tmail_str t = { s.data, s.len };

	return t;
}

/* For as long as the call lasts; NUL-terminated. */
struct tmail_str users_keep(struct tmail_call *call, struct str s);
bool users_has(const struct users_conf *conf, struct str mechanism);

/* ---- accounts.c -------------------------------------------------------------------------- */

struct account {
	bool active, relay;
	struct tmail_str login, password, scram, cram; /* of the call; as stored */
};
/* OK, NOT_FOUND or TRY_LATER with why. login in any case. */
int account_find(
	struct tmail_call *call, struct str login, struct account *account, struct tmail_str *why);
/* The secret that keys of nobody are made of: the database's, so that they are the same after a
 * restart. OK or TRY_LATER. */
int account_secret(struct tmail_call *call, uint8_t secret[SCRAM_SECRET], struct tmail_str *why);

/* What is stored of a password: its hash, and the keys of mechanisms that are enabled. */
struct credentials {
	char password[PASSWORD_TEXT], scram[SCRAM_TEXT], cram[CRAM_TEXT];
};
bool credentials_make(struct tmail_call *call, struct str password, struct credentials *out);
/* Are they those of the settings? */
bool credentials_are_current(
	const struct users_conf *conf, const struct account *account, struct str password);
/* In place of those that `account` was read with. */
void credentials_replace(struct tmail_call *call, const struct account *account,
	const struct credentials *credentials);

/* ---- verify.c, exchange.c ------------------------------------------------------------------ */

int users_verify(struct tmail_call *call, const void *question, void *answer);
int users_find(struct tmail_call *call, const void *question, void *answer);
int users_mechanisms(struct tmail_call *call, const void *question, void *answer);

struct exchange {            /* in call->session */
	struct scram *scram; /* NULL: CRAM-MD5, or none */
	char challenge[256]; /* CRAM-MD5: what was asked */
};
int users_exchange(struct tmail_call *call, const void *question, void *answer);
int users_forget(struct tmail_call *call, const void *question, void *answer);
void users_session_end(struct tmail_call *call);

/* ---- commands.c, senders.c: and the tables --------------------------------------------------- */

enum { USERS_VERBS = 7 };
extern const struct tmail_verb users_verbs[USERS_VERBS];
extern const struct tmail_argument sender_arguments[2];
int sender_add(struct tmail_call *call, const struct tmail_list *values);
int sender_del(struct tmail_call *call, const struct tmail_list *values);
int sender_list(struct tmail_call *call, const struct tmail_list *values);
int users_mailbox(struct tmail_call *call, const void *question, void *answer);
int users_sender(struct tmail_call *call, const void *question, void *answer);
/* A login as it is stored; false when it was told why it is none. */
bool users_login_take(struct tmail_call *call, const struct tmail_list *values, struct str *login);

#endif
