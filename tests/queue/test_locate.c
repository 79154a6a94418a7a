/* SPDX-License-Identifier: MIT
 *
 * Hosts looked up all at once, and which of them are this server.
 */
#include "tests/queue/house.h"

#include "queue/locate.h"

static struct hop hop_at(const char *host, unsigned port, uint32_t source_id)
{
	return (struct hop){ .host = str_c(host), .port = (uint16_t)port, .source_id = source_id };
}

static struct endpoint at(const char *text)
{
	struct endpoint e;

	ck_assert(endpoint_parse(str_c(text), 25, &e));
	return e;
}

static bool leads_here(const char *host, unsigned port, uint32_t source_id, const char *address)
{
	const struct hop hop = hop_at(host, port, source_id);
	const struct endpoint e = at(address);

	return hop_leads_here(&hop, &e);
}

START_TEST(a_name_of_dns_does_not_lead_to_this_machine)
{
	const struct endpoint own = at("192.0.2.1:25");

	queue_listens(&own, 1);
	ck_assert(leads_here("mx.test", 25, 0, "192.0.2.1:25"));
	ck_assert(leads_here("192.0.2.1", 25, 7, "192.0.2.1:25"));
	ck_assert(!leads_here("mx.test", 25, 0, "192.0.2.2:25"));
	ck_assert(leads_here("mx.test", 25, 0, "127.0.0.9:25"));
	ck_assert(leads_here("mx.test", 25, 0, "[::1]:25"));
	ck_assert(leads_here("mx.test", 25, 0, "0.0.0.0:25"));
	ck_assert(!leads_here("mx.test", 25, 7, "127.0.0.9:25"));     /* an administrator's route */
	ck_assert(!leads_here("127.0.0.9", 25, 0, "127.0.0.9:25"));   /* no name */
	ck_assert(!leads_here("mx.test", 2525, 0, "127.0.0.9:2525")); /* not mail from DNS */
	queue_listens(NULL, 0);
}
END_TEST

START_TEST(a_host_of_our_name_is_ours_where_we_listen_at_its_port)
{
	const struct endpoint own = at("192.0.2.1:25");
	struct hop hop = hop_at("Me.Example", 25, 0);

	ck_assert(!hop_is_own(&hop, STR("me.example")));
	queue_listens(&own, 1);
	ck_assert(hop_is_own(&hop, STR("me.example")));
	ck_assert(!hop_is_own(&hop, STR("you.example")));
	ck_assert(!hop_is_own(&hop, STR("")));
	hop.port = 24;
	ck_assert(!hop_is_own(&hop, STR("me.example")));
	hop.port = 25;
	hop.protocol = TMAIL_PROTOCOL_LMTP;
	ck_assert(!hop_is_own(&hop, STR("me.example")));
	queue_listens(NULL, 0);
}
END_TEST

/* ---- on a loop ----------------------------------------------------------------------------- */

static struct subject subject;
static struct route *route;
static struct location found[8];
static sem_t done;

static void located(void *ctx, struct route *r, const struct location *locations)
{
	(void)ctx;
	for (size_t i = 0; i < r->count; i++)
		found[i] = locations[i];
	subject_end(&subject);
	sem_post(&done);
}

static void begin(void *hops)
{
	subject_init(&subject, house.loops[0], house.generation);
	route = route_direct(STR("[192.0.2.1]:2525"), STR(""), STR("a"));
	route->hops = hops;
	route->count = 4;
	hops_locate(&subject, route, STR("me.example"), located, NULL);
	route_unref(&route);
}

static void begin_and_cancel(void *hops)
{
	begin(hops);
	subject_end(&subject);
}

static struct hop hops[4];

static void open_hops(void)
{
	const struct endpoint own = at("192.0.2.9:25");

	hops[0] = hop_at("192.0.2.1", 25, 0);
	hops[1] = hop_at("192.0.2.9", 25, 0);
	hops[2] = hop_at("/run/lmtp", 25, 0);
	hops[3] = hop_at("unknown.test", 25, 0); /* there is no resolver */
	house_open("", HOUSE_ROUTER);
	queue_listens(&own, 1);
}

START_TEST(all_are_told_when_the_last_is_known)
{
	open_hops();
	sem_init(&done, 0, 0);
	house_on(0, begin, hops);
	while (sem_wait(&done) != 0)
		;
	ck_assert(found[0].status == DNS_OK && found[0].count == 1 && found[0].others == 1);
	ck_assert(!found[0].own);
	ck_assert(found[1].status == DNS_OK && found[1].own && found[1].others == 0);
	ck_assert(found[2].status == DNS_OK && found[2].count == 0);
	ck_assert_int_eq(found[3].status, DNS_TRY_LATER);
	ck_assert_uint_gt(found[3].why.len, 0);
	house_over();
	sem_destroy(&done);
	queue_listens(NULL, 0);
}
END_TEST

START_TEST(nothing_is_told_once_the_subject_has_ended)
{
	open_hops();
	memset(found, 0, sizeof found);
	house_on(0, begin_and_cancel, hops);
	house_over();
	ck_assert_uint_eq(found[0].count, 0);
	queue_listens(NULL, 0);
}
END_TEST

TEST_MAIN("queue/locate", a_name_of_dns_does_not_lead_to_this_machine,
	a_host_of_our_name_is_ours_where_we_listen_at_its_port, all_are_told_when_the_last_is_known,
	nothing_is_told_once_the_subject_has_ended)
