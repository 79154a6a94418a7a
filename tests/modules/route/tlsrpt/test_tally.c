/* SPDX-License-Identifier: MIT
 *
 * Counting: what is alike, what there is no room for, and what could not be written.
 */
#include "modules/route/tlsrpt/tally.h"

#include "tests/lib/test.h"

static struct tally tally;

/* A session that differs in nothing but what is given. */
static bool add_field(enum field which, const char *text)
{
	struct str field[FIELDS];

	for (size_t i = 0; i < FIELDS; i++)
		field[i] = STR("x");
	field[which] = str_c(text);
	return tally_add(&tally, field, 1);
}

static int64_t sessions(void)
{
	int64_t sum = 0;
	struct str key;
	size_t at = 0;
	void *value;

	while (map_next(&tally.counts, &at, &key, &value))
		sum += ((struct count *)value)->sessions;
	return sum;
}

static void begin(size_t most)
{
	tally_free(&tally);
	tally = (struct tally){ .most = most };
}

START_TEST(sessions_that_differ_in_anything_but_details_are_apart)
{
	begin(100);
	for (int i = 0; i < FIELDS; i++) {
		ck_assert(add_field((enum field)i, "x"));
		ck_assert(add_field((enum field)i, "y"));
		ck_assert(add_field((enum field)i, ""));
	}
	ck_assert_uint_eq(tally.counts.count, 1 + 2 * (FIELDS - 1));
	ck_assert_int_eq(sessions(), 3 * FIELDS);
	begin(0);
}
END_TEST

START_TEST(details_are_those_of_the_first)
{
	struct count *c;
	struct str key;
	size_t at = 0;
	void *value;

	begin(100);
	add_field(FIELD_DETAILS, "first");
	add_field(FIELD_DETAILS, "second");
	ck_assert(map_next(&tally.counts, &at, &key, &value));
	c = value;
	ck_assert(str_equal(c->field[FIELD_DETAILS], STR("first")));
	ck_assert_int_eq(c->sessions, 2);
	begin(0);
}
END_TEST

START_TEST(texts_that_join_to_the_same_are_apart)
{
	struct str a[FIELDS] = { [FIELD_DAY] = STR("ab") },
		   b[FIELDS] = { [FIELD_DAY] = STR("a"), [FIELD_DOMAIN] = STR("b") };

	begin(100);
	ck_assert(tally_add(&tally, a, 1) && tally_add(&tally, b, 1));
	ck_assert_uint_eq(tally.counts.count, 2);
	begin(0);
}
END_TEST

START_TEST(what_there_is_no_room_for_is_not_counted_and_what_is_known_is)
{
	begin(2);
	ck_assert(add_field(FIELD_HOST, "one") && add_field(FIELD_HOST, "two"));
	ck_assert(!add_field(FIELD_HOST, "three"));
	ck_assert(add_field(FIELD_HOST, "one"));
	ck_assert_uint_eq(tally.counts.count, 2);
	ck_assert_int_eq(sessions(), 3);
	begin(0);
}
END_TEST

START_TEST(what_could_not_be_written_is_added_to_what_came_meanwhile)
{
	struct tally taken;

	begin(2);
	add_field(FIELD_HOST, "one");
	add_field(FIELD_HOST, "two");
	tally_take(&tally, &taken);
	ck_assert_uint_eq(tally.counts.count, 0);
	add_field(FIELD_HOST, "one");
	add_field(FIELD_HOST, "three");
	ck_assert_int_eq(tally_give_back(&tally, &taken), 1); /* of "two" */
	ck_assert_uint_eq(taken.counts.count, 0);
	ck_assert_uint_eq(tally.counts.count, 2);
	ck_assert_int_eq(sessions(), 3);
	begin(0);
}
END_TEST

TEST_MAIN("modules/route/tlsrpt/tally", sessions_that_differ_in_anything_but_details_are_apart,
	details_are_those_of_the_first, texts_that_join_to_the_same_are_apart,
	what_there_is_no_room_for_is_not_counted_and_what_is_known_is,
	what_could_not_be_written_is_added_to_what_came_meanwhile)
