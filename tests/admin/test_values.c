/* SPDX-License-Identifier: MIT
 *
 * Words of a command line become values, or a reason.
 */
#include "admin/verb.h"

#include "tests/lib/test.h"

static const struct tmail_argument arguments[] = {
	{ "destination", "d", TMAIL_TYPE_STRING, 0, "host it is for" },
	{ "remote-host", "rh remoteHost", TMAIL_TYPE_STRING, TMAIL_REQUIRED, "where it goes" },
	{ "remote-port", "rp", TMAIL_TYPE_INT, 0, "its port" },
	{ "local", "l", TMAIL_TYPE_BOOL, 0, "of this host" },
	{ "tag", NULL, TMAIL_TYPE_STRING, TMAIL_REPEATED, "a word" },
	{ "remote-password", "rpwd", TMAIL_TYPE_SECRET, 0, "password there" },
	{ "NAME", NULL, TMAIL_TYPE_STRING, TMAIL_POSITIONAL | TMAIL_REQUIRED, "its name" },
	{ "MORE", NULL, TMAIL_TYPE_STRING, TMAIL_POSITIONAL | TMAIL_REPEATED, "others" },
};
static const struct verb verb = {
	.name = "routes add", .summary = "Adds a route.", .arguments = TMAIL_LIST(arguments)
};

static struct arena *arena;
static struct values values;
static struct why why;
static bool help;

static enum verb_result parse(const char *line)
{
	struct str words[32], rest = str_c(line), word;
	size_t n = 0;

	if (!arena)
		arena = arena_new(256);
	while (str_word(&rest, &word))
		words[n++] = word;
	values = (struct values){ 0 };
	why = (struct why){ "" };
	return values_parse(&verb, words, n, arena, &values, &help, &why);
}

static void is(const char *name, const char *value)
{
	struct str got = value_of(&values, name);

	ck_assert_msg(
		str_equal(got, str_c(value)), "%s is '%.*s', not '%s'", name, STR_ARG(got), value);
}

START_TEST(every_spelling_of_a_flag_is_the_flag)
{
	static const char *const lines[] = { "-rh mx.example.com n", "--rh mx.example.com n",
		"-rh=mx.example.com n", "--remote-host mx.example.com n",
		"--remote-host=mx.example.com n", "-remoteHost mx.example.com n",
		"-remote-host=mx.example.com n" };

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		ck_assert_msg(parse(lines[i]) == VERB_OK, "%s: %s", lines[i], why.text);
		is("remote-host", "mx.example.com");
		is("NAME", "n");
	}
}
END_TEST

START_TEST(flags_may_stand_before_between_and_behind_the_words)
{
	ck_assert_int_eq(parse("-l one -rh h two -rp 26 three"), VERB_OK);
	is("local", "1");
	is("remote-host", "h");
	is("remote-port", "26");
	is("NAME", "one");
	ck_assert_uint_eq(values.count, 6);
	is("MORE", "two");
}
END_TEST

START_TEST(two_dashes_end_the_flags)
{
	ck_assert_int_eq(parse("-rh h -- -l --remote-port"), VERB_OK);
	is("NAME", "-l");
	is("MORE", "--remote-port");
	ck_assert(!value_set(&values, "local"));
}
END_TEST

START_TEST(one_dash_is_a_word)
{
	ck_assert_int_eq(parse("-rh h -"), VERB_OK);
	is("NAME", "-");
}
END_TEST

START_TEST(a_value_may_begin_with_a_dash)
{
	ck_assert_int_eq(parse("-rh h -rpwd -secret n"), VERB_OK);
	is("remote-password", "-secret");
}
END_TEST

START_TEST(an_empty_value_is_not_the_same_as_none)
{
	ck_assert_int_eq(parse("-rh h -d= n"), VERB_OK);
	ck_assert(value_set(&values, "destination"));
	is("destination", "");
	ck_assert_int_eq(parse("-rh h n"), VERB_OK);
	ck_assert(!value_set(&values, "destination"));
}
END_TEST

START_TEST(a_bool_can_be_said_to_be_false)
{
	ck_assert_int_eq(parse("-rh h --local=false n"), VERB_OK);
	ck_assert(!value_set(&values, "local"));
	ck_assert_int_eq(parse("-rh h --local=yes n"), VERB_OK);
	is("local", "1");
}
END_TEST

START_TEST(a_repeated_flag_keeps_all_its_values)
{
	ck_assert_int_eq(parse("-rh h --tag a --tag=b n"), VERB_OK);
	ck_assert_uint_eq(values.count, 4);
	ck_assert_uint_eq(values.list.count, 4);
	is("tag", "a");
}
END_TEST

START_TEST(what_is_wrong_is_named)
{
	static const struct {
		const char *line, *why;
	} cases[] = {
		{ "-rh h", "NAME is missing" },
		{ "n", "--remote-host is missing" },
		{ "n -rh", "'-rh' wants a value behind it" },
		{ "n -rh h -rp x", "'remote-port' wants a number, not 'x'" },
		{ "n -rh h -rp", "'-rp' wants a value behind it" },
		{ "n -rh h --local=perhaps", "'local' wants true or false, not 'perhaps'" },
		{ "n -rh h -rh i", "'remote-host' is given twice" },
		{ "n -rh h --remote-prot 5",
			"unknown flag '--remote-prot', did you mean '--remote-port'?" },
		{ "n -rh h --zzzzzzzz", "unknown flag '--zzzzzzzz'" },
		{ "n -rh h --NAME x", "unknown flag '--NAME'" },
		{ "n -rh h ---local", "unknown flag '---local'" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		ck_assert_msg(parse(cases[i].line) == VERB_USAGE, "%s", cases[i].line);
		ck_assert_msg(str_starts(str_c(why.text), str_c(cases[i].why)), "%s: '%s'",
			cases[i].line, why.text);
	}
}
END_TEST

START_TEST(a_word_too_many_is_said)
{
	static const struct tmail_argument one[] = { { "NAME", NULL, TMAIL_TYPE_STRING,
		TMAIL_POSITIONAL | TMAIL_REQUIRED, "its name" } };
	const struct verb v = { .name = "x", .arguments = TMAIL_LIST(one) };
	const struct str words[] = { STR("a"), STR("b") };

	arena = arena_new(64);
	ck_assert_int_eq(values_parse(&v, words, 2, arena, &values, &help, &why), VERB_USAGE);
	ck_assert_str_eq(why.text, "'b' is one word too many");
}
END_TEST

START_TEST(help_is_seen_before_anything_that_is_wrong)
{
	ck_assert_int_eq(parse("--nonsense --help"), VERB_OK);
	ck_assert(help);
	ck_assert_int_eq(parse("-h"), VERB_OK);
	ck_assert(help);
	ck_assert_int_eq(parse("-rh h -- --help"), VERB_OK);
	ck_assert(!help);
}
END_TEST

START_TEST(usage_has_every_argument)
{
	struct buf out = { 0 };

	verb_usage(&out, &verb);
	ck_assert(
		str_starts(buf_str(&out), STR("usage: tmail routes add [flags] NAME [MORE...]\n")));
	TMAIL_EACH(struct tmail_argument, a, verb.arguments) {
		ck_assert(str_search_case(buf_str(&out), str_c(a->summary)) > 0);
	}
	ck_assert(str_search_case(buf_str(&out), STR("-rp, --remote-port N")) > 0);
	buf_free(&out);
}
END_TEST

TEST_MAIN("admin/values", every_spelling_of_a_flag_is_the_flag,
	flags_may_stand_before_between_and_behind_the_words, two_dashes_end_the_flags,
	one_dash_is_a_word, a_value_may_begin_with_a_dash, an_empty_value_is_not_the_same_as_none,
	a_bool_can_be_said_to_be_false, a_repeated_flag_keeps_all_its_values,
	what_is_wrong_is_named, a_word_too_many_is_said, help_is_seen_before_anything_that_is_wrong,
	usage_has_every_argument)
