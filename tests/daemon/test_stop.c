/* SPDX-License-Identifier: MIT
 *
 * The end of a server: who may finish, for how long, and what a second order does. Sessions are
 * real; nothing is judged by how long it took, only by what happened before what.
 */
#include "tests/daemon/serving.h"

#include <poll.h>

#define LISTEN                                                                                     \
	"listen = ( { address = \"127.0.0.1\"; port = 0; } );\nsmtp = { reverse_lookup = 0; };\n"

static void first_port(void *ctx, const char *address, const char *role)
{
	(void)role;
	*(unsigned *)ctx = (unsigned)strtol(strrchr(address, ':') + 1, NULL, 10);
}

/* A client that was greeted. */
static int client(void)
{
	unsigned port = 0;
	int fd;

	listeners_each(first_port, &port);
	fd = dial(port);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(reply_of(fd), 220);
	return fd;
}

static void say(int fd, const char *line, int code)
{
	ck_assert_int_eq(send(fd, line, strlen(line), 0), (ssize_t)strlen(line));
	ck_assert_int_eq(reply_of(fd), code);
}

/* What takes mail, so that there are transactions. */
static enum commit_result has_room(struct subject *subject, uint64_t octets)
{
	(void)subject;
	(void)octets;
	return COMMIT_DURABLE;
}

static void begin(const char *settings)
{
	static struct smtp_upcalls upcalls;
	char text[300];

	snprintf(text, sizeof text, LISTEN "%s", settings);
	serving_begin(text);
	upcalls = queue_absent_upcalls;
	upcalls.reserve = has_room;
	smtp_server_setup(&upcalls, settings_smtp);
	serving_listen();
}

static void end(void)
{
	lane_free(&server.drain);
	serving_end();
}

static struct task turned;

static void turn_over(struct task *task)
{
	(void)task;
	loop_stop(server.main);
}

/* Some turns of the main loop. */
static void turn(void)
{
	for (int i = 0; i < 3 && server.phase != SERVER_OVER; i++) {
		turned.run = turn_over;
		loop_post(server.main, &turned);
		loop_run(server.main);
	}
}

static void run_to_the_end(void)
{
	while (server.phase != SERVER_OVER)
		loop_run(server.main);
}

static bool has_ended(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

START_TEST(a_server_with_nothing_to_do_ends_at_once)
{
	begin("stop_timeout = \"1h\";\n");
	server_stop(false);
	ck_assert_int_eq(server.phase, SERVER_STOPPING);
	run_to_the_end();
	end();
}
END_TEST

START_TEST(idle_clients_are_sent_away_and_nobody_new_is_served)
{
	int fd;

	begin("stop_timeout = \"1h\";\n");
	fd = client();
	server_stop(false);
	run_to_the_end();
	ck_assert_int_eq(reply_of(fd), 421);
	ck_assert_int_eq(reply_of(fd), 0);
	close(fd);
	end();
}
END_TEST

START_TEST(a_transaction_may_finish)
{
	int fd, idle;

	begin("stop_timeout = \"1h\";\n");
	idle = client();
	fd = client();
	say(fd, "EHLO x\r\n", 250);
	say(fd, "MAIL FROM:<a@b.org>\r\n", 250);
	server_stop(false);
	while (!has_ended(idle))
		turn();
	ck_assert_int_eq(reply_of(idle), 421);
	turn();
	ck_assert_int_eq(server.phase, SERVER_STOPPING);
	ck_assert(!has_ended(fd));
	say(fd, "RSET\r\n", 250);
	ck_assert_int_eq(reply_of(fd), 421);
	run_to_the_end();
	close(fd);
	close(idle);
	end();
}
END_TEST

START_TEST(a_transaction_that_takes_too_long_is_ended)
{
	int fd;

	begin("stop_timeout = \"20ms\";\n");
	fd = client();
	say(fd, "EHLO x\r\n", 250);
	say(fd, "MAIL FROM:<a@b.org>\r\n", 250);
	server_stop(false);
	run_to_the_end();
	ck_assert_int_eq(reply_of(fd), 421);
	close(fd);
	end();
}
END_TEST

START_TEST(a_stop_that_is_to_be_at_once_does_not_wait_for_transactions)
{
	int fd;

	begin("stop_timeout = \"1h\";\n");
	fd = client();
	say(fd, "EHLO x\r\n", 250);
	say(fd, "MAIL FROM:<a@b.org>\r\n", 250);
	server_stop(true);
	run_to_the_end();
	ck_assert_int_eq(reply_of(fd), 421);
	close(fd);
	end();
}
END_TEST

START_TEST(a_second_order_may_shorten_the_first_and_repeats_nothing)
{
	int fd;

	begin("stop_timeout = \"1h\";\n");
	fd = client();
	say(fd, "EHLO x\r\n", 250);
	say(fd, "MAIL FROM:<a@b.org>\r\n", 250);
	server_stop(false);
	turn();
	server_stop(false); /* told twice counts once */
	turn();
	ck_assert_int_eq(server.phase, SERVER_STOPPING);
	ck_assert(!has_ended(fd));
	server_stop(true);
	run_to_the_end();
	ck_assert_int_eq(reply_of(fd), 421);
	server_stop(true); /* nor does it matter now */
	ck_assert_int_eq(server.phase, SERVER_OVER);
	close(fd);
	end();
}
END_TEST

TEST_MAIN("daemon/stop", a_server_with_nothing_to_do_ends_at_once,
	idle_clients_are_sent_away_and_nobody_new_is_served, a_transaction_may_finish,
	a_transaction_that_takes_too_long_is_ended,
	a_stop_that_is_to_be_at_once_does_not_wait_for_transactions,
	a_second_order_may_shorten_the_first_and_repeats_nothing)
