/* SPDX-License-Identifier: MIT
 *
 * Where modules are looked for. Who may own them is host/module's. Each case is a process of its
 * own: the folders are settled once in one.
 */
#include "daemon/settings.h"

#include "tests/lib/folder.h"
#include "tests/lib/test.h"

#include <limits.h>

static char beside[PATH_MAX + 20];

/* Those that were asked for: without the ones that are always there, which must come behind. */
static size_t asked(struct str path, const char *const **found)
{
	size_t n = 0;

	*found = module_folders(path);
	while ((*found)[n])
		n++;
	ck_assert_uint_ge(n, 1);
	ck_assert_str_eq((*found)[n - 1], TMAIL_MODULEDIR);
	n--;
	if (n && !strcmp((*found)[n - 1], beside))
		n--;
	return n;
}

static void begin(void)
{
	ssize_t n = readlink("/proc/self/exe", beside, PATH_MAX);

	ck_assert_int_gt(n, 0);
	beside[n] = '\0';
	snprintf(strrchr(beside, '/'), 20, "/modules");
	unsetenv("TMAIL_MODULES");
}

START_TEST(without_a_word_it_is_what_is_installed)
{
	const char *const *found;

	begin();
	ck_assert_uint_eq(asked(STR(""), &found), 0);
}
END_TEST

START_TEST(the_setting_comes_first_in_its_order)
{
	const char *const *found;

	begin();
	setenv("TMAIL_MODULES", "/elsewhere", 1);
	ck_assert_uint_eq(asked(STR("/a:/b/c"), &found), 2);
	ck_assert_str_eq(found[0], "/a");
	ck_assert_str_eq(found[1], "/b/c");
}
END_TEST

START_TEST(without_the_setting_the_environment_says)
{
	const char *const *found;

	begin();
	setenv("TMAIL_MODULES", "/x:/y", 1);
	ck_assert_uint_eq(asked(STR(""), &found), 2);
	ck_assert_str_eq(found[0], "/x");
	ck_assert_str_eq(found[1], "/y");
}
END_TEST

START_TEST(empty_pieces_are_no_folders)
{
	const char *const *found;

	begin();
	ck_assert_uint_eq(asked(STR(":/a::/b:"), &found), 2);
	ck_assert_str_eq(found[0], "/a");
	ck_assert_str_eq(found[1], "/b");
}
END_TEST

START_TEST(relative_ones_start_where_the_command_does)
{
	char folder[TEST_FOLDER], here[PATH_MAX], expected[PATH_MAX + 20];
	const char *const *found;

	begin();
	test_folder_make(folder);
	ck_assert_int_eq(chdir(folder), 0);
	ck_assert_ptr_nonnull(getcwd(here, sizeof here));
	snprintf(expected, sizeof expected, "%s/own", here);
	ck_assert_uint_eq(asked(STR("own:/a"), &found), 2);
	ck_assert_str_eq(found[0], expected);
	ck_assert_str_eq(found[1], "/a");
	ck_assert_int_eq(chdir("/"), 0);
	test_folder_remove(folder);
}
END_TEST

START_TEST(they_are_settled_once)
{
	const char *const *first, *const *second;

	begin();
	ck_assert_uint_eq(asked(STR("/a"), &first), 1);
	ck_assert_uint_eq(asked(STR("/b:/c"), &second), 1);
	ck_assert_ptr_eq(first, second);
	ck_assert_str_eq(second[0], "/a");
}
END_TEST

START_TEST(too_many_are_left_out_and_the_list_still_ends)
{
	const char *const *found;
	size_t n = 0;

	begin();
	found = module_folders(
		STR("/1:/2:/3:/4:/5:/6:/7:/8:/9:/10:/11:/12:/13:/14:/15:/16:/17:/18"));
	while (found[n])
		n++;
	ck_assert_uint_eq(n, 16);
	ck_assert_str_eq(found[15], "/16");
}
END_TEST

TEST_MAIN("daemon/module_folders", without_a_word_it_is_what_is_installed,
	the_setting_comes_first_in_its_order, without_the_setting_the_environment_says,
	empty_pieces_are_no_folders, relative_ones_start_where_the_command_does,
	they_are_settled_once, too_many_are_left_out_and_the_list_still_ends)
