/* SPDX-License-Identifier: MIT
 *
 * When messages come under delivery, and what is read back.
 */
#include "tests/queue/house.h"

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

START_TEST(a_large_backlog_is_worked_off)
{
	struct peer *peer = peer_server(NULL, 0, 0);

	house_open("deliver = false;", HOUSE_ROUTER);
	for (unsigned i = 0; i < 1500; i++)
		house_sends("s@x.org", i % 3 ? "a@one.org" : "b@two.org");
	house_close();
	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	memory_wait_ended(1500);
	ck_assert_uint_eq(peer_messages(peer), 1500);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(facts_survive_in_the_store)
{
	struct peer *peer = peer_server(NULL, 0, 0);
	struct message *m = house_message("s@x.org", "a@one.org", STR(HOUSE_CONTENT));
	const char *mail;

	m->envelope.body = TMAIL_BODY_8BITMIME;
	m->envelope.ret = TMAIL_RET_HDRS;
	m->envelope.envid = tm_str(STR("QQ"));
	house_open("deliver = false;", HOUSE_ROUTER);
	ck_assert_int_eq(house_hand_over(m).result, COMMIT_DURABLE);
	house_close();
	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	peer_wait_messages(peer, 1);
	mail = peer_message(peer, 0)->mail.data;
	ck_assert_ptr_nonnull(strstr(mail, "BODY=8BITMIME"));
	ck_assert_ptr_nonnull(strstr(mail, "RET=HDRS ENVID=QQ"));
	memory_wait_ended(1);
	house_over();
	peer_end(&peer);
}
END_TEST

TEST_MAIN("queue/schedule", a_deferred_message_is_read_back_and_delivered_when_due,
	a_message_over_the_budget_is_read_back_when_it_is_sent, a_large_backlog_is_worked_off,
	facts_survive_in_the_store)
