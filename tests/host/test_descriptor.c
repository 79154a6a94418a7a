/* SPDX-License-Identifier: MIT
 *
 * What a module says of itself: everything that can be wrong is refused with its reason, before
 * anything of it runs; what is only older or newer is taken.
 */
#include "host/module.h"

#include "tests/host/world.h"

static struct arena *arena;
static struct why why;

struct conf {
	int32_t flag;
	int64_t number;
	struct tmail_str text;
};

static void end(struct tmail_call *call)
{
	(void)call;
}

static struct tmail_option options[2];
static struct tmail_hook hooks[2];
static struct tmail_operation operations[2];
static struct tmail_service services[1];
static struct tmail_migration migrations[2];
static struct tmail_argument arguments[1];
static struct tmail_verb verbs[1];
static struct tmail_metric metrics[1];
static struct tmail_module module;

/* A module with something of everything, and all of it right. */
static void good(void)
{
	const struct tmail_option o[] = {
		TMAIL_BOOL(struct conf, flag, "flag", "false", "A flag."),
		TMAIL_STRING(struct conf, text, "text", NULL, "A text."),
	};
	memcpy(options, o, sizeof o);
	hooks[0] = (struct tmail_hook){ TMAIL_POINT_MAIL, TMAIL_BLOCKING, world_hook };
	hooks[1] = (struct tmail_hook){ TMAIL_POINT_HEADER, 0, world_hook };
	operations[0] = (struct tmail_operation){ 1, TMAIL_BLOCKING, world_operation };
	operations[1] = (struct tmail_operation){ 2, 0, world_operation };
	services[0] = (struct tmail_service){ "test", NULL, TMAIL_LIST(operations) };
	migrations[0] = (struct tmail_migration){ 1, "create table a (b integer)" };
	migrations[1] = (struct tmail_migration){ 2, "create table b (b integer)" };
	arguments[0] = (struct tmail_argument){ "NAME", NULL, TMAIL_TYPE_STRING, TMAIL_POSITIONAL,
		"A name." };
	verbs[0] = (struct tmail_verb){ "test do", "Does.", TMAIL_ROLE_ADMIN, 0,
		TMAIL_LIST(arguments), world_verb };
	metrics[0] = (struct tmail_metric){ "test_things", TMAIL_COUNTER, "Things." };
	module = (struct tmail_module){ .magic = TMAIL_MAGIC,
		.abi_major = TMAIL_ABI_MAJOR,
		.abi_minor = TMAIL_ABI_MINOR,
		.abi_needs = TMAIL_ABI_MINOR,
		.size = sizeof module,
		.capabilities = TMAIL_CAN_READ | TMAIL_CAN_SQL,
		.name = "test/good",
		.version = "1",
		.summary = "A module.",
		.conf_size = sizeof(struct conf),
		.options = TMAIL_LIST(options),
		.hooks = TMAIL_LIST(hooks),
		.services = TMAIL_LIST(services),
		.migrations = TMAIL_LIST(migrations),
		.verbs = TMAIL_LIST(verbs),
		.metrics = TMAIL_LIST(metrics) };
	why.text[0] = '\0';
	if (!arena)
		arena = arena_new(1024);
}

static const struct tmail_module *checked(void)
{
	return descriptor_check(&module, "test/good", arena, &why);
}

static void finish(void)
{
	arena_free(&arena);
}

#define REFUSED(change, part)                                                                      \
	do {                                                                                       \
		good();                                                                            \
		change;                                                                            \
		ck_assert_msg(!checked(), "taken: %s", #change);                                   \
		ASSERT_HAS(why.text, part);                                                        \
	} while (0)

START_TEST(a_module_that_is_right_is_taken)
{
	const struct tmail_module *m;

	good();
	m = checked();
	ck_assert_msg(m != NULL, "%s", why.text);
	ck_assert_uint_eq(m->options.count, 2);
	ck_assert_uint_eq(TMAIL_AT(struct tmail_service, m->services, 0)->operations.count, 2);
	finish();
}
END_TEST

START_TEST(what_is_no_module_or_of_another_abi_is_refused)
{
	REFUSED(module.magic = 1, "magic");
	REFUSED(module.abi_major = 7, "abi 7.1, core has 0.1");
	REFUSED((module.abi_minor = 3, module.abi_needs = 3), "needs abi 0.3, core has 0.1");
	REFUSED(module.size = 16, "octets");
	REFUSED(module.name = "test/other", "calls itself 'test/other'");
	REFUSED(module.name = NULL, "calls itself");
	REFUSED(module.summary = "", "summary");
	REFUSED(module.self_size = SIZE_MAX, "larger");
	finish();
}
END_TEST

START_TEST(an_end_of_what_has_no_memory_is_refused)
{
	REFUSED(module.session_end = end, "session_size");
	REFUSED(module.message_end = end, "message_size");
	REFUSED(module.loop_end = end, "loop_size");
	finish();
}
END_TEST

START_TEST(an_option_must_lie_in_conf_and_be_told_what_it_is)
{
	REFUSED(options[0].name = "Flag", "a-z");
	REFUSED(options[0].name = NULL, "a-z");
	REFUSED(options[0].type = 77, "unknown type 77");
	REFUSED(options[1].offset = sizeof(struct conf) - 8, "outside of conf");
	REFUSED(options[1].offset = SIZE_MAX - 3, "outside of conf");
	REFUSED(module.conf_size = 0, "outside of conf");
	REFUSED(options[0].offset = 2, "aligned");
	REFUSED(options[0].summary = NULL, "summary");
	REFUSED(options[1].name = "flag", "twice");
	REFUSED((options[0].min = 2, options[0].max = 1), "minimum");
	REFUSED(options[0].type = TMAIL_TYPE_CHOICE, "choices");
	finish();
}
END_TEST

START_TEST(groups_of_groups_are_checked_and_have_an_end)
{
	good();
	options[1].type = TMAIL_TYPE_GROUPS;
	options[1].stride = sizeof(struct conf);
	options[1].options = (struct tmail_list){ options, 1, sizeof *options };
	ck_assert_msg(checked() != NULL, "%s", why.text);
	REFUSED((options[1].type = TMAIL_TYPE_GROUPS, options[1].stride = sizeof(struct conf),
			options[1].options =
				(struct tmail_list){ options + 1, 1, sizeof *options }),
		"nested");
	REFUSED((options[1].type = TMAIL_TYPE_GROUPS, options[1].stride = 0), "groups of 0");
	finish();
}
END_TEST

START_TEST(a_hook_has_a_point_a_function_and_flags_that_fit)
{
	REFUSED(hooks[0].run = NULL, "no function");
	REFUSED(hooks[0].point = TMAIL_POINTS, "unknown point");
	REFUSED(hooks[0].flags = 1u << 20, "unknown flags");
	REFUSED(hooks[1].flags = TMAIL_BLOCKING, "HEADER or BODY cannot be TMAIL_BLOCKING");
	REFUSED((hooks[1].point = TMAIL_POINT_BODY, hooks[1].flags = TMAIL_BLOCKING), "EOM");
	REFUSED(hooks[0].flags = TMAIL_BLOCKING | TMAIL_WAITS, "not both");
	REFUSED(hooks[0].flags = TMAIL_STREAM, "HEADER to EOM");
	REFUSED(hooks[1].flags = TMAIL_STREAM | TMAIL_WAITS, "cannot wait");
	REFUSED(hooks[1].flags = TMAIL_STREAM, "others that wait");
	REFUSED(module.capabilities = TMAIL_CAN_SQL, "TMAIL_CAN_READ");
	REFUSED(hooks[1] = hooks[0], "two hooks");
	REFUSED((hooks[0].point = TMAIL_POINT_TICK, hooks[0].flags = TMAIL_WAITS), "no loop");
	finish();
}
END_TEST

START_TEST(services_migrations_verbs_and_metrics_are_whole)
{
	REFUSED(services[0].name = "Q", "service");
	REFUSED(operations[1].op = 1, "twice");
	REFUSED(operations[0].run = NULL, "no function");
	REFUSED(migrations[1].number = 1, "rise");
	REFUSED(migrations[0].number = 0, "start at 1");
	REFUSED(migrations[1].sql = "", "empty");
	REFUSED(module.capabilities = TMAIL_CAN_READ, "TMAIL_CAN_SQL");
	REFUSED(verbs[0].run = NULL, "no function");
	REFUSED(verbs[0].role = 9, "role");
	REFUSED(verbs[0].name = "Do", "verb");
	REFUSED(verbs[0].summary = "", "summary");
	REFUSED(arguments[0].type = TMAIL_TYPE_GROUPS, "type");
	REFUSED(arguments[0].name = "", "no name");
	REFUSED(metrics[0].name = "Things", "metric");
	REFUSED(metrics[0].kind = 5, "kind");
	finish();
}
END_TEST

START_TEST(a_list_without_elements_or_of_wrong_ones_is_refused)
{
	REFUSED(module.hooks.item = NULL, "no list");
	REFUSED(module.hooks.count = 1u << 30, "too many");
	REFUSED(module.hooks.stride = 8, "at least");
	REFUSED(module.options.stride = 0, "at least");
	REFUSED(services[0].operations.stride = 9, "at least");
	finish();
}
END_TEST

START_TEST(what_only_a_later_core_knows_is_left_out)
{
	const struct tmail_module *m;

	good();
	module.abi_minor = TMAIL_ABI_MINOR + 1;
	hooks[0].point = TMAIL_POINTS + 3;
	hooks[1].flags = 1u << 20;
	m = checked();
	ck_assert_msg(m != NULL, "%s", why.text);
	ck_assert_uint_eq(m->hooks.count, 1);
	ck_assert_uint_eq(TMAIL_AT(struct tmail_hook, m->hooks, 0)->point, TMAIL_POINT_HEADER);
	finish();
}
END_TEST

START_TEST(names_of_modules_are_an_area_and_a_name)
{
	ck_assert(module_name_valid("route/mx"));
	ck_assert(module_name_valid("a-b/c_9"));
	ck_assert(!module_name_valid("mx"));
	ck_assert(!module_name_valid("route/"));
	ck_assert(!module_name_valid("/mx"));
	ck_assert(!module_name_valid("a/b/c"));
	ck_assert(!module_name_valid("../mx"));
	ck_assert(!module_name_valid("route/M"));
	ck_assert(!module_name_valid(""));
}
END_TEST

TEST_MAIN("host/descriptor", a_module_that_is_right_is_taken,
	what_is_no_module_or_of_another_abi_is_refused, an_end_of_what_has_no_memory_is_refused,
	an_option_must_lie_in_conf_and_be_told_what_it_is,
	groups_of_groups_are_checked_and_have_an_end,
	a_hook_has_a_point_a_function_and_flags_that_fit,
	services_migrations_verbs_and_metrics_are_whole,
	a_list_without_elements_or_of_wrong_ones_is_refused,
	what_only_a_later_core_knows_is_left_out, names_of_modules_are_an_area_and_a_name)
