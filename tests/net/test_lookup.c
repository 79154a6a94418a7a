/* SPDX-License-Identifier: MIT
 *
 * The addresses of a name and the confirmed name of an address, asked of a real server.
 */
#include "tests/net/names.h"

static char found[512];

static void note_addresses(void *ctx, const struct dns_addresses *answer)
{
	char ip[IP_TEXT];
	size_t len = 0;

	(void)ctx;
	got.count++;
	got.status = answer->status;
	got.secure = answer->secure;
	snprintf(got.why, sizeof got.why, "%.*s", STR_ARG(answer->why));
	found[0] = '\0';
	for (size_t i = 0; i < answer->count; i++) {
		ip_text(&answer->ips[i], ip);
		len += (size_t)snprintf(found + len, sizeof found - len, "%s ", ip);
	}
}

static const char *addresses_of(const char *name)
{
	int before = got.count;

	dns_addresses(loop, str_c(name), note_addresses, NULL);
	ck_assert_int_eq(got.count, before);
	LOOP_UNTIL(got.count == before + 1);
	return found;
}

START_TEST(addresses_of_both_families_alternate)
{
	set_up();
	const char *all = addresses_of("mail.example.test");
	ck_assert_int_eq(got.status, DNS_OK);
	ck_assert(strcmp(all, "2001:db8::1 192.0.2.1 192.0.2.2 ") == 0 ||
		strcmp(all, "2001:db8::1 192.0.2.2 192.0.2.1 ") == 0);
	ck_assert_str_eq(addresses_of("four.example.test"), "192.0.2.4 ");
	ck_assert_str_eq(addresses_of("six.example.test"), "2001:db8::6 ");
	ck_assert_int_eq(got.status, DNS_OK);
	tear_down();
}
END_TEST

START_TEST(a_name_without_addresses_is_not_found_or_later)
{
	set_up();
	addresses_of("txt.example.test");
	ck_assert_int_eq(got.status, DNS_NOT_FOUND);
	addresses_of("nobody.example.test");
	ck_assert_int_eq(got.status, DNS_NOT_FOUND);
	addresses_of("host.broken.test");
	ck_assert_int_eq(got.status, DNS_TRY_LATER);
	ck_assert_ptr_nonnull(strstr(got.why, "SERVFAIL"));
	tear_down();
}
END_TEST

START_TEST(signed_addresses_are_secure)
{
	set_up_with(nsd.server, nsd.anchor, 30000);
	ck_assert_str_eq(addresses_of("mail.signed.test"), "192.0.2.9 ");
	ck_assert(got.secure);
	addresses_of("mail.example.test");
	ck_assert(!got.secure);
	tear_down();
}
END_TEST

START_TEST(what_is_known_here_is_not_asked)
{
	char folder[TEST_FOLDER], path[TEST_FOLDER + 16];
	const char *server = "127.0.0.1@1";
	struct dns_settings settings = {
		.servers = &server, .server_count = 1, .timeout = 30000, .hosts = path
	};
	struct why why;

	test_folder_make(folder);
	snprintf(path, sizeof path, "%s/hosts", folder);
	ck_assert(file_write(path, STR("192.0.2.77 here.example.test\n"), 0600, &why));
	loop_set_up();
	ck_assert_msg(dns_start(&settings, &why), "%s", why.text);
	ck_assert_str_eq(addresses_of("here.example.test"), "192.0.2.77 ");
	ck_assert_str_eq(addresses_of("localhost"), "::1 127.0.0.1 ");
	ck_assert_str_eq(addresses_of("2001:db8::5"), "2001:db8::5 ");
	ck_assert_str_eq(addresses_of("192.0.2.5"), "192.0.2.5 ");
	ck_assert(!got.secure);
	tear_down();
	test_folder_remove(folder);
}
END_TEST

static void note_name(void *ctx, enum dns_status status, struct str name)
{
	(void)ctx;
	got.count++;
	got.status = status;
	snprintf(found, sizeof found, "%.*s", STR_ARG(name));
}

static const char *name_of(const char *address)
{
	int before = got.count;
	struct ip ip;

	ck_assert(ip_parse(str_c(address), &ip));
	dns_reverse(loop, &ip, note_name, NULL);
	ck_assert_int_eq(got.count, before);
	LOOP_UNTIL(got.count == before + 1);
	return found;
}

START_TEST(the_name_of_an_address_is_confirmed_forward)
{
	set_up();
	ck_assert_str_eq(name_of("192.0.2.1"), "mail.example.test");
	ck_assert_int_eq(got.status, DNS_OK);
	/* Its PTR names a host that does not have it. */
	ck_assert_str_eq(name_of("192.0.2.3"), "");
	ck_assert_int_eq(got.status, DNS_NOT_FOUND);
	/* Of two names one holds. */
	ck_assert_str_eq(name_of("192.0.2.4"), "four.example.test");
	/* Nobody can say now. */
	ck_assert_str_eq(name_of("192.0.2.5"), "");
	ck_assert_int_eq(got.status, DNS_TRY_LATER);
	ck_assert_str_eq(name_of("192.0.2.6"), "");
	ck_assert_int_eq(got.status, DNS_NOT_FOUND);
	ck_assert_str_eq(name_of("127.0.0.1"), "localhost");
	ck_assert_str_eq(name_of("::1"), "localhost");
	tear_down();
}
END_TEST

START_TEST(look_ups_can_be_cancelled_at_any_point)
{
	struct dns_lookup *lookup;
	struct ip ip;

	set_up();
	ck_assert(ip_parse(STR("192.0.2.4"), &ip));
	for (int turns = 0; turns < 20; turns++) {
		lookup = dns_reverse(loop, &ip, note_name, NULL);
		int before = got.count;
		for (int i = 0; i < turns && got.count == before; i++) {
			loop_turn();
			poll(NULL, 0, 1);
		}
		if (got.count == before)
			dns_lookup_cancel(&lookup);
		int then = got.count;
		lookup = dns_addresses(loop, STR("localhost"), note_addresses, NULL);
		dns_lookup_cancel(&lookup);
		lookup = dns_addresses(loop, STR("mail.example.test"), note_addresses, NULL);
		dns_lookup_cancel(&lookup);
		ck_assert_ptr_null(lookup);
		dns_lookup_cancel(&lookup);
		ck_assert_int_eq(got.count, then);
	}
	/* With this one all before it have been answered. */
	ask("four.example.test", DNS_A);
	tear_down();
}
END_TEST

NAMES_MAIN("net/lookup", addresses_of_both_families_alternate,
	a_name_without_addresses_is_not_found_or_later, signed_addresses_are_secure,
	what_is_known_here_is_not_asked, the_name_of_an_address_is_confirmed_forward,
	look_ups_can_be_cancelled_at_any_point)
