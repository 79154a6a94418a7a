/* SPDX-License-Identifier: MIT
 *
 * Who is asked at which point, in which order; who sees content; whose services there are.
 */
#include "tests/host/world.h"

#include "host/instance.h"

static struct world world;

static const struct tmail_hook plain[] = { { TMAIL_POINT_MAIL, 0, world_hook },
	{ TMAIL_POINT_RCPT, TMAIL_LAST, world_hook } };
static const struct tmail_hook early[] = { { TMAIL_POINT_MAIL, TMAIL_FIRST, world_hook },
	{ TMAIL_POINT_RCPT, 0, world_hook } };
static const struct tmail_hook late[] = { { TMAIL_POINT_MAIL, TMAIL_LAST, world_hook },
	{ TMAIL_POINT_RCPT, TMAIL_FIRST, world_hook } };
MODULE(module_a, "test/a", .hooks = TMAIL_LIST(plain));
MODULE(module_b, "test/b", .hooks = TMAIL_LIST(plain));
MODULE(module_early, "test/early", .hooks = TMAIL_LIST(early));
MODULE(module_early2, "test/early2", .hooks = TMAIL_LIST(early));
MODULE(module_late, "test/late", .hooks = TMAIL_LIST(late));
MODULE(module_late2, "test/late2", .hooks = TMAIL_LIST(late));

/* Content: whole, streamed, both; FIRST or LAST at any of its points is that of the module. */
static const struct tmail_hook whole[] = { { TMAIL_POINT_EOM, 0, world_hook } };
static const struct tmail_hook whole_last[] = { { TMAIL_POINT_HEADER, 0, world_hook },
	{ TMAIL_POINT_EOM, TMAIL_LAST, world_hook } };
static const struct tmail_hook whole_first[] = { { TMAIL_POINT_BODY, TMAIL_FIRST, world_hook },
	{ TMAIL_POINT_EOM, 0, world_hook } };
static const struct tmail_hook stream[] = { { TMAIL_POINT_BODY, TMAIL_STREAM, world_hook } };
static const struct tmail_hook stream_first[] = { { TMAIL_POINT_BODY, TMAIL_STREAM | TMAIL_FIRST,
	world_hook } };
static const struct tmail_hook both[] = { { TMAIL_POINT_HEADER, TMAIL_STREAM, world_hook },
	{ TMAIL_POINT_EOM, 0, world_hook } };
#define READS .capabilities = TMAIL_CAN_READ
MODULE(module_whole, "test/whole", READS, .hooks = TMAIL_LIST(whole));
MODULE(module_whole_last, "test/whole-last", READS, .hooks = TMAIL_LIST(whole_last));
MODULE(module_whole_first, "test/whole-first", READS, .hooks = TMAIL_LIST(whole_first));
MODULE(module_stream, "test/stream", READS, .hooks = TMAIL_LIST(stream));
MODULE(module_stream_first, "test/stream-first", READS, .hooks = TMAIL_LIST(stream_first));
MODULE(module_both, "test/both", READS, .hooks = TMAIL_LIST(both));

static const struct tmail_operation operations[] = { { 1, 0, world_operation } };
static const struct tmail_service services[] = { { "one", NULL, TMAIL_LIST(operations) },
	{ "two", "key", TMAIL_LIST(operations) } };
MODULE(module_serves, "test/serves", .services = TMAIL_LIST(services));

static const struct tmail_module *const modules[] = { &module_a, &module_b, &module_early,
	&module_early2, &module_late, &module_late2, &module_whole, &module_whole_last,
	&module_whole_first, &module_stream, &module_stream_first, &module_both, &module_serves };

/* names: "a b c", in the order of the configuration. */
static void begin(const char *names)
{
	struct buf conf = { 0 };
	struct str rest = str_c(names), name;

	for (size_t i = 0; i < sizeof modules / sizeof *modules; i++)
		module_preload(modules[i]);
	buf_add_c(&conf, "modules = (");
	for (bool more = false; str_word(&rest, &name); more = true)
		buf_printf(&conf, "%s{ module = \"test/%.*s\"; }", more ? ", " : "", STR_ARG(name));
	buf_add_c(&conf, ");");
	world_begin(&world, buf_c(&conf));
	buf_free(&conf);
}

/* Who is asked, by name, in order; each at the position of its instance. */
static void assert_hooks(enum tmail_point point, const char *expected)
{
	const struct hooks *hooks = &world.generation->points[point];
	struct buf names = { 0 };

	for (unsigned i = 0; i < hooks->count; i++) {
		const struct hook *h = &hooks->item[i];

		ck_assert_ptr_eq(world.generation->instances[h->position], h->instance);
		ck_assert(h->run == world_hook);
		buf_printf(&names, "%s%s", i ? " " : "", instance_name(h->instance) + 5);
	}
	ck_assert_str_eq(buf_c(&names), expected);
	buf_free(&names);
}

START_TEST(points_are_asked_in_the_order_of_the_configuration_between_first_and_last)
{
	begin("late a early late2 b early2");
	assert_hooks(TMAIL_POINT_MAIL, "early early2 a b late late2");
	assert_hooks(TMAIL_POINT_RCPT, "late late2 early early2 a b");
	assert_hooks(TMAIL_POINT_DATA, "");
	world_end(&world);
	begin("early2 b late2 early a late");
	assert_hooks(TMAIL_POINT_MAIL, "early2 early b a late2 late");
	world_end(&world);
}
END_TEST

static void assert_contents(const char *expected, unsigned streams)
{
	const struct generation *g = world.generation;
	struct buf names = { 0 };

	for (unsigned i = 0; i < g->content_count; i++) {
		const struct content_hooks *c = &g->contents[i];

		ck_assert_int_eq(c->stream, i < g->stream_count);
		buf_printf(&names, "%s%s", i ? " " : "", instance_name(c->at[0].instance) + 5);
		for (unsigned n = 0; n < CONTENT_POINTS; n++) {
			ck_assert_ptr_eq(g->instances[c->at[n].position], c->at[0].instance);
			if (c->at[n].run)
				ck_assert_int_eq(!!(c->at[n].flags & TMAIL_STREAM), c->stream);
		}
	}
	ck_assert_str_eq(buf_c(&names), expected);
	ck_assert_uint_eq(g->stream_count, streams);
	buf_free(&names);
}

START_TEST(those_that_stream_come_before_those_that_read_the_whole)
{
	begin("whole-last whole stream whole-first stream-first a");
	assert_contents("stream-first stream whole-first whole whole-last", 2);
	ck_assert(chain_hooked(world.generation, TMAIL_POINT_BODY));
	ck_assert(chain_hooked(world.generation, TMAIL_POINT_EOM));
	ck_assert(!chain_hooked(world.generation, TMAIL_POINT_EOH));
	world_end(&world);
}
END_TEST

START_TEST(a_module_may_do_both_and_is_in_both_with_its_part)
{
	const struct content_hooks *c;

	begin("whole both");
	assert_contents("both whole both", 1);
	c = world.generation->contents;
	ck_assert(c[0].at[0].run && !c[0].at[3].run); /* HEADER as it comes */
	ck_assert(!c[2].at[0].run && c[2].at[3].run); /* EOM of the whole */
	world_end(&world);
}
END_TEST

START_TEST(services_are_those_of_all_modules)
{
	const struct generation *g;

	begin("a serves b");
	g = world.generation;
	ck_assert_uint_eq(g->service_count, 2);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_str_eq(g->services[i].declared->name, i ? "two" : "one");
		ck_assert_uint_eq(g->services[i].position, 1);
		ck_assert_ptr_eq(g->services[i].instance, g->instances[1]);
		ck_assert_ptr_eq(g->services[i].generation, g);
	}
	world_end(&world);
}
END_TEST

START_TEST(without_modules_nobody_is_asked)
{
	begin("");
	for (unsigned p = 0; p < TMAIL_POINTS; p++)
		ck_assert(!chain_hooked(world.generation, (enum tmail_point)p));
	assert_contents("", 0);
	ck_assert_uint_eq(world.generation->service_count, 0);
	world_end(&world);
}
END_TEST

TEST_MAIN("host/order", points_are_asked_in_the_order_of_the_configuration_between_first_and_last,
	those_that_stream_come_before_those_that_read_the_whole,
	a_module_may_do_both_and_is_in_both_with_its_part, services_are_those_of_all_modules,
	without_modules_nobody_is_asked)
