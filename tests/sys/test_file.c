/* SPDX-License-Identifier: MIT
 *
 * Files as wholes, folders, and whom a path is trusted to.
 */
#include "sys/file.h"

#include "tests/lib/folder.h"
#include "tests/lib/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[TEST_FOLDER];

/* In a folder of the test's own. */
static const char *at(const char *name)
{
	static char path[4][256];
	static unsigned turn;

	if (!folder[0])
		test_folder_make(folder);
	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
	return path[turn];
}

static void clean_up(void)
{
	test_folder_remove(folder);
	folder[0] = '\0';
}

START_TEST(what_was_written_is_read_back)
{
	struct buf out = { 0 };
	struct why why;
	struct stat st;
	const char *path = at("note");

	umask(077);
	ck_assert(file_write(path, STR("one\0two"), 0644, &why));
	ck_assert(file_read(path, 7, &out, &why));
	ck_assert(str_equal(buf_str(&out), STR("one\0two")));
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0644);
	buf_free(&out);
	clean_up();
}
END_TEST

START_TEST(writing_replaces_and_leaves_no_temporary_file)
{
	struct buf out = { 0 };
	struct why why;

	ck_assert(file_write(at("note"), STR("old and long"), 0600, &why));
	ck_assert(file_write(at("note"), STR("new"), 0600, &why));
	ck_assert(file_read(at("note"), 100, &out, &why));
	ck_assert(str_equal(buf_str(&out), STR("new")));
	char **names = folder_list(folder, "", &why);
	ck_assert_ptr_nonnull(names);
	ck_assert_str_eq(names[0], "note");
	ck_assert_ptr_null(names[1]);
	folder_free(names);
	buf_free(&out);
	clean_up();
}
END_TEST

START_TEST(a_write_that_fails_leaves_the_old_file)
{
	struct why why;

	ck_assert(!file_write(at("missing/note"), STR("x"), 0600, &why));
	ck_assert_ptr_nonnull(strstr(why.text, "missing/note"));
	ck_assert_ptr_nonnull(strstr(why.text, strerror(ENOENT)));
	/* A folder stands where the file should be: rename fails, the temporary one goes. */
	ck_assert_int_eq(mkdir(at("taken"), 0700), 0);
	ck_assert(!file_write(at("taken"), STR("x"), 0600, &why));
	char **names = folder_list(folder, "", &why);
	ck_assert_str_eq(names[0], "taken");
	ck_assert_ptr_null(names[1]);
	folder_free(names);
	clean_up();
}
END_TEST

START_TEST(a_write_that_the_disk_refuses_leaves_the_old_file)
{
	static char big[65536];
	struct rlimit small = { .rlim_cur = 4096, .rlim_max = RLIM_INFINITY };
	struct buf out = { 0 };
	struct why why;

	ck_assert(file_write(at("note"), STR("old"), 0600, &why));
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	ck_assert(!file_write(at("note"), str_make(big, sizeof big), 0600, &why));
	ck_assert_ptr_nonnull(strstr(why.text, strerror(EFBIG)));
	ck_assert(file_read(at("note"), 100, &out, &why));
	ck_assert(str_equal(buf_str(&out), STR("old")));
	char **names = folder_list(folder, "", &why);
	ck_assert_ptr_null(names[1]);
	folder_free(names);
	buf_free(&out);
	clean_up();
}
END_TEST

START_TEST(a_file_larger_than_the_limit_is_refused_and_adds_nothing)
{
	struct buf out = { 0 };
	struct why why;

	buf_add(&out, STR("before"));
	ck_assert(file_write(at("note"), STR("12345678"), 0600, &why));
	ck_assert(!file_read(at("note"), 7, &out, &why));
	ck_assert_ptr_nonnull(strstr(why.text, "larger than 7"));
	ck_assert(str_equal(buf_str(&out), STR("before")));
	ck_assert(file_read(at("note"), 8, &out, &why));
	ck_assert(str_equal(buf_str(&out), STR("before12345678")));
	buf_free(&out);
	clean_up();
}
END_TEST

START_TEST(a_file_that_is_not_there_says_which)
{
	struct buf out = { 0 };
	struct why why;

	ck_assert(!file_read(at("nobody"), 10, &out, &why));
	ck_assert_ptr_nonnull(strstr(why.text, "nobody"));
	ck_assert(!file_exists(at("nobody")));
	ck_assert(file_exists(folder));
	clean_up();
}
END_TEST

START_TEST(folders_are_made_all_the_way_and_kept)
{
	struct why why;
	struct stat st;

	at("");
	ck_assert(folder_make(at("a/b/c"), &why));
	ck_assert_int_eq(stat(at("a/b/c"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	ck_assert(folder_make(at("a/b/c"), &why));
	ck_assert(folder_make(at("a/d/"), &why));
	ck_assert(file_exists(at("a/d")));
	ck_assert(file_write(at("a/file"), STR(""), 0600, &why));
	ck_assert(!folder_make(at("a/file/x"), &why));
	clean_up();
}
END_TEST

START_TEST(a_folder_is_listed_in_the_order_of_octets)
{
	struct why why;

	ck_assert(file_write(at("b.conf"), STR(""), 0600, &why));
	ck_assert(file_write(at("a.conf"), STR(""), 0600, &why));
	ck_assert(file_write(at("B.conf"), STR(""), 0600, &why));
	ck_assert(file_write(at("a.conf.old"), STR(""), 0600, &why));
	char **names = folder_list(folder, ".conf", &why);
	ck_assert_str_eq(names[0], "B.conf");
	ck_assert_str_eq(names[1], "a.conf");
	ck_assert_str_eq(names[2], "b.conf");
	ck_assert_ptr_null(names[3]);
	folder_free(names);
	ck_assert_ptr_null(folder_list(at("none"), "", &why));
	ck_assert_ptr_nonnull(strstr(why.text, "none"));
	clean_up();
}
END_TEST

START_TEST(more_names_than_a_first_guess_are_listed)
{
	struct why why;
	char name[32];
	size_t count = 0;

	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof name, "%02d", i);
		ck_assert(file_write(at(name), STR(""), 0600, &why));
	}
	char **names = folder_list(folder, "", &why);
	while (names[count])
		count++;
	ck_assert_uint_eq(count, 40);
	folder_free(names);
	clean_up();
}
END_TEST

START_TEST(paths_are_joined_unless_absolute)
{
	char *joined = path_join("/etc", STR("x/y"));
	char *slashed = path_join("/etc/", STR("x"));
	char *absolute = path_join("/etc", STR("/x"));

	ck_assert_str_eq(joined, "/etc/x/y");
	ck_assert_str_eq(slashed, "/etc/x");
	ck_assert_str_eq(absolute, "/x");
	free(joined);
	free(slashed);
	free(absolute);
}
END_TEST

START_TEST(a_system_file_is_trusted)
{
	struct why why;

	ck_assert(path_trusted("/etc/passwd", 12345, &why));
	ck_assert(path_trusted("/", 12345, &why));
}
END_TEST

START_TEST(a_path_that_others_may_change_is_not_trusted)
{
	struct why why;

	ck_assert(folder_make(at("open/inner"), &why));
	ck_assert_int_eq(chmod(at("open"), 0777), 0);
	ck_assert(!path_trusted(at("open/inner"), getuid(), &why));
	ck_assert_ptr_nonnull(strstr(why.text, "others than its owner"));
	ck_assert(!path_trusted("etc/passwd", 0, &why));
	ck_assert_ptr_nonnull(strstr(why.text, "absolute"));
	ck_assert(!path_trusted("/etc/no-such-file", 0, &why));
	clean_up();
}
END_TEST

START_TEST(a_link_in_a_folder_of_others_is_not_trusted)
{
	struct why why;

	ck_assert(folder_make(at("open"), &why));
	ck_assert_int_eq(symlink("/etc/passwd", at("open/link")), 0);
	ck_assert(path_trusted(at("open/link"), getuid(), &why));
	ck_assert_int_eq(chmod(at("open"), 0777), 0);
	ck_assert(!path_trusted(at("open/link"), getuid(), &why));
	clean_up();
}
END_TEST

START_TEST(a_folder_of_ones_own_below_tmp_is_trusted)
{
	struct why why;
	struct stat st;

	if (stat("/tmp", &st) != 0 || st.st_uid != 0 || !(st.st_mode & S_ISVTX))
		TEST_SKIP("/tmp is not root's, with the sticky bit");
	ck_assert_msg(path_trusted(at(""), getuid(), &why), "%s", why.text);
	clean_up();
}
END_TEST

START_TEST(a_file_of_another_user_is_not_trusted)
{
	struct why why;

	if (getuid() != 0)
		TEST_SKIP("it needs root, to have files of two users");
	char home[] = "/var/test-trust-XXXXXX";
	ck_assert_ptr_nonnull(mkdtemp(home));
	ck_assert(path_trusted(home, 0, &why));
	ck_assert_int_eq(chown(home, 4711, 0), 0);
	ck_assert(path_trusted(home, 4711, &why));
	ck_assert(!path_trusted(home, 4712, &why));
	ck_assert_ptr_nonnull(strstr(why.text, "4711"));
	ck_assert_int_eq(chown(home, 0, 0), 0);
	ck_assert_int_eq(chmod(home, 0720), 0);
	ck_assert(!path_trusted(home, 0, &why));
	rmdir(home);
}
END_TEST

START_TEST(flags_of_a_descriptor_are_set)
{
	int fd = open("/dev/null", O_RDONLY);

	ck_assert(fd_set_nonblocking(fd));
	ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	ck_assert(fd_set_cloexec(fd, true));
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert(fd_set_cloexec(fd, false));
	ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	int was = fd;
	errno = 4711;
	fd_close(&fd);
	ck_assert_int_eq(errno, 4711);
	ck_assert_int_eq(fd, -1);
	ck_assert_int_eq(fcntl(was, F_GETFD), -1);
	fd_close(&fd);
	ck_assert(!fd_set_nonblocking(-1));
}
END_TEST

TEST_MAIN("sys/file", what_was_written_is_read_back, writing_replaces_and_leaves_no_temporary_file,
	a_write_that_fails_leaves_the_old_file, a_write_that_the_disk_refuses_leaves_the_old_file,
	a_file_larger_than_the_limit_is_refused_and_adds_nothing,
	a_file_that_is_not_there_says_which, folders_are_made_all_the_way_and_kept,
	a_folder_is_listed_in_the_order_of_octets, more_names_than_a_first_guess_are_listed,
	paths_are_joined_unless_absolute, a_system_file_is_trusted,
	a_path_that_others_may_change_is_not_trusted, a_link_in_a_folder_of_others_is_not_trusted,
	a_folder_of_ones_own_below_tmp_is_trusted, a_file_of_another_user_is_not_trusted,
	flags_of_a_descriptor_are_set)
