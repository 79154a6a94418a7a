/* SPDX-License-Identifier: MIT
 *
 * Who said what, for explain and trace; and nothing when nobody wants it.
 */
#include "tests/host/world.h"

#include "host/record.h"

static struct world world;
static int sunk;

static enum tmail_verdict go_on(struct tmail_call *call, const union tmail_event *event)
{
	(void)call;
	(void)event;
	return TMAIL_CONTINUE;
}
static enum tmail_verdict refuse(struct tmail_call *call, const union tmail_event *event)
{
	(void)event;
	ck_assert_uint_eq(call->dry, world.subject.dry);
	call->host->reply(call, 571, "5.7.1", "because");
	return TMAIL_REJECT;
}
static const struct tmail_hook hooks_plain[] = { { TMAIL_POINT_MAIL, 0, go_on } };
static const struct tmail_hook hooks_dry[] = { { TMAIL_POINT_MAIL, TMAIL_DRY, refuse } };
MODULE(module_plain, "test/plain", .hooks = TMAIL_LIST(hooks_plain));
MODULE(module_dry, "test/dry", .hooks = TMAIL_LIST(hooks_dry));

static void sink(const struct subject *s, const struct record_entry *e)
{
	ck_assert_ptr_eq(s, &world.subject);
	ck_assert_int_eq(e->point, TMAIL_POINT_MAIL);
	ck_assert_int_ge(e->took, 0);
	sunk++;
}

static void begin(void)
{
	module_preload(&module_plain);
	module_preload(&module_dry);
	world_begin(
		&world, "modules = ({ module = \"test/plain\"; }, { module = \"test/dry\"; });");
}

START_TEST(a_dry_subject_keeps_who_said_what_and_who_was_not_asked)
{
	const struct record_entry *e;

	begin();
	world.subject.dry = true;
	world_ask(&world, TMAIL_POINT_MAIL);
	e = record_of(&world.subject);
	ck_assert_str_eq(instance_name(e->instance), "test/plain");
	ck_assert_int_eq(e->verdict, RECORD_NOT_ASKED);
	e = e->next;
	ck_assert_str_eq(instance_name(e->instance), "test/dry");
	ck_assert_int_eq(e->verdict, TMAIL_REJECT);
	ck_assert_uint_eq(e->code, 571);
	ASSERT_STR(e->words, "because");
	ck_assert_ptr_null(e->next);
	world_end(&world);
}
END_TEST

START_TEST(a_sink_hears_of_every_verdict_and_without_one_nothing_is_kept)
{
	begin();
	world_ask(&world, TMAIL_POINT_MAIL);
	ck_assert_ptr_null(record_of(&world.subject));
	record_sink(sink);
	world_ask(&world, TMAIL_POINT_MAIL);
	ck_assert_int_eq(sunk, 2);
	record_sink(NULL);
	world_end(&world);
}
END_TEST

START_TEST(the_record_of_a_long_session_has_an_end)
{
	int count = 0;

	begin();
	world.subject.dry = true;
	for (int i = 0; i < RECORD_MAX; i++)
		world_ask(&world, TMAIL_POINT_MAIL);
	for (const struct record_entry *e = record_of(&world.subject); e; e = e->next)
		count++;
	ck_assert_int_eq(count, RECORD_MAX);
	world_end(&world);
}
END_TEST

START_TEST(points_and_verdicts_have_names)
{
	for (int p = 0; p < TMAIL_POINTS; p++)
		ck_assert_uint_gt(strlen(point_name((enum tmail_point)p)), 1);
	ck_assert_str_eq(point_name(TMAIL_POINT_RCPT), "RCPT");
	ck_assert_str_eq(point_name(TMAIL_POINT_CHANGED), "CHANGED");
	ck_assert_str_eq(point_name(TMAIL_POINTS), "-");
	ck_assert_str_eq(verdict_name(TMAIL_HOLD), "HOLD");
	ck_assert_str_eq(verdict_name((enum tmail_verdict)99), "-");
}
END_TEST

TEST_MAIN("host/record", a_dry_subject_keeps_who_said_what_and_who_was_not_asked,
	a_sink_hears_of_every_verdict_and_without_one_nothing_is_kept,
	the_record_of_a_long_session_has_an_end, points_and_verdicts_have_names)
