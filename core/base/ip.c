/* SPDX-License-Identifier: MIT
 *
 * IP addresses as octets and text. inet_pton knows the grammar (no leading zeros, no short
 * forms); here is what it does not: lengths, mapped addresses, networks.
 */
#include "base/ip.h"

#include "base/num.h"

#include <arpa/inet.h>
#include <stdio.h>

static const uint8_t mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

static unsigned ip_octets(const struct ip *ip)
{
	return ip->family == 4 ? 4 : ip->family == 6 ? 16 : 0;
}

bool ip_parse(struct str s, struct ip *ip)
{
	char text[IP_TEXT];
	struct ip made = { 0 };

	if (s.len == 0 || s.len >= sizeof text || memchr(s.data, '\0', s.len))
		return false;
	memcpy(text, s.data, s.len);
	text[s.len] = '\0';
	if (inet_pton(AF_INET, text, made.bytes) == 1) {
		made.family = 4;
	} else if (inet_pton(AF_INET6, text, made.bytes) == 1) {
		made.family = 6;
		if (memcmp(made.bytes, mapped_prefix, sizeof mapped_prefix) == 0) {
			made.family = 4;
			memmove(made.bytes, made.bytes + 12, 4);
			memset(made.bytes + 4, 0, 12);
		}
	} else {
		return false;
	}
	*ip = made;
	return true;
}

void ip_text(const struct ip *ip, char text[IP_TEXT])
{
	text[0] = '\0';
	if (ip->family)
		inet_ntop(ip->family == 4 ? AF_INET : AF_INET6, ip->bytes, text, IP_TEXT);
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, ip_octets(a)) == 0;
}

bool ip_is_loopback(const struct ip *ip)
{
	static const uint8_t one[16] = { [15] = 1 };

	if (ip->family == 4)
		return ip->bytes[0] == 127;
	return ip->family == 6 && memcmp(ip->bytes, one, sizeof one) == 0;
}

bool ip_is_any(const struct ip *ip)
{
	static const uint8_t zero[16];

	return ip->family && memcmp(ip->bytes, zero, ip_octets(ip)) == 0;
}

/* The bits of octet i that belong to a network of that many bits. */
static uint8_t mask_octet(unsigned bits, unsigned i)
{
	if (bits >= i * 8 + 8)
		return 0xff;
	return bits <= i * 8 ? 0 : (uint8_t)(0xff00u >> (bits - i * 8));
}

bool cidr_parse(struct str s, struct cidr *cidr)
{
	ptrdiff_t slash = str_find(s, '/');
	struct str address = slash < 0 ? s : str_slice(s, 0, (size_t)slash);
	struct cidr made = { 0 };
	uint64_t bits;
	bool mapped;

	if (!ip_parse(address, &made.ip))
		return false;
	mapped = made.ip.family == 4 && str_find(address, ':') >= 0;
	if (slash < 0) {
		bits = ip_octets(&made.ip) * 8;
	} else {
		if (!num_u64(str_slice(s, (size_t)slash + 1, s.len), &bits))
			return false;
		if (mapped) { /* ::ffff:192.0.2.0/120 is 192.0.2.0/24 */
			if (bits < 96)
				return false;
			bits -= 96;
		}
		if (bits > ip_octets(&made.ip) * 8)
			return false;
	}
	made.bits = (uint8_t)bits;
	for (unsigned i = 0; i < ip_octets(&made.ip); i++)
		if (made.ip.bytes[i] & ~mask_octet(made.bits, i))
			return false;
	*cidr = made;
	return true;
}

bool cidr_has(const struct cidr *cidr, const struct ip *ip)
{
	if (cidr->ip.family != ip->family || ip->family == 0)
		return false;
	for (unsigned i = 0; i < ip_octets(ip); i++)
		if ((ip->bytes[i] & mask_octet(cidr->bits, i)) != cidr->ip.bytes[i])
			return false;
	return true;
}

void ip_reverse_name(const struct ip *ip, char text[80])
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *b = ip->bytes;
	char *to = text;

	text[0] = '\0';
	if (ip->family == 4) {
		snprintf(text, 80, "%u.%u.%u.%u.in-addr.arpa", b[3], b[2], b[1], b[0]);
	} else if (ip->family == 6) {
		for (int i = 15; i >= 0; i--) {
			*to++ = digits[b[i] & 15];
			*to++ = '.';
			*to++ = digits[b[i] >> 4];
			*to++ = '.';
		}
		memcpy(to, "ip6.arpa", sizeof "ip6.arpa");
	}
}
