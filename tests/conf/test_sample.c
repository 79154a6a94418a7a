/* SPDX-License-Identifier: MIT */
#include "conf/tree.h"

#include "tests/conf/options.h"

static const struct tmail_option sampled[] = {
	{ .name = "listen",
		.type = TMAIL_TYPE_GROUPS,
		.offset = offsetof(struct every, places),
		.summary = "Where to listen.",
		.options = TMAIL_LIST(place_options),
		.stride = sizeof(struct place),
		.sample = "(\n    { address = \"127.0.0.1\"; port = 2525; }\n)" },
	{ .name = "name",
		.type = TMAIL_TYPE_STRING,
		.flags = TMAIL_REQUIRED | TMAIL_RESTART,
		.offset = offsetof(struct every, name),
		.summary = "What it is called, in one sentence that is long enough to be wrapped "
			   "at the "
			   "end of its line.",
		.sample = "${SAMPLE_NAME:-mail.example}" },
	{ .name = "count",
		.type = TMAIL_TYPE_INT,
		.offset = offsetof(struct every, count),
		.min = 1,
		.max = 9,
		.summary = "How many.",
		.sample = "3" },
	{ .name = "words",
		.type = TMAIL_TYPE_STRINGS,
		.offset = offsetof(struct every, words),
		.summary = "Which of them.",
		.sample = "one two" },
};

static void expect_sample(const struct conf_section *section, const char *text)
{
	struct buf out = { 0 };

	conf_print_sample(&out, section);
	ck_assert_str_eq(buf_c(&out), text);
	buf_free(&out);
}

START_TEST(a_group_shows_every_option_with_its_sentence)
{
	static const struct conf_section section = { "smtp", "Mail that comes in.",
		TMAIL_LIST(every_options), CONF_GROUP };

	expect_sample(&section,
		"# Mail that comes in.\n"
		"smtp = {\n"
		"    # Whether it is on.\n"
		"    #enabled = true;\n"
		"\n"
		"    # What it does. One of: off, reject, defer.\n"
		"    #mode = \"reject\";\n"
		"\n"
		"    # How many. Range: 1 to 100.\n"
		"    #count = 7;\n"
		"\n"
		"    # How long. Range: 1s to 1h.\n"
		"    #wait = \"30s\";\n"
		"\n"
		"    # How large. Range: at least 0.\n"
		"    #limit = \"10M\";\n"
		"\n"
		"    # What it is called.\n"
		"    #name = \"a \\\"b\\\" $${c}\";\n"
		"\n"
		"    # Where it is.\n"
		"    #file = \"store/x\";\n"
		"\n"
		"    # What nobody may see.\n"
		"    #password = \"\";\n"
		"\n"
		"    # Which of them.\n"
		"    #words = [ \"one\", \"two\" ];\n"
		"\n"
		"    # Places to be at.\n"
		"    #places = (\n"
		"    #    {\n"
		"    #        # Where to listen. Required.\n"
		"    #        #address = \"\";\n"
		"    #\n"
		"    #        # Which port. Range: 1 to 65535.\n"
		"    #        #port = 25;\n"
		"    #    }\n"
		"    #);\n"
		"};\n");
}
END_TEST

START_TEST(what_has_a_sample_is_on)
{
	static const struct conf_section section = { NULL, "The top.", TMAIL_LIST(sampled),
		CONF_GROUP };

	expect_sample(&section,
		"# The top.\n"
		"\n"
		"# Where to listen.\n"
		"listen = (\n"
		"    { address = \"127.0.0.1\"; port = 2525; }\n"
		");\n"
		"\n"
		"# What it is called, in one sentence that is long enough to be wrapped at the\n"
		"# end of its line. Required. A change needs a restart.\n"
		"name = \"${SAMPLE_NAME:-mail.example}\";\n"
		"\n"
		"# How many. Range: 1 to 9.\n"
		"count = 3;\n"
		"\n"
		"# Which of them.\n"
		"words = [ \"one\", \"two\" ];\n");
}
END_TEST

START_TEST(lists_and_modules_have_their_own_braces)
{
	static const struct tmail_option one[] = { TMAIL_BOOL(
		struct every, enabled, "enabled", NULL, "Whether.") };
	struct conf_section section = { "routes", NULL, TMAIL_LIST(one), CONF_LIST };

	expect_sample(&section,
		"routes = (\n    {\n        # Whether.\n        #enabled = false;\n"
		"    }\n);\n");
	section = (struct conf_section){ "auth/users", "Who may log in.", TMAIL_LIST(one),
		CONF_OF_MODULE };
	expect_sample(&section,
		"    # Who may log in.\n    {\n        module = \"auth/users\";\n\n"
		"        # Whether.\n        #enabled = false;\n    }");
	section.options.count = 0;
	expect_sample(
		&section, "    # Who may log in.\n    {\n        module = \"auth/users\";\n    }");
}
END_TEST

/* Every "#name" at any depth turned on; "# text" stays a comment. */
static void turn_on(struct buf *out, struct str sample)
{
	struct str line;

	while (str_split(&sample, '\n', &line)) {
		ptrdiff_t mark = str_find(line, '#');
		bool off = mark >= 0 && (size_t)mark + 1 < line.len && line.data[mark + 1] != ' ';

		buf_add(out, str_slice(line, 0, off ? (size_t)mark : line.len));
		if (off)
			buf_add(out, str_slice(line, (size_t)mark + 1, line.len));
		buf_add_char(out, '\n');
	}
}

static void expect_reads_as_defaults(struct buf *text)
{
	struct problems p = { 0 };
	struct conf *c;
	struct every e;

	ck_assert(read_text(buf_c(text), &e, &p, NULL, &c));
	expect_problems(&p, "");
	expect_defaults(&e);
	conf_free(&c);
}

/* All options but the groups, whose one element would lack what it requires. */
START_TEST(the_sample_means_the_defaults_whether_on_or_off)
{
	struct conf_section section = { NULL, NULL, TMAIL_LIST(every_options), CONF_GROUP };
	struct buf sample = { 0 }, on = { 0 };

	section.options.count--;
	conf_print_sample(&sample, &section);
	expect_reads_as_defaults(&sample);
	turn_on(&on, buf_str(&sample));
	ck_assert_ptr_nonnull(strstr(buf_c(&on), "\nwait = \"30s\";\n"));
	expect_reads_as_defaults(&on);
	buf_free(&sample);
	buf_free(&on);
}
END_TEST

START_TEST(a_sample_with_values_reads_as_them)
{
	static const struct conf_section section = { NULL, NULL, TMAIL_LIST(sampled), CONF_GROUP };
	struct problems p = { 0 };
	struct every e;
	struct conf_table table = { TMAIL_LIST(sampled), &e };
	struct buf sample = { 0 };
	struct conf *c;

	unsetenv("SAMPLE_NAME");
	conf_print_sample(&sample, &section);
	c = conf_of(buf_c(&sample));
	ck_assert(conf_read(c, conf_root(c), &table, 1, NULL, &p));
	expect_problems(&p, "");
	expect_text(e.name, "mail.example");
	ck_assert_int_eq(e.count, 3);
	ck_assert_uint_eq(e.words.count, 2);
	ck_assert_int_eq(TMAIL_AT(struct place, e.places, 0)->port, 2525);
	conf_free(&c);
	buf_free(&sample);
}
END_TEST

START_TEST(no_comment_is_wider_than_eighty_columns)
{
	struct tmail_option o = TMAIL_BOOL(struct every, enabled, "enabled", "true", NULL);
	char summary[2000];
	struct conf_section section = { "smtp", summary, { &o, 1, sizeof o }, CONF_GROUP };
	uint64_t state = 11;

	o.summary = summary;
	for (int round = 0; round < 50; round++) {
		struct buf sample = { 0 };
		struct str rest, line;

		for (size_t i = 0; i < sizeof summary; i++)
			summary[i] = chance_next(&state) % 8 ? 'x' : ' ';
		summary[sizeof summary - 1] = '\0';
		conf_print_sample(&sample, &section);
		rest = buf_str(&sample);
		while (str_split(&rest, '\n', &line))
			ck_assert_uint_le(line.len, 80);
		buf_free(&sample);
	}
}
END_TEST

TEST_MAIN("conf/sample", a_group_shows_every_option_with_its_sentence, what_has_a_sample_is_on,
	lists_and_modules_have_their_own_braces, the_sample_means_the_defaults_whether_on_or_off,
	a_sample_with_values_reads_as_them, no_comment_is_wider_than_eighty_columns)
