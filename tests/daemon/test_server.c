/* SPDX-License-Identifier: MIT
 *
 * The server process, whole: what it is told before it begins and later, and what it says. The
 * parent is the test; modules are built into it.
 */
#include "tests/admin/modules.h"
#include "tests/daemon/place.h"

#include "daemon/daemon.h"
#include "daemon/server.h"
#include "host/running.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

static pid_t pid;
static int channel, control, page_fd;
static struct running_page *page;
static struct packet packet;
static struct why why;

#define QUIET "log = { level = \"error\"; };\nsmtp = { reverse_lookup = 0; };\nthreads = 2;\n"

static void be_server(int end)
{
	int null = open("/dev/null", O_WRONLY);

	dup2(null, STDERR_FILENO);
	if (end == SERVER_CHANNEL)
		fcntl(end, F_SETFD, 0);
	else
		dup2(end, SERVER_CHANNEL);
	/* what the parent has open is not the server's, as after exec */
	for (int fd = SERVER_CHANNEL + 1; fd < 64; fd++)
		close(fd);
	fake_modules_load();
	_exit(server_main(place_conf));
}

/* A process that waits to be told. */
static void begin(const char *settings)
{
	char path[TEST_FOLDER + 20];
	char text[1000];
	int ends[2];

	snprintf(text, sizeof text, QUIET "store = { create = true; };\n%s", settings);
	place_begin(text);
	snprintf(path, sizeof path, "%s/control", place_folder);
	control = control_listen(path, &why);
	ck_assert_msg(control >= 0, "%s", why.text);
	page_fd = memfd_create("page", MFD_CLOEXEC);
	ck_assert_int_eq(ftruncate(page_fd, sizeof *page), 0);
	page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, page_fd, 0);
	ck_assert(channel_pair(ends, &why));
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		close(ends[0]);
		be_server(ends[1]);
	}
	close(ends[1]);
	channel = ends[0];
}

static int ended(void)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void end(int status)
{
	ck_assert_int_eq(ended(), status);
	if (channel >= 0)
		close(channel);
	close(control);
	close(page_fd);
	munmap(page, sizeof *page);
	place_end();
}

static void tell(enum packet_type type, const char *text, int fd)
{
	ck_assert(channel_send(channel, type, text, fd));
}

/* The next thing it says, but for signs of life. */
static void hears(enum packet_type type)
{
	do
		ck_assert_msg(channel_receive(channel, &packet, -1) == CHANNEL_PACKET,
			"it ended before it said %d", (int)type);
	while (packet.type == PACKET_ALIVE && type != PACKET_ALIVE);
	ck_assert_msg(packet.type == (uint32_t)type, "%u %s, not %d", (unsigned)packet.type,
		packet.text, (int)type);
}

static void brief(void)
{
	tell(PACKET_PAGE, NULL, page_fd);
	tell(PACKET_CONTROL, NULL, control);
}

static void serve(const char *settings)
{
	begin(settings);
	brief();
	tell(PACKET_BEGIN, NULL, -1);
	hears(PACKET_READY);
}

static bool command(const char *word)
{
	const struct str words = str_c(word);
	char path[TEST_FOLDER + 20];
	struct output *o;
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC), answer;

	snprintf(path, sizeof path, "%s/control", place_folder);
	o = output_table(null, null);
	answer = control_ask(path, &words, 1, o, &why);
	output_end(&o, VERB_OK);
	close(null);
	return answer == VERB_OK;
}

/* ---- before it begins --------------------------------------------------------------------- */

START_TEST(it_serves_when_it_is_told_to_and_stops_when_it_is_told_to)
{
	serve(FAKE_MODULES);
	ck_assert_msg(command("status"), "%s", why.text);
	tell(PACKET_STOP, NULL, -1);
	end(EXIT_GOOD);
}
END_TEST

START_TEST(a_parent_that_goes_before_the_beginning_is_the_end)
{
	begin("");
	tell(PACKET_CRASHED, "process 1", -1);
	close(channel);
	channel = -1;
	end(EXIT_TROUBLE);
}
END_TEST

START_TEST(what_it_does_not_know_it_leaves_alone)
{
	int some = open("/dev/null", O_RDONLY | O_CLOEXEC);

	begin("");
	tell((enum packet_type)99, "from the future", some);
	tell(PACKET_WATCHDOG, "rubbish", -1);
	tell(PACKET_PAGE, NULL, some); /* cannot be mapped: nothing is noted */
	tell(PACKET_CONTROL, NULL, control);
	tell(PACKET_BEGIN, NULL, -1);
	hears(PACKET_READY);
	tell((enum packet_type)99, "again", some);
	ck_assert_msg(command("status"), "%s", why.text);
	tell(PACKET_STOP, NULL, -1);
	close(some);
	end(EXIT_GOOD);
}
END_TEST

static void check_fails(const char *settings, const char *because)
{
	begin(settings);
	brief();
	tell(PACKET_BEGIN, NULL, -1);
	hears(PACKET_FAILED);
	ck_assert_msg(strstr(packet.text, because), "%s", packet.text);
	end(EXIT_TROUBLE);
}

START_TEST(what_keeps_it_from_starting_is_told)
{
	check_fails("nonsense = 1;\n", "unknown setting 'nonsense'");
	check_fails("modules = ( { module = \"route/none\"; } );\n", "route/none");
	check_fails("listen = ( { address = \"127.0.0.1\"; port = 0; } );\n",
		"the configuration changed while it was read"); /* no socket was given */
	check_fails("log = { target = \"file\"; file = \"/dev/null/x\"; };\n", "");
}
END_TEST

START_TEST(missing_tables_without_a_terminal_are_a_reason)
{
	char text[300];

	begin("");
	snprintf(text, sizeof text, QUIET FAKE_MODULES); /* without store.create */
	place_settings(text);
	brief();
	tell(PACKET_BEGIN, NULL, -1);
	hears(PACKET_FAILED);
	ck_assert_ptr_nonnull(strstr(packet.text, "tmail db init"));
	end(EXIT_TROUBLE);
}
END_TEST

/* ---- beside another ----------------------------------------------------------------------- */

START_TEST(beside_another_it_checks_and_waits_for_its_turn)
{
	begin(FAKE_MODULES);
	brief();
	tell(PACKET_BESIDE, NULL, -1);
	hears(PACKET_CHECKED);
	tell(PACKET_LOCK, NULL, page_fd); /* what comes meanwhile is taken too */
	ck_assert_int_eq(channel_receive(channel, &packet, 0), CHANNEL_EMPTY);
	tell(PACKET_BEGIN, NULL, -1);
	hears(PACKET_READY);
	tell(PACKET_STOP_NOW, NULL, -1);
	end(EXIT_GOOD);
}
END_TEST

START_TEST(beside_another_a_mistake_is_told_before_that_one_ends)
{
	begin("modules = ( { module = \"route/none\"; } );\n");
	brief();
	tell(PACKET_BESIDE, NULL, -1);
	hears(PACKET_FAILED);
	ck_assert_ptr_nonnull(strstr(packet.text, "route/none"));
	end(EXIT_TROUBLE);
}
END_TEST

START_TEST(beside_another_a_parent_that_goes_is_the_end)
{
	begin(FAKE_MODULES);
	brief();
	tell(PACKET_BESIDE, NULL, -1);
	hears(PACKET_CHECKED);
	close(channel);
	channel = -1;
	end(EXIT_TROUBLE);
}
END_TEST

/* ---- while it serves ---------------------------------------------------------------------- */

START_TEST(it_gives_signs_of_life_as_often_as_asked)
{
	begin("");
	brief();
	tell(PACKET_WATCHDOG, "5", -1);
	tell(PACKET_BEGIN, NULL, -1);
	hears(PACKET_READY);
	for (int i = 0; i < 3; i++)
		hears(PACKET_ALIVE);
	tell(PACKET_STOP, NULL, -1);
	end(EXIT_GOOD);
}
END_TEST

START_TEST(it_ends_when_its_parent_has_gone)
{
	serve("");
	close(channel);
	channel = -1;
	end(EXIT_GOOD);
}
END_TEST

START_TEST(a_signal_to_end_is_obeyed_and_that_of_a_terminal_left_to_the_parent)
{
	serve("");
	kill(pid, SIGINT);
	ck_assert_msg(command("status"), "%s", why.text);
	kill(pid, SIGTERM);
	end(EXIT_GOOD);
}
END_TEST

START_TEST(a_reload_is_wanted_by_a_word_or_a_signal)
{
	serve("");
	for (int i = 0; i < 2; i++) {
		if (i)
			kill(pid, SIGHUP);
		else
			tell(PACKET_RELOAD, NULL, -1);
		hears(PACKET_RELOADING);
		hears(PACKET_LISTEN);
		tell(PACKET_LISTEN_DONE, NULL, -1);
		hears(PACKET_READY);
	}
	tell(PACKET_REOPEN, NULL, -1);
	tell(PACKET_STOP, NULL, -1);
	end(EXIT_GOOD);
}
END_TEST

START_TEST(a_restart_that_is_refused_changes_nothing_and_one_that_is_not_is_the_end)
{
	serve("");
	tell(PACKET_NO, "nobody asked", -1);
	ck_assert_msg(command("status"), "%s", why.text);
	tell(PACKET_DRAIN, NULL, -1);
	end(EXIT_GOOD);
}
END_TEST

START_TEST(a_crash_is_noted_on_the_page)
{
	serve("");
	kill(pid, SIGABRT);
	ck_assert_int_eq(ended(), 1000 + SIGABRT);
	ck_assert_int_ne(page->crashed, 0);
	ck_assert_int_eq(page->signal, SIGABRT);
	close(channel);
	close(control);
	close(page_fd);
	munmap(page, sizeof *page);
	place_end();
}
END_TEST

TEST_MAIN("daemon/server", it_serves_when_it_is_told_to_and_stops_when_it_is_told_to,
	a_parent_that_goes_before_the_beginning_is_the_end, what_it_does_not_know_it_leaves_alone,
	what_keeps_it_from_starting_is_told, missing_tables_without_a_terminal_are_a_reason,
	beside_another_it_checks_and_waits_for_its_turn,
	beside_another_a_mistake_is_told_before_that_one_ends,
	beside_another_a_parent_that_goes_is_the_end, it_gives_signs_of_life_as_often_as_asked,
	it_ends_when_its_parent_has_gone,
	a_signal_to_end_is_obeyed_and_that_of_a_terminal_left_to_the_parent,
	a_reload_is_wanted_by_a_word_or_a_signal,
	a_restart_that_is_refused_changes_nothing_and_one_that_is_not_is_the_end,
	a_crash_is_noted_on_the_page)
