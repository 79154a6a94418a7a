/* SPDX-License-Identifier: MIT
 *
 * The table of verbs, and a command line from its words to its rows.
 */
#include "tests/admin/command.h"

#include <stdlib.h>

static void begin(void)
{
	static const char *const only[] = { "route/fake", NULL };

	command_begin(FAKE_MODULES, only);
}

START_TEST(verbs_of_core_and_modules_are_one_table_in_order)
{
	size_t count;
	struct verb *verbs;

	begin();
	verbs = verbs_of(generation, &count);
	for (size_t i = 1; i < count; i++)
		ck_assert_int_lt(strcmp(verbs[i - 1].name, verbs[i].name), 0);
	ck_assert_ptr_nonnull(verb_named(verbs, count, STR("queue list")));
	ck_assert_ptr_nonnull(verb_named(verbs, count, STR("fake show"))->module_verb);
	ck_assert_msg(verb_named(verbs, count, STR("status"))->run,
		"a module cannot take a verb of the core");
	free(verbs);
	command_end();
}
END_TEST

START_TEST(every_verb_says_what_it_does_and_what_it_takes)
{
	size_t count;
	struct verb *verbs = verbs_of(NULL, &count);

	ck_assert_uint_ge(count, 16);
	for (size_t i = 0; i < count; i++) {
		ck_assert_msg(verbs[i].summary && *verbs[i].summary, "%s", verbs[i].name);
		ck_assert_msg(verbs[i].run, "%s", verbs[i].name);
		TMAIL_EACH(struct tmail_argument, a, verbs[i].arguments) {
			ck_assert_msg(a->summary && *a->summary, "%s %s", verbs[i].name, a->name);
		}
	}
	free(verbs);
}
END_TEST

START_TEST(a_module_gets_the_values_and_its_rows_come_back)
{
	begin();
	ck_assert_int_eq(command_run("fake show -l 5 one", true), VERB_OK);
	ck_assert_str_eq(buf_c(&out.text),
		"columns name|value\nrow level|5\nrow NAME|one\nsay 2 values\nprogress 1/2\n");
	command_end();
}
END_TEST

START_TEST(a_secret_given_as_a_dash_is_asked_for)
{
	begin();
	out.secret = "s3cret";
	ck_assert_int_eq(command_run("fake show one -", true), VERB_OK);
	ck_assert_ptr_nonnull(strstr(buf_c(&out.text), "row PASSWORD|s3cret\n"));
	out.secret = NULL;
	ck_assert_int_eq(command_run("fake show one -", true), VERB_FAILED);
	ck_assert_str_eq(buf_c(&out.text), "fail fake show: PASSWORD: nothing was given\n");
	ck_assert_int_eq(command_run("fake show -", true), VERB_OK);
	ck_assert_msg(strstr(buf_c(&out.text), "row NAME|-\n"), "only secrets are asked for");
	command_end();
}
END_TEST

START_TEST(a_verb_that_fails_says_why)
{
	begin();
	ck_assert_int_eq(command_run("fake refuse", true), VERB_FAILED);
	ck_assert_str_eq(buf_c(&out.text), "fail there is no such thing\n");
	ck_assert_int_eq(command_run("fake silent", true), VERB_FAILED);
	ck_assert_ptr_nonnull(strstr(buf_c(&out.text), "fail fake silent: "));
	command_end();
}
END_TEST

START_TEST(a_verb_that_needs_the_server_says_so_when_it_is_stopped)
{
	begin();
	ck_assert_int_eq(command_run("fake running", true), VERB_FAILED);
	ck_assert_str_eq(buf_c(&out.text), "fail fake running: the server is stopped\n");
	ck_assert_int_eq(command_run("status", true), VERB_FAILED);
	ck_assert_str_eq(buf_c(&out.text), "fail status: the server is stopped\n");
	command_end();
}
END_TEST

START_TEST(words_that_name_no_verb_are_a_usage_error)
{
	static const struct {
		const char *line, *why;
	} cases[] = {
		{ "", "fail a command is missing" },
		{ "fake", "fail fake: one of refuse, running, show, silent is missing" },
		{ "fake shwo", "fail there is no command 'fake shwo', did you mean 'fake show'?" },
		{ "fake zzzzzzzzz", "fail there is no command 'fake zzzzzzzzz'; there are: " },
		{ "staus", "fail there is no command 'staus', did you mean 'status'?" },
		{ "zzzzzzzzz", "fail there is no command 'zzzzzzzzz'; see tmail help" },
		{ "fake show", "fail fake show: NAME is missing; see tmail fake show --help" },
	};

	begin();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		ck_assert_msg(command_run(cases[i].line, true) == VERB_USAGE, "%s", cases[i].line);
		ck_assert_msg(str_starts(buf_str(&out.text), str_c(cases[i].why)), "%s: %s",
			cases[i].line, buf_c(&out.text));
	}
	command_end();
}
END_TEST

START_TEST(help_is_the_usage_and_runs_nothing)
{
	begin();
	ck_assert_int_eq(command_run("fake refuse --help", true), VERB_OK);
	ck_assert(str_starts(buf_str(&out.text), STR("say usage: tmail fake refuse\n\nRefuses.")));
	command_end();
}
END_TEST

START_TEST(a_verb_of_a_module_that_is_not_configured_says_so)
{
	static const char *const none[] = { NULL };
	static const struct admin_calls calls = { .module_dirs = fake_folders };
	static const char said[] = "fail fake: module route/fake is not in the configuration\n";

	command_begin("", none);
	admin_setup(&calls);
	ck_assert_str_eq(printed("fake show x", VERB_USAGE), said);
	ck_assert_str_eq(printed("fake", VERB_USAGE), said);
	ck_assert_str_eq(printed("fake shwo", VERB_USAGE), said);
	ck_assert_ptr_nonnull(strstr(printed("fakes", VERB_USAGE), "there is no command 'fakes'"));
	ck_assert_ptr_nonnull(strstr(printed("show", VERB_USAGE), "there is no command 'show'"));
	/* of a group that others have too, only what it would have */
	ck_assert_str_eq(printed("queue fake", VERB_USAGE),
		"fail queue: module route/fake is not in the configuration\n");
	ck_assert_ptr_nonnull(
		strstr(printed("queue lits", VERB_USAGE), "did you mean 'queue list'"));
	admin_setup(NULL); /* nowhere to look */
	ck_assert_ptr_nonnull(strstr(printed("fake show x", VERB_USAGE), "there is no command"));
	command_end();
}
END_TEST

TEST_MAIN("admin/verb", verbs_of_core_and_modules_are_one_table_in_order,
	every_verb_says_what_it_does_and_what_it_takes,
	a_module_gets_the_values_and_its_rows_come_back, a_secret_given_as_a_dash_is_asked_for,
	a_verb_that_fails_says_why, a_verb_that_needs_the_server_says_so_when_it_is_stopped,
	words_that_name_no_verb_are_a_usage_error, help_is_the_usage_and_runs_nothing,
	a_verb_of_a_module_that_is_not_configured_says_so)
