/* SPDX-License-Identifier: MIT
 *
 * Dialling: who wins, what is said when nobody answers, and that it can be given up.
 */
#include "net/dial.h"

#include "tests/lib/folder.h"
#include "tests/lib/silent.h"
#include "tests/net/net.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

enum { LONG = 60000 };

static struct dial *dial;
static struct dial_result result;
static int dones;

static void done(void *ctx, const struct dial_result *r)
{
	must(ctx == &dones);
	result = *r;
	dones++;
	dial_cancel(&dial); /* harmless in here */
}

static void start(const struct endpoint *peers, size_t count, int64_t timeout)
{
	dial = dial_start(loop, peers, count, NULL, 0, timeout, done, &dones);
	ck_assert_ptr_nonnull(dial);
	ck_assert_int_eq(dones, 0);
}

static void tear_down(void)
{
	fd_close(&result.fd);
	loop_free(&loop);
}

/* An address where nobody listens. */
static struct endpoint nobody(void)
{
	struct endpoint where;
	int fd = listen_on("127.0.0.1:0", &where);

	fd_close(&fd);
	return where;
}

START_TEST(a_peer_that_listens_is_reached)
{
	struct endpoint where, ours;
	int on = 0;
	socklen_t len = sizeof on;

	loop_set_up();
	int fd = listen_on("127.0.0.1:0", &where);
	start(&where, 1, LONG);
	LOOP_UNTIL(dones == 1);
	ck_assert_int_ge(result.fd, 0);
	ck_assert(endpoint_equal(&result.peer, &where));
	ck_assert(endpoint_of_socket(result.fd, false, &ours));
	ck_assert(endpoint_equal(&result.local, &ours));
	ck_assert_int_ne(fcntl(result.fd, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_ne(fcntl(result.fd, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_eq(getsockopt(result.fd, IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
	ck_assert_int_eq(on, 1);
	fd_close(&fd);
	tear_down();
}
END_TEST

START_TEST(the_next_is_tried_at_once_when_one_refuses)
{
	struct endpoint peers[3] = { nobody(), nobody() };

	loop_set_up();
	int fd = listen_on("[::1]:0", &peers[2]);
	start(peers, 3, LONG);
	LOOP_UNTIL(dones == 1);
	ck_assert_int_ge(result.fd, 0);
	ck_assert(endpoint_equal(&result.peer, &peers[2]));
	fd_close(&fd);
	tear_down();
}
END_TEST

START_TEST(the_next_is_tried_while_one_is_silent)
{
	struct silent silent;
	struct endpoint peers[2];

	loop_set_up();
	silent_make(&silent);
	peers[0] = silent.where;
	int fd = listen_on("127.0.0.1:0", &peers[1]);
	start(peers, 2, LONG);
	LOOP_UNTIL(dones == 1);
	ck_assert_int_ge(result.fd, 0);
	ck_assert(endpoint_equal(&result.peer, &peers[1]));
	fd_close(&fd);
	silent_free(&silent);
	tear_down();
}
END_TEST

START_TEST(when_nobody_answers_each_reason_is_told)
{
	struct endpoint peers[2] = { nobody(), endpoint_of("/no/such/socket") };
	char expected[256], text[ENDPOINT_TEXT];

	loop_set_up();
	start(peers, 2, LONG);
	LOOP_UNTIL(dones == 1);
	ck_assert_int_eq(result.fd, -1);
	endpoint_text(&peers[0], text);
	snprintf(expected, sizeof expected, "%s: %s; /no/such/socket: %s", text,
		strerror(ECONNREFUSED), strerror(ENOENT));
	ck_assert_str_eq(result.why.text, expected);
	tear_down();
}
END_TEST

START_TEST(a_silent_peer_is_given_up_in_time)
{
	struct silent silent;
	struct endpoint peers[2];

	loop_set_up();
	silent_make(&silent);
	peers[0] = peers[1] = silent.where;
	start(peers, 2, 30);
	LOOP_UNTIL(dones == 1);
	ck_assert_int_eq(result.fd, -1);
	ck_assert_ptr_nonnull(strstr(result.why.text, ": timed out; "));
	ck_assert_ptr_nonnull(strstr(result.why.text, ": not tried in time"));
	silent_free(&silent);
	tear_down();
}
END_TEST

START_TEST(more_reasons_than_fit_are_cut)
{
	struct endpoint peers[40];

	loop_set_up();
	for (int i = 0; i < 40; i++)
		peers[i] = endpoint_of("/no/such/socket/with/a/rather/long/name");
	start(peers, 40, LONG);
	LOOP_UNTIL(dones == 1);
	ck_assert_int_eq(result.fd, -1);
	ck_assert_uint_lt(strlen(result.why.text), sizeof result.why.text);
	tear_down();
}
END_TEST

START_TEST(without_any_address_it_fails_and_says_so)
{
	loop_set_up();
	start(NULL, 0, LONG);
	LOOP_UNTIL(dones == 1);
	ck_assert_int_eq(result.fd, -1);
	ck_assert_str_eq(result.why.text, "no address to connect to");
	tear_down();
}
END_TEST

START_TEST(the_source_of_the_peers_family_is_used)
{
	struct endpoint where;
	struct ip sources[3];

	ck_assert(ip_parse(STR("::1"), &sources[0]));
	ck_assert(ip_parse(STR("127.0.0.7"), &sources[1]));
	ck_assert(ip_parse(STR("127.0.0.8"), &sources[2]));
	loop_set_up();
	int fd = listen_on("127.0.0.1:0", &where);
	dial = dial_start(loop, &where, 1, sources, 3, LONG, done, &dones);
	LOOP_UNTIL(dones == 1);
	ck_assert_int_ge(result.fd, 0);
	ck_assert(ip_equal(&result.local.ip, &sources[1]));
	fd_close(&fd);
	tear_down();
}
END_TEST

START_TEST(a_family_without_a_source_is_not_dialled)
{
	struct endpoint peers[2];
	struct ip sources[2];

	ck_assert(ip_parse(STR("127.0.0.7"), &sources[0]));
	ck_assert(ip_parse(STR("::"), &sources[1]));
	loop_set_up();
	int six = listen_on("[::1]:0", &peers[0]), four = listen_on("127.0.0.1:0", &peers[1]);
	dial = dial_start(loop, peers, 2, sources, 1, LONG, done, &dones);
	LOOP_UNTIL(dones == 1);
	ck_assert(endpoint_equal(&result.peer, &peers[1]));
	fd_close(&result.fd);
	/* By itself it is the reason; left to the kernel it is dialled. */
	dial = dial_start(loop, peers, 1, sources, 1, LONG, done, &dones);
	LOOP_UNTIL(dones == 2);
	ck_assert_int_eq(result.fd, -1);
	ck_assert_ptr_nonnull(strstr(result.why.text, "no local address of its family"));
	dial = dial_start(loop, peers, 2, sources, 2, LONG, done, &dones);
	LOOP_UNTIL(dones == 3);
	ck_assert(endpoint_equal(&result.peer, &peers[0]));
	fd_close(&six);
	fd_close(&four);
	tear_down();
}
END_TEST

START_TEST(a_source_that_is_not_ours_is_a_reason)
{
	struct endpoint where;
	struct ip source;

	ck_assert(ip_parse(STR("203.0.113.9"), &source));
	loop_set_up();
	int fd = listen_on("127.0.0.1:0", &where);
	dial = dial_start(loop, &where, 1, &source, 1, LONG, done, &dones);
	LOOP_UNTIL(dones == 1);
	ck_assert_int_eq(result.fd, -1);
	ck_assert_ptr_nonnull(strstr(result.why.text, strerror(EADDRNOTAVAIL)));
	fd_close(&fd);
	tear_down();
}
END_TEST

START_TEST(a_unix_socket_is_reached)
{
	char folder[TEST_FOLDER], path[TEST_FOLDER + 8];
	struct endpoint where;

	test_folder_make(folder);
	snprintf(path, sizeof path, "%s/s", folder);
	loop_set_up();
	int fd = listen_on(path, &where);
	start(&where, 1, LONG);
	LOOP_UNTIL(dones == 1);
	ck_assert_int_ge(result.fd, 0);
	ck_assert_str_eq(result.peer.path, path);
	fd_close(&fd);
	test_folder_remove(folder);
	tear_down();
}
END_TEST

START_TEST(it_can_be_cancelled_before_and_while_it_tries)
{
	struct silent silent;
	struct endpoint peers[2];

	loop_set_up();
	silent_make(&silent);
	peers[0] = peers[1] = silent.where;
	start(peers, 2, LONG);
	dial_cancel(&dial);
	ck_assert_ptr_null(dial);
	dial_cancel(&dial);
	start(peers, 2, LONG);
	for (int i = 0; i < 5; i++)
		loop_turn();
	dial_cancel(&dial);
	for (int i = 0; i < 5; i++)
		loop_turn();
	ck_assert_int_eq(dones, 0);
	result.fd = -1;
	silent_free(&silent);
	tear_down();
}
END_TEST

TEST_MAIN("net/dial", a_peer_that_listens_is_reached, the_next_is_tried_at_once_when_one_refuses,
	the_next_is_tried_while_one_is_silent, when_nobody_answers_each_reason_is_told,
	a_silent_peer_is_given_up_in_time, more_reasons_than_fit_are_cut,
	without_any_address_it_fails_and_says_so, the_source_of_the_peers_family_is_used,
	a_family_without_a_source_is_not_dialled, a_source_that_is_not_ours_is_a_reason,
	a_unix_socket_is_reached, it_can_be_cancelled_before_and_while_it_tries)
