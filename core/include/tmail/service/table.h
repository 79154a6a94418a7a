/* SPDX-License-Identifier: MIT
 *
 * <tmail/service/table.h>: a table that answers one key at a time and that the core caches.
 *
 * service.key names it: "rcpthost", "mailbox", "alias", "relayip", "sender". The core asks on
 * a worker, keeps hits and not-founds until the table's generation moves or `table_ttl` is over,
 * and never keeps a try-later. Keys are lower case.
 */
#ifndef TMAIL_SERVICE_TABLE_H
#define TMAIL_SERVICE_TABLE_H

#include <tmail/module.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TMAIL_TABLE "table"

enum tmail_table_operation { TMAIL_TABLE_GET = 1 /* tmail_table_get -> tmail_table_got */ };

struct tmail_table_get {
	uint32_t size;
	uint32_t reserved;
	struct tmail_str key;
};
struct tmail_table_got { /* OK, NOT_FOUND or TRY_LATER */
	uint32_t size;
	uint32_t reserved;
	struct tmail_str value; /* host->alloc of the call; may be empty */
	struct tmail_str why;   /* of TRY_LATER */
};

/* What the well-known tables answer:
 *   rcpthost DOMAIN  -> "remote", "local" or "alias"
 *   relayip  ADDRESS -> "" (the text form of inet_ntop)
 *   mailbox  ADDRESS -> "" ; alias ADDRESS or "@"DOMAIN -> ""
 *   sender   LOGIN " " ADDRESS -> "": who is logged in so may send as ADDRESS, not its own */

#ifdef __cplusplus
}
#endif
#endif
