/* SPDX-License-Identifier: MIT
 *
 * Which messages: what words say it, and which say it wrongly.
 */
#include "tests/admin/queued.h"

#include "admin/filter.h"

static const struct tmail_argument arguments[] = { FILTER_ARGUMENTS, FILTER_IDS };
static const struct verb verb = { .name = "test", .arguments = TMAIL_LIST(arguments) };
static struct filter filter;
static struct why why;

static bool reads(const char *line)
{
	struct arena *arena = arena_new(1024);
	struct str words[32], rest = str_c(line), word;
	struct values values;
	size_t n = 0;
	bool help, ok;

	clock_replace(queued_clock, NULL);
	while (str_word(&rest, &word))
		words[n++] = word;
	ck_assert_msg(values_parse(&verb, words, n, arena, &values, &help, &why) == VERB_OK,
		"%s: %s", line, why.text);
	ok = filter_read(&values, &filter, &why);
	clock_replace(NULL, NULL);
	arena_free(&arena); /* strings are the command line's, which stays */
	return ok;
}

START_TEST(nothing_said_is_everything_and_does_not_narrow)
{
	ck_assert(reads(""));
	ck_assert(!filter.narrows);
	ck_assert_uint_eq(filter.id_count, 0);
	ck_assert_uint_eq(filter.queue.states, 0);
	ck_assert_int_eq(filter.queue.before, 0);
	ck_assert_int_eq(filter.queue.after, 0);
	filter_free(&filter);
	ck_assert(reads("--limit 5"));
	ck_assert(!filter.narrows);
	ck_assert_uint_eq(filter.queue.limit, 5);
	filter_free(&filter);
}
END_TEST

START_TEST(each_word_narrows)
{
	static const char *const lines[] = { "--from a@b", "--to @b", "--reason x", "--held",
		"--state active", "--older 1h", "--newer 0", "0000000000000000000000000g" };

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		ck_assert_msg(reads(lines[i]), "%s: %s", lines[i], why.text);
		ck_assert_msg(filter.narrows, "%s", lines[i]);
		filter_free(&filter);
	}
}
END_TEST

START_TEST(times_are_from_now)
{
	ck_assert(reads("--older 90m --newer 2h"));
	ck_assert_int_eq(filter.queue.before, NOON - 90 * MINUTES);
	ck_assert_int_eq(filter.queue.after, NOON - 120 * MINUTES);
	filter_free(&filter);
	ck_assert(reads("--older 10000000000d")); /* before there was a clock */
	ck_assert_int_eq(filter.queue.before, 1);
	filter_free(&filter);
}
END_TEST

START_TEST(states_have_names)
{
	static const struct {
		const char *line;
		uint32_t states;
	} cases[] = {
		{ "--state active", 1u << QUEUE_ACTIVE },
		{ "--state Waiting", 1u << QUEUE_WAITING },
		{ "--state deferred,held", 1u << QUEUE_DEFERRED | 1u << QUEUE_HELD },
		{ "--state held,held", 1u << QUEUE_HELD },
		{ "--held", 1u << QUEUE_HELD },
		{ "--held=false", 0 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		ck_assert_msg(reads(cases[i].line), "%s: %s", cases[i].line, why.text);
		ck_assert_msg(filter.queue.states == cases[i].states, "%s", cases[i].line);
		filter_free(&filter);
	}
}
END_TEST

START_TEST(ids_are_kept_in_their_order)
{
	struct id first, second;

	ck_assert(id_parse(STR("00000000000000000000000001"), &first));
	ck_assert(id_parse(STR("00000000000000000000000000"), &second));
	ck_assert(reads("00000000000000000000000001 --held 00000000000000000000000000"));
	ck_assert_uint_eq(filter.id_count, 2);
	ck_assert(id_equal(filter.ids[0], first) && id_equal(filter.ids[1], second));
	filter_free(&filter);
}
END_TEST

START_TEST(what_is_wrong_is_said)
{
	static const struct {
		const char *line, *why;
	} cases[] = {
		{ "--older yesterday", "--older wants a duration (30m, 2h, 5d), not 'yesterday'" },
		{ "--newer -1h", "--newer wants a duration (30m, 2h, 5d), not '-1h'" },
		{ "--older=", "--older wants a duration (30m, 2h, 5d), not ''" },
		{ "--limit 0", "--limit wants a number above 0, not '0'" },
		{ "--limit -1", "--limit wants a number above 0, not '-1'" },
		{ "--limit 4294967296", "--limit wants a number above 0, not '4294967296'" },
		{ "--state asleep",
			"--state wants active, waiting, deferred or held, not 'asleep'" },
		{ "--state=", "--state wants active, waiting, deferred or held, not ''" },
		{ "--state held,", "--state wants active, waiting, deferred or held, not ''" },
		{ "--held --state active", "--held is --state held: give one of them" },
		{ "nonsense", "'nonsense' is no message id" },
		{ "00000000000000000000000001 x", "'x' is no message id" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		ck_assert_msg(!reads(cases[i].line), "%s", cases[i].line);
		ck_assert_str_eq(why.text, cases[i].why);
		ck_assert_ptr_null(filter.ids);
	}
}
END_TEST

static int count_rows(void *ctx, const struct tmail_queue_entry *e, enum queue_state state)
{
	(void)e;
	(void)state;
	++*(unsigned *)ctx;
	return 0;
}

START_TEST(ids_are_looked_for_one_after_another_and_the_rest_must_match_too)
{
	unsigned rows = 0;
	char line[100];

	queued_begin();
	queued_add(1, "s@x.org", "a@one.org b@two.org", 3);
	queued_add(2, "s@x.org", "a@one.org", 2);
	queued_add(3, "s@x.org", "a@one.org", 1);
	snprintf(line, sizeof line, "%s %s", queued_id(3, 1), queued_id(1, 3));
	ck_assert(reads(line));
	ck_assert_int_eq(filter_find(generation, &filter, count_rows, &rows, &why), TMAIL_OK);
	ck_assert_uint_eq(rows, 3);
	filter_free(&filter);
	snprintf(line, sizeof line, "%s --to b@two.org %s", queued_id(3, 1), queued_id(1, 3));
	ck_assert(reads(line));
	rows = 0;
	ck_assert_int_eq(filter_find(generation, &filter, count_rows, &rows, &why), TMAIL_OK);
	ck_assert_uint_eq(rows, 1);
	filter_free(&filter);
	queued_end();
}
END_TEST

TEST_MAIN("admin/filter", nothing_said_is_everything_and_does_not_narrow, each_word_narrows,
	times_are_from_now, states_have_names, ids_are_kept_in_their_order, what_is_wrong_is_said,
	ids_are_looked_for_one_after_another_and_the_rest_must_match_too)
