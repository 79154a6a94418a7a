/* SPDX-License-Identifier: MIT
 *
 * Where lines end: files, pipes, and the datagrams of syslog and the journal.
 */
#include "sys/sink.h"

#include "sys/file.h"
#include "tests/lib/folder.h"
#include "tests/lib/test.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[TEST_FOLDER], path[TEST_FOLDER + 16];
static struct sink sink;
static const atomic_bool in_hurry = true, patient = false;

static void set_up(void)
{
	test_folder_make(folder);
	snprintf(path, sizeof path, "%s/log", folder);
}

static void tear_down(void)
{
	sink_close(&sink);
	test_folder_remove(folder);
}

static void ck_file(const char *name, const char *content)
{
	struct buf out = { 0 };
	struct why why;

	ck_assert(file_read(name, 65536, &out, &why));
	ck_assert_str_eq(buf_c(&out), content);
	buf_free(&out);
}

START_TEST(lines_are_appended_to_a_file)
{
	struct why why;

	set_up();
	ck_assert(file_write(path, STR("old\n"), 0600, &why));
	ck_assert(sink_open(&sink, LOGGER_FILE, path, &why));
	ck_assert(!sink_has_levels(&sink));
	ck_assert_uint_eq(sink_write(&sink, STR("one\ntwo\n"), &patient), 0);
	ck_file(path, "old\none\ntwo\n");
	tear_down();
}
END_TEST

START_TEST(a_file_that_was_moved_away_is_made_anew_when_reopened)
{
	struct why why;
	char moved[sizeof path + 4];

	set_up();
	snprintf(moved, sizeof moved, "%s.1", path);
	ck_assert(sink_open(&sink, LOGGER_FILE, path, &why));
	sink_write(&sink, STR("one\n"), &patient);
	ck_assert_int_eq(rename(path, moved), 0);
	sink_write(&sink, STR("two\n"), &patient);
	ck_assert(sink_reopen(&sink, &why));
	sink_write(&sink, STR("three\n"), &patient);
	ck_file(moved, "one\ntwo\n");
	ck_file(path, "three\n");
	tear_down();
}
END_TEST

START_TEST(a_file_that_cannot_be_reopened_is_kept)
{
	struct why why;
	char moved[sizeof path + 4];

	set_up();
	snprintf(moved, sizeof moved, "%s.1", path);
	ck_assert(sink_open(&sink, LOGGER_FILE, path, &why));
	ck_assert_int_eq(rename(path, moved), 0);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert(!sink_reopen(&sink, &why));
	ck_assert_ptr_nonnull(strstr(why.text, path));
	sink_write(&sink, STR("one\n"), &patient);
	ck_file(moved, "one\n");
	tear_down();
}
END_TEST

START_TEST(a_file_that_cannot_be_opened_says_why)
{
	struct why why;

	set_up();
	ck_assert(!sink_open(&sink, LOGGER_FILE, folder, &why));
	ck_assert_ptr_nonnull(strstr(why.text, folder));
	ck_assert(!sink_open(&sink, LOGGER_FILE, NULL, &why));
	ck_assert(!sink_open(&sink, LOGGER_SYSLOG, path, &why));
	ck_assert_ptr_nonnull(strstr(why.text, path));
	test_folder_remove(folder);
}
END_TEST

START_TEST(lines_that_a_disk_does_not_take_are_counted)
{
	struct why why;

	set_up();
	ck_assert(sink_open(&sink, LOGGER_FILE, "/dev/full", &why));
	ck_assert_uint_eq(sink_write(&sink, STR("one\ntwo\n"), &in_hurry), 2);
	tear_down();
}
END_TEST

START_TEST(a_reader_who_has_stopped_is_not_awaited_for_ever)
{
	static char lines[256 * 1024];
	int ends[2];

	/* Far more than a pipe holds. */
	memset(lines, 'x', sizeof lines);
	for (size_t i = 99; i < sizeof lines; i += 100)
		lines[i] = '\n';
	ck_assert_int_eq(pipe(ends), 0);
	sink = (struct sink){ .target = LOGGER_FILE, .fd = ends[1] };
	uint64_t lost = sink_write(&sink, str_make(lines, sizeof lines), &in_hurry);
	ck_assert_uint_gt(lost, 1000);
	ck_assert_uint_lt(lost, sizeof lines / 100);
	close(ends[0]);
	fd_close(&sink.fd);
}
END_TEST

static int listen_at(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

static void ck_datagram(int fd, const char *expected)
{
	char text[512];
	ssize_t n = recv(fd, text, sizeof text - 1, 0);

	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	ck_assert_str_eq(text, expected);
}

START_TEST(syslog_gets_a_datagram_a_line_with_its_level)
{
	struct why why;
	char expected[128];

	set_up();
	int fd = listen_at();
	ck_assert(sink_open(&sink, LOGGER_SYSLOG, path, &why));
	ck_assert(sink_has_levels(&sink));
	struct str lines = STR("02026-11-22T10:00:00.000001Z error queue_lost id=7\n"
			       "3{\"time\":\"x\"}\n");
	ck_assert_uint_eq(sink_write(&sink, lines, &patient), 0);
	snprintf(expected, sizeof expected, "<19>tmail[%d]: queue_lost id=7", getpid());
	ck_datagram(fd, expected);
	snprintf(expected, sizeof expected, "<23>tmail[%d]: {\"time\":\"x\"}", getpid());
	ck_datagram(fd, expected);
	close(fd);
	ck_assert_uint_eq(sink_write(&sink, lines, &patient), 2); /* it has gone */
	unlink(path);
	fd = listen_at();
	ck_assert_uint_eq(sink_write(&sink, lines, &patient), 0); /* and is back */
	close(fd);
	tear_down();
}
END_TEST

START_TEST(the_journal_gets_fields)
{
	struct why why;

	set_up();
	int fd = listen_at();
	ck_assert(sink_open(&sink, LOGGER_JOURNALD, path, &why));
	struct str lines = STR("22026-11-22T10:00:00.000001Z info mail_accepted from=\"a b\"\n"
			       "1{\"event\":\"x\"}\n");
	ck_assert_uint_eq(sink_write(&sink, lines, &patient), 0);
	ck_datagram(fd,
		"PRIORITY=6\nSYSLOG_FACILITY=2\nSYSLOG_IDENTIFIER=tmail\n"
		"TMAIL_EVENT=mail_accepted\nMESSAGE=mail_accepted from=\"a b\"\n");
	ck_datagram(fd,
		"PRIORITY=4\nSYSLOG_FACILITY=2\nSYSLOG_IDENTIFIER=tmail\n"
		"MESSAGE={\"event\":\"x\"}\n");
	close(fd);
	tear_down();
}
END_TEST

START_TEST(without_a_journal_lines_go_to_stderr)
{
	struct why why;

	set_up();
	ck_assert(sink_open(&sink, LOGGER_JOURNALD, path, &why));
	ck_assert_int_eq(sink.target, LOGGER_STDERR);
	ck_assert(!sink_has_levels(&sink));
	tear_down();
	ck_assert_int_ne(fcntl(STDERR_FILENO, F_GETFD), -1); /* which is not ours to close */
}
END_TEST

TEST_MAIN("sys/sink", lines_are_appended_to_a_file,
	a_file_that_was_moved_away_is_made_anew_when_reopened,
	a_file_that_cannot_be_reopened_is_kept, a_file_that_cannot_be_opened_says_why,
	lines_that_a_disk_does_not_take_are_counted,
	a_reader_who_has_stopped_is_not_awaited_for_ever,
	syslog_gets_a_datagram_a_line_with_its_level, the_journal_gets_fields,
	without_a_journal_lines_go_to_stderr)
