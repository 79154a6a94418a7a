/* SPDX-License-Identifier: MIT
 *
 * The control socket, both sides over a real one: control_server.c, control_client.c,
 * control_wire.c. The server's loop runs on a thread of its own, as the main thread's would.
 */
#include "admin/control_wire.h"
#include "tests/admin/collect.h"
#include "tests/lib/folder.h"
#include "tests/lib/test.h"

#include "base/num.h"
#include "sys/file.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[TEST_FOLDER], path[TEST_FOLDER + 4];
static int listening;
static struct loop *loop;
static struct control *control;
static pthread_t thread;

/* Commands that the tests ask for. */
static enum verb_result run(const struct str *words, size_t count, struct output *o)
{
	static const char *const names[] = { "n", "text" };
	struct buf secret = { 0 };
	struct why why;
	uint64_t rows = 0;

	if (count == 0) {
		output_fail(o, "no words");
		return VERB_USAGE;
	}
	if (str_equal(words[0], STR("echo"))) {
		for (size_t i = 1; i < count; i++)
			o->say(o, words[i]);
		return VERB_OK;
	}
	if (str_equal(words[0], STR("secret"))) {
		if (!o->secret(o, "PASSWORD", &secret, &why)) {
			output_fail(o, "%s", why.text);
			return VERB_FAILED;
		}
		o->say(o, buf_str(&secret));
		buf_free(&secret);
		return VERB_OK;
	}
	if (str_equal(words[0], STR("rows")) && count > 1 && num_u64(words[1], &rows)) {
		o->columns(o, names, 2);
		for (uint64_t i = 0; i < rows; i++) {
			o->row(o,
				(const struct tmail_str[]){ TMAIL_STR("x"), TMAIL_STR("yyyy\"\n") },
				2);
			o->progress(o, i, rows);
		}
		return VERB_OK;
	}
	output_fail(o, "what?");
	return VERB_FAILED;
}

static struct task to_stop;

static void stop_run(struct task *task)
{
	(void)task;
	loop_stop(loop);
}

static void *server_thread(void *arg)
{
	loop_run(loop);
	control_stop(&control);
	return arg;
}

static void server_start(void)
{
	struct why why;

	test_folder_make(folder);
	snprintf(path, sizeof path, "%s/s", folder);
	listening = control_listen(path, &why);
	ck_assert_msg(listening >= 0, "%s", why.text);
	loop = loop_new(0, &why);
	ck_assert_ptr_nonnull(loop);
	control = control_start(listening, loop, run, &why);
	ck_assert_ptr_nonnull(control);
	ck_assert_int_eq(pthread_create(&thread, NULL, server_thread, NULL), 0);
}

static void server_stop(void)
{
	to_stop.run = stop_run;
	loop_post(loop, &to_stop);
	pthread_join(thread, NULL);
	loop_free(&loop);
	close(listening);
	test_folder_remove(folder);
}

static int ask(struct collect *c, const char *line, struct why *why)
{
	struct str words[64], rest = str_c(line), word;
	size_t n = 0;

	collect_init(c);
	while (str_word(&rest, &word))
		words[n++] = word;
	return control_ask(path, words, n, &c->output, why);
}

static int connect_raw(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

/* Sends, and answers all that comes until the server closes. */
static void raw(const char *octets, size_t length, struct buf *answer)
{
	int fd = connect_raw();
	ssize_t n;

	if (send(fd, octets, length, MSG_NOSIGNAL) < 0)
		ck_assert_msg(1, "the server may close early");
	shutdown(fd, SHUT_WR);
	buf_clear(answer);
	while ((n = recv(fd, buf_reserve(answer, 4096), 4096, 0)) > 0)
		answer->len += (size_t)n;
	close(fd);
}

START_TEST(a_command_is_answered_line_by_line)
{
	struct collect c;
	struct why why;

	server_start();
	ck_assert_int_eq(ask(&c, "echo one two", &why), VERB_OK);
	ck_assert_str_eq(buf_c(&c.text), "say one\nsay two\n");
	buf_free(&c.text);
	ck_assert_int_eq(ask(&c, "nonsense", &why), VERB_FAILED);
	ck_assert_str_eq(buf_c(&c.text), "fail what?\n");
	buf_free(&c.text);
	ck_assert_int_eq(ask(&c, "", &why), VERB_USAGE);
	buf_free(&c.text);
	server_stop();
}
END_TEST

START_TEST(rows_arrive_whole_and_in_order_however_many)
{
	struct collect c;
	struct why why;
	struct str rest, line;
	size_t rows = 0;

	server_start();
	ck_assert_int_eq(ask(&c, "rows 30000", &why), VERB_OK);
	rest = buf_str(&c.text);
	ck_assert(str_starts(rest, STR("columns n|text\nrow x|yyyy\"\n")));
	while (str_split(&rest, '\n', &line))
		rows += str_starts(line, STR("row x|yyyy\""));
	ck_assert_uint_eq(rows, 30000);
	buf_free(&c.text);
	server_stop();
}
END_TEST

START_TEST(a_secret_is_asked_of_the_client)
{
	struct collect c;
	struct why why;
	const struct str word = STR("secret");

	server_start();
	collect_init(&c);
	c.secret = "päss \"word";
	ck_assert_int_eq(control_ask(path, &word, 1, &c.output, &why), VERB_OK);
	ck_assert_str_eq(buf_c(&c.text), "say päss \"word\n");
	buf_free(&c.text);
	collect_init(&c);
	ck_assert_int_eq(control_ask(path, &word, 1, &c.output, &why), -2);
	ck_assert_str_eq(why.text, "PASSWORD: nothing was given");
	buf_free(&c.text);
	server_stop();
}
END_TEST

static void *client_thread(void *arg)
{
	struct collect c;
	struct why why;
	int *answers = arg;

	for (int i = 0; i < 20; i++) {
		answers[0] += ask(&c, i % 2 ? "rows 300" : "echo a b c", &why) == VERB_OK;
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

	server_start();
	for (int i = 0; i < CLIENTS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, client_thread, answers[i]), 0);
	for (int i = 0; i < CLIENTS; i++) {
		pthread_join(threads[i], NULL);
		ck_assert_int_eq(answers[i][0], 20);
		ck_assert_int_eq(answers[i][1], answers[0][1]);
	}
	server_stop();
}
END_TEST

START_TEST(what_is_no_command_is_refused_and_the_server_lives)
{
	static const char *const bad[] = { "\n", "{}\n", "[]\n", "{\"words\":1}\n",
		"{\"words\":[1]}\n", "{\"words\":[\"a\"\n", "\xff\xfe\n", "{\"answer\":\"x\"}\n",
		"GET / HTTP/1.1\r\n\r\n" };
	struct buf answer = { 0 };
	struct collect c;
	struct why why;

	server_start();
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		raw(bad[i], strlen(bad[i]), &answer);
		ck_assert_msg(str_search_case(buf_str(&answer), STR("\"fail\"")) >= 0, "%zu: %.*s",
			i, STR_ARG(buf_str(&answer)));
	}
	raw("", 0, &answer);
	ck_assert_uint_eq(answer.len, 0);
	ck_assert_int_eq(ask(&c, "echo still", &why), VERB_OK);
	buf_free(&c.text);
	buf_free(&answer);
	server_stop();
}
END_TEST

START_TEST(a_line_without_an_end_is_not_kept_for_ever)
{
	struct buf line = { 0 }, answer = { 0 };

	server_start();
	for (int i = 0; i < 400 * 1024; i++)
		buf_add_char(&line, 'x');
	raw(line.data, line.len, &answer);
	ck_assert_msg(answer.len == 0 || str_search_case(buf_str(&answer), STR("too long")) >= 0,
		"%.*s", STR_ARG(buf_str(&answer)));
	buf_free(&line);
	buf_free(&answer);
	server_stop();
}
END_TEST

START_TEST(commands_sent_together_are_answered_one_after_the_other)
{
	struct buf answer = { 0 };
	int fd;
	size_t results = 0;
	struct str rest, line;
	const char *lines = "{\"words\":[\"rows\",\"50\"]}\n{\"words\":[\"echo\",\"z\"]}\n";

	server_start();
	fd = connect_raw();
	ck_assert_int_eq(send(fd, lines, strlen(lines), 0), (int)strlen(lines));
	while (results < 2) {
		ssize_t n = recv(fd, buf_reserve(&answer, 4096), 4096, 0);

		ck_assert_int_gt(n, 0);
		answer.len += (size_t)n;
		results = 0;
		rest = buf_str(&answer);
		while (str_split(&rest, '\n', &line))
			results += str_equal(line, STR("{\"result\":0}"));
	}
	ck_assert(str_search_case(buf_str(&answer), STR("{\"result\":0}\n{\"say\":\"z\"}")) > 0);
	close(fd);
	buf_free(&answer);
	server_stop();
}
END_TEST

START_TEST(a_client_that_leaves_in_the_middle_harms_nobody)
{
	struct collect c;
	struct why why;
	const char *line = "{\"words\":[\"rows\",\"100000\"]}\n";
	const char *secret = "{\"words\":[\"secret\"]}\n";

	server_start();
	for (int i = 0; i < 6; i++) {
		int fd = connect_raw();
		const char *text = i % 2 ? line : secret;
		char some[64];

		ck_assert_int_gt(send(fd, text, strlen(text), 0), 0);
		ck_assert_int_gt(recv(fd, some, sizeof some, 0), 0);
		close(fd);
	}
	ck_assert_int_eq(ask(&c, "echo on", &why), VERB_OK);
	buf_free(&c.text);
	server_stop();
}
END_TEST

START_TEST(a_server_that_stops_lets_what_waits_for_its_client_go)
{
	const char *secret = "{\"words\":[\"secret\"]}\n";
	char some[64];
	int fd;

	server_start();
	fd = connect_raw();
	ck_assert_int_gt(send(fd, secret, strlen(secret), 0), 0);
	ck_assert_int_gt(recv(fd, some, sizeof some, 0), 0);
	close(fd); /* the verb ends because of this, or of the stop */
	server_stop();
}
END_TEST

START_TEST(the_socket_is_the_users_own)
{
	struct stat st;

	server_start();
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	server_stop();
}
END_TEST

START_TEST(only_a_missing_socket_or_a_refusal_means_stopped)
{
	struct collect c;
	struct why why;
	int fd;

	test_folder_make(folder);
	snprintf(path, sizeof path, "%s/s", folder);
	ck_assert_int_eq(ask(&c, "x", &why), -1); /* missing */
	fd = control_listen(path, &why);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(ask(&c, "x", &why), -1); /* refused: left by a dead server */
	fd = control_listen(path, &why);
	ck_assert_msg(fd >= 0, "what a dead server left is replaced: %s", why.text);
	ck_assert_int_eq(control_listen(path, &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "a server answers there already"));
	close(fd);
	test_folder_remove(folder);
	snprintf(path, sizeof path, "/dev/null/s");
	ck_assert_int_eq(ask(&c, "x", &why), -2); /* trouble: not a proof of anything */
	ck_assert_ptr_nonnull(strstr(why.text, "/dev/null/s"));
}
END_TEST

TEST_MAIN("admin/control", a_command_is_answered_line_by_line,
	rows_arrive_whole_and_in_order_however_many, a_secret_is_asked_of_the_client,
	several_clients_are_served_at_once, what_is_no_command_is_refused_and_the_server_lives,
	a_line_without_an_end_is_not_kept_for_ever,
	commands_sent_together_are_answered_one_after_the_other,
	a_client_that_leaves_in_the_middle_harms_nobody,
	a_server_that_stops_lets_what_waits_for_its_client_go, the_socket_is_the_users_own,
	only_a_missing_socket_or_a_refusal_means_stopped)
