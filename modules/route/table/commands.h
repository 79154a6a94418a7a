/* SPDX-License-Identifier: MIT
 *
 * The commands of routes, and how a row looks in the database.
 */
#ifndef ROUTE_TABLE_COMMANDS_H
#define ROUTE_TABLE_COMMANDS_H

#include "base/str.h"

#include <tmail/module.h>

enum { ROUTE_COLUMNS = 15, ROUTE_VERBS = 3 };
/* In the order in which rows are read. */
#define ROUTE_SELECT                                                                               \
	"select id, host, mail_from, auth_user, priority, remote_host, remote_port, local_ip,"     \
	" smtp_auth_login, smtp_auth_passwd, tls, connections, messages, rate, login_clear"        \
	" from routes"

extern const struct tmail_verb route_verbs[ROUTE_VERBS];

/* table.c: what a command changed is in force when it returns. */
void table_read_again(struct tmail_call *call);

/* enum tmail_tls_policy of its name; UNSET for an empty one; -1 for one that is not known. */
int route_tls_policy_named(struct str name);
/* The same for what the database holds: a name that is not known counts as "verify", so that
 * nothing goes out in clear because of a slip. */
uint32_t route_tls_policy(struct str name);

#endif
