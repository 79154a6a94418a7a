/* SPDX-License-Identifier: MIT
 *
 * When messages come under delivery, and what is read back.
 */
#include "tests/queue/house.h"

#include "queue/schedule.h"

#include <poll.h>

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

/* ---- claims that are given back ------------------------------------------------------------ */

enum { SOME = 400, SLOW = 600 };

/* Routers do not answer for slow.org, and more is asked about it than its share allows. */
static void open_with_slow_routers(struct peer *peer)
{
	house_open("retry = [\"20ms\"];", HOUSE_ROUTER);
	house_routes[0] = (struct house_route){
		.domain = "slow.org", .port = peer_port(peer), .pending = true
	};
	house_routes[1] = (struct house_route){ .domain = "", .port = peer_port(peer) };
	house_routers_wait = true;
	window_is(SOME);
	for (unsigned i = 0; i < SLOW; i++)
		house_sends("s@x.org", "z@slow.org");
}

static void close_with_slow_routers(struct peer *peer)
{
	house_routers_wait = false;
	while (memory_ended() < SLOW + 1) {
		memory_all_due();
		schedule_due_at(1);
		usleep(20000);
	}
	window_is_whole(SOME);
	ck_assert_uint_eq(peer_messages(peer), SLOW + 2); /* of each recipient once */
	house_over();
	peer_end(&peer);
}

static struct memory_message message_at(unsigned i)
{
	struct memory_message m;

	ck_assert(memory_message(i, &m));
	free(m.content);
	return m;
}

START_TEST(who_is_put_off_does_not_move_who_is_tried_again)
{
	const struct peer_rule rules[] = { { "RCPT TO:<a@", "450 4.2.1 later", 1 } };
	struct peer *peer = peer_server(rules, 1, 0);
	struct memory_message m;

	open_with_slow_routers(peer);
	house_sends("s@x.org", "a@other.org b@slow.org");
	do
		m = message_at(SLOW);
	while (m.recipient[1].due <= clock_wall()); /* until b is put off */
	ck_assert_int_lt(m.recipient[0].due, m.recipient[1].due);
	memory_wait_fate(SLOW, 0, TMAIL_FATE_DELIVERED);
	m = message_at(SLOW);
	ck_assert_uint_eq(m.recipient[0].attempts, 2);
	ck_assert_uint_eq(m.recipient[1].attempts, 0);
	close_with_slow_routers(peer);
}
END_TEST

/* One is being sent, others wait; then nothing is to be delivered for now. */
static struct peer *given_back(unsigned others, enum memory_mood mood)
{
	struct peer *peer = peer_server(NULL, 0, 0);
	struct queue_settings settings;

	router_to(peer_port(peer), 0);
	house_open("max_connections_destination = 1;", HOUSE_ROUTER);
	peer_hold(peer);
	house_sends("s@x.org", "a@example.com");
	peer_wait_seen(peer, "\r\n.\r\n");
	for (unsigned i = 0; i < others; i++)
		house_sends("s@x.org", "b@example.com");
	memory_releasing(mood);
	settings = house.settings;
	settings.deliver = false;
	house_reload(0, settings);
	return peer;
}

START_TEST(what_the_store_does_not_take_back_is_given_back_later_and_nothing_claimed_before)
{
	struct peer *peer = given_back(2, MEMORY_FAILS);
	unsigned claims;

	memory_wait_refused(1);
	house_reload(1, house.settings);
	claims = memory_claims();
	memory_wait_refused(3);
	ck_assert_uint_eq(memory_claims(), claims);
	ck_assert_uint_eq(memory_claimed(), 3);
	memory_releasing(MEMORY_TAKES);
	peer_let_go(peer);
	memory_wait_ended(3);
	ck_assert_uint_eq(memory_releases(), 2);
	ck_assert_uint_eq(peer_messages(peer), 3);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(what_the_store_never_takes_back_is_not_asked_again)
{
	struct peer *peer = given_back(1, MEMORY_NEVER);
	unsigned claims;

	memory_wait_refused(1);
	peer_let_go(peer);
	memory_wait_ended(1);
	memory_releasing(MEMORY_TAKES);
	claims = memory_claims();
	house_reload(1, house.settings);
	while (memory_claims() == claims)
		schedule_due_at(1);
	ck_assert_uint_eq(memory_claimed(), 1);
	ck_assert_uint_eq(memory_releases(), 0);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(what_there_is_no_room_for_is_added_unclaimed)
{
	struct peer *peer = peer_server(NULL, 0, 0);

	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	while (memory_claims() == 0) /* that of the start, for which there was room */
		poll(NULL, 0, 1);
	window_is(0);
	house_sends("s@x.org", "a@example.com b@example.com");
	ck_assert_uint_eq(memory_claimed(), 0);
	ck_assert_uint_eq(memory_releases(), 0);
	window_is_whole(0);
	schedule_due_at(1);
	memory_wait_ended(1);
	house_over();
	peer_end(&peer);
}
END_TEST

/* Spent, claimed, fresh. */
START_TEST(what_is_tried_again_rests_only_beside_what_is_fresh)
{
	int64_t full = schedule_rest(1000, 256, 64);

	ck_assert_int_eq(schedule_rest(1000, 256, 0), 0);
	ck_assert_int_ge(full, 10 * 1000);
	ck_assert_int_eq(schedule_rest(1000, 256, 32), full / 2);
	ck_assert_int_eq(schedule_rest(1000, 256, 100000), full); /* and not for ever */
	ck_assert_int_eq(schedule_rest(500, 256, 64), full / 2);
}
END_TEST

TEST_MAIN("queue/schedule", what_is_tried_again_rests_only_beside_what_is_fresh,
	a_deferred_message_is_read_back_and_delivered_when_due,
	a_message_over_the_budget_is_read_back_when_it_is_sent, a_large_backlog_is_worked_off,
	facts_survive_in_the_store, who_is_put_off_does_not_move_who_is_tried_again,
	what_the_store_does_not_take_back_is_given_back_later_and_nothing_claimed_before,
	what_the_store_never_takes_back_is_not_asked_again,
	what_there_is_no_room_for_is_added_unclaimed)
