/* SPDX-License-Identifier: MIT
 *
 * Attempts: hosts in order, those that rest, those that are not to be tried.
 */
#include "tests/queue/house.h"

static void recipients_of(unsigned i, char *out, size_t size, struct peer *peer)
{
	snprintf(out, size, "%.*s", STR_ARG(peer_message(peer, i)->recipients));
}

START_TEST(the_next_host_is_tried_when_one_does_not_answer)
{
	struct peer *peer = peer_server(NULL, 0, 0);
	int64_t before = metric_get(METRIC_dials_failed);

	router_to(house_dead_port(), peer_port(peer));
	house_open("", HOUSE_ROUTER);
	house_sends("s@x.org", "a@example.com");
	memory_wait_ended(1);
	ck_assert_uint_eq(peer_messages(peer), 1);
	ck_assert_int_ge(metric_get(METRIC_dials_failed) - before, 1);
	/* It rests now: nobody dials it again. */
	before = metric_get(METRIC_dials_failed);
	for (unsigned i = 0; i < 5; i++)
		house_sends("s@x.org", "b@example.com");
	memory_wait_ended(6);
	ck_assert_int_eq(metric_get(METRIC_dials_failed) - before, 0);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(the_next_host_is_tried_when_one_refuses_to_talk)
{
	const struct peer_rule greets[] = { { "connect", "554 go away", 0 } };
	const struct peer_rule ehlo[] = { { "EHLO", "421 not now", 0 } };
	struct peer *rude = peer_server(greets, 1, 0), *busy = peer_server(ehlo, 1, 0);
	struct peer *peer = peer_server(NULL, 0, 0);

	house_open("", HOUSE_ROUTER);
	house_routes[0] = (struct house_route){
		.domain = "one.org", .port = peer_port(rude), .port2 = peer_port(peer)
	};
	house_routes[1] = (struct house_route){
		.domain = "two.org", .port = peer_port(busy), .port2 = peer_port(peer)
	};
	house_sends("s@x.org", "a@one.org");
	house_sends("s@x.org", "a@two.org");
	memory_wait_ended(2);
	ck_assert_uint_eq(peer_messages(peer), 2);
	house_over();
	peer_end(&rude);
	peer_end(&busy);
	peer_end(&peer);
}
END_TEST

START_TEST(what_one_host_defers_the_next_may_take)
{
	const struct peer_rule rules[] = { { "RCPT TO:<late@", "450 4.2.1 greylisted", 0 },
		{ "RCPT TO:<never@", "550 5.1.1 no", 0 } };
	struct peer *first = peer_server(rules, 2, 0), *second = peer_server(NULL, 0, 0);
	char to[128];

	router_to(peer_port(first), peer_port(second));
	house_open("", HOUSE_ROUTER);
	house_sends("", "a@one.org late@one.org never@one.org");
	memory_wait_ended(1);
	ck_assert_uint_eq(peer_messages(first), 1);
	recipients_of(0, to, sizeof to, first);
	ck_assert_str_eq(to, "a@one.org");
	ck_assert_uint_eq(peer_messages(second), 1);
	recipients_of(0, to, sizeof to, second);
	ck_assert_str_eq(to, "late@one.org");
	house_over();
	peer_end(&first);
	peer_end(&second);
}
END_TEST

START_TEST(our_own_address_is_no_next_hop)
{
	struct endpoint own[2];
	struct memory_message m;
	struct peer *peer = peer_server(NULL, 0, 0);
	char text[64];

	snprintf(text, sizeof text, "*:%u", peer_port(peer));
	ck_assert(endpoint_parse(str_c(text), 25, &own[0]));
	ck_assert(endpoint_parse(STR("/run/nothing.sock"), 25, &own[1]));
	queue_listens(own, 2);
	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	house_sends("", "a@example.com");
	memory_wait_fate(0, 0, TMAIL_FATE_BOUNCED);
	ck_assert(memory_message(0, &m));
	ck_assert_ptr_nonnull(strstr(m.recipient[0].reply, "loops back"));
	free(m.content);
	ck_assert_uint_eq(peer_connections(peer), 0);
	house_over();
	queue_listens(NULL, 0);
	peer_end(&peer);
}
END_TEST

START_TEST(tls_that_is_required_and_not_there_keeps_the_message)
{
	struct peer *peer = peer_server(NULL, 0, 0);
	char *seen;

	house_open("", HOUSE_ROUTER);
	house_routes[0] = (struct house_route){
		.domain = "", .port = peer_port(peer), .tls = TMAIL_TLS_VERIFY
	};
	house_sends("s@x.org", "a@example.com");
	memory_wait_fate(0, 0, TMAIL_FATE_DEFERRED);
	peer_wait_seen(peer, "EHLO");
	seen = peer_seen(peer);
	ck_assert_ptr_null(strstr(seen, "MAIL"));
	free(seen);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(a_source_that_cannot_be_used_gives_way_to_the_next)
{
	struct peer *peer = peer_server(NULL, 0, 0);
	struct memory_message m;

	house_open("", HOUSE_ROUTER);
	house_routes[0] = (struct house_route){
		.domain = "one.org", .port = peer_port(peer), .source = "192.0.2.1&127.0.0.1"
	};
	house_routes[1] = (struct house_route){ .domain = "two.org",
		.port = peer_port(peer),
		.source = "192.0.2.1&127.0.0.1|127.0.0.2" };
	house_sends("s@x.org", "a@one.org");
	memory_wait_ended(1);
	ck_assert_uint_eq(peer_messages(peer), 1);
	house_sends("s@x.org", "a@two.org");
	memory_wait_fate(1, 0, TMAIL_FATE_DEFERRED);
	ck_assert(memory_message(1, &m));
	ck_assert_ptr_nonnull(strstr(m.recipient[0].reply, "& and | are mixed"));
	free(m.content);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(a_host_whose_name_is_not_found_is_passed_over)
{
	struct peer *peer = peer_server(NULL, 0, 0);

	house_open("", HOUSE_ROUTER);
	house_routes[0] = (struct house_route){ .domain = "",
		.port = peer_port(peer),
		.port2 = peer_port(peer),
		.host = "mx.nowhere.invalid",
		.host2 = "127.0.0.1" };
	house_sends("s@x.org", "a@one.org");
	memory_wait_ended(1);
	ck_assert_uint_eq(peer_messages(peer), 1);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(an_address_that_is_dead_rests_for_all_its_names)
{
	int64_t before = metric_get(METRIC_dials);
	char host[32], to[32];

	house_open("", HOUSE_ROUTER);
	house_routes[0] = (struct house_route){ .domain = "", .port = house_dead_port() };
	for (unsigned i = 0; i < 12; i++) {
		snprintf(host, sizeof host, "mx%u.localhost", i);
		snprintf(to, sizeof to, "a@d%u.org", i);
		house_routes[0].host = host;
		house_sends("", to);
		memory_wait_fate(i, 0, TMAIL_FATE_DEFERRED);
	}
	/* Each loop learns it by itself. */
	ck_assert_int_le(metric_get(METRIC_dials) - before, HOUSE_LOOPS);
	house_over();
}
END_TEST

START_TEST(what_failed_from_one_address_is_tried_from_another)
{
	struct peer *peer = peer_server(NULL, 0, 0);

	house_open("", HOUSE_ROUTER);
	house_routes[0] = (struct house_route){ .domain = "one.org",
		.port = peer_port(peer),
		.destination = "same",
		.source = "192.0.2.1" };
	house_routes[1] = (struct house_route){
		.domain = "", .port = peer_port(peer), .destination = "same"
	};
	house_sends("", "a@one.org");
	memory_wait_fate(0, 0, TMAIL_FATE_DEFERRED);
	for (unsigned i = 1; i < 5; i++)
		house_sends("", "a@two.org");
	memory_wait_ended(4);
	ck_assert_uint_eq(peer_messages(peer), 4);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(dns_does_not_lead_to_this_machine)
{
	struct memory_message m;

	house_open("", HOUSE_ROUTER);
	house_routes[0] = (struct house_route){ .domain = "dns.org", .host = "mx.localhost" };
	house_routes[1] = (struct house_route){
		.domain = "", .host = "mx.localhost", .source_id = 7, .port = house_dead_port()
	};
	house_sends("", "a@dns.org");
	memory_wait_fate(0, 0, TMAIL_FATE_BOUNCED);
	ck_assert(memory_message(0, &m));
	ck_assert_ptr_nonnull(strstr(m.recipient[0].reply, "loops back"));
	free(m.content);
	/* Who writes a route may mean another server on it. */
	house_sends("", "a@route.org");
	memory_wait_fate(1, 0, TMAIL_FATE_DEFERRED);
	ck_assert(memory_message(1, &m));
	ck_assert_ptr_nonnull(strstr(m.recipient[0].reply, "127.0.0.1"));
	free(m.content);
	house_over();
}
END_TEST

START_TEST(a_local_address_may_have_a_name_of_its_own)
{
	struct peer *peer = peer_server(NULL, 0, 0);

	router_to(peer_port(peer), 0);
	house_open("helo = ( { ip = \"127.0.0.7\"; name = \"seven.example\"; } );", HOUSE_ROUTER);
	house_sends("s@x.org", "a@one.org");
	peer_wait_seen(peer, "EHLO me.example\r\n");
	house_routes[0].source = "127.0.0.7";
	house_routes[0].ttl = 0;
	house_sends("s@x.org", "a@two.org");
	peer_wait_seen(peer, "EHLO seven.example\r\n");
	memory_wait_ended(2);
	house_over();
	peer_end(&peer);
}
END_TEST

TEST_MAIN("queue/attempt", the_next_host_is_tried_when_one_does_not_answer,
	the_next_host_is_tried_when_one_refuses_to_talk, what_one_host_defers_the_next_may_take,
	our_own_address_is_no_next_hop, tls_that_is_required_and_not_there_keeps_the_message,
	a_source_that_cannot_be_used_gives_way_to_the_next,
	a_host_whose_name_is_not_found_is_passed_over,
	an_address_that_is_dead_rests_for_all_its_names,
	what_failed_from_one_address_is_tried_from_another, dns_does_not_lead_to_this_machine,
	a_local_address_may_have_a_name_of_its_own)
