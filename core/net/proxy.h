/* SPDX-License-Identifier: MIT
 *
 * The PROXY protocol, versions 1 and 2 (haproxy doc/proxy-protocol.txt). Pure.
 */
#ifndef NET_PROXY_H
#define NET_PROXY_H

#include "net/socket.h"

enum proxy_result { PROXY_DONE, PROXY_MORE, PROXY_BAD };
struct proxy {
	bool local; /* LOCAL or UNKNOWN: the connection's own addresses hold */
	struct endpoint peer, local_end;
};
/* *used: octets of the header, with PROXY_DONE. At most 107 (v1) or 16+1024 (v2) are looked at. */
enum proxy_result proxy_read(struct str in, size_t *used, struct proxy *proxy);

#endif
