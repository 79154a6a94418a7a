/* SPDX-License-Identifier: MIT
 *
 * The addresses of a name and the confirmed name of an address, asked of a real server.
 */
#include "tests/net/names.h"

#include "sys/clock.h"

#include <pthread.h>
#include <stdatomic.h>

static char found[512];

/* A clock that stands still, so that nothing is waited for in vain, and is put forward. */
static _Atomic int64_t still = 1000000;

static int64_t still_mono(void)
{
	return still;
}

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
	clock_replace(NULL, still_mono);
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

/* A name server with both addresses of every name, which does not answer for the name "late" in
 * one of the families until it is let go. */
static struct {
	int fd;
	struct endpoint where;
	_Atomic int late_type; /* DNS_A, DNS_AAAA */
	_Atomic bool was_asked, ends;
	uint8_t kept[512];
	size_t kept_len;
	struct sockaddr_storage from;
	socklen_t from_len;
	pthread_t thread;
} slow;

static void slow_answer(uint8_t *packet, size_t len, const struct sockaddr *to, socklen_t to_len)
{
	static const uint8_t four[] = { 0xc0, 12, 0, DNS_A, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 4 };
	static const uint8_t six[] = { 0xc0, 12, 0, DNS_AAAA, 0, 1, 0, 0, 0, 60, 0, 16, 0x20, 1,
		0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6 };
	bool is_six = packet[len - 3] == DNS_AAAA;

	packet[2] = 0x81;
	packet[3] = 0x80;
	packet[7] = 1;
	memset(packet + 8, 0, 4);
	memcpy(packet + len, is_six ? six : four, is_six ? sizeof six : sizeof four);
	len += is_six ? sizeof six : sizeof four;
	sendto(slow.fd, packet, len, 0, to, to_len);
}

static void slow_question(uint8_t *packet)
{
	struct sockaddr_storage from;
	socklen_t from_len = sizeof from;
	ssize_t got_len = recvfrom(slow.fd, packet, 256, 0, (struct sockaddr *)&from, &from_len);
	size_t len = 12;

	if (got_len < 17)
		return;
	while (len < 200 && packet[len] != 0)
		len += packet[len] + 1u;
	len += 5; /* what follows (EDNS) is not answered */
	if (packet[len - 3] != slow.late_type || packet[12] != 4 ||
		strncasecmp((char *)packet + 13, "late", 4) != 0) {
		slow_answer(packet, len, (struct sockaddr *)&from, from_len);
		return;
	}
	memcpy(slow.kept, packet, len);
	slow.kept_len = len;
	slow.from = from;
	slow.from_len = from_len;
	slow.was_asked = true;
}

static void *slow_run(void *arg)
{
	uint8_t packet[512];

	while (!slow.ends) {
		struct pollfd p = { .fd = slow.fd, .events = POLLIN };

		if (poll(&p, 1, 10) > 0)
			slow_question(packet);
		if (slow.late_type == 0 && slow.kept_len > 0) {
			slow_answer(slow.kept, slow.kept_len, (struct sockaddr *)&slow.from,
				slow.from_len);
			slow.kept_len = 0;
		}
	}
	return arg;
}

static void slow_set_up(enum dns_type late)
{
	struct sockaddr_storage address;
	char server[64];

	slow.where = endpoint_of("127.0.0.1:0");
	slow.fd = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t len = endpoint_sockaddr(&slow.where, &address);
	ck_assert_int_eq(bind(slow.fd, (struct sockaddr *)&address, len), 0);
	ck_assert(endpoint_of_socket(slow.fd, false, &slow.where));
	slow.late_type = (int)late;
	ck_assert_int_eq(pthread_create(&slow.thread, NULL, slow_run, NULL), 0);
	snprintf(server, sizeof server, "127.0.0.1@%u", slow.where.port);
	clock_replace(NULL, still_mono);
	set_up_with(server, NULL, 30000);
}

static void slow_tear_down(void)
{
	slow.ends = true;
	pthread_join(slow.thread, NULL);
	fd_close(&slow.fd);
	tear_down();
	clock_replace(NULL, NULL);
}

static int passed;

static void note_passed(void *ctx, const struct dns_answer *answer)
{
	(void)ctx;
	(void)answer;
	passed++;
}

/* What was answered before has been heard of when another answer comes. */
static void wait_late(enum dns_type other)
{
	LOOP_UNTIL(slow.was_asked);
	dns_ask(loop, STR("barrier.test"), other, note_passed, NULL);
	LOOP_UNTIL(passed == 1);
}

START_TEST(ipv4_waits_for_ipv6_only_a_moment)
{
	slow_set_up(DNS_AAAA);
	dns_addresses(loop, STR("late.test"), note_addresses, NULL);
	wait_late(DNS_A);
	still += 49000;
	for (int i = 0; i < 5; i++)
		loop_turn();
	ck_assert_int_eq(got.count, 0);
	still += 2000;
	for (int i = 0; i < 5; i++)
		loop_turn();
	ck_assert_int_eq(got.count, 1);
	ck_assert_str_eq(found, "192.0.2.4 ");
	slow_tear_down();
}
END_TEST

START_TEST(ipv6_waits_for_ipv4)
{
	slow_set_up(DNS_A);
	dns_addresses(loop, STR("late.test"), note_addresses, NULL);
	wait_late(DNS_AAAA);
	still += 1000000;
	for (int i = 0; i < 5; i++)
		loop_turn();
	ck_assert_int_eq(got.count, 0);
	slow.late_type = 0;
	LOOP_UNTIL(got.count == 1);
	ck_assert_str_eq(found, "2001:db8::6 192.0.2.4 ");
	slow_tear_down();
}
END_TEST

START_TEST(ipv4_in_the_guise_of_ipv6_is_ipv4)
{
	clock_replace(NULL, still_mono);
	set_up();
	ck_assert_str_eq(addresses_of("mapped.example.test"), "127.0.0.1 ");
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

NAMES_MAIN("net/lookup", addresses_of_both_families_alternate, ipv4_waits_for_ipv6_only_a_moment,
	ipv6_waits_for_ipv4, ipv4_in_the_guise_of_ipv6_is_ipv4,
	a_name_without_addresses_is_not_found_or_later, signed_addresses_are_secure,
	what_is_known_here_is_not_asked, the_name_of_an_address_is_confirmed_forward,
	look_ups_can_be_cancelled_at_any_point)
