/* SPDX-License-Identifier: MIT
 *
 * Names, asked of a real server: what is found, what is not, and what may be there later.
 */
#include "net/dns.h"

#include "base/log.h"
#include "tests/lib/folder.h"
#include "tests/lib/nsd.h"
#include "tests/net/net.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

static const struct nsd_zone zones[] = {
	{ "example.test",
		"ns A 127.0.0.1\n"
		"@ MX 10 mail\n"
		"@ MX 20 backup.example.test.\n"
		"@ TXT \"v=spf1 -all\"\n"
		"mail A 192.0.2.1\nmail A 192.0.2.2\n"
		"mail AAAA 2001:db8::1\n"
		"four A 192.0.2.4\n"
		"six AAAA 2001:db8::6\n"
		"alias CNAME mail\n"
		"dangling CNAME nothing\n"
		"txt TXT \"only\"\n"
		"null MX 0 .\n",
		false },
	{ "signed.test", "ns A 127.0.0.1\nmail A 192.0.2.9\n@ MX 1 mail\n", true },
	{ "2.0.192.in-addr.arpa",
		"1 PTR mail.example.test.\n"
		"3 PTR mail.example.test.\n"
		"4 PTR wrong.example.test.\n4 PTR four.example.test.\n"
		"5 PTR host.broken.test.\n",
		false },
	{ "broken.test", NULL, false },
};
static struct nsd nsd;

/* Once for all tests: they fork from here. */
static bool start_server(void)
{
	return nsd_start(&nsd, zones, sizeof zones / sizeof *zones);
}

/* ---- a question and its answer ------------------------------------------------------------ */

static struct {
	int count;
	enum dns_status status;
	bool exists, secure;
	uint32_t ttl;
	char records[8][256];
	size_t lengths[8], found;
	char why[512], canonical[256];
} got;

static void note(void *ctx, const struct dns_answer *answer)
{
	must(ctx == &got);
	must(loop_current() == loop);
	got.count++;
	got.status = answer->status;
	got.exists = answer->exists;
	got.secure = answer->secure;
	got.ttl = answer->ttl;
	got.found = answer->count;
	for (size_t i = 0; i < answer->count && i < 8; i++) {
		got.lengths[i] = answer->records[i].len;
		memcpy(got.records[i], answer->records[i].data, answer->records[i].len);
	}
	snprintf(got.why, sizeof got.why, "%.*s", STR_ARG(answer->why));
	snprintf(got.canonical, sizeof got.canonical, "%.*s", STR_ARG(answer->canonical));
}

static void set_up_with(const char *server, const char *anchor, int64_t timeout)
{
	struct dns_settings settings = {
		.servers = &server, .server_count = 1, .trust_anchor = anchor, .timeout = timeout
	};
	struct why why;

	loop_set_up();
	ck_assert_msg(dns_start(&settings, &why), "%s", why.text);
}

static void set_up(void)
{
	set_up_with(nsd.server, NULL, 30000);
}

static void tear_down(void)
{
	dns_stop();
	loop_free(&loop);
}

static void ask(const char *name, enum dns_type type)
{
	int before = got.count;

	ck_assert_ptr_nonnull(dns_ask(loop, str_c(name), type, note, &got));
	ck_assert_int_eq(got.count, before);
	LOOP_UNTIL(got.count == before + 1);
}

/* ---- records ------------------------------------------------------------------------------ */

START_TEST(mx_records_come_with_preference_and_name)
{
	bool mail = false, backup = false;
	uint16_t preference;
	char host[256];

	set_up();
	ask("example.test", DNS_MX);
	ck_assert_int_eq(got.status, DNS_OK);
	ck_assert_uint_eq(got.found, 2);
	ck_assert_uint_le(got.ttl, 300);
	ck_assert_uint_gt(got.ttl, 0);
	ck_assert(!got.secure);
	for (size_t i = 0; i < 2; i++) {
		ck_assert(dns_mx(str_make(got.records[i], got.lengths[i]), &preference, host));
		mail |= preference == 10 && strcmp(host, "mail.example.test") == 0;
		backup |= preference == 20 && strcmp(host, "backup.example.test") == 0;
	}
	ck_assert(mail && backup);
	ask("null.example.test", DNS_MX);
	ck_assert(dns_mx(str_make(got.records[0], got.lengths[0]), &preference, host));
	ck_assert_str_eq(host, "");
	tear_down();
}
END_TEST

START_TEST(text_comes_as_it_is)
{
	set_up();
	ask("example.test", DNS_TXT);
	ck_assert_uint_eq(got.found, 1);
	ck_assert_mem_eq(got.records[0], "\x0bv=spf1 -all", 12);
	tear_down();
}
END_TEST

START_TEST(a_cname_is_followed_and_its_end_is_named)
{
	set_up();
	ask("ALIAS.example.test.", DNS_AAAA);
	ck_assert_int_eq(got.status, DNS_OK);
	ck_assert_uint_eq(got.found, 1);
	ck_assert_uint_eq(got.lengths[0], 16);
	ck_assert_str_eq(got.canonical, "mail.example.test");
	ask("dangling.example.test", DNS_A);
	ck_assert_int_eq(got.status, DNS_NOT_FOUND);
	tear_down();
}
END_TEST

START_TEST(no_such_name_and_no_such_type_are_told_apart)
{
	set_up();
	ask("nobody.example.test", DNS_A);
	ck_assert_int_eq(got.status, DNS_NOT_FOUND);
	ck_assert(!got.exists);
	ask("txt.example.test", DNS_A);
	ck_assert_int_eq(got.status, DNS_NOT_FOUND);
	ck_assert(got.exists);
	ck_assert_uint_eq(got.found, 0);
	tear_down();
}
END_TEST

START_TEST(names_that_cannot_be_are_not_found)
{
	char label[65], name[260];

	set_up();
	memset(label, 'a', 64);
	label[64] = '\0';
	memset(name, 'a', sizeof name);
	for (size_t i = 50; i < sizeof name; i += 50)
		name[i] = '.';
	name[254] = '\0';
	const char *const bad[] = { "", ".", "a..b", ".a", "a b", "a\\046b", "a\x80", label, name };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		got.status = DNS_OK;
		ask(bad[i], DNS_A);
		ck_assert_msg(got.status == DNS_NOT_FOUND, "%s", bad[i]);
	}
	int before = got.count;
	dns_ask(loop, STR("mail\0.example.test"), DNS_A, note, &got);
	LOOP_UNTIL(got.count == before + 1);
	ck_assert_int_eq(got.status, DNS_NOT_FOUND);
	tear_down();
}
END_TEST

/* ---- later -------------------------------------------------------------------------------- */

START_TEST(a_server_that_fails_means_later)
{
	set_up();
	ask("host.broken.test", DNS_A);
	ck_assert_int_eq(got.status, DNS_TRY_LATER);
	ck_assert_ptr_nonnull(strstr(got.why, "host.broken.test"));
	ck_assert_ptr_nonnull(strstr(got.why, "SERVFAIL"));
	tear_down();
}
END_TEST

/* A server that takes questions and never answers. */
static int silent_server(char server[32])
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, len), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	snprintf(server, 32, "127.0.0.1@%u", ntohs(a.sin_port));
	return fd;
}

START_TEST(a_server_that_does_not_answer_means_later)
{
	char server[32];
	int fd = silent_server(server);

	set_up_with(server, NULL, 30);
	ask("mail.example.test", DNS_A);
	ck_assert_int_eq(got.status, DNS_TRY_LATER);
	ck_assert_str_eq(got.why, "mail.example.test: no answer in time");
	tear_down();
	close(fd);
}
END_TEST

static int unusable_lines;

static void count_unusable(enum log_level level, struct str line)
{
	must(level == LEVEL_WARNING);
	unusable_lines += str_search_case(line, STR("dns_unusable")) >= 0;
}

START_TEST(without_a_server_it_starts_and_means_later_until_there_is_one)
{
	char folder[TEST_FOLDER], path[TEST_FOLDER + 16], text[80];
	struct dns_settings settings = { .timeout = 30000, .resolv_conf = path };
	struct why why;

	test_folder_make(folder);
	snprintf(path, sizeof path, "%s/resolv.conf", folder);
	log_setup(LEVEL_INFO, LOG_TEXT, count_unusable);
	loop_set_up();
	ck_assert(dns_start(&settings, &why));
	ask("mail.example.test", DNS_A);
	ck_assert_int_eq(got.status, DNS_TRY_LATER);
	ck_assert_ptr_nonnull(strstr(got.why, path));
	dns_stop();
	ck_assert(file_write(path, STR("search example.test\nnameserver nonsense\n"), 0600, &why));
	ck_assert(dns_start(&settings, &why));
	ask("mail.example.test", DNS_A);
	ck_assert_int_eq(got.status, DNS_TRY_LATER);
	ck_assert_ptr_nonnull(strstr(got.why, "no name server"));
	dns_stop();
	ck_assert_int_eq(unusable_lines, 2);
	snprintf(text, sizeof text, "options edns0\r\nnameserver\t%s # nsd\r\n", nsd.server);
	ck_assert(file_write(path, str_c(text), 0600, &why));
	ck_assert(dns_start(&settings, &why));
	ask("mail.example.test", DNS_A);
	ck_assert_int_eq(got.status, DNS_OK);
	tear_down();
	test_folder_remove(folder);
}
END_TEST

START_TEST(while_the_resolver_does_not_run_answers_are_later)
{
	loop_set_up();
	ask("mail.example.test", DNS_A);
	ck_assert_int_eq(got.status, DNS_TRY_LATER);
	ck_assert_ptr_nonnull(strstr(got.why, "not running"));
	dns_stop();
	loop_free(&loop);
}
END_TEST

START_TEST(what_is_under_way_when_the_resolver_stops_is_later)
{
	char server[32];
	int fd = silent_server(server);

	set_up_with(server, NULL, 30000);
	for (int i = 0; i < 5; i++)
		dns_ask(loop, STR("mail.example.test"), DNS_A, note, &got);
	loop_turn();
	dns_stop();
	LOOP_UNTIL(got.count == 5);
	ck_assert_int_eq(got.status, DNS_TRY_LATER);
	ck_assert_ptr_nonnull(strstr(got.why, "stopped"));
	loop_free(&loop);
	close(fd);
}
END_TEST

START_TEST(settings_that_cannot_be_are_refused_with_their_name)
{
	const char *bad = "nonsense";
	struct dns_settings settings = { .servers = &bad, .server_count = 1, .timeout = 1 };
	struct why why;

	ck_assert(!dns_start(&settings, &why));
	ck_assert_ptr_nonnull(strstr(why.text, "\"nonsense\""));
	settings.server_count = 0;
	settings.hosts = "/no/hosts";
	ck_assert(!dns_start(&settings, &why));
	ck_assert_ptr_nonnull(strstr(why.text, "/no/hosts"));
	settings.hosts = NULL;
	settings.trust_anchor = "/no/anchor";
	ck_assert(!dns_start(&settings, &why));
	ck_assert_ptr_nonnull(strstr(why.text, "/no/anchor"));
}
END_TEST

/* ---- cancelling --------------------------------------------------------------------------- */

START_TEST(a_cancelled_question_is_not_answered)
{
	set_up();
	struct dns_query *one = dns_ask(loop, STR("mail.example.test"), DNS_A, note, &got);
	struct dns_query *two = dns_ask(loop, STR(".."), DNS_A, note, &got);
	dns_cancel(&one);
	dns_cancel(&two);
	ck_assert_ptr_null(one);
	dns_cancel(&one);
	/* The answers come back in order, so the first two are behind us with the third. */
	ask("mail.example.test", DNS_A);
	ck_assert_int_eq(got.count, 1);
	tear_down();
}
END_TEST

static struct dns_query *to_cancel;

static void cancel_inside(void *ctx, const struct dns_answer *answer)
{
	(void)ctx;
	got.count++;
	dns_cancel(&to_cancel);
	must(answer->count == 2); /* still valid */
}

START_TEST(a_question_may_be_cancelled_while_it_is_answered)
{
	set_up();
	to_cancel = dns_ask(loop, STR("mail.example.test"), DNS_A, cancel_inside, NULL);
	LOOP_UNTIL(got.count == 1);
	ck_assert_ptr_null(to_cancel);
	tear_down();
}
END_TEST

enum { CROWD = 300 };

static void count_answer(void *ctx, const struct dns_answer *answer)
{
	unsigned *count = ctx;

	must(answer->status == DNS_OK || answer->status == DNS_NOT_FOUND);
	++*count;
}

/* On its own thread: asks a crowd, cancels each third. */
static void *ask_a_crowd(void *arg)
{
	struct loop *l = arg;
	struct task stop = { .run = loop_return };
	struct dns_query *queries[CROWD];
	unsigned count = 0;
	char name[64];

	for (int i = 0; i < CROWD; i++) {
		snprintf(name, sizeof name, "%s%d.example.test", i % 2 ? "x" : "mail", i);
		queries[i] = dns_ask(l, str_c(name), DNS_A, count_answer, &count);
	}
	for (int i = 0; i < CROWD; i += 3)
		dns_cancel(&queries[i]);
	while (count < CROWD - CROWD / 3) {
		loop_post(l, &stop);
		loop_run(l);
	}
	return NULL;
}

START_TEST(many_loops_ask_at_once)
{
	pthread_t threads[3];
	struct loop *loops[3];
	struct why why;

	set_up();
	for (int i = 0; i < 3; i++) {
		loops[i] = loop_new((unsigned)i, &why);
		pthread_create(&threads[i], NULL, ask_a_crowd, loops[i]);
	}
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	dns_stop(); /* cancelled ones may be under way still */
	for (int i = 0; i < 3; i++)
		loop_free(&loops[i]);
	loop_free(&loop);
}
END_TEST

/* ---- DNSSEC ------------------------------------------------------------------------------- */

START_TEST(with_a_trust_anchor_signed_answers_are_secure_and_others_are_not)
{
	set_up_with(nsd.server, nsd.anchor, 30000);
	ask("mail.signed.test", DNS_A);
	ck_assert_int_eq(got.status, DNS_OK);
	ck_assert(got.secure);
	ask("nobody.signed.test", DNS_A);
	ck_assert_int_eq(got.status, DNS_NOT_FOUND);
	ck_assert(got.secure);
	ask("mail.example.test", DNS_A);
	ck_assert_int_eq(got.status, DNS_OK);
	ck_assert(!got.secure);
	tear_down();
}
END_TEST

START_TEST(what_does_not_validate_is_later_and_says_why)
{
	struct buf anchor = { 0 }, wrong = { 0 };
	char path[sizeof nsd.anchor + 8];
	struct why why;
	struct str line;

	/* The key of signed.test in the name of example.test, which is not signed. */
	ck_assert(file_read(nsd.anchor, 65536, &anchor, &why));
	line = buf_str(&anchor);
	ptrdiff_t at = str_search_case(line, STR("signed.test."));
	ck_assert_int_ge(at, 0);
	buf_add(&wrong, STR("example.test."));
	buf_add(&wrong, str_slice(line, (size_t)at + 12, SIZE_MAX));
	snprintf(path, sizeof path, "%s.wrong", nsd.anchor);
	ck_assert(file_write(path, buf_str(&wrong), 0600, &why));
	set_up_with(nsd.server, path, 30000);
	ask("mail.example.test", DNS_A);
	ck_assert_int_eq(got.status, DNS_TRY_LATER);
	ck_assert_msg(strstr(got.why, "validation") || strstr(got.why, "DNSSEC") ||
			strstr(got.why, "key"),
		"%s", got.why);
	ck_assert_uint_eq(got.found, 0);
	tear_down();
	buf_free(&anchor);
	buf_free(&wrong);
}
END_TEST

/* ---- addresses and their names ------------------------------------------------------------ */

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

int main(void)
{
	const TTest *const tests[] = { mx_records_come_with_preference_and_name,
		text_comes_as_it_is, a_cname_is_followed_and_its_end_is_named,
		no_such_name_and_no_such_type_are_told_apart, names_that_cannot_be_are_not_found,
		a_server_that_fails_means_later, a_server_that_does_not_answer_means_later,
		without_a_server_it_starts_and_means_later_until_there_is_one,
		while_the_resolver_does_not_run_answers_are_later,
		what_is_under_way_when_the_resolver_stops_is_later,
		settings_that_cannot_be_are_refused_with_their_name,
		a_cancelled_question_is_not_answered,
		a_question_may_be_cancelled_while_it_is_answered, many_loops_ask_at_once,
		with_a_trust_anchor_signed_answers_are_secure_and_others_are_not,
		what_does_not_validate_is_later_and_says_why, addresses_of_both_families_alternate,
		a_name_without_addresses_is_not_found_or_later, signed_addresses_are_secure,
		what_is_known_here_is_not_asked, the_name_of_an_address_is_confirmed_forward,
		look_ups_can_be_cancelled_at_any_point };
	int result;

	if (!start_server()) {
		puts("net/dns: skipped, nsd and ldnsutils are not installed");
		return 77; /* automake: skipped */
	}
	result = test_run("net/dns", tests, sizeof tests / sizeof *tests);
	nsd_stop(&nsd);
	return result;
}
