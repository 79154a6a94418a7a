/* SPDX-License-Identifier: MIT */
#include "base/str.h"

#include "tests/base/expect.h"

START_TEST(a_slice_is_cut_at_both_ends)
{
	struct str s = STR("abcdef");

	expect_text(str_slice(s, 1, 3), "bcd");
	expect_text(str_slice(s, 4, SIZE_MAX), "ef");
	expect_text(str_slice(s, 6, 1), "");
	expect_text(str_slice(s, 99, 99), "");
	ck_assert_ptr_null(str_slice(str_c(NULL), 1, 1).data);
}
END_TEST

START_TEST(a_c_string_that_is_not_there_is_empty)
{
	ck_assert_uint_eq(str_c(NULL).len, 0);
	ck_assert(str_equal(str_c(NULL), STR("")));
}
END_TEST

START_TEST(comparison_knows_length_and_nul)
{
	ck_assert(str_equal(STR("a\0b"), STR("a\0b")));
	ck_assert(!str_equal(STR("a\0b"), STR("a\0c")));
	ck_assert(!str_equal(STR("ab"), STR("abc")));
	ck_assert_int_lt(str_compare(STR("ab"), STR("abc")), 0);
	ck_assert_int_gt(str_compare(STR("b"), STR("abc")), 0);
	ck_assert_int_gt(str_compare(STR("\xff"), STR("a")), 0);
	ck_assert_int_eq(str_compare(STR(""), str_c(NULL)), 0);
}
END_TEST

START_TEST(folding_is_for_ascii_letters_only)
{
	ck_assert(str_equal_case(STR("AbZ"), STR("aBz")));
	ck_assert(!str_equal_case(STR("@["), STR("`{")));
	ck_assert(!str_equal_case(STR("\xc3\x84"), STR("\xc3\xa4")));
	ck_assert(!str_equal_case(STR("ab"), STR("abc")));
}
END_TEST

START_TEST(prefixes_and_suffixes_are_found)
{
	ck_assert(str_starts(STR("mail.example"), STR("mail")));
	ck_assert(!str_starts(STR("Mail"), STR("mail")));
	ck_assert(str_starts_case(STR("Mail"), STR("mail")));
	ck_assert(!str_starts(STR("ma"), STR("mail")));
	ck_assert(str_starts(STR("x"), STR("")));
	ck_assert(str_ends_case(STR("a.EXAMPLE"), STR(".example")));
	ck_assert(!str_ends_case(STR("example"), STR(".example")));
}
END_TEST

START_TEST(octets_and_parts_are_searched)
{
	ck_assert_int_eq(str_find(STR("a@b@c"), '@'), 1);
	ck_assert_int_eq(str_find_last(STR("a@b@c"), '@'), 3);
	ck_assert_int_eq(str_find(STR("a\0b"), 'b'), 2);
	ck_assert_int_eq(str_find(STR("abc"), '@'), -1);
	ck_assert_int_eq(str_find_last(str_c(NULL), '@'), -1);
	ck_assert_int_eq(str_search_case(STR("Text/PLAIN; x"), STR("plain")), 5);
	ck_assert_int_eq(str_search_case(STR("plai"), STR("plain")), -1);
	ck_assert_int_eq(str_search_case(STR("xplain"), STR("plain")), 1);
	ck_assert_int_eq(str_search_case(STR("x"), STR("")), 0);
}
END_TEST

START_TEST(trimming_takes_blanks_and_line_ends_when_asked)
{
	expect_text(str_trim(STR(" \t a b\t ")), "a b");
	expect_text(str_trim(STR("a\r\n")), "a\r\n");
	expect_text(str_trim_line(STR(" a \r\n")), "a");
	expect_text(str_trim(STR(" \t ")), "");
	expect_text(str_trim(str_c(NULL)), "");
}
END_TEST

START_TEST(splitting_gives_empty_pieces_too)
{
	struct str rest = STR("a,,b,"), piece;

	ck_assert(str_split(&rest, ',', &piece));
	expect_text(piece, "a");
	ck_assert(str_split(&rest, ',', &piece));
	expect_text(piece, "");
	ck_assert(str_split(&rest, ',', &piece));
	expect_text(piece, "b");
	ck_assert(str_split(&rest, ',', &piece));
	expect_text(piece, "");
	ck_assert(!str_split(&rest, ',', &piece));
	rest = STR("");
	ck_assert(str_split(&rest, ',', &piece));
	expect_text(piece, "");
	ck_assert(!str_split(&rest, ',', &piece));
}
END_TEST

START_TEST(words_stand_between_blanks)
{
	struct str rest = STR("  MAIL\t FROM:<a> "), word;

	ck_assert(str_word(&rest, &word));
	expect_text(word, "MAIL");
	ck_assert(str_word(&rest, &word));
	expect_text(word, "FROM:<a>");
	ck_assert(!str_word(&rest, &word));
}
END_TEST

START_TEST(lowering_in_place_leaves_what_is_no_letter)
{
	char text[] = "A-Z[@\xc4";

	ascii_lower_all(text, sizeof text - 1);
	ck_assert_str_eq(text, "a-z[@\xc4");
}
END_TEST

START_TEST(a_duplicate_ends_in_nul)
{
	char *copy = str_dup_c(str_make("abc", 2)), *none = str_dup_c(str_c(NULL));

	ck_assert_str_eq(copy, "ab");
	ck_assert_str_eq(none, "");
	free(copy);
	free(none);
}
END_TEST

TEST_MAIN("base/str", a_slice_is_cut_at_both_ends, a_c_string_that_is_not_there_is_empty,
	comparison_knows_length_and_nul, folding_is_for_ascii_letters_only,
	prefixes_and_suffixes_are_found, octets_and_parts_are_searched,
	trimming_takes_blanks_and_line_ends_when_asked, splitting_gives_empty_pieces_too,
	words_stand_between_blanks, lowering_in_place_leaves_what_is_no_letter,
	a_duplicate_ends_in_nul)
