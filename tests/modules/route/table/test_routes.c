/* SPDX-License-Identifier: MIT */
#include "modules/route/table/routes.h"

#include "tests/lib/test.h"

#include <stdio.h>

static struct routes *table;
static struct route_match match; /* of the last find */

static void add(int64_t id, const char *user, const char *sender, const char *host)
{
	struct route route = { .id = id,
		.user = str_c(user),
		.sender = str_c(sender),
		.host = str_c(host),
		.remote_host = STR("relay.example"),
		.priority = 1,
		.port = 25 };

	routes_add(table, &route);
}

/* The id of the first row found; 0: none. */
static int64_t find(const char *login, const char *sender, const char *domain)
{
	struct route_question q = { str_c(login), str_c(sender), str_c(domain) };
	const struct route *found = routes_find(table, &q, &match);

	return found ? found->id : 0;
}

/* Every kind, the most specific first, as docs and the page of the module list them. */
static const struct {
	const char *user, *sender, *host, *kind;
} ladder[] = {
	{ "joe@example.org", "a@from.example", "to.example", "user+sender+host" },
	{ "example.org", "a@from.example", "to.example", "user-domain+sender+host" },
	{ "joe@example.org", "from.example", "to.example", "user+sender-domain+host" },
	{ "example.org", "from.example", "to.example", "user-domain+sender-domain+host" },
	{ "joe@example.org", "", "to.example", "user+host" },
	{ "example.org", "", "to.example", "user-domain+host" },
	{ "joe@example.org", "a@from.example", "*", "user+sender" },
	{ "example.org", "a@from.example", "*", "user-domain+sender" },
	{ "joe@example.org", "from.example", "*", "user+sender-domain" },
	{ "example.org", "from.example", "*", "user-domain+sender-domain" },
	{ "joe@example.org", "", "*", "user" },
	{ "example.org", "", "*", "user-domain" },
	{ "", "a@from.example", "to.example", "sender+host" },
	{ "", "from.example", "to.example", "sender-domain+host" },
	{ "", "a@from.example", "*", "sender" },
	{ "", "from.example", "*", "sender-domain" },
	{ "", "", "to.example", "host" },
	{ "", "", ".example", "parent" },
	{ "", "", "*", "*" },
};
enum { LADDER = sizeof ladder / sizeof *ladder };

START_TEST(the_most_specific_kind_that_has_a_row_wins)
{
	for (size_t first = 0; first < LADDER; first++) {
		table = routes_new();
		/* Put in backwards, so that order of rows cannot be what decides. */
		for (size_t i = LADDER; i-- > first;)
			add((int64_t)i + 1, ladder[i].user, ladder[i].sender, ladder[i].host);
		ck_assert_int_eq(find("joe@example.org", "a@from.example", "to.example"),
			(int64_t)first + 1);
		ck_assert_str_eq(match.kind, ladder[first].kind);
		routes_free(&table);
	}
}
END_TEST

START_TEST(nothing_is_found_where_nothing_matches)
{
	table = routes_new();
	ck_assert_int_eq(find("", "", "to.example"), 0);
	add(1, "joe@example.org", "", "*");
	add(2, "", "a@from.example", "*");
	add(3, "", "", "other.example");
	ck_assert_int_eq(find("", "b@x.example", "to.example"), 0);
	ck_assert_int_eq(find("", "", "to.example"), 0);
	routes_free(&table);
}
END_TEST

START_TEST(case_is_folded_on_both_sides)
{
	table = routes_new();
	add(1, "Joe@Example.ORG", "A@From.example", "To.Example");
	ck_assert_int_eq(find("jOE@example.org", "a@FROM.example", "TO.example"), 1);
	routes_free(&table);
}
END_TEST

START_TEST(a_parent_matches_subdomains_only_and_the_nearest_first)
{
	table = routes_new();
	add(1, "", "", ".example.com");
	add(2, "", "", ".com");
	add(3, "", "", ".b.example.com");
	ck_assert_int_eq(find("", "", "a.b.example.com"), 3);
	ck_assert_int_eq(find("", "", "b.example.com"), 1);
	ck_assert_int_eq(find("", "", "example.com"), 2);
	ck_assert_int_eq(find("", "", "com"), 0);
	ck_assert_int_eq(find("", "", "notexample.com"), 2);
	routes_free(&table);
}
END_TEST

START_TEST(an_empty_destination_is_the_wildcard)
{
	table = routes_new();
	add(7, "", "", "");
	ck_assert_int_eq(find("", "", "anything.example"), 7);
	routes_free(&table);
}
END_TEST

START_TEST(the_nearest_parent_wins_however_deep)
{
	table = routes_new();
	add(1, "", "", "*");
	add(2, "", "", ".com");
	ck_assert_int_eq(find("", "", "a.b.c.d.e.f.g.example.com"), 2);
	ck_assert_str_eq(match.kind, "parent");
	add(3, "", "", ".d.e.f.g.example.com");
	add(4, "", "", ".e.f.g.example.com");
	ck_assert_int_eq(find("", "", "a.b.c.d.e.f.g.example.com"), 3);
	ck_assert_int_eq(find("", "", "d.e.f.g.example.com"), 4);
	routes_free(&table);
}
END_TEST

START_TEST(names_that_are_not_ascii_are_their_a_labels)
{
	table = routes_new();
	add(1, "", "",
		"b\xc3\xbc"
		"cher.example");
	add(2, "",
		"stra\xc3\x9f"
		"e.example",
		"*");
	add(3,
		"joe@b\xc3\x9c"
		"CHER.example",
		"", "*");
	add(4, "", "", ".xn--bcher-kva.example");
	ck_assert_int_eq(find("", "", "xn--bcher-kva.example"), 1);
	ck_assert_int_eq(find("", "",
				 "B\xc3\x9c"
				 "cher.example"),
		1);
	ck_assert_int_eq(find("", "",
				 "mx.b\xc3\xbc"
				 "cher.example"),
		4);
	ck_assert_int_eq(find("", "a@xn--strae-oqa.example", "to.example"), 2);
	ck_assert_int_eq(find("",
				 "\xc3\xa9@stra\xc3\x9f"
				 "e.example",
				 "to.example"),
		2);
	ck_assert_int_eq(find("JOE@xn--bcher-kva.example", "", "to.example"), 3);
	routes_free(&table);
}
END_TEST

/* The rows found, as "id*weight id*weight". */
static const char *set_text(const struct route *route)
{
	static char text[200];
	size_t len = 0;

	for (text[0] = '\0'; route; route = route->next)
		len += (size_t)snprintf(text + len, sizeof text - len, "%s%lld*%u", len ? " " : "",
			(long long)route->id, route->weight);
	return text;
}

START_TEST(all_rows_of_the_winning_kind_are_the_set_and_same_ones_weigh)
{
	struct route_question q = { STR(""), STR(""), STR("to.example") };
	struct route row = { .id = 1,
		.host = STR("to.example"),
		.remote_host = STR("big.example"),
		.priority = 1,
		.port = 25 };

	table = routes_new();
	routes_add(table, &row);
	add(2, "", "", "*");
	row.id = 3;
	row.remote_host = STR("small.example");
	routes_add(table, &row);
	row.id = 4;
	row.remote_host = STR("BIG.example");
	routes_add(table, &row);
	row.id = 5; /* not the same: it is a fail-over */
	row.priority = 2;
	routes_add(table, &row);
	ck_assert_str_eq(set_text(routes_find(table, &q, &match)), "1*2 3*1 5*1");
	ck_assert(match.any_sender);
	ck_assert_uint_eq(routes_count(table), 5);
	routes_free(&table);
}
END_TEST

START_TEST(a_row_with_a_sender_makes_answers_depend_on_the_sender)
{
	table = routes_new();
	add(1, "", "", "to.example");
	find("", "", "to.example");
	ck_assert(match.any_sender);
	add(2, "", "from.example", "*");
	find("", "", "to.example");
	ck_assert(!match.any_sender);
	ck_assert_str_eq(match.kind, "host");
	find("", "", "other.example");
	ck_assert_ptr_null(match.kind);
	routes_free(&table);
}
END_TEST

START_TEST(a_login_without_domain_is_only_itself)
{
	table = routes_new();
	add(1, "joe", "", "*");
	add(2, "", "", "*");
	ck_assert_int_eq(find("joe", "", "to.example"), 1);
	ck_assert_int_eq(find("joe@joe", "", "to.example"), 1);
	ck_assert_int_eq(find("jim", "", "to.example"), 2);
	routes_free(&table);
}
END_TEST

START_TEST(local_addresses_are_fail_over_or_in_turns_never_both)
{
	static const char *const good[] = { "192.0.2.1", "192.0.2.1&192.0.2.2",
		"[2001:db8::1]|192.0.2.1", "2001:db8::1", "192.0.2.1|192.0.2.1|192.0.2.2" };
	static const char *const bad[] = { "192.0.2.1&192.0.2.2|192.0.2.3", "192.0.2", "192.0.2.1&",
		"", "host.example", "[2001:db8::1" };
	struct why why;

	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		ck_assert_msg(route_local_ip_valid(str_c(good[i]), &why), "%s", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(!route_local_ip_valid(str_c(bad[i]), &why), "%s", bad[i]);
}
END_TEST

TEST_MAIN("route/table routes", the_most_specific_kind_that_has_a_row_wins,
	nothing_is_found_where_nothing_matches, case_is_folded_on_both_sides,
	a_parent_matches_subdomains_only_and_the_nearest_first,
	an_empty_destination_is_the_wildcard, the_nearest_parent_wins_however_deep,
	names_that_are_not_ascii_are_their_a_labels,
	all_rows_of_the_winning_kind_are_the_set_and_same_ones_weigh,
	a_row_with_a_sender_makes_answers_depend_on_the_sender,
	a_login_without_domain_is_only_itself, local_addresses_are_fail_over_or_in_turns_never_both)
