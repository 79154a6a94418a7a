/* SPDX-License-Identifier: MIT
 *
 * What administrators do, to messages in the store, waiting in lanes, and being sent; and with
 * the server stopped.
 */
#include "tests/queue/house.h"

#include <sched.h>

static const struct peer_rule later[] = { { "RCPT", "450 4.2.1 busy", 0 } };
static const struct queue_filter all;
static const struct queue_filter held = { .states = 1u << QUEUE_HELD };

/* A dry run counts the same before. */
static uint64_t act(const struct queue_filter *filter, enum queue_action action, const char *words)
{
	struct queue_order order = { .action = action, .words = str_c(words), .dry = true };
	uint64_t would = 0, touched = 0;
	struct why why;

	ck_assert_msg(queue_act(house.generation, filter, &order, &would, &why) == TMAIL_OK, "%s",
		why.text);
	order.dry = false;
	ck_assert_msg(queue_act(house.generation, filter, &order, &touched, &why) == TMAIL_OK, "%s",
		why.text);
	ck_assert_uint_eq(touched, would);
	return touched;
}

static int count_one(void *ctx, const struct tmail_queue_entry *entry, enum queue_state state)
{
	(void)entry;
	(void)state;
	++*(unsigned *)ctx;
	return 0;
}

static unsigned found(const struct queue_filter *filter)
{
	unsigned n = 0;
	struct why why;

	ck_assert_int_eq(queue_find(house.generation, filter, count_one, &n, &why), TMAIL_OK);
	return n;
}

static uint32_t fate(unsigned i, uint32_t recipient)
{
	struct memory_message m;

	ck_assert(memory_message(i, &m));
	free(m.content);
	return m.recipient[recipient].fate;
}

START_TEST(what_is_in_the_queue_is_found_and_counted)
{
	struct queue_filter filter = { .recipient = STR_INIT("@two.org") };
	struct tmail_queue_counts counts = { .size = sizeof counts };
	struct peer *peer = peer_server(later, 1, 0);
	struct tmail_queue_content content;
	struct arena *arena = arena_new(1024);
	struct memory_message m;
	struct why why;

	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	house_sends("s@x.org", "a@one.org b@two.org");
	memory_wait_fate(0, 0, TMAIL_FATE_DEFERRED);
	memory_wait_fate(0, 1, TMAIL_FATE_DEFERRED);
	ck_assert_uint_eq(found(&all), 2);
	ck_assert_uint_eq(found(&filter), 1);
	filter.reason = STR("BUSY");
	ck_assert_uint_eq(found(&filter), 1);
	filter.reason = STR("idle");
	ck_assert_uint_eq(found(&filter), 0);
	ck_assert_int_eq(queue_counts(house.generation, &counts, &why), TMAIL_OK);
	ck_assert_uint_eq(counts.messages, 1);
	ck_assert_uint_eq(counts.deferred, 2);
	ck_assert(memory_message(0, &m));
	ck_assert_int_eq(
		queue_show(house.generation, id_tm(m.id), 1000, arena, &content, &why), TMAIL_OK);
	ck_assert(str_equal(str_tm(content.octets), STR(HOUSE_CONTENT)));
	ck_assert_uint_eq(content.states.count, 2);
	m.id.lo++;
	ck_assert_int_eq(queue_show(house.generation, id_tm(m.id), 1000, arena, &content, &why),
		TMAIL_NOT_FOUND);
	free(m.content);
	arena_free(&arena);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(what_is_held_stays_until_it_is_released)
{
	struct peer *peer = peer_server(later, 1, 0);

	router_to(peer_port(peer), 0);
	house_open("retry = [\"20ms\"];", HOUSE_ROUTER);
	house_sends("s@x.org", "a@one.org");
	memory_wait_fate(0, 0, TMAIL_FATE_DEFERRED);
	ck_assert_uint_eq(act(&all, QUEUE_HOLD, "look at it"), 1);
	peer_rule_set(peer, 0, "250 ok", 0);
	ck_assert_uint_eq(found(&held), 1);
	ck_assert_uint_eq(act(&held, QUEUE_RELEASE, ""), 1);
	memory_wait_ended(1);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(what_is_retried_goes_at_once_and_wakes_its_host)
{
	unsigned port = house_dead_port();
	struct memory_message m;
	int64_t before;

	router_to(port, 0);
	house_open("host_rest = \"1h\"; retry = [\"1h\"];", HOUSE_ROUTER);
	house_sends("s@x.org", "a@one.org");
	memory_wait_fate(0, 0, TMAIL_FATE_DEFERRED);
	before = metric_get(METRIC_dials);
	ck_assert_uint_eq(act(&all, QUEUE_RETRY, ""), 1);
	do {
		memory_wait_fate(0, 0, TMAIL_FATE_DEFERRED);
		ck_assert(memory_message(0, &m));
		free(m.content);
	} while (m.recipient[0].attempts < 2);
	ck_assert_int_eq(metric_get(METRIC_dials) - before, 1);
	house_over();
}
END_TEST

START_TEST(what_is_discarded_in_the_store_is_gone)
{
	struct queue_filter two = { .recipient = STR_INIT("b@two.org") };
	struct peer *peer = peer_server(later, 1, 0);

	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	house_sends("s@x.org", "a@one.org b@two.org");
	memory_wait_fate(0, 0, TMAIL_FATE_DEFERRED);
	memory_wait_fate(0, 1, TMAIL_FATE_DEFERRED);
	ck_assert_uint_eq(act(&two, QUEUE_DISCARD, ""), 1);
	ck_assert_uint_eq(fate(0, 1), TMAIL_FATE_DISCARDED);
	ck_assert_uint_eq(fate(0, 0), TMAIL_FATE_DEFERRED);
	ck_assert_uint_eq(memory_ended(), 0);
	ck_assert_uint_eq(act(&all, QUEUE_DISCARD, ""), 1);
	ck_assert_uint_eq(memory_ended(), 1);
	ck_assert_uint_eq(memory_adds(), 1); /* nobody is told */
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(what_is_bounced_in_the_store_is_returned)
{
	const struct peer_rule rules[] = { { "RCPT TO:<a@", "450 busy", 0 } };
	struct peer *peer = peer_server(rules, 1, 0);

	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	house_sends("s@x.org", "a@one.org");
	memory_wait_fate(0, 0, TMAIL_FATE_DEFERRED);
	ck_assert_uint_eq(act(&all, QUEUE_BOUNCE, "no such shop"), 1);
	ck_assert_uint_eq(fate(0, 0), TMAIL_FATE_BOUNCED);
	peer_wait_messages(peer, 1);
	ck_assert(str_equal(peer_message(peer, 0)->recipients, STR("s@x.org")));
	ck_assert_ptr_nonnull(strstr(peer_message(peer, 0)->content.data, "no such shop"));
	memory_wait_ended(2);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(what_cannot_be_read_now_is_not_bounced_behind_the_senders_back)
{
	const struct peer_rule rules[] = { { "RCPT TO:<a@", "450 busy", 0 } };
	struct queue_order order = { .action = QUEUE_BOUNCE };
	struct peer *peer = peer_server(rules, 1, 0);
	uint64_t touched = 0;
	struct why why;

	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	house_sends("s@x.org", "a@one.org");
	memory_wait_fate(0, 0, TMAIL_FATE_DEFERRED);
	memory_unreadable(true);
	ck_assert_int_ne(queue_act(house.generation, &all, &order, &touched, &why), TMAIL_OK);
	ck_assert_str_eq(why.text, "a message cannot be read now, and its sender not told");
	ck_assert_uint_eq(fate(0, 0), TMAIL_FATE_DEFERRED);
	memory_unreadable(false);
	ck_assert_uint_eq(act(&all, QUEUE_BOUNCE, ""), 1);
	peer_wait_messages(peer, 1);
	memory_wait_ended(2);
	house_over();
	peer_end(&peer);
}
END_TEST

/* One message is being sent and is not answered; nineteen wait for its connection. */
static struct peer *crowded(void)
{
	struct peer *peer = peer_server(NULL, 0, 0);

	router_to(peer_port(peer), 0);
	house_open("max_connections_destination = 1;", HOUSE_ROUTER);
	peer_hold(peer);
	for (unsigned i = 0; i < 20; i++)
		house_sends("s@x.org", "a@example.com");
	peer_wait_seen(peer, "\r\n.\r\n");
	return peer;
}

START_TEST(what_waits_in_a_lane_is_discarded_at_once)
{
	struct peer *peer = crowded();
	unsigned discarded = 0;

	ck_assert_uint_eq(act(&all, QUEUE_DISCARD, ""), 20);
	for (unsigned i = 0; i < 20; i++)
		discarded += fate(i, 0) == TMAIL_FATE_DISCARDED;
	ck_assert_uint_eq(discarded, 19);
	peer_let_go(peer);
	memory_wait_ended(20); /* the one that was being sent has been delivered */
	ck_assert_uint_eq(peer_messages(peer), 1);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(what_waits_in_a_lane_is_bounced_at_once)
{
	struct peer *peer = crowded();

	ck_assert_uint_eq(act(&all, QUEUE_BOUNCE, ""), 20);
	memory_wait_adds(39);
	peer_let_go(peer);
	memory_wait_ended(39);
	ck_assert_uint_eq(peer_messages(peer), 20);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(what_waits_in_a_lane_is_held_and_released)
{
	struct peer *peer = crowded();

	ck_assert_uint_eq(act(&all, QUEUE_HOLD, ""), 20);
	peer_let_go(peer);
	memory_wait_ended(1);
	ck_assert_uint_eq(peer_messages(peer), 1);
	ck_assert_uint_eq(act(&held, QUEUE_RELEASE, ""), 19);
	memory_wait_ended(20);
	ck_assert_uint_eq(peer_messages(peer), 20);
	house_over();
	peer_end(&peer);
}
END_TEST

/* ---- retried along another way -------------------------------------------------------------- */

START_TEST(what_is_retried_forgets_the_route_it_had)
{
	struct peer *old = peer_server(later, 1, 0), *other = peer_server(NULL, 0, 0);

	router_to(peer_port(old), 0);
	house_open("retry = [\"1h\"];", HOUSE_ROUTER);
	house_sends("s@x.org", "a@one.org");
	memory_wait_fate(0, 0, TMAIL_FATE_DEFERRED);
	router_to(peer_port(other), 0); /* while the old answer is kept, for a minute */
	ck_assert_uint_eq(act(&all, QUEUE_RETRY, ""), 1);
	peer_wait_messages(other, 1);
	memory_wait_ended(1);
	house_over();
	peer_end(&old);
	peer_end(&other);
}
END_TEST

START_TEST(what_is_retried_forgets_that_its_router_could_say_nothing)
{
	struct peer *peer = peer_server(NULL, 0, 0);

	router_to(peer_port(peer), 0);
	house_routes[0].status = TMAIL_TRY_LATER;
	house_still = clock_mono(); /* for as long as that is kept */
	house_open("retry = [\"1h\"];", HOUSE_ROUTER);
	house_sends("s@x.org", "a@one.org");
	memory_wait_fate(0, 0, TMAIL_FATE_DEFERRED);
	house_routes[0].status = TMAIL_OK;
	ck_assert_uint_eq(act(&all, QUEUE_RETRY, ""), 1);
	memory_wait_ended(1);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(what_waits_in_the_lane_of_an_old_route_goes_the_new_way)
{
	struct peer *old = crowded(), *other = peer_server(NULL, 0, 0);

	router_to(peer_port(other), 0);
	ck_assert_uint_eq(act(&all, QUEUE_RETRY, ""), 20);
	peer_wait_messages(other, 19);
	peer_let_go(old);
	memory_wait_ended(20);
	ck_assert_uint_eq(peer_messages(old), 1); /* the one that was being sent */
	ck_assert_uint_eq(peer_messages(other), 19);
	house_over();
	peer_end(&old);
	peer_end(&other);
}
END_TEST

static const char *const mute[] = { "wait", "next", "wait", "next", "wait", NULL };

START_TEST(what_waits_for_a_host_that_says_nothing_goes_the_new_way)
{
	struct peer *old = peer_script(mute), *other = peer_server(NULL, 0, 0);

	router_to(peer_port(old), 0);
	house_open("", HOUSE_ROUTER);
	house_sends("s@x.org", "a@one.org");
	peer_wait_connections(old, 1); /* it is connected, and waits for a greeting */
	router_to(peer_port(other), 0);
	ck_assert_uint_eq(act(&all, QUEUE_RETRY, ""), 1);
	peer_wait_messages(other, 1);
	memory_wait_ended(1);
	house_over();
	peer_end(&old);
	peer_end(&other);
}
END_TEST

START_TEST(what_was_at_one_host_and_waits_for_the_next_goes_the_new_way)
{
	struct peer *first = peer_server(later, 1, 0), *second = peer_script(mute);
	struct peer *other = peer_server(NULL, 0, 0);

	router_to(peer_port(first), peer_port(second));
	house_open("retry = [\"1h\"];", HOUSE_ROUTER);
	house_sends("s@x.org", "a@one.org");
	peer_wait_connections(second, 1);
	router_to(peer_port(other), 0);
	ck_assert_uint_eq(act(&all, QUEUE_RETRY, ""), 1);
	peer_wait_messages(other, 1);
	memory_wait_ended(1);
	house_over();
	peer_end(&first);
	peer_end(&second);
	peer_end(&other);
}
END_TEST

/* The router was asked before it knew better, and answers after. */
START_TEST(an_old_answer_that_comes_after_the_retry_is_not_kept)
{
	struct peer *old = peer_server(NULL, 0, 0), *other = peer_server(NULL, 0, 0);
	unsigned asked = house_routed;

	house_routers_wait = true;
	router_to(peer_port(old), 0);
	house_routes[0].pending = true;
	house_open("", HOUSE_ROUTER);
	house_sends("s@x.org", "a@one.org");
	while (house_routed == asked)
		sched_yield();
	ck_assert_uint_eq(act(&all, QUEUE_RETRY, ""), 1);
	router_to(peer_port(other), 0);
	house_routers_wait = false;
	peer_wait_messages(old, 1); /* what was asked then goes where it was told to */
	for (unsigned i = 0; i < 2 * HOUSE_LOOPS; i++) /* on each loop */
		house_sends("s@x.org", "b@one.org");
	memory_wait_ended(1 + 2 * HOUSE_LOOPS);
	ck_assert_uint_eq(peer_messages(old), 1);
	house_over();
	peer_end(&old);
	peer_end(&other);
}
END_TEST

START_TEST(what_is_discarded_while_a_router_is_asked_is_not_sent)
{
	struct peer *peer = peer_server(NULL, 0, 0);
	unsigned asked = house_routed;

	house_routers_wait = true;
	router_to(peer_port(peer), 0);
	house_routes[0].pending = true;
	house_open("", HOUSE_ROUTER);
	house_sends("s@x.org", "a@one.org");
	while (house_routed == asked)
		sched_yield();
	ck_assert_uint_eq(act(&all, QUEUE_DISCARD, ""), 1);
	house_routers_wait = false;
	memory_wait_ended(1);
	ck_assert_uint_eq(fate(0, 0), TMAIL_FATE_DISCARDED);
	ck_assert_uint_eq(peer_messages(peer), 0);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(what_is_held_is_not_tried_and_what_is_not_held_not_released)
{
	struct peer *peer = peer_server(later, 1, 0);

	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	house_sends("s@x.org", "a@one.org");
	memory_wait_fate(0, 0, TMAIL_FATE_DEFERRED);
	ck_assert_uint_eq(act(&all, QUEUE_RELEASE, ""), 0);
	ck_assert_uint_eq(act(&all, QUEUE_HOLD, ""), 1);
	ck_assert_uint_eq(act(&all, QUEUE_RETRY, ""), 0);
	ck_assert_uint_eq(act(&held, QUEUE_RETRY, ""), 0);
	ck_assert_uint_eq(act(&all, QUEUE_HOLD, "another reason"), 1);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(a_dry_run_only_counts)
{
	static const struct queue_order dry = { .action = QUEUE_DISCARD, .dry = true };
	struct peer *peer = crowded();
	uint64_t touched = 0;
	struct why why;

	ck_assert_int_eq(queue_act(house.generation, &all, &dry, &touched, &why), TMAIL_OK);
	ck_assert_uint_eq(touched, 20);
	peer_let_go(peer);
	memory_wait_ended(20);
	ck_assert_uint_eq(peer_messages(peer), 20);
	house_over();
	peer_end(&peer);
}
END_TEST

/* ---- many at once ------------------------------------------------------------------------- */

enum { MANY = 600, EACH = 8 }; /* more than are taken in hand at once */

struct crowd {
	unsigned calls;
	uint64_t done, of;
	void (*between)(void); /* what happens meanwhile */
};

static void crowd_progress(void *ctx, uint64_t done, uint64_t of)
{
	struct crowd *c = ctx;

	ck_assert_uint_gt(done, c->done);
	c->done = done;
	c->of = of;
	if (c->calls++ == 0 && c->between)
		c->between();
}

static int act_on_crowd(struct crowd *c, uint64_t *touched, struct why *why)
{
	const struct queue_order order = {
		.action = QUEUE_DISCARD, .progress = crowd_progress, .ctx = c
	};
	int status;

	house_open("deliver = false;", "");
	for (unsigned i = 0; i < MANY; i++)
		house_sends("s@x.org", "a@b.c b@b.c c@b.c d@b.c e@b.c f@b.c g@b.c h@b.c");
	status = queue_act(house.generation, &all, &order, touched, why);
	house_over();
	return status;
}

START_TEST(many_are_taken_in_hand_one_after_another)
{
	struct crowd c = { .calls = 0 };
	uint64_t touched = 0;
	struct why why;

	ck_assert_int_eq(act_on_crowd(&c, &touched, &why), TMAIL_OK);
	ck_assert_uint_eq(touched, MANY);
	ck_assert_uint_eq(c.done, MANY * EACH);
	ck_assert_uint_eq(c.of, MANY * EACH);
	ck_assert_uint_eq(c.calls, 2);
}
END_TEST

/* The last message comes to its end before its turn, and the store says so. */
static void last_ends(void)
{
	for (uint32_t i = 0; i < EACH; i++)
		memory_change(MANY - 1, i, TMAIL_FATE_DELIVERED, 0);
	memory_outcomes(MEMORY_IS_STRICT);
}

START_TEST(who_comes_to_his_end_meanwhile_is_passed_over_and_not_counted)
{
	struct crowd c = { .between = last_ends };
	uint64_t touched = 0;
	struct why why;

	ck_assert_int_eq(act_on_crowd(&c, &touched, &why), TMAIL_OK);
	ck_assert_uint_eq(touched, MANY - 1);
}
END_TEST

static void store_refuses(void)
{
	memory_outcomes(MEMORY_REFUSES);
}

START_TEST(a_store_that_refuses_is_trouble)
{
	struct crowd c = { .between = store_refuses };
	uint64_t touched = 0;
	struct why why;

	ck_assert_int_eq(act_on_crowd(&c, &touched, &why), TMAIL_TRY_LATER);
	ck_assert_uint_eq(touched, 0);
	ck_assert_ptr_nonnull(strstr(why.text, "the store did not take it"));
}
END_TEST

START_TEST(with_the_server_stopped_the_store_is_acted_on)
{
	const struct peer_rule rules[] = { { "RCPT TO:<a@", "450 busy", 0 },
		{ "RCPT TO:<b@", "450 busy", 0 } };
	struct peer *peer = peer_server(rules, 2, 0);
	struct queue_filter a = { .recipient = STR_INIT("a@one.org") };
	struct queue_filter b = { .recipient = STR_INIT("b@one.org") };

	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	house_sends("s@x.org", "a@one.org");
	house_sends("s@x.org", "b@one.org");
	memory_wait_fate(0, 0, TMAIL_FATE_DEFERRED);
	memory_wait_fate(1, 0, TMAIL_FATE_DEFERRED);
	house_close();

	house_admin();
	ck_assert_uint_eq(found(&all), 2);
	ck_assert_uint_eq(act(&a, QUEUE_BOUNCE, "closed"), 1);
	ck_assert_uint_eq(memory_adds(), 3);
	ck_assert_uint_eq(memory_ended(), 1);
	ck_assert_uint_eq(act(&b, QUEUE_HOLD, ""), 1);
	ck_assert_uint_eq(act(&held, QUEUE_DISCARD, ""), 1);
	ck_assert_uint_eq(memory_ended(), 2);
	house_end_generation();

	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	peer_wait_messages(peer, 1);
	ck_assert(str_equal(peer_message(peer, 0)->recipients, STR("s@x.org")));
	ck_assert_ptr_nonnull(strstr(peer_message(peer, 0)->content.data, "closed"));
	memory_wait_ended(3);
	house_over();
	peer_end(&peer);
}
END_TEST

/* ---- what the store does not know yet ------------------------------------------------------ */

/* Taken, and its sender not told: there is nothing left to bounce. */
START_TEST(what_was_taken_does_not_bounce)
{
	static const struct peer_rule plain[] = { { "EHLO", "250 peer", 0 } };
	struct peer *peer = peer_server(plain, 1, 0);
	struct message *m = house_message("s@x.org", "a@one.org", STR(HOUSE_CONTENT));

	router_to(peer_port(peer), 0);
	house_open("retry = [\"1h\"];", HOUSE_ROUTER);
	m->recipients[0].notify = TMAIL_NOTIFY_SUCCESS;
	peer_hold(peer);
	ck_assert_int_eq(house_hand_over(m).result, COMMIT_DURABLE);
	memory_set(MEMORY_REFUSES);
	peer_let_go(peer);
	memory_wait_refused(1);
	memory_wait_fate(0, 0, TMAIL_FATE_DEFERRED);
	memory_set(MEMORY_TAKES);
	ck_assert_uint_eq(act(&all, QUEUE_BOUNCE, ""), 0);
	ck_assert_uint_eq(fate(0, 0), TMAIL_FATE_DEFERRED);
	ck_assert_uint_eq(memory_adds(), 1);
	ck_assert_uint_eq(act(&all, QUEUE_DISCARD, ""), 1);
	memory_wait_ended(1);
	house_over();
	peer_end(&peer);
}
END_TEST

/* A claim that is still to be given back until later must not make it late again. */
START_TEST(a_retry_counts_more_than_a_release_that_was_not_made_yet)
{
	enum { SOME = 400, SLOW = 600 };
	struct peer *peer = peer_server(NULL, 0, 0);
	struct memory_message m;

	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	house_routes[0].pending = house_routers_wait = true;
	window_is(SOME);
	memory_releasing(MEMORY_FAILS);
	for (unsigned i = 0; i < SLOW; i++)
		house_sends("s@x.org", "z@slow.org");
	memory_wait_refused(1);
	memory_releasing(MEMORY_TAKES);
	window_is_whole(SOME);
	ck_assert_uint_eq(act(&all, QUEUE_RETRY, ""), SLOW);
	for (unsigned i = 0; i < SLOW; i++) {
		ck_assert(memory_message(i, &m));
		free(m.content);
		ck_assert_int_le(m.recipient[0].due, clock_wall());
	}
	ck_assert_uint_gt(memory_releases(), 0);
	house_routers_wait = false;
	memory_wait_ended(SLOW);
	ck_assert_uint_eq(peer_messages(peer), SLOW);
	house_over();
	peer_end(&peer);
}
END_TEST

TEST_MAIN("queue/manage", what_is_in_the_queue_is_found_and_counted,
	what_is_held_stays_until_it_is_released, what_is_retried_goes_at_once_and_wakes_its_host,
	what_is_discarded_in_the_store_is_gone, what_is_bounced_in_the_store_is_returned,
	what_cannot_be_read_now_is_not_bounced_behind_the_senders_back,
	what_waits_in_a_lane_is_discarded_at_once, what_waits_in_a_lane_is_bounced_at_once,
	what_waits_in_a_lane_is_held_and_released, what_is_retried_forgets_the_route_it_had,
	what_is_retried_forgets_that_its_router_could_say_nothing,
	what_waits_in_the_lane_of_an_old_route_goes_the_new_way,
	what_waits_for_a_host_that_says_nothing_goes_the_new_way,
	what_was_at_one_host_and_waits_for_the_next_goes_the_new_way,
	an_old_answer_that_comes_after_the_retry_is_not_kept,
	what_is_discarded_while_a_router_is_asked_is_not_sent,
	what_is_held_is_not_tried_and_what_is_not_held_not_released, a_dry_run_only_counts,
	many_are_taken_in_hand_one_after_another,
	who_comes_to_his_end_meanwhile_is_passed_over_and_not_counted,
	a_store_that_refuses_is_trouble, with_the_server_stopped_the_store_is_acted_on,
	what_was_taken_does_not_bounce, a_retry_counts_more_than_a_release_that_was_not_made_yet)
