/* SPDX-License-Identifier: MIT
 *
 * Limits of destinations: which pattern is nearest, and that a route goes before it.
 */
#include "queue/limit.h"

#include "tests/lib/test.h"

static struct conf *conf;
static struct queue_settings settings;
static struct problems problems;

static void read_settings(const char *text)
{
	memset(&settings, 0, sizeof settings);
	memset(&problems, 0, sizeof problems);
	conf = conf_parse(str_c(text), "test.conf", &problems);
	queue_settings_read(conf, &settings, &problems);
}

static void read_good(const char *destinations)
{
	struct buf text = { 0 };

	buf_printf(&text,
		"queue = { max_connections_destination = 20; max_messages_connection = 1000; "
		"destinations = ( %s ); };",
		destinations);
	read_settings(buf_c(&text));
	ck_assert_msg(problems.count == 0, "%s", problems.count ? problems.text[0] : "");
	buf_free(&text);
}

static struct route_limits of(const char *destination, const char *host)
{
	struct route *r = route_direct(str_c(host), STR(""), str_c(destination));
	struct route_limits limits = limits_of(r, &settings);

	route_unref(&r);
	return limits;
}

START_TEST(without_a_pattern_the_settings_for_all_hold)
{
	struct route_limits l;

	read_good("");
	l = of("example.com", "mx.example.com");
	ck_assert_uint_eq(l.connections, 20);
	ck_assert_uint_eq(l.messages, 1000);
	ck_assert_uint_eq(l.rate_count, 0);
	conf_free(&conf);
}
END_TEST

START_TEST(the_nearest_pattern_holds)
{
	static const struct {
		const char *destination;
		unsigned connections;
	} cases[] = { { "example.com", 1 }, { "EXAMPLE.com", 1 }, { "a.example.com", 2 },
		{ "a.b.example.com", 3 }, { "b.example.com", 2 }, { "notexample.com", 7 },
		{ "x.c.example.com", 2 }, { "other.org", 9 } };

	read_good("{ domain = \"*\"; connections = 9; },"
		  "{ domain = \".com\"; connections = 7; messages = 5; },"
		  "{ domain = \"example.com\"; connections = 1; },"
		  "{ domain = \".example.com\"; connections = 2; },"
		  "{ domain = \".b.Example.com\"; connections = 3; }");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		ck_assert_msg(
			of(cases[i].destination, "192.0.2.1").connections == cases[i].connections,
			"%s", cases[i].destination);
	conf_free(&conf);
}
END_TEST

START_TEST(hosts_are_looked_at_when_the_destination_is_in_no_pattern)
{
	read_good(
		"{ domain = \"*\"; connections = 9; }, { domain = \"big.net\"; connections = 1; },"
		"{ domain = \".big.net\"; connections = 2; rate = \"5/s\"; },"
		"{ domain = \".near.org\"; connections = 4; }");
	ck_assert_uint_eq(of("a.near.org", "big.net").connections, 4);
	ck_assert_uint_eq(of("example.com", "mx1.big.net").connections, 2);
	ck_assert_uint_eq(of("example.com", "mx1.big.net").rate_count, 5);
	ck_assert_uint_eq(of("big.net", "mx1.big.net").connections, 1);
	ck_assert_uint_eq(of("example.com", "mx1.small.net").connections, 9);
	conf_free(&conf);
}
END_TEST

START_TEST(the_route_goes_before_the_pattern_number_by_number)
{
	struct route *r = route_direct(STR("mx"), STR(""), STR("example.com"));
	struct route_limits l;

	read_good("{ domain = \"example.com\"; connections = 2; messages = 10; rate = \"5/s\"; }");
	r->limits = (struct route_limits){ .connections = 7 };
	l = limits_of(r, &settings);
	ck_assert_uint_eq(l.connections, 7);
	ck_assert_uint_eq(l.messages, 10);
	ck_assert_uint_eq(l.rate_count, 5);
	ck_assert_uint_eq(l.rate_ms, 1000);
	r->limits = (struct route_limits){ .messages = 3, .rate_count = 1, .rate_ms = 250 };
	l = limits_of(r, &settings);
	ck_assert_uint_eq(l.connections, 2);
	ck_assert_uint_eq(l.messages, 3);
	ck_assert_uint_eq(l.rate_count, 1);
	ck_assert_uint_eq(l.rate_ms, 250);
	route_unref(&r);
	conf_free(&conf);
}
END_TEST

START_TEST(what_cannot_be_meant_is_named_with_its_place)
{
	read_settings("queue = {\n destinations = (\n { domain = \"a.org\"; rate = \"5\"; },\n"
		      " { rate = \"5/s\"; } );\n helo = (\n"
		      " { ip = \"192.0.2\"; name = \"a.example\"; },\n"
		      " { ip = \"192.0.2.1\"; name = \"a b\"; } );\n};");
	ck_assert_uint_eq(problems.count, 4);
	ck_assert_str_eq(problems.text[0], "test.conf:3: '5' is no rate, like 5/s or 100/m");
	ck_assert_str_eq(problems.text[1], "test.conf:4: a destination without its domain");
	ck_assert_str_eq(problems.text[2], "test.conf:6: '192.0.2' is no address");
	ck_assert_str_eq(problems.text[3], "test.conf:7: 'a b' is no name of a host");
	problems_free(&problems);
	conf_free(&conf);
}
END_TEST

TEST_MAIN("queue/limit", without_a_pattern_the_settings_for_all_hold, the_nearest_pattern_holds,
	hosts_are_looked_at_when_the_destination_is_in_no_pattern,
	the_route_goes_before_the_pattern_number_by_number,
	what_cannot_be_meant_is_named_with_its_place)
