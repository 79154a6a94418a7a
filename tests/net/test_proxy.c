/* SPDX-License-Identifier: MIT
 *
 * The PROXY protocol: both versions, every cut, and what is none.
 */
#include "net/proxy.h"

#include "tests/lib/test.h"

#include <string.h>

#define V2 "\r\n\r\n\0\r\nQUIT\n"

static void ck_peer(const struct proxy *p, const char *peer, const char *local)
{
	char text[ENDPOINT_TEXT];

	ck_assert(!p->local);
	endpoint_text(&p->peer, text);
	ck_assert_str_eq(text, peer);
	endpoint_text(&p->local_end, text);
	ck_assert_str_eq(text, local);
}

/* Any shorter piece asks for more, any longer one is read the same. */
static struct proxy ck_done(struct str header)
{
	char longer[2048];
	struct proxy proxy;
	size_t used;

	for (size_t len = 0; len < header.len; len++)
		ck_assert_int_eq(proxy_read(str_slice(header, 0, len), &used, &proxy), PROXY_MORE);
	memcpy(longer, header.data, header.len);
	memcpy(longer + header.len, "EHLO x\r\n", 8);
	ck_assert_int_eq(proxy_read(str_make(longer, header.len + 8), &used, &proxy), PROXY_DONE);
	ck_assert_uint_eq(used, header.len);
	return proxy;
}

static void ck_bad(struct str header)
{
	struct proxy proxy = { .local = true };
	size_t used = 4711;

	ck_assert_msg(proxy_read(header, &used, &proxy) == PROXY_BAD, "%.*s", STR_ARG(header));
	ck_assert_uint_eq(used, 4711);
}

START_TEST(version_1_gives_both_ends)
{
	struct proxy p = ck_done(STR("PROXY TCP4 192.0.2.1 198.51.100.2 56324 25\r\n"));
	ck_peer(&p, "192.0.2.1:56324", "198.51.100.2:25");
	p = ck_done(STR("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n"));
	ck_peer(&p, "[2001:db8::1]:1", "[2001:db8::2]:65535");
	p = ck_done(STR("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 1 0\r\n"));
	ck_peer(&p, "192.0.2.1:1", "192.0.2.2:0");
}
END_TEST

START_TEST(version_1_unknown_keeps_the_connections_own_addresses)
{
	ck_assert(ck_done(STR("PROXY UNKNOWN\r\n")).local);
	ck_assert(ck_done(STR("PROXY UNKNOWN ffff:f::1 ffff:f::2 65535 65535\r\n")).local);
}
END_TEST

START_TEST(version_1_that_is_not_well_formed_is_refused)
{
	ck_bad(STR("PROXY \r\n"));
	ck_bad(STR("PROXY TCP4\r\n"));
	ck_bad(STR("PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n"));
	ck_bad(STR("PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n"));
	ck_bad(STR("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n"));
	ck_bad(STR("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n"));
	ck_bad(STR("PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n"));
	ck_bad(STR("PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n"));
	ck_bad(STR("PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n"));
	ck_bad(STR("PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n"));
	ck_bad(STR("PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n"));
	ck_bad(STR("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n"));
	ck_bad(STR("PROXY TCP4 192.0.2.1\0 192.0.2.2 1 2\r\n"));
	ck_bad(STR("PROXYTCP4"));
	ck_bad(STR("EHLO x\r\n"));
	ck_bad(STR("\r\nEHLO x\r\n"));
}
END_TEST

START_TEST(version_1_without_an_end_is_refused_after_107_octets)
{
	char line[200];
	struct proxy proxy;
	size_t used;

	memset(line, 'x', sizeof line);
	memcpy(line, "PROXY UNKNOWN ", 14);
	ck_assert_int_eq(proxy_read(str_make(line, 106), &used, &proxy), PROXY_MORE);
	ck_bad(str_make(line, 107));
	memcpy(line + 105, "\r\n", 2);
	ck_done(str_make(line, 107));
	memcpy(line + 105, "x\r\n", 3);
	ck_bad(str_make(line, 108));
}
END_TEST

START_TEST(version_2_gives_both_ends)
{
	struct proxy p = ck_done(STR(V2 "\x21\x11\0\x0c"
					"\xc0\0\2\1\xc6\x33\x64\2\xdc\4\0\x19"));
	ck_peer(&p, "192.0.2.1:56324", "198.51.100.2:25");
	p = ck_done(STR(V2 "\x21\x21\0\x24"
			   "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
			   "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2"
			   "\0\1\xff\xff"));
	ck_peer(&p, "[2001:db8::1]:1", "[2001:db8::2]:65535");
	p = ck_done(STR(V2 "\x21\x21\0\x24"
			   "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1"
			   "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\2"
			   "\0\1\0\2"));
	ck_peer(&p, "192.0.2.1:1", "192.0.2.2:2");
}
END_TEST

START_TEST(version_2_skips_what_follows_the_addresses)
{
	struct proxy p = ck_done(STR(V2 "\x21\x11\0\x10"
					"\xc0\0\2\1\xc6\x33\x64\2\xdc\4\0\x19"
					"\x04\0\1x"));
	ck_peer(&p, "192.0.2.1:56324", "198.51.100.2:25");
}
END_TEST

START_TEST(version_2_local_and_unspecified_keep_the_connections_own_addresses)
{
	ck_assert(ck_done(STR(V2 "\x20\0\0\0")).local);
	ck_assert(ck_done(STR(V2 "\x20\x11\0\x0c"
				 "123456789012"))
			  .local);
	ck_assert(ck_done(STR(V2 "\x21\0\0\2xy")).local);
}
END_TEST

START_TEST(version_2_that_is_not_well_formed_is_refused)
{
	ck_bad(STR(V2 "\x11\x11\0\x0c"
		      "123456789012")); /* version 1 */
	ck_bad(STR(V2 "\x22\x11\0\x0c"
		      "123456789012")); /* command 2 */
	ck_bad(STR(V2 "\x21\x11\0\x0b"
		      "12345678901")); /* too short for its family */
	ck_bad(STR(V2 "\x21\x21\0\x0c"
		      "123456789012"));
	ck_bad(STR(V2 "\x21\x12\0\x0c"
		      "123456789012")); /* datagrams */
	ck_bad(STR(V2 "\x21\x11\4\1")); /* 1025 octets */
}
END_TEST

TEST_MAIN("net/proxy", version_1_gives_both_ends,
	version_1_unknown_keeps_the_connections_own_addresses,
	version_1_that_is_not_well_formed_is_refused,
	version_1_without_an_end_is_refused_after_107_octets, version_2_gives_both_ends,
	version_2_skips_what_follows_the_addresses,
	version_2_local_and_unspecified_keep_the_connections_own_addresses,
	version_2_that_is_not_well_formed_is_refused)
