/* SPDX-License-Identifier: MIT
 *
 * How many sessions one address (IPv4) or network (IPv6 /64) has and how fast it makes new
 * ones, over all loops. Clients of this host are not counted. Any thread.
 */
#ifndef SMTP_LIMIT_H
#define SMTP_LIMIT_H

#include "base/ip.h"

enum limit_result { LIMIT_OK, LIMIT_SESSIONS, LIMIT_RATE };

/* A new session; counted with LIMIT_OK only, and then limit_left takes it off again. sessions:
 * at the same time; rate: new ones a minute, in one go if need be; 0: no limit. now:
 * clock_mono. */
enum limit_result limit_enter(const struct ip *ip, int64_t sessions, int64_t rate, int64_t now);
void limit_left(const struct ip *ip, int64_t now);
/* Networks remembered, for tests. */
size_t limit_networks(void);

#endif
