/* SPDX-License-Identifier: MIT
 *
 * Names, asked of a real server: what is found, what is not, and what may be there later.
 */
#include "tests/net/names.h"

#include "base/log.h"

#include <arpa/inet.h>
#include <pthread.h>

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

NAMES_MAIN("net/dns", mx_records_come_with_preference_and_name, text_comes_as_it_is,
	a_cname_is_followed_and_its_end_is_named, no_such_name_and_no_such_type_are_told_apart,
	names_that_cannot_be_are_not_found, a_server_that_fails_means_later,
	a_server_that_does_not_answer_means_later,
	without_a_server_it_starts_and_means_later_until_there_is_one,
	while_the_resolver_does_not_run_answers_are_later,
	what_is_under_way_when_the_resolver_stops_is_later,
	settings_that_cannot_be_are_refused_with_their_name, a_cancelled_question_is_not_answered,
	a_question_may_be_cancelled_while_it_is_answered, many_loops_ask_at_once,
	with_a_trust_anchor_signed_answers_are_secure_and_others_are_not,
	what_does_not_validate_is_later_and_says_why)
