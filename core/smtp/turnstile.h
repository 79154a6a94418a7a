/* SPDX-License-Identifier: MIT
 *
 * Whose password is checked next. Checking one costs a processor and memory for a while, so only
 * so many are checked at the same time, and who waits is let through by rank: addresses with
 * failures behind those without, and each further one of an address behind the first ones of
 * others. Who is known, a login from where it succeeded and nothing failed since, has a gate of
 * his own, as wide: his password is likely to be right, and remembered. So a flood of wrong
 * passwords waits for itself, from however many addresses it comes.
 */
#ifndef SMTP_TURNSTILE_H
#define SMTP_TURNSTILE_H

#include "base/ip.h"
#include "sys/loop.h"

struct ticket;

enum turnstile {
	TURNSTILE_PASS,  /* go on: turnstile_leave is owed */
	TURNSTILE_WAITS, /* `told` follows on the loop, unless cancelled; true: leave is owed */
	TURNSTILE_FULL   /* too many wait, altogether or of this address */
};
struct turnstile_asked {
	struct loop *loop; /* this one */
	const struct ip *ip;
	bool known;        /* which of the gates */
	unsigned failures; /* of the address */
	unsigned width;    /* how many at the same time */
	/* true: as TURNSTILE_PASS; false: somebody before whom it stands back took its place */
	void (*told)(void *ctx, bool passed);
	void *ctx;
};
/* *ticket is set when it waits. */
enum turnstile turnstile_enter(const struct turnstile_asked *asked, struct ticket **ticket);
/* Waits no more. On its loop; clears the pointer; NULL is allowed. */
void turnstile_cancel(struct ticket **ticket);
/* The check is over, of one who came as `known` says. Any thread. */
void turnstile_leave(bool known);

#endif
