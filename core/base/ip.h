/* SPDX-License-Identifier: MIT
 *
 * IP addresses of both families and their networks. An IPv4 address mapped into IPv6 is always
 * turned into its IPv4 form, so that ::ffff:192.0.2.1 and 192.0.2.1 are one address.
 */
#ifndef BASE_IP_H
#define BASE_IP_H

#include "base/str.h"

struct ip {
	uint8_t family; /* 4 or 6; 0: none */
	uint8_t bytes[16];
};
struct cidr {
	struct ip ip; /* bits behind `bits` are zero */
	uint8_t bits;
};
enum { IP_TEXT = 46 };

bool ip_parse(struct str s, struct ip *ip); /* no brackets, no zone */
void ip_text(const struct ip *ip, char text[IP_TEXT]);
bool ip_equal(const struct ip *a, const struct ip *b);
bool ip_is_loopback(const struct ip *ip);
bool ip_is_any(const struct ip *ip); /* 0.0.0.0 or :: */
/* "192.0.2.0/24", "2001:db8::/32", or one address. Host bits must be zero. */
bool cidr_parse(struct str s, struct cidr *cidr);
bool cidr_has(const struct cidr *cidr, const struct ip *ip);
/* "4.3.2.1.in-addr.arpa" and the nibbles of ip6.arpa; room for 74 octets. */
void ip_reverse_name(const struct ip *ip, char text[80]);

#endif
