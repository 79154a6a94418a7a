/* SPDX-License-Identifier: MIT
 *
 * The table of verbs, and a command line from its words to its rows.
 */
#include "admin/verb.h"

#include "tests/admin/collect.h"
#include "tests/admin/modules.h"
#include "tests/lib/test.h"

#include <stdlib.h>

static struct generation *generation;
static struct collect out;

static void begin(void)
{
	struct problems problems = { 0 };
	static const char *const only[] = { "route/fake", NULL };
	struct generation_setup setup = {
		.purpose = PURPOSE_ADMIN, .module_dirs = fake_folders, .only = only, .create = true
	};

	fake_modules_load();
	setup.conf = conf_parse(STR(FAKE_MODULES), "tmail.conf", &problems);
	generation = generation_new(&setup, NULL, &problems);
	ck_assert_msg(generation, "%s", problems.count ? problems.text[0] : "");
	generation_install(generation_ref(generation));
	collect_init(&out);
}

static void end(void)
{
	generation_install(NULL);
	generation_unref(&generation);
	buf_free(&out.text);
}

static enum verb_result command(const char *line, bool offline)
{
	struct str words[16], rest = str_c(line), word;
	size_t n = 0;

	while (str_word(&rest, &word))
		words[n++] = word;
	buf_clear(&out.text);
	return verb_command(generation, words, n, offline, &out.output);
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
	end();
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
	ck_assert_int_eq(command("fake show -l 5 one", true), VERB_OK);
	ck_assert_str_eq(buf_c(&out.text),
		"columns name|value\nrow level|5\nrow NAME|one\nsay 2 values\nprogress 1/2\n");
	end();
}
END_TEST

START_TEST(a_secret_given_as_a_dash_is_asked_for)
{
	begin();
	out.secret = "s3cret";
	ck_assert_int_eq(command("fake show one -", true), VERB_OK);
	ck_assert_ptr_nonnull(strstr(buf_c(&out.text), "row PASSWORD|s3cret\n"));
	out.secret = NULL;
	ck_assert_int_eq(command("fake show one -", true), VERB_FAILED);
	ck_assert_str_eq(buf_c(&out.text), "fail fake show: PASSWORD: nothing was given\n");
	ck_assert_int_eq(command("fake show -", true), VERB_OK);
	ck_assert_msg(strstr(buf_c(&out.text), "row NAME|-\n"), "only secrets are asked for");
	end();
}
END_TEST

START_TEST(a_verb_that_fails_says_why)
{
	begin();
	ck_assert_int_eq(command("fake refuse", true), VERB_FAILED);
	ck_assert_str_eq(buf_c(&out.text), "fail there is no such thing\n");
	ck_assert_int_eq(command("fake silent", true), VERB_FAILED);
	ck_assert_ptr_nonnull(strstr(buf_c(&out.text), "fail fake silent: "));
	end();
}
END_TEST

START_TEST(a_verb_that_needs_the_server_says_so_when_it_is_stopped)
{
	begin();
	ck_assert_int_eq(command("fake running", true), VERB_FAILED);
	ck_assert_str_eq(buf_c(&out.text), "fail fake running: the server is stopped\n");
	ck_assert_int_eq(command("status", true), VERB_FAILED);
	ck_assert_str_eq(buf_c(&out.text), "fail status: the server is stopped\n");
	end();
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
		ck_assert_msg(command(cases[i].line, true) == VERB_USAGE, "%s", cases[i].line);
		ck_assert_msg(str_starts(buf_str(&out.text), str_c(cases[i].why)), "%s: %s",
			cases[i].line, buf_c(&out.text));
	}
	end();
}
END_TEST

START_TEST(help_is_the_usage_and_runs_nothing)
{
	begin();
	ck_assert_int_eq(command("fake refuse --help", true), VERB_OK);
	ck_assert(str_starts(buf_str(&out.text), STR("say usage: tmail fake refuse\n\nRefuses.")));
	end();
}
END_TEST

START_TEST(tables_are_made_once_by_db_init)
{
	begin();
	fake_migrated[0] = '\0';
	ck_assert_int_eq(command("db status", true), VERB_OK);
	ck_assert_str_eq(buf_c(&out.text), "columns module|tables\nrow route/fake|missing\n");
	ck_assert_int_eq(command("db init", true), VERB_OK);
	ck_assert_str_eq(
		buf_c(&out.text), "say The tables of route/fake are there now.\nprogress 1/1\n");
	ck_assert_int_eq(command("db status", true), VERB_OK);
	ck_assert_str_eq(buf_c(&out.text), "columns module|tables\nrow route/fake|ok\n");
	ck_assert_int_eq(command("db init", true), VERB_OK);
	ck_assert_str_eq(buf_c(&out.text), "progress 1/1\n");
	end();
}
END_TEST

START_TEST(queue_verbs_that_end_messages_want_to_know_which)
{
	static const char *const lines[] = { "queue discard", "queue bounce", "queue hold",
		"queue retry", "queue release", "queue discard --limit 5" };

	begin();
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		ck_assert_msg(command(lines[i], true) == VERB_USAGE, "%s", lines[i]);
		ck_assert_ptr_nonnull(strstr(buf_c(&out.text), "which messages?"));
	}
	ck_assert_int_eq(command("queue show nonsense", true), VERB_FAILED);
	ck_assert_str_eq(buf_c(&out.text), "fail queue show: 'nonsense' is no message id\n");
	ck_assert_int_eq(command("queue list --older yesterday", true), VERB_FAILED);
	ck_assert_ptr_nonnull(strstr(buf_c(&out.text), "--older wants a duration"));
	ck_assert_int_eq(command("queue list --limit 0", true), VERB_FAILED);
	ck_assert_ptr_nonnull(strstr(buf_c(&out.text), "--limit wants a number above 0"));
	end();
}
END_TEST

TEST_MAIN("admin/verb", verbs_of_core_and_modules_are_one_table_in_order,
	every_verb_says_what_it_does_and_what_it_takes,
	a_module_gets_the_values_and_its_rows_come_back, a_secret_given_as_a_dash_is_asked_for,
	a_verb_that_fails_says_why, a_verb_that_needs_the_server_says_so_when_it_is_stopped,
	words_that_name_no_verb_are_a_usage_error, help_is_the_usage_and_runs_nothing,
	tables_are_made_once_by_db_init, queue_verbs_that_end_messages_want_to_know_which)
