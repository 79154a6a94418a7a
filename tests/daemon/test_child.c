/* SPDX-License-Identifier: MIT
 *
 * A server as its parent sees it: how it is started, what it is told, how it is ended and what is
 * said of its end. This very program is the server (see be_server): it repeats over the channel
 * what it hears, and does what the name of its configuration says.
 */
#include "daemon/child.h"

#include "daemon/daemon.h"
#include "tests/lib/test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the server --------------------------------------------------------------------------- */

static void repeat(const struct packet *packet)
{
	char text[200];
	struct stat st;

	snprintf(text, sizeof text, "%u %.150s %s", (unsigned)packet->type, packet->text,
		packet->fd < 0                   ? "-"
			: fstat(packet->fd, &st) ? "?"
			: S_ISSOCK(st.st_mode)   ? "socket"
						 : "file");
	channel_send(SERVER_CHANNEL, PACKET_FAILED, text, -1);
}

static void page_take(int fd)
{
	void *page =
		mmap(NULL, sizeof(struct running_page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (page != MAP_FAILED)
		running_setup(page);
}

static void act(const char *conf)
{
	if (!strcmp(conf, "crash")) {
		running_enter("route/bad", 5, (struct id){ 1, 2 });
		running_said("must(x)");
		running_crashed(SIGSEGV);
		signal(SIGSEGV, SIG_DFL);
		raise(SIGSEGV);
	}
	if (!strcmp(conf, "three"))
		_exit(3);
}

static void signals_say(void)
{
	char text[100];
	sigset_t blocked;
	struct sigaction pipe_action;

	sigprocmask(SIG_SETMASK, NULL, &blocked);
	sigaction(SIGPIPE, NULL, &pipe_action);
	snprintf(text, sizeof text, "term %s pipe %s",
		sigismember(&blocked, SIGTERM) ? "blocked" : "open",
		pipe_action.sa_handler == SIG_DFL ? "default" : "other");
	channel_send(SERVER_CHANNEL, PACKET_FAILED, text, -1);
}

/* Before main, so that Check never runs in it. */
__attribute__((constructor)) static void be_server(int argc, char **argv)
{
	struct packet packet;

	if (argc != 4 || strcmp(argv[3], SERVER_WORD))
		return;
	signals_say();
	while (channel_receive(SERVER_CHANNEL, &packet, -1) == CHANNEL_PACKET) {
		repeat(&packet);
		if (packet.type == PACKET_PAGE)
			page_take(packet.fd);
		if (packet.type == PACKET_BEGIN)
			act(argv[2]);
	}
	_exit(0);
}

/* ---- the parent --------------------------------------------------------------------------- */

static struct child_setup setup;
static struct sockets sockets;
static struct child child;
static struct why why;

static int some_file(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void begin(const char *file)
{
	static const struct tls_settings tls = { .client_ca = TMAIL_STR("/proc/self/exe") };

	setup = (struct child_setup){ .file = file, .sockets = &sockets, .tls = &tls };
	ck_assert_msg(child_setup_init(&setup, &why), "%s", why.text);
	setup.control = some_file();
	setup.lock = some_file();
	log_setup(LEVEL_ERROR, LOG_TEXT, NULL);
}

static void end(void)
{
	child_free(&child);
	child_setup_free(&setup);
	close(setup.control);
	close(setup.lock);
	sockets_free(&sockets);
}

static void start(bool beside)
{
	ck_assert_msg(child_start(&child, &setup, beside, &why), "%s", why.text);
	ck_assert_int_gt(child.pid, 0);
	ck_assert(!child.ready && !child.checked && !child.draining);
}

static void expect(const char *text)
{
	struct packet packet;

	ck_assert_int_eq(channel_receive(child.channel, &packet, -1), CHANNEL_PACKET);
	ck_assert_uint_eq(packet.type, PACKET_FAILED);
	ck_assert_str_eq(packet.text, text);
}

static void expect_packet(enum packet_type type, const char *rest)
{
	char text[200];

	snprintf(text, sizeof text, "%u %s", (unsigned)type, rest);
	expect(text);
}

static int ended(void)
{
	int status;

	ck_assert_int_eq(waitpid(child.pid, &status, 0), child.pid);
	return status;
}

static void expect_brief(bool beside)
{
	expect("term open pipe default");
	expect_packet(PACKET_LOCK, " file");
	expect_packet(PACKET_CONTROL, " file");
	expect_packet(PACKET_PAGE, " file");
	expect_packet(PACKET_FILE, "/proc/self/exe file");
	expect_packet(beside ? PACKET_BESIDE : PACKET_BEGIN, " -");
}

START_TEST(a_server_is_told_all_it_needs_before_it_begins)
{
	int one = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int two = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	begin("x");
	sockets_add(&sockets, "127.0.0.1:25", one);
	sockets_add(&sockets, "[::1]:25", two);
	setup.watchdog = 15000;
	snprintf(setup.crashed, sizeof setup.crashed, "process 7: gone");
	start(false);
	expect("term open pipe default");
	expect_packet(PACKET_LOCK, " file");
	expect_packet(PACKET_CONTROL, " file");
	expect_packet(PACKET_PAGE, " file");
	expect_packet(PACKET_WATCHDOG, "15000 -");
	expect_packet(PACKET_CRASHED, "process 7: gone -");
	expect_packet(PACKET_SOCKET, "127.0.0.1:25 socket");
	expect_packet(PACKET_SOCKET, "[::1]:25 socket");
	expect_packet(PACKET_FILE, "/proc/self/exe file");
	expect_packet(PACKET_BEGIN, " -");
	child_kill(&child);
	ended();
	end();
}
END_TEST

START_TEST(a_server_beside_another_is_told_so)
{
	begin("x");
	start(true);
	expect_brief(true);
	child_kill(&child);
	ended();
	end();
}
END_TEST

START_TEST(blocked_signals_and_ignored_ones_are_not_inherited)
{
	sigset_t term;

	begin("x");
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	signal(SIGPIPE, SIG_IGN);
	start(false);
	expect_brief(false);
	child_kill(&child);
	ended();
	end();
}
END_TEST

START_TEST(the_channel_may_be_at_its_place_already)
{
	int saved[SERVER_CHANNEL + 1];

	begin("x");
	for (int fd = 1; fd <= SERVER_CHANNEL; fd++) { /* page, our end, the server's end */
		saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 100);
		close(fd);
	}
	start(false);
	ck_assert_int_eq(child.channel, SERVER_CHANNEL - 1);
	child.channel = fcntl(child.channel, F_DUPFD_CLOEXEC, 100);
	for (int fd = 1; fd <= SERVER_CHANNEL; fd++) {
		close(fd);
		if (saved[fd] >= 0)
			dup2(saved[fd], fd);
	}
	expect_brief(false);
	child_kill(&child);
	ended();
	end();
}
END_TEST

START_TEST(a_server_that_has_not_begun_is_ended_by_a_signal_and_another_is_asked)
{
	begin("x");
	start(false);
	expect_brief(false);
	child_stop(&child, false);
	ck_assert_int_eq(WTERMSIG(ended()), SIGTERM);
	child_free(&child);

	start(false);
	expect_brief(false);
	child.ready = true;
	child_stop(&child, false);
	expect_packet(PACKET_STOP, " -");
	child_stop(&child, true);
	expect_packet(PACKET_STOP_NOW, " -");
	child_kill(&child);
	ck_assert_int_eq(WTERMSIG(ended()), SIGKILL);
	end();
}
END_TEST

START_TEST(who_is_not_there_is_neither_stopped_nor_killed)
{
	child = (struct child){ .channel = -1 };
	child_stop(&child, true); /* pid 0 would be this whole group */
	child_kill(&child);
	child_free(&child);
	child_free(&child);
	ck_assert_int_eq(child.channel, -1);
}
END_TEST

START_TEST(of_a_crash_it_is_said_where_it_was)
{
	char message[ID_TEXT + 1], expected[300];

	begin("crash");
	start(false);
	expect_brief(false);
	child_autopsy(&child, ended(), &why);
	id_text((struct id){ 1, 2 }, message);
	snprintf(expected, sizeof expected,
		"process %d: Segmentation fault: must(x), in module route/bad, over message %s",
		(int)child.pid, message);
	ck_assert_str_eq(why.text, expected);
	end();
}
END_TEST

START_TEST(of_a_kill_there_is_no_more_to_say_than_the_signal)
{
	char expected[100];

	begin("x");
	start(false);
	expect_brief(false);
	child_kill(&child);
	child_autopsy(&child, ended(), &why);
	snprintf(expected, sizeof expected, "process %d: Killed", (int)child.pid);
	ck_assert_str_eq(why.text, expected);
	end();
}
END_TEST

START_TEST(of_an_end_the_status_is_said)
{
	char expected[100];

	begin("three");
	start(false);
	expect_brief(false);
	child_autopsy(&child, ended(), &why);
	snprintf(expected, sizeof expected, "process %d ended with status 3", (int)child.pid);
	ck_assert_str_eq(why.text, expected);
	end();
}
END_TEST

START_TEST(a_program_that_is_gone_ends_at_once)
{
	begin("x");
	free(setup.program);
	setup.program = str_dup_c(STR("/nonexistent/tmail"));
	start(false);
	ck_assert_int_eq(WEXITSTATUS(ended()), 127);
	end();
}
END_TEST

START_TEST(the_program_is_where_this_one_is)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path);

	begin("x");
	ck_assert(str_equal(str_c(setup.program), str_make(path, (size_t)n)));
	end();
	ck_assert_ptr_null(setup.program);
}
END_TEST

TEST_MAIN("daemon/child", a_server_is_told_all_it_needs_before_it_begins,
	a_server_beside_another_is_told_so, blocked_signals_and_ignored_ones_are_not_inherited,
	the_channel_may_be_at_its_place_already,
	a_server_that_has_not_begun_is_ended_by_a_signal_and_another_is_asked,
	who_is_not_there_is_neither_stopped_nor_killed, of_a_crash_it_is_said_where_it_was,
	of_a_kill_there_is_no_more_to_say_than_the_signal, of_an_end_the_status_is_said,
	a_program_that_is_gone_ends_at_once, the_program_is_where_this_one_is)
