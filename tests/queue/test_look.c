/* SPDX-License-Identifier: MIT
 *
 * What administrators see: who is in which state, which filter finds whom, in which order.
 */
#include "tests/queue/house.h"

static const struct peer_rule later[] = { { "RCPT TO:<late", "450 4.2.1 busy", 0 } };
static struct peer *peer;

/* What was found: "1a 1b 2a" is recipients 0 and 1 of the first message, and so on. */
struct seen {
	char text[400], states[100];
	struct tmail_id last;
	unsigned messages, rows, most; /* most: rows, then it ends the walk; 0: never */
};

static int see(void *ctx, const struct tmail_queue_entry *e, enum queue_state state)
{
	struct seen *s = ctx;
	size_t at = strlen(s->text);

	s->messages += !id_equal(id_tm(s->last), id_tm(e->id));
	s->last = e->id;
	snprintf(s->text + at, sizeof s->text - at, "%s%u%c", at ? " " : "", s->messages,
		'a' + (int)e->recipient);
	s->states[s->rows++] = "AWDH"[state];
	return s->most && s->rows == s->most;
}

static struct seen found(const struct queue_filter *filter)
{
	struct seen s = { .rows = 0 };
	struct why why;

	ck_assert_msg(
		queue_find(house.generation, filter, see, &s, &why) == TMAIL_OK, "%s", why.text);
	return s;
}
#define FOUND(...) found(&(struct queue_filter){ __VA_ARGS__ }).text

/* Nothing is tried: what is sent waits. */
static void begin_waiting(void)
{
	house_open("deliver = false;", HOUSE_ROUTER);
}

static uint64_t act(enum queue_action action, const struct queue_filter *filter)
{
	const struct queue_order order = { .action = action };
	uint64_t touched = 0;
	struct why why;

	ck_assert_int_eq(queue_act(house.generation, filter, &order, &touched, &why), TMAIL_OK);
	return touched;
}

START_TEST(everybody_is_in_one_state)
{
	peer = peer_server(later, 1, 0);
	router_to(peer_port(peer), 0);
	house_open("retry = [\"1h\"]; max_connections_destination = 1;", HOUSE_ROUTER);
	house_sends("s@x.org", "late@one.org");
	memory_wait_fate(0, 0, TMAIL_FATE_DEFERRED);
	house_sends("s@x.org", "late@two.org");
	memory_wait_fate(1, 0, TMAIL_FATE_DEFERRED);
	ck_assert_uint_eq(
		act(QUEUE_HOLD, &(struct queue_filter){ .recipient = STR_INIT("@two.org") }), 1);
	peer_hold(peer);
	house_sends("s@x.org", "now@three.org");
	house_sends("s@x.org", "now@four.org");
	peer_wait_seen(peer, "\r\n.\r\n");
	ck_assert_str_eq(found(&(struct queue_filter){ 0 }).states, "DHAA");
	ck_assert_str_eq(
		found(&(struct queue_filter){ .states = 1u << QUEUE_ACTIVE }).states, "AA");
	ck_assert_str_eq(found(&(struct queue_filter){ .states = 1u << QUEUE_WAITING }).states, "");
	ck_assert_str_eq(
		found(&(struct queue_filter){ .states = 1u << QUEUE_DEFERRED }).states, "D");
	ck_assert_str_eq(found(&(struct queue_filter){ .states = 1u << QUEUE_HELD }).states, "H");
	ck_assert_str_eq(
		found(&(struct queue_filter){ .states = 1u << QUEUE_HELD | 1u << QUEUE_ACTIVE })
			.states,
		"HAA");
	peer_let_go(peer);
	memory_wait_ended(2);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(of_one_message_some_are_active_and_some_are_not)
{
	peer = peer_server(later, 1, 0);
	router_to(peer_port(peer), 0);
	house_open("retry = [\"1h\"];", HOUSE_ROUTER);
	peer_hold(peer);
	house_sends("s@x.org", "late@one.org now@two.org");
	memory_wait_fate(0, 0, TMAIL_FATE_DEFERRED);
	peer_wait_seen(peer, "\r\n.\r\n");
	ck_assert_str_eq(found(&(struct queue_filter){ 0 }).states, "DA");
	peer_let_go(peer);
	memory_wait_fate(0, 1, TMAIL_FATE_DELIVERED);
	ck_assert_str_eq(found(&(struct queue_filter){ 0 }).text, "1a");
	house_over();
	peer_end(&peer);
}
END_TEST

/* Two are to be tried again; when the time of one has come, the other is not active. */
START_TEST(who_is_not_part_of_the_round_is_not_active)
{
	const struct peer_rule busy[] = { { "RCPT", "450 4.2.1 busy", 0 } };

	peer = peer_server(busy, 1, 0);
	router_to(peer_port(peer), 0);
	house_open("retry = [\"1h\"];", HOUSE_ROUTER);
	house_sends("s@x.org", "a@one.org b@two.org");
	house_sends("s@x.org", "c@three.org");
	memory_wait_fate(0, 0, TMAIL_FATE_DEFERRED);
	memory_wait_fate(0, 1, TMAIL_FATE_DEFERRED);
	memory_wait_fate(1, 0, TMAIL_FATE_DEFERRED);
	peer_rule_set(peer, 0, "250 2.1.5 Ok", 0);
	peer_hold(peer);
	memory_change(0, 1, TMAIL_FATE_DEFERRED, clock_wall());
	ck_assert_uint_eq(
		act(QUEUE_RETRY, &(struct queue_filter){ .recipient = STR_INIT("c@three.org") }),
		1);
	peer_wait_seen(peer, "RCPT TO:<b@two.org>\r\nDATA");
	peer_wait_seen(peer, "\r\n.\r\n");
	ck_assert_str_eq(FOUND(.states = 1u << QUEUE_DEFERRED), "1a");
	peer_let_go(peer);
	memory_wait_fate(0, 1, TMAIL_FATE_DELIVERED);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(what_nobody_tries_waits_and_with_the_server_stopped_nobody_is_active)
{
	begin_waiting();
	house_sends("s@x.org", "a@one.org b@one.org");
	ck_assert_str_eq(found(&(struct queue_filter){ 0 }).states, "WW");
	house_close();
	house_admin();
	ck_assert_str_eq(found(&(struct queue_filter){ 0 }).states, "WW");
	ck_assert_str_eq(FOUND(.states = 1u << QUEUE_ACTIVE), "");
	ck_assert_uint_eq(act(QUEUE_HOLD, &(struct queue_filter){ .limit = 1 }), 1);
	ck_assert_str_eq(found(&(struct queue_filter){ 0 }).states, "HH");
	house_end_generation();
	memory_reset();
}
END_TEST

START_TEST(rows_are_in_the_order_of_arrival_and_filters_must_all_match)
{
	struct memory_message m;

	begin_waiting();
	house_sends("s@x.org", "a@one.org b@two.org");
	house_sends("t@y.org", "a@one.org");
	house_sends("s@x.org", "b@two.org c@one.org");
	ck_assert_str_eq(FOUND(.limit = 0), "1a 1b 2a 3a 3b");
	ck_assert_str_eq(FOUND(.recipient = STR_INIT("@ONE.org")), "1a 2a 3b");
	ck_assert_str_eq(FOUND(.sender = STR_INIT("s@x.org")), "1a 1b 2a 2b");
	ck_assert_str_eq(
		FOUND(.sender = STR_INIT("@x.org"), .recipient = STR_INIT("b@two.org")), "1b 2a");
	ck_assert_str_eq(FOUND(.reason = STR_INIT("anything")), "");
	ck_assert(memory_message(1, &m));
	free(m.content);
	ck_assert_str_eq(FOUND(.id = id_tm(m.id)), "1a");
	ck_assert_str_eq(FOUND(.id = id_tm(m.id), .sender = STR_INIT("s@x.org")), "");
	house_over();
}
END_TEST

START_TEST(older_and_newer_are_two_sides_of_one_moment)
{
	int64_t moment;
	struct memory_message m;

	begin_waiting();
	house_sends("s@x.org", "a@one.org");
	house_years += 2 * 3600 * INT64_C(1000000);
	house_sends("s@x.org", "b@one.org");
	moment = clock_wall() - 3600 * INT64_C(1000000);
	ck_assert_str_eq(found(&(struct queue_filter){ .before = moment }).text, "1a");
	ck_assert(memory_message(0, &m));
	free(m.content);
	ck_assert(id_equal(
		id_tm(m.id), id_tm(found(&(struct queue_filter){ .before = moment }).last)));
	ck_assert(memory_message(1, &m));
	free(m.content);
	ck_assert(id_equal(
		id_tm(m.id), id_tm(found(&(struct queue_filter){ .after = moment }).last)));
	ck_assert_uint_eq(found(&(struct queue_filter){ .after = moment }).rows, 1);
	ck_assert_uint_eq(found(&(struct queue_filter){ .after = 1 }).rows, 2);
	ck_assert_uint_eq(
		found(&(struct queue_filter){ .after = moment, .before = moment }).rows, 0);
	house_over();
}
END_TEST

START_TEST(a_limit_does_not_divide_a_message)
{
	begin_waiting();
	house_sends("s@x.org", "a@one.org b@two.org");
	house_sends("s@x.org", "a@one.org");
	house_sends("s@x.org", "a@one.org b@two.org");
	ck_assert_str_eq(FOUND(.limit = 1), "1a 1b");
	ck_assert_str_eq(FOUND(.limit = 2), "1a 1b");
	ck_assert_str_eq(FOUND(.limit = 3), "1a 1b 2a");
	ck_assert_str_eq(FOUND(.limit = 4), "1a 1b 2a 3a 3b");
	ck_assert_str_eq(FOUND(.limit = 100), "1a 1b 2a 3a 3b");
	house_over();
}
END_TEST

START_TEST(who_looks_may_have_seen_enough)
{
	struct seen s = { .most = 2 };
	struct why why;

	begin_waiting();
	house_sends("s@x.org", "a@one.org b@two.org c@one.org");
	ck_assert_int_eq(
		queue_find(house.generation, &(struct queue_filter){ 0 }, see, &s, &why), TMAIL_OK);
	ck_assert_str_eq(s.text, "1a 1b");
	house_over();
}
END_TEST

START_TEST(what_is_overdue_is_what_should_have_been_tried)
{
	int64_t now;

	begin_waiting();
	house_sends("s@x.org", "a@one.org b@one.org");
	now = clock_wall();
	memory_change(0, 0, TMAIL_FATE_DEFERRED, now - 1);
	memory_change(0, 1, TMAIL_FATE_DEFERRED, now);
	ck_assert_str_eq(found(&(struct queue_filter){ .due_before = now }).text, "1a");
	memory_change(0, 0, TMAIL_FATE_DEFERRED, 0); /* at no time */
	ck_assert_str_eq(found(&(struct queue_filter){ .due_before = now }).text, "");
	house_over();
}
END_TEST

START_TEST(what_is_not_there_is_not_shown)
{
	struct tmail_queue_content content;
	struct arena *arena = arena_new(256);
	struct why why;

	begin_waiting();
	ck_assert_int_eq(queue_show(house.generation, id_make(1, 1, 1), 0, arena, &content, &why),
		TMAIL_NOT_FOUND);
	ck_assert_str_eq(why.text, "there is no such message in the queue");
	house_over();
	arena_free(&arena);
}
END_TEST

START_TEST(without_a_store_there_is_nothing_to_look_at)
{
	static const char *const nowhere[] = { NULL };
	struct problems problems = { 0 };
	const struct generation_setup setup = { .purpose = PURPOSE_ADMIN,
		.conf = conf_parse(STR(""), "test.conf", &problems),
		.module_dirs = nowhere,
		.only = nowhere };
	struct generation *g = generation_new(&setup, NULL, &problems);
	struct tmail_queue_counts counts;
	struct seen s = { .rows = 0 };
	uint64_t touched = 7;
	struct why why;

	ck_assert_ptr_nonnull(g);
	ck_assert_int_eq(queue_find(g, &(struct queue_filter){ 0 }, see, &s, &why), TMAIL_REFUSED);
	ck_assert_str_eq(why.text, "no module keeps the queue");
	ck_assert_int_eq(queue_counts(g, &counts, &why), TMAIL_REFUSED);
	ck_assert_int_eq(queue_act(g, &(struct queue_filter){ 0 },
				 &(struct queue_order){ .action = QUEUE_DISCARD }, &touched, &why),
		TMAIL_REFUSED);
	ck_assert_uint_eq(touched, 7);
	generation_unref(&g);
}
END_TEST

TEST_MAIN("queue/look", everybody_is_in_one_state, of_one_message_some_are_active_and_some_are_not,
	who_is_not_part_of_the_round_is_not_active,
	what_nobody_tries_waits_and_with_the_server_stopped_nobody_is_active,
	rows_are_in_the_order_of_arrival_and_filters_must_all_match,
	older_and_newer_are_two_sides_of_one_moment, a_limit_does_not_divide_a_message,
	who_looks_may_have_seen_enough, what_is_overdue_is_what_should_have_been_tried,
	what_is_not_there_is_not_shown, without_a_store_there_is_nothing_to_look_at)
