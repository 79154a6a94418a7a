/* SPDX-License-Identifier: MIT */
#include "conf/tree.h"

#include "tests/conf/load.h"

/* Merges texts into one configuration, as files a.conf, b.conf, ... */
static struct conf *merged(struct problems *p, const char *const *texts, size_t count)
{
	static const char *const names[] = { "a.conf", "b.conf", "c.conf" };
	struct conf *c = conf_parse(str_c(texts[0]), names[0], p);

	for (size_t i = 1; i < count; i++)
		import_text(c, str_c(texts[i]), names[i], p);
	return c;
}

START_TEST(groups_merge_at_every_depth)
{
	static const char *const texts[] = { "smtp = { a = \"1\"; tls = { b = \"2\"; } }",
		"smtp = { c = \"3\"; tls = { d = \"4\"; } } top = \"5\";" };
	struct problems p = { 0 };
	struct conf *c = merged(&p, texts, 2);
	const struct conf_group *smtp = conf_group_of(conf_root(c), "smtp");

	expect_problems(&p, "");
	expect_text(conf_string(smtp, "a"), "1");
	expect_text(conf_string(smtp, "c"), "3");
	expect_text(conf_string(conf_group_of(smtp, "tls"), "b"), "2");
	expect_text(conf_string(conf_group_of(smtp, "tls"), "d"), "4");
	expect_text(conf_string(conf_root(c), "top"), "5");
	conf_free(&c);
}
END_TEST

START_TEST(lists_append_in_the_order_of_files)
{
	static const char *const texts[] = { "modules = ( { module = \"x\"; } );", "modules = ( );",
		"modules = ( { module = \"y\"; }, { module = \"z\"; } );" };
	struct problems p = { 0 };
	struct conf *c = merged(&p, texts, 3);
	const struct conf_group *root = conf_root(c);

	expect_problems(&p, "");
	ck_assert_uint_eq(conf_list_count(root, "modules"), 3);
	expect_text(conf_string(conf_list_at(root, "modules", 0), "module"), "x");
	expect_text(conf_string(conf_list_at(root, "modules", 1), "module"), "y");
	expect_text(conf_string(conf_list_at(root, "modules", 2), "module"), "z");
	ck_assert_str_eq(conf_place(conf_list_at(root, "modules", 2), NULL), "c.conf:1");
	ck_assert_ptr_null(conf_list_at(root, "modules", 3));
	conf_free(&c);
}
END_TEST

START_TEST(a_scalar_in_two_files_names_both_places)
{
	static const char *const texts[] = { "\nhostname = \"a\"; smtp = {\n size = 1; }",
		"hostname = \"b\";\nsmtp = { size = 1; other = 2; }" };
	struct problems p = { 0 };
	struct conf *c = merged(&p, texts, 2);

	expect_problems(&p,
		"b.conf:1: 'hostname' is already set at a.conf:2\n"
		"b.conf:2: 'size' is already set at a.conf:3\n");
	expect_text(conf_string(conf_root(c), "hostname"), "a");
	ck_assert_ptr_nonnull(setting_find(conf_group_of(conf_root(c), "smtp"), "other"));
	conf_free(&c);
}
END_TEST

START_TEST(two_kinds_of_one_name_are_told_apart)
{
	static const char *const texts[] = { "smtp = { }; list = ( );",
		"smtp = \"x\"; list = { };" };
	struct problems p = { 0 };
	struct conf *c = merged(&p, texts, 2);

	expect_problems(&p,
		"b.conf:1: 'smtp' is a string here, but a group at a.conf:1\n"
		"b.conf:1: 'list' is a group here, but a list at a.conf:1\n");
	conf_free(&c);
}
END_TEST

TEST_MAIN("conf/merge", groups_merge_at_every_depth, lists_append_in_the_order_of_files,
	a_scalar_in_two_files_names_both_places, two_kinds_of_one_name_are_told_apart)
