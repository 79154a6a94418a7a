/* SPDX-License-Identifier: MIT
 *
 * Where mail would go, asked before the fact.
 */
#include "tests/queue/house.h"

#include "host/record.h"
#include "queue/way.h"

static struct peer *peer;
static struct way way;
static struct way_asked asked;
static char hosts[1024]; /* "priority port addresses left_out|" of each */

static void open_at(const char *modules, unsigned port2)
{
	peer = peer_server(NULL, 0, 0);
	router_to(peer_port(peer), port2);
	house_open("retry = [\"1h\"];", modules);
}

static void close_all(void)
{
	way_free(&way);
	house_over();
	peer_end(&peer);
	queue_listens(NULL, 0);
	asked = (struct way_asked){ .modules = false };
}

static void find(const char *recipient)
{
	struct why why;
	size_t len = 0;

	way_free(&way);
	asked.sender = STR("s@x.org");
	asked.recipient = str_c(recipient);
	ck_assert_msg(way_find(house.generation, &asked, &way, &why), "%s", why.text);
	hosts[0] = '\0';
	for (size_t i = 0; i < way.count; i++)
		len += (size_t)snprintf(hosts + len, sizeof hosts - len, "%u %u %.*s %.*s|",
			way.hosts[i].hop->priority, way.hosts[i].hop->port,
			STR_ARG(way.hosts[i].addresses), STR_ARG(way.hosts[i].left_out));
}

static void heard(const char *format, unsigned a, unsigned b)
{
	char text[1024];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(text, sizeof text, format, a, b);
#pragma GCC diagnostic pop
	ck_assert_str_eq(hosts, text);
}

START_TEST(hosts_are_told_in_their_order_with_their_addresses)
{
	open_at(HOUSE_ROUTER, 2525);
	find("a@one.org");
	heard("10 %u 127.0.0.1 |20 %u 127.0.0.1 |", peer_port(peer), 2525);
	ck_assert(str_equal(way.route->router, STR("test/router")));
	find("b@two.org");
	heard("10 %u 127.0.0.1 |20 %u 127.0.0.1 |", peer_port(peer), 2525);
	ck_assert_uint_eq(peer_connections(peer), 0);
	close_all();
}
END_TEST

START_TEST(what_leads_back_here_is_told_too)
{
	struct endpoint own = { .ip = { .family = 4, .bytes = { 127, 0, 0, 1 } } };

	open_at(HOUSE_ROUTER, 2525);
	own.port = 2525;
	queue_listens(&own, 1);
	find("a@one.org");
	heard("10 %u 127.0.0.1 |20 %u  this server is as good, or it is this server itself|",
		peer_port(peer), 2525);
	ck_assert(way.hosts[1].forever && !way.hosts[0].forever);
	close_all();
}
END_TEST

START_TEST(what_leads_to_whatever_machine_asks_is_left_out_alone)
{
	struct endpoint any;

	open_at(HOUSE_ROUTER, 0);
	ck_assert(endpoint_parse(STR("*:25"), 25, &any));
	queue_listens(&any, 1);
	house_routes[0] = (struct house_route){
		.domain = "", .host = "mx.localhost", .host2 = "127.0.0.1", .port2 = peer_port(peer)
	};
	find("a@one.org");
	ck_assert_uint_eq(way.count, 2);
	ck_assert_uint_gt(way.hosts[0].left_out.len, 0);
	ck_assert_uint_eq(way.hosts[1].left_out.len, 0);
	close_all();
}
END_TEST

START_TEST(a_refusal_and_a_later_are_told_with_their_words)
{
	open_at(HOUSE_ROUTER, 0);
	house_routes[0] = (struct house_route){
		.domain = "null.org", .status = TMAIL_REFUSED, .code = 556, .why = "null MX"
	};
	find("a@null.org");
	ck_assert_uint_eq(way.count, 0);
	ck_assert_int_eq(way.route->status, TMAIL_REFUSED);
	ck_assert_uint_eq(way.route->code, 556);
	ck_assert(str_equal(way.route->why, STR("null MX")));
	find("a@nobody.knows");
	ck_assert_int_eq(way.route->status, TMAIL_TRY_LATER);
	ck_assert_uint_eq(way.route->router.len, 0);
	close_all();
}
END_TEST

START_TEST(a_host_that_failed_is_told_to_rest)
{
	unsigned dead = house_dead_port();

	open_at(HOUSE_ROUTER, 0);
	router_to(dead, peer_port(peer));
	house_sends("s@x.org", "a@one.org");
	memory_wait_ended(1);
	find("a@one.org");
	ck_assert_uint_eq(way.count, 2);
	ck_assert_msg(strstr(hosts, "it rests: "), "%s", hosts);
	ck_assert_uint_eq(way.hosts[1].left_out.len, 0);
	ck_assert(!way.hosts[0].forever);
	close_all();
}
END_TEST

START_TEST(a_router_that_waits_is_waited_for)
{
	open_at(HOUSE_ROUTER, 0);
	house_routes[0].pending = true;
	find("a@one.org");
	heard("10 %u 127.0.0.1 |", peer_port(peer), 0);
	close_all();
}
END_TEST

START_TEST(a_local_address_that_cannot_be_is_told)
{
	open_at(HOUSE_ROUTER, 0);
	house_routes[0].source = "127.0.0.1&nowhere";
	find("a@one.org");
	ck_assert_msg(strstr(hosts, "nowhere"), "%s", hosts);
	ck_assert(str_equal(way.hosts[0].sources, STR("127.0.0.1&nowhere")));
	close_all();
}
END_TEST

/* ---- limits -------------------------------------------------------------------------------- */

START_TEST(limits_are_those_in_force_wherever_they_come_from)
{
	peer = peer_server(NULL, 0, 0);
	router_to(peer_port(peer), 0);
	house_routes[0].connections = 3;
	house_open("max_messages_connection = 77; destinations = ( { domain = \".com\"; "
		   "connections = 9; rate = \"0.5/s\"; } );",
		HOUSE_ROUTER);
	find("a@example.com");
	ck_assert_uint_eq(way.limits.connections, 3);
	ck_assert_uint_eq(way.limits.messages, 77);
	ck_assert_uint_eq(way.limits.rate_count, 1);
	ck_assert_uint_eq(way.limits.rate_ms, 2000);
	find("a@example.org");
	ck_assert_uint_eq(way.limits.rate_count, 0);
	house_routes[0].status = TMAIL_REFUSED;
	find("a@refused.org");
	ck_assert_uint_eq(way.limits.connections, 0);
	close_all();
}
END_TEST

/* ---- modules before an attempt ------------------------------------------------------------- */

static char next_hop[64];
static unsigned dry_asked;

static enum tmail_verdict dry_hook(struct tmail_call *call, const union tmail_event *event)
{
	const struct tmail_recipient *r = event->predeliver.recipient;

	ck_assert(call->dry);
	ck_assert_uint_eq(event->predeliver.attempts, 0);
	ck_assert(str_equal(str_tm(call->envelope->sender), STR("s@x.org")));
	ck_assert(str_equal(str_tm(call->envelope->login), STR("joe")));
	ck_assert(str_equal(str_tm(call->client->address), STR("192.0.2.9")));
	ck_assert(str_equal(str_tm(call->client->helo), STR("pc")));
	ck_assert_uint_eq(call->client->flags, TMAIL_CLIENT_RELAY);
	ck_assert_int_eq(call->host->note_set(call, (struct tmail_str)TMAIL_STR("test.note"),
				 (struct tmail_str)TMAIL_STR("x")),
		TMAIL_REFUSED);
	dry_asked++;
	switch (r->address.data[0]) {
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
	case 's':
		call->answer->source = (struct tmail_str)TMAIL_STR("127.0.0.2");
		call->answer->sender = (struct tmail_str)TMAIL_STR("");
		return TMAIL_CONTINUE;
	case 'w':
		must(call->host->resume(call, TMAIL_CONTINUE) == TMAIL_OK);
		return TMAIL_WAIT;
	default:
		return TMAIL_CONTINUE;
	}
}
static const struct tmail_hook dry_hooks[] = { { TMAIL_POINT_PREDELIVER, TMAIL_DRY | TMAIL_WAITS,
	dry_hook } };
static const struct tmail_module dry_module =
	HOUSE_MODULE("test/dry", .hooks = TMAIL_LIST(dry_hooks));

static enum tmail_verdict never(struct tmail_call *call, const union tmail_event *event)
{
	(void)call;
	(void)event;
	ck_abort_msg("a hook that does not honour dry questions was asked");
}

static void open_hooked(void)
{
	module_preload(&dry_module);
	house_hook = never;
	dry_asked = 0;
	open_at(HOUSE_HOOKS "{ module = \"test/dry\"; }," HOUSE_ROUTER, 0);
	asked = (struct way_asked){ .login = STR("joe"),
		.modules = true,
		.address = STR("192.0.2.9"),
		.helo = STR("pc"),
		.relay = true };
}

static void said(const char *by, int verdict, const char *text)
{
	ck_assert_uint_eq(way.said_count, 2);
	ck_assert_str_eq(way.said[0].by, "test/hooks");
	ck_assert_int_eq(way.said[0].verdict, RECORD_NOT_ASKED);
	ck_assert_str_eq(way.said[1].by, by);
	ck_assert_int_eq(way.said[1].verdict, verdict);
	ck_assert_int_eq(way.said[1].point, TMAIL_POINT_PREDELIVER);
	ck_assert_msg(str_equal(way.said[1].text, str_c(text)), "%.*s", STR_ARG(way.said[1].text));
}

START_TEST(modules_are_asked_what_they_would_do)
{
	open_hooked();
	find("a@one.org");
	said("test/dry", TMAIL_CONTINUE, "");
	ck_assert_int_eq(way.route->status, TMAIL_OK);
	ck_assert_uint_eq(dry_asked, 1);
	find("w@one.org");
	said("test/dry", TMAIL_CONTINUE, "");
	ck_assert_uint_eq(way.count, 1);
	find("r@one.org");
	said("test/dry", TMAIL_REJECT, "550 not this one");
	ck_assert_int_eq(way.route->status, TMAIL_REFUSED);
	ck_assert_uint_eq(way.route->code, 550);
	ck_assert_str_eq(way.route->enhanced, "5.7.1");
	ck_assert(str_equal(way.route->router, STR("test/dry")));
	find("t@one.org");
	ck_assert_int_eq(way.route->status, TMAIL_TRY_LATER);
	ck_assert(str_equal(way.route->why, STR("not now")));
	find("h@one.org");
	said("test/dry", TMAIL_HOLD, "wait for me");
	ck_assert_int_eq(way.route->status, TMAIL_TRY_LATER);
	ck_assert(str_equal(way.route->why, STR("held: wait for me")));
	close_all();
	ck_assert_uint_eq(memory_adds(), 0);
}
END_TEST

START_TEST(what_modules_make_of_the_way_is_shown)
{
	open_hooked();
	snprintf(next_hop, sizeof next_hop, "[127.0.0.3]:2525");
	find("n@one.org");
	ck_assert_str_eq(hosts, "0 2525 127.0.0.3 |");
	ck_assert_uint_gt(way.limits.connections, 0);
	find("s@one.org");
	ck_assert(str_equal(way.hosts[0].sources, STR("127.0.0.2")));
	ck_assert(str_equal(way.mail_from, STR("<>")));
	asked.modules = false;
	find("r@one.org");
	ck_assert_int_eq(way.route->status, TMAIL_OK);
	ck_assert_uint_eq(way.said_count, 0);
	close_all();
}
END_TEST

TEST_MAIN("queue/way", hosts_are_told_in_their_order_with_their_addresses,
	what_leads_back_here_is_told_too, what_leads_to_whatever_machine_asks_is_left_out_alone,
	a_refusal_and_a_later_are_told_with_their_words, a_host_that_failed_is_told_to_rest,
	a_router_that_waits_is_waited_for, a_local_address_that_cannot_be_is_told,
	limits_are_those_in_force_wherever_they_come_from, modules_are_asked_what_they_would_do,
	what_modules_make_of_the_way_is_shown)
