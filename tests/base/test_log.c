/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include "tests/base/expect.h"

#include <pthread.h>

static char seen[16384];
static size_t seen_len, seen_count;
static enum log_level seen_level;
static int64_t now;

static void keep(enum log_level level, struct str line)
{
	memcpy(seen, line.data, line.len);
	seen[line.len] = '\0';
	seen_len = line.len;
	seen_level = level;
	seen_count++;
}

static int64_t clock_now(void)
{
	return now;
}

static void setup(enum log_format format)
{
	log_setup(LEVEL_INFO, format, keep);
	log_clock(clock_now);
	seen_count = 0;
	now = 1795341600123456; /* 2026-11-22T10:00:00.123456Z */
}

#define expect_line(text) ck_assert_str_eq(seen, "2026-11-22T10:00:00.123456Z " text "\n")
#define expect_json(text)                                                                          \
	ck_assert_str_eq(seen, "{\"time\":\"2026-11-22T10:00:00.123456Z\"," text "}\n")

START_TEST(an_event_is_one_line)
{
	setup(LOG_TEXT);
	log_event(LEVEL_INFO, NULL, "started");
	expect_line("info started");
	log_event(LEVEL_ERROR, NULL, "mail_accepted", LOG_C("from", "a@b"), LOG_NUM("size", 4096));
	expect_line("error mail_accepted from=a@b size=4096");
	ck_assert_int_eq(seen_level, LEVEL_ERROR);
	log_setup(LEVEL_INFO, LOG_JSON, keep);
	log_event(
		LEVEL_WARNING, NULL, "mail_accepted", LOG_C("from", "a@b"), LOG_NUM("size", 4096));
	expect_json(
		"\"level\":\"warning\",\"event\":\"mail_accepted\",\"from\":\"a@b\",\"size\":4096");
}
END_TEST

START_TEST(only_values_that_need_quotes_have_them)
{
	setup(LOG_TEXT);
	log_event(LEVEL_INFO, NULL, "e", LOG_C("a", "x y"), LOG_C("b", "x=y"), LOG_C("c", ""),
		LOG_C("d", "<a@[::1]>;"), LOG_C("e", "\\"), LOG_C("f", "\""),
		LOG_C("g", "gr\xc3\xbc"), LOG_STR("h", STR("\r\n250 ok\0")));
	expect_line("info e a=\"x y\" b=\"x=y\" c=\"\" d=<a@[::1]>; e=\"\\\\\" f=\"\\\"\" "
		    "g=\"gr\\xc3\\xbc\" h=\"\\x0d\\x0a250 ok\\x00\"");
}
END_TEST

START_TEST(json_keeps_utf8_and_mends_what_is_none)
{
	setup(LOG_JSON);
	log_event(LEVEL_INFO, NULL, "e", LOG_C("a", "gr\xc3\xbc \"x\""), LOG_C("b", "\xff\x7f"),
		LOG_STR("c", STR("\n\0")));
	expect_json("\"level\":\"info\",\"event\":\"e\",\"a\":\"gr\xc3\xbc \\\"x\\\"\","
		    "\"b\":\"\xef\xbf\xbd\\u007f\",\"c\":\"\\u000a\\u0000\"");
}
END_TEST

START_TEST(numbers_and_ids_are_written_whole)
{
	setup(LOG_TEXT);
	log_event(LEVEL_INFO, NULL, "e", LOG_NUM("a", INT64_MIN), LOG_NUM("b", INT64_MAX),
		LOG_NUM("c", 0), LOG_ID("d", ((struct id){ 1, 31 })));
	expect_line("info e a=-9223372036854775808 b=9223372036854775807 c=0 "
		    "d=0000000000000g00000000000v");
}
END_TEST

START_TEST(a_field_may_be_left_out)
{
	setup(LOG_TEXT);
	log_event(LEVEL_INFO, NULL, "e", LOG_IF(false, LOG_NUM("a", 1)),
		LOG_IF(true, LOG_NUM("b", 2)));
	expect_line("info e b=2");
}
END_TEST

START_TEST(the_context_comes_first_outermost_before_all)
{
	const struct log_field outer_fields[] = { LOG_C("session", "s1") };
	const struct log_field inner_fields[] = { LOG_C("module", "m"), LOG_NUM("n", 1) };
	const struct log_context outer = { NULL, outer_fields, 1 };
	const struct log_context inner = { &outer, inner_fields, 2 };

	setup(LOG_TEXT);
	log_event(LEVEL_INFO, &inner, "e", LOG_C("x", "y"));
	expect_line("info e session=s1 module=m n=1 x=y");
}
END_TEST

START_TEST(what_is_below_the_threshold_costs_nothing)
{
	int evaluated = 0;

	setup(LOG_TEXT);
	log_event(LEVEL_DEBUG, NULL, "e", LOG_NUM("a", ++evaluated));
	ck_assert_uint_eq(seen_count, 0);
	ck_assert_int_eq(evaluated, 0);
	log_threshold = LEVEL_DEBUG;
	log_event(LEVEL_DEBUG, NULL, "e", LOG_NUM("a", ++evaluated));
	expect_line("debug e a=1");
}
END_TEST

START_TEST(the_cached_second_follows_the_clock)
{
	setup(LOG_TEXT);
	log_event(LEVEL_INFO, NULL, "e");
	now = 1795341599999999;
	log_event(LEVEL_INFO, NULL, "e");
	ck_assert_str_eq(seen, "2026-11-22T09:59:59.999999Z info e\n");
	now = 1795341600000000;
	log_event(LEVEL_INFO, NULL, "e");
	ck_assert_str_eq(seen, "2026-11-22T10:00:00.000000Z info e\n");
	now = 0;
	log_event(LEVEL_INFO, NULL, "e");
	ck_assert_str_eq(seen, "1970-01-01T00:00:00.000000Z info e\n");
}
END_TEST

static bool ends(const char *tail)
{
	return str_ends_case(str_make(seen, seen_len), str_c(tail));
}

/* A JSON line is well formed if, outside of strings, its one object closes at its end. */
static void expect_one_object(void)
{
	bool inside = false;
	size_t i;

	for (i = 0; i < seen_len && (inside || seen[i] != '}'); i++) {
		if (inside && seen[i] == '\\')
			i++;
		else if (seen[i] == '"')
			inside = !inside;
	}
	ck_assert_uint_eq(i, seen_len - 2);
	ck_assert_int_eq(seen[seen_len - 1], '\n');
}

/* Values of each length around the end of the line, of what needs one to six octets each. */
START_TEST(a_long_line_is_cut_and_says_so)
{
	static const char *const fill[] = { "x", "\"", "\n", " ", "\xc3\xbc", "\xff", "=" };
	static char value[9000];

	for (size_t f = 0; f < sizeof fill / sizeof *fill; f++)
		for (size_t len = 1300; len < sizeof value; len += len < 8000 ? 997 : 1) {
			for (size_t i = 0; i < len; i++)
				value[i] = fill[f][i % strlen(fill[f])];
			for (int format = LOG_TEXT; format <= LOG_JSON; format++) {
				setup((enum log_format)format);
				log_event(LEVEL_INFO, NULL, "e", LOG_STR("a", str_make(value, len)),
					LOG_NUM("b", 123456), LOG_ID("c", ((struct id){ 1, 2 })),
					LOG_C("d", "last"));
				ck_assert_uint_le(seen_len, 8192);
				ck_assert_ptr_null(memchr(seen, '\n', seen_len - 1));
				if (format == LOG_JSON)
					expect_one_object();
				if (format == LOG_JSON)
					ck_assert(ends("\"d\":\"last\"}\n") ||
						ends(",\"cut\":true}\n"));
				else
					ck_assert(ends(" d=last\n") || ends(" cut=true\n"));
				if (len > 8300)
					ck_assert(ends("cut=true\n") || ends("\"cut\":true}\n"));
			}
		}
}
END_TEST

START_TEST(a_number_is_whole_or_not_there)
{
	static char value[8192];
	bool whole = false, gone = false;

	memset(value, 'x', sizeof value);
	setup(LOG_TEXT);
	for (size_t len = 8000; len < sizeof value; len++) {
		log_event(LEVEL_INFO, NULL, "e", LOG_STR("a", str_make(value, len)),
			LOG_NUM("b", INT64_MIN));
		if (strstr(seen, " b="))
			ck_assert_ptr_nonnull(strstr(seen, " b=-9223372036854775808\n"));
		whole |= strstr(seen, " b=") != NULL;
		gone |= strstr(seen, " b=") == NULL;
	}
	ck_assert(whole && gone);
}
END_TEST

START_TEST(names_cannot_break_a_line)
{
	static char name[10000];

	memset(name, 'n', sizeof name - 1);
	setup(LOG_JSON);
	log_event(LEVEL_INFO, NULL, "a\"b\nc", LOG_C("x=\" y", "v"));
	expect_json("\"level\":\"info\",\"event\":\"a_b_c\",\"x___y\":\"v\"");
	log_event(LEVEL_INFO, NULL, name, LOG_C(name, "v"));
	expect_one_object();
	ck_assert(ends("n\":\"v\"}\n"));
}
END_TEST

START_TEST(without_a_sink_lines_go_to_stderr)
{
	char text[200] = "";
	int ends_of[2];
	ssize_t len;

	ck_assert_int_eq(pipe(ends_of), 0);
	ck_assert_int_ge(dup2(ends_of[1], STDERR_FILENO), 0);
	log_setup(LEVEL_INFO, LOG_TEXT, NULL);
	log_clock(NULL);
	log_event(LEVEL_INFO, NULL, "hello");
	len = read(ends_of[0], text, sizeof text - 1);
	ck_assert_int_gt(len, 0);
	ck_assert_ptr_nonnull(strstr(text, "Z info hello\n"));
}
END_TEST

static int heard;
static void hear(const struct log_context *context, const char *event,
	const struct log_field *fields, size_t count)
{
	(void)context;
	ck_assert_str_eq(event, "step");
	ck_assert_int_eq(fields[count - 1].num, 7);
	heard++;
}

START_TEST(a_listener_hears_what_is_below_the_threshold_too)
{
	setup(LOG_TEXT);
	heard = 0;
	log_heard = hear;
	log_event(LEVEL_DEBUG, NULL, "step", LOG_NUM("n", 7));
	ck_assert_int_eq(heard, 1);
	ck_assert_uint_eq(seen_count, 0);
	log_event(LEVEL_INFO, NULL, "step", LOG_NUM("n", 7));
	ck_assert_int_eq(heard, 2);
	ck_assert_uint_eq(seen_count, 1);
	log_threshold = LEVEL_DEBUG;
	log_debug(NULL, "step", LOG_NUM("n", 7));
	ck_assert_int_eq(heard, 2);
	ck_assert_uint_eq(seen_count, 2);
	log_heard = NULL;
}
END_TEST

static void count_only(enum log_level level, struct str line)
{
	static _Atomic size_t count;

	ck_assert_int_eq(level, LEVEL_INFO);
	ck_assert_int_eq(line.data[line.len - 1], '\n');
	count++;
}

static void *write_many(void *unused)
{
	for (int i = 0; i < 2000; i++)
		log_event(LEVEL_INFO, NULL, "e", LOG_NUM("i", i), LOG_C("text", "a b"));
	return unused;
}

/* For the thread sanitizer: writers, and a threshold that a reload changes. */
START_TEST(any_thread_may_write)
{
	pthread_t threads[4];

	log_setup(LEVEL_INFO, LOG_TEXT, count_only);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, write_many, NULL), 0);
	log_threshold = LEVEL_DEBUG;
	log_threshold = LEVEL_INFO;
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}
END_TEST

TEST_MAIN("base/log", an_event_is_one_line, only_values_that_need_quotes_have_them,
	json_keeps_utf8_and_mends_what_is_none, numbers_and_ids_are_written_whole,
	a_field_may_be_left_out, the_context_comes_first_outermost_before_all,
	what_is_below_the_threshold_costs_nothing, the_cached_second_follows_the_clock,
	a_long_line_is_cut_and_says_so, a_number_is_whole_or_not_there, names_cannot_break_a_line,
	without_a_sink_lines_go_to_stderr, a_listener_hears_what_is_below_the_threshold_too,
	any_thread_may_write)
