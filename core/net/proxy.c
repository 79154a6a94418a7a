/* SPDX-License-Identifier: MIT
 *
 * The header that a proxy puts in front of a connection, in both its forms. What is not one is
 * BAD at the first octet that tells; a header is used whole or not at all.
 */
#include "net/proxy.h"

#include "base/num.h"

enum {
	V1_MOST = 107,
	V2_HEAD = 16,
	V2_MOST = V2_HEAD + 1024, /* addresses and TLVs; haproxy sends far less */
	V2_INET = 12,
	V2_INET6 = 36,
	V2_UNIX = 216
};

static const struct str v1_mark = STR_INIT("PROXY ");
static const struct str v2_mark = STR_INIT("\r\n\r\n\0\r\nQUIT\n");

/* ---- version 1: a line of text ------------------------------------------------------------ */

/* One more field behind exactly one blank. */
static bool v1_field(struct str *rest, struct str *field)
{
	return str_split(rest, ' ', field) && field->len > 0;
}

static bool v1_port(struct str *rest, uint16_t *port)
{
	struct str field;
	uint64_t v;

	/* "0" and numbers without leading zeros. */
	if (!v1_field(rest, &field) || !num_u64(field, &v) || v > UINT16_MAX)
		return false;
	if (field.len > 1 && field.data[0] == '0')
		return false;
	*port = (uint16_t)v;
	return true;
}

static bool v1_ip(struct str *rest, uint8_t family, struct ip *ip)
{
	struct str field;

	if (!v1_field(rest, &field) || !ip_parse(field, ip))
		return false;
	/* A mapped address comes out as IPv4, which TCP6 may carry. */
	return family == 6 || ip->family == 4;
}

/* What stands between the mark and CRLF. */
static bool v1_line(struct str rest, struct proxy *proxy)
{
	struct proxy made = { 0 };
	struct str protocol;
	uint8_t family;

	if (!v1_field(&rest, &protocol))
		return false;
	if (str_equal(protocol, STR("UNKNOWN"))) {
		*proxy = (struct proxy){ .local = true }; /* the rest of the line is ignored */
		return true;
	}
	if (str_equal(protocol, STR("TCP4")))
		family = 4;
	else if (str_equal(protocol, STR("TCP6")))
		family = 6;
	else
		return false;
	if (!v1_ip(&rest, family, &made.peer.ip) || !v1_ip(&rest, family, &made.local_end.ip) ||
		!v1_port(&rest, &made.peer.port) || !v1_port(&rest, &made.local_end.port) ||
		rest.data)
		return false;
	*proxy = made;
	return true;
}

static enum proxy_result v1_read(struct str in, size_t *used, struct proxy *proxy)
{
	struct str line = str_slice(in, 0, V1_MOST);
	ptrdiff_t lf = str_find(line, '\n');

	if (lf < 0)
		return line.len == V1_MOST ? PROXY_BAD : PROXY_MORE;
	if (line.data[lf - 1] != '\r')
		return PROXY_BAD;
	if (!v1_line(str_slice(line, v1_mark.len, (size_t)lf - 1 - v1_mark.len), proxy))
		return PROXY_BAD;
	*used = (size_t)lf + 1;
	return PROXY_DONE;
}

/* ---- version 2: binary -------------------------------------------------------------------- */

static uint16_t big16(const char *at)
{
	const unsigned char *u = (const unsigned char *)at;

	return (uint16_t)(u[0] << 8 | u[1]);
}

static void ip_of(struct ip *ip, uint8_t family, const char *octets)
{
	static const char mapped[12] = "\0\0\0\0\0\0\0\0\0\0\xff\xff";

	*ip = (struct ip){ .family = family };
	if (family == 6 && memcmp(octets, mapped, sizeof mapped) == 0) {
		ip->family = 4;
		octets += sizeof mapped;
	}
	memcpy(ip->bytes, octets, ip->family == 4 ? 4 : 16);
}

static void v2_inet(const char *at, uint8_t family, struct proxy *made)
{
	size_t len = family == 4 ? 4 : 16;

	ip_of(&made->peer.ip, family, at);
	ip_of(&made->local_end.ip, family, at + len);
	made->peer.port = big16(at + 2 * len);
	made->local_end.port = big16(at + 2 * len + 2);
}

static bool v2_addresses(int command, int transport, struct str block, struct proxy *proxy)
{
	struct proxy made = { 0 };

	/* LOCAL: whatever follows is skipped. UNSPEC, datagrams and unix sockets tell nothing
	 * about a mail client; they count as LOCAL, as the specification allows. */
	if (command == 0)
		made.local = true;
	else if (transport == 0x11 && block.len >= V2_INET)
		v2_inet(block.data, 4, &made);
	else if (transport == 0x21 && block.len >= V2_INET6)
		v2_inet(block.data, 6, &made);
	else if (transport == 0x00 || (transport == 0x31 && block.len >= V2_UNIX))
		made.local = true;
	else
		return false;
	*proxy = made;
	return true;
}

static enum proxy_result v2_read(struct str in, size_t *used, struct proxy *proxy)
{
	size_t len;
	int version;

	if (in.len < V2_HEAD)
		return PROXY_MORE;
	version = (unsigned char)in.data[12] >> 4;
	len = V2_HEAD + (size_t)big16(in.data + 14);
	if (version != 2 || (in.data[12] & 15) > 1 || len > V2_MOST)
		return PROXY_BAD;
	if (in.len < len)
		return PROXY_MORE;
	if (!v2_addresses(in.data[12] & 15, (unsigned char)in.data[13],
		    str_slice(in, V2_HEAD, len - V2_HEAD), proxy))
		return PROXY_BAD;
	*used = len;
	return PROXY_DONE;
}

/* ------------------------------------------------------------------------------------------ */

enum proxy_result proxy_read(struct str in, size_t *used, struct proxy *proxy)
{
	if (str_starts(in, v2_mark))
		return v2_read(in, used, proxy);
	if (str_starts(in, v1_mark))
		return v1_read(in, used, proxy);
	/* The beginning of either, so far. */
	return str_starts(v2_mark, in) || str_starts(v1_mark, in) ? PROXY_MORE : PROXY_BAD;
}
