/* SPDX-License-Identifier: MIT
 *
 * Where mail goes: routers asked and kept, PREDELIVER, and what modules are told.
 */
#include "tests/queue/house.h"

#include "host/table.h"
#include "queue/route.h"

#include <poll.h>

static struct peer *peer;

/* A router that knows nobody: how long others' answers may be kept is its word too. */
static uint32_t decline_ttl, decline_any;
static int decline(struct tmail_call *call, const void *question, void *answer)
{
	struct tmail_route_answer *out = answer;

	(void)call;
	(void)question;
	out->ttl = decline_ttl;
	out->any_sender = decline_any;
	return TMAIL_NOT_FOUND;
}
static const struct tmail_operation decline_operations[] = { { TMAIL_ROUTER_ROUTE, 0, decline } };
static const struct tmail_service decline_services[] = { { TMAIL_ROUTER, NULL,
	TMAIL_LIST(decline_operations) } };
static const struct tmail_module decliner =
	HOUSE_MODULE("test/decliner", .services = TMAIL_LIST(decline_services));
#define DECLINER "{ module = \"test/decliner\"; },"

static void open_at(const char *modules)
{
	peer = peer_server(NULL, 0, 0);
	router_to(peer_port(peer), 0);
	house_routed = 0;
	house_open("retry = [\"1h\"];", modules);
}

static void close_all(void)
{
	house_over();
	peer_end(&peer);
}

static void reply_of(unsigned i, const char *part)
{
	struct memory_message m;

	ck_assert(memory_message(i, &m));
	ck_assert_msg(strstr(m.recipient[0].reply, part) != NULL, "%s", m.recipient[0].reply);
	free(m.content);
}

START_TEST(an_answer_for_any_sender_is_kept_for_its_domain)
{
	open_at(HOUSE_ROUTER);
	for (unsigned i = 1; i <= 10; i++) {
		house_sends(i % 2 ? "s@x.org" : "t@y.org", "a@one.org b@one.org");
		memory_wait_ended(i);
	}
	ck_assert_uint_le(house_routed, HOUSE_LOOPS); /* each loop keeps its own */
	close_all();
}
END_TEST

START_TEST(an_answer_for_one_sender_is_kept_for_that_sender)
{
	open_at(HOUSE_ROUTER);
	house_routes[0].any_sender = false;
	for (unsigned i = 1; i <= 10; i++) {
		house_sends(i % 2 ? "s@x.org" : "t@y.org", "a@one.org");
		memory_wait_ended(i);
	}
	ck_assert_uint_ge(house_routed, 2);
	ck_assert_uint_le(house_routed, 2 * HOUSE_LOOPS);
	close_all();
}
END_TEST

START_TEST(an_answer_is_kept_as_those_before_it_allow)
{
	module_preload(&decliner);
	decline_ttl = 0;
	decline_any = 1;
	open_at(DECLINER HOUSE_ROUTER);
	house_routes[0].any_sender = true;
	for (unsigned i = 1; i <= 5; i++) {
		house_sends("s@x.org", "a@one.org");
		memory_wait_ended(i);
	}
	ck_assert_uint_eq(house_routed, 5);
	close_all();
	decline_ttl = 60;
	decline_any = 0;
	open_at(DECLINER HOUSE_ROUTER);
	house_routes[0].any_sender = true;
	for (unsigned i = 1; i <= 12; i++) {
		char sender[] = "s0@x.org";

		sender[1] = (char)('0' + i % 6);
		house_sends(sender, "a@one.org");
		memory_wait_ended(i);
	}
	ck_assert_uint_ge(house_routed, 6); /* for each sender */
	close_all();
}
END_TEST

START_TEST(what_a_router_takes_back_is_forgotten_at_once)
{
	unsigned asked;

	open_at(HOUSE_ROUTER);
	for (unsigned i = 1; i <= 10; i++) {
		house_sends("s@x.org", "a@one.org");
		memory_wait_ended(i);
	}
	asked = house_routed;
	table_move(table_of("another"));
	house_sends("s@x.org", "a@one.org");
	memory_wait_ended(11);
	ck_assert_uint_le(house_routed, HOUSE_LOOPS);
	for (unsigned i = 12; i <= 15; i++) {
		table_move(table_of(TMAIL_ROUTER));
		house_sends("s@x.org", "a@one.org");
		memory_wait_ended(i);
	}
	ck_assert_uint_ge(house_routed, asked + 4);
	close_all();
}
END_TEST

START_TEST(an_answer_that_may_not_be_kept_is_asked_for_again)
{
	open_at(HOUSE_ROUTER);
	house_routes[0].ttl = 0;
	for (unsigned i = 1; i <= 5; i++) {
		house_sends("s@x.org", "a@one.org");
		memory_wait_ended(i);
	}
	ck_assert_uint_eq(house_routed, 5);
	close_all();
}
END_TEST

START_TEST(a_router_may_take_its_time)
{
	open_at(HOUSE_ROUTER);
	house_routes[0].ttl = 0;
	house_routes[0].pending = true;
	house_sends("s@x.org", "a@one.org b@two.org c@one.org");
	memory_wait_ended(1);
	ck_assert_uint_ge(peer_messages(peer), 2);
	close_all();
}
END_TEST

START_TEST(a_refusal_bounces_and_a_later_defers)
{
	open_at(HOUSE_ROUTER);
	house_routes[0] = (struct house_route){
		.domain = "null.org", .status = TMAIL_REFUSED, .code = 556, .why = "null MX"
	};
	house_routes[1] = (struct house_route){
		.domain = "later.org", .status = TMAIL_TRY_LATER, .why = "no DNS today"
	};
	house_sends("", "a@null.org");
	memory_wait_fate(0, 0, TMAIL_FATE_BOUNCED);
	reply_of(0, "556 5.4.4 null MX");
	house_sends("s@x.org", "a@later.org");
	memory_wait_fate(1, 0, TMAIL_FATE_DEFERRED);
	reply_of(1, "no DNS today");
	house_sends("s@x.org", "a@nobody.knows");
	memory_wait_fate(2, 0, TMAIL_FATE_DEFERRED);
	reply_of(2, "no router knows");
	close_all();
}
END_TEST

static void defers(unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		house_sends("", "a@later.org");
		memory_wait_fate(i, 0, TMAIL_FATE_DEFERRED);
	}
}

START_TEST(what_cannot_be_said_now_is_not_asked_again_at_once)
{
	open_at(HOUSE_ROUTER);
	house_routes[0] = (struct house_route){ .domain = "", .status = TMAIL_TRY_LATER };
	house_still = clock_mono();
	defers(0, 10);
	house_ahead += 999999;
	defers(10, 20);
	ck_assert_uint_le(house_routed, HOUSE_LOOPS);
	house_ahead += 1;
	defers(20, 21);
	ck_assert_uint_gt(house_routed, 1);
	ck_assert_uint_le(house_routed, HOUSE_LOOPS + 1);
	close_all();
}
END_TEST

START_TEST(the_longer_that_took_to_find_out_the_longer_it_is_kept)
{
	unsigned asked;

	open_at(HOUSE_ROUTER);
	house_routes[0] =
		(struct house_route){ .domain = "", .status = TMAIL_TRY_LATER, .pending = true };
	house_still = clock_mono();
	house_routers_wait = true;
	for (unsigned i = 0; i < 20; i++) /* both loops ask */
		house_sends("", "a@later.org");
	while (house_routed < 20)
		poll(NULL, 0, 1);
	house_ahead += 20 * 1000000LL;
	house_routers_wait = false;
	for (unsigned i = 0; i < 20; i++)
		memory_wait_fate(i, 0, TMAIL_FATE_DEFERRED);
	asked = house_routed;
	house_ahead += 19999999;
	defers(20, 30);
	ck_assert_uint_eq(house_routed, asked);
	house_ahead += 1;
	defers(30, 31);
	ck_assert_uint_eq(house_routed, asked + 1);
	close_all();
}
END_TEST

START_TEST(a_router_that_has_changed_is_asked_again_at_once)
{
	open_at(HOUSE_ROUTER);
	house_routes[0].status = TMAIL_TRY_LATER;
	house_still = clock_mono();
	defers(0, 10);
	house_routes[0].status = TMAIL_OK;
	defers(10, 12);
	table_move(table_of(TMAIL_ROUTER));
	house_sends("s@x.org", "a@later.org");
	memory_wait_ended(1);
	close_all();
}
END_TEST

START_TEST(without_routers_mail_waits_and_says_why)
{
	open_at("");
	house_sends("s@x.org", "a@one.org");
	memory_wait_fate(0, 0, TMAIL_FATE_DEFERRED);
	reply_of(0, "no router module is configured");
	close_all();
}
END_TEST

START_TEST(destinations_that_are_named_alike_share_their_connections)
{
	open_at(HOUSE_ROUTER);
	house_routes[0].destination = "smarthost";
	house.settings.max_connections_destination = 1;
	house.settings.idle_timeout = 3600 * 1000;
	for (unsigned i = 1; i <= 10; i++) {
		house_sends("s@x.org", i % 2 ? "a@one.org" : "b@two.org");
		memory_wait_ended(i);
	}
	ck_assert_uint_eq(peer_connections(peer), 1);
	close_all();
}
END_TEST

/* ---- order ------------------------------------------------------------------------------- */

START_TEST(the_lowest_priority_is_first_and_weights_draw_among_equals)
{
	struct hop hops[] = { { .priority = 20, .weight = 1 }, { .priority = 10, .weight = 3 },
		{ .priority = 30, .weight = 1 }, { .priority = 10, .weight = 1 } };
	struct route r = { .hops = hops, .count = 4 };
	unsigned first[4] = { 0 };
	uint8_t order[ROUTE_HOPS_MAX];

	for (unsigned i = 0; i < 4000; i++) {
		ck_assert_uint_eq(route_order(&r, order), 4);
		ck_assert_uint_eq(order[0] + order[1], 1 + 3);
		ck_assert_uint_eq(order[2], 0);
		ck_assert_uint_eq(order[3], 2);
		first[order[0]]++;
	}
	/* 3000 are expected, give or take 28 and more for luck. */
	ck_assert_uint_ge(first[1], 2700);
	ck_assert_uint_le(first[1], 3300);
}
END_TEST

/* ---- this server among the hosts ----------------------------------------------------------- */

static void listen_at(unsigned port)
{
	struct endpoint e = { .ip = { .family = 4, .bytes = { 127, 0, 0, 1 } },
		.port = (uint16_t)port };

	queue_listens(&e, port ? 1 : 0);
}

START_TEST(hosts_that_are_no_better_than_this_server_are_left_out)
{
	struct peer *worse = peer_server(NULL, 0, 0);

	open_at(HOUSE_ROUTER);
	listen_at(peer_port(peer)); /* the preferred one is this server itself */
	router_to(peer_port(peer), peer_port(worse));
	house_sends("", "a@one.org");
	memory_wait_fate(0, 0, TMAIL_FATE_BOUNCED);
	reply_of(0, "554 5.4.6 mail for one.org loops back");
	ck_assert_uint_eq(peer_connections(worse), 0);
	close_all();
	peer_end(&worse);
	listen_at(0);
}
END_TEST

START_TEST(better_hosts_than_this_server_are_tried_and_no_others)
{
	struct peer *better = peer_server(NULL, 0, 0);

	open_at(HOUSE_ROUTER);
	listen_at(peer_port(peer));
	router_to(peer_port(better), peer_port(peer));
	house_sends("", "a@one.org");
	memory_wait_ended(1);
	ck_assert_uint_eq(peer_messages(better), 1);
	ck_assert_uint_eq(peer_connections(peer), 0);
	close_all();
	peer_end(&better);
	listen_at(0);
}
END_TEST

START_TEST(an_address_that_means_whatever_machine_asks_is_not_this_server)
{
	struct endpoint any;

	open_at(HOUSE_ROUTER);
	ck_assert(endpoint_parse(STR("*:25"), 25, &any));
	queue_listens(&any, 1);
	house_routes[0] = (struct house_route){
		.domain = "", .host = "mx.localhost", .host2 = "127.0.0.1", .port2 = peer_port(peer)
	};
	house_sends("", "a@one.org");
	memory_wait_ended(1);
	ck_assert_uint_eq(peer_messages(peer), 1);
	house_routes[0].port2 = 0;
	house_sends("", "a@two.org");
	memory_wait_fate(1, 0, TMAIL_FATE_BOUNCED);
	reply_of(1, "loops back");
	close_all();
	listen_at(0);
}
END_TEST

START_TEST(a_host_of_this_servers_name_is_this_server)
{
	open_at(HOUSE_ROUTER);
	listen_at(peer_port(peer));
	house_routes[0].host = "ME.Example"; /* nothing is looked up */
	house_sends("", "a@one.org");
	memory_wait_fate(0, 0, TMAIL_FATE_BOUNCED);
	reply_of(0, "554 5.4.6 mail for one.org loops back");
	close_all();
	listen_at(0);
}
END_TEST

/* ---- PREDELIVER, and the notices ---------------------------------------------------------- */

static char next_hop[64];
static atomic_uint told[TMAIL_POINTS];
static char last_reply[256];

static enum tmail_verdict hook(struct tmail_call *call, const union tmail_event *event)
{
	char who;

	told[call->point]++;
	if (call->point == TMAIL_POINT_DELIVERED || call->point == TMAIL_POINT_BOUNCED ||
		call->point == TMAIL_POINT_DEFERRED)
		snprintf(last_reply, sizeof last_reply, "%.*s", (int)event->outcome.reply.len,
			event->outcome.reply.data);
	if (call->point != TMAIL_POINT_PREDELIVER)
		return TMAIL_CONTINUE;
	who = event->predeliver.recipient->address.data[0];
	switch (who) {
	case 'r':
		call->host->reply(call, 550, "5.7.1", "not this one");
		return TMAIL_REJECT;
	case 't':
		call->host->reply(call, 451, "4.7.1", "not now");
		return TMAIL_TEMPFAIL;
	case 'h':
		call->answer->hold = (struct tmail_str)TMAIL_STR("wait for me");
		return TMAIL_HOLD;
	case 'n':
		call->answer->next_hop = (struct tmail_str){ next_hop, strlen(next_hop) };
		return TMAIL_CONTINUE;
	default:
		return TMAIL_CONTINUE;
	}
}

static void open_hooked(void)
{
	memset(told, 0, sizeof told);
	house_hook = hook;
	open_at(HOUSE_ROUTER HOUSE_HOOKS);
}

START_TEST(modules_decide_before_an_attempt)
{
	struct memory_message m;

	open_hooked();
	house_sends("", "r@one.org t@one.org ok@one.org");
	memory_wait_fate(0, 2, TMAIL_FATE_DELIVERED);
	memory_wait_fate(0, 0, TMAIL_FATE_BOUNCED);
	memory_wait_fate(0, 1, TMAIL_FATE_DEFERRED);
	ck_assert(memory_message(0, &m));
	ck_assert_str_eq(m.recipient[0].reply, "550 5.7.1 not this one");
	ck_assert_str_eq(m.recipient[1].reply, "451 4.7.1 not now");
	ck_assert(!m.ended);
	free(m.content);
	ck_assert(str_equal(peer_message(peer, 0)->recipients, STR("ok@one.org")));
	close_all();
}
END_TEST

START_TEST(a_module_may_hold_a_message)
{
	struct memory_message m;

	open_hooked();
	house_sends("s@x.org", "h@one.org");
	do {
		ck_assert(memory_message(0, &m));
		free(m.content);
	} while (!m.held || m.recipient[0].claimed);
	ck_assert_str_eq(m.hold, "wait for me");
	ck_assert_uint_eq(peer_messages(peer), 0);
	close_all();
}
END_TEST

START_TEST(a_module_may_name_the_next_hop)
{
	struct peer *other = peer_server(NULL, 0, 0);

	snprintf(next_hop, sizeof next_hop, "[127.0.0.1]:%u", peer_port(other));
	open_hooked();
	house_sends("s@x.org", "n@one.org");
	memory_wait_ended(1);
	ck_assert_uint_eq(peer_messages(other), 1);
	snprintf(next_hop, sizeof next_hop, "[127.0.0.1");
	house_sends("s@x.org", "n@one.org");
	memory_wait_fate(1, 0, TMAIL_FATE_DEFERRED);
	close_all();
	peer_end(&other);
}
END_TEST

START_TEST(modules_are_told_what_became_of_it)
{
	open_hooked();
	house_sends("", "ok@one.org");
	memory_wait_ended(1);
	ck_assert_uint_eq(told[TMAIL_POINT_DELIVERED], 1);
	ck_assert_str_eq(last_reply, "250 2.0.0 taken");
	house_sends("", "r@one.org");
	memory_wait_ended(2);
	ck_assert_uint_eq(told[TMAIL_POINT_BOUNCED], 1);
	house_sends("", "t@one.org");
	memory_wait_fate(2, 0, TMAIL_FATE_DEFERRED);
	ck_assert_uint_eq(told[TMAIL_POINT_DEFERRED], 1);
	ck_assert_str_eq(last_reply, "451 4.7.1 not now");
	close_all();
}
END_TEST

TEST_MAIN("queue/route", an_answer_for_any_sender_is_kept_for_its_domain,
	an_answer_for_one_sender_is_kept_for_that_sender,
	an_answer_is_kept_as_those_before_it_allow, what_a_router_takes_back_is_forgotten_at_once,
	an_answer_that_may_not_be_kept_is_asked_for_again, a_router_may_take_its_time,
	a_refusal_bounces_and_a_later_defers, what_cannot_be_said_now_is_not_asked_again_at_once,
	the_longer_that_took_to_find_out_the_longer_it_is_kept,
	a_router_that_has_changed_is_asked_again_at_once, without_routers_mail_waits_and_says_why,
	destinations_that_are_named_alike_share_their_connections,
	the_lowest_priority_is_first_and_weights_draw_among_equals,
	hosts_that_are_no_better_than_this_server_are_left_out,
	better_hosts_than_this_server_are_tried_and_no_others,
	an_address_that_means_whatever_machine_asks_is_not_this_server,
	a_host_of_this_servers_name_is_this_server, modules_decide_before_an_attempt,
	a_module_may_hold_a_message, a_module_may_name_the_next_hop,
	modules_are_told_what_became_of_it)
