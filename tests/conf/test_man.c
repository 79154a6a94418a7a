/* SPDX-License-Identifier: MIT */
#include "tests/conf/options.h"

static void expect_man(const struct conf_section *section, const char *text)
{
	struct buf out = { 0 };

	conf_print_man(&out, section);
	ck_assert_str_eq(buf_c(&out), text);
	buf_free(&out);
}

START_TEST(a_section_is_a_list_of_its_options)
{
	static const struct tmail_option options[] = {
		TMAIL_INT(struct every, count, "count", "7", 1, 100, "How many."),
		TMAIL_SECRET(struct every, password, "password", "hidden", "What nobody may see."),
	};
	static const struct conf_section section = { "smtp", "Mail that comes in.",
		TMAIL_LIST(options), CONF_GROUP };

	expect_man(&section,
		".Ss \"\\&smtp\"\nMail that comes in.\n"
		".Bl -tag -width Ds\n"
		".It Cm count No = Ar number\nHow many. Range: 1 to 100.\n"
		"The default is\n.Ql \"\\&7\" .\n"
		".It Cm password No = Ar secret\nWhat nobody may see.\n"
		".El\n");
}
END_TEST

START_TEST(groups_are_lists_in_the_list)
{
	static const struct conf_section section = { NULL, NULL,
		{ &every_options[9], 1, sizeof *every_options }, CONF_GROUP };

	expect_man(&section,
		".Bl -tag -width Ds\n"
		".It Cm places No = Ar groups\nPlaces to be at.\n"
		".Bl -tag -width Ds\n"
		".It Cm address No = Ar string\nWhere to listen. Required.\n"
		".It Cm port No = Ar number\nWhich port. Range: 1 to 65535.\n"
		"The default is\n.Ql \"\\&25\" .\n"
		".El\n.El\n");
}
END_TEST

/* A backslash, a leading point and a quote are text, whatever roff makes of them. */
START_TEST(text_is_never_a_request)
{
	static const struct tmail_option options[] = { TMAIL_STRING(
		struct every, name, "name", "\\ \"q\" No", ".so evil\n'ne \\x") };
	static const struct conf_section section = { NULL, NULL, TMAIL_LIST(options), CONF_GROUP };

	expect_man(&section,
		".Bl -tag -width Ds\n.It Cm name No = Ar string\n"
		"\\&.so evil\n\\&'ne \\ex\n"
		"The default is\n.Ql \"\\&\\e \\(dqq\\(dq No\" .\n.El\n");
}
END_TEST

START_TEST(a_section_without_options_has_no_list)
{
	static const struct conf_section section = { "x", "Nothing to set.", { NULL, 0, 0 },
		CONF_GROUP };

	expect_man(&section, ".Ss \"\\&x\"\nNothing to set.\n");
}
END_TEST

TEST_MAIN("conf/man", a_section_is_a_list_of_its_options, groups_are_lists_in_the_list,
	text_is_never_a_request, a_section_without_options_has_no_list)
