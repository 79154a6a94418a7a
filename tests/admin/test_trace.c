/* SPDX-License-Identifier: MIT
 *
 * `trace`: what is found is told, and what is not found is told apart.
 */
#include "admin/verb.h"

#include "host/trail.h"
#include "sys/clock.h"
#include "tests/admin/collect.h"
#include "tests/lib/folder.h"
#include "tests/lib/test.h"

#include <stdio.h>

static char folder[TEST_FOLDER], path[TEST_FOLDER + 16];
static struct admin_calls calls;
static struct collect out;
static struct why why;

static void set_up(void)
{
	test_folder_make(folder);
	snprintf(path, sizeof path, "%s/trace", folder);
	log_threshold = LEVEL_ERROR;
	calls.trace_file = path;
	admin_setup(&calls);
	collect_init(&out);
	ck_assert_msg(trail_start(path, 1 << 20, &why), "%s", why.text);
}

static void tear_down(void)
{
	trail_stop();
	admin_setup(NULL);
	buf_free(&out.text);
	test_folder_remove(folder);
}

static struct id made(void)
{
	return id_make(clock_wall(), 0, 3);
}

static const char *traced(const char *text, enum verb_result expected)
{
	const struct str words[] = { STR("trace"), str_c(text) };

	buf_clear(&out.text);
	ck_assert_int_eq(verb_command(NULL, words, 2, true, &out.output), expected);
	return buf_c(&out.text);
}

static const char *traced_id(struct id id, enum verb_result expected)
{
	char text[ID_TEXT + 1];

	id_text(id, text);
	return traced(text, expected);
}

#define ASSERT_HAS(text, part) ck_assert_msg(strstr(text, part), "no '%s' in:\n%s", part, text)

START_TEST(an_event_is_a_row_with_its_time_its_place_and_what_else_there_is)
{
	struct id id, session;
	char text[ID_TEXT + 1];
	const char *said;

	set_up();
	session = made(), id = made();
	log_event(LEVEL_INFO, NULL, "deferred", LOG_ID("id", id), LOG_ID("session", session),
		LOG_C("host", "mx.test[192.0.2.1]:25"), LOG_C("reply", "451 not now"),
		LOG_C("none", ""), LOG_NUM("attempt", 2), LOG_NUM("ms", 17), LOG_NUM("retry", 60));
	said = traced_id(id, VERB_OK);
	ASSERT_HAS(said, "columns time|where|what|took|details\nrow 2");
	ASSERT_HAS(said, "Z|mx.test[192.0.2.1]:25|deferred|17 ms|session=");
	id_text(session, text);
	ASSERT_HAS(said, text);
	ASSERT_HAS(said, " reply=\"451 not now\" none=\"\" attempt=2 retry=2");
	id_text(id, text);
	ck_assert_ptr_null(strstr(said, text));
	tear_down();
}
END_TEST

START_TEST(the_same_is_told_when_nobody_writes_it_any_more)
{
	struct id id;

	set_up();
	id = made();
	log_event(LEVEL_DEBUG, NULL, "step", LOG_ID("id", id));
	ASSERT_HAS(traced_id(id, VERB_OK), "|step|");
	trail_stop();
	ASSERT_HAS(traced_id(id, VERB_OK), "|step|");
	tear_down();
}
END_TEST

START_TEST(what_is_older_than_all_and_what_never_was_are_told_apart)
{
	struct id old, id;

	set_up();
	ASSERT_HAS(traced_id(made(), VERB_FAILED), "nothing was kept yet");
	old = (struct id){ (uint64_t)clock_wall() - 60000000, 1 };
	id = made();
	log_event(LEVEL_INFO, NULL, "step", LOG_ID("id", id));
	ASSERT_HAS(traced_id(old, VERB_FAILED), "it is older than what is kept, since 2");
	ASSERT_HAS(traced_id(made(), VERB_FAILED), "there was no session or message");
	tear_down();
}
END_TEST

START_TEST(what_is_no_id_is_a_mistake_in_the_command_line)
{
	static const char *const bad[] = { "x", "000pgdt8oncib0000000002gt",
		"000pgdt8oncib!000000002gte", "000pgdt8oncib0000000002gtea",
		"000PGDT8ONCIB0000000002GTE", "z00pgdt8oncib0000000002gte" };

	set_up();
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ASSERT_HAS(traced(bad[i], VERB_USAGE), "is no id");
	tear_down();
}
END_TEST

START_TEST(without_a_file_it_says_why)
{
	set_up();
	trail_stop();
	calls.trace_file = NULL;
	ASSERT_HAS(traced_id(made(), VERB_FAILED), "log.trace_size is 0");
	calls.trace_file = "/nonexistent/trace";
	ASSERT_HAS(traced_id(made(), VERB_FAILED), "/nonexistent/trace: No such file");
	tear_down();
}
END_TEST

TEST_MAIN("admin/trace", an_event_is_a_row_with_its_time_its_place_and_what_else_there_is,
	the_same_is_told_when_nobody_writes_it_any_more,
	what_is_older_than_all_and_what_never_was_are_told_apart,
	what_is_no_id_is_a_mistake_in_the_command_line, without_a_file_it_says_why)
