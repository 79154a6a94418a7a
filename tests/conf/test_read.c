/* SPDX-License-Identifier: MIT */
#include "conf/conf.h"

#include "tests/conf/options.h"

START_TEST(what_is_not_set_has_its_default)
{
	struct problems p = { 0 };
	struct every e;
	struct conf *c;

	ck_assert(read_text("", &e, &p, NULL, &c));
	expect_problems(&p, "");
	expect_defaults(&e);
	conf_free(&c);
}
END_TEST

START_TEST(no_group_at_all_gives_all_defaults)
{
	struct conf *c = conf_of("");
	struct problems p = { 0 };
	struct every e;
	struct conf_table table = { TMAIL_LIST(every_options), &e };

	conf_base_set(c, "/base");
	ck_assert(conf_read(c, NULL, &table, 1, NULL, &p));
	expect_problems(&p, "");
	expect_defaults(&e);
	conf_free(&c);
}
END_TEST

START_TEST(all_mistakes_are_told_at_once_with_their_lines)
{
	struct problems p = { 0 };
	struct every e;
	struct conf *c;

	ck_assert(!read_text(
		"enabled = 1;\nmode = \"maybe\";\ncount = 101;\nwait = \"soon\";\n"
		"limit = \"1X\";\nname = 5;\nfile = { };\npassword = 5;\nwords = [ 1 ];\n"
		"places = ( { port = 0; },\n { address = \"\"; } );\nhots = 1;\n",
		&e, &p, NULL, &c));
	expect_problems(&p,
		"/t/t.conf:1: 'enabled' must be true or false, not a whole number\n"
		"/t/t.conf:2: 'mode' is \"maybe\", must be one of: off reject defer\n"
		"/t/t.conf:3: 'count' is 101, must be 1 to 100\n"
		"/t/t.conf:4: 'wait' is \"soon\", must be a duration such as \"30s\", \"5m\" or "
		"\"1h30m\", or seconds\n"
		"/t/t.conf:5: 'limit' is \"1X\", must be a size such as \"64K\", \"10M\" or "
		"\"1G\", "
		"or octets\n"
		"/t/t.conf:6: 'name' must be a string, not a whole number\n"
		"/t/t.conf:7: 'file' must be the name of a file, not a group\n"
		"/t/t.conf:8: 'password' must be a string, not a whole number\n"
		"/t/t.conf:9: 'words' must hold strings only, but has a whole number at "
		"/t/t.conf:9\n"
		"/t/t.conf:10: 'address' must be set\n"
		"/t/t.conf:10: 'port' is 0, must be 1 to 65535\n"
		"/t/t.conf:11: 'address' must not be empty\n"
		"/t/t.conf:12: unknown setting 'hots'\n");
	ck_assert_int_eq(e.count, 7);
	ck_assert_int_eq(e.mode, 1);
	conf_free(&c);
}
END_TEST

START_TEST(an_unknown_setting_names_its_nearest)
{
	static const char *const also[] = { "smtp{}", "modules()", "base", NULL };
	struct problems p = { 0 };
	struct every e;
	struct conf *c;

	ck_assert(!read_text("paswords = \"x\";\nmodule = ( );\nsmpt = { };\n", &e, &p, also, &c));
	expect_problems(&p,
		"/t/t.conf:1: unknown setting 'paswords', did you mean 'password'?\n"
		"/t/t.conf:2: unknown setting 'module', did you mean 'modules'?\n"
		"/t/t.conf:3: unknown setting 'smpt', did you mean 'smtp'?\n");
	conf_free(&c);
}
END_TEST

START_TEST(what_others_read_is_of_the_kind_they_look_for)
{
	static const char *const also[] = { "smtp{}", "modules()", "base", NULL };
	struct problems p = { 0 };
	struct every e;
	struct conf *c;

	ck_assert(read_text("smtp = { }; modules = ( { } ); base = 5;", &e, &p, also, &c));
	expect_problems(&p, "");
	conf_free(&c);
	ck_assert(!read_text("smtp = 5;\nmodules = { };", &e, &p, also, &c));
	expect_problems(&p,
		"/t/t.conf:1: 'smtp' must be a group: { ... }\n"
		"/t/t.conf:2: 'modules' must be a list of groups: ( { ... }, { ... } )\n");
	conf_free(&c);
}
END_TEST

START_TEST(several_tables_read_one_group)
{
	struct conf *c = conf_of("count = 3; port = 4; address = \"x\";");
	struct problems p = { 0 };
	struct place place;
	struct every e;
	struct conf_table tables[] = { { TMAIL_LIST(every_options), &e },
		{ TMAIL_LIST(place_options), &place } };

	ck_assert(conf_read(c, conf_root(c), tables, 2, NULL, &p));
	expect_problems(&p, "");
	ck_assert_int_eq(e.count, 3);
	ck_assert_int_eq(place.port, 4);
	ck_assert(!conf_read(c, conf_root(c), tables, 1, NULL, &p));
	expect_problems(
		&p, "t.conf:1: unknown setting 'port'\nt.conf:1: unknown setting 'address'\n");
	conf_free(&c);
}
END_TEST

START_TEST(a_required_setting_is_asked_for)
{
	struct conf *c = conf_of("\ng = {\n};");
	struct problems p = { 0 };
	struct place place;
	struct conf_table table = { TMAIL_LIST(place_options), &place };

	ck_assert(!conf_read(c, conf_group_of(conf_root(c), "g"), &table, 1, NULL, &p));
	expect_problems(&p, "t.conf:2: 'address' must be set\n");
	ck_assert(!conf_read(c, NULL, &table, 1, NULL, &p));
	expect_problems(&p, "t.conf: 'address' must be set\n");
	conf_free(&c);
}
END_TEST

/* It may well stand in the part that could not be read. */
START_TEST(nothing_is_missing_from_a_file_that_was_not_read_to_its_end)
{
	struct problems p = { 0 };
	struct conf *c = conf_parse(STR("= ;\naddress = \"x\";"), "t.conf", &p);
	struct place place;
	struct conf_table table = { TMAIL_LIST(place_options), &place };

	ck_assert(!conf_read(c, conf_root(c), &table, 1, NULL, &p));
	expect_problems(&p, "t.conf:1: syntax error (the rest of this file was not read)\n");
	conf_free(&c);
}
END_TEST

START_TEST(a_default_that_its_table_forbids_is_found)
{
	static const struct tmail_option bad[] = { TMAIL_INT(
		struct every, count, "count", "500", 1, 9, "How many.") };
	struct conf *c = conf_of("");
	struct problems p = { 0 };
	struct every e;
	struct conf_table table = { TMAIL_LIST(bad), &e };

	ck_assert(!conf_read(c, NULL, &table, 1, NULL, &p));
	expect_problems(&p, "t.conf: 'count' by default is 500, must be 1 to 9\n");
	conf_free(&c);
}
END_TEST

/* A module built against a later contract: its rows are longer than ours. */
START_TEST(tables_are_walked_by_their_stride)
{
	static const struct {
		struct tmail_option option;
		const char *later[3];
	} rows[] = { { TMAIL_INT(struct place, port, "port", "25", 1, 65535, "Which."), { "" } },
		{ TMAIL_STRING(struct place, address, "address", "here", "Where."), { "" } } };
	struct conf *c = conf_of("port = 9;");
	struct problems p = { 0 };
	struct place place;
	struct conf_table table = { TMAIL_LIST(rows), &place };

	ck_assert(conf_read(c, conf_root(c), &table, 1, NULL, &p));
	expect_problems(&p, "");
	ck_assert_int_eq(place.port, 9);
	expect_text(place.address, "here");
	conf_free(&c);
}
END_TEST

TEST_MAIN("conf/read", what_is_not_set_has_its_default, no_group_at_all_gives_all_defaults,
	all_mistakes_are_told_at_once_with_their_lines, an_unknown_setting_names_its_nearest,
	what_others_read_is_of_the_kind_they_look_for, several_tables_read_one_group,
	a_required_setting_is_asked_for,
	nothing_is_missing_from_a_file_that_was_not_read_to_its_end,
	a_default_that_its_table_forbids_is_found, tables_are_walked_by_their_stride)
