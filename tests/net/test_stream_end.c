/* SPDX-License-Identifier: MIT
 *
 * Streams: their end in all its forms, also in the middle of a callback.
 */
#include "tests/net/owner.h"

#include <fcntl.h>

START_TEST(the_end_of_the_peer_is_told_once_and_output_still_goes)
{
	set_up();
	client_send(STR("QUIT\r\n"));
	ck_assert_int_eq(shutdown(client, SHUT_WR), 0);
	LOOP_UNTIL(owner.ends == 1);
	ck_assert_int_eq(owner.how, STREAM_EOF);
	ck_assert_int_eq(owner.inputs, 1);
	stream_write(owner.stream, STR("221\r\n"));
	for (int i = 0; i < 5; i++)
		loop_turn();
	ck_assert(str_equal(client_receive(5), STR("221\r\n")));
	ck_assert_int_eq(owner.ends, 1);
	tear_down();
}
END_TEST

/* The peer goes with a reset. */
static void client_reset(void)
{
	struct linger hard = { .l_onoff = 1 };

	ck_assert_int_eq(setsockopt(client, SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
	fd_close(&client);
}

START_TEST(a_reset_is_an_error_with_its_name)
{
	set_up();
	client_reset();
	LOOP_UNTIL(owner.ends == 1);
	ck_assert_int_eq(owner.how, STREAM_ERROR);
	ck_assert_str_eq(stream_error(owner.stream), strerror(ECONNRESET));
	/* What is written now is lost without a word, and without a signal. */
	stream_write(owner.stream, STR("x"));
	loop_turn();
	ck_assert_int_eq(owner.ends, 1);
	tear_down();
}
END_TEST

START_TEST(a_write_to_a_peer_that_has_gone_ends_in_an_error_not_a_signal)
{
	set_up();
	stream_pause(owner.stream, false);
	loop_turn();
	client_reset();
	stream_write(owner.stream, STR("x"));
	LOOP_UNTIL(owner.ends == 1);
	ck_assert_int_eq(owner.how, STREAM_ERROR);
	ck_assert_uint_eq(stream_unsent(owner.stream), 1); /* it never left */
	tear_down();
}
END_TEST

START_TEST(what_a_peer_said_before_its_reset_is_heard)
{
	set_up();
	client_send(STR("554 go away\r\n"));
	client_reset();
	stream_write(owner.stream, STR("MAIL")); /* fails before anything is read */
	stream_flush(owner.stream);
	LOOP_UNTIL(owner.ends == 1);
	ck_assert_int_eq(owner.how, STREAM_ERROR);
	ck_assert(str_equal(buf_str(&owner.seen), STR("554 go away\r\n")));
	tear_down();
}
END_TEST

static void close_now(struct owner *o)
{
	stream_close(&o->stream, 0);
}

static void say_and_close(struct owner *o)
{
	stream_write(o->stream, STR("bye\r\n"));
	stream_close(&o->stream, 10000);
	ck_assert_ptr_null(o->stream);
}

/* The client sees the end of the connection. */
static bool client_at_end(void)
{
	char c;

	loop_turn();
	return recv(client, &c, 1, MSG_DONTWAIT) == 0;
}

START_TEST(an_owner_may_close_in_its_input_callback)
{
	set_up();
	owner.act = close_now;
	owner.answer = STR("421\r\n");
	client_send(STR("x"));
	LOOP_UNTIL(owner.inputs == 1);
	ck_assert(str_equal(client_receive(5), STR("421\r\n")));
	LOOP_UNTIL(client_at_end());
	ck_assert_int_eq(owner.ends + owner.drains, 0);
	tear_down();
}
END_TEST

START_TEST(an_owner_may_close_when_the_peer_ends)
{
	set_up();
	owner.on_end = close_now;
	fd_close(&client);
	LOOP_UNTIL(owner.ends == 1);
	ck_assert_ptr_null(owner.stream);
	tear_down();
}
END_TEST

START_TEST(an_owner_may_close_when_drained)
{
	set_up();
	owner.on_drain = close_now;
	stream_write(owner.stream, STR("x"));
	LOOP_UNTIL(owner.drains == 1);
	ck_assert(str_equal(client_receive(1), STR("x")));
	LOOP_UNTIL(client_at_end());
	tear_down();
}
END_TEST

/* Its task is in the list until the next turn, its handle is gone before. */
static void resume_and_close(struct owner *o)
{
	stream_resume(o->stream);
	stream_close(&o->stream, 0);
}

START_TEST(a_stream_closed_while_its_task_waits_is_freed_once)
{
	set_up();
	owner.act = resume_and_close;
	client_send(STR("x"));
	LOOP_UNTIL(owner.inputs == 1);
	LOOP_UNTIL(client_at_end());
	tear_down();
}
END_TEST

START_TEST(a_reply_before_the_close_survives_what_the_peer_still_sends)
{
	set_up();
	owner.act = say_and_close;
	client_send(STR("DATA"));
	LOOP_UNTIL(owner.inputs == 1);
	/* With a plain close these would be answered with a reset. */
	for (int i = 0; i < 20; i++) {
		client_send(STR("more and more"));
		loop_turn();
	}
	ck_assert(str_equal(client_receive(5), STR("bye\r\n")));
	ck_assert(client_at_end());
	fd_close(&client);
	for (int i = 0; i < 3; i++)
		loop_turn();
	ck_assert_int_eq(owner.inputs, 1); /* the owner heard no more */
	tear_down();
}
END_TEST

START_TEST(a_close_waits_for_a_slow_reader)
{
	static char big[4 << 20], piece[65536];
	size_t received = 0;

	set_up();
	stream_write(owner.stream, str_make(big, sizeof big));
	stream_close(&owner.stream, 60000);
	while (received < sizeof big) {
		ssize_t n = recv(client, piece, sizeof piece, MSG_DONTWAIT);
		ck_assert(n > 0 || (n < 0 && errno == EAGAIN));
		received += n > 0 ? (size_t)n : 0;
		loop_turn();
	}
	LOOP_UNTIL(client_at_end());
	tear_down();
}
END_TEST

START_TEST(a_close_does_not_wait_longer_than_it_was_told)
{
	static char big[8 << 20], piece[65536];
	size_t received = 0;
	ssize_t n = 1;

	set_up();
	stream_write(owner.stream, str_make(big, sizeof big));
	stream_close(&owner.stream, 20);
	/* Nobody reads before the kernel says that the connection is over. */
	struct pollfd p = { .fd = client, .events = POLLRDHUP };
	while (poll(&p, 1, 0) == 0) {
		loop_turn();
		poll(NULL, 0, 1);
	}
	while ((n = recv(client, piece, sizeof piece, 0)) > 0)
		received += (size_t)n;
	ck_assert_uint_lt(received, sizeof big);
	tear_down();
}
END_TEST

START_TEST(a_lingering_stream_ends_with_its_loop)
{
	set_up();
	stream_close(&owner.stream, 60000);
	loop_turn();
	tear_down();
}
END_TEST

START_TEST(a_stream_left_open_is_closed_with_its_loop)
{
	set_up();
	owner.take = 0;
	client_send(STR("x"));
	LOOP_UNTIL(owner.inputs == 1);
	loop_free(&loop);
	owner.stream = NULL;
	ck_assert_int_eq(recv(client, &(char){ 0 }, 1, 0), 0);
	tear_down();
}
END_TEST

/* ---- gone, or deaf, before it was looked at ---------------------------------------------- */

static void count_handle(uv_handle_t *handle, void *count)
{
	(void)handle;
	(*(int *)count)++;
}

static int handles(void)
{
	int count = 0;

	uv_walk(loop_uv(loop), count_handle, &count);
	return count;
}

START_TEST(a_peer_that_has_gone_already_costs_no_handle)
{
	int before;

	set_up();
	before = handles();
	fd_close(&client);
	loop_turn();
	ck_assert_int_eq(owner.ends, 1);
	ck_assert_int_eq(owner.how, STREAM_EOF);
	ck_assert_int_eq(handles(), before);
	tear_down();
}
END_TEST

static void write_much(struct owner *o)
{
	static char much[4 << 20];

	stream_write(o->stream, str_make(much, sizeof much));
}

START_TEST(a_peer_that_will_say_nothing_is_still_sent_all)
{
	char octets[65536];
	size_t got = 0;
	ssize_t n;

	set_up();
	owner.on_end = write_much;
	shutdown(client, SHUT_WR);
	while (got < 4 << 20) {
		loop_turn();
		n = recv(client, octets, sizeof octets, MSG_DONTWAIT);
		got += n > 0 ? (size_t)n : 0;
	}
	ck_assert_int_eq(owner.ends, 1);
	LOOP_UNTIL(owner.drains == 1);
	tear_down();
}
END_TEST

START_TEST(a_stream_closed_before_it_was_looked_at_says_its_word_and_waits_for_the_peer)
{
	int before;

	set_up();
	before = handles();
	stream_write(owner.stream, STR("421 no\r\n"));
	stream_close(&owner.stream, 10000);
	client_send(STR("EHLO x\r\n")); /* no reset, which might destroy the word */
	LOOP_UNTIL(handles() == before + 1);
	ck_assert(str_equal(client_receive(8), STR("421 no\r\n")));
	fd_close(&client);
	LOOP_UNTIL(handles() == before);
	tear_down();
}
END_TEST

START_TEST(what_cannot_be_polled_ends_in_an_error)
{
	loop_set_up();
	owner = (struct owner){ .take = SIZE_MAX };
	owner.stream = stream_open(loop, open("/etc/passwd", O_RDONLY), &calls, &owner);
	LOOP_UNTIL(owner.ends == 1);
	ck_assert_int_eq(owner.how, STREAM_ERROR);
	tear_down();
}
END_TEST

TEST_MAIN("net/stream: the end", the_end_of_the_peer_is_told_once_and_output_still_goes,
	a_reset_is_an_error_with_its_name,
	a_write_to_a_peer_that_has_gone_ends_in_an_error_not_a_signal,
	what_a_peer_said_before_its_reset_is_heard, an_owner_may_close_in_its_input_callback,
	an_owner_may_close_when_the_peer_ends, an_owner_may_close_when_drained,
	a_stream_closed_while_its_task_waits_is_freed_once,
	a_reply_before_the_close_survives_what_the_peer_still_sends,
	a_close_waits_for_a_slow_reader, a_close_does_not_wait_longer_than_it_was_told,
	a_lingering_stream_ends_with_its_loop, a_stream_left_open_is_closed_with_its_loop,
	a_peer_that_has_gone_already_costs_no_handle,
	a_peer_that_will_say_nothing_is_still_sent_all,
	a_stream_closed_before_it_was_looked_at_says_its_word_and_waits_for_the_peer,
	what_cannot_be_polled_ends_in_an_error)
