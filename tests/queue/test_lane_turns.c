/* SPDX-License-Identifier: MIT
 *
 * Lanes: whose turn it is, at what rate, and what becomes of those that are too many.
 */
#include "tests/queue/house.h"

#include "queue/lane.h"
#include "queue/schedule.h"

#include <poll.h>

/* What the lane to a destination says of itself. */
static struct {
	const char *destination;
	unsigned waiting, senders, open, idle, connections;
} seen;

static void look_here(void *ctx)
{
	size_t at = 0;
	struct str key;
	void *value;

	(void)ctx;
	seen.connections += queue_here()->connections;
	while (map_next(&queue_here()->lanes, &at, &key, &value)) {
		const struct send_lane *l = value;

		if (!str_equal(l->route->destination, str_c(seen.destination)))
			continue;
		seen.waiting = l->line.count;
		seen.senders = (unsigned)l->line.senders.count;
		seen.open = l->open;
		seen.idle = queue_here()->idle_count;
	}
}

static void look(void)
{
	seen.waiting = seen.senders = seen.open = seen.idle = seen.connections = 0;
	for (unsigned i = 0; i < HOUSE_LOOPS; i++)
		house_on(i, look_here, NULL);
}

#define WAIT_UNTIL(condition)                                                                      \
	for (look(); !(condition); look())                                                         \
	poll(NULL, 0, 1)

/* All that is due, or was put off, comes now. */
static void poke(void)
{
	memory_all_due();
	schedule_due_at(1);
}

#define POKE_UNTIL(condition)                                                                      \
	for (poke(); !(condition); poke())                                                         \
	poll(NULL, 0, 20)

/* ---- turns ------------------------------------------------------------------------------- */

/* Senders of the many: all the same, or with a number between. */
static void one_among_many(const char *many, const char *behind)
{
	struct peer *peer = peer_server(NULL, 0, 0);
	char sender[64];
	unsigned place = 0;

	router_to(peer_port(peer), 0);
	seen.destination = "example.com";
	house_open("max_connections_destination = 1;", HOUSE_ROUTER);
	peer_hold(peer);
	for (unsigned i = 0; i < 40; i++) {
		snprintf(sender, sizeof sender, "%s%u%s", many, i, behind);
		house_sends(behind[0] ? sender : many, "a@example.com");
	}
	WAIT_UNTIL(seen.waiting == 39);
	house_sends("one@x.org", "a@example.com");
	WAIT_UNTIL(seen.waiting == 40);
	peer_let_go(peer);
	memory_wait_ended(41);
	while (!str_equal(peer_message(peer, place)->sender, STR("one@x.org")))
		place++;
	ck_assert_uint_le(place, 2);
	house_over();
	peer_end(&peer);
}

START_TEST(one_message_does_not_wait_for_all_of_another_sender)
{
	one_among_many("many@x.org", "");
}
END_TEST

START_TEST(nor_for_all_of_a_list)
{
	one_among_many("list+", "=you@x.org");
}
END_TEST

/* ---- rates ------------------------------------------------------------------------------- */

/* Everything that may go at this time has gone, and the connection waits. */
static void settle(unsigned waiting)
{
	WAIT_UNTIL(seen.waiting == waiting && seen.open == 1 && seen.idle == 1);
	for (unsigned i = 0; i < 3; i++) /* what a timer does is done */
		look();
	ck_assert_uint_eq(seen.waiting, waiting);
}

static void five_at_ten_a_second(void)
{
	seen.destination = "example.com";
	house_still = clock_mono();
	for (unsigned i = 0; i < 5; i++)
		house_sends("s@x.org", "a@example.com");
	settle(4);
	house_ahead += 99000;
	settle(4);
	house_ahead += 1000;
	settle(3);
	/* A pause is not made up for. */
	house_ahead += 250000;
	settle(2);
	house_ahead += 99000;
	settle(2);
	/* What a timer is late is. */
	house_ahead += 1000 + 8000;
	settle(1);
	house_ahead += 91000;
	settle(1);
	house_ahead += 1000;
	memory_wait_ended(5);
}

START_TEST(a_rate_of_the_route_is_evenly_spread)
{
	struct peer *peer = peer_server(NULL, 0, 0);

	router_to(peer_port(peer), 0);
	house_open("idle_timeout = \"1h\";", HOUSE_ROUTER);
	house_routes[0].rate_count = 10;
	house_routes[0].rate_ms = 1000;
	five_at_ten_a_second();
	ck_assert_uint_eq(peer_connections(peer), 1);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(a_rate_of_the_settings_too)
{
	struct peer *peer = peer_server(NULL, 0, 0);

	router_to(peer_port(peer), 0);
	house_open("idle_timeout = \"1h\"; "
		   "destinations = ( { domain = \".com\"; rate = \"10/s\"; } );",
		HOUSE_ROUTER);
	five_at_ten_a_second();
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(a_rate_holds_from_one_connection_to_the_next)
{
	struct peer *peer = peer_server(NULL, 0, 0);

	router_to(peer_port(peer), 0);
	house_open("idle_timeout = \"0\";", HOUSE_ROUTER);
	house_routes[0].rate_count = 1;
	house_routes[0].rate_ms = 60000;
	seen.destination = "example.com";
	house_still = clock_mono();
	house_sends("s@x.org", "a@example.com");
	memory_wait_ended(1);
	WAIT_UNTIL(seen.connections == 0);
	house_sends("s@x.org", "a@example.com");
	WAIT_UNTIL(seen.waiting == 1);
	house_ahead += 59999000;
	for (unsigned i = 0; i < 3; i++)
		look();
	ck_assert_uint_eq(seen.waiting, 1);
	ck_assert_uint_eq(seen.open, 0);
	house_ahead += 1000;
	memory_wait_ended(2);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(routes_limit_connections_and_messages_on_each)
{
	struct peer *peer = peer_server(NULL, 0, 0);

	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	house_routes[0].connections = 2;
	house_routes[0].messages = 5;
	seen.destination = "example.com";
	peer_hold(peer);
	for (unsigned i = 0; i < 20; i++)
		house_sends("s@x.org", "a@example.com");
	WAIT_UNTIL(seen.waiting == 18);
	ck_assert_uint_eq(seen.open, 2);
	peer_let_go(peer);
	memory_wait_ended(20);
	ck_assert_uint_ge(peer_connections(peer), 4);
	house_over();
	peer_end(&peer);
}
END_TEST

/* ---- too many ---------------------------------------------------------------------------- */

enum { SOME = 400 };

START_TEST(a_destination_that_hangs_has_a_share_and_the_rest_waits_in_the_store)
{
	struct peer *hangs = peer_server(NULL, 0, 0), *peer = peer_server(NULL, 0, 0);
	int64_t before = metric_get(METRIC_turned_away);
	struct memory_message m;
	char to[64];

	router_to(peer_port(peer), 0);
	house_open("max_connections_destination = 1;", HOUSE_ROUTER);
	house_routes[0].domain = "quick.org";
	house_routes[1] = house_routes[0];
	house_routes[1].domain = "";
	house_routes[1].port = peer_port(hangs);
	seen.destination = "hangs.org";
	window_is(SOME);
	peer_hold(hangs);
	for (unsigned i = 0; i < 300; i++)
		house_sends("s@x.org", "a@hangs.org");
	look();
	ck_assert_uint_ge(seen.waiting, 20);
	ck_assert_uint_le(seen.waiting, SOME / 2);
	ck_assert_int_ge(metric_get(METRIC_turned_away) - before, 100);
	/* What came last was not tried, and comes later. */
	memory_wait_fate(299, 0, TMAIL_FATE_PENDING);
	ck_assert(memory_message(299, &m));
	ck_assert_uint_eq(m.recipient[0].attempts, 0);
	ck_assert(m.recipient[0].due > clock_wall());
	free(m.content);
	/* Others do not notice. */
	for (unsigned i = 0; i < 100; i++) {
		snprintf(to, sizeof to, "a@d%u.quick.org", i % 10);
		house_sends("s@x.org", to);
	}
	memory_wait_ended(100);
	ck_assert_uint_eq(peer_messages(peer), 100);
	/* And in the end all of it goes. */
	peer_let_go(hangs);
	POKE_UNTIL(memory_ended() == 400);
	ck_assert_uint_eq(peer_messages(hangs), 300);
	window_is_whole(SOME);
	house_over();
	peer_end(&hangs);
	peer_end(&peer);
}
END_TEST

START_TEST(who_sends_little_gets_in_where_another_has_filled_the_place)
{
	struct peer *hangs = peer_server(NULL, 0, 0);

	router_to(peer_port(hangs), 0);
	house_open("max_connections_destination = 1;", HOUSE_ROUTER);
	seen.destination = "hangs.org";
	window_is(SOME);
	peer_hold(hangs);
	for (unsigned i = 0; i < 300; i++)
		house_sends("many@x.org", "a@hangs.org");
	house_sends("one@x.org", "a@hangs.org");
	WAIT_UNTIL(seen.senders == 2);
	peer_let_go(hangs);
	memory_wait_ended(20);
	for (unsigned i = 0;; i++) {
		ck_assert_uint_lt(i, 3);
		if (str_equal(peer_message(hangs, i)->sender, STR("one@x.org")))
			break;
	}
	window_is_whole(SOME);
	house_over();
	peer_end(&hangs);
}
END_TEST

START_TEST(who_is_never_served_expires)
{
	struct peer *hangs = peer_server(NULL, 0, 0);
	struct memory_message m;
	int64_t before;

	router_to(peer_port(hangs), 0);
	house_open("max_connections_destination = 1; bounce_lifetime = \"1h\";"
		   "timeout_command = \"2h\"; timeout_data = \"2h\";",
		HOUSE_ROUTER);
	window_is(60);
	peer_hold(hangs);
	for (unsigned i = 0; i < 40; i++)
		house_sends("", "a@hangs.org");
	/* At the end of its life it may still get its turn, for as long as others do. */
	house_years = 119 * 60 * 1000000LL;
	house_ahead = 59 * 60 * 1000000LL;
	before = metric_get(METRIC_turned_away);
	POKE_UNTIL(metric_get(METRIC_turned_away) >= before + 20);
	ck_assert_uint_eq(memory_ended(), 0);
	house_ahead = 61 * 60 * 1000000LL;
	POKE_UNTIL(memory_ended() > 0);
	memory_wait_fate(39, 0, TMAIL_FATE_EXPIRED);
	ck_assert(memory_message(39, &m));
	ck_assert_ptr_nonnull(strstr(m.recipient[0].reply, "takes less mail"));
	free(m.content);
	window_is_whole(60);
	peer_let_go(hangs);
	house_over();
	peer_end(&hangs);
}
END_TEST

/* As a server that stood still for a day, or whose clock did. */
START_TEST(who_comes_late_to_one_that_serves_is_delivered)
{
	struct peer *peer = peer_server(NULL, 0, 0);
	int64_t before = metric_get(METRIC_turned_away);

	router_to(peer_port(peer), 0);
	house_open("max_connections_destination = 1; bounce_lifetime = \"1h\";", HOUSE_ROUTER);
	window_is(60);
	peer_hold(peer);
	for (unsigned i = 0; i < 40; i++)
		house_sends("", "a@serves.org");
	house_years = 26 * 3600 * 1000000LL;
	POKE_UNTIL(metric_get(METRIC_turned_away) >= before + 40);
	peer_let_go(peer);
	POKE_UNTIL(memory_ended() == 40);
	ck_assert_uint_eq(peer_messages(peer), 40);
	window_is_whole(60);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(who_is_turned_away_comes_again_however_long_the_others_take)
{
	struct peer *hangs = peer_server(NULL, 0, 0), *peer = peer_server(NULL, 0, 0);
	int64_t before = metric_get(METRIC_turned_away);

	house_open("max_connections_destination = 1;", HOUSE_ROUTER);
	house_routes[0] = (struct house_route){ .domain = "hangs.org", .port = peer_port(hangs) };
	house_routes[1] = (struct house_route){ .domain = "", .port = peer_port(peer) };
	window_is(60);
	peer_hold(hangs);
	peer_hold(peer);
	for (unsigned i = 0; i < 40; i++)
		house_sends("s@x.org", "a@full.org");
	house_sends("s@x.org", "a@hangs.org b@full.org");
	POKE_UNTIL(metric_get(METRIC_turned_away) >= before + 20);
	peer_let_go(peer);
	POKE_UNTIL(peer_messages(peer) == 41);
	ck_assert_uint_eq(peer_messages(hangs), 0);
	peer_let_go(hangs);
	memory_wait_ended(41);
	window_is_whole(60);
	house_over();
	peer_end(&hangs);
	peer_end(&peer);
}
END_TEST

START_TEST(questions_for_one_domain_do_not_fill_the_window)
{
	struct peer *peer = peer_server(NULL, 0, 0);

	house_open("", HOUSE_ROUTER);
	house_routes[0] = (struct house_route){
		.domain = "slow.org", .port = peer_port(peer), .pending = true
	};
	house_routes[1] = (struct house_route){ .domain = "", .port = peer_port(peer) };
	house_routers_wait = true;
	window_is(SOME);
	for (unsigned i = 0; i < 600; i++)
		house_sends("s@x.org", "a@slow.org");
	house_sends("s@x.org", "a@other.org");
	memory_wait_ended(1);
	ck_assert_uint_lt(house_routed, SOME);
	ck_assert_uint_gt(memory_releases(), 200);
	house_routers_wait = false;
	POKE_UNTIL(memory_ended() == 601);
	window_is_whole(SOME);
	house_over();
	peer_end(&peer);
}
END_TEST

TEST_MAIN("queue/lane-turns", one_message_does_not_wait_for_all_of_another_sender,
	nor_for_all_of_a_list, a_rate_of_the_route_is_evenly_spread, a_rate_of_the_settings_too,
	a_rate_holds_from_one_connection_to_the_next, routes_limit_connections_and_messages_on_each,
	a_destination_that_hangs_has_a_share_and_the_rest_waits_in_the_store,
	who_sends_little_gets_in_where_another_has_filled_the_place, who_is_never_served_expires,
	who_comes_late_to_one_that_serves_is_delivered,
	who_is_turned_away_comes_again_however_long_the_others_take,
	questions_for_one_domain_do_not_fill_the_window)
