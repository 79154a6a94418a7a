/* SPDX-License-Identifier: MIT
 *
 * Listeners: where connections go, what they bring, and what happens when there is no room.
 */
#include "net/listener.h"

#include "base/log.h"
#include "sys/clock.h"
#include "tests/lib/folder.h"
#include "tests/net/net.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>

enum { LOOPS = 3, MOST = 64 };

static struct loop *loops[LOOPS];
static atomic_int accepted_all, accepted_by[LOOPS];
static int fds[MOST], accepted_in[MOST], turn;
static struct endpoint last_peer, last_local;

static void accepted(void *ctx, struct loop *l, int fd, const struct endpoint *peer,
	const struct endpoint *local)
{
	must(ctx == fds);
	must(l == loop_current());
	last_peer = *peer;
	last_local = *local;
	accepted_by[loop_index(l)]++;
	int n = atomic_fetch_add(&accepted_all, 1);
	fds[n] = fd;
	accepted_in[n] = turn;
}

static const struct listener_events events = { accepted, fds, false };

static void close_accepted(void)
{
	for (int i = 0; i < accepted_all; i++)
		fd_close(&fds[i]);
}

START_TEST(a_connection_arrives_with_both_ends_and_flags)
{
	struct endpoint where, ours;
	struct why why;
	int on = 0;
	socklen_t len = sizeof on;

	loop_set_up();
	int fd = listen_on("127.0.0.1:0", &where);
	struct listener *l = listener_start(fd, &loop, 1, &events, &why);
	ck_assert_ptr_nonnull(l);
	int client = connect_to(&where);
	LOOP_UNTIL(accepted_all == 1);
	ck_assert(endpoint_of_socket(client, false, &ours));
	ck_assert(endpoint_equal(&last_peer, &ours));
	ck_assert(endpoint_equal(&last_local, &where));
	ck_assert_int_ne(fcntl(fds[0], F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_ne(fcntl(fds[0], F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_eq(getsockopt(fds[0], IPPROTO_TCP, TCP_NODELAY, &on, &len), 0);
	ck_assert_int_eq(on, 1);
	ck_assert_uint_eq(loop_load(loop), 1);
	listener_left(loop);
	ck_assert_uint_eq(loop_load(loop), 0);
	close_accepted();
	fd_close(&client);
	listener_free(&l);
	ck_assert_ptr_null(l);
	loop_free(&loop);
	fd_close(&fd);
}
END_TEST

static int64_t one_second(void)
{
	return 77000000;
}

/* Fifty a second are greeted all the same: half-closed they may read it. */
START_TEST(a_flood_that_has_gone_again_is_not_heard_of)
{
	struct endpoint where, ours;
	struct why why;
	char from[20];

	loop_set_up();
	int fd = listen_on("127.0.0.1:0", &where);
	for (int i = 0; i < 56; i++) { /* of none too many; every second is a reset */
		const struct linger at_once = { .l_onoff = i % 2 };

		snprintf(from, sizeof from, "127.7.0.%d:0", i % 4);
		int client = connect_from(from, 0, &where);

		ck_assert_int_eq(
			setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
		fd_close(&client);
	}
	int said = connect_to(&where);
	ck_assert_int_eq(write(said, "QUIT", 4), 4);
	fd_close(&said);
	int client = connect_to(&where);
	clock_replace(NULL, one_second);
	struct listener *l = listener_start(fd, &loop, 1, &events, &why);
	ck_assert(endpoint_of_socket(client, false, &ours));
	LOOP_UNTIL(endpoint_equal(&last_peer, &ours));
	clock_replace(NULL, NULL);
	ck_assert_int_eq(accepted_all, 52);
	ck_assert_uint_eq(loop_load(loop), 52);
	close_accepted();
	fd_close(&client);
	listener_free(&l);
	loop_free(&loop);
	fd_close(&fd);
}
END_TEST

static int not_heard_lines;

static void count_not_heard(enum log_level level, struct str line)
{
	(void)level;
	not_heard_lines += str_search_case(line, STR("flood_not_heard")) >= 0;
}

/* So many come from there and have gone again before anybody listens; answers who comes then. */
static int flood_of(const char *from, int count, const struct endpoint *where)
{
	for (int i = 0; i < count; i++) {
		int client = connect_from(from, 0, where);

		fd_close(&client);
	}
	return connect_to(where);
}

START_TEST(who_makes_a_flood_is_not_heard_for_a_while)
{
	struct endpoint where, ours;
	struct why why;

	log_setup(LEVEL_INFO, LOG_TEXT, count_not_heard);
	loop_set_up();
	int fd = listen_on("127.0.0.1:0", &where);
	int client = flood_of("127.7.0.1:0", 55, &where);
	clock_replace(NULL, one_second);
	struct listener *l = listener_start(fd, &loop, 1, &events, &why);
	LOOP_UNTIL(accepted_all == 51);
	ck_assert_int_eq(not_heard_lines, 1);
	int banned = connect_from("127.7.0.1:0", SOCK_NONBLOCK, &where);
	int other = connect_from("127.7.0.2:0", 0, &where);
	ck_assert(endpoint_of_socket(other, false, &ours));
	LOOP_UNTIL(endpoint_equal(&last_peer, &ours));
	ck_assert_int_eq(accepted_all, 52);
	clock_replace(NULL, NULL); /* which is later: it is over, and the client sends again */
	ck_assert(endpoint_of_socket(banned, false, &ours));
	LOOP_UNTIL(endpoint_equal(&last_peer, &ours));
	close_accepted();
	fd_close(&client);
	fd_close(&banned);
	fd_close(&other);
	listener_free(&l);
	loop_free(&loop);
	fd_close(&fd);
}
END_TEST

START_TEST(a_listener_may_end_meanwhile)
{
	struct endpoint where;
	struct why why;

	loop_set_up();
	int fd = listen_on("127.0.0.1:0", &where);
	int client = flood_of("127.7.0.1:0", 55, &where);
	clock_replace(NULL, one_second);
	struct listener *l = listener_start(fd, &loop, 1, &events, &why);
	LOOP_UNTIL(accepted_all == 51);
	listener_free(&l);
	loop_turn();
	clock_replace(NULL, NULL); /* the ban would be over */
	loop_turn();
	loop_turn();
	l = listener_start(fd, &loop, 1, &events, &why);
	fd_close(&client);
	client = connect_from("127.7.0.1:0", 0, &where);
	LOOP_UNTIL(accepted_all == 52);
	close_accepted();
	fd_close(&client);
	listener_free(&l);
	loop_free(&loop);
	fd_close(&fd);
}
END_TEST

static void not_banned(const struct listener_events *of, const char *from)
{
	struct endpoint where, ours;
	struct why why;

	log_setup(LEVEL_INFO, LOG_TEXT, count_not_heard);
	loop_set_up();
	int fd = listen_on("*:0", &where);
	where = endpoint_of("127.0.0.1:0");
	struct endpoint real;
	ck_assert(endpoint_of_socket(fd, false, &real));
	where.port = real.port;
	int client = flood_of(from, 55, &where);
	clock_replace(NULL, one_second);
	struct listener *l = listener_start(fd, &loop, 1, of, &why);
	ck_assert(endpoint_of_socket(client, false, &ours));
	LOOP_UNTIL(endpoint_equal(&last_peer, &ours));
	clock_replace(NULL, NULL);
	ck_assert_int_eq(accepted_all, 51);
	ck_assert_int_eq(not_heard_lines, 0);
	close_accepted();
	fd_close(&client);
	listener_free(&l);
	loop_free(&loop);
	fd_close(&fd);
}

START_TEST(who_talks_to_himself_is_heard_whatever_he_does)
{
	not_banned(&events, "127.0.0.1:0");
}
END_TEST

START_TEST(who_comes_through_a_proxy_is_not_banned)
{
	const struct listener_events relayed = { accepted, fds, .relayed = true };

	not_banned(&relayed, "127.7.0.1:0");
}
END_TEST

START_TEST(a_connection_to_any_address_knows_which)
{
	struct endpoint where, to = endpoint_of("127.0.0.1:0");
	struct why why;

	loop_set_up();
	int fd = listen_on("*:0", &where);
	struct listener *l = listener_start(fd, &loop, 1, &events, &why);
	to.port = where.port;
	int client = connect_to(&to);
	LOOP_UNTIL(accepted_all == 1);
	ck_assert(endpoint_equal(&last_local, &to));
	close_accepted();
	fd_close(&client);
	listener_free(&l);
	loop_free(&loop);
	fd_close(&fd);
}
END_TEST

START_TEST(a_unix_socket_is_accepted_on_too)
{
	char folder[TEST_FOLDER], path[TEST_FOLDER + 8];
	struct endpoint where;
	struct why why;

	test_folder_make(folder);
	snprintf(path, sizeof path, "%s/s", folder);
	loop_set_up();
	int fd = listen_on(path, &where);
	struct listener *l = listener_start(fd, &loop, 1, &events, &why);
	int client = connect_to(&where);
	LOOP_UNTIL(accepted_all == 1);
	ck_assert_str_eq(last_local.path, path);
	ck_assert_uint_eq(last_peer.ip.family, 0);
	close_accepted();
	fd_close(&client);
	listener_free(&l);
	loop_free(&loop);
	fd_close(&fd);
	test_folder_remove(folder);
}
END_TEST

/* Counts the loop's waits as long as somebody is still to be accepted. */
static void turn_begins(struct task *task)
{
	turn++;
	if (accepted_all < 5)
		loop_before_wait(loop, task);
}

/* Those who come fast must not keep the loop from those that are there. */
START_TEST(one_connection_is_accepted_a_turn)
{
	struct task task = { .run = turn_begins };
	struct endpoint where;
	struct why why;
	int clients[5];

	loop_set_up();
	int fd = listen_on("127.0.0.1:0", &where);
	struct listener *l = listener_start(fd, &loop, 1, &events, &why);
	for (int i = 0; i < 5; i++)
		clients[i] = connect_to(&where);
	loop_before_wait(loop, &task);
	LOOP_UNTIL(accepted_all == 5);
	for (int i = 1; i < 5; i++)
		ck_assert_int_gt(accepted_in[i], accepted_in[i - 1]);
	close_accepted();
	for (int i = 0; i < 5; i++)
		fd_close(&clients[i]);
	listener_free(&l);
	loop_free(&loop);
	fd_close(&fd);
}
END_TEST

static void start_loops(unsigned from)
{
	struct why why;

	for (unsigned i = 0; i < LOOPS; i++)
		ck_assert_ptr_nonnull(loops[i] = loop_new(i, &why));
	for (unsigned i = from; i < LOOPS; i++)
		ck_assert(loop_start(loops[i], "loop", &why));
}

static void stop_loops(void)
{
	for (unsigned i = 0; i < LOOPS; i++)
		loop_stop(loops[i]);
	for (unsigned i = 0; i < LOOPS; i++)
		loop_join(loops[i]);
	for (unsigned i = 0; i < LOOPS; i++)
		loop_free(&loops[i]);
}

START_TEST(connections_that_stay_are_spread_over_all_loops)
{
	struct endpoint where;
	struct why why;
	int clients[30];

	start_loops(0);
	int fd = listen_on("127.0.0.1:0", &where);
	struct listener *l = listener_start(fd, loops, LOOPS, &events, &why);
	for (int i = 0; i < 30; i++) {
		clients[i] = connect_to(&where);
		while (accepted_all <= i)
			sched_yield();
	}
	for (int i = 0; i < LOOPS; i++) {
		ck_assert_int_ge(accepted_by[i], 9);
		ck_assert_int_le(accepted_by[i], 11);
		ck_assert_uint_eq(loop_load(loops[i]), (unsigned)accepted_by[i]);
	}
	for (int i = 0; i < 30; i++)
		close(clients[i]);
	listener_stop(l);
	stop_loops();
	listener_free(&l);
	close_accepted();
	fd_close(&fd);
}
END_TEST

START_TEST(a_busy_loop_gives_connections_away)
{
	struct endpoint where;
	struct why why;
	int clients[4];

	/* Only the first loop runs, so it accepts; the others have less to do. */
	start_loops(LOOPS);
	loop = loops[0];
	loop_load_add(loops[0], 10);
	loop_load_add(loops[1], 5);
	int fd = listen_on("127.0.0.1:0", &where);
	struct listener *l = listener_start(fd, loops, LOOPS, &events, &why);
	for (int i = 0; i < 4; i++) {
		clients[i] = connect_to(&where);
		LOOP_UNTIL(loop_load(loops[2]) == (unsigned)i + 1);
	}
	ck_assert_int_eq(accepted_all, 0);
	ck_assert(loop_start(loops[2], "loop", &why));
	while (accepted_all < 4)
		sched_yield();
	ck_assert_int_eq(accepted_by[2], 4);
	for (int i = 0; i < 4; i++)
		close(clients[i]);
	stop_loops();
	listener_free(&l); /* also behind the loops */
	close_accepted();
	fd_close(&fd);
}
END_TEST

START_TEST(a_connection_on_its_way_to_a_loop_that_ends_is_closed)
{
	struct endpoint where;
	struct why why;
	char c;

	start_loops(LOOPS);
	loop = loops[0];
	loop_load_add(loops[0], 10);
	loop_load_add(loops[1], 10);
	int fd = listen_on("127.0.0.1:0", &where);
	struct listener *l = listener_start(fd, loops, LOOPS, &events, &why);
	int client = connect_to(&where);
	LOOP_UNTIL(loop_load(loops[2]) == 1);
	listener_free(&l);
	stop_loops();
	ck_assert_int_eq(accepted_all, 0);
	ck_assert_int_eq(recv(client, &c, 1, 0), 0);
	close(client);
	fd_close(&fd);
}
END_TEST

START_TEST(nothing_is_accepted_after_the_stop)
{
	struct endpoint where;
	struct why why;

	loop_set_up();
	int fd = listen_on("127.0.0.1:0", &where);
	struct listener *l = listener_start(fd, &loop, 1, &events, &why);
	loop_turn();
	listener_stop(l);
	listener_stop(l);
	int client = connect_to(&where);
	for (int i = 0; i < 5; i++)
		loop_turn();
	ck_assert_int_eq(accepted_all, 0);
	/* The socket is the caller's: it can be listened on again. */
	listener_free(&l);
	l = listener_start(fd, &loop, 1, &events, &why);
	LOOP_UNTIL(accepted_all == 1);
	close_accepted();
	fd_close(&client);
	listener_free(&l);
	loop_free(&loop);
	fd_close(&fd);
}
END_TEST

static int paused_lines, turns;

static void count_turn(uv_prepare_t *handle)
{
	(void)handle;
	turns++;
}

static void enough(struct deadline *d)
{
	(void)d;
	loop_stop(loop);
}

static void count_pauses(enum log_level level, struct str line)
{
	(void)level;
	paused_lines += str_search_case(line, STR("accept_paused")) >= 0;
}

START_TEST(without_descriptors_accepting_pauses_and_goes_on_by_itself)
{
	struct endpoint where;
	struct why why;
	struct rlimit limit, none;
	struct deadline wait;
	uv_prepare_t counter;

	log_setup(LEVEL_INFO, LOG_TEXT, count_pauses);
	loop_set_up();
	int fd = listen_on("127.0.0.1:0", &where);
	struct listener *l = listener_start(fd, &loop, 1, &events, &why);
	loop_turn();
	int client = connect_to(&where);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	LOOP_UNTIL(paused_lines == 1);
	/* Through two more attempts the loop waits, and nothing more is said. */
	uv_prepare_init(loop_uv(loop), &counter);
	uv_prepare_start(&counter, count_turn);
	deadline_init(&wait, loop, enough);
	deadline_set(&wait, 250);
	loop_run(loop);
	ck_assert_int_lt(turns, 50);
	ck_assert_int_eq(paused_lines, 1);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	LOOP_UNTIL(accepted_all == 1);
	close_accepted();
	fd_close(&client);
	listener_free(&l);
	loop_free(&loop);
	fd_close(&fd);
}
END_TEST

START_TEST(what_is_no_socket_is_refused)
{
	struct why why;

	loop_set_up();
	ck_assert_ptr_null(listener_start(-1, &loop, 1, &events, &why));
	ck_assert_ptr_nonnull(strstr(why.text, "listening socket"));
	struct listener *l = NULL;
	listener_free(&l);
	loop_free(&loop);
}
END_TEST

TEST_MAIN("net/listener", a_connection_arrives_with_both_ends_and_flags,
	a_flood_that_has_gone_again_is_not_heard_of, who_makes_a_flood_is_not_heard_for_a_while,
	a_listener_may_end_meanwhile, who_talks_to_himself_is_heard_whatever_he_does,
	who_comes_through_a_proxy_is_not_banned, a_connection_to_any_address_knows_which,
	a_unix_socket_is_accepted_on_too, one_connection_is_accepted_a_turn,
	connections_that_stay_are_spread_over_all_loops, a_busy_loop_gives_connections_away,
	a_connection_on_its_way_to_a_loop_that_ends_is_closed, nothing_is_accepted_after_the_stop,
	without_descriptors_accepting_pauses_and_goes_on_by_itself, what_is_no_socket_is_refused)
