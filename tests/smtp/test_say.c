/* SPDX-License-Identifier: MIT
 *
 * Every fixed reply is one line of SMTP, with an enhanced code of its class (RFC 5321 4.2,
 * RFC 2034), and fits where it must.
 */
#include "mail/reply.h"
#include "smtp/say.h"
#include "tests/lib/test.h"

START_TEST(every_reply_is_one_line_that_fits)
{
	for (int i = 1; i < SAYS; i++) {
		struct str line = say_row((enum say)i)->line;

		ck_assert_uint_le(line.len, 512);
		ck_assert_uint_gt(line.len, 6);
		ck_assert_int_eq(line.data[3], ' ');
		ck_assert_int_eq(str_find(line, '\n'), (ptrdiff_t)line.len - 1);
		ck_assert_int_eq(str_find(line, '\r'), (ptrdiff_t)line.len - 2);
		for (size_t at = 0; at < line.len - 2; at++)
			ck_assert(line.data[at] >= ' ' && line.data[at] < 0x7f);
	}
}
END_TEST

START_TEST(every_reply_but_the_go_ahead_has_an_enhanced_code)
{
	for (int i = 1; i < SAYS; i++) {
		const struct say_row *row = say_row((enum say)i);
		struct str rest = str_slice(row->line, 4, row->line.len), enhanced;

		ck_assert(row->code ==
			(row->line.data[0] - '0') * 100 + (row->line.data[1] - '0') * 10 +
				(row->line.data[2] - '0'));
		if (i == SAY_GO_AHEAD)
			continue;
		ck_assert(str_word(&rest, &enhanced));
		ck_assert_msg(enhanced_valid(enhanced, row->code), "%.*s", STR_ARG(row->line));
	}
}
END_TEST

START_TEST(replies_that_end_the_session_do_not_also_count_as_errors)
{
	for (int i = 1; i < SAYS; i++)
		ck_assert_int_ne(say_row((enum say)i)->flags, SAY_ERROR | SAY_CLOSE);
	for (int i = 1; i < SAYS; i++)
		if (say_row((enum say)i)->code == 421)
			ck_assert_int_eq(say_row((enum say)i)->flags, SAY_CLOSE);
}
END_TEST

START_TEST(what_is_refused_for_good_counts_unless_it_is_a_recipient_or_the_end)
{
	for (enum say say = 1; say < SAYS; say++) {
		const struct say_row *row = say_row(say);

		if (row->code >= 500 && say != SAY_NO_SUCH_USER)
			ck_assert_msg(row->flags != 0, "%.*s", STR_ARG(row->line));
		if (row->code < 400 && say != SAY_BYE)
			ck_assert_msg(row->flags == 0, "%.*s", STR_ARG(row->line));
		if (say_ends(row->code))
			ck_assert_msg(row->flags & SAY_CLOSE, "%.*s", STR_ARG(row->line));
	}
	ck_assert(say_ends(421) && say_ends(521));
	ck_assert(!say_ends(451) && !say_ends(554) && !say_ends(221));
}
END_TEST

START_TEST(the_replies_that_people_were_promised_read_so)
{
	ck_assert(str_equal(say_row(SAY_BYE)->line, STR("221 2.0.0 Bye\r\n")));
	ck_assert(str_equal(
		say_row(SAY_GO_AHEAD)->line, STR("354 End data with <CR><LF>.<CR><LF>\r\n")));
	ck_assert(str_starts(say_row(SAY_NO_ROOM)->line, STR("452 4.3.1 ")));
	ck_assert(str_starts(say_row(SAY_BARE_NEWLINE)->line, STR("550 5.6.0 ")));
	ck_assert(str_starts(say_row(SAY_TOO_MANY_HOPS)->line, STR("554 5.4.6 ")));
	ck_assert(str_starts(say_row(SAY_LINE_TOO_LONG)->line, STR("500 5.5.2 ")));
	ck_assert(str_starts(say_row(SAY_NO_SUCH_USER)->line, STR("550 5.1.1 ")));
	ck_assert(str_starts(say_row(SAY_CANNOT_VERIFY)->line, STR("252 ")));
	ck_assert(str_starts(say_row(SAY_NOT_OFFERED)->line, STR("502 5.5.1 ")));
}
END_TEST

TEST_MAIN("smtp/say", every_reply_is_one_line_that_fits,
	every_reply_but_the_go_ahead_has_an_enhanced_code,
	replies_that_end_the_session_do_not_also_count_as_errors,
	what_is_refused_for_good_counts_unless_it_is_a_recipient_or_the_end,
	the_replies_that_people_were_promised_read_so)
