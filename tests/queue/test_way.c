/* SPDX-License-Identifier: MIT
 *
 * Where mail would go, asked before the fact.
 */
#include "tests/queue/house.h"

#include "queue/way.h"

static struct peer *peer;
static struct way way;
static char hosts[1024]; /* "priority port addresses left_out|" of each */

static void open_at(const char *modules, unsigned port2)
{
	peer = peer_server(NULL, 0, 0);
	router_to(peer_port(peer), port2);
	house_open("retry = [\"1h\"];", modules);
}

static void close_all(void)
{
	way_free(&way);
	house_over();
	peer_end(&peer);
	queue_listens(NULL, 0);
}

static void find(const char *recipient)
{
	struct why why;
	size_t len = 0;

	way_free(&way);
	ck_assert_msg(
		way_find(house.generation, STR("s@x.org"), str_c(recipient), STR(""), &way, &why),
		"%s", why.text);
	hosts[0] = '\0';
	for (size_t i = 0; i < way.count; i++)
		len += (size_t)snprintf(hosts + len, sizeof hosts - len, "%u %u %.*s %.*s|",
			way.hosts[i].hop->priority, way.hosts[i].hop->port,
			STR_ARG(way.hosts[i].addresses), STR_ARG(way.hosts[i].left_out));
}

static void heard(const char *format, unsigned a, unsigned b)
{
	char text[1024];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(text, sizeof text, format, a, b);
#pragma GCC diagnostic pop
	ck_assert_str_eq(hosts, text);
}

START_TEST(hosts_are_told_in_their_order_with_their_addresses)
{
	open_at(HOUSE_ROUTER, 2525);
	find("a@one.org");
	heard("10 %u 127.0.0.1 |20 %u 127.0.0.1 |", peer_port(peer), 2525);
	ck_assert(str_equal(way.route->router, STR("test/router")));
	find("b@two.org");
	heard("10 %u 127.0.0.1 |20 %u 127.0.0.1 |", peer_port(peer), 2525);
	ck_assert_uint_eq(peer_connections(peer), 0);
	close_all();
}
END_TEST

START_TEST(what_leads_back_here_is_told_too)
{
	struct endpoint own = { .ip = { .family = 4, .bytes = { 127, 0, 0, 1 } } };

	open_at(HOUSE_ROUTER, 2525);
	own.port = 2525;
	queue_listens(&own, 1);
	find("a@one.org");
	heard("10 %u 127.0.0.1 |20 %u  this server is as good, or it is this server itself|",
		peer_port(peer), 2525);
	ck_assert(way.hosts[1].forever && !way.hosts[0].forever);
	close_all();
}
END_TEST

START_TEST(a_refusal_and_a_later_are_told_with_their_words)
{
	open_at(HOUSE_ROUTER, 0);
	house_routes[0] = (struct house_route){
		.domain = "null.org", .status = TMAIL_REFUSED, .code = 556, .why = "null MX"
	};
	find("a@null.org");
	ck_assert_uint_eq(way.count, 0);
	ck_assert_int_eq(way.route->status, TMAIL_REFUSED);
	ck_assert_uint_eq(way.route->code, 556);
	ck_assert(str_equal(way.route->why, STR("null MX")));
	find("a@nobody.knows");
	ck_assert_int_eq(way.route->status, TMAIL_TRY_LATER);
	ck_assert_uint_eq(way.route->router.len, 0);
	close_all();
}
END_TEST

START_TEST(a_host_that_failed_is_told_to_rest)
{
	unsigned dead = house_dead_port();

	open_at(HOUSE_ROUTER, 0);
	router_to(dead, peer_port(peer));
	house_sends("s@x.org", "a@one.org");
	memory_wait_ended(1);
	find("a@one.org");
	ck_assert_uint_eq(way.count, 2);
	ck_assert_msg(strstr(hosts, "it rests: "), "%s", hosts);
	ck_assert_uint_eq(way.hosts[1].left_out.len, 0);
	ck_assert(!way.hosts[0].forever);
	close_all();
}
END_TEST

START_TEST(a_router_that_waits_is_waited_for)
{
	open_at(HOUSE_ROUTER, 0);
	house_routes[0].pending = true;
	find("a@one.org");
	heard("10 %u 127.0.0.1 |", peer_port(peer), 0);
	close_all();
}
END_TEST

START_TEST(a_local_address_that_cannot_be_is_told)
{
	open_at(HOUSE_ROUTER, 0);
	house_routes[0].source = "127.0.0.1&nowhere";
	find("a@one.org");
	ck_assert_msg(strstr(hosts, "nowhere"), "%s", hosts);
	ck_assert(str_equal(way.hosts[0].sources, STR("127.0.0.1&nowhere")));
	close_all();
}
END_TEST

TEST_MAIN("queue/way", hosts_are_told_in_their_order_with_their_addresses,
	what_leads_back_here_is_told_too, a_refusal_and_a_later_are_told_with_their_words,
	a_host_that_failed_is_told_to_rest, a_router_that_waits_is_waited_for,
	a_local_address_that_cannot_be_is_told)
