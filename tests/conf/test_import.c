/* SPDX-License-Identifier: MIT */
#include "conf/tree.h"

#include "tests/conf/load.h"

START_TEST(every_kind_keeps_its_value_and_line)
{
	struct conf *c =
		conf_of("a = true;\nb = -99999999999;\nc = 1.5;\nd = \"x\" \"y\";\n"
			"e = { f = 0x10; };\ng = [ \"s\", \"t\" ];\nh = ( 1,\n\"u\", { } );\n");
	static const enum setting_kind kinds[] = { SETTING_BOOL, SETTING_INT, SETTING_FLOAT,
		SETTING_STRING, SETTING_GROUP, SETTING_LIST, SETTING_LIST };
	const struct conf_group *root = conf_root(c);
	unsigned line = 0;

	for (const struct setting *s = root->settings; s; s = s->next) {
		ck_assert_int_eq(s->kind, kinds[line]);
		ck_assert_uint_eq(s->line, ++line);
		ck_assert_str_eq(s->file, "t.conf");
	}
	ck_assert_uint_eq(line, 7);
	ck_assert_int_eq(setting_find(root, "a")->number, 1);
	ck_assert_int_eq(setting_find(root, "b")->number, -99999999999);
	expect_text(setting_find(root, "d")->text, "xy");
	ck_assert_int_eq(setting_find(setting_find(root, "e")->group, "f")->number, 16);
	expect_text(setting_find(root, "g")->items->next->text, "t");
	ck_assert_uint_eq(setting_find(root, "h")->items->next->line, 8);
	ck_assert_int_eq(setting_find(root, "h")->items->next->next->kind, SETTING_GROUP);
	conf_free(&c);
}
END_TEST

START_TEST(strings_are_expanded_on_the_way_in)
{
	struct conf *c;

	setenv("HOST", "mail.example", 1);
	c = conf_of("a = \"${HOST}\"; b = ( \"<${HOST}>\" );");
	expect_text(conf_string(conf_root(c), "a"), "mail.example");
	expect_text(setting_find(conf_root(c), "b")->items->text, "<mail.example>");
	conf_free(&c);
}
END_TEST

START_TEST(a_string_that_does_not_expand_names_setting_and_place)
{
	struct problems p = { 0 };
	struct conf *c;

	unsetenv("NONE");
	c = conf_parse(STR("a = 1;\nb = \"${NONE}\";\nc = [ \"${\" ];"), "t.conf", &p);
	expect_problems(&p,
		"t.conf:2: 'b': the environment variable NONE is not set "
		"(write ${NONE:-} if it may be missing)\n"
		"t.conf:3: 'c': a ${ must be followed by NAME} or NAME:-default} "
		"(write $${ for the two characters themselves)\n");
	conf_free(&c);
}
END_TEST

START_TEST(what_stands_before_a_syntax_error_is_kept)
{
	static const char *const torn[] = { "a = \"x\";\nb = ;\nc = 1;",
		"a = \"x\";\ng = { b = ", "a = \"x\";\nl = ( { b = ; } );", "a = \"x\";\n}" };

	for (size_t i = 0; i < sizeof torn / sizeof *torn; i++) {
		struct problems p = { 0 };
		struct conf *c = conf_parse(str_c(torn[i]), "t.conf", &p);

		expect_text(conf_string(conf_root(c), "a"), "x");
		expect_problems(
			&p, "t.conf:2: syntax error (the rest of this file was not read)\n");
		conf_free(&c);
	}
}
END_TEST

START_TEST(a_name_twice_in_one_file_is_an_error)
{
	struct problems p = { 0 };
	struct conf *c = conf_parse(STR("a = 1;\na = 2;"), "t.conf", &p);

	expect_problems(
		&p, "t.conf:2: duplicate setting name (the rest of this file was not read)\n");
	ck_assert_int_eq(setting_find(conf_root(c), "a")->number, 1);
	conf_free(&c);
}
END_TEST

TEST_MAIN("conf/import", every_kind_keeps_its_value_and_line, strings_are_expanded_on_the_way_in,
	a_string_that_does_not_expand_names_setting_and_place,
	what_stands_before_a_syntax_error_is_kept, a_name_twice_in_one_file_is_an_error)
