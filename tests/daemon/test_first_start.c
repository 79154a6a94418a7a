/* SPDX-License-Identifier: MIT
 *
 * The question of the first start: when it is asked, and what each answer comes to.
 */
#include "daemon/first_start.h"

#include "tests/admin/modules.h"
#include "tests/admin/terminal.h"
#include "tests/daemon/place.h"

#include <pthread.h>

static struct terminal t;
static bool declined;
static struct why why;

static bool ready(void)
{
	return tables_ready(fake_folders, geteuid(), place_conf, &declined, &why);
}

/* Standard input and output are a terminal's; who sits there answers to the question. */
static const char *answer;

/* Once it answers it is done with: given up in an assertion, that would keep its memory. */
static void *person(void *arg)
{
	terminal_wait(&t, "(y/n): ");
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	terminal_type(&t, answer);
	return arg;
}

static void begin(const char *settings)
{
	place_begin(settings);
	fake_modules_load();
	terminal_open(&t);
	ck_assert_int_eq(dup2(t.program, STDIN_FILENO), STDIN_FILENO);
	ck_assert_int_eq(dup2(t.program, STDOUT_FILENO), STDOUT_FILENO);
	declined = true;
}

static void end(void)
{
	terminal_close(&t);
	place_end();
}

static bool answered(const char *with)
{
	pthread_t thread;
	bool ok;

	answer = with;
	ck_assert_int_eq(pthread_create(&thread, NULL, person, NULL), 0);
	ok = ready();
	pthread_cancel(thread); /* if nothing was asked */
	pthread_join(thread, NULL);
	return ok;
}

START_TEST(the_question_names_the_database)
{
	begin("modules = ( { module = \"store/fake\"; file = \"/var/x.db\"; }, "
	      "{ module = \"route/fake\"; } );\n");
	ck_assert(answered("y\n"));
	ck_assert_ptr_nonnull(strstr(terminal_screen(&t),
		"Database 'driver: fake, source: /var/x.db' misses some tables.\n"
		"Should i create them ? (y/n): "));
	end();
}
END_TEST

START_TEST(a_database_without_a_file_has_its_usual_one)
{
	begin(FAKE_MODULES);
	ck_assert(answered("y\n"));
	ck_assert_ptr_nonnull(strstr(terminal_screen(&t), "'driver: fake, source: fake.db'"));
	end();
}
END_TEST

START_TEST(yes_makes_the_tables)
{
	static const char *const yes[] = { "y\n", "Y\n", "yes, please\n", "\nwhat?\n y\ny\n" };

	for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
		begin(FAKE_MODULES);
		ck_assert_msg(answered(yes[i]), "%s", yes[i]);
		ck_assert(!declined);
		ck_assert_str_eq(fake_migrated, "route/fake");
		end();
	}
}
END_TEST

START_TEST(no_is_no_and_so_is_the_end_of_input)
{
	static const char *const no[] = { "n\n", "No\n", "\n\nn\n", "\004" };

	for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
		begin(FAKE_MODULES);
		ck_assert_msg(!answered(no[i]), "%s", no[i]);
		ck_assert(declined);
		ck_assert_str_eq(why.text, "See you soon...");
		ck_assert_str_eq(fake_migrated, "");
		end();
		clearerr(stdin);
	}
}
END_TEST

START_TEST(what_is_neither_is_asked_again)
{
	const char *at;
	int questions = 0;

	begin(FAKE_MODULES);
	ck_assert(!answered("perhaps\n\nn\n"));
	for (at = terminal_screen(&t); (at = strstr(at, "(y/n): ")) != NULL; at++)
		questions++;
	ck_assert_int_eq(questions, 3);
	end();
}
END_TEST

/* Nobody is asked: it would be waited for in vain. */
static void check_silent(bool ok)
{
	ck_assert_int_eq(ready(), ok);
	ck_assert(!declined);
	ck_assert_str_eq(terminal_screen(&t), "");
}

START_TEST(tables_that_are_all_there_are_no_question)
{
	begin(FAKE_MODULES);
	snprintf(fake_migrated, sizeof fake_migrated, "route/fake");
	check_silent(true);
	end();
}
END_TEST

START_TEST(who_wants_them_made_is_not_asked)
{
	begin(FAKE_MODULES "store = { create = true; };\n");
	check_silent(true);
	ck_assert_str_eq(fake_migrated, ""); /* the start itself makes them */
	end();
}
END_TEST

START_TEST(without_a_terminal_on_both_sides_nobody_is_asked)
{
	int ends[2];

	begin(FAKE_MODULES);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	check_silent(true);
	ck_assert_int_eq(dup2(t.program, STDIN_FILENO), STDIN_FILENO);
	ck_assert_int_eq(dup2(ends[1], STDOUT_FILENO), STDOUT_FILENO);
	check_silent(true);
	close(ends[0]);
	close(ends[1]);
	end();
}
END_TEST

START_TEST(a_database_that_does_not_answer_is_no_question)
{
	begin(FAKE_MODULES);
	fake_trouble = "no such host";
	check_silent(false);
	ck_assert_ptr_nonnull(strstr(why.text, "no such host"));
	end();
}
END_TEST

START_TEST(tables_that_cannot_be_made_are_no_refusal_of_the_person)
{
	begin(FAKE_MODULES);
	fake_apply_trouble = "read only";
	ck_assert(!answered("y\n"));
	ck_assert(!declined);
	ck_assert_ptr_nonnull(strstr(why.text, "read only"));
	end();
}
END_TEST

START_TEST(a_configuration_that_cannot_be_used_is_no_question)
{
	begin("modules = ( { module = \"store/none\"; } );\n");
	check_silent(false);
	ck_assert_ptr_nonnull(strstr(why.text, "store/none"));
	end();
}
END_TEST

TEST_MAIN("daemon/first_start", the_question_names_the_database,
	a_database_without_a_file_has_its_usual_one, yes_makes_the_tables,
	no_is_no_and_so_is_the_end_of_input, what_is_neither_is_asked_again,
	tables_that_are_all_there_are_no_question, who_wants_them_made_is_not_asked,
	without_a_terminal_on_both_sides_nobody_is_asked,
	a_database_that_does_not_answer_is_no_question,
	tables_that_cannot_be_made_are_no_refusal_of_the_person,
	a_configuration_that_cannot_be_used_is_no_question)
