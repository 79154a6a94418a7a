/* SPDX-License-Identifier: MIT
 *
 * What failed rests: how long, why, and until when.
 */
#include "tests/queue/house.h"

#include "queue/attempt.h"

enum { SECOND = 1000000, MINUTE = 60 * SECOND };

static struct {
	const char *key;
	bool rests, forgotten, failed;
	char why[128];
} look;

static void fails_now(void *ctx)
{
	const struct client_outcome o = { .class = CLASS_NEXT_HOST, .text = str_c(ctx) };

	host_failed(queue_here(), str_c(look.key), &o);
}

static void fails(const char *why)
{
	char text[128];

	snprintf(text, sizeof text, "%s", why);
	house_on(0, fails_now, text);
	memset(text, 0, sizeof text); /* what was said is kept */
}

static void answers_now(void *ctx)
{
	(void)ctx;
	host_answered(queue_here(), str_c(look.key));
}

static void wakes_now(void *ctx)
{
	hosts_wake(queue_here(), ctx != NULL);
}

static void look_now(void *ctx)
{
	const struct client_outcome *o = host_rests(queue_here(), str_c(look.key));

	(void)ctx;
	look.rests = o != NULL;
	if (o)
		snprintf(look.why, sizeof look.why, "%.*s", STR_ARG(o->text));
	look.forgotten = map_get(&queue_here()->rests, str_c(look.key)) == NULL;
}

static bool rests_after(int64_t us)
{
	house_ahead += us;
	house_on(0, look_now, NULL);
	return look.rests;
}

static void set_up(const char *settings)
{
	house_open(settings, HOUSE_ROUTER);
	house_still = clock_mono();
	look.key = "mx.example.com:25 ";
}

START_TEST(it_rests_twice_as_long_each_time_up_to_sixteen_times)
{
	static const int minutes[] = { 1, 2, 4, 8, 16, 16 };

	set_up("host_rest = \"1m\";");
	ck_assert(!rests_after(0));
	for (int i = 0; i < 6; i++) {
		fails("connection refused");
		ck_assert(rests_after((int64_t)minutes[i] * MINUTE - SECOND));
		ck_assert_str_eq(look.why, "connection refused");
		ck_assert(!rests_after(SECOND));
	}
	house_over();
}
END_TEST

START_TEST(failures_of_those_who_had_set_out_are_one)
{
	set_up("host_rest = \"1m\";");
	for (int i = 0; i < 5; i++)
		fails("connection refused");
	ck_assert(rests_after(MINUTE - SECOND));
	ck_assert(!rests_after(SECOND));
	house_over();
}
END_TEST

START_TEST(who_answers_begins_anew)
{
	set_up("host_rest = \"1m\";");
	fails("no");
	ck_assert(!rests_after(MINUTE));
	house_on(0, answers_now, NULL);
	ck_assert(!rests_after(0));
	ck_assert(look.forgotten);
	fails("no");
	ck_assert(!rests_after(MINUTE));
	house_over();
}
END_TEST

START_TEST(what_is_long_over_is_forgotten_and_a_hand_wakes_all)
{
	char all;

	set_up("host_rest = \"1m\";");
	fails("no");
	rests_after(MINUTE + 58 * SECOND);
	house_on(0, wakes_now, NULL);
	rests_after(0);
	ck_assert(!look.forgotten);
	rests_after(2 * SECOND);
	house_on(0, wakes_now, NULL);
	rests_after(0);
	ck_assert(look.forgotten);
	fails("no");
	ck_assert(rests_after(0));
	house_on(0, wakes_now, &all);
	ck_assert(!rests_after(0));
	house_over();
}
END_TEST

START_TEST(without_a_time_nothing_rests)
{
	set_up("host_rest = \"0\";");
	fails("no");
	ck_assert(!rests_after(0));
	house_over();
}
END_TEST

static void failed_now(void *ctx)
{
	look.failed = hosts_failed(queue_here(), ctx);
}

START_TEST(a_route_has_failed_when_all_its_hosts_have)
{
	struct route *r;

	set_up("host_rest = \"1m\";");
	r = route_direct(STR("MX1.example.com:25"), STR("192.0.2.1"), STR("example.com"));
	ck_assert(str_equal(r->hops[0].rest_key, STR("mx1.example.com:25 192.0.2.1")));
	house_on(0, failed_now, r);
	ck_assert(!look.failed);
	look.key = "mx1.example.com:25 192.0.2.1";
	fails("no");
	house_on(0, failed_now, r);
	ck_assert(look.failed);
	/* Also when its rest is over, until it answers. */
	ck_assert(!rests_after(MINUTE));
	house_on(0, failed_now, r);
	ck_assert(look.failed);
	house_on(0, answers_now, NULL);
	house_on(0, failed_now, r);
	ck_assert(!look.failed);
	route_unref(&r);
	house_over();
}
END_TEST

START_TEST(an_address_has_a_key_of_its_own_for_each_source)
{
	char a[ADDRESS_KEY], b[ADDRESS_KEY];
	struct endpoint e;

	ck_assert(endpoint_parse(STR("[2001:db8::1]:25"), 25, &e));
	ck_assert(str_equal(address_key(&e, STR(""), a), STR("[2001:db8::1]:25 ")));
	ck_assert(str_equal(address_key(&e, STR("192.0.2.1&192.0.2.2"), b),
		STR("[2001:db8::1]:25 192.0.2.1&192.0.2.2")));
}
END_TEST

TEST_MAIN("queue/rest", it_rests_twice_as_long_each_time_up_to_sixteen_times,
	failures_of_those_who_had_set_out_are_one, who_answers_begins_anew,
	what_is_long_over_is_forgotten_and_a_hand_wakes_all, without_a_time_nothing_rests,
	a_route_has_failed_when_all_its_hosts_have, an_address_has_a_key_of_its_own_for_each_source)
