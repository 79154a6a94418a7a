/* SPDX-License-Identifier: MIT
 *
 * What each thread runs, as it can be read when the process has died.
 */
#include "host/running.h"

#include "tests/lib/test.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static struct running_page page;
static const struct id message = { 7, 8 };

START_TEST(without_a_page_nothing_is_noted)
{
	running_enter("test/a", 4, message);
	running_said("x");
	running_crashed(11);
	running_leave();
	running_setup(NULL);
	running_enter("test/a", 4, message);
	running_crashed(11);
	ck_assert_int_eq(page.crashed, 0);
	ck_assert_ptr_null(running_culprit(&page));
}
END_TEST

START_TEST(who_was_running_when_its_thread_died_is_the_culprit)
{
	const struct running_slot *s;

	running_setup(&page);
	ck_assert_ptr_null(running_culprit(&page));
	running_enter("test/a", 4, message);
	ck_assert_ptr_null(running_culprit(&page)); /* nobody has crashed */
	running_crashed(11);
	s = running_culprit(&page);
	ck_assert_ptr_nonnull(s);
	ck_assert_str_eq(s->instance, "test/a");
	ck_assert_uint_eq(s->point, 4);
	ck_assert_uint_eq(s->message.hi, 7);
	ck_assert_uint_eq(s->message.lo, 8);
	ck_assert_int_eq(page.signal, 11);
	running_enter("test/b", 5, (struct id){ 0 });
	ck_assert_str_eq(running_culprit(&page)->instance, "test/b");
	running_leave();
	ck_assert_ptr_null(running_culprit(&page)); /* it was the core's own fault */
}
END_TEST

START_TEST(names_and_words_are_cut_to_their_room)
{
	char text[400];

	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = '\0';
	running_setup(&page);
	running_enter(text, 1, message);
	running_crashed(6);
	ck_assert_uint_eq(
		strlen(running_culprit(&page)->instance), sizeof page.slots[0].instance - 1);
	running_said(text);
	ck_assert_uint_eq(strlen(page.said), sizeof page.said - 1);
	running_said("short");
	ck_assert_str_eq(page.said, "short");
}
END_TEST

/* ---- threads ----------------------------------------------------------------------------- */

static pthread_barrier_t barrier;
static void *run_something(void *name)
{
	running_enter(name, 3, message);
	pthread_barrier_wait(&barrier); /* all run */
	pthread_barrier_wait(&barrier); /* one dies */
	if (strcmp(name, "test/2") == 0)
		running_crashed(8);
	pthread_barrier_wait(&barrier); /* it has died */
	pthread_barrier_wait(&barrier); /* and was looked at */
	return NULL;
}

START_TEST(it_is_the_thread_that_died_that_is_asked_about)
{
	static char names[3][8] = { "test/1", "test/2", "test/3" };
	pthread_t threads[3];

	running_setup(&page);
	running_enter("test/main", 1, message);
	pthread_barrier_init(&barrier, NULL, 4);
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, run_something, names[i]);
	for (int i = 0; i < 3; i++)
		pthread_barrier_wait(&barrier);
	ck_assert_str_eq(running_culprit(&page)->instance, "test/2");
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	page.crashed = 0;
	ck_assert_ptr_null(running_culprit(&page)); /* what the dead left behind is nobody's */
}
END_TEST

static void *run_and_end(void *ctx)
{
	(void)ctx;
	running_enter("test/worker", 2, message);
	running_leave();
	return NULL;
}

static void *run_and_die(void *found)
{
	running_enter("test/last", 2, message);
	running_crashed(11);
	*(bool *)found = running_culprit(&page) &&
		strcmp(running_culprit(&page)->instance, "test/last") == 0;
	return NULL;
}

static bool a_new_thread_is_noted(void)
{
	pthread_t thread;
	bool found = false;

	page.crashed = 0;
	pthread_create(&thread, NULL, run_and_die, &found);
	pthread_join(thread, NULL);
	return found;
}

START_TEST(slots_are_for_those_who_live)
{
	pthread_t thread;

	running_setup(&page);
	for (int i = 0; i < 3 * RUNNING_SLOTS; i++) {
		pthread_create(&thread, NULL, run_and_end, NULL);
		pthread_join(thread, NULL);
	}
	ck_assert(a_new_thread_is_noted());
	for (int i = 0; i < RUNNING_SLOTS; i++)
		ck_assert_int_eq(page.slots[i].thread, 0);
}
END_TEST

START_TEST(threads_beyond_the_slots_are_not_noted_and_do_no_harm)
{
	running_setup(&page);
	for (int i = 0; i < RUNNING_SLOTS; i++)
		page.slots[i].thread = 1; /* of somebody else */
	ck_assert(!a_new_thread_is_noted());
	page.slots[RUNNING_SLOTS - 1].thread = 0;
	ck_assert(a_new_thread_is_noted());
}
END_TEST

START_TEST(a_thread_that_outlives_its_page_leaves_it_alone)
{
	static struct running_page second;

	running_setup(&page);
	running_enter("test/a", 1, message);
	running_setup(&second);
	running_enter("test/b", 1, message);
	ck_assert_str_eq(page.slots[0].instance, "test/a");
	ck_assert_str_eq(second.slots[0].instance, "test/b");
	running_setup(NULL);
	running_leave();
	ck_assert_str_eq(second.slots[0].instance, "test/b");
}
END_TEST

TEST_MAIN("host/running", without_a_page_nothing_is_noted,
	who_was_running_when_its_thread_died_is_the_culprit, names_and_words_are_cut_to_their_room,
	it_is_the_thread_that_died_that_is_asked_about, slots_are_for_those_who_live,
	threads_beyond_the_slots_are_not_noted_and_do_no_harm,
	a_thread_that_outlives_its_page_leaves_it_alone)
