/* SPDX-License-Identifier: MIT
 *
 * Generations: reload hands on what did not change; the last reference ends the rest.
 */
#include "tests/host/world.h"

#include <stdatomic.h>

static struct world world;
static int starts, stops, reloads, loop_starts, loop_ends;

struct conf {
	struct tmail_str text;
};
static char text_seen[32];
static int asked_at_stop = -1;

static int start(struct tmail_call *call)
{
	ck_assert_int_eq(*(int *)call->self, 0);
	*(int *)call->self = 1;
	starts++;
	return TMAIL_OK;
}
static void stop(struct tmail_call *call)
{
	ck_assert_int_eq(*(int *)call->self, 1);
	stops++;
	asked_at_stop = call->host->ask(call, "nobody", 1, NULL, NULL);
}
static enum tmail_verdict hook(struct tmail_call *call, const union tmail_event *event)
{
	const struct conf *conf = call->conf;

	(void)event;
	if (call->point == TMAIL_POINT_RELOADED) {
		reloads++;
		return TMAIL_CONTINUE;
	}
	snprintf(text_seen, sizeof text_seen, "%.*s", (int)conf->text.len, conf->text.data);
	*(int *)call->loop += 1;
	return TMAIL_CONTINUE;
}
static int loop_begin(struct tmail_call *call)
{
	ck_assert_ptr_nonnull(call->loop);
	loop_starts++;
	return TMAIL_OK;
}
static void loop_finish(struct tmail_call *call)
{
	ck_assert_int_gt(*(int *)call->loop, 0);
	loop_ends++;
}
static const struct tmail_hook hooks[] = { { TMAIL_POINT_MAIL, 0, hook },
	{ TMAIL_POINT_RELOADED, 0, hook } };
static const struct tmail_option options[] = {
	TMAIL_STRING(struct conf, text, "text", "none", "A text."),
};
MODULE(module, "test/module", .options = TMAIL_LIST(options), .conf_size = sizeof(struct conf),
	.self_size = sizeof(int), .loop_size = sizeof(int), .hooks = TMAIL_LIST(hooks),
	.start = start, .stop = stop, .loop_start = loop_begin, .loop_end = loop_finish);

#define CONF(text) "modules = ({ module = \"test/module\"; text = \"" text "\"; });"

static void begin(void)
{
	module_preload(&module);
	world_begin(&world, CONF("a"));
}

/* Sessions that begin from here on are of the new one. */
static void reload(const char *conf)
{
	struct generation *g = world_generation(&world, conf, PURPOSE_SERVE, world.generation);

	ck_assert_msg(g != NULL, "%s", world_problem(&world, 0));
	generation_install(generation_ref(g));
	generation_unref(&world.generation);
	world.generation = g;
}

START_TEST(an_instance_whose_settings_are_the_same_is_handed_on)
{
	struct instance *before;

	begin();
	before = instance_at(world.generation, 0);
	reload("x = 1;" CONF("a"));
	ck_assert_ptr_eq(instance_at(world.generation, 0), before);
	ck_assert_int_eq(starts, 1);
	ck_assert_int_eq(reloads, 1);
	/* The session is of the old generation still, whose settings it reads. */
	world_ask(&world, TMAIL_POINT_MAIL);
	ck_assert_str_eq(text_seen, "a");
	generation_install(NULL);
	world_end(&world);
	ck_assert_int_eq(stops, 1);
	ck_assert_int_eq(loop_starts, 1);
	ck_assert_int_eq(loop_ends, 1);
}
END_TEST

START_TEST(an_instance_whose_settings_changed_is_a_new_one_and_the_old_ends_with_its_sessions)
{
	begin();
	reload(CONF("b"));
	ck_assert_int_eq(starts, 2);
	ck_assert_int_eq(stops, 0);
	world_ask(&world, TMAIL_POINT_MAIL);
	ck_assert_str_eq(text_seen, "a");
	world_run(&world, world_over);
	subject_end(&world.subject);
	ck_assert_int_eq(stops, 1);
	subject_init(&world.subject, world.loop, world.generation);
	world_ask(&world, TMAIL_POINT_MAIL);
	ck_assert_str_eq(text_seen, "b");
	generation_install(NULL);
	world_end(&world);
	ck_assert_int_eq(stops, 2);
	ck_assert_int_eq(loop_ends, 2);
}
END_TEST

START_TEST(a_configuration_that_does_not_check_leaves_the_old_in_force)
{
	struct generation *g;

	begin();
	generation_install(generation_ref(world.generation));
	ck_assert_ptr_null(world_generation(
		&world, CONF("a") "modules += 1;", PURPOSE_SERVE, world.generation));
	ck_assert_uint_gt(world.problems.count, 0);
	problems_free(&world.problems);
	ck_assert_ptr_null(
		world_generation(&world, "modules = ({ module = \"test/module\"; what = 1; });",
			PURPOSE_SERVE, world.generation));
	g = generation_current();
	ck_assert_ptr_eq(g, world.generation);
	generation_unref(&g);
	ck_assert_int_eq(stops, 0);
	generation_install(NULL);
	world_end(&world);
}
END_TEST

static _Atomic int wakes;
static void wake(void)
{
	wakes++;
}

static void finish_and_stop(struct world *w)
{
	world_finish(w);
	world_over(w);
}

START_TEST(the_main_thread_reaps_what_nobody_holds)
{
	begin();
	generation_on_main(wake);
	ck_assert(!generation_wait_gone(1));
	world_run(&world, finish_and_stop);
	ck_assert_int_eq(wakes, 1);
	ck_assert_int_eq(stops, 0);
	generation_reap();
	ck_assert_int_eq(stops, 1);
	ck_assert(generation_wait_gone(0));
	loop_free(&world.loop);
	problems_free(&world.problems);
}
END_TEST

START_TEST(a_module_that_asks_as_it_stops_does_not_end_its_generation_again)
{
	begin();
	world_run(&world, finish_and_stop);
	generation_reap();
	ck_assert_int_eq(stops, 1);
	ck_assert_int_eq(asked_at_stop, TMAIL_UNSUPPORTED);
	ck_assert(generation_wait_gone(0));
	loop_free(&world.loop);
	problems_free(&world.problems);
}
END_TEST

START_TEST(generations_are_numbered_and_keep_what_they_were_made_with)
{
	static const char *const nowhere[] = { NULL };
	struct generation_setup setup = { .purpose = PURPOSE_CHECK, .module_dirs = nowhere };
	struct problems problems = { 0 };
	struct generation *a, *b;

	setup.conf = conf_parse(STR("x = 1;"), "a", &problems);
	setup.settings = &setup;
	a = generation_new(&setup, NULL, &problems);
	ck_assert_ptr_eq(generation_settings(a), &setup);
	ck_assert_ptr_eq(generation_conf(a), setup.conf);
	setup.conf = conf_parse(STR("x = 1;"), "b", &problems);
	b = generation_new(&setup, a, &problems);
	ck_assert_uint_gt(generation_number(b), generation_number(a));
	generation_unref(&a);
	ck_assert_ptr_null(a);
	generation_unref(&b);
	problems_free(&problems);
	ck_assert_ptr_null(generation_current());
}
END_TEST

TEST_MAIN("host/generation", an_instance_whose_settings_are_the_same_is_handed_on,
	an_instance_whose_settings_changed_is_a_new_one_and_the_old_ends_with_its_sessions,
	a_configuration_that_does_not_check_leaves_the_old_in_force,
	the_main_thread_reaps_what_nobody_holds,
	a_module_that_asks_as_it_stops_does_not_end_its_generation_again,
	generations_are_numbered_and_keep_what_they_were_made_with)
