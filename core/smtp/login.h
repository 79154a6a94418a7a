/* SPDX-License-Identifier: MIT
 *
 * A login at another server, one step of its mechanism after another (RFC 4422). The octets of
 * challenges and responses are the dialogue's business (client_auth.c); what is computed of them
 * is computed on a worker, since some mechanisms are meant to take long.
 */
#ifndef SMTP_LOGIN_H
#define SMTP_LOGIN_H

#include "base/fail.h"
#include "base/str.h"
#include "sys/lane.h"

struct login_mechanism {
	const char *name;
	bool first;   /* the client speaks first */
	bool scram;   /* the server says how long it is to take */
	bool binding; /* to the TLS that it goes through */
};
/* The strongest of those offered ("PLAIN LOGIN ..."), weaker than `below` (NULL: any); NULL: there
 * is none that is known here. */
const struct login_mechanism *login_choose(
	struct str offered, bool binding, const struct login_mechanism *below);

enum { LOGIN_BINDING = 32 /* octets of tls-exporter (RFC 9266) */ };
struct login_settings { /* copied */
	struct str login, password;
	const uint8_t *binding; /* of the channel; NULL: it has none */
	struct lane *workers;
};
enum login_result {
	LOGIN_MORE,   /* another challenge is to come */
	LOGIN_PROVEN, /* nothing is left but the server's yes */
	LOGIN_FAILED  /* why: nothing is to be said, but that it is given up */
};
typedef void login_stepped(
	void *ctx, enum login_result result, struct str response, const struct why *why);

struct login;
struct login *login_new(struct loop *loop, const struct login_mechanism *mechanism,
	const struct login_settings *settings);
const struct login_mechanism *login_mechanism(const struct login *l);
/* The challenge is copied; empty for the first step of who speaks first. stepped: once, never
 * before this returns; the response is valid until the next step, and may be empty. Not while one
 * is under way: then it is busy. */
void login_step(struct login *l, struct str challenge, login_stepped *stepped, void *ctx);
bool login_busy(const struct login *l);
/* Whatever it does; wipes what is secret, clears the pointer. NULL is allowed. */
void login_end(struct login **l);

#endif
