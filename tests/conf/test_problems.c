/* SPDX-License-Identifier: MIT */
#include "conf/tree.h"

#include "tests/conf/load.h"

START_TEST(a_problem_stands_where_its_setting_does)
{
	struct conf *c = conf_of("a = 1;\ng = {\n b = 2;\n};");
	const struct conf_group *g = conf_group_of(conf_root(c), "g");
	struct problems p = { 0 };

	problem_add(&p, g, "b", "is %d", 2);
	problem_add(&p, g, "c", "is missing");
	problem_add(&p, g, NULL, "whole group");
	problem_add(&p, conf_root(c), NULL, "whole file");
	problem_add(&p, NULL, NULL, "no place");
	expect_problems(&p,
		"t.conf:3: is 2\nt.conf:2: is missing\nt.conf:2: whole group\n"
		"t.conf: whole file\nno place\n");
	conf_free(&c);
}
END_TEST

START_TEST(there_may_be_any_number_of_them)
{
	struct problems p = { 0 };

	for (int i = 0; i < 1000; i++)
		problem_at(&p, "f", (unsigned)i + 1, "%d", i);
	ck_assert_uint_eq(p.count, 1000);
	ck_assert_str_eq(p.text[999], "f:1000: 999");
	problems_free(&p);
	ck_assert_uint_eq(p.count, 0);
	problems_free(&p);
}
END_TEST

TEST_MAIN("conf/problems", a_problem_stands_where_its_setting_does, there_may_be_any_number_of_them)
