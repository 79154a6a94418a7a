/* SPDX-License-Identifier: MIT
 *
 * What outputs share: text that cannot steer a terminal, the bar, secrets, whole writes.
 */
#include "admin/output_common.h"

#include "tests/admin/capture.h"
#include "tests/admin/terminal.h"

#include <pthread.h>
#include <signal.h>

static struct buf text;
static struct output *o;

static const char *shown(const char *octets, size_t length, bool lines)
{
	buf_clear(&text);
	printable(&text, str_make(octets, length), lines);
	return buf_c(&text);
}
#define SHOWN(literal, lines) shown("" literal, sizeof(literal) - 1, lines)

START_TEST(what_could_steer_a_terminal_is_written_out)
{
	ck_assert_str_eq(SHOWN("plain é €", false), "plain é €");
	ck_assert_str_eq(SHOWN("a\033[31mb", false), "a\\x1b[31mb");
	ck_assert_str_eq(SHOWN("a\0b", false), "a\\x00b");
	ck_assert_str_eq(SHOWN("\xc2\x9b"
			       "0m \xc2\x85",
				 true),
		"\\xc2\\x9b0m \\xc2\\x85");                      /* C1 */
	ck_assert_str_eq(SHOWN("\xc2\xa0", true), "\xc2\xa0");   /* the first behind them */
	ck_assert_str_eq(SHOWN("\xe2\x82", true), "\\xe2\\x82"); /* cut */
	ck_assert_str_eq(SHOWN("\xed\xa0\x80", true), "\\xed\\xa0\\x80"); /* no character */
	buf_free(&text);
}
END_TEST

START_TEST(lines_stay_lines_where_lines_are_wanted)
{
	ck_assert_str_eq(SHOWN("a\r\nb\tc\n", true), "a\nb\tc\n");
	ck_assert_str_eq(SHOWN("a\r\nb\tc\n", false), "a\\x0d\\x0ab\\x09c\\x0a");
	ck_assert_str_eq(SHOWN("a\rb", true), "a\\x0db");
	ck_assert_str_eq(SHOWN("a\r", true), "a\\x0d");
	buf_free(&text);
}
END_TEST

START_TEST(width_counts_characters)
{
	ck_assert_uint_eq(printable_width(STR("")), 0);
	ck_assert_uint_eq(printable_width(STR("abc")), 3);
	ck_assert_uint_eq(printable_width(STR("é€x")), 3);
}
END_TEST

START_TEST(a_column_has_a_name_and_a_type)
{
	static const struct {
		const char *column, *name;
		enum tmail_type type;
	} cases[] = {
		{ "a", "a", TMAIL_TYPE_STRING },
		{ "a:int", "a", TMAIL_TYPE_INT },
		{ "a:bool", "a", TMAIL_TYPE_BOOL },
		{ "a:string", "a:string", TMAIL_TYPE_STRING },
		{ "a:", "a:", TMAIL_TYPE_STRING },
		{ "int", "int", TMAIL_TYPE_STRING },
		{ ":int", "", TMAIL_TYPE_INT },
		{ "", "", TMAIL_TYPE_STRING },
	};
	enum tmail_type type;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		ck_assert_msg(str_equal(column_name(cases[i].column, &type), str_c(cases[i].name)),
			"%s", cases[i].column);
		ck_assert_msg(type == cases[i].type, "%s", cases[i].column);
	}
}
END_TEST

/* ---- writing ------------------------------------------------------------------------------ */

enum { MUCH = 1024 * 1024 };

static void *reader(void *arg)
{
	int fd = *(int *)arg;
	static char some[4096];
	size_t all = 0;
	ssize_t n;

	while ((n = read(fd, some, sizeof some)) > 0)
		all += (size_t)n;
	return (void *)all;
}

START_TEST(all_is_written_also_to_who_reads_slowly)
{
	struct buf much = { 0 };
	pthread_t thread;
	void *all;
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0); /* EAGAIN is no end */
	ck_assert_int_ge(fcntl(ends[1], F_SETPIPE_SZ, 4096), 4096);
	while (much.len < MUCH)
		buf_add_c(&much, "0123456789abcdef");
	ck_assert_int_eq(pthread_create(&thread, NULL, reader, &ends[0]), 0);
	ck_assert(write_all(ends[1], buf_str(&much)));
	close(ends[1]);
	pthread_join(thread, &all);
	ck_assert_uint_eq((size_t)all, much.len);
	close(ends[0]);
	buf_free(&much);
}
END_TEST

START_TEST(a_reader_that_is_gone_is_told_and_no_signal)
{
	int ends[2];

	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	close(ends[0]);
	ck_assert(!write_all(ends[1], STR("x")));
	ck_assert(!write_all(-1, STR("x")));
	ck_assert(write_all(-1, STR("")));
	close(ends[1]);
}
END_TEST

/* ---- the bar ------------------------------------------------------------------------------ */

START_TEST(progress_is_drawn_on_a_terminal_and_taken_away)
{
	struct terminal t;

	terminal_open(&t);
	capture_begin();
	o = output_table(out_fd, t.program);
	o->progress(o, 0, 0); /* of nothing: nothing */
	ck_assert_str_eq(terminal_screen(&t), "");
	o->progress(o, 1, 3);
	ck_assert_str_eq(terminal_screen(&t), "\r[##########                    ] 1 of 3\033[K");
	buf_clear(&t.screen);
	o->progress(o, 3, 3);
	o->progress(o, 3, 3); /* once is enough */
	ck_assert_str_eq(terminal_screen(&t), "\r\033[K");
	buf_clear(&t.screen);
	o->progress(o, UINT64_MAX - 1, UINT64_MAX);
	ck_assert_ptr_nonnull(strstr(terminal_wait(&t, "of"), "18446744073709551614 of"));
	buf_clear(&t.screen);
	output_end(&o, VERB_OK); /* a bar that was left */
	ck_assert_str_eq(terminal_screen(&t), "\r\033[K");
	terminal_close(&t);
	close(out_fd);
	close(err_fd);
}
END_TEST

START_TEST(progress_is_not_drawn_where_nobody_looks)
{
	capture_begin();
	o = output_table(out_fd, err_fd);
	o->progress(o, 1, 10);
	capture_end(&o, VERB_OK);
	ck_assert_uint_eq(err_text.len, 0);
	capture_free();
}
END_TEST

/* ---- secrets ------------------------------------------------------------------------------ */

static bool secret_of(const char *input, struct buf *answer, struct why *why)
{
	int ends[2];
	bool ok;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert(write_all(ends[1], str_c(input)));
	close(ends[1]);
	ck_assert_int_eq(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	close(ends[0]);
	buf_clear(answer);
	ok = o->secret(o, "PASSWORD", answer, why);
	return ok;
}

START_TEST(a_secret_is_the_first_line_of_standard_input)
{
	struct buf answer = { 0 }, line = { 0 };
	struct why why;

	capture_begin();
	o = output_table(out_fd, err_fd);
	ck_assert(secret_of("pass word\r\nnext", &answer, &why));
	ck_assert_str_eq(buf_c(&answer), "pass word");
	buf_clear(&answer);
	ck_assert(o->secret(o, "PASSWORD", &answer, &why)); /* the next secret, without a LF */
	ck_assert_str_eq(buf_c(&answer), "next");
	ck_assert(!secret_of("", &answer, &why));
	ck_assert_str_eq(why.text, "PASSWORD: nothing was given on standard input");
	ck_assert(!secret_of("\r\n", &answer, &why));
	for (int i = 0; i < 4095; i++)
		buf_add_char(&line, 'x');
	ck_assert(secret_of(buf_c(&line), &answer, &why));
	buf_add_char(&line, 'x');
	ck_assert(!secret_of(buf_c(&line), &answer, &why));
	ck_assert_str_eq(why.text, "PASSWORD: longer than 4096 octets");
	capture_end(&o, VERB_OK);
	ck_assert_uint_eq(err_text.len, 0); /* nobody is asked in words */
	capture_free();
	buf_free(&answer);
	buf_free(&line);
}
END_TEST

static void *person(void *arg)
{
	struct terminal *t = arg;

	terminal_wait(t, "PASSWORD: ");
	terminal_type(t, "s3cret\n");
	return NULL;
}

START_TEST(a_person_is_asked_and_what_he_types_is_not_shown)
{
	struct termios before, after;
	struct buf answer = { 0 };
	struct terminal t;
	pthread_t thread;
	struct why why;

	terminal_open(&t);
	ck_assert_int_eq(dup2(t.program, STDIN_FILENO), STDIN_FILENO);
	tcgetattr(t.program, &before);
	capture_begin();
	o = output_table(out_fd, t.program);
	ck_assert_int_eq(pthread_create(&thread, NULL, person, &t), 0);
	ck_assert(o->secret(o, "PASSWORD", &answer, &why));
	pthread_join(thread, NULL);
	ck_assert_str_eq(buf_c(&answer), "s3cret");
	ck_assert_str_eq(terminal_screen(&t), "PASSWORD: \n");
	tcgetattr(t.program, &after);
	ck_assert_uint_eq(before.c_lflag, after.c_lflag);
	ck_assert(after.c_lflag & ECHO);
	output_end(&o, VERB_OK);
	terminal_close(&t);
	close(out_fd);
	close(err_fd);
	buf_free(&answer);
}
END_TEST

TEST_MAIN("admin/output_common", what_could_steer_a_terminal_is_written_out,
	lines_stay_lines_where_lines_are_wanted, width_counts_characters,
	a_column_has_a_name_and_a_type, all_is_written_also_to_who_reads_slowly,
	a_reader_that_is_gone_is_told_and_no_signal, progress_is_drawn_on_a_terminal_and_taken_away,
	progress_is_not_drawn_where_nobody_looks, a_secret_is_the_first_line_of_standard_input,
	a_person_is_asked_and_what_he_types_is_not_shown)
