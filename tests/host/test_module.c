/* SPDX-License-Identifier: MIT
 *
 * Modules as files: found in installed and in build trees, opened only when trusted, and when
 * they cannot be opened, why.
 */
#include "tests/host/world.h"

#include "tests/host/build.h"

static char *folder;
static const char *dirs[] = { NULL, NULL };
static struct why why;

static void begin(void)
{
	folder = build_folder();
	dirs[0] = folder;
}

static void good(const char *where)
{
	build_module(folder, where, "tests/host/modules/good.c", "");
}

static const struct tmail_module *found(const char *name)
{
	return module_read(name, dirs, geteuid(), &why);
}

START_TEST(a_module_is_found_where_it_is_installed)
{
	const struct tmail_module *m;

	begin();
	good("test/good-one.so");
	m = found("test/good-one");
	ck_assert_msg(m != NULL, "%s", why.text);
	ck_assert_str_eq(m->name, "test/good-one");
	ck_assert_uint_eq(m->options.count, 1);
	ck_assert_ptr_eq(found("test/good-one"), m); /* once loaded, it stays */
	build_folder_end(folder);
}
END_TEST

START_TEST(a_module_is_found_in_build_trees)
{
	begin();
	good("test/good-one/.libs/good-one.so");
	ck_assert_msg(found("test/good-one") != NULL, "%s", why.text);
	build_folder_end(folder);
}
END_TEST

START_TEST(a_module_is_found_beside_its_source)
{
	begin();
	good("test/good-one/good-one.so");
	ck_assert_msg(found("test/good-one") != NULL, "%s", why.text);
	build_folder_end(folder);
}
END_TEST

START_TEST(what_is_not_there_is_told_with_the_folders_that_were_searched)
{
	begin();
	ck_assert_ptr_null(found("test/good-one"));
	ASSERT_HAS(why.text, "no module 'test/good-one'");
	ASSERT_HAS(why.text, folder);
	build_folder_end(folder);
}
END_TEST

START_TEST(what_somebody_else_could_have_written_is_not_opened)
{
	char path[PATH_MAX];

	begin();
	good("test/good-one.so");
	snprintf(path, sizeof path, "%s/test", folder);
	ck_assert_int_eq(chmod(path, 0777), 0);
	ck_assert_ptr_null(found("test/good-one"));
	ASSERT_HAS(why.text, path);
	ck_assert_int_eq(chmod(path, 0755), 0);
	ck_assert_msg(found("test/good-one") != NULL, "%s", why.text);
	build_folder_end(folder);
}
END_TEST

START_TEST(why_a_module_cannot_be_opened_is_the_linkers_reason)
{
	begin();
	build_module(
		folder, "test/needs-more.so", "tests/host/modules/needs_more.c", "-Wl,-z,lazy");
	ck_assert_ptr_null(found("test/needs-more"));
	ASSERT_HAS(why.text, "nobody_has_this");
	build_folder_end(folder);
}
END_TEST

START_TEST(what_is_no_module_is_refused)
{
	char path[PATH_MAX];

	begin();
	build_module(folder, "test/no-module.so", "tests/host/modules/no_module.c", "");
	ck_assert_ptr_null(found("test/no-module"));
	ASSERT_HAS(why.text, "TMAIL_MODULE");
	snprintf(path, sizeof path, "%s/test/text.so", folder);
	ck_assert(file_write(path, STR("no elf"), 0644, &why));
	ck_assert_ptr_null(found("test/text"));
	ASSERT_HAS(why.text, "cannot be opened");
	/* under another name, the constant is not found */
	good("test/other.so");
	ck_assert_ptr_null(found("test/other"));
	build_folder_end(folder);
}
END_TEST

START_TEST(all_modules_of_a_folder_are_listed)
{
	char **names;

	begin();
	good("test/good-one.so");
	good("other/thing/.libs/thing.so");
	good("other/Not a name.so");
	names = module_list(dirs);
	ck_assert_str_eq(names[0], "other/thing");
	ck_assert_str_eq(names[1], "test/good-one");
	ck_assert_ptr_null(names[2]);
	folder_free(names);
	build_folder_end(folder);
}
END_TEST

START_TEST(a_module_from_a_file_is_configured_and_started)
{
	struct problems problems = { 0 };
	struct generation_setup setup = {
		.purpose = PURPOSE_SERVE, .module_dirs = dirs, .trusted_uid = geteuid()
	};
	struct generation *g;

	begin();
	good("test/good-one.so");
	setup.conf =
		conf_parse(STR("modules = ({ module = \"test/good-one\"; });"), "c", &problems);
	g = generation_new(&setup, NULL, &problems);
	ck_assert_msg(g != NULL, "%s", problems.count ? problems.text[0] : "");
	ASSERT_HAS(instance_file(instance_at(g, 0)), "/test/good-one.so");
	generation_unref(&g);
	setup.conf = conf_parse(
		STR("modules = ({ module = \"test/good-one\"; text = \"no\"; });"), "c", &problems);
	ck_assert_ptr_null(generation_new(&setup, NULL, &problems));
	ASSERT_HAS(problems.text[0], "c:1: module 'test/good-one' cannot start: the text is 'no'");
	problems_free(&problems);
	build_folder_end(folder);
}
END_TEST

TEST_MAIN("host/module", a_module_is_found_where_it_is_installed, a_module_is_found_in_build_trees,
	a_module_is_found_beside_its_source,
	what_is_not_there_is_told_with_the_folders_that_were_searched,
	what_somebody_else_could_have_written_is_not_opened,
	why_a_module_cannot_be_opened_is_the_linkers_reason, what_is_no_module_is_refused,
	all_modules_of_a_folder_are_listed, a_module_from_a_file_is_configured_and_started)
