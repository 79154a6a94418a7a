/* SPDX-License-Identifier: MIT
 *
 * The end of the queue, and the next start.
 */
#include "tests/queue/house.h"

START_TEST(the_end_waits_for_what_is_under_way)
{
	struct peer *peer = peer_server(NULL, 0, 0);

	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	peer_hold(peer);
	house_sends("s@x.org", "a@example.com");
	peer_wait_connections(peer, 1);
	peer_let_go(peer);
	house_close();
	ck_assert_uint_eq(memory_ended() + memory_releases(), 1);
	ck_assert_uint_eq(memory_claimed(), 0);
	memory_reset();
	peer_end(&peer);
}
END_TEST

START_TEST(the_end_does_not_wait_for_ever)
{
	struct peer *peer = peer_server(NULL, 0, 0);
	struct memory_message m;

	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	peer_hold(peer);
	house_sends("s@x.org", "a@example.com");
	peer_wait_seen(peer, "\r\n.\r\n");
	queue_drain(0);
	ck_assert(memory_message(0, &m));
	ck_assert_uint_eq(m.recipient[0].fate, TMAIL_FATE_DEFERRED);
	free(m.content);
	peer_let_go(peer);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(what_waits_at_the_end_is_given_back)
{
	struct peer *peer = peer_server(NULL, 0, 0);
	struct memory_message m;

	router_to(peer_port(peer), 0);
	house_open("max_connections_destination = 1;", HOUSE_ROUTER);
	peer_hold(peer);
	for (unsigned i = 0; i < 20; i++)
		house_sends("s@x.org", "a@example.com");
	peer_wait_connections(peer, 1);
	queue_drain(0);
	ck_assert_uint_eq(memory_claimed(), 0);
	ck_assert_uint_ge(memory_releases(), 19);
	ck_assert(memory_message(10, &m));
	ck_assert_uint_eq(m.recipient[0].attempts, 0);
	free(m.content);
	peer_let_go(peer);
	house_close();
	/* The next start finds them. */
	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	memory_all_due();
	memory_wait_ended(20);
	house_over();
	peer_end(&peer);
}
END_TEST

TEST_MAIN("queue/queue", the_end_waits_for_what_is_under_way, the_end_does_not_wait_for_ever,
	what_waits_at_the_end_is_given_back)
