/* SPDX-License-Identifier: MIT */
#include "base/id.h"

#include "tests/base/expect.h"

#include <pthread.h>

START_TEST(an_id_tells_its_time_and_node)
{
	struct id id = id_make(1795341600123456, 0xabcd, UINT64_MAX);

	ck_assert_uint_eq(id.hi, 1795341600123456u);
	ck_assert_uint_eq(id.lo >> 48, 0xabcd);
	ck_assert_uint_eq(id.lo & 0xffff, 0xffff);
}
END_TEST

START_TEST(ids_of_a_thread_rise_even_when_the_clock_does_not)
{
	static const int64_t clock[] = { 100, 100, 99, 5, 101, 0, 100, 102 };
	struct id last = { 0, 0 };

	for (size_t i = 0; i < 8000; i++) {
		struct id id = id_make(clock[i % 8], (uint16_t)(i % 3), i * 7919);

		ck_assert_int_gt(id_compare(id, last), 0);
		last = id;
	}
}
END_TEST

enum { THREADS = 4, EACH = 20000 };

static void *make_many(void *out)
{
	struct id *ids = out;

	for (size_t i = 0; i < EACH; i++)
		ids[i] = id_make(1, 1, 0);
	return NULL;
}

static int by_id(const void *a, const void *b)
{
	return id_compare(*(const struct id *)a, *(const struct id *)b);
}

/* With a clock that stands still and chance that is none. */
START_TEST(no_two_threads_make_the_same)
{
	static struct id ids[THREADS * EACH];
	pthread_t threads[THREADS];

	for (size_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, make_many, &ids[i * EACH]), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	qsort(ids, THREADS * EACH, sizeof *ids, by_id);
	for (size_t i = 1; i < THREADS * EACH; i++)
		ck_assert(!id_equal(ids[i - 1], ids[i]));
}
END_TEST

START_TEST(text_has_26_characters_and_comes_back)
{
	static const struct {
		struct id id;
		const char *text;
	} known[] = {
		{ { 0, 0 }, "00000000000000000000000000" },
		{ { 0, 31 }, "0000000000000000000000000v" },
		{ { UINT64_MAX, UINT64_MAX }, "7vvvvvvvvvvvvvvvvvvvvvvvvv" },
		{ { 1, 0 }, "0000000000000g000000000000" },
	};
	uint64_t state = 8;
	char text[ID_TEXT + 1];
	struct id back;

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		id_text(known[i].id, text);
		ck_assert_str_eq(text, known[i].text);
	}
	for (int i = 0; i < 10000; i++) {
		struct id id = { chance_next(&state), chance_next(&state) };

		id_text(id, text);
		ck_assert_uint_eq(strlen(text), ID_TEXT);
		ck_assert(id_parse(str_c(text), &back));
		ck_assert(id_equal(id, back));
	}
}
END_TEST

START_TEST(texts_sort_as_ids_do)
{
	uint64_t state = 9;

	for (int i = 0; i < 10000; i++) {
		struct id a = { chance_next(&state) % 4, chance_next(&state) };
		struct id b = { chance_next(&state) % 4, chance_next(&state) % 64 };
		char ta[ID_TEXT + 1], tb[ID_TEXT + 1];

		id_text(a, ta);
		id_text(b, tb);
		ck_assert_int_eq(id_compare(a, b) < 0, strcmp(ta, tb) < 0);
	}
}
END_TEST

START_TEST(what_is_no_id_is_refused)
{
	static const struct str bad[] = { STR_INIT(""), STR_INIT("0000000000000000000000000"),
		STR_INIT("000000000000000000000000000"), STR_INIT("80000000000000000000000000"),
		STR_INIT("0000000000000000000000000w"), STR_INIT("0000000000000000000000000A"),
		STR_INIT("0000000000000 000000000000"),
		STR_INIT("000000000000\0"
			 "0000000000000"),
		STR_INIT("-0000000000000000000000000") };
	struct id id = { 7, 7 };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(!id_parse(bad[i], &id), "row %zu", i);
	ck_assert(id.hi == 7 && id.lo == 7);
	ck_assert(!id_is_zero(id));
	ck_assert(id_is_zero((struct id){ 0, 0 }));
}
END_TEST

TEST_MAIN("base/id", an_id_tells_its_time_and_node,
	ids_of_a_thread_rise_even_when_the_clock_does_not, no_two_threads_make_the_same,
	text_has_26_characters_and_comes_back, texts_sort_as_ids_do, what_is_no_id_is_refused)
