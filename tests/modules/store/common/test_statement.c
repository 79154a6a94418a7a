/* SPDX-License-Identifier: MIT */
#include "modules/store/common/statement.h"

#include "tests/lib/test.h"

static void next_is(struct str *rest, const char *expected)
{
	struct str statement = { 0 };

	ck_assert(statement_next(rest, &statement));
	ck_assert_msg(str_equal(statement, str_c(expected)), "'%.*s', not '%s'", STR_ARG(statement),
		expected);
}

START_TEST(statements_are_cut_at_semicolons)
{
	struct str rest = STR(" create table a (b int) ;\n drop table c;;  ; select 1");
	struct str statement;

	next_is(&rest, "create table a (b int)");
	next_is(&rest, "drop table c");
	next_is(&rest, "select 1");
	ck_assert(!statement_next(&rest, &statement));
}
END_TEST

START_TEST(a_semicolon_in_quotes_or_a_comment_cuts_nothing)
{
	struct str rest = STR("insert into a values ('x;''y;', \";\"); -- no; end\n select 2");

	next_is(&rest, "insert into a values ('x;''y;', \";\")");
	next_is(&rest, "-- no; end\n select 2");
}
END_TEST

START_TEST(a_quote_that_never_ends_takes_the_rest)
{
	struct str rest = STR("select 'a; select b");
	struct str statement;

	next_is(&rest, "select 'a; select b");
	ck_assert(!statement_next(&rest, &statement));
}
END_TEST

START_TEST(known_words_are_replaced_and_others_left)
{
	static const struct statement_word words[] = { { "serial", "integer primary key" },
		{ "blob", "bytea" } };
	struct buf out = { 0 };

	statement_expand(&out, STR("(${serial}, ${blob}, ${other}, $, ${, ${serial"), words, 2);
	ck_assert_str_eq(buf_c(&out), "(integer primary key, bytea, ${other}, $, ${, ${serial");
	buf_free(&out);
}
END_TEST

TEST_MAIN("store/common statement", statements_are_cut_at_semicolons,
	a_semicolon_in_quotes_or_a_comment_cuts_nothing, a_quote_that_never_ends_takes_the_rest,
	known_words_are_replaced_and_others_left)
