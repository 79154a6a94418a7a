/* SPDX-License-Identifier: MIT
 *
 * Starting modules: who first, whose tables when, what is missing said with its place.
 */
#include "tests/host/world.h"

#include <tmail/service/queue.h>
#include <tmail/service/sql.h>

static char order[256];
static int start_status = TMAIL_OK, migrate_status = TMAIL_OK;
static uint32_t migrate_apply;
static bool check_fails;

static void said(const char *what, struct tmail_call *call)
{
	struct {
		int mark;
	} *self = call->self;

	strncat(order, what, sizeof order - strlen(order) - 1);
	if (self)
		self->mark++;
}

static int sql_start(struct tmail_call *call)
{
	said("S", call);
	return TMAIL_OK;
}
static void sql_stop(struct tmail_call *call)
{
	said("s", call);
}
static int migrate(struct tmail_call *call, const void *question, void *answer)
{
	const struct tmail_sql_migrate *m = question;
	struct tmail_sql_result *result = answer;

	said("M", call);
	migrate_apply = m->apply;
	ck_assert_uint_eq(m->steps.count, 1);
	ck_assert_str_eq(m->module, "test/feature");
	if (migrate_status != TMAIL_OK)
		result->why = tm_str(STR("the disk is full"));
	return migrate_status;
}
static const struct tmail_operation sql_operations[] = { { TMAIL_SQL_MIGRATE, TMAIL_BLOCKING,
	migrate } };
static const struct tmail_service sql_services[] = { { TMAIL_SQL, NULL,
	TMAIL_LIST(sql_operations) } };
MODULE(module_sql, "test/sql", .services = TMAIL_LIST(sql_services), .start = sql_start,
	.stop = sql_stop);
MODULE(module_sql2, "test/sql2", .services = TMAIL_LIST(sql_services));

struct conf {
	int64_t number;
	struct tmail_str text;
};
static int feature_check(struct tmail_call *call)
{
	const struct conf *conf = call->conf;

	ck_assert_ptr_null(call->self);
	if (check_fails)
		call->host->reply(call, 0, NULL, "number %d is odd", (int)conf->number);
	return check_fails ? TMAIL_REFUSED : TMAIL_OK;
}
static int feature_start(struct tmail_call *call)
{
	said("F", call);
	if (start_status != TMAIL_OK)
		call->host->reply(call, 0, NULL, "cannot reach %s", "the moon");
	return start_status;
}
static void feature_stop(struct tmail_call *call)
{
	said("f", call);
}
static const struct tmail_migration migrations[] = { { 1, "create table x (y integer)" } };
static const struct tmail_option options[] = {
	TMAIL_INT(struct conf, number, "number", "7", 0, 100, "A number."),
	TMAIL_STRING(struct conf, text, "text", NULL, "A text."),
};
MODULE(module_feature, "test/feature", .capabilities = TMAIL_CAN_SQL,
	.migrations = TMAIL_LIST(migrations), .options = TMAIL_LIST(options),
	.conf_size = sizeof(struct conf), .self_size = 4, .check = feature_check,
	.start = feature_start, .stop = feature_stop);

static int other_start(struct tmail_call *call)
{
	said("O", call);
	return TMAIL_OK;
}
static void other_stop(struct tmail_call *call)
{
	said("o", call);
}
MODULE(module_other, "test/other", .start = other_start, .stop = other_stop);

static int queue_op(struct tmail_call *call, const void *question, void *answer)
{
	(void)call;
	(void)question;
	(void)answer;
	return TMAIL_OK;
}
static const struct tmail_operation queue_operations[] = { { TMAIL_QUEUE_WRITE, TMAIL_BLOCKING,
	queue_op } };
static const struct tmail_service queue_services[] = { { TMAIL_QUEUE, NULL,
	TMAIL_LIST(queue_operations) } };
MODULE(module_queue, "test/queue", .services = TMAIL_LIST(queue_services));

static struct world world;

static void preload(void)
{
	module_preload(&module_sql);
	module_preload(&module_sql2);
	module_preload(&module_feature);
	module_preload(&module_other);
	module_preload(&module_queue);
	world.loop = world.loops[0] = loop_new(0, NULL);
}
static void finish(void)
{
	generation_unref(&world.generation);
	loop_free(&world.loop);
	problems_free(&world.problems);
}
/* Mistakes of an earlier one are forgotten; those of the last are in world.problems. */
static struct generation *made(const char *conf, enum purpose purpose)
{
	problems_free(&world.problems);
	world.generation = world_generation(&world, conf, purpose, NULL);
	return world.generation;
}

#define M(name) "{ module = \"test/" name "\"; }"

START_TEST(who_keeps_rows_starts_first_then_tables_are_made_then_the_rest)
{
	preload();
	ck_assert(made("modules = (" M("feature") "," M("other") "," M("sql") ");", PURPOSE_SERVE));
	ck_assert_str_eq(order, "SMFO");
	ck_assert_uint_eq(migrate_apply, 1);
	generation_unref(&world.generation);
	ck_assert_str_eq(order, "SMFOofs"); /* the other way round, rows last */
	finish();
}
END_TEST

START_TEST(what_was_started_is_stopped_when_one_fails)
{
	preload();
	start_status = TMAIL_TRY_LATER;
	ck_assert(
		!made("modules = (" M("other") "," M("feature") "," M("sql") ");", PURPOSE_SERVE));
	ck_assert_str_eq(order, "SMOFos");
	ck_assert_uint_eq(world.problems.count, 1);
	ASSERT_HAS(world_problem(&world, 0), "test.conf:1");
	ASSERT_HAS(world_problem(&world, 0),
		"module 'test/feature' cannot start: cannot reach the moon");
	finish();
}
END_TEST

START_TEST(a_check_reads_all_and_starts_nothing)
{
	preload();
	ck_assert(made("modules = (" M("feature") "," M("sql") ");", PURPOSE_CHECK));
	ck_assert_str_eq(order, "");
	generation_unref(&world.generation);
	check_fails = true;
	ck_assert(!made("modules = ({ module = \"test/feature\"; number = 3; }," M("sql") ");",
		PURPOSE_CHECK));
	ASSERT_HAS(world_problem(&world, 0), "number 3 is odd");
	finish();
}
END_TEST

static struct generation *administered(const char *only, bool create)
{
	const char *names[] = { only, NULL };
	static const char *const nowhere[] = { NULL };
	const struct generation_setup setup = { .purpose = PURPOSE_ADMIN,
		.conf = conf_parse(STR("modules = (" M("other") "," M("feature") "," M("sql") ");"),
			"test.conf", &world.problems),
		.module_dirs = nowhere,
		.only = names,
		.create = create };

	problems_free(&world.problems);
	return world.generation = generation_new(&setup, NULL, &world.problems);
}

START_TEST(a_command_starts_only_what_it_needs)
{
	preload();
	ck_assert(administered("test/feature", false));
	ck_assert_str_eq(order, "SMF");
	ck_assert_uint_eq(migrate_apply, 0);
	generation_unref(&world.generation);
	order[0] = '\0';
	ck_assert(administered(NULL, false));
	ck_assert_str_eq(order, "S");
	finish();
}
END_TEST

START_TEST(missing_tables_are_told_with_the_command_that_makes_them)
{
	preload();
	migrate_status = TMAIL_NOT_FOUND;
	ck_assert(!administered("test/feature", false));
	ASSERT_HAS(world_problem(&world, 0), "tmail db init");
	migrate_status = TMAIL_TRY_LATER;
	ck_assert(!administered("test/feature", false));
	ASSERT_HAS(world_problem(&world, 0), "the disk is full");
	ck_assert_str_eq(order, "SMsSMs");
	finish();
}
END_TEST

START_TEST(a_module_with_tables_needs_somebody_who_keeps_rows)
{
	preload();
	ck_assert(!made("modules = (" M("feature") ");", PURPOSE_SERVE));
	ASSERT_HAS(world_problem(&world, 0), "test.conf:1");
	ASSERT_HAS(world_problem(&world, 0), "store/sqlite");
	ck_assert(made("modules = (" M("other") ");", PURPOSE_SERVE));
	finish();
}
END_TEST

START_TEST(there_is_one_queue_and_one_sql)
{
	preload();
	ck_assert(
		!made("modules = (" M("queue") ",\n { module = \"test/queue\"; name = \"two\"; });",
			PURPOSE_SERVE));
	ASSERT_HAS(world_problem(&world, 0), "test.conf:2");
	ASSERT_HAS(world_problem(&world, 0), "'queue'");
	ck_assert(!made("modules = (" M("sql") "," M("sql2") ");", PURPOSE_SERVE));
	ASSERT_HAS(world_problem(&world, 0), "'sql'");
	finish();
}
END_TEST

START_TEST(two_of_a_module_need_two_names)
{
	preload();
	ck_assert(!made("modules = (" M("other") "," M("other") ");", PURPOSE_CHECK));
	ASSERT_HAS(world_problem(&world, 0), "give one another `name`");
	ck_assert(made("modules = (" M("other") ", { module = \"test/other\"; name = \"b\"; });",
		PURPOSE_CHECK));
	ck_assert_str_eq(instance_name(instance_at(world.generation, 1)), "b");
	finish();
}
END_TEST

START_TEST(all_mistakes_are_told_in_one_run)
{
	preload();
	ck_assert(!made(
		"modules = (\n{ module = \"test/nothing\"; },\n{ module = \"../x\"; },\n{ },\n"
		"{ module = \"test/feature\"; number = 1000; nmber = 1; },\n"
		"{ module = \"test/other\"; workers = 0; } );",
		PURPOSE_CHECK));
	ck_assert_uint_ge(world.problems.count, 6);
	ASSERT_HAS(world_problem(&world, 0), "test.conf:2");
	ASSERT_HAS(world_problem(&world, 0), "there is no module 'test/nothing'");
	ASSERT_HAS(world_problem(&world, 1), "AREA/NAME");
	finish();
}
END_TEST

START_TEST(no_modules_at_all_are_a_generation)
{
	preload();
	ck_assert(made("", PURPOSE_SERVE));
	ck_assert_uint_eq(instance_count(world.generation), 0);
	finish();
}
END_TEST

TEST_MAIN("host/startup", who_keeps_rows_starts_first_then_tables_are_made_then_the_rest,
	what_was_started_is_stopped_when_one_fails, a_check_reads_all_and_starts_nothing,
	a_command_starts_only_what_it_needs,
	missing_tables_are_told_with_the_command_that_makes_them,
	a_module_with_tables_needs_somebody_who_keeps_rows, there_is_one_queue_and_one_sql,
	two_of_a_module_need_two_names, all_mistakes_are_told_in_one_run,
	no_modules_at_all_are_a_generation)
