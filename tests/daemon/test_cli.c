/* SPDX-License-Identifier: MIT
 *
 * The command line: which words are flags, which commands, and who does what a verb asks: the
 * server that runs, or this process. Each line is run in a process of its own.
 */
#include "tests/admin/control.h"
#include "tests/admin/modules.h"
#include "tests/daemon/place.h"

#include "daemon/daemon.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct buf out, err;

static void take(int fd, struct buf *text)
{
	ssize_t n;

	buf_clear(text);
	while ((n = pread(fd, buf_reserve(text, 65536), 65536, (off_t)text->len)) > 0)
		text->len += (size_t)n;
	buf_c(text);
	close(fd);
}

/* tmail WORDS, where blanks part the words; its status, its output in out and err. */
static int tmail(const char *line)
{
	static char name[] = "tmail";
	char copy[500], *words[40], *rest = copy;
	int fds[2] = { memfd_create("out", MFD_CLOEXEC), memfd_create("err", MFD_CLOEXEC) };
	int argc = 0, status;
	pid_t pid;

	ck_assert_uint_lt(strlen(line), sizeof copy);
	snprintf(copy, sizeof copy, "%s", line);
	words[argc++] = name;
	for (char *word; (word = strsep(&rest, " ")) != NULL;)
		if (*word)
			words[argc++] = word;
	words[argc] = NULL;
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		dup2(fds[0], STDOUT_FILENO);
		dup2(fds[1], STDERR_FILENO);
		fake_modules_load();
		status = cli_main(argc, words);
		fflush(NULL);
		_exit(status);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	take(fds[0], &out);
	take(fds[1], &err);
	ck_assert_msg(WIFEXITED(status), "%s: signal %d\n%s", line, WTERMSIG(status), buf_c(&err));
	return WEXITSTATUS(status);
}

static bool said(const struct buf *text, const char *part)
{
	return str_search_case(buf_str(text), str_c(part)) >= 0;
}

static void begin(const char *settings)
{
	place_begin(settings);
	setenv("TMAIL_CONF", place_conf, 1);
	setenv("TMAIL_MODULES", "/nonexistent", 1);
}

static void end(void)
{
	place_end();
	buf_free(&out);
	buf_free(&err);
}

/* ---- flags -------------------------------------------------------------------------------- */

START_TEST(a_version_is_asked_for_in_three_ways)
{
	static const char *const lines[] = { "version", "-v", "--version", "-v serve" };

	begin("");
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		ck_assert_int_eq(tmail(lines[i]), EXIT_GOOD);
		ck_assert_str_eq(buf_c(&out), "tmail version " TMAIL_VERSION "\n");
		ck_assert_uint_eq(err.len, 0);
	}
	end();
}
END_TEST

START_TEST(a_flag_that_nobody_knows_is_a_mistake)
{
	begin("");
	ck_assert_int_eq(tmail("--nonsense"), EXIT_USAGE);
	ck_assert_str_eq(buf_c(&err), "tmail: unknown flag '--nonsense'; see tmail help\n");
	ck_assert_int_eq(tmail("-x status"), EXIT_USAGE);
	ck_assert_int_eq(tmail("-c"), EXIT_USAGE);
	ck_assert_str_eq(
		buf_c(&err), "tmail: -c wants the name of a configuration file behind it\n");
	ck_assert_uint_eq(out.len, 0);
	end();
}
END_TEST

START_TEST(flags_behind_the_command_are_the_verbs)
{
	begin(FAKE_MODULES "store = { create = true; };\n");
	ck_assert_int_eq(tmail("fake show -l 5 x"), EXIT_GOOD);
	ck_assert(said(&out, "level"));
	ck_assert_int_eq(tmail("fake show -c x"), EXIT_USAGE);
	ck_assert(said(&err, "unknown flag '-c'"));
	end();
}
END_TEST

START_TEST(json_may_stand_anywhere_but_behind_the_dashes)
{
	begin(FAKE_MODULES "store = { create = true; };\n");
	ck_assert_int_eq(tmail("--json fake show x"), EXIT_GOOD);
	ck_assert(said(&out, "[{\"name\": \"NAME\", \"value\": \"x\"}]"));
	ck_assert_int_eq(tmail("fake show x --json"), EXIT_GOOD);
	ck_assert(said(&out, "[{\"name\""));
	ck_assert_int_eq(tmail("fake show -- --json"), EXIT_GOOD);
	ck_assert(said(&out, "--json"));
	ck_assert(!said(&out, "[{"));
	end();
}
END_TEST

/* ---- which configuration ------------------------------------------------------------------ */

START_TEST(the_file_is_that_of_the_flag_then_that_of_the_environment)
{
	char line[300];

	begin("");
	place_put("other.conf", "user = \"root\";\nnonsense = 1;\n");
	ck_assert_int_eq(tmail("check"), EXIT_GOOD);
	snprintf(line, sizeof line, "-c %s/other.conf check", place_folder);
	ck_assert_int_eq(tmail(line), EXIT_TROUBLE);
	ck_assert(said(&err, "other.conf:2: unknown setting 'nonsense'"));
	ck_assert_int_eq(chdir(place_folder), 0);
	ck_assert_int_eq(tmail("-c other.conf check"), EXIT_TROUBLE);
	ck_assert(said(&err, place_folder)); /* whole names, wherever it was started */
	setenv("TMAIL_CONF", "/nonexistent/tmail.conf", 1);
	ck_assert_int_eq(tmail("check"), EXIT_TROUBLE);
	ck_assert(said(&err, "/nonexistent/tmail.conf"));
	setenv("TMAIL_CONF", "", 1);
	tmail("check");
	ck_assert(out.len || said(&err, TMAIL_SYSCONFDIR "/tmail/tmail.conf"));
	ck_assert_int_eq(chdir("/"), 0);
	end();
}
END_TEST

/* ---- commands of the program -------------------------------------------------------------- */

START_TEST(commands_of_the_program_need_no_server)
{
	begin("");
	ck_assert_int_eq(tmail("sample"), EXIT_GOOD);
	ck_assert(said(&out, "hostname"));
	ck_assert_int_eq(tmail("man"), EXIT_GOOD);
	ck_assert(said(&out, ".Dt TMAIL"));
	ck_assert_int_eq(tmail("man tmail.conf"), EXIT_GOOD);
	ck_assert_int_eq(tmail("man nothing"), EXIT_TROUBLE);
	ck_assert(said(&err, "tmail: man: "));
	ck_assert_int_eq(tmail("check"), EXIT_GOOD);
	ck_assert(said(&out, "The configuration is good: 0 modules."));
	setenv("TMAIL_CONF", "/nonexistent/tmail.conf", 1);
	ck_assert_int_eq(tmail("sample"), EXIT_GOOD);
	ck_assert_int_eq(tmail("man"), EXIT_GOOD);
	end();
}
END_TEST

START_TEST(help_is_had_in_every_way_that_people_try)
{
	static const char *const all[] = { "help", "-h", "--help" };
	static const char *const one[] = { "help queue list", "queue list --help", "queue list -h",
		"-h queue list", "queue list --help --to x" };

	begin(FAKE_MODULES);
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		ck_assert_int_eq(tmail(all[i]), EXIT_GOOD);
		ck_assert_msg(said(&out, "queue list") && said(&out, "fake show") &&
				said(&out, "serve") && !said(&out, SERVER_WORD),
			"%s", all[i]);
	}
	for (size_t i = 0; i < sizeof one / sizeof *one; i++) {
		ck_assert_msg(tmail(one[i]) == EXIT_GOOD, "%s", one[i]);
		ck_assert_msg(said(&out, "usage: tmail queue list"), "%s: %s", one[i], buf_c(&out));
	}
	ck_assert_int_eq(tmail("help fake show"), EXIT_GOOD); /* a module's */
	ck_assert(said(&out, "usage: tmail fake show"));
	ck_assert_int_eq(tmail("fake show --help"), EXIT_GOOD);
	ck_assert(said(&out, "usage: tmail fake show"));
	ck_assert_int_eq(tmail("help nonsense"), EXIT_USAGE);
	ck_assert_int_eq(tmail("nonsense --help"), EXIT_USAGE);
	setenv("TMAIL_CONF", "/nonexistent/tmail.conf", 1);
	ck_assert_int_eq(tmail("help"), EXIT_GOOD);
	ck_assert_int_eq(tmail("queue list --help"), EXIT_GOOD);
	end();
}
END_TEST

START_TEST(help_of_a_command_of_the_program_does_not_run_it)
{
	static const char *const names[] = { "serve", "check", "sample", "man", "help", "version" };
	static const char *const forms[] = { "%s --help", "%s -h", "help %s", "-h %s" };
	char line[64], usage[64];

	begin("nonsense = 1;\n");
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			snprintf(line, sizeof line, forms[f], names[i]);
#pragma GCC diagnostic pop
			snprintf(usage, sizeof usage, "usage: tmail %s", names[i]);
			ck_assert_msg(tmail(line) == EXIT_GOOD, "%s", line);
			ck_assert_msg(str_starts(buf_str(&out), str_c(usage)), "%s: %s", line,
				buf_c(&out));
			ck_assert_uint_eq(err.len, 0);
		}
	ck_assert_int_eq(tmail("serve now"), EXIT_USAGE);
	ck_assert_str_eq(
		buf_c(&err), "tmail: serve: 'now' is one word too many; see tmail serve --help\n");
	ck_assert_int_eq(tmail("check --quick"), EXIT_USAGE);
	end();
}
END_TEST

START_TEST(help_of_a_group_lists_what_it_has)
{
	static const char *const forms[] = { "help queue", "queue --help", "-h queue" };

	begin(FAKE_MODULES);
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		ck_assert_msg(tmail(forms[i]) == EXIT_GOOD, "%s", forms[i]);
		ck_assert(said(&out, "queue list") && said(&out, "queue count"));
		ck_assert(!said(&out, "routes test") && !said(&out, "fake show"));
		ck_assert(said(&out, "queue fake")); /* a module's */
	}
	ck_assert_int_eq(tmail("help fake"), EXIT_GOOD);
	ck_assert(said(&out, "fake show"));
	/* A verb of one word is no group. */
	ck_assert_int_eq(tmail("help status"), EXIT_GOOD);
	ck_assert(said(&out, "usage: tmail status"));
	end();
}
END_TEST

/* ---- who does it -------------------------------------------------------------------------- */

START_TEST(without_a_server_the_command_does_it)
{
	begin(FAKE_MODULES "store = { create = true; };\n");
	ck_assert_int_eq(tmail("fake show x"), EXIT_GOOD);
	ck_assert(said(&out, "NAME  x"));
	ck_assert_int_eq(tmail("status"), EXIT_TROUBLE);
	ck_assert_str_eq(buf_c(&err), "tmail: status: the server is stopped\n");
	ck_assert_int_eq(tmail("fake shwo"), EXIT_USAGE);
	ck_assert(said(&err, "did you mean 'fake show'"));
	end();
}
END_TEST

START_TEST(a_configuration_that_is_not_there_is_trouble_of_every_verb)
{
	begin("");
	setenv("TMAIL_CONF", "/nonexistent/tmail.conf", 1);
	ck_assert_int_eq(tmail("queue list"), EXIT_TROUBLE);
	ck_assert(said(&err, "tmail: /nonexistent/tmail.conf: No such file"));
	ck_assert_int_eq(tmail("queue list --json"), EXIT_TROUBLE);
	ck_assert(str_starts(buf_str(&err), STR("{\"errors\": [\"/nonexistent/tmail.conf: ")));
	ck_assert_uint_eq(out.len, 0);
	end();
}
END_TEST

/* A server (control.h) where the configuration has it. */
static void server_begin(void)
{
	char text[200];

	control_begin();
	snprintf(text, sizeof text, "run = \"%s\";\n" FAKE_MODULES, control_folder);
	begin(text);
}

static void server_end(void)
{
	end();
	control_end();
}

START_TEST(with_a_server_it_is_asked)
{
	server_begin();
	ck_assert_int_eq(tmail("echo hello there"), EXIT_GOOD);
	ck_assert_str_eq(buf_c(&out), "hello\nthere\n");
	ck_assert_int_eq(tmail("rows 2 --json"), EXIT_GOOD);
	ck_assert(said(&out, "[{\"n\": \"x\", "));
	ck_assert_int_eq(tmail("queue list"), EXIT_TROUBLE); /* its own words for it */
	ck_assert_str_eq(buf_c(&err), "tmail: what?\n");
	ck_assert_int_eq(tmail("queue list --json"), EXIT_TROUBLE);
	ck_assert_str_eq(buf_c(&err), "{\"errors\": [\"what?\"]}\n");
	server_end();
}
END_TEST

START_TEST(what_needs_no_server_does_not_ask_it)
{
	server_begin();
	ck_assert_int_eq(tmail("modules"), EXIT_GOOD);
	ck_assert(said(&out, "route/fake"));
	ck_assert_int_eq(tmail("queue list --help"), EXIT_GOOD);
	ck_assert(said(&out, "usage: tmail queue list"));
	server_end();
}
END_TEST

START_TEST(a_socket_that_is_trouble_is_no_stopped_server)
{
	begin("run = \"/dev/null/run\";\n" FAKE_MODULES "store = { create = true; };\n");
	ck_assert_int_eq(tmail("fake show x"), EXIT_TROUBLE);
	ck_assert(said(&err, "/dev/null/run/control.sock"));
	ck_assert_uint_eq(out.len, 0);
	end();
}
END_TEST

TEST_MAIN("daemon/cli", a_version_is_asked_for_in_three_ways, a_flag_that_nobody_knows_is_a_mistake,
	flags_behind_the_command_are_the_verbs, json_may_stand_anywhere_but_behind_the_dashes,
	the_file_is_that_of_the_flag_then_that_of_the_environment,
	commands_of_the_program_need_no_server, help_is_had_in_every_way_that_people_try,
	help_of_a_command_of_the_program_does_not_run_it, help_of_a_group_lists_what_it_has,
	without_a_server_the_command_does_it,
	a_configuration_that_is_not_there_is_trouble_of_every_verb, with_a_server_it_is_asked,
	what_needs_no_server_does_not_ask_it, a_socket_that_is_trouble_is_no_stopped_server)
