/* SPDX-License-Identifier: MIT
 *
 * Verbs about the server: what status says, what reload and restart come to, which modules there
 * are; with a process (struct admin_calls) that the test plays.
 */
#include "tests/admin/queued.h"

static const char *no_reload, *no_restart; /* why not; NULL: it is done */
static unsigned reloads, restarts;

static bool reload(struct why *why)
{
	reloads++;
	return !no_reload || why_set(why, "%s", no_reload);
}

static bool restart(struct why *why)
{
	restarts++;
	return !no_restart || why_set(why, "%s", no_restart);
}

static int64_t started(void)
{
	return NOON - 90 * MINUTES;
}

static unsigned sessions(void)
{
	return 7;
}

static void sockets(void (*each)(void *ctx, const char *address, const char *role), void *ctx)
{
	each(ctx, "127.0.0.1:25", "mx");
	each(ctx, "[::1]:587", "submission");
}

static const struct admin_calls calls = { .reload = reload,
	.restart = restart,
	.started = started,
	.sessions = sessions,
	.sockets = sockets,
	.module_dirs = fake_folders };

static bool has(const char *row)
{
	char text[200];

	snprintf(text, sizeof text, "\nrow %s\n", row);
	return strstr(buf_c(&out.text), text) != NULL;
}

/* ---- status ------------------------------------------------------------------------------- */

START_TEST(status_says_what_the_server_is_and_does)
{
	char pid[40];

	queued_begin();
	admin_setup(&calls);
	queued_add(1, "s@x.org", "a@one.org b@two.org", 5);
	ck_assert_int_eq(command_run("status", false), VERB_OK);
	ck_assert(str_starts(buf_str(&out.text), STR("columns name|value:int\n")));
	snprintf(pid, sizeof pid, "pid|%d", (int)getpid());
	ck_assert(has(pid));
	ck_assert(has("version|" TMAIL_VERSION));
	ck_assert(has("uptime|5400"));
	ck_assert(has("sessions|7"));
	ck_assert(has("socket.mx|127.0.0.1:25"));
	ck_assert(has("socket.submission|[::1]:587"));
	ck_assert(has("queue.messages|1"));
	ck_assert(has("queue.recipients|2"));
	ck_assert(has("queue.pending|2"));
	ck_assert(has("queue.deferred|0"));
	ck_assert(has("queue.held|0"));
	ck_assert_ptr_nonnull(strstr(buf_c(&out.text), "\nrow counter."));
	queued_end();
}
END_TEST

START_TEST(status_without_a_queue_says_why_and_is_no_failure)
{
	static const char *const none[] = { NULL };

	command_begin("", none);
	admin_setup(&calls);
	ck_assert_int_eq(command_run("status", false), VERB_OK);
	ck_assert(has("queue.trouble|no module keeps the queue"));
	ck_assert(!has("queue.messages|0"));
	ck_assert_ptr_nonnull(strstr(buf_c(&out.text), "\nrow counter."));
	command_end();
}
END_TEST

START_TEST(status_needs_a_server)
{
	queued_begin();
	ck_assert_str_eq(printed("status", VERB_FAILED), "fail status: the server is stopped\n");
	queued_end();
}
END_TEST

/* ---- reload, restart ---------------------------------------------------------------------- */

START_TEST(a_reload_or_restart_is_the_processs_and_so_is_the_reason_why_not)
{
	queued_begin();
	admin_setup(&calls);
	ck_assert_int_eq(command_run("reload", false), VERB_OK);
	ck_assert_str_eq(buf_c(&out.text), "say The new settings are in force.\n");
	ck_assert_int_eq(command_run("restart", false), VERB_OK);
	ck_assert_uint_eq(reloads, 1);
	ck_assert_uint_eq(restarts, 1);
	no_reload = "tmail.conf:3: no";
	no_restart = "one is under way";
	ck_assert_int_eq(command_run("reload", false), VERB_FAILED);
	ck_assert_str_eq(buf_c(&out.text), "fail reload: tmail.conf:3: no\n");
	ck_assert_int_eq(command_run("restart", false), VERB_FAILED);
	ck_assert_str_eq(buf_c(&out.text), "fail restart: one is under way\n");
	queued_end();
}
END_TEST

/* ---- modules ------------------------------------------------------------------------------ */

static void modules_begin(const char *settings)
{
	static const char *const none[] = { NULL };

	command_begin(settings, none);
	admin_setup(&calls);
}

START_TEST(modules_are_listed_with_the_names_they_are_used_under)
{
	modules_begin("modules = ( { module = \"store/fake\"; }, { module = \"route/fake\"; }, "
		      "{ module = \"route/fake\"; name = \"second\"; } );\n");
	ck_assert_str_eq(printed("modules", VERB_OK),
		"columns name|version|used_as|summary\n"
		"row route/fake|2|route/fake, second|Has commands.\n"
		"row store/fake|1|store/fake|Remembers nothing.\n");
	command_end();
}
END_TEST

START_TEST(modules_that_nobody_uses_are_listed_too)
{
	modules_begin("");
	ck_assert_ptr_nonnull(
		strstr(printed("modules", VERB_OK), "row route/fake|2|(none)|Has commands.\n"));
	command_end();
}
END_TEST

START_TEST(a_modules_page_is_what_its_descriptor_says)
{
	modules_begin("");
	printed("modules route/fake", VERB_OK);
	ck_assert(str_starts(buf_str(&out.text),
		STR("columns kind|name|text\nrow module|route/fake|Has commands.\n"
		    "row version|2|\n")));
	ck_assert(has("capability|sql|"));
	ck_assert(!has("capability|net|"));
	ck_assert(has("hook|rcpt|"));
	ck_assert(has("hook|eom|on a worker"));
	ck_assert(has("command|fake show|Shows what it was given."));
	ck_assert(has("metric|fake_lookups|Lookups."));
	ck_assert(has("setting|word|A word. Default: none."));
	ck_assert_ptr_nonnull(strstr(buf_c(&out.text), "\nrow setting|may_relay|")); /* of all */
	ck_assert_ptr_nonnull(
		strstr(printed("modules store/fake", VERB_OK), "\nrow service|sql|(none)\n"));
	command_end();
}
END_TEST

START_TEST(a_module_that_is_not_there_is_named)
{
	modules_begin("");
	ck_assert_ptr_nonnull(strstr(printed("modules route/none", VERB_FAILED), "fail modules: "));
	ck_assert_ptr_nonnull(strstr(buf_c(&out.text), "route/none"));
	admin_setup(NULL);
	ck_assert_str_eq(printed("modules", VERB_FAILED), "fail modules: no folder to look in\n");
	command_end();
}
END_TEST

TEST_MAIN("admin/verbs_status", status_says_what_the_server_is_and_does,
	status_without_a_queue_says_why_and_is_no_failure, status_needs_a_server,
	a_reload_or_restart_is_the_processs_and_so_is_the_reason_why_not,
	modules_are_listed_with_the_names_they_are_used_under,
	modules_that_nobody_uses_are_listed_too, a_modules_page_is_what_its_descriptor_says,
	a_module_that_is_not_there_is_named)
