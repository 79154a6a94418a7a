/* SPDX-License-Identifier: MIT
 *
 * Streams: what is shown to an owner and when, what goes out and when, back-pressure, and the
 * end in all its forms.
 */
#include "net/stream.h"

#include "tests/net/net.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>

/* An owner that notes what happens, and takes what `take` says. */
struct owner {
	struct buf seen; /* taken */
	size_t shown;    /* octets in the last input callback */
	int inputs, drains, ends;
	enum stream_end how;
	size_t take; /* at most, of each callback */
	struct str answer;
	void (*act)(struct owner *o); /* in the input callback */
	void (*on_end)(struct owner *o);
	void (*on_drain)(struct owner *o);
	struct stream *stream;
};
static struct owner owner;
static int client;

static void input(void *ctx, struct stream *s)
{
	struct owner *o = ctx;
	struct str in = stream_input(s);

	o->inputs++;
	o->shown = in.len;
	in = str_slice(in, 0, o->take);
	buf_add(&o->seen, in);
	stream_take(s, in.len);
	if (o->answer.len > 0)
		stream_write(s, o->answer);
	if (o->act)
		o->act(o);
}

static void drained(void *ctx, struct stream *s)
{
	struct owner *o = ctx;

	(void)s;
	o->drains++;
	if (o->on_drain)
		o->on_drain(o);
}

static void ended(void *ctx, struct stream *s, enum stream_end how)
{
	struct owner *o = ctx;

	(void)s;
	o->ends++;
	o->how = how;
	if (o->on_end)
		o->on_end(o);
}

static const struct stream_owner calls = { input, drained, ended };

static void set_up(void)
{
	int server;

	loop_set_up();
	connected_pair(&server, &client);
	owner = (struct owner){ .take = SIZE_MAX };
	owner.stream = stream_open(loop, server, &calls, &owner);
}

static void tear_down(void)
{
	stream_close(&owner.stream, 0);
	buf_free(&owner.seen);
	fd_close(&client);
	loop_free(&loop);
}

static void client_send(struct str octets)
{
	ck_assert_int_eq(send(client, octets.data, octets.len, MSG_NOSIGNAL), octets.len);
}

/* What the client gets next, awaited. */
static struct str client_receive(size_t len)
{
	static char text[256];

	ck_assert_int_eq(recv(client, text, len, MSG_WAITALL), len);
	return str_make(text, len);
}

static bool client_has_nothing(void)
{
	char c;

	return recv(client, &c, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN;
}

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
	ck_assert_ptr_eq(stream_loop(owner.stream), loop);
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

/* ---- the end ----------------------------------------------------------------------------- */

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
	ck_assert_uint_eq(stream_unsent(owner.stream), 0);
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
	the_end_of_the_peer_is_told_once_and_output_still_goes, a_reset_is_an_error_with_its_name,
	a_write_to_a_peer_that_has_gone_ends_in_an_error_not_a_signal,
	an_owner_may_close_in_its_input_callback, an_owner_may_close_when_the_peer_ends,
	an_owner_may_close_when_drained, a_stream_closed_while_its_task_waits_is_freed_once,
	a_reply_before_the_close_survives_what_the_peer_still_sends,
	a_close_waits_for_a_slow_reader, a_close_does_not_wait_longer_than_it_was_told,
	a_lingering_stream_ends_with_its_loop, a_stream_left_open_is_closed_with_its_loop,
	what_cannot_be_polled_ends_in_an_error, many_streams_share_one_loop_and_do_not_mix)
