/* SPDX-License-Identifier: MIT
 *
 * Streams: what is shown to an owner and when, what goes out and when, back-pressure and pause.
 */
#include "tests/net/owner.h"

/* ---- input and output -------------------------------------------------------------------- */

START_TEST(a_request_is_shown_and_its_reply_sent)
{
	set_up();
	owner.answer = STR("250 ok\r\n");
	client_send(STR("NOOP\r\n"));
	LOOP_UNTIL(owner.inputs == 1);
	ck_assert(str_equal(buf_str(&owner.seen), STR("NOOP\r\n")));
	/* It has gone when the callback returned, not a turn later. */
	ck_assert(str_equal(client_receive(8), STR("250 ok\r\n")));
	ck_assert_uint_eq(stream_received(owner.stream), 6);
	ck_assert_uint_eq(stream_unsent(owner.stream), 0);
	ck_assert_int_eq(owner.drains, 1);
	tear_down();
}
END_TEST

START_TEST(what_is_not_taken_comes_again_in_front_of_what_follows)
{
	set_up();
	owner.take = 0;
	client_send(STR("RCPT TO:"));
	LOOP_UNTIL(owner.inputs == 1);
	ck_assert(str_equal(stream_input(owner.stream), STR("RCPT TO:")));
	loop_turn();
	ck_assert_int_eq(owner.inputs, 1); /* not again without more */
	owner.take = SIZE_MAX;
	client_send(STR("<a@b>\r\n"));
	LOOP_UNTIL(owner.inputs == 2);
	ck_assert(str_equal(buf_str(&owner.seen), STR("RCPT TO:<a@b>\r\n")));
	ck_assert_uint_eq(stream_input(owner.stream).len, 0);
	tear_down();
}
END_TEST

START_TEST(input_cut_anywhere_is_the_same_input)
{
	static const char text[] = "EHLO x\r\nMAIL FROM:<>\r\nDATA\r\n";

	for (size_t cut = 1; cut < sizeof text - 1; cut++) {
		set_up();
		owner.take = 3; /* leaves something in each form of buffer */
		client_send(str_make(text, cut));
		LOOP_UNTIL(stream_received(owner.stream) == cut);
		client_send(str_make(text + cut, sizeof text - 1 - cut));
		LOOP_UNTIL(stream_received(owner.stream) == sizeof text - 1);
		buf_add(&owner.seen, stream_input(owner.stream));
		ck_assert(str_equal(buf_str(&owner.seen), str_make(text, sizeof text - 1)));
		tear_down();
	}
}
END_TEST

START_TEST(what_is_written_outside_of_callbacks_goes_out_before_the_wait)
{
	set_up();
	stream_write(owner.stream, STR("220 "));
	buf_add(stream_output(owner.stream), STR("hello\r\n"));
	ck_assert_uint_eq(stream_unsent(owner.stream), 11);
	ck_assert(client_has_nothing());
	loop_turn();
	ck_assert(str_equal(client_receive(11), STR("220 hello\r\n")));
	tear_down();
}
END_TEST

START_TEST(a_flush_sends_at_once_and_tells_later)
{
	set_up();
	stream_write(owner.stream, STR("354\r\n"));
	stream_flush(owner.stream);
	ck_assert(str_equal(client_receive(5), STR("354\r\n")));
	ck_assert_int_eq(owner.drains, 0); /* never from within a call of the owner's */
	LOOP_UNTIL(owner.drains == 1);
	tear_down();
}
END_TEST

static void write_again(struct owner *o)
{
	if (o->drains < 5)
		stream_write(o->stream, STR("x"));
}

START_TEST(an_owner_that_writes_when_drained_is_called_until_it_has_no_more)
{
	set_up();
	owner.on_drain = write_again;
	stream_write(owner.stream, STR("x"));
	LOOP_UNTIL(owner.drains == 5);
	ck_assert(str_equal(client_receive(5), STR("xxxxx")));
	tear_down();
}
END_TEST

/* ---- back-pressure ----------------------------------------------------------------------- */

/* As much as goes without waiting. */
static size_t client_send_all_it_can(void)
{
	static const char octets[32768];
	size_t sent = 0;
	ssize_t n;

	while ((n = send(client, octets, sizeof octets, MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
		sent += (size_t)n;
	return sent;
}

START_TEST(a_large_reply_goes_out_in_pieces_and_drains_once)
{
	static char big[8 << 20];
	size_t received = 0;

	set_up();
	for (size_t i = 0; i < sizeof big; i++)
		big[i] = (char)(i * 31 >> 5);
	stream_write(owner.stream, str_make(big, sizeof big));
	loop_turn();
	ck_assert_uint_gt(stream_unsent(owner.stream), 0);
	ck_assert_int_eq(owner.drains, 0);
	while (received < sizeof big) {
		static char piece[65536];
		ssize_t n = recv(client, piece, sizeof piece, MSG_DONTWAIT);
		if (n > 0) {
			ck_assert_int_eq(memcmp(piece, big + received, (size_t)n), 0);
			received += (size_t)n;
		}
		loop_turn();
	}
	ck_assert_uint_eq(stream_unsent(owner.stream), 0);
	ck_assert_int_eq(owner.drains, 1);
	tear_down();
}
END_TEST

START_TEST(a_peer_that_does_not_read_is_not_read_from_until_it_does)
{
	static char reply[4096], piece[65536];
	size_t sent, before;

	set_up();
	owner.answer = str_make(reply, sizeof reply);
	/* Each input is answered at length; nobody reads the answers. */
	while (stream_unsent(owner.stream) <= 65536) {
		ck_assert_int_ne(send(client, "x", 1, MSG_NOSIGNAL), -1);
		loop_turn();
	}
	before = stream_received(owner.stream);
	sent = client_send_all_it_can();
	for (int i = 0; i < 5; i++)
		loop_turn();
	ck_assert_uint_eq(stream_received(owner.stream), before);
	owner.answer = STR("");
	while (stream_received(owner.stream) < before + sent) {
		ssize_t ignored = recv(client, piece, sizeof piece, MSG_DONTWAIT);
		(void)ignored;
		loop_turn();
	}
	tear_down();
}
END_TEST

START_TEST(an_owner_that_takes_nothing_bounds_what_is_read)
{
	size_t sent;

	set_up();
	owner.take = 0;
	sent = client_send_all_it_can();
	ck_assert_uint_gt(sent, 65536);
	for (int i = 0; i < 50; i++)
		loop_turn();
	LOOP_UNTIL(stream_input(owner.stream).len == 65536);
	for (int i = 0; i < 5; i++)
		loop_turn();
	ck_assert_uint_eq(stream_received(owner.stream), 65536);
	/* Taken outside of a callback: reading goes on. */
	owner.take = SIZE_MAX;
	stream_take(owner.stream, 65536);
	LOOP_UNTIL(stream_received(owner.stream) == sent);
	tear_down();
}
END_TEST

/* ---- pause ------------------------------------------------------------------------------- */

static void pause_reading(struct owner *o)
{
	stream_pause(o->stream, true);
}

START_TEST(a_paused_stream_is_silent_until_it_is_resumed)
{
	set_up();
	owner.take = 5;
	owner.act = pause_reading;
	client_send(STR("DATA\nrest"));
	LOOP_UNTIL(owner.inputs == 1);
	client_send(STR("more"));
	LOOP_UNTIL(stream_received(owner.stream) == 13);
	ck_assert_int_eq(owner.inputs, 1);
	ck_assert(str_equal(stream_input(owner.stream), STR("restmore")));
	owner.take = SIZE_MAX;
	owner.act = NULL;
	stream_resume(owner.stream);
	ck_assert_int_eq(owner.inputs, 1); /* never from within a call of the owner's */
	loop_turn();
	ck_assert_int_eq(owner.inputs, 2);
	ck_assert(str_equal(buf_str(&owner.seen), STR("DATA\nrestmore")));
	tear_down();
}
END_TEST

START_TEST(a_stream_resumed_with_nothing_left_waits_for_more)
{
	set_up();
	owner.act = pause_reading;
	client_send(STR("one"));
	LOOP_UNTIL(owner.inputs == 1);
	owner.act = NULL;
	stream_resume(owner.stream);
	loop_turn();
	ck_assert_int_eq(owner.inputs, 1);
	client_send(STR("two"));
	LOOP_UNTIL(owner.inputs == 2);
	tear_down();
}
END_TEST

static void pause_and_resume(struct owner *o)
{
	stream_pause(o->stream, true);
	if (o->inputs < 4)
		stream_resume(o->stream);
}

START_TEST(a_stream_resumed_in_its_callback_is_shown_the_rest)
{
	set_up();
	owner.take = 1;
	owner.act = pause_and_resume;
	client_send(STR("abcdef"));
	LOOP_UNTIL(owner.inputs == 4);
	loop_turn();
	ck_assert_int_eq(owner.inputs, 4);
	ck_assert(str_equal(buf_str(&owner.seen), STR("abcd")));
	ck_assert(str_equal(stream_input(owner.stream), STR("ef")));
	tear_down();
}
END_TEST

START_TEST(a_paused_stream_sees_the_peer_leave)
{
	set_up();
	stream_pause(owner.stream, true);
	client_send(STR("QUIT\r\n"));
	fd_close(&client);
	LOOP_UNTIL(owner.ends == 1);
	ck_assert_int_eq(owner.how, STREAM_EOF);
	ck_assert_int_eq(owner.inputs, 0);
	/* What was there can still be taken. */
	stream_resume(owner.stream);
	loop_turn();
	ck_assert_int_eq(owner.inputs, 1);
	ck_assert(str_equal(buf_str(&owner.seen), STR("QUIT\r\n")));
	ck_assert_int_eq(owner.ends, 1);
	tear_down();
}
END_TEST

START_TEST(a_paused_stream_reads_up_to_its_bound)
{
	set_up();
	stream_pause(owner.stream, true);
	size_t sent = client_send_all_it_can();
	LOOP_UNTIL(stream_received(owner.stream) == 65536);
	for (int i = 0; i < 5; i++)
		loop_turn();
	ck_assert_uint_eq(stream_received(owner.stream), 65536);
	stream_resume(owner.stream);
	LOOP_UNTIL(stream_received(owner.stream) == sent);
	ck_assert_uint_eq(owner.seen.len, sent);
	tear_down();
}
END_TEST

START_TEST(a_stream_paused_without_reading_reads_nothing)
{
	set_up();
	stream_pause(owner.stream, false);
	client_send(STR("wait"));
	for (int i = 0; i < 5; i++)
		loop_turn();
	ck_assert_uint_eq(stream_received(owner.stream), 0);
	stream_resume(owner.stream);
	LOOP_UNTIL(owner.inputs == 1);
	ck_assert(str_equal(buf_str(&owner.seen), STR("wait")));
	tear_down();
}
END_TEST

START_TEST(many_streams_share_one_loop_and_do_not_mix)
{
	enum { COUNT = 50 };
	static struct owner owners[COUNT];
	static int clients[COUNT];
	char text[64];

	loop_set_up();
	for (int i = 0; i < COUNT; i++) {
		int server;
		connected_pair(&server, &clients[i]);
		owners[i].take = 3; /* leaves more and more */
		owners[i].answer = STR("ok");
		owners[i].stream = stream_open(loop, server, &calls, &owners[i]);
	}
	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < COUNT; i++) {
			snprintf(text, sizeof text, "%03d.", i);
			ck_assert_int_eq(send(clients[i], text, 4, 0), 4);
		}
		for (int i = 0; i < COUNT; i++)
			LOOP_UNTIL(owners[i].inputs > round);
	}
	for (int i = 0; i < COUNT; i++) {
		snprintf(text, sizeof text, "%03d.%03d.%03d.%03d.", i, i, i, i);
		ck_assert_uint_eq(owners[i].seen.len, 12);
		ck_assert_mem_eq(owners[i].seen.data, text, 12);
		ck_assert(str_equal(stream_input(owners[i].stream), str_make(text + 12, 4)));
		stream_close(&owners[i].stream, 0);
		buf_free(&owners[i].seen);
		close(clients[i]);
	}
	loop_free(&loop);
}
END_TEST

TEST_MAIN("net/stream", a_request_is_shown_and_its_reply_sent,
	what_is_not_taken_comes_again_in_front_of_what_follows,
	input_cut_anywhere_is_the_same_input,
	what_is_written_outside_of_callbacks_goes_out_before_the_wait,
	a_flush_sends_at_once_and_tells_later,
	an_owner_that_writes_when_drained_is_called_until_it_has_no_more,
	a_large_reply_goes_out_in_pieces_and_drains_once,
	a_peer_that_does_not_read_is_not_read_from_until_it_does,
	an_owner_that_takes_nothing_bounds_what_is_read,
	a_paused_stream_is_silent_until_it_is_resumed,
	a_stream_resumed_with_nothing_left_waits_for_more,
	a_stream_resumed_in_its_callback_is_shown_the_rest, a_paused_stream_sees_the_peer_leave,
	a_paused_stream_reads_up_to_its_bound, a_stream_paused_without_reading_reads_nothing,
	many_streams_share_one_loop_and_do_not_mix)
