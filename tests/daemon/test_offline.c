/* SPDX-License-Identifier: MIT
 *
 * Commands with the server stopped, and `check`.
 */
#include "daemon/daemon.h"

#include "tests/admin/collect.h"
#include "tests/admin/modules.h"
#include "tests/daemon/place.h"
#include "tests/lib/memory_queue.h"

#include <tmail/service/router.h>

static struct collect out;

static int nowhere(struct tmail_call *call, const void *question, void *answer)
{
	(void)call;
	(void)question;
	(void)answer;
	return TMAIL_NOT_FOUND;
}

static const struct tmail_operation operations[] = { { TMAIL_ROUTER_ROUTE, 0, nowhere } };
static const struct tmail_service services[] = { { TMAIL_ROUTER, NULL, TMAIL_LIST(operations) } };
static const struct tmail_module router = { .magic = TMAIL_MAGIC,
	.abi_major = TMAIL_ABI_MAJOR,
	.abi_minor = TMAIL_ABI_MINOR,
	.abi_needs = TMAIL_ABI_MINOR,
	.size = sizeof(struct tmail_module),
	.name = "test/way",
	.version = "1",
	.summary = "Leads nowhere.",
	.services = TMAIL_LIST(services) };

static void begin(const char *settings)
{
	struct buf text = { 0 };

	fake_modules_load();
	buf_printf(&text, FAKE_MODULES "%s", settings);
	place_begin(buf_c(&text));
	buf_free(&text);
	collect_init(&out);
}

static void end(void)
{
	buf_free(&out.text);
	place_end();
}

static enum verb_result command(const char *line)
{
	struct str words[16], rest = str_c(line), word;
	size_t n = 0;

	while (str_word(&rest, &word))
		words[n++] = word;
	buf_clear(&out.text);
	return offline_run(place_conf, words, n, &out.output);
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
	ck_assert_int_eq(check_run(place_conf, &out.output), VERB_OK);
	ck_assert_ptr_nonnull(strstr(buf_c(&out.text), "The configuration is good: 2 modules."));
	end();
	begin("threads = 1000;\nlisten = ( { port = 99999; } );\nlog = { level = \"loud\"; };\n");
	ck_assert_int_eq(check_run(place_conf, &out.output), VERB_FAILED);
	ck_assert_ptr_nonnull(strstr(buf_c(&out.text), "tmail.conf:3: "));
	ck_assert_ptr_nonnull(strstr(buf_c(&out.text), "tmail.conf:4: "));
	ck_assert_ptr_nonnull(strstr(buf_c(&out.text), "tmail.conf:5: "));
	end();
}
END_TEST

START_TEST(check_warns_of_what_is_no_mistake_and_hardly_wanted)
{
	begin("");
	ck_assert_int_eq(check_run(place_conf, &out.output), VERB_OK);
	ck_assert_ptr_nonnull(strstr(buf_c(&out.text), "columns level|text\n"));
	ck_assert_ptr_nonnull(strstr(buf_c(&out.text), "row warning|no module keeps the queue"));
	ck_assert_ptr_nonnull(strstr(buf_c(&out.text), "row warning|no module knows where mail"));
	end();
	module_preload(&memory_queue);
	module_preload(&router);
	begin("");
	place_settings(
		"modules = ( { module = \"test/memory\"; }, { module = \"test/way\"; } );\n");
	ck_assert_int_eq(check_run(place_conf, &out.output), VERB_OK);
	ck_assert_ptr_null(strstr(buf_c(&out.text), "warning"));
	end();
}
END_TEST

TEST_MAIN("daemon/offline", a_verb_of_a_module_runs_with_the_server_stopped,
	missing_tables_stop_a_verb_and_db_init_makes_them,
	a_bad_configuration_stops_a_verb_with_every_mistake, usage_and_help_need_nothing_started,
	a_modules_page_is_printed_without_starting_it, check_names_every_mistake_or_none,
	check_warns_of_what_is_no_mistake_and_hardly_wanted)
