/* SPDX-License-Identifier: MIT
 *
 * Rounds of a message: recipients together and apart, and the end of all.
 */
#include "tests/queue/house.h"

#include "queue/schedule.h"

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

START_TEST(the_last_to_end_ends_the_message_whoever_ended_the_others)
{
	struct peer *peer = peer_server(NULL, 0, 0);

	house_open("deliver = false;", "");
	house_sends("s@x.org", "a@example.com b@example.com");
	house_close();
	memory_change(0, 1, TMAIL_FATE_DEFERRED, clock_wall() + 3600 * 1000000LL);
	router_to(peer_port(peer), 0);
	peer_hold(peer);
	house_open("", HOUSE_ROUTER);
	peer_wait_seen(peer, "\r\n.\r\n"); /* of a alone; b was living when it was read */
	memory_change(0, 1, TMAIL_FATE_DELIVERED, 0);
	peer_let_go(peer);
	memory_wait_ended(1);
	ck_assert(str_equal(peer_message(peer, 0)->recipients, STR("a@example.com")));
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(a_recipient_that_becomes_due_meanwhile_joins_the_round)
{
	struct peer *peer = peer_server(NULL, 0, 0);

	house_open("deliver = false;", "");
	house_sends("s@x.org", "a@example.com b@example.com");
	house_close();
	memory_change(0, 1, TMAIL_FATE_DEFERRED, clock_wall() + 3600 * 1000000LL);
	router_to(peer_port(peer), 0);
	peer_hold(peer);
	house_open("", HOUSE_ROUTER);
	peer_wait_seen(peer, "RCPT TO:<a@");
	memory_change(0, 1, TMAIL_FATE_DEFERRED, 1);
	schedule_due_at(1);
	peer_wait_seen(peer, "RCPT TO:<b@");
	peer_let_go(peer);
	memory_wait_ended(1);
	ck_assert_uint_eq(peer_messages(peer), 2);
	house_over();
	peer_end(&peer);
}
END_TEST

TEST_MAIN("queue/work", a_fresh_message_is_delivered_and_ended,
	recipients_of_one_destination_go_together,
	recipients_that_end_at_different_times_end_the_message_together,
	a_lost_final_reply_is_counted_and_waited_for, lmtp_recipients_have_outcomes_of_their_own,
	the_last_to_end_ends_the_message_whoever_ended_the_others,
	a_recipient_that_becomes_due_meanwhile_joins_the_round)
