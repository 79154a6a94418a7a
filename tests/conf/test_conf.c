/* SPDX-License-Identifier: MIT */
#include "conf/conf.h"

#include "tests/conf/load.h"

#include <limits.h>
#include <sys/stat.h>

/* A fresh folder, the working directory of each case (each runs in a process of its own). */
static char folder[PATH_MAX];

static void enter_folder(void)
{
	char name[] = "conf-XXXXXX", *real;
	const char *tmp = getenv("TMPDIR");

	ck_assert_int_eq(chdir(tmp ? tmp : P_tmpdir), 0);
	ck_assert_ptr_nonnull(mkdtemp(name));
	ck_assert_int_eq(chdir(name), 0);
	real = realpath(".", folder);
	ck_assert_ptr_nonnull(real);
}

static void leave_folder(void)
{
	static const char *const names[] = { "tmail.conf", "conf.d/10-a.conf", "conf.d/2-b.conf",
		"conf.d/90-z.conf", "conf.d/.hidden.conf", "conf.d/x.conf~", "conf.d/.conf",
		"conf.d/folder.conf", "conf.d", "sub/tmail.conf", "sub" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (unlink(names[i]) != 0)
			rmdir(names[i]);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(rmdir(folder), 0);
}

static void write_file(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

START_TEST(files_of_conf_d_come_in_the_order_of_their_octets)
{
	struct problems p = { 0 };
	struct conf *c;

	enter_folder();
	ck_assert_int_eq(mkdir("conf.d", 0700), 0);
	write_file("tmail.conf", "modules = ( { module = \"main\"; } );");
	write_file("conf.d/90-z.conf", "modules = ( { module = \"z\"; } );");
	write_file("conf.d/10-a.conf", "modules = ( { module = \"a\"; } );");
	write_file("conf.d/2-b.conf", "modules = ( { module = \"b\"; } );");
	write_file("conf.d/.hidden.conf", "}");
	write_file("conf.d/x.conf~", "}");
	write_file("conf.d/.conf", "}");
	c = conf_load("tmail.conf", &p);
	expect_problems(&p, "");
	ck_assert_uint_eq(conf_list_count(conf_root(c), "modules"), 4);
	expect_text(conf_string(conf_list_at(conf_root(c), "modules", 0), "module"), "main");
	expect_text(conf_string(conf_list_at(conf_root(c), "modules", 1), "module"), "a");
	expect_text(conf_string(conf_list_at(conf_root(c), "modules", 2), "module"), "b");
	expect_text(conf_string(conf_list_at(conf_root(c), "modules", 3), "module"), "z");
	ck_assert_str_eq(
		conf_place(conf_list_at(conf_root(c), "modules", 3), NULL), "conf.d/90-z.conf:1");
	conf_free(&c);
	leave_folder();
}
END_TEST

START_TEST(every_file_is_tried_and_all_mistakes_are_told)
{
	struct problems p = { 0 };
	struct conf *c;

	enter_folder();
	ck_assert_int_eq(mkdir("conf.d", 0700), 0);
	write_file("tmail.conf", "hostname = \"a\";\n= ;");
	write_file("conf.d/10-a.conf", "\n\nhostname = \"b\";");
	write_file("conf.d/2-b.conf", "x = [ 1, \"2\" ];");
	ck_assert_int_eq(mkdir("conf.d/folder.conf", 0700), 0);
	c = conf_load("tmail.conf", &p);
	expect_problems(&p,
		"tmail.conf:2: syntax error (the rest of this file was not read)\n"
		"conf.d/10-a.conf:3: 'hostname' is already set at tmail.conf:1\n"
		"conf.d/2-b.conf:1: mismatched element type in array "
		"(the rest of this file was not read)\n"
		"conf.d/folder.conf: cannot read this file: Is a directory\n");
	conf_free(&c);
	leave_folder();
}
END_TEST

START_TEST(a_main_file_that_is_not_there_is_a_problem)
{
	struct problems p = { 0 };
	struct conf *c;

	enter_folder();
	c = conf_load("tmail.conf", &p);
	ck_assert_ptr_nonnull(c);
	expect_problems(&p, "tmail.conf: cannot open this file: No such file or directory\n");
	conf_free(&c);
	leave_folder();
}
END_TEST

START_TEST(a_conf_d_that_is_no_folder_is_a_problem)
{
	struct problems p = { 0 };
	struct conf *c;

	enter_folder();
	write_file("tmail.conf", "");
	write_file("conf.d", "");
	c = conf_load("tmail.conf", &p);
	expect_problems(&p, "conf.d: cannot read this folder: Not a directory\n");
	conf_free(&c);
	leave_folder();
}
END_TEST

static void expect_base(const char *text, const char *tail)
{
	char wanted[PATH_MAX + 100];
	struct problems p = { 0 };
	struct conf *c;

	write_file("sub/tmail.conf", text);
	c = conf_load("sub/tmail.conf", &p);
	expect_problems(&p, "");
	snprintf(wanted, sizeof wanted, "%s%s", *tail == '=' ? "" : folder,
		*tail == '=' ? tail + 1 : tail);
	ck_assert_str_eq(conf_base(c), wanted);
	conf_free(&c);
}

START_TEST(relative_files_start_beside_the_main_file_or_at_base)
{
	enter_folder();
	ck_assert_int_eq(mkdir("sub", 0700), 0);
	expect_base("", "/sub");
	expect_base("base = \".\";", "/sub");
	expect_base("base = \"./\";", "/sub");
	expect_base("base = \"var/../x\";", "/sub/var/../x");
	expect_base("base = \"./x\";", "/sub/x");
	expect_base("base = \"/srv/mail\";", "=/srv/mail");
	leave_folder();
}
END_TEST

START_TEST(the_daemon_may_set_the_base)
{
	struct conf *c = conf_of("");

	conf_base_set(c, "/srv");
	ck_assert_str_eq(conf_base(c), "/srv");
	conf_free(&c);
}
END_TEST

START_TEST(a_file_without_end_is_refused)
{
	struct problems p = { 0 };
	struct conf *c = conf_load("/dev/zero", &p);

	ck_assert_uint_ge(p.count, 1);
	ck_assert_str_eq(p.text[0], "/dev/zero: this file is larger than 16 MiB");
	problems_free(&p);
	conf_free(&c);
}
END_TEST

START_TEST(the_arena_lives_as_long_as_the_conf)
{
	struct conf *c = conf_of("");
	struct str s = arena_str(conf_arena(c), STR("kept"));

	expect_text(s, "kept");
	conf_free(&c);
}
END_TEST

TEST_MAIN("conf/conf", files_of_conf_d_come_in_the_order_of_their_octets,
	every_file_is_tried_and_all_mistakes_are_told, a_main_file_that_is_not_there_is_a_problem,
	a_conf_d_that_is_no_folder_is_a_problem,
	relative_files_start_beside_the_main_file_or_at_base, the_daemon_may_set_the_base,
	a_file_without_end_is_refused, the_arena_lives_as_long_as_the_conf)
