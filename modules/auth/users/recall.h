/* SPDX-License-Identifier: MIT
 *
 * A short memory of logins that were right, so that a client which logs in for each message is
 * not hashed each time. A login is remembered as a keyed hash over it, its password and what is
 * stored for it: neither can be found from it, and a changed row is a stranger. The key is the
 * process's, and lies with the memory in locked pages. Any thread; times are seconds.
 */
#ifndef AUTH_USERS_RECALL_H
#define AUTH_USERS_RECALL_H

#include "base/str.h"

struct recall;

struct recall *recall_new(int64_t seconds); /* NULL: no memory; 0 seconds remember nothing */
void recall_free(struct recall **r);
bool recall_has(
	struct recall *r, struct str login, struct str password, struct str stored, int64_t now);
void recall_put(
	struct recall *r, struct str login, struct str password, struct str stored, int64_t now);
void recall_clear(struct recall *r);

#endif
