/* SPDX-License-Identifier: MIT
 *
 * Lanes: connections opened, reused, shared and closed.
 */
#include "tests/queue/house.h"

#include <poll.h>

/* What a lane says of itself, the only one there is. */
static struct {
	unsigned lanes, open, opening, limit;
} seen;

static void look_here(void *ctx)
{
	size_t at = 0;
	struct str key;
	void *value;

	(void)ctx;
	while (map_next(&queue_here()->lanes, &at, &key, &value)) {
		const struct send_lane *l = value;

		seen.lanes++;
		seen.open += l->open;
		seen.opening += l->opening;
		seen.limit += l->limit;
	}
}

static void look(void)
{
	memset(&seen, 0, sizeof seen);
	for (unsigned i = 0; i < HOUSE_LOOPS; i++)
		house_on(i, look_here, NULL);
}

#define WAIT_UNTIL(condition)                                                                      \
	for (look(); !(condition); look())                                                         \
	poll(NULL, 0, 1)

START_TEST(connections_are_reused)
{
	struct peer *peer = peer_server(NULL, 0, 0);
	int64_t before = metric_get(METRIC_connections_reused);

	router_to(peer_port(peer), 0);
	house_open("max_connections_destination = 1; idle_timeout = \"1h\";", HOUSE_ROUTER);
	for (unsigned i = 1; i <= 20; i++) {
		house_sends("s@x.org", "a@example.com");
		memory_wait_ended(i);
	}
	ck_assert_uint_eq(peer_messages(peer), 20);
	ck_assert_uint_eq(peer_connections(peer), 1);
	ck_assert_int_eq(metric_get(METRIC_connections_reused) - before, 19);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(a_connection_is_closed_after_its_messages)
{
	struct peer *peer = peer_server(NULL, 0, 0);

	router_to(peer_port(peer), 0);
	house_open("max_connections_destination = 1; max_messages_connection = 5;", HOUSE_ROUTER);
	for (unsigned i = 1; i <= 20; i++)
		house_sends("s@x.org", "a@example.com");
	memory_wait_ended(20);
	ck_assert_uint_eq(peer_connections(peer), 4);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(an_idle_connection_that_the_server_closed_costs_no_attempt)
{
	const struct peer_rule rules[] = { { "MAIL FROM:<gone@", NULL, 1 },
		{ "MAIL FROM:<closing@", "421 4.4.2 idle for too long", 1 } };
	struct peer *peer = peer_server(rules, 2, 0);
	const char *const senders[] = { "s@x.org", "gone@x.org", "closing@x.org" };
	struct memory_message m;

	router_to(peer_port(peer), 0);
	house_open("max_connections_destination = 1; idle_timeout = \"1h\";", HOUSE_ROUTER);
	for (unsigned i = 0; i < 3; i++) {
		house_sends(senders[i], "a@example.com");
		memory_wait_ended(i + 1);
		ck_assert(memory_message(i, &m));
		ck_assert_uint_eq(m.recipient[0].attempts, 1);
		free(m.content);
	}
	ck_assert_uint_eq(peer_connections(peer), 3);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(many_messages_to_many_destinations_all_arrive)
{
	struct peer *peer = peer_server(NULL, 0, 0);
	static char to[64];

	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	for (unsigned i = 0; i < 300; i++) {
		snprintf(to, sizeof to, "u%u@d%u.org v@d%u.org", i, i % 7, (i + 3) % 11);
		house_sends("s@x.org", to);
	}
	memory_wait_ended(300);
	ck_assert_uint_ge(peer_messages(peer), 300);
	ck_assert_uint_le(peer_connections(peer), 2 * 11 * 20);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(with_no_host_answering_everybody_is_deferred_at_once)
{
	struct memory_message m;
	char said[64];

	router_to(house_dead_port(), 0);
	house_open("", HOUSE_ROUTER);
	for (unsigned i = 0; i < 50; i++)
		house_sends("s@x.org", "a@example.com");
	for (unsigned i = 0; i < 50; i++)
		memory_wait_fate(i, 0, TMAIL_FATE_DEFERRED);
	ck_assert(memory_message(49, &m));
	ck_assert_uint_eq(m.recipient[0].attempts, 1);
	/* Who was tried, once. */
	snprintf(said, sizeof said, "127.0.0.1:%u: Connection refused", house_routes[0].port);
	ck_assert_str_eq(m.recipient[0].reply, said);
	free(m.content);
	house_over();
}
END_TEST

START_TEST(connections_grow_with_success_up_to_their_number)
{
	struct peer *peer = peer_server(NULL, 0, 0);

	router_to(peer_port(peer), 0);
	house_open("max_connections_destination = 8;", HOUSE_ROUTER);
	peer_hold(peer);
	for (unsigned i = 0; i < 60; i++)
		house_sends("s@x.org", "a@example.com");
	peer_wait_connections(peer, 5); /* the first ones; nothing has succeeded yet */
	ck_assert_uint_eq(peer_connections(peer), 5);
	peer_let_go(peer);
	memory_wait_ended(60);
	ck_assert_uint_le(peer_connections(peer), 8);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(connections_shrink_once_for_what_failed_together_and_grow_again)
{
	/* One that hangs keeps the lane there while nothing waits. */
	const struct peer_rule rules[] = { { "RCPT TO:<hangs@", "", 0 },
		{ ".", "421 4.3.2 too busy", 4 } };
	struct peer *peer = peer_server(rules, 2, 0);

	router_to(peer_port(peer), 0);
	house_open("max_connections_destination = 8;", HOUSE_ROUTER);
	peer_hold(peer);
	house_sends("", "hangs@example.com");
	for (unsigned i = 0; i < 4; i++)
		house_sends("", "a@example.com");
	WAIT_UNTIL(seen.open == 5 && seen.opening == 0);
	peer_let_go(peer);
	for (unsigned i = 1; i < 5; i++)
		memory_wait_fate(i, 0, TMAIL_FATE_DEFERRED);
	WAIT_UNTIL(seen.open == 1);
	ck_assert_uint_eq(seen.lanes, 1);
	ck_assert_uint_eq(seen.limit, 2);
	peer_hold(peer);
	for (unsigned i = 0; i < 100; i++)
		house_sends("", "a@example.com");
	peer_let_go(peer);
	memory_wait_ended(100);
	look();
	ck_assert_uint_eq(seen.limit, 8);
	peer_end(&peer);
	house_over();
}
END_TEST

START_TEST(a_connection_is_closed_after_its_time)
{
	struct peer *peer = peer_server(NULL, 0, 0);

	router_to(peer_port(peer), 0);
	house_open("max_connection_time = \"5m\"; idle_timeout = \"1h\";", HOUSE_ROUTER);
	house_still = clock_mono();
	house_sends("s@x.org", "a@example.com");
	memory_wait_ended(1);
	WAIT_UNTIL(seen.open == 1);
	house_ahead += 299 * 1000000LL;
	house_sends("s@x.org", "a@example.com");
	memory_wait_ended(2);
	ck_assert_uint_eq(peer_connections(peer), 1);
	house_ahead += 1 * 1000000LL;
	WAIT_UNTIL(seen.open == 0);
	house_sends("s@x.org", "a@example.com");
	memory_wait_ended(3);
	ck_assert_uint_eq(peer_connections(peer), 2);
	house_over();
	peer_end(&peer);
}
END_TEST

static void fails_here(void *ctx)
{
	const struct client_outcome o = { .class = CLASS_NEXT_HOST, .text = STR_INIT("no") };

	host_failed(queue_here(), str_c(ctx), &o);
}

START_TEST(who_failed_lately_is_tried_by_one_first)
{
	struct peer *peer = peer_server(NULL, 0, 0);
	char key[64];

	router_to(peer_port(peer), 0);
	house_open("host_rest = \"1m\"; idle_timeout = \"1h\";", HOUSE_ROUTER);
	snprintf(key, sizeof key, "127.0.0.1:%u ", peer_port(peer));
	for (unsigned i = 0; i < HOUSE_LOOPS; i++)
		house_on(i, fails_here, key);
	house_ahead += 60 * 1000000LL;
	peer_hold(peer);
	for (unsigned i = 0; i < 20; i++)
		house_sends("s@x.org", "a@example.com");
	peer_wait_connections(peer, 1);
	look();
	ck_assert_uint_eq(seen.limit, 1);
	ck_assert_uint_eq(seen.open, 1);
	peer_let_go(peer);
	memory_wait_ended(20);
	look();
	ck_assert_uint_gt(seen.limit, 1);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(a_connection_is_given_back_while_others_have_none)
{
	struct peer *peer = peer_server(NULL, 0, 0);
	char other[32], to[40];
	unsigned before = 0, others = 0;

	/* One for each loop; and it takes two seconds until the first is wanted back. */
	router_to(peer_port(peer), 0);
	house_open("max_connections = 2;", HOUSE_ROUTER);
	peer_hold(peer);
	for (unsigned i = 0; i < 20; i++)
		house_sends("many@x.org", "a@many.org");
	WAIT_UNTIL(seen.open == 1 && seen.opening == 0);
	for (;;) {
		snprintf(other, sizeof other, "d%u.org", others++);
		snprintf(to, sizeof to, "a@%s", other);
		house_sends("one@x.org", to);
		while (loop_with(other) < 0)
			poll(NULL, 0, 1);
		if (loop_with(other) == loop_with("many.org"))
			break;
	}
	house_ahead += 2 * 1000000LL;
	peer_let_go(peer);
	memory_wait_ended(20 + others);
	for (unsigned i = 0; !str_equal(peer_message(peer, i)->recipients, str_c(to)); i++)
		before += str_equal(peer_message(peer, i)->sender, STR("many@x.org"));
	ck_assert_uint_le(before, 2);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(some_that_hang_leave_connections_to_others)
{
	struct peer *hangs = peer_server(NULL, 0, 0), *peer = peer_server(NULL, 0, 0);
	char to[64];

	/* Forty for each loop. All that hang together would take a hundred. */
	router_to(peer_port(peer), 0);
	house_open("max_connections = 80;", HOUSE_ROUTER);
	house_routes[0].domain = "quick.org";
	house_routes[1] = house_routes[0];
	house_routes[1].domain = "";
	house_routes[1].port = peer_port(hangs);
	peer_hold(hangs);
	for (unsigned i = 0; i < 200; i++) {
		snprintf(to, sizeof to, "a@d%u.org", i % 20);
		house_sends("s@x.org", to);
	}
	WAIT_UNTIL(seen.lanes == 20);
	ck_assert_uint_le(seen.open, 20 + 20);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(to, sizeof to, "a@d%u.quick.org", i % 20);
		house_sends("s@x.org", to);
	}
	memory_wait_ended(100);
	ck_assert_uint_eq(peer_messages(peer), 100);
	peer_let_go(hangs);
	memory_wait_ended(300);
	house_over();
	peer_end(&hangs);
	peer_end(&peer);
}
END_TEST

START_TEST(all_connections_together_keep_to_their_number)
{
	struct peer *peer = peer_server(NULL, 0, 0);
	char to[64];

	/* Each loop has its share: one. What is idle makes room for other destinations. */
	router_to(peer_port(peer), 0);
	house_open("max_connections = 2; idle_timeout = \"1h\";", HOUSE_ROUTER);
	for (unsigned i = 0; i < 40; i++) {
		snprintf(to, sizeof to, "a@d%u.org", i % 10);
		house_sends("s@x.org", to);
	}
	memory_wait_ended(40);
	ck_assert_uint_eq(peer_messages(peer), 40);
	ck_assert_uint_ge(peer_connections(peer), 10);
	house_over();
	peer_end(&peer);
}
END_TEST

static void nothing(void *ctx)
{
	(void)ctx;
}

START_TEST(what_is_over_the_number_waits)
{
	struct peer *peer = peer_server(NULL, 0, 0);
	int64_t before = metric_get(METRIC_dials);
	char to[64];

	router_to(peer_port(peer), 0);
	house_open("max_connections = 2;", HOUSE_ROUTER);
	peer_hold(peer);
	for (unsigned i = 0; i < 10; i++) {
		snprintf(to, sizeof to, "a@d%u.org", i);
		house_sends("s@x.org", to);
	}
	/* From commit to its loop, to its lane, and the lane has dialled. */
	for (unsigned i = 0; i < 4 * HOUSE_LOOPS; i++)
		house_on(i % HOUSE_LOOPS, nothing, NULL);
	ck_assert_int_le(metric_get(METRIC_dials) - before, 2);
	peer_let_go(peer);
	memory_wait_ended(10);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(an_idle_connection_is_closed_after_its_time)
{
	struct peer *peer = peer_server(NULL, 0, 0);

	router_to(peer_port(peer), 0);
	house_open("idle_timeout = \"0\";", HOUSE_ROUTER);
	house_sends("s@x.org", "a@example.com");
	memory_wait_ended(1);
	peer_wait_seen(peer, "QUIT\r\n");
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(a_host_that_says_no_to_everybody_is_the_end_of_it)
{
	const struct peer_rule rules[] = { { "connect", "554 5.7.1 you are blocked", 0 } };
	struct peer *peer = peer_server(rules, 1, 0);
	struct memory_message m;

	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	house_sends("", "a@example.com");
	memory_wait_fate(0, 0, TMAIL_FATE_BOUNCED);
	ck_assert(memory_message(0, &m));
	ck_assert_ptr_nonnull(strstr(m.recipient[0].reply, ": 554 5.7.1 you are blocked"));
	free(m.content);
	house_over();
	peer_end(&peer);
}
END_TEST

TEST_MAIN("queue/lane", connections_are_reused, a_connection_is_closed_after_its_messages,
	an_idle_connection_that_the_server_closed_costs_no_attempt,
	many_messages_to_many_destinations_all_arrive,
	with_no_host_answering_everybody_is_deferred_at_once,
	connections_grow_with_success_up_to_their_number,
	connections_shrink_once_for_what_failed_together_and_grow_again,
	a_connection_is_closed_after_its_time, who_failed_lately_is_tried_by_one_first,
	a_connection_is_given_back_while_others_have_none,
	some_that_hang_leave_connections_to_others, all_connections_together_keep_to_their_number,
	what_is_over_the_number_waits, an_idle_connection_is_closed_after_its_time,
	a_host_that_says_no_to_everybody_is_the_end_of_it)
