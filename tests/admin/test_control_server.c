/* SPDX-License-Identifier: MIT
 *
 * The server's side of the control socket: who may ask, how many at once, and clients that are
 * slow, silent, hostile or gone.
 */
#include "tests/admin/control.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { CLIENTS_AT_MOST = 64, VERBS_AT_ONCE = 4 };

/* All that the server says to these octets until it closes, or to where `last` is. */
static void conversation(struct str octets, struct buf *answer, const char *last)
{
	int fd = raw_open();

	raw_send(fd, octets);
	buf_clear(answer);
	raw_wait(fd, answer, last);
	close(fd);
}

START_TEST(a_command_is_answered_line_by_line)
{
	struct collect c;
	struct why why;

	control_begin();
	ck_assert_int_eq(control_command(&c, "echo one two", &why), VERB_OK);
	ck_assert_str_eq(buf_c(&c.text), "say one\nsay two\n");
	buf_free(&c.text);
	ck_assert_int_eq(control_command(&c, "nonsense", &why), VERB_FAILED);
	ck_assert_str_eq(buf_c(&c.text), "fail what?\n");
	buf_free(&c.text);
	ck_assert_int_eq(control_command(&c, "", &why), VERB_USAGE);
	buf_free(&c.text);
	control_end();
}
END_TEST

START_TEST(rows_arrive_whole_and_in_order_however_many)
{
	struct collect c;
	struct why why;
	struct str rest, line;
	size_t rows = 0, bars = 0;
	char bar[40];

	control_begin();
	ck_assert_int_eq(control_command(&c, "rows 30000", &why), VERB_OK);
	rest = buf_str(&c.text);
	ck_assert(str_starts(rest, STR("columns n|text\nrow x|yyyy\"\n")));
	while (str_split(&rest, '\n', &line)) {
		rows += str_starts(line, STR("row x|yyyy\""));
		snprintf(bar, sizeof bar, "progress %zu/30000", bars);
		bars += str_equal(line, str_c(bar));
	}
	ck_assert_uint_eq(rows, 30000);
	ck_assert_uint_eq(bars, 30000);
	buf_free(&c.text);
	control_end();
}
END_TEST

START_TEST(commands_sent_together_are_answered_one_after_the_other)
{
	struct buf answer = { 0 };

	control_begin();
	conversation(STR("{\"words\":[\"rows\",\"50\"]}\n{\"words\":[\"echo\",\"z\"]}\n"), &answer,
		"{\"say\":\"z\"}\n{\"result\":0}\n");
	ck_assert_ptr_nonnull(
		strstr(buf_c(&answer), "{\"result\":0}\n{\"say\":\"z\"}\n{\"result\":0}\n"));
	buf_free(&answer);
	control_end();
}
END_TEST

START_TEST(a_command_that_comes_octet_by_octet_is_one)
{
	const struct str line = STR("{\"words\":[\"echo\",\"slow\"]}\n");
	struct buf answer = { 0 };
	int fd;

	control_begin();
	fd = raw_open();
	for (size_t i = 0; i < line.len; i++)
		raw_send(fd, str_slice(line, i, 1));
	ck_assert(raw_wait(fd, &answer, "{\"result\":0}\n"));
	ck_assert_str_eq(buf_c(&answer), "{\"say\":\"slow\"}\n{\"result\":0}\n");
	close(fd);
	buf_free(&answer);
	control_end();
}
END_TEST

START_TEST(what_is_no_command_is_refused_and_the_server_lives)
{
	static const struct str bad[] = { STR_INIT("\n"), STR_INIT("{}\n"), STR_INIT("[]\n"),
		STR_INIT("{\"words\":1}\n"), STR_INIT("{\"words\":[1]}\n"),
		STR_INIT("{\"words\":[\"a\"\n"), STR_INIT("\xff\xfe\n"),
		STR_INIT("{\"answer\":\"x\"}\n"), STR_INIT("\0\0\0\n"),
		STR_INIT("GET / HTTP/1.1\r\n\r\n") };
	struct buf answer = { 0 };
	int fd;

	control_begin();
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		conversation(bad[i], &answer, NULL);
		ck_assert_str_eq(buf_c(&answer),
			"{\"fail\":\"a line that is no command\"}\n{\"result\":1}\n");
	}
	fd = raw_open(); /* who says nothing, or half of it, and leaves */
	close(fd);
	fd = raw_open();
	raw_send(fd, STR("{\"words\":[\"echo\",\"cut\""));
	shutdown(fd, SHUT_WR);
	buf_clear(&answer);
	raw_wait(fd, &answer, NULL);
	ck_assert_uint_eq(answer.len, 0);
	close(fd);
	control_check_alive();
	buf_free(&answer);
	control_end();
}
END_TEST

START_TEST(a_line_without_an_end_is_not_kept_for_ever)
{
	struct buf line = { 0 }, answer = { 0 };
	int fd;

	control_begin();
	fd = raw_open();
	while (line.len < 300 * 1024)
		buf_add_c(&line, "xxxxxxxxxxxxxxxx");
	raw_send(fd, buf_str(&line));
	raw_wait(fd, &answer, NULL); /* it may be cut by a reset: octets were not read */
	ck_assert_msg(answer.len == 0 || strstr(buf_c(&answer), "a line that is too long"), "%s",
		buf_c(&answer));
	close(fd);
	control_check_alive();
	buf_free(&line);
	buf_free(&answer);
	control_end();
}
END_TEST

START_TEST(a_long_line_within_the_limit_is_a_command)
{
	struct buf word = { 0 };
	struct collect c;
	struct why why;
	struct str words[2] = { STR("echo") };

	control_begin();
	while (word.len < 250 * 1024)
		buf_add_c(&word, "0123456789abcdef");
	words[1] = buf_str(&word);
	collect_init(&c);
	ck_assert_int_eq(control_ask(control_path, words, 2, &c.output, &why), VERB_OK);
	ck_assert_uint_eq(c.text.len, word.len + strlen("say \n"));
	buf_free(&c.text);
	buf_free(&word);
	control_end();
}
END_TEST

/* ---- secrets ------------------------------------------------------------------------------ */

START_TEST(a_secret_is_asked_of_the_client)
{
	struct buf answer = { 0 };
	int fd;

	control_begin();
	fd = raw_open();
	raw_send(fd, STR("{\"words\":[\"secret\"]}\n"));
	ck_assert(raw_wait(fd, &answer, "{\"secret\":\"PASSWORD\"}\n"));
	raw_send(fd, STR("{\"answer\":\"s\\u0000x\"}\n"));
	ck_assert(raw_wait(fd, &answer, "{\"result\":0}\n"));
	ck_assert_ptr_nonnull(strstr(buf_c(&answer), "{\"say\":\"s\\u0000x\"}\n"));
	buf_clear(&answer);
	raw_send(fd, STR("{\"words\":[\"secret\"]}\n"));
	ck_assert(raw_wait(fd, &answer, "{\"secret\":\"PASSWORD\"}\n"));
	raw_send(fd, STR("{\"answer\":\"\"}\n"));
	ck_assert(raw_wait(fd, &answer, "{\"result\":1}\n"));
	ck_assert_ptr_nonnull(strstr(buf_c(&answer), "PASSWORD: nothing was given"));
	close(fd);
	buf_free(&answer);
	control_end();
}
END_TEST

START_TEST(an_answer_may_come_before_it_is_asked_for)
{
	struct buf answer = { 0 };

	control_begin();
	conversation(STR("{\"words\":[\"secret\"]}\n{\"answer\":\"early\"}\n"), &answer,
		"{\"result\":0}\n");
	ck_assert_str_eq(
		buf_c(&answer), "{\"secret\":\"PASSWORD\"}\n{\"say\":\"early\"}\n{\"result\":0}\n");
	buf_free(&answer);
	control_end();
}
END_TEST

START_TEST(a_command_in_place_of_a_secret_is_refused)
{
	struct buf answer = { 0 };

	control_begin();
	conversation(
		STR("{\"words\":[\"secret\"]}\n{\"words\":[\"echo\",\"x\"]}\n"), &answer, NULL);
	ck_assert_ptr_nonnull(
		strstr(buf_c(&answer), "the command before this one is still running"));
	ck_assert_ptr_null(strstr(buf_c(&answer), "{\"say\""));
	control_check_alive();
	buf_free(&answer);
	control_end();
}
END_TEST

START_TEST(an_answer_that_nobody_asked_for_is_no_command)
{
	struct buf answer = { 0 };

	control_begin();
	conversation(STR("{\"words\":[\"rows\",\"2\"]}\n{\"answer\":\"early\"}\n"), &answer, NULL);
	ck_assert_ptr_nonnull(strstr(buf_c(&answer),
		"{\"result\":0}\n{\"fail\":\"a line that is no command\"}\n{\"result\":1}\n"));
	buf_free(&answer);
	control_end();
}
END_TEST

/* ---- how many ----------------------------------------------------------------------------- */

START_TEST(four_verbs_run_at_once_and_the_others_wait)
{
	enum { ASKED = 7 };
	struct pollfd ends[ASKED];
	struct buf answer = { 0 };
	int fd[ASKED];

	control_begin();
	for (int i = 0; i < ASKED; i++) {
		fd[i] = raw_open();
		ends[i] = (struct pollfd){ .fd = fd[i], .events = POLLIN };
		raw_send(fd[i], STR("{\"words\":[\"gate\"]}\n"));
	}
	control_wait_entered(VERBS_AT_ONCE);
	conversation(STR("\n"), &answer, NULL); /* by now all that was asked has been heard */
	for (int i = 0; i < ASKED; i++) {
		control_open_gate(1);
		ck_assert_int_eq(poll(ends, ASKED, -1), 1);
		for (int k = 0; k < ASKED; k++)
			if (ends[k].revents)
				ends[k].fd = -1;
		conversation(STR("\n"), &answer, NULL);
	}
	for (int i = 0; i < ASKED; i++)
		close(fd[i]);
	ck_assert_uint_eq(control_inside_most, VERBS_AT_ONCE);
	buf_free(&answer);
	control_end();
}
END_TEST

/* True when the server keeps the connection, false when it has too many. */
static bool is_served(int fd)
{
	struct buf answer = { 0 };
	bool served;

	raw_send(fd, STR("{\"words\":[\"echo\"]}\n"));
	ck_assert(raw_wait(fd, &answer, "{\"result\":"));
	served = strstr(buf_c(&answer), "{\"result\":0}") != NULL;
	if (!served)
		ck_assert_ptr_nonnull(strstr(buf_c(&answer), "too many clients at once"));
	buf_free(&answer);
	return served;
}

START_TEST(sixty_four_clients_are_served_and_another_when_one_has_left)
{
	int fd[CLIENTS_AT_MOST], more;

	control_begin();
	for (int i = 0; i < CLIENTS_AT_MOST; i++) {
		fd[i] = raw_open();
		ck_assert_msg(is_served(fd[i]), "client %d", i);
	}
	more = raw_open();
	ck_assert(!is_served(more));
	close(more);
	close(fd[7]);
	do { /* the server must see it leave */
		close(fd[7]);
		fd[7] = raw_open();
	} while (!is_served(fd[7]));
	for (int i = 0; i < CLIENTS_AT_MOST; i++)
		close(fd[i]);
	control_end();
}
END_TEST

static void *client_thread(void *arg)
{
	struct collect c;
	struct why why;
	int *answers = arg;

	for (int i = 0; i < 20; i++) {
		answers[0] +=
			control_command(&c, i % 2 ? "rows 300" : "echo a b c", &why) == VERB_OK;
		answers[1] += (int)c.text.len;
		buf_free(&c.text);
	}
	return NULL;
}

START_TEST(several_clients_are_served_at_once)
{
	enum { CLIENTS = 8 };
	pthread_t threads[CLIENTS];
	int answers[CLIENTS][2] = { { 0 } };

	control_begin();
	for (int i = 0; i < CLIENTS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, client_thread, answers[i]), 0);
	for (int i = 0; i < CLIENTS; i++) {
		pthread_join(threads[i], NULL);
		ck_assert_int_eq(answers[i][0], 20);
		ck_assert_int_eq(answers[i][1], answers[0][1]);
	}
	control_end();
}
END_TEST

/* ---- clients that do not do their part ---------------------------------------------------- */

START_TEST(a_client_that_does_not_read_holds_its_own_verb_alone)
{
	enum { ROWS = 1000000, LOOKS = 50 };
	struct buf answer = { 0 };
	uint64_t before;
	int fd, same = 0;
	size_t rows = 0;

	control_begin();
	fd = raw_open();
	control_emitted = 0;
	raw_send(fd, STR("{\"words\":[\"rows\",\"1000000\"]}\n"));
	while (same < LOOKS) { /* it came to a stop: others were served so often meanwhile */
		before = control_emitted;
		control_check_alive();
		same = before && before == control_emitted ? same + 1 : 0;
	}
	ck_assert_uint_lt(control_emitted, ROWS / 10);
	while (!str_ends_case(buf_str(&answer), STR("{\"result\":0}\n"))) {
		const char *at = buf_c(&answer), *last = strrchr(at, '\n');

		for (const char *c = at; last && c < last && (c = strstr(c, "{\"row\"")) != NULL;
			c++)
			rows += c < last;
		if (last)
			buf_consume(&answer, (size_t)(last - at) + 1);
		ssize_t n = recv(fd, buf_reserve(&answer, 65536), 65536, 0);
		ck_assert_int_gt(n, 0);
		answer.len += (size_t)n;
	}
	for (const char *c = buf_c(&answer); (c = strstr(c, "{\"row\"")) != NULL; c++)
		rows++;
	ck_assert_uint_eq(rows, ROWS);
	close(fd);
	buf_free(&answer);
	control_end();
}
END_TEST

START_TEST(a_client_that_leaves_in_the_middle_harms_nobody)
{
	control_begin();
	for (int i = 0; i < 6; i++) {
		struct buf answer = { 0 };
		int fd = raw_open();

		if (i % 2) {
			raw_send(fd, STR("{\"words\":[\"rows\",\"100000\"]}\n"));
			ck_assert(raw_wait(fd, &answer, "{\"row\""));
		} else {
			raw_send(fd, STR("{\"words\":[\"secret\"]}\n"));
			ck_assert(raw_wait(fd, &answer, "{\"secret\""));
		}
		close(fd);
		buf_free(&answer);
	}
	control_check_alive();
	control_end();
}
END_TEST

START_TEST(a_client_that_left_before_its_verb_began_harms_nobody)
{
	enum { WAIT = VERBS_AT_ONCE + 3 };
	int fd[WAIT];

	control_begin();
	for (int i = 0; i < WAIT; i++) {
		fd[i] = raw_open();
		raw_send(fd[i], STR("{\"words\":[\"gate\"]}\n"));
	}
	control_wait_entered(VERBS_AT_ONCE);
	for (int i = 0; i < WAIT; i++)
		close(fd[i]);
	control_open_gate(WAIT);
	control_wait_entered(WAIT - VERBS_AT_ONCE);
	control_check_alive();
	control_end();
}
END_TEST

/* ---- who ---------------------------------------------------------------------------------- */

/* In a process of another user. Answers what the server said: 0 that it refuses. */
static int stranger_asks(void)
{
	struct buf answer = { 0 };
	int fd;

	if (setgid(65534) != 0 || setuid(65534) != 0)
		return 1;
	fd = raw_open();
	raw_send(fd, STR("{\"words\":[\"echo\",\"secret\"]}\n"));
	raw_wait(fd, &answer, NULL);
	if (strstr(buf_c(&answer), "\"say\""))
		return 2;
	return strstr(buf_c(&answer), "only root and the server's user may ask") ? 0 : 3;
}

START_TEST(another_user_is_refused_even_if_he_gets_at_the_socket)
{
	int status;
	pid_t pid;

	control_begin();
	if (geteuid() == 0) { /* nobody else can become somebody else */
		ck_assert_int_eq(chmod(control_folder, 0755), 0);
		ck_assert_int_eq(chmod(control_path, 0666), 0);
		pid = fork();
		ck_assert_int_ge(pid, 0);
		if (pid == 0)
			_exit(stranger_asks());
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_msg(WIFEXITED(status), "status %d", status);
		ck_assert_int_eq(WEXITSTATUS(status), 0);
	}
	control_check_alive();
	control_end();
}
END_TEST

START_TEST(clients_wait_while_there_are_no_descriptors)
{
	struct rlimit before, few;
	struct buf answer = { 0 };
	int fd, last, known;

	control_begin();
	known = raw_open();
	ck_assert(is_served(known));
	last = open("/dev/null", O_RDONLY | O_CLOEXEC); /* the lowest that is free */
	ck_assert_int_ge(last, 0);
	close(last);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = (rlim_t)last + 1;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	fd = raw_open();
	ck_assert_int_eq(fd, last);
	raw_send(fd, STR("{\"words\":[\"echo\",\"at last\"]}\n"));
	ck_assert(is_served(known) && is_served(known)); /* it was tried meanwhile */
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	ck_assert(raw_wait(fd, &answer, "at last"));
	close(known);
	close(fd);
	buf_free(&answer);
	control_end();
}
END_TEST

/* ---- the end ------------------------------------------------------------------------------ */

START_TEST(a_stop_lets_verbs_under_way_end_and_tells_their_clients)
{
	struct buf answer = { 0 };
	int fd, idle;

	control_begin();
	idle = raw_open();
	fd = raw_open();
	raw_send(fd, STR("{\"words\":[\"gate\"]}\n{\"words\":[\"echo\",\"no more\"]}\n"));
	control_wait_entered(1);
	control_to_stop.run = control_stop_run;
	loop_post(control_loop, &control_to_stop);
	ck_assert(!raw_wait(idle, &answer, NULL)); /* who asks nothing is sent away at once */
	ck_assert_uint_eq(answer.len, 0);
	control_open_gate(1);
	raw_wait(fd, &answer, NULL);
	ck_assert_str_eq(buf_c(&answer), "{\"result\":0}\n");
	pthread_join(control_thread, NULL);
	loop_free(&control_loop);
	close(control_fd);
	close(fd);
	close(idle);
	buf_free(&answer);
	test_folder_remove(control_folder);
}
END_TEST

START_TEST(a_stop_does_not_wait_for_ever_for_a_client_that_says_nothing)
{
	struct buf answer = { 0 };
	int fd;

	control_begin();
	fd = raw_open();
	raw_send(fd, STR("{\"words\":[\"secret\"]}\n"));
	ck_assert(raw_wait(fd, &answer, "{\"secret\""));
	control_end(); /* the client neither answers nor leaves */
	close(fd);
	buf_free(&answer);
}
END_TEST

TEST_MAIN("admin/control_server", a_command_is_answered_line_by_line,
	rows_arrive_whole_and_in_order_however_many,
	commands_sent_together_are_answered_one_after_the_other,
	a_command_that_comes_octet_by_octet_is_one,
	what_is_no_command_is_refused_and_the_server_lives,
	a_line_without_an_end_is_not_kept_for_ever, a_long_line_within_the_limit_is_a_command,
	a_secret_is_asked_of_the_client, an_answer_may_come_before_it_is_asked_for,
	a_command_in_place_of_a_secret_is_refused, an_answer_that_nobody_asked_for_is_no_command,
	four_verbs_run_at_once_and_the_others_wait,
	sixty_four_clients_are_served_and_another_when_one_has_left,
	several_clients_are_served_at_once, a_client_that_does_not_read_holds_its_own_verb_alone,
	a_client_that_leaves_in_the_middle_harms_nobody,
	a_client_that_left_before_its_verb_began_harms_nobody,
	another_user_is_refused_even_if_he_gets_at_the_socket,
	clients_wait_while_there_are_no_descriptors,
	a_stop_lets_verbs_under_way_end_and_tells_their_clients,
	a_stop_does_not_wait_for_ever_for_a_client_that_says_nothing)
