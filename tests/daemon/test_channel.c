/* SPDX-License-Identifier: MIT
 *
 * Packets between parent and server.
 */
#include "daemon/channel.h"

#include "sys/file.h"
#include "tests/lib/test.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int ends[2];
static struct packet packet;

static void pair(void)
{
	struct why why;

	ck_assert_msg(channel_pair(ends, &why), "%s", why.text);
}

START_TEST(packets_keep_apart_and_in_order)
{
	pair();
	ck_assert(channel_send(ends[0], PACKET_SOCKET, "127.0.0.1:25", -1));
	ck_assert(channel_send(ends[0], PACKET_BEGIN, NULL, -1));
	ck_assert_int_eq(channel_receive(ends[1], &packet, 0), CHANNEL_PACKET);
	ck_assert_uint_eq(packet.type, PACKET_SOCKET);
	ck_assert_str_eq(packet.text, "127.0.0.1:25");
	ck_assert_int_eq(packet.fd, -1);
	ck_assert_int_eq(channel_receive(ends[1], &packet, -1), CHANNEL_PACKET);
	ck_assert_uint_eq(packet.type, PACKET_BEGIN);
	ck_assert_str_eq(packet.text, "");
	ck_assert_int_eq(channel_receive(ends[1], &packet, 0), CHANNEL_EMPTY);
	ck_assert_int_eq(channel_receive(ends[1], &packet, 1), CHANNEL_EMPTY);
}
END_TEST

START_TEST(a_descriptor_goes_along)
{
	int p[2];
	char c = 0;

	pair();
	ck_assert_int_eq(pipe(p), 0);
	ck_assert(channel_send(ends[0], PACKET_CONTROL, NULL, p[1]));
	close(p[1]);
	ck_assert_int_eq(channel_receive(ends[1], &packet, 0), CHANNEL_PACKET);
	ck_assert_int_ge(packet.fd, 0);
	ck_assert_int_ne(fcntl(packet.fd, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_eq(write(packet.fd, "x", 1), 1);
	ck_assert_int_eq(read(p[0], &c, 1), 1);
	ck_assert_int_eq(c, 'x');
}
END_TEST

START_TEST(the_end_of_the_other_side_is_seen)
{
	pair();
	ck_assert(channel_send(ends[0], PACKET_STOP, NULL, -1));
	close(ends[0]);
	ck_assert_int_eq(channel_receive(ends[1], &packet, -1), CHANNEL_PACKET);
	ck_assert_int_eq(channel_receive(ends[1], &packet, -1), CHANNEL_GONE);
	ck_assert(!channel_send(ends[1], PACKET_READY, NULL, -1));
}
END_TEST

START_TEST(a_long_text_is_cut)
{
	char text[3 * PACKET_TEXT];

	memset(text, 'y', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	pair();
	ck_assert(channel_send(ends[0], PACKET_FAILED, text, -1));
	ck_assert_int_eq(channel_receive(ends[1], &packet, 0), CHANNEL_PACKET);
	ck_assert_uint_eq(strlen(packet.text), PACKET_TEXT - 1);
}
END_TEST

START_TEST(what_is_no_packet_ends_the_channel)
{
	char junk[2 * PACKET_TEXT] = { 0 };

	pair();
	ck_assert_int_eq(send(ends[0], "ab", 2, 0), 2);
	ck_assert_int_eq(channel_receive(ends[1], &packet, 0), CHANNEL_GONE);
	ck_assert_int_eq(send(ends[0], junk, sizeof junk, 0), (int)sizeof junk);
	ck_assert_int_eq(channel_receive(ends[1], &packet, 0), CHANNEL_GONE);
}
END_TEST

TEST_MAIN("daemon/channel", packets_keep_apart_and_in_order, a_descriptor_goes_along,
	the_end_of_the_other_side_is_seen, a_long_text_is_cut, what_is_no_packet_ends_the_channel)
