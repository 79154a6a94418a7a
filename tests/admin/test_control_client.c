/* SPDX-License-Identifier: MIT
 *
 * Who asks at the control socket: what means that the server is stopped, and what is trouble;
 * servers that answer badly.
 */
#include "tests/admin/control.h"

#include <errno.h>
#include <sys/stat.h>

/* ---- a server that says what it was told to ----------------------------------------------- */

struct script {
	int fd;
	struct str octets;
	bool by_octet, unread; /* unread: it answers and closes without reading what was asked */
	struct buf asked;
	pthread_t thread;
};

static void *script_run(void *arg)
{
	struct script *s = arg;
	int fd = accept(s->fd, NULL, NULL);
	size_t step = s->by_octet ? 1 : s->octets.len;

	if (!s->unread)
		raw_wait(fd, &s->asked, "\n");
	for (size_t i = 0; i < s->octets.len; i += step)
		raw_send(fd, str_slice(s->octets, i, step));
	shutdown(fd, SHUT_WR);
	if (!s->unread)
		raw_wait(fd, &s->asked, NULL);
	close(fd);
	return NULL;
}

static struct script script;
static struct collect out;
static struct why why;

/* What a command that asks there comes to. */
static int answer_to(struct str octets)
{
	const struct str word = STR("x");
	struct sockaddr_un address;
	int answer;

	control_place();
	address = control_address();
	script.octets = octets;
	buf_clear(&script.asked);
	script.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(script.fd, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(listen(script.fd, 1), 0);
	ck_assert_int_eq(pthread_create(&script.thread, NULL, script_run, &script), 0);
	buf_free(&out.text);
	collect_init(&out);
	out.secret = "s3cret";
	why.text[0] = '\0';
	answer = control_ask(control_path, &word, 1, &out.output, &why);
	pthread_join(script.thread, NULL);
	close(script.fd);
	test_folder_remove(control_folder);
	return answer;
}

static void end(void)
{
	buf_free(&out.text);
	buf_free(&script.asked);
}

START_TEST(the_words_are_asked_and_the_result_is_the_servers)
{
	ck_assert_int_eq(answer_to(STR("{\"say\":\"a\"}\n{\"result\":0}\n")), VERB_OK);
	ck_assert_str_eq(buf_c(&out.text), "say a\n");
	ck_assert_str_eq(buf_c(&script.asked), "{\"words\":[\"x\"]}\n");
	ck_assert_int_eq(answer_to(STR("{\"result\":1}\n")), VERB_FAILED);
	ck_assert_int_eq(answer_to(STR("{\"result\":2}\n")), VERB_USAGE);
	ck_assert_int_eq(answer_to(STR("{\"result\":200}\n")), VERB_FAILED);
	end();
}
END_TEST

START_TEST(an_answer_in_pieces_is_the_same_answer)
{
	script.by_octet = true;
	ck_assert_int_eq(answer_to(STR("{\"columns\":[\"a\"]}\n{\"row\":[\"1\"]}\n{\"say\":\"x\"}\n"
				       "{\"progress\":[1,2]}\n{\"result\":0}\n")),
		VERB_OK);
	ck_assert_str_eq(buf_c(&out.text), "columns a\nrow 1\nsay x\nprogress 1/2\n");
	end();
}
END_TEST

START_TEST(what_comes_behind_the_result_is_not_looked_at)
{
	ck_assert_int_eq(answer_to(STR("{\"result\":0}\n{\"say\":\"late\"}\nrubbish\n")), VERB_OK);
	ck_assert_uint_eq(out.text.len, 0);
	end();
}
END_TEST

START_TEST(a_server_that_ends_too_early_is_trouble)
{
	static const char *const early[] = { "", "{\"say\":\"a\"}\n", "{\"result\":0}",
		"{\"say\":\"a\"}\n{\"res" };

	for (size_t i = 0; i < sizeof early / sizeof *early; i++) {
		ck_assert_int_eq(answer_to(str_c(early[i])), -2);
		ck_assert_str_eq(why.text, "the server ended before the command did");
	}
	end();
}
END_TEST

START_TEST(a_server_that_says_what_is_no_answer_is_trouble)
{
	static const struct str bad[] = { STR_INIT("\n"), STR_INIT("hello\n"),
		STR_INIT("{\"say\":1}\n{\"result\":0}\n"), STR_INIT("\0\n"), STR_INIT("{}\n") };

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		ck_assert_int_eq(answer_to(bad[i]), -2);
		ck_assert_str_eq(why.text, "the server said what is no answer");
	}
	end();
}
END_TEST

START_TEST(a_secret_is_asked_here_and_sent_there)
{
	ck_assert_int_eq(answer_to(STR("{\"secret\":\"A\"}\n{\"secret\":\"B\"}\n{\"result\":0}\n")),
		VERB_OK);
	ck_assert_str_eq(buf_c(&script.asked),
		"{\"words\":[\"x\"]}\n{\"answer\":\"s3cret\"}\n{\"answer\":\"s3cret\"}\n");
	end();
}
END_TEST

START_TEST(a_secret_that_nobody_gives_ends_the_command)
{
	struct collect c;

	control_begin();
	ck_assert_int_eq(control_command(&c, "secret", &why), -2);
	ck_assert_str_eq(why.text, "PASSWORD: nothing was given");
	buf_free(&c.text);
	control_check_alive();
	control_end();
}
END_TEST

START_TEST(what_a_server_says_that_does_not_listen_is_still_read)
{
	script.unread = true;
	ck_assert_int_eq(
		answer_to(STR("{\"fail\":\"too many clients\"}\n{\"result\":1}\n")), VERB_FAILED);
	ck_assert_str_eq(buf_c(&out.text), "fail too many clients\n");
	end();
}
END_TEST

/* ---- is there a server? ------------------------------------------------------------------- */

START_TEST(only_a_missing_socket_or_a_refusal_means_stopped)
{
	struct collect c;
	int fd;

	control_place();
	ck_assert_int_eq(control_command(&c, "x", &why), -1); /* missing */
	fd = control_listen(control_path, &why);
	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(control_command(&c, "x", &why), -1); /* refused: left by a dead server */
	test_folder_remove(control_folder);
	ck_assert_int_eq(control_command(&c, "x", &why), -1); /* nor is there its folder */
	snprintf(control_path, sizeof control_path, "/dev/null/s");
	ck_assert_int_eq(control_command(&c, "x", &why), -2); /* trouble is no proof of anything */
	ck_assert_ptr_nonnull(strstr(why.text, "/dev/null/s: "));
}
END_TEST

START_TEST(a_path_that_no_socket_can_have_is_trouble)
{
	struct buf path = { 0 };

	while (path.len < 108)
		buf_add_char(&path, path.len ? 'x' : '/');
	ck_assert_int_eq(control_ask(buf_c(&path), NULL, 0, &out.output, &why), -2);
	ck_assert_ptr_nonnull(strstr(why.text, "longer than the 107 octets"));
	ck_assert_int_eq(control_listen(buf_c(&path), &why), -1);
	ck_assert_ptr_nonnull(strstr(why.text, "longer than the 107 octets"));
	buf_free(&path);
}
END_TEST

/* ---- the listening socket ----------------------------------------------------------------- */

START_TEST(the_socket_is_the_users_own_and_the_mask_stays)
{
	struct stat st;
	mode_t mask;
	int fd;

	control_place();
	umask(0);
	fd = control_listen(control_path, &why);
	ck_assert_int_ge(fd, 0);
	mask = umask(077);
	ck_assert_uint_eq(mask, 0);
	ck_assert_int_eq(stat(control_path, &st), 0);
	ck_assert(S_ISSOCK(st.st_mode));
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	close(fd);
	test_folder_remove(control_folder);
}
END_TEST

START_TEST(what_a_dead_server_left_is_replaced_and_a_living_one_is_not)
{
	int fd, again;

	control_place();
	fd = control_listen(control_path, &why);
	close(fd);
	fd = control_listen(control_path, &why);
	ck_assert_msg(fd >= 0, "%s", why.text);
	again = control_listen(control_path, &why);
	ck_assert_int_eq(again, -1);
	ck_assert_ptr_nonnull(strstr(why.text, "a server answers there already"));
	close(fd);
	test_folder_remove(control_folder);
	ck_assert_int_eq(control_listen(control_path, &why), -1); /* no folder */
	ck_assert_ptr_nonnull(strstr(why.text, control_path));
}
END_TEST

TEST_MAIN("admin/control_client", the_words_are_asked_and_the_result_is_the_servers,
	an_answer_in_pieces_is_the_same_answer, what_comes_behind_the_result_is_not_looked_at,
	a_server_that_ends_too_early_is_trouble, a_server_that_says_what_is_no_answer_is_trouble,
	a_secret_is_asked_here_and_sent_there, a_secret_that_nobody_gives_ends_the_command,
	what_a_server_says_that_does_not_listen_is_still_read,
	only_a_missing_socket_or_a_refusal_means_stopped, a_path_that_no_socket_can_have_is_trouble,
	the_socket_is_the_users_own_and_the_mask_stays,
	what_a_dead_server_left_is_replaced_and_a_living_one_is_not)
