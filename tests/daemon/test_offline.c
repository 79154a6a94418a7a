/* SPDX-License-Identifier: MIT
 *
 * Commands with the server stopped: offline.c, and first_start.c, which opens the database in
 * the same way.
 */
#include "daemon/daemon.h"
#include "daemon/first_start.h"

#include "sys/file.h"
#include "tests/admin/collect.h"
#include "tests/admin/modules.h"
#include "tests/lib/folder.h"
#include "tests/lib/test.h"

#include <unistd.h>

static char folder[TEST_FOLDER], conf[TEST_FOLDER + 20];
static struct collect out;

static void begin(const char *settings)
{
	struct buf text = { 0 };
	struct why why;

	fake_modules_load();
	test_folder_make(folder);
	snprintf(conf, sizeof conf, "%s/tmail.conf", folder);
	buf_printf(&text, "user = \"root\";\n" FAKE_MODULES "%s", settings);
	ck_assert_msg(file_write(conf, buf_str(&text), 0600, &why), "%s", why.text);
	buf_free(&text);
	collect_init(&out);
}

static void end(void)
{
	buf_free(&out.text);
	test_folder_remove(folder);
}

static enum verb_result command(const char *line)
{
	struct str words[16], rest = str_c(line), word;
	size_t n = 0;

	while (str_word(&rest, &word))
		words[n++] = word;
	buf_clear(&out.text);
	return offline_run(conf, words, n, &out.output);
}

START_TEST(a_verb_of_a_module_runs_with_the_server_stopped)
{
	begin("store = { create = true; };");
	ck_assert_int_eq(command("fake show one"), VERB_OK);
	ck_assert_ptr_nonnull(strstr(buf_c(&out.text), "row NAME|one\n"));
	end();
}
END_TEST

START_TEST(missing_tables_stop_a_verb_and_db_init_makes_them)
{
	begin("");
	ck_assert_int_eq(command("fake show one"), VERB_FAILED);
	ck_assert_ptr_nonnull(strstr(buf_c(&out.text), "tmail db init"));
	ck_assert_int_eq(command("db init"), VERB_OK);
	ck_assert_int_eq(command("fake show one"), VERB_OK);
	end();
}
END_TEST

START_TEST(a_bad_configuration_stops_a_verb_with_every_mistake)
{
	begin("hostnme = \"x\";\nsmtp = { vrfyy = true; };\n");
	ck_assert_int_eq(command("fake show one"), VERB_FAILED);
	ck_assert_ptr_nonnull(strstr(buf_c(&out.text), "tmail.conf:3: unknown setting 'hostnme'"));
	ck_assert_ptr_nonnull(strstr(buf_c(&out.text), "tmail.conf:4: unknown setting 'vrfyy'"));
	end();
}
END_TEST

START_TEST(usage_and_help_need_nothing_started)
{
	begin("");
	ck_assert_int_eq(command("fake show"), VERB_FAILED); /* tables come first */
	ck_assert_int_eq(command("fake show --help"), VERB_OK);
	ck_assert_ptr_nonnull(strstr(buf_c(&out.text), "usage: tmail fake show"));
	ck_assert_int_eq(command("fake"), VERB_USAGE);
	ck_assert_int_eq(command("status"), VERB_FAILED);
	ck_assert_str_eq(buf_c(&out.text), "fail status: the server is stopped\n");
	end();
}
END_TEST

START_TEST(a_modules_page_is_printed_without_starting_it)
{
	begin("");
	ck_assert_int_eq(command("modules route/fake"), VERB_OK);
	ck_assert_ptr_nonnull(strstr(buf_c(&out.text), "row module|route/fake|Has commands.\n"));
	ck_assert_ptr_nonnull(
		strstr(buf_c(&out.text), "row command|fake show|Shows what it was given.\n"));
	ck_assert_str_eq(fake_migrated, "");
	ck_assert_int_eq(command("modules route/none"), VERB_FAILED);
	end();
}
END_TEST

START_TEST(check_names_every_mistake_or_none)
{
	begin("");
	ck_assert_int_eq(check_run(conf, &out.output), VERB_OK);
	ck_assert_ptr_nonnull(strstr(buf_c(&out.text), "The configuration is good: 2 modules."));
	end();
	begin("threads = 1000;\nlisten = ( { port = 99999; } );\nlog = { level = \"loud\"; };\n");
	ck_assert_int_eq(check_run(conf, &out.output), VERB_FAILED);
	ck_assert_ptr_nonnull(strstr(buf_c(&out.text), "tmail.conf:3: "));
	ck_assert_ptr_nonnull(strstr(buf_c(&out.text), "tmail.conf:4: "));
	ck_assert_ptr_nonnull(strstr(buf_c(&out.text), "tmail.conf:5: "));
	end();
}
END_TEST

/* With a terminal it asks: tests/daemon/run.py has one. */
START_TEST(a_first_start_without_a_terminal_asks_nobody)
{
	struct why why;
	bool declined;

	begin("");
	ck_assert(tables_ready(fake_folders, geteuid(), conf, &declined, &why));
	ck_assert(!declined);
	ck_assert_str_eq(fake_migrated, "");
	end();
}
END_TEST

TEST_MAIN("daemon/offline", a_verb_of_a_module_runs_with_the_server_stopped,
	missing_tables_stop_a_verb_and_db_init_makes_them,
	a_bad_configuration_stops_a_verb_with_every_mistake, usage_and_help_need_nothing_started,
	a_modules_page_is_printed_without_starting_it, check_names_every_mistake_or_none,
	a_first_start_without_a_terminal_asks_nobody)
