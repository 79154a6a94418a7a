/* SPDX-License-Identifier: MIT
 *
 * How many failed logins an address (IPv4, or IPv6 /64) and a login have behind them, over all
 * loops. Each failure is a debt that is given back with time; who owes too much is not checked
 * at all. Memory is fixed: where there is no room the smallest debt is forgotten.
 *
 * Nobody can lock others out. An address from which a login once succeeded is judged for that
 * login by its own failures alone, whatever others do to the login or from the address; when
 * it has failed too often itself it is judged like any other. Successes of others at an address
 * forgive nothing.
 *
 * Clients of this host are judged by login only: they are web mail, for many people. Times are
 * of clock_mono. Any thread.
 */
#ifndef SMTP_BRAKE_H
#define SMTP_BRAKE_H

#include "base/ip.h"
#include "base/str.h"

enum brake { BRAKE_OFF, BRAKE_ADDRESS, BRAKE_LOGIN };

struct brake_limits { /* failures an hour, in one go if need be; 0: no limit */
	int64_t address, login;
};

/* May it be checked whether this client is `login`? login empty: not known yet. */
enum brake brake_ask(
	const struct ip *ip, struct str login, const struct brake_limits *limits, int64_t now);
void brake_failed(
	const struct ip *ip, struct str login, const struct brake_limits *limits, int64_t now);
void brake_passed(const struct ip *ip, struct str login, int64_t now);
/* Failures of the address that are not given back yet. */
unsigned brake_failures(const struct ip *ip, const struct brake_limits *limits, int64_t now);
/* Has this login succeeded from there, and owes it nothing? */
bool brake_knows(const struct ip *ip, struct str login, int64_t now);
/* Everything is forgotten: for tests. */
void brake_reset(void);

#endif
