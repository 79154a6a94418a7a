/* SPDX-License-Identifier: MIT
 *
 * The names of a hosts file (hosts(5)), and localhost, which resolves always (RFC 6761 6.3).
 */
#ifndef NET_HOSTS_H
#define NET_HOSTS_H

#include "base/ip.h"

enum { HOSTS_MOST = 16 /* addresses of one name; more are left out */ };

struct hosts;
struct hosts *hosts_parse(struct str text);
/* Addresses of a name, in the order of the file; 0: not there. h may be NULL. */
size_t hosts_find(const struct hosts *h, struct str name, struct ip ips[HOSTS_MOST]);
void hosts_free(struct hosts **h);

#endif
