/* SPDX-License-Identifier: MIT
 *
 * Commit: what clients are told, when, and what the store gets.
 */
#include "tests/queue/house.h"

#include <sched.h>

START_TEST(what_is_durable_is_said_so)
{
	struct memory_message m;

	house_open("deliver = false;", "");
	house_sends("s@x.org", "a@example.com b@example.com");
	ck_assert(memory_message(0, &m));
	ck_assert_str_eq(m.sender, "s@x.org");
	ck_assert_str_eq(m.recipients, "a@example.com b@example.com");
	ck_assert_str_eq(m.content, HOUSE_CONTENT);
	free(m.content);
	house_over();
}
END_TEST

START_TEST(a_store_that_refuses_is_tried_later)
{
	struct sent s;

	house_open("deliver = false;", "");
	memory_set(MEMORY_REFUSES);
	s = house_hand_over(house_message("s@x.org", "a@example.com", STR(HOUSE_CONTENT)));
	ck_assert_int_eq(s.result, COMMIT_TRY_LATER);
	ck_assert_str_eq(s.why, "so the test wants it");
	memory_set(MEMORY_FULL);
	ck_assert_int_eq(house_send("s@x.org", "a@example.com", HOUSE_CONTENT), COMMIT_FULL);
	memory_set(MEMORY_FAILS);
	ck_assert_int_eq(house_send("s@x.org", "a@example.com", HOUSE_CONTENT), COMMIT_TRY_LATER);
	memory_set(MEMORY_TAKES);
	house_sends("s@x.org", "a@example.com");
	ck_assert_uint_eq(memory_adds(), 1);
	house_over();
}
END_TEST

START_TEST(what_is_unknown_is_asked_for_again)
{
	int64_t before = metric_get(METRIC_commit_unknown);

	house_open("deliver = false;", "");
	memory_set(MEMORY_MUMBLES);
	house_sends("s@x.org", "a@example.com");
	memory_set(MEMORY_LOSES);
	ck_assert_int_eq(house_send("s@x.org", "a@example.com", HOUSE_CONTENT), COMMIT_TRY_LATER);
	memory_set(MEMORY_DOES_NOT_KNOW);
	ck_assert_int_eq(house_send("s@x.org", "a@example.com", HOUSE_CONTENT), COMMIT_TRY_LATER);
	ck_assert_int_eq(metric_get(METRIC_commit_unknown) - before, 3);
	memory_set(MEMORY_TAKES);
	house_over();
}
END_TEST

struct crowd {
	struct sent sent[200];
	unsigned loop;
};

static void crowd_start(void *ctx)
{
	struct crowd *c = ctx;

	for (size_t i = 0; i < 200; i++)
		if (c->sent[i].loop == c->loop)
			sent_start(&c->sent[i]);
}

START_TEST(a_batch_is_what_came_while_the_last_one_was_written)
{
	static struct crowd c;
	struct sent first = { .m = house_message("s@x.org", "z@x.org", STR(HOUSE_CONTENT)) };
	unsigned before;

	house_open("deliver = false;", "");
	memory_hold();
	sem_init(&first.done, 0, 0);
	house_on(0, sent_start, &first);
	memory_wait_writing();
	before = memory_writes();
	for (size_t i = 0; i < 200; i++) {
		c.sent[i].m = house_message("s@x.org", "a@x.org", STR(HOUSE_CONTENT));
		c.sent[i].loop = i % 2;
		sem_init(&c.sent[i].done, 0, 0);
	}
	for (c.loop = 0; c.loop < 2; c.loop++)
		house_on(c.loop, crowd_start, &c);
	memory_let_go();
	for (size_t i = 0; i < 200; i++) {
		while (sem_wait(&c.sent[i].done) != 0)
			;
		ck_assert_int_eq(c.sent[i].result, COMMIT_DURABLE);
	}
	ck_assert_uint_eq(memory_writes() - before, 2);
	ck_assert_uint_eq(memory_adds(), 201);
	house_over();
}
END_TEST

START_TEST(a_client_that_leaves_has_been_accepted_all_the_same)
{
	struct sent s = { .m = house_message("s@x.org", "z@x.org", STR(HOUSE_CONTENT)),
		.forgotten = true };

	house_open("deliver = false;", "");
	memory_hold();
	sem_init(&s.done, 0, 0);
	house_on(0, sent_start, &s);
	memory_wait_writing();
	memory_let_go();
	memory_wait_adds(1);
	house_over();
	ck_assert_int_ne(sem_trywait(&s.done), 0); /* nobody was told */
}
END_TEST

START_TEST(with_deliver_off_nobody_claims_and_a_later_start_delivers)
{
	struct peer *peer = peer_server(NULL, 0, 0);

	router_to(peer_port(peer), 0);
	house_open("deliver = false;", HOUSE_ROUTER);
	house_sends("s@x.org", "a@example.com");
	ck_assert_uint_eq(memory_claimed(), 0);
	house_close();
	ck_assert_uint_eq(peer_connections(peer), 0);
	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	peer_wait_messages(peer, 1);
	memory_wait_ended(1);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(a_message_that_was_discarded_is_not_kept)
{
	struct message *m = house_message("s@x.org", "z@x.org", STR(HOUSE_CONTENT));

	house_open("deliver = false;", "");
	m->discard = true;
	ck_assert_int_eq(house_hand_over(m).result, COMMIT_DURABLE);
	ck_assert_uint_eq(memory_adds(), 0);
	house_over();
}
END_TEST

START_TEST(a_message_that_is_held_stays)
{
	struct message *m = house_message("s@x.org", "z@x.org", STR(HOUSE_CONTENT));
	struct memory_message got;

	house_open("", "");
	m->hold = tm_str(STR("looks odd"));
	ck_assert_int_eq(house_hand_over(m).result, COMMIT_DURABLE);
	ck_assert(memory_message(0, &got));
	ck_assert_str_eq(got.hold, "looks odd");
	ck_assert_uint_eq(memory_claimed(), 0);
	free(got.content);
	house_over();
}
END_TEST

START_TEST(outcomes_are_written_until_the_store_takes_them)
{
	struct peer *peer = peer_server(NULL, 0, 0);

	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	memory_outcomes(MEMORY_REFUSES);
	house_sends("s@x.org", "a@example.com");
	memory_wait_refused(2); /* OUTCOME and END */
	ck_assert_uint_eq(memory_ended(), 0);
	memory_outcomes(MEMORY_TAKES);
	memory_wait_ended(1);
	house_over();
	peer_end(&peer);
}
END_TEST

/* What becomes of one message whose outcome the store answers so. */
static void outcome_that_is_answered(enum memory_mood mood)
{
	struct peer *peer = peer_server(NULL, 0, 0);

	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	memory_outcomes(mood);
	house_sends("s@x.org", "a@example.com");
	memory_wait_refused(2); /* OUTCOME and END */
	while (atomic_load(&queue.live) > 0)
		sched_yield();
	memory_outcomes(MEMORY_TAKES);
	house_sends("s@x.org", "b@example.com");
	memory_wait_ended(1);
	ck_assert_uint_eq(memory_messages(), 1); /* the first was asked about once */
	ck_assert_uint_eq(memory_claimed(), 1);
	ck_assert_uint_eq(peer_messages(peer), 2);
	house_over();
	peer_end(&peer);
}

START_TEST(an_outcome_that_another_node_has_to_tell_is_dropped)
{
	int64_t before = metric_get(METRIC_duplicates_possible);

	outcome_that_is_answered(MEMORY_HAS_LOST);
	ck_assert_int_eq(metric_get(METRIC_duplicates_possible) - before, 1);
}
END_TEST

START_TEST(an_outcome_that_is_refused_for_ever_is_dropped)
{
	int64_t before = metric_get(METRIC_duplicates_possible);

	outcome_that_is_answered(MEMORY_NEVER);
	ck_assert_int_eq(metric_get(METRIC_duplicates_possible) - before, 0);
}
END_TEST

START_TEST(a_message_that_is_refused_for_ever_is_not_accepted)
{
	house_open("deliver = false;", "");
	memory_set(MEMORY_NEVER);
	ck_assert_int_eq(house_send("s@x.org", "a@example.com", HOUSE_CONTENT), COMMIT_TRY_LATER);
	memory_set(MEMORY_TAKES);
	house_over();
}
END_TEST

/* The next attempt may be under way before the rest of what was written with it is taken. */
START_TEST(what_was_taken_is_not_written_again_with_what_was_not)
{
	const struct peer_rule rules[] = { { "RCPT TO:<a@", "450 4.2.1 later", 1 },
		{ "RCPT TO:<b@", "450 4.2.1 later", 1 } };
	struct peer *peer = peer_server(rules, 2, 0);
	struct memory_message m;

	router_to(peer_port(peer), 0);
	house_open("retry = [\"20ms\"];", HOUSE_ROUTER);
	memory_outcomes(MEMORY_TAKES_THE_FIRST);
	house_sends("s@x.org", "a@example.com b@example.com");
	memory_wait_refused(1);
	memory_wait_fate(0, 0, TMAIL_FATE_DELIVERED);
	memory_outcomes(MEMORY_TAKES);
	memory_wait_ended(1);
	ck_assert(memory_message(0, &m));
	ck_assert_uint_eq(m.recipient[0].attempts, 2);
	ck_assert_uint_eq(m.recipient[1].attempts, 2);
	ck_assert_uint_eq(peer_messages(peer), 2);
	free(m.content);
	house_over();
	peer_end(&peer);
}
END_TEST

TEST_MAIN("queue/commit", what_is_durable_is_said_so, a_store_that_refuses_is_tried_later,
	what_is_unknown_is_asked_for_again, a_batch_is_what_came_while_the_last_one_was_written,
	a_client_that_leaves_has_been_accepted_all_the_same,
	with_deliver_off_nobody_claims_and_a_later_start_delivers,
	a_message_that_was_discarded_is_not_kept, a_message_that_is_held_stays,
	outcomes_are_written_until_the_store_takes_them,
	an_outcome_that_another_node_has_to_tell_is_dropped,
	an_outcome_that_is_refused_for_ever_is_dropped,
	a_message_that_is_refused_for_ever_is_not_accepted,
	what_was_taken_is_not_written_again_with_what_was_not)
