/* SPDX-License-Identifier: MIT
 *
 * Counting: by all threads, and in the names of modules.
 */
#include "host/metrics.h"

#include "host/module.h"
#include "tests/lib/test.h"

#include <pthread.h>

enum { THREADS = 4, TIMES = 10000 };

static void *count(void *arg)
{
	for (int i = 0; i < TIMES; i++)
		metric_add(METRIC_commands, 1);
	return arg;
}

START_TEST(what_all_threads_count_adds_up)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, count, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(metric_get(METRIC_commands), THREADS * TIMES);
	metric_add(METRIC_sessions_open, 3);
	metric_add(METRIC_sessions_open, -2);
	ck_assert_int_eq(metric_get(METRIC_sessions_open), 1);
}
END_TEST

struct found {
	int count;
	int64_t lookups, level;
};

static void each(void *ctx, const char *name, const char *summary, int64_t value)
{
	struct found *f = ctx;

	ck_assert(summary && *summary);
	f->count++;
	if (strcmp(name, "test_lookups") == 0)
		f->lookups = value;
	if (strcmp(name, "test_level") == 0)
		f->level = value;
}

START_TEST(modules_count_beside_the_core)
{
	static const struct tmail_metric lookups = { "test_lookups", TMAIL_COUNTER, "Look-ups." };
	static const struct tmail_metric level = { "test_level", TMAIL_GAUGE, "A level." };
	struct found f = { 0 };

	module_metric_add(module_metric_of(&lookups), 2);
	module_metric_add(module_metric_of(&lookups), 3); /* one for all of a name */
	module_metric_add(module_metric_of(&level), 9);
	module_metric_add(module_metric_of(&level), 4);
	metrics_each(each, &f);
	ck_assert_int_eq(f.count, METRIC_COUNT + 2);
	ck_assert_int_eq(f.lookups, 5);
	ck_assert_int_eq(f.level, 4);
}
END_TEST

START_TEST(every_metric_of_the_core_has_a_name_and_a_summary)
{
	for (enum metric m = 0; m < METRIC_COUNT; m++) {
		ck_assert(metric_name(m) && *metric_name(m));
		ck_assert(metric_summary(m) && *metric_summary(m));
	}
}
END_TEST

TEST_MAIN("host/metrics", what_all_threads_count_adds_up, modules_count_beside_the_core,
	every_metric_of_the_core_has_a_name_and_a_summary)
