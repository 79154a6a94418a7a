/* SPDX-License-Identifier: MIT */
#include "conf/tree.h"

#include "tests/conf/load.h"

START_TEST(what_is_not_there_reads_as_nothing)
{
	struct conf *c = conf_of("s = \"x\"; n = 1; g = { }; l = ( 1, 2 ); m = ( { }, 3 );");
	const struct conf_group *root = conf_root(c);

	ck_assert_ptr_null(conf_group_of(root, "none"));
	ck_assert_ptr_null(conf_group_of(root, "s"));
	ck_assert_ptr_null(conf_group_of(NULL, "s"));
	ck_assert_uint_eq(conf_list_count(root, "none"), 0);
	ck_assert_uint_eq(conf_list_count(root, "g"), 0);
	ck_assert_uint_eq(conf_list_count(root, "l"), 0);
	ck_assert_uint_eq(conf_list_count(root, "m"), 0);
	ck_assert_ptr_null(conf_list_at(root, "m", 0));
	expect_text(conf_string(root, "none"), "");
	expect_text(conf_string(root, "n"), "");
	expect_text(conf_string(NULL, "s"), "");
	conf_free(&c);
	ck_assert_ptr_null(c);
	conf_free(&c);
}
END_TEST

START_TEST(places_are_file_and_line)
{
	struct conf *c = conf_of("\na = 1;\ng = {\n b = 2;\n};");
	const struct conf_group *root = conf_root(c), *g = conf_group_of(root, "g");

	ck_assert_str_eq(conf_place(root, "a"), "t.conf:2");
	ck_assert_str_eq(conf_place(root, NULL), "t.conf");
	ck_assert_str_eq(conf_place(g, NULL), "t.conf:3");
	ck_assert_str_eq(conf_place(g, "b"), "t.conf:4");
	ck_assert_str_eq(conf_place(g, "none"), "t.conf:3");
	conf_free(&c);
}
END_TEST

static uint64_t hash_of(const char *text)
{
	struct conf *c = conf_of(text);
	uint64_t hash = conf_hash(conf_root(c));

	conf_free(&c);
	return hash;
}

START_TEST(a_hash_sees_content_not_layout)
{
	uint64_t hash = hash_of("a = 1; b = { c = \"x\"; d = [ 1, 2 ]; };");

	ck_assert_uint_eq(hash, hash_of("b =\n{ d = [ 1, 2 ]; /* */ c = \"x\"; }; a = 1;"));
	setenv("X", "x", 1);
	ck_assert_uint_eq(hash, hash_of("a = 1; b = { c = \"${X}\"; d = [ 1, 2 ]; };"));
}
END_TEST

START_TEST(a_hash_sees_every_change)
{
	static const char *const texts[] = { "", "a = 1;", "a = 2;", "a = true;", "a = \"1\";",
		"b = 1;", "a = 1; b = 1;", "a = [ 1, 2 ];", "a = [ 2, 1 ];", "a = ( ( 1 ), 2 );",
		"a = ( ( 1, 2 ) );", "a = { };", "a = { }; b = 1;", "a = { b = 1; };",
		"a = ( { b = 1; } );", "a = ( { }, { b = 1; } );", "a = ( { b = 1; }, { } );",
		"a = 1.5;", "a = 2.5;", "a = \"\";", "a = ( );", "a = \"a\"; b = \"\";",
		"a = \"\"; b = \"a\";" };
	enum { COUNT = sizeof texts / sizeof *texts };
	uint64_t hashes[COUNT];

	for (size_t i = 0; i < COUNT; i++) {
		hashes[i] = hash_of(texts[i]);
		for (size_t j = 0; j < i; j++)
			ck_assert_msg(hashes[i] != hashes[j], "%s and %s", texts[i], texts[j]);
	}
	ck_assert_uint_eq(conf_hash(NULL), conf_hash(NULL));
}
END_TEST

START_TEST(quoted_text_reads_back_as_it_was)
{
	struct buf text = { 0 };
	char all[255];
	struct conf *c;

	for (int i = 0; i < 255; i++)
		all[i] = (char)(i + 1);
	buf_add_c(&text, "a = ");
	setting_quote(&text, str_make(all, sizeof all));
	buf_add_c(&text, ";");
	c = conf_of(buf_c(&text));
	ck_assert(str_equal(conf_string(conf_root(c), "a"), str_make(all, sizeof all)));
	conf_free(&c);
	buf_free(&text);
}
END_TEST

TEST_MAIN("conf/tree", what_is_not_there_reads_as_nothing, places_are_file_and_line,
	a_hash_sees_content_not_layout, a_hash_sees_every_change, quoted_text_reads_back_as_it_was)
