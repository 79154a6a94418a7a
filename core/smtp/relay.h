/* SPDX-License-Identifier: MIT
 *
 * May this client send mail to this recipient? Asked after the modules' RCPT chain, in this
 * order, until one says yes:
 *
 *   rcpthost   the domain is ours; if local, mailbox, alias, or alias of the domain must exist,
 *              unless no module keeps either table
 *   client     its login may relay, or its address is in relayip (asked once a message, at MAIL)
 */
#ifndef SMTP_RELAY_H
#define SMTP_RELAY_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct session;

enum relay_result {
	RELAY_LOCAL,   /* yes: a mailbox or alias of ours */
	RELAY_YES,     /* yes: the domain, or the client, is enough */
	RELAY_NO_USER, /* a domain of ours without that address */
	RELAY_DENIED,
	RELAY_LATER /* a table cannot be asked now */
};

struct relay { /* a question under way; of a transaction */
	uint8_t step;
	bool tables;                              /* some module keeps mailboxes or aliases */
	struct str address, domain, whole_domain; /* "@domain" */
	void (*decided)(struct session *s, enum relay_result result);
};

/* address is canonical and lives until the answer. True: *result is set. False: the session
 * waits, and `decided` follows. */
bool relay_ask(struct session *s, struct str address,
	void (*decided)(struct session *s, enum relay_result result), enum relay_result *result);

/* Is the client's address one that may relay? Sets the client's flag, until it is forgotten. True:
 * *ok says whether it could be found out. False: the session waits, and `known` follows. */
bool relay_client(struct session *s, void (*known)(struct session *s, bool ok), bool *ok);
/* A message begins: what administrators changed since the last one counts. What the login says
 * stays. */
void relay_client_forget(struct session *s);

#endif
