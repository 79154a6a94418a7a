/* SPDX-License-Identifier: MIT
 *
 * A message between its last octet and 250: what is kept of it, what is given back, and who then
 * has it.
 */
#include "tests/queue/house.h"

#include "queue/accept.h"

static struct peer *peer;

static void open_at(const char *settings)
{
	peer = peer_server(NULL, 0, 0);
	router_to(peer_port(peer), 0);
	house_open(settings, HOUSE_ROUTER);
}

static void close_all(void)
{
	house_over();
	peer_end(&peer);
}

/* On a loop, as a session does. */
static void reserve(void *ctx)
{
	struct message *m = ctx;

	ck_assert_int_eq(room_reserve(NULL, 1000), COMMIT_DURABLE);
	m->reserved += 1000;
}

static struct message *with_room(const char *recipients)
{
	struct message *m = house_message("s@x.org", recipients, STR(HOUSE_CONTENT));

	house_on(0, reserve, m);
	ck_assert_uint_eq(memory_reserved(), 1000);
	return m;
}

START_TEST(room_that_was_not_needed_is_given_back)
{
	static const enum memory_mood moods[] = { MEMORY_TAKES, MEMORY_REFUSES, MEMORY_FAILS,
		MEMORY_LOSES };
	static const enum commit_result results[] = { COMMIT_DURABLE, COMMIT_TRY_LATER,
		COMMIT_TRY_LATER, COMMIT_TRY_LATER };

	open_at("deliver = false;");
	for (size_t i = 0; i < sizeof moods / sizeof *moods; i++) {
		struct message *m = with_room("a@one.org");

		memory_set(moods[i]);
		ck_assert_int_eq(house_hand_over(m).result, results[i]);
		memory_set(MEMORY_TAKES);
		ck_assert_uint_eq(memory_reserved(), 0);
	}
	ck_assert_uint_eq(memory_adds(), 1);
	close_all();
}
END_TEST

START_TEST(what_is_discarded_is_said_yes_to_and_not_kept)
{
	int64_t before = metric_get(METRIC_discarded);
	struct message *m;

	open_at("");
	m = with_room("a@one.org");
	m->discard = true;
	ck_assert_int_eq(house_hand_over(m).result, COMMIT_DURABLE);
	/* A module has taken all its recipients away. */
	ck_assert_int_eq(house_hand_over(house_message("s@x.org", "", STR(HOUSE_CONTENT))).result,
		COMMIT_DURABLE);
	ck_assert_uint_eq(memory_adds(), 0);
	ck_assert_uint_eq(memory_reserved(), 0);
	ck_assert_int_eq(metric_get(METRIC_discarded) - before, 2);
	close_all();
}
END_TEST

START_TEST(what_is_held_is_kept_and_claimed_by_nobody)
{
	struct message *m = house_message("s@x.org", "a@one.org", STR(HOUSE_CONTENT));
	struct memory_message kept;

	open_at("");
	m->hold = tm_str(STR("look at it first"));
	ck_assert_int_eq(house_hand_over(m).result, COMMIT_DURABLE);
	ck_assert(memory_message(0, &kept));
	ck_assert(kept.held);
	ck_assert_str_eq(kept.hold, "look at it first");
	ck_assert_int_eq(kept.recipient[0].claimed, 0);
	free(kept.content);
	close_all();
	ck_assert_uint_eq(memory_messages(), 0);
}
END_TEST

START_TEST(what_comes_while_the_server_ends_is_kept_for_the_next_start)
{
	struct memory_message kept;

	open_at("");
	queue_drain(1000);
	house_sends("s@x.org", "a@one.org");
	ck_assert_uint_eq(memory_claimed(), 0);
	house_close();
	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	memory_wait_ended(1);
	ck_assert_uint_eq(peer_messages(peer), 1);
	ck_assert(memory_message(0, &kept));
	ck_assert_uint_eq(kept.recipient[0].attempts, 1);
	free(kept.content);
	close_all();
}
END_TEST

static void start_and_forget(void *ctx)
{
	struct sent *s = ctx;

	s->forgotten = true;
	sent_start(s);
}

START_TEST(a_client_that_left_has_been_accepted)
{
	struct sent s = { .m = house_message("s@x.org", "a@one.org", STR(HOUSE_CONTENT)),
		.result = COMMIT_FULL };

	open_at("");
	sem_init(&s.done, 0, 0);
	house_on(0, start_and_forget, &s);
	memory_wait_ended(1);
	ck_assert_uint_eq(peer_messages(peer), 1);
	ck_assert_int_eq(s.result, COMMIT_FULL); /* nobody was told */
	sem_destroy(&s.done);
	close_all();
}
END_TEST

START_TEST(whom_a_module_refused_after_data_is_known_after_a_restart)
{
	struct recipient_verdict verdict = { .index = 1,
		.verdict = TMAIL_REJECT,
		.code = 552,
		.enhanced = "5.2.2",
		.text = STR_INIT("mailbox full") };
	struct message *m = house_message("s@x.org", "a@one.org b@one.org", STR(HOUSE_CONTENT));
	struct message *again;
	struct tmail_str content[2];
	struct buf opaque = { 0 };
	struct tmail_queue_op op;
	struct str words;

	ck_assert(!refused_after_data(m, 1, &words));
	m->refused = &verdict;
	open_at("deliver = false;");
	message_ref(m);
	ck_assert_int_eq(house_hand_over(m).result, COMMIT_DURABLE);
	accept_op(&op, m, &opaque, content);
	again = house_message("s@x.org", "a@one.org b@one.org", STR(""));
	ck_assert(message_opaque_read(again, buf_str(&opaque)));
	ck_assert(refused_after_data(again, 1, &words));
	ck_assert(str_equal(words, STR("552 5.2.2 mailbox full")));
	ck_assert(!refused_after_data(again, 0, &words));
	buf_free(&opaque);
	message_free(&again);
	message_free(&m);
	close_all();
}
END_TEST

TEST_MAIN("queue/accept", room_that_was_not_needed_is_given_back,
	what_is_discarded_is_said_yes_to_and_not_kept, what_is_held_is_kept_and_claimed_by_nobody,
	what_comes_while_the_server_ends_is_kept_for_the_next_start,
	a_client_that_left_has_been_accepted,
	whom_a_module_refused_after_data_is_known_after_a_restart)
