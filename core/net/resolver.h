/* SPDX-License-Identifier: MIT
 *
 * What look-ups of addresses need of the resolver beside dns_ask.
 */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

#include "net/hosts.h"

/* hosts_find in the resolver's hosts file; any thread, also while it is not running. */
size_t resolver_hosts(struct str name, struct ip ips[HOSTS_MOST]);

#endif
