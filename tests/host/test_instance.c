/* SPDX-License-Identifier: MIT
 *
 * An instance: its settings and its name, its start and its stop, for which clients it is asked.
 */
#include "tests/host/world.h"

#include "host/instance.h"

static struct world world;
static char order[32];
static int check_status, start_status;
static const char *words;

static void said(const char *what)
{
	strncat(order, what, sizeof order - strlen(order) - 1);
}
static int check(struct tmail_call *call)
{
	ck_assert_ptr_null(call->self);
	ck_assert_ptr_nonnull(call->conf);
	said("C");
	if (words)
		call->host->reply(call, 0, NULL, "%s", words);
	return check_status;
}
static int start(struct tmail_call *call)
{
	ck_assert_int_eq(*(int *)call->self, 0);
	*(int *)call->self = 1;
	said("S");
	if (words)
		call->host->reply(call, 0, NULL, "%s", words);
	return start_status;
}
static void stop(struct tmail_call *call)
{
	ck_assert_int_eq(*(int *)call->self, 1);
	said("s");
}
MODULE(module, "test/module", .conf_size = 8, .self_size = sizeof(int), .check = check,
	.start = start, .stop = stop);

/* What waits needs workers. */
static const struct tmail_hook hooks_now[] = { { TMAIL_POINT_MAIL, 0, world_hook } };
static const struct tmail_hook hooks_later[] = { { TMAIL_POINT_MAIL, TMAIL_WAITS, world_hook } };
static const struct tmail_hook hooks_work[] = { { TMAIL_POINT_MAIL, TMAIL_BLOCKING, world_hook } };
static const struct tmail_operation now[] = { { 1, 0, world_operation } };
static const struct tmail_operation work[] = { { 1, 0, world_operation },
	{ 2, TMAIL_BLOCKING, world_operation } };
static const struct tmail_service serves_now[] = { { "x", NULL, TMAIL_LIST(now) } };
static const struct tmail_service serves_work[] = { { "x", NULL, TMAIL_LIST(work) } };
static const struct tmail_verb verbs[] = { { .name = "x y", .summary = "X.", .run = world_verb } };
MODULE(module_fails, "test/fails", .self_size = sizeof(int), .start = start, .stop = stop,
	.hooks = TMAIL_LIST(hooks_work));
MODULE(module_now, "test/now", .hooks = TMAIL_LIST(hooks_now), .services = TMAIL_LIST(serves_now));
MODULE(module_later, "test/later", .hooks = TMAIL_LIST(hooks_later));
MODULE(module_work, "test/work", .hooks = TMAIL_LIST(hooks_work));
MODULE(module_serves, "test/serves", .services = TMAIL_LIST(serves_work));
MODULE(module_verbs, "test/verbs", .verbs = TMAIL_LIST(verbs));

static struct generation *made(const char *conf)
{
	module_preload(&module);
	module_preload(&module_fails);
	module_preload(&module_now);
	module_preload(&module_later);
	module_preload(&module_work);
	module_preload(&module_serves);
	module_preload(&module_verbs);
	order[0] = '\0';
	problems_free(&world.problems);
	if (!world.loop)
		world.loop = world.loops[0] = loop_new(0, NULL);
	world.generation = world_generation(&world, conf, PURPOSE_SERVE, NULL);
	return world.generation;
}

static void finish(void)
{
	generation_unref(&world.generation);
	loop_free(&world.loop);
	problems_free(&world.problems);
}

/* ---- settings ---------------------------------------------------------------------------- */

START_TEST(settings_have_their_defaults)
{
	const struct instance *i;

	ck_assert(made("modules = ({ module = \"test/module\"; });"));
	i = instance_at(world.generation, 0);
	ck_assert_str_eq(instance_name(i), "test/module");
	ck_assert_ptr_nonnull(instance_module(i));
	ck_assert(!instance_may_relay(i));
	ck_assert_int_eq(i->settings.on_error, ON_ERROR_TEMPFAIL);
	ck_assert_int_eq(i->settings.timeout, 30000);
	ck_assert_int_eq(i->settings.workers, 4);
	ck_assert_int_eq(i->settings.log_level, 0);
	ck_assert_uint_eq(i->settings.when.count, 0);
	ck_assert_str_eq(i->place, "test.conf:1");
	finish();
}
END_TEST

START_TEST(settings_are_what_was_said)
{
	const struct instance *i;

	ck_assert(made("modules = ({ module = \"test/module\"; name = \"mine\"; "
		       "on_error = \"continue\"; timeout = \"5s\"; workers = 9; "
		       "log_level = \"debug\"; may_relay = true; "
		       "when = [ \"mx\", \"authenticated\", \"inside\" ]; });"));
	i = instance_at(world.generation, 0);
	ck_assert_str_eq(instance_name(i), "mine");
	ck_assert(instance_may_relay(i));
	ck_assert_int_eq(i->settings.on_error, ON_ERROR_CONTINUE);
	ck_assert_int_eq(i->settings.timeout, 5000);
	ck_assert_int_eq(i->settings.workers, 9);
	ck_assert_int_eq(i->settings.log_level, 4);
	ck_assert(i->when.authenticated && !i->when.anonymous);
	ck_assert_uint_eq(i->when.listener_count, 2);
	finish();
}
END_TEST

START_TEST(settings_out_of_range_are_told_with_their_place)
{
	static const char *const bad[][2] = {
		{ "workers = 0;", "workers" },
		{ "workers = 257;", "workers" },
		{ "timeout = \"0\";", "timeout" },
		{ "timeout = \"25h\";", "timeout" },
		{ "on_error = \"shrug\";", "tempfail continue" },
		{ "log_level = \"loud\";", "default error warning info debug" },
		{ "when = 5;", "when" },
		{ "may_rely = true;", "may_relay" },
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		char conf[128];

		snprintf(conf, sizeof conf, "modules = ({ module = \"test/module\"; %s });",
			bad[i][0]);
		ck_assert_msg(!made(conf), "%s", conf);
		ASSERT_HAS(world_problem(&world, 0), "test.conf:1");
		ASSERT_HAS(world_problem(&world, 0), bad[i][1]);
		ck_assert_str_eq(order, "");
	}
	ck_assert(!made("modules = ({ name = \"nothing\"; });"));
	ASSERT_HAS(world_problem(&world, 0), "needs `module");
	ck_assert(!made("modules = ({ module = \"\"; });"));
	ASSERT_HAS(world_problem(&world, 0), "needs `module");
	finish();
}
END_TEST

/* ---- start and stop ---------------------------------------------------------------------- */

START_TEST(a_check_that_fails_is_told_in_its_words_or_ours)
{
	check_status = TMAIL_REFUSED;
	words = "seven is odd";
	ck_assert(!made("modules = ({ module = \"test/module\"; name = \"mine\"; });"));
	ck_assert_str_eq(world_problem(&world, 0), "test.conf:1: module 'mine': seven is odd");
	ck_assert_str_eq(order, "C"); /* and is not started */
	words = NULL;
	ck_assert(!made("modules = ({ module = \"test/module\"; });"));
	ck_assert_str_eq(world_problem(&world, 0),
		"test.conf:1: module 'test/module': its settings do not check");
	finish();
}
END_TEST

START_TEST(a_start_that_fails_is_told_in_its_words_or_ours_and_has_no_stop)
{
	start_status = TMAIL_TRY_LATER;
	words = "the moon is down";
	ck_assert(!made("modules = ({ module = \"test/module\"; });"));
	ASSERT_HAS(world_problem(&world, 0), "the moon is down");
	ck_assert_str_eq(order, "CS");
	words = NULL;
	ck_assert(!made("modules = ({ module = \"test/module\"; });"));
	ASSERT_HAS(world_problem(&world, 0), "it did not start and does not say why");
	ck_assert_str_eq(order, "CS");
	ck_assert(!made("modules = ({ module = \"test/fails\"; });")); /* its workers go too */
	finish();
}
END_TEST

START_TEST(an_instance_stops_with_the_last_who_has_it)
{
	struct generation *second;
	struct instance *i;

	ck_assert(made("modules = ({ module = \"test/module\"; });"));
	i = instance_at(world.generation, 0);
	second = world_generation(&world, "modules = ({ module = \"test/module\"; });",
		PURPOSE_SERVE, world.generation);
	ck_assert_ptr_eq(instance_at(second, 0), i);
	ck_assert_uint_eq(i->refs, 2);
	ck_assert_str_eq(order, "CS");
	generation_unref(&world.generation);
	ck_assert_str_eq(order, "CS");
	ck_assert(i->started);
	generation_unref(&second);
	ck_assert_str_eq(order, "CSs");
	finish();
}
END_TEST

START_TEST(what_is_only_checked_is_neither_started_nor_stopped)
{
	ck_assert(made(""));
	generation_unref(&world.generation);
	world.generation = world_generation(
		&world, "modules = ({ module = \"test/module\"; });", PURPOSE_CHECK, NULL);
	ck_assert(world.generation && !instance_at(world.generation, 0)->started);
	finish();
	ck_assert_str_eq(order, "C");
}
END_TEST

START_TEST(workers_are_for_those_who_wait)
{
	static const struct {
		const char *name;
		bool workers;
	} rows[] = { { "module", false }, { "now", false }, { "later", false }, { "work", true },
		{ "serves", true }, { "verbs", true } };

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char conf[64];

		snprintf(conf, sizeof conf, "modules = ({ module = \"test/%s\"; });", rows[i].name);
		ck_assert_msg(made(conf), "%s", world_problem(&world, 0));
		ck_assert_msg(!!instance_lane(instance_at(world.generation, 0)) == rows[i].workers,
			"%s", rows[i].name);
		generation_unref(&world.generation);
	}
	finish();
}
END_TEST

/* ---- for whom ---------------------------------------------------------------------------- */

static const struct {
	const char *when, *listener;
	bool known, minds;
} clients[] = {
	{ "", "mx", false, true },
	{ "", "", true, true },
	{ "\"mx\"", "mx", false, true },
	{ "\"mx\"", "mx", true, true },
	{ "\"mx\"", "mx2", false, false },
	{ "\"mx\"", "m", false, false },
	{ "\"mx\"", "MX", false, false },
	{ "\"mx\"", "", false, false },
	{ "\"a\", \"mx\"", "mx", false, true },
	{ "\"authenticated\"", "mx", true, true },
	{ "\"authenticated\"", "mx", false, false },
	{ "\"anonymous\"", "mx", false, true },
	{ "\"anonymous\"", "mx", true, false },
	{ "\"anonymous\", \"authenticated\"", "mx", true, true },
	{ "\"anonymous\", \"authenticated\"", "mx", false, true },
	{ "\"authenticated\", \"mx\"", "mx", true, true },
	{ "\"authenticated\", \"mx\"", "mx", false, false },
	{ "\"authenticated\", \"mx\"", "in", true, false },
	{ "\"anonymous\", \"authenticated\", \"mx\"", "in", true, false },
};

START_TEST(when_says_for_which_clients_an_instance_is_asked)
{
	for (size_t i = 0; i < sizeof clients / sizeof *clients; i++) {
		struct tmail_client client = { .listener = tm_str(str_c(clients[i].listener)),
			.flags = clients[i].known ? TMAIL_CLIENT_AUTHENTICATED
						  : TMAIL_CLIENT_ESMTP };
		char conf[128];

		snprintf(conf, sizeof conf,
			"modules = ({ module = \"test/module\"; when = [ %s ]; });",
			clients[i].when);
		ck_assert_msg(made(conf), "%s", world_problem(&world, 0));
		for (int p = 0; p < TMAIL_POINTS; p++) {
			/* Beyond a session's life there is no client to look at. */
			bool minds = clients[i].minds || p > TMAIL_POINT_DISCONNECT;

			ck_assert_msg(instance_minds(instance_at(world.generation, 0),
					      (enum tmail_point)p, &client) == minds,
				"row %zu, point %d", i, p);
		}
		generation_unref(&world.generation);
	}
	finish();
}
END_TEST

TEST_MAIN("host/instance", settings_have_their_defaults, settings_are_what_was_said,
	settings_out_of_range_are_told_with_their_place,
	a_check_that_fails_is_told_in_its_words_or_ours,
	a_start_that_fails_is_told_in_its_words_or_ours_and_has_no_stop,
	an_instance_stops_with_the_last_who_has_it,
	what_is_only_checked_is_neither_started_nor_stopped, workers_are_for_those_who_wait,
	when_says_for_which_clients_an_instance_is_asked)
