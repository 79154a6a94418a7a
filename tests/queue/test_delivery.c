/* SPDX-License-Identifier: MIT
 *
 * From the store to the next hop: lanes, attempts, hosts, connections.
 */
#include "tests/queue/house.h"

static void recipients_of(unsigned i, char *out, size_t size, struct peer *peer)
{
	snprintf(out, size, "%.*s", STR_ARG(peer_message(peer, i)->recipients));
}

START_TEST(a_fresh_message_is_delivered_and_ended)
{
	struct peer *peer = peer_server(NULL, 0, 0);
	const struct peer_message *m;
	int64_t before = metric_get(METRIC_deliveries);

	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	house_sends("s@x.org", "a@example.com");
	peer_wait_messages(peer, 1);
	m = peer_message(peer, 0);
	ck_assert(str_equal(m->sender, STR("s@x.org")));
	ck_assert(str_equal(m->recipients, STR("a@example.com")));
	ck_assert(str_equal(m->content, STR(HOUSE_CONTENT)));
	memory_wait_ended(1);
	ck_assert_uint_eq(memory_reads(), 0); /* it went from memory */
	ck_assert_int_eq(metric_get(METRIC_deliveries) - before, 1);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(recipients_of_one_destination_go_together)
{
	struct peer *peer = peer_server(NULL, 0, 0);
	char to[256];

	router_to(peer_port(peer), 0);
	house_open("max_recipients_transaction = 3;", HOUSE_ROUTER);
	house_sends("s@x.org", "a@one.org b@two.org c@one.org d@one.org e@one.org");
	peer_wait_messages(peer, 3);
	memory_wait_ended(1);
	ck_assert_uint_eq(peer_messages(peer), 3);
	for (unsigned i = 0, n = 0; i < 3; i++) {
		recipients_of(i, to, sizeof to, peer);
		if (strcmp(to, "a@one.org c@one.org d@one.org") == 0)
			n++;
		ck_assert_msg(
			strcmp(to, "b@two.org") == 0 || strcmp(to, "e@one.org") == 0 || n == 1,
			"%s", to);
	}
	house_over();
	peer_end(&peer);
}
END_TEST

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

START_TEST(with_no_host_answering_everybody_is_deferred_at_once)
{
	struct memory_message m;

	router_to(house_dead_port(), 0);
	house_open("", HOUSE_ROUTER);
	for (unsigned i = 0; i < 50; i++)
		house_sends("s@x.org", "a@example.com");
	for (unsigned i = 0; i < 50; i++)
		memory_wait_fate(i, 0, TMAIL_FATE_DEFERRED);
	ck_assert(memory_message(49, &m));
	ck_assert_uint_eq(m.recipient[0].attempts, 1);
	ck_assert_ptr_nonnull(strstr(m.recipient[0].reply, "127.0.0.1"));
	free(m.content);
	house_over();
}
END_TEST

START_TEST(a_deferred_message_is_read_back_and_delivered_when_due)
{
	const struct peer_rule rules[] = { { "MAIL", "450 4.3.0 later", 1 } };
	struct peer *peer = peer_server(rules, 1, 0);
	struct memory_message m;

	router_to(peer_port(peer), 0);
	house_open("retry = [\"20ms\"];", HOUSE_ROUTER);
	house_sends("s@x.org", "a@example.com b@example.com");
	memory_wait_ended(1);
	ck_assert_uint_gt(memory_reads(), 0);
	ck_assert_uint_eq(peer_messages(peer), 1);
	ck_assert(str_equal(peer_message(peer, 0)->content, STR(HOUSE_CONTENT)));
	ck_assert(memory_message(0, &m));
	ck_assert_uint_eq(m.recipient[0].attempts, 2);
	free(m.content);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(recipients_that_end_at_different_times_end_the_message_together)
{
	const struct peer_rule rules[] = { { "RCPT TO:<b@", "450 later", 2 },
		{ "RCPT TO:<c@", "450 later", 1 }, { "RCPT TO:<d@", "450 later", 3 } };
	struct peer *peer = peer_server(rules, 3, 0);
	struct memory_message m;

	router_to(peer_port(peer), 0);
	house_open("retry = [\"20ms\"];", HOUSE_ROUTER);
	house_sends("s@x.org", "a@one.org b@two.org c@three.org d@four.org");
	memory_wait_ended(1);
	ck_assert_uint_eq(peer_messages(peer), 4);
	ck_assert(memory_message(0, &m));
	ck_assert_uint_eq(m.recipient[0].attempts, 1);
	ck_assert_uint_eq(m.recipient[1].attempts, 3);
	ck_assert_uint_eq(m.recipient[2].attempts, 2);
	ck_assert_uint_eq(m.recipient[3].attempts, 4);
	free(m.content);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(a_lost_final_reply_is_counted_and_waited_for)
{
	const struct peer_rule rules[] = { { ".", NULL, 1 } };
	struct peer *peer = peer_server(rules, 1, 0);
	int64_t before = metric_get(METRIC_duplicates_possible), now = clock_wall();
	struct memory_message m;

	router_to(peer_port(peer), 0);
	house_open("retry = [\"20ms\"];", HOUSE_ROUTER);
	house_sends("s@x.org", "a@example.com");
	memory_wait_fate(0, 0, TMAIL_FATE_DEFERRED);
	ck_assert_int_eq(metric_get(METRIC_duplicates_possible) - before, 1);
	ck_assert(memory_message(0, &m));
	ck_assert_int_ge(m.recipient[0].due - now, 600 * 1000000LL);
	free(m.content);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(lmtp_recipients_have_outcomes_of_their_own)
{
	const struct peer_rule rules[] = { { ".b@", "452 4.2.2 full", 0 } };
	struct peer *peer = peer_server(rules, 1, PEER_LMTP);
	struct memory_message m;

	house_open("", HOUSE_ROUTER);
	house_routes[0] = (struct house_route){
		.domain = "", .port = peer_port(peer), .protocol = TMAIL_PROTOCOL_LMTP
	};
	house_sends("s@x.org", "a@example.com b@example.com c@example.com");
	memory_wait_fate(0, 1, TMAIL_FATE_DEFERRED);
	memory_wait_fate(0, 2, TMAIL_FATE_DELIVERED);
	ck_assert(memory_message(0, &m));
	ck_assert_str_eq(m.recipient[0].reply, "250 2.0.0 taken");
	ck_assert_str_eq(m.recipient[1].reply, "452 4.2.2 full");
	ck_assert(!m.ended);
	free(m.content);
	house_over();
	peer_end(&peer);
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

	house_open("", HOUSE_ROUTER);
	house_routes[0] = (struct house_route){
		.domain = "", .port = peer_port(peer), .tls = TMAIL_TLS_VERIFY
	};
	house_sends("s@x.org", "a@example.com");
	memory_wait_fate(0, 0, TMAIL_FATE_DEFERRED);
	ck_assert_uint_eq(peer_connections(peer), 0);
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

START_TEST(a_message_over_the_budget_is_read_back_when_it_is_sent)
{
	struct peer *peer = peer_server(NULL, 0, 0);
	struct message *hog = house_message("s@x.org", "z@x.org", STR(""));

	buf_reserve(&hog->data, MESSAGE_BUDGET);
	hog->data.len = MESSAGE_BUDGET;
	ck_assert(message_charge(hog));
	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	house_sends("s@x.org", "a@example.com");
	memory_wait_ended(1);
	ck_assert(str_equal(peer_message(peer, 0)->content, STR(HOUSE_CONTENT)));
	ck_assert_uint_eq(memory_reads(), 1);
	message_free(&hog);
	house_over();
	peer_end(&peer);
}
END_TEST

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

TEST_MAIN("queue/delivery", a_fresh_message_is_delivered_and_ended,
	recipients_of_one_destination_go_together, connections_are_reused,
	a_connection_is_closed_after_its_messages,
	an_idle_connection_that_the_server_closed_costs_no_attempt,
	many_messages_to_many_destinations_all_arrive,
	the_next_host_is_tried_when_one_does_not_answer,
	the_next_host_is_tried_when_one_refuses_to_talk, what_one_host_defers_the_next_may_take,
	with_no_host_answering_everybody_is_deferred_at_once,
	a_deferred_message_is_read_back_and_delivered_when_due,
	recipients_that_end_at_different_times_end_the_message_together,
	a_lost_final_reply_is_counted_and_waited_for, lmtp_recipients_have_outcomes_of_their_own,
	our_own_address_is_no_next_hop, tls_that_is_required_and_not_there_keeps_the_message,
	a_source_that_cannot_be_used_gives_way_to_the_next,
	a_message_over_the_budget_is_read_back_when_it_is_sent, the_end_waits_for_what_is_under_way,
	the_end_does_not_wait_for_ever, what_waits_at_the_end_is_given_back)
