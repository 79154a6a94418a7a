/* SPDX-License-Identifier: MIT
 *
 * The parent process: parent.c and child.c, with this very program as the server that it starts
 * (see be_server): the server says on standard output what it is told, and does at a RELOAD what
 * the file `act` of its folder says.
 */
#include "daemon/channel.h"
#include "daemon/daemon.h"
#include "host/running.h"
#include "net/socket.h"
#include "sys/file.h"
#include "tests/daemon/place.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the server --------------------------------------------------------------------------- */

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	fflush(stdout);
}

static struct buf act_read(const char *conf)
{
	struct buf act = { 0 }, name = { 0 };

	buf_add(&name, str_slice(str_c(conf), 0, (size_t)str_find_last(str_c(conf), '/')));
	buf_add_c(&name, "/act");
	file_read(buf_c(&name), 100, &act, NULL);
	buf_free(&name);
	return act;
}

static void say_socket(const struct packet *packet)
{
	struct endpoint e = { 0 };

	endpoint_of_socket(packet->fd, false, &e);
	say("socket %s %u\n", packet->text, e.port);
}

static void act_on(const char *act)
{
	if (!strcmp(act, "crash")) {
		running_enter("route/bad", 5, (struct id){ 0 });
		running_crashed(SIGSEGV);
		signal(SIGSEGV, SIG_DFL);
		raise(SIGSEGV);
	} else if (!strcmp(act, "restart") || !strcmp(act, "refuse")) {
		channel_send(SERVER_CHANNEL, PACKET_RESTART, NULL, -1);
	} else if (!strcmp(act, "listen")) {
		channel_send(SERVER_CHANNEL, PACKET_LISTEN, NULL, -1);
	} else if (!strcmp(act, "exit")) {
		_exit(3);
	}
}

static void begin(const char *conf)
{
	struct buf act = act_read(conf);

	if (!strcmp(buf_c(&act), "fail")) {
		channel_send(SERVER_CHANNEL, PACKET_FAILED, "cannot", -1);
		_exit(1);
	}
	channel_send(SERVER_CHANNEL, PACKET_READY, NULL, -1); /* first: a test may stop it then */
	say("begin %d\n", (int)getpid());
	buf_free(&act);
}

static void told(const char *conf, struct packet *packet)
{
	struct buf act = act_read(conf);
	void *page;

	switch (packet->type) {
	case PACKET_SOCKET:
		say_socket(packet);
		break;
	case PACKET_PAGE:
		page = mmap(NULL, sizeof(struct running_page), PROT_READ | PROT_WRITE, MAP_SHARED,
			packet->fd, 0);
		running_setup(page);
		break;
	case PACKET_CRASHED:
		say("before %s\n", packet->text);
		break;
	case PACKET_BESIDE:
		if (!strcmp(buf_c(&act), "restart")) {
			say("beside\n");
			channel_send(SERVER_CHANNEL, PACKET_CHECKED, NULL, -1);
		} else {
			channel_send(SERVER_CHANNEL, PACKET_FAILED, "no good", -1);
			_exit(1);
		}
		break;
	case PACKET_BEGIN:
		begin(conf);
		break;
	case PACKET_RELOAD:
		act_on(buf_c(&act));
		break;
	case PACKET_LISTEN_DONE:
		say("listen done\n");
		channel_send(SERVER_CHANNEL, PACKET_READY, NULL, -1);
		break;
	case PACKET_NO:
		say("no %s\n", packet->text);
		break;
	case PACKET_STOP:
		say("stop\n");
		if (strcmp(buf_c(&act), "stubborn"))
			_exit(0);
		break;
	case PACKET_STOP_NOW:
		say("stop now\n");
		_exit(0);
	case PACKET_DRAIN:
		say("drain\n");
		_exit(0);
	default:
		break;
	}
	buf_free(&act);
}

/* Before main, so that Check never runs in it. */
__attribute__((constructor)) static void be_server(int argc, char **argv)
{
	struct packet packet;
	struct buf act;

	if (argc != 4 || strcmp(argv[3], SERVER_WORD))
		return;
	setvbuf(stdout, NULL, _IOLBF, 4096);
	while (channel_receive(SERVER_CHANNEL, &packet, -1) == CHANNEL_PACKET)
		told(argv[2], &packet);
	say("gone\n");
	act = act_read(argv[2]);
	while (!strcmp(buf_c(&act), "linger")) { /* a server that still has work to do */
		buf_free(&act);
		usleep(1000);
		act = act_read(argv[2]);
	}
	_exit(0);
}

/* ---- the tests' side ---------------------------------------------------------------------- */

static FILE *lines;
static pid_t parent;
static char line[2048];

static void folder_begin(const char *settings)
{
	place_begin(settings);
	place_put("act", "");
}

/* A parent with its server; its lines come to `lines`. */
static pid_t spawn(FILE **out)
{
	int ends[2];
	pid_t pid;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);

		dup2(ends[1], STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		_exit(parent_main(place_conf));
	}
	close(ends[1]);
	*out = fdopen(ends[0], "r");
	return pid;
}

static void start(void)
{
	parent = spawn(&lines);
}

/* The next line, which must begin like this; the rest is answered. */
static const char *expect(const char *begins)
{
	ck_assert_msg(fgets(line, sizeof line, lines), "nothing more, not '%s'", begins);
	line[strcspn(line, "\n")] = '\0';
	ck_assert_msg(!strncmp(line, begins, strlen(begins)), "'%s', not '%s'", line, begins);
	return line + strlen(begins);
}

static int end_of(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

static void stop(void)
{
	kill(parent, SIGTERM);
	expect("stop");
	ck_assert_int_eq(end_of(parent), EXIT_GOOD);
	fclose(lines);
}

#define ONE "listen = ( { address = \"127.0.0.1\"; port = 0; } );\n"
#define TWO                                                                                        \
	"listen = ( { address = \"127.0.0.1\"; port = 0; }, { address = \"::1\"; port = 0; } );\n"

START_TEST(a_server_gets_its_sockets_and_is_stopped)
{
	char control[400];

	folder_begin(TWO);
	start();
	ck_assert_int_gt(atol(expect("socket 127.0.0.1:0 ")), 0);
	ck_assert_int_gt(atol(expect("socket [::1]:0 ")), 0);
	expect("begin ");
	snprintf(control, sizeof control, "%s/run/control.sock", place_folder);
	ck_assert(file_exists(control));
	stop();
	ck_assert(!file_exists(control));
	place_end();
}
END_TEST

START_TEST(a_crashed_server_is_started_again_on_the_same_sockets)
{
	long port;

	folder_begin(ONE);
	start();
	port = atol(expect("socket 127.0.0.1:0 "));
	expect("begin ");
	for (int i = 0; i < 3; i++) {
		place_put("act", "crash");
		kill(parent, SIGHUP);
		expect("before process ");
		ck_assert_ptr_nonnull(strstr(line, "in module route/bad"));
		ck_assert_int_eq(atol(expect("socket 127.0.0.1:0 ")), port);
		expect("begin ");
	}
	stop();
	place_end();
}
END_TEST

START_TEST(a_server_that_ends_by_itself_is_started_again)
{
	folder_begin(ONE);
	start();
	expect("socket");
	expect("begin ");
	place_put("act", "exit");
	kill(parent, SIGHUP);
	expect("before process ");
	ck_assert_ptr_nonnull(strstr(line, "ended with status 3"));
	expect("socket");
	expect("begin ");
	stop();
	place_end();
}
END_TEST

START_TEST(a_server_that_cannot_start_the_first_time_is_the_end)
{
	folder_begin(ONE);
	place_put("act", "fail");
	start();
	expect("socket");
	ck_assert_int_eq(end_of(parent), EXIT_TROUBLE);
	fclose(lines);
	place_end();
}
END_TEST

START_TEST(a_restart_checks_the_new_before_the_old_ends)
{
	long port, first;

	folder_begin(ONE);
	start();
	port = atol(expect("socket 127.0.0.1:0 "));
	first = atol(expect("begin "));
	place_put("act", "restart");
	kill(parent, SIGHUP);
	ck_assert_int_eq(atol(expect("socket 127.0.0.1:0 ")), port);
	expect("beside");
	expect("drain");
	ck_assert_int_ne(atol(expect("begin ")), first);
	stop();
	place_end();
}
END_TEST

START_TEST(a_restart_that_does_not_check_leaves_the_old)
{
	folder_begin(ONE);
	start();
	expect("socket");
	expect("begin ");
	place_put("act", "refuse");
	kill(parent, SIGHUP);
	expect("socket"); /* of the new one */
	expect("no no good");
	place_put("act", "restart"); /* another may be tried */
	kill(parent, SIGHUP);
	expect("socket");
	expect("beside");
	expect("drain");
	expect("begin ");
	stop();
	place_end();
}
END_TEST

START_TEST(a_changed_configuration_is_bound_by_the_parent)
{
	long port;

	folder_begin(ONE);
	start();
	port = atol(expect("socket 127.0.0.1:0 "));
	expect("begin ");
	place_put("act", "listen");
	place_put("tmail.conf", "user = \"root\";\n" TWO);
	kill(parent, SIGHUP);
	ck_assert_int_eq(atol(expect("socket 127.0.0.1:0 ")), port);
	ck_assert_int_gt(atol(expect("socket [::1]:0 ")), 0);
	expect("listen done");
	place_put("act", "exit"); /* the next server gets both */
	kill(parent, SIGHUP);
	expect("before ");
	ck_assert_int_eq(atol(expect("socket 127.0.0.1:0 ")), port);
	expect("socket [::1]:0 ");
	expect("begin ");
	stop();
	place_end();
}
END_TEST

START_TEST(a_bad_configuration_binds_nothing)
{
	long port;

	folder_begin(ONE);
	start();
	port = atol(expect("socket 127.0.0.1:0 "));
	expect("begin ");
	place_put("act", "listen");
	place_put("tmail.conf", "user = \"root\";\nlistne = 5;\n" TWO);
	kill(parent, SIGHUP);
	expect("no ");
	ck_assert_ptr_nonnull(strstr(line, "listne"));
	place_put("tmail.conf", "user = \"root\";\n" ONE);
	kill(parent, SIGHUP);
	ck_assert_int_eq(atol(expect("socket 127.0.0.1:0 ")), port);
	expect("listen done");
	stop();
	place_end();
}
END_TEST

START_TEST(a_second_signal_does_not_wait)
{
	folder_begin(ONE);
	start();
	expect("socket");
	expect("begin ");
	place_put("act", "stubborn");
	kill(parent, SIGTERM);
	expect("stop");
	kill(parent, SIGTERM);
	expect("stop now");
	ck_assert_int_eq(end_of(parent), EXIT_GOOD);
	fclose(lines);
	place_end();
}
END_TEST

START_TEST(one_run_folder_has_one_parent)
{
	FILE *other;
	pid_t second;

	folder_begin(ONE);
	start();
	expect("socket");
	expect("begin ");
	second = spawn(&other);
	ck_assert_int_eq(end_of(second), EXIT_TROUBLE);
	ck_assert_int_eq(fgetc(other), EOF);
	fclose(other);
	stop();
	place_end();
}
END_TEST

START_TEST(the_server_of_a_dead_parent_is_waited_for)
{
	FILE *before;

	folder_begin(ONE);
	start();
	expect("socket");
	expect("begin ");
	place_put("act", "linger");
	kill(parent, SIGKILL);
	ck_assert_int_eq(end_of(parent), 100 + SIGKILL);
	expect("gone");
	before = lines;
	start(); /* waits for the lock that the old server still has */
	place_put("act", "");
	expect("socket");
	expect("begin ");
	fclose(before);
	stop();
	place_end();
}
END_TEST

START_TEST(sockets_of_systemd_are_taken_over)
{
	struct endpoint e = { 0 };
	struct why why;
	int ends[2], fd;
	char settings[200], pid[16];
	unsigned port;

	ck_assert(endpoint_parse(STR("127.0.0.1:0"), 0, &e));
	fd = socket_listen(&e, 10, &why);
	ck_assert_int_ge(fd, 0);
	ck_assert(endpoint_of_socket(fd, false, &e));
	port = e.port;
	snprintf(settings, sizeof settings,
		"listen = ( { address = \"127.0.0.1\"; port = %u; } );\n", port);
	folder_begin(settings);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	parent = fork();
	if (parent == 0) {
		dup2(ends[1], STDOUT_FILENO);
		dup2(fd, 3); /* bound already: binding it again would fail */
		snprintf(pid, sizeof pid, "%d", (int)getpid());
		setenv("LISTEN_PID", pid, 1);
		setenv("LISTEN_FDS", "1", 1);
		_exit(parent_main(place_conf));
	}
	close(ends[1]);
	lines = fdopen(ends[0], "r");
	expect("socket ");
	expect("begin ");
	stop();
	close(fd);
	place_end();
}
END_TEST

static void notified(int fd, const char *text)
{
	char got[200] = "";
	ssize_t n = recv(fd, got, sizeof got - 1, 0);

	ck_assert_int_gt(n, 0);
	ck_assert_msg(!strncmp(got, text, strlen(text)), "'%s', not '%s'", got, text);
}

START_TEST(the_service_manager_is_told)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	folder_begin(ONE);
	snprintf(address.sun_path, sizeof address.sun_path, "%.*s/notify",
		(int)(strrchr(place_conf, '/') - place_conf), place_conf);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	setenv("NOTIFY_SOCKET", address.sun_path, 1);
	start();
	expect("socket");
	expect("begin ");
	notified(fd, "READY=1");
	place_put("act", "listen");
	kill(parent, SIGHUP);
	expect("socket");
	expect("listen done");
	notified(fd, "READY=1");
	stop();
	notified(fd, "STOPPING=1");
	close(fd);
	place_end();
}
END_TEST

TEST_MAIN("daemon/parent", a_server_gets_its_sockets_and_is_stopped,
	a_crashed_server_is_started_again_on_the_same_sockets,
	a_server_that_ends_by_itself_is_started_again,
	a_server_that_cannot_start_the_first_time_is_the_end,
	a_restart_checks_the_new_before_the_old_ends, a_restart_that_does_not_check_leaves_the_old,
	a_changed_configuration_is_bound_by_the_parent, a_bad_configuration_binds_nothing,
	a_second_signal_does_not_wait, one_run_folder_has_one_parent,
	the_server_of_a_dead_parent_is_waited_for, sockets_of_systemd_are_taken_over,
	the_service_manager_is_told)
