/* SPDX-License-Identifier: MIT
 *
 * The hosts file: what is read, what is skipped, and localhost.
 */
#include "net/hosts.h"

#include "tests/lib/test.h"

#include <stdio.h>
#include <string.h>

static struct hosts *hosts;

static void ck_found(const char *name, const char *expected)
{
	struct ip ips[HOSTS_MOST];
	size_t count = hosts_find(hosts, str_c(name), ips), len = 0;
	char text[1024] = "", ip[IP_TEXT];

	for (size_t i = 0; i < count; i++) {
		ip_text(&ips[i], ip);
		len += (size_t)snprintf(text + len, sizeof text - len, "%s ", ip);
	}
	ck_assert_str_eq(text, expected);
}

START_TEST(names_have_the_addresses_of_their_lines)
{
	hosts = hosts_parse(STR("# a comment\n"
				"192.0.2.1 mail.example.test mail # the first\n"
				"\t2001:db8::1\tMAIL.example.test\r\n"
				"\n"
				"192.0.2.2 other\n"
				"192.0.2.1 mail\n"
				"no-address name\n"
				"192.0.2.3\n"
				"192.0.2.4 last"));
	ck_found("mail.example.test", "192.0.2.1 2001:db8::1 ");
	ck_found("Mail.Example.Test.", "192.0.2.1 2001:db8::1 ");
	ck_found("mail", "192.0.2.1 ");
	ck_found("other", "192.0.2.2 ");
	ck_found("last", "192.0.2.4 ");
	ck_found("name", "");
	ck_found("example.test", "");
	ck_found("", "");
	hosts_free(&hosts);
	ck_assert_ptr_null(hosts);
}
END_TEST

START_TEST(localhost_is_always_both_families)
{
	ck_found("localhost", "::1 127.0.0.1 ");
	hosts = hosts_parse(STR("192.0.2.66 localhost\n"));
	ck_found("LocalHost.", "::1 127.0.0.1 ");
	ck_found("a.localhost", "::1 127.0.0.1 ");
	ck_found("notlocalhost", "");
	hosts_free(&hosts);
}
END_TEST

START_TEST(addresses_of_one_name_are_bounded)
{
	char text[2048];
	struct ip ips[HOSTS_MOST];
	size_t len = 0;

	for (int i = 0; i < 50; i++)
		len += (size_t)snprintf(text + len, sizeof text - len, "192.0.2.%d many\n", i);
	hosts = hosts_parse(str_make(text, len));
	ck_assert_uint_eq(hosts_find(hosts, STR("many"), ips), HOSTS_MOST);
	hosts_free(&hosts);
}
END_TEST

TEST_MAIN("net/hosts", names_have_the_addresses_of_their_lines, localhost_is_always_both_families,
	addresses_of_one_name_are_bounded)
