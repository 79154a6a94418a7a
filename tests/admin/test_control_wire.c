/* SPDX-License-Identifier: MIT
 *
 * The lines of the control socket: what was written is read again as it was, and what is not one
 * of them is refused whole, whoever sends it.
 */
#include "admin/control_wire.h"

#include "tests/admin/collect.h"
#include "tests/lib/test.h"

static struct buf line;
static struct arena *arena;
static struct collect out;
static struct control_request request;

static void begin(void)
{
	arena = arena_new(256);
	collect_init(&out);
	buf_clear(&line);
}

static void end(void)
{
	arena_free(&arena);
	buf_free(&out.text);
	buf_free(&line);
}

static bool requests(struct str text)
{
	struct why why;

	return wire_request_read(text, arena, &request, &why);
}

/* How a server's line is taken; its text is in `out`, of a result and a secret too. */
static enum wire_reply replies(struct str text)
{
	enum verb_result result = VERB_OK;
	struct buf name = { 0 };
	enum wire_reply reply;

	buf_clear(&out.text);
	reply = wire_reply_read(text, &out.output, &result, &name);
	if (reply == WIRE_RESULT)
		buf_printf(&out.text, "result %d\n", (int)result);
	else if (reply == WIRE_SECRET)
		buf_printf(&out.text, "secret %.*s\n", STR_ARG(buf_str(&name)));
	buf_free(&name);
	return reply;
}

/* Without its LF, as readers want it. */
static struct str written(void)
{
	ck_assert(line.len && line.data[line.len - 1] == '\n');
	ck_assert_int_eq(str_find(buf_str(&line), '\n'), (ptrdiff_t)line.len - 1);
	return str_slice(buf_str(&line), 0, line.len - 1);
}

/* ---- what a client says ------------------------------------------------------------------- */

START_TEST(words_arrive_as_they_were)
{
	const struct str words[] = { STR("queue"), STR(""), STR("a\"b\\c\n\t"), STR("\0x\0"),
		STR("héllo €"), STR("-"), STR("\x7f\x01") };
	size_t count = sizeof words / sizeof *words;

	begin();
	wire_request(&line, words, count);
	ck_assert(requests(written()));
	ck_assert_uint_eq(request.count, count);
	for (size_t i = 0; i < count; i++)
		ck_assert_msg(str_equal(request.words[i], words[i]), "word %zu", i);
	buf_clear(&line);
	wire_request(&line, words, 0);
	ck_assert(requests(written()));
	ck_assert_uint_eq(request.count, 0);
	end();
}
END_TEST

START_TEST(octets_that_are_no_text_are_replaced_and_break_no_line)
{
	const struct str word = STR("\xff\n{\"");

	begin();
	wire_request(&line, &word, 1);
	ck_assert(requests(written()));
	ck_assert(str_equal(request.words[0], STR("\xef\xbf\xbd\n{\"")));
	end();
}
END_TEST

START_TEST(a_request_cut_anywhere_is_none)
{
	const struct str words[] = { STR("a"), STR("\"}]"), STR("é") };

	begin();
	wire_request(&line, words, 3);
	for (size_t n = 0; n + 1 < line.len; n++)
		ck_assert_msg(!requests(str_slice(buf_str(&line), 0, n)), "%zu octets", n);
	end();
}
END_TEST

START_TEST(what_is_no_request_is_refused)
{
	static const struct str bad[] = { STR_INIT(""), STR_INIT(" "), STR_INIT("null"),
		STR_INIT("\"words\""), STR_INIT("[]"), STR_INIT("{}"), STR_INIT("{\"words\":1}"),
		STR_INIT("{\"words\":\"a\"}"), STR_INIT("{\"words\":null}"),
		STR_INIT("{\"words\":{\"a\":1}}"), STR_INIT("{\"words\":[1]}"),
		STR_INIT("{\"words\":[\"a\",null]}"), STR_INIT("{\"words\":[[\"a\"]]}"),
		STR_INIT("{\"words\":[\"a\"],\"more\":1}"), STR_INIT("{\"words\":[\"a\"]}x"),
		STR_INIT("{\"words\":[\"a\"]}{}"), STR_INIT("{\"words\":[\"a\",]}"),
		STR_INIT("{words:[\"a\"]}"), STR_INIT("{'words':['a']}"),
		STR_INIT("{\"words\":[\"\xff\"]}"), STR_INIT("{\"words\":[\"\\ud800\"]}"),
		STR_INIT("{\"words\":[\"a\"]}\0"), STR_INIT("\0"), STR_INIT("\xef\xbb\xbf{}"),
		STR_INIT("{\"Words\":[\"a\"]}"), STR_INIT("{\"words\\u0000\":[\"a\"]}") };

	begin();
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(!requests(bad[i]), "%zu: %.*s", i, STR_ARG(bad[i]));
	ck_assert(!requests(str_make(NULL, 0)));
	end();
}
END_TEST

static void words_line(size_t count)
{
	buf_clear(&line);
	buf_add_c(&line, "{\"words\":[");
	for (size_t i = 0; i < count; i++)
		buf_add_c(&line, i ? ",\"\"" : "\"\"");
	buf_add_c(&line, "]}");
}

START_TEST(words_are_counted_and_depth_is_bounded)
{
	begin();
	words_line(4096);
	ck_assert(requests(buf_str(&line)));
	ck_assert_uint_eq(request.count, 4096);
	words_line(4097);
	ck_assert(!requests(buf_str(&line)));
	buf_clear(&line);
	for (int i = 0; i < 200000; i++)
		buf_add_char(&line, '[');
	ck_assert(!requests(buf_str(&line)));
	ck_assert_int_eq(replies(buf_str(&line)), WIRE_BAD);
	end();
}
END_TEST

START_TEST(an_answer_is_read_or_refused)
{
	static const struct str bad[] = { STR_INIT(""), STR_INIT("{}"), STR_INIT("{\"answer\":1}"),
		STR_INIT("{\"answer\":null}"), STR_INIT("{\"answer\":[\"x\"]}"),
		STR_INIT("{\"words\":[\"x\"]}"), STR_INIT("{\"answer\":\"x\",\"words\":[]}") };
	struct buf answer = { 0 };

	begin();
	wire_answer(&line, STR("p\0ss \"wörd\""));
	ck_assert(wire_answer_read(written(), &answer));
	ck_assert(str_equal(buf_str(&answer), STR("p\0ss \"wörd\"")));
	for (size_t n = 0; n + 1 < line.len; n++) {
		buf_clear(&answer);
		ck_assert(!wire_answer_read(str_slice(buf_str(&line), 0, n), &answer));
		ck_assert_uint_eq(answer.len, 0);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		ck_assert_msg(!wire_answer_read(bad[i], &answer), "%zu", i);
	ck_assert_uint_eq(answer.len, 0);
	buf_free(&answer);
	end();
}
END_TEST

/* ---- what a server says ------------------------------------------------------------------- */

static void write_columns(void)
{
	static const char *const names[] = { "id", "at\"tempts:int" };

	wire_columns(&line, names, 2);
}

static void write_row(void)
{
	const struct tmail_str row[] = { TMAIL_STR("1\n2"), { NULL, 0 }, TMAIL_STR("") };

	wire_row(&line, row, 3);
}

static void write_say(void)
{
	wire_text(&line, "say", STR("two\nlines"));
}

static void write_fail(void)
{
	wire_text(&line, "fail", STR("no \"x\""));
}

static void write_progress(void)
{
	wire_progress(&line, 3, 10);
}

static void write_secret(void)
{
	wire_text(&line, "secret", STR("PASSWORD"));
}

static void write_result(void)
{
	wire_result(&line, VERB_USAGE);
}

static const struct {
	void (*write)(void);
	const char *read;
	enum wire_reply reply;
} said[] = {
	{ write_columns, "columns id|at\"tempts:int\n", WIRE_MORE },
	{ write_row, "row 1\n2|(none)|\n", WIRE_MORE },
	{ write_say, "say two\nlines\n", WIRE_MORE },
	{ write_fail, "fail no \"x\"\n", WIRE_MORE },
	{ write_progress, "progress 3/10\n", WIRE_MORE },
	{ write_secret, "secret PASSWORD\n", WIRE_SECRET },
	{ write_result, "result 2\n", WIRE_RESULT },
};

START_TEST(what_a_verb_emits_arrives_as_it_was)
{
	begin();
	for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
		buf_clear(&line);
		said[i].write();
		ck_assert_int_eq(replies(written()), said[i].reply);
		ck_assert_str_eq(buf_c(&out.text), said[i].read);
	}
	end();
}
END_TEST

START_TEST(a_reply_cut_anywhere_is_bad_and_nothing_of_it_is_taken)
{
	begin();
	for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
		buf_clear(&line);
		said[i].write();
		for (size_t n = 0; n + 1 < line.len; n++) {
			ck_assert_int_eq(replies(str_slice(buf_str(&line), 0, n)), WIRE_BAD);
			ck_assert_uint_eq(out.text.len, 0);
		}
	}
	end();
}
END_TEST

START_TEST(what_is_no_reply_is_bad)
{
	static const char *const bad[] = { "", "null", "[]", "{}", "\"say\"", "{\"say\":1}",
		"{\"say\":null}", "{\"fail\":[\"x\"]}", "{\"secret\":1}", "{\"columns\":\"x\"}",
		"{\"columns\":[1]}", "{\"columns\":[null]}", "{\"row\":1}",
		"{\"row\":{\"a\":\"b\"}}", "{\"row\":[1]}", "{\"row\":[\"a\",true]}",
		"{\"row\":[[\"a\"]]}", "{\"progress\":1}", "{\"progress\":[]}",
		"{\"progress\":[1]}", "{\"progress\":[1,\"2\"]}", "{\"progress\":[1,2.5]}",
		"{\"progress\":[-1,2]}", "{\"progress\":[1,-2]}", "{\"progress\":[1,2,3]}",
		"{\"result\":\"0\"}", "{\"result\":null}", "{\"result\":0.0}",
		"{\"result\":99999999999999999999}", "{\"unknown\":1}",
		"{\"say\":\"a\",\"fail\":\"b\"}", "{\"say\":\"a\"} {\"say\":\"b\"}" };

	begin();
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		ck_assert_msg(replies(str_c(bad[i])) == WIRE_BAD, "%s", bad[i]);
		ck_assert_msg(out.text.len == 0, "%s: %s", bad[i], buf_c(&out.text));
	}
	end();
}
END_TEST

START_TEST(a_result_nobody_knows_is_a_failure)
{
	static const struct {
		const char *line, *read;
	} cases[] = {
		{ "{\"result\":0}", "result 0\n" },
		{ "{\"result\":1}", "result 1\n" },
		{ "{\"result\":2}", "result 2\n" },
		{ "{\"result\":3}", "result 1\n" },
		{ "{\"result\":-1}", "result 1\n" },
		{ "{\"result\":4294967296}", "result 1\n" },
	};

	begin();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		ck_assert_int_eq(replies(str_c(cases[i].line)), WIRE_RESULT);
		ck_assert_str_eq(buf_c(&out.text), cases[i].read);
	}
	end();
}
END_TEST

static enum wire_reply cells(const char *key, unsigned count)
{
	buf_clear(&line);
	buf_printf(&line, "{\"%s\":[", key);
	for (unsigned i = 0; i < count; i++)
		buf_add_c(&line, i ? ",\"\"" : "\"\"");
	buf_add_c(&line, "]}");
	return replies(buf_str(&line));
}

START_TEST(no_row_has_more_cells_than_there_may_be_columns)
{
	begin();
	ck_assert_int_eq(cells("columns", 0), WIRE_MORE);
	ck_assert_int_eq(cells("columns", 256), WIRE_MORE);
	ck_assert_int_eq(cells("columns", 257), WIRE_BAD);
	ck_assert_int_eq(cells("row", 256), WIRE_MORE);
	ck_assert_int_eq(cells("row", 257), WIRE_BAD);
	end();
}
END_TEST

TEST_MAIN("admin/control_wire", words_arrive_as_they_were,
	octets_that_are_no_text_are_replaced_and_break_no_line, a_request_cut_anywhere_is_none,
	what_is_no_request_is_refused, words_are_counted_and_depth_is_bounded,
	an_answer_is_read_or_refused, what_a_verb_emits_arrives_as_it_was,
	a_reply_cut_anywhere_is_bad_and_nothing_of_it_is_taken, what_is_no_reply_is_bad,
	a_result_nobody_knows_is_a_failure, no_row_has_more_cells_than_there_may_be_columns)
