/* SPDX-License-Identifier: MIT */
#include "modules/route/table/routes.h"

#include "tests/lib/test.h"

static struct routes *table;

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
	bool any_sender;
	const struct route *found = routes_find(table, &q, &any_sender);

	return found ? found->id : 0;
}

/* Every kind, the most specific first, as docs and the page of the module list them. */
static const struct {
	const char *user, *sender, *host;
} ladder[] = {
	{ "joe@example.org", "a@from.example", "to.example" },
	{ "example.org", "a@from.example", "to.example" },
	{ "joe@example.org", "from.example", "to.example" },
	{ "example.org", "from.example", "to.example" },
	{ "joe@example.org", "", "to.example" },
	{ "example.org", "", "to.example" },
	{ "joe@example.org", "a@from.example", "*" },
	{ "example.org", "a@from.example", "*" },
	{ "joe@example.org", "from.example", "*" },
	{ "example.org", "from.example", "*" },
	{ "joe@example.org", "", "*" },
	{ "example.org", "", "*" },
	{ "", "a@from.example", "to.example" },
	{ "", "from.example", "to.example" },
	{ "", "a@from.example", "*" },
	{ "", "from.example", "*" },
	{ "", "", "to.example" },
	{ "", "", ".example" },
	{ "", "", "*" },
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

START_TEST(all_rows_of_the_winning_kind_are_the_set_in_their_order)
{
	struct route_question q = { STR(""), STR(""), STR("to.example") };
	const struct route *found;
	bool any_sender = false;

	table = routes_new();
	add(1, "", "", "to.example");
	add(2, "", "", "*");
	add(3, "", "", "to.example");
	found = routes_find(table, &q, &any_sender);
	ck_assert_ptr_nonnull(found);
	ck_assert_int_eq(found->id, 1);
	ck_assert_int_eq(found->next->id, 3);
	ck_assert_ptr_null(found->next->next);
	ck_assert(any_sender);
	ck_assert_uint_eq(routes_count(table), 3);
	routes_free(&table);
}
END_TEST

START_TEST(a_row_with_a_sender_makes_answers_depend_on_the_sender)
{
	struct route_question q = { STR(""), STR(""), STR("to.example") };
	bool any_sender = true;

	table = routes_new();
	add(1, "", "", "to.example");
	add(2, "", "from.example", "*");
	routes_find(table, &q, &any_sender);
	ck_assert(!any_sender);
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
	an_empty_destination_is_the_wildcard,
	all_rows_of_the_winning_kind_are_the_set_in_their_order,
	a_row_with_a_sender_makes_answers_depend_on_the_sender,
	a_login_without_domain_is_only_itself, local_addresses_are_fail_over_or_in_turns_never_both)
