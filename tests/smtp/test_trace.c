/* SPDX-License-Identifier: MIT
 *
 * What is added to a header, and what never happens to it.
 */
#include "smtp/trace.h"
#include "tests/lib/test.h"

static struct message *message_of(const char *content)
{
	struct message *m = message_new((struct id){ 1, 2 }, 1790000000000000);

	buf_add_c(&m->data, content);
	return m;
}

static void check_end(const char *content, size_t header, const char *expected)
{
	struct message *m = message_of(content);

	trace_header_end(m);
	ck_assert_str_eq(buf_c(&m->data), expected);
	ck_assert_uint_eq(m->header_length, header);
	message_free(&m);
}

START_TEST(a_header_has_an_empty_line_at_its_end)
{
	check_end("A: b\r\n\r\nbody\r\n", 8, "A: b\r\n\r\nbody\r\n");
	check_end("A: b\r\n", 8, "A: b\r\n\r\n");
	check_end("\r\nbody\r\n", 2, "\r\nbody\r\n");
	check_end("", 2, "\r\n");
	check_end("no field at all\r\n", 2, "\r\nno field at all\r\n");
	check_end("A: b\r\nno field\r\nC: d\r\n", 8, "A: b\r\n\r\nno field\r\nC: d\r\n");
	check_end("A:\r\n\r\n", 6, "A:\r\n\r\n");
}
END_TEST

START_TEST(hops_are_counted_in_the_header_alone)
{
	struct message *m = message_of(
		"Received: a\r\nX: y\r\nreceived: b\r\n\r\nReceived: c\r\nReceived: d\r\n");

	trace_header_end(m);
	ck_assert(!trace_too_many_hops(m, 2));
	ck_assert(trace_too_many_hops(m, 1));
	message_free(&m);
}
END_TEST

static char *completed(const char *content)
{
	const struct smtp_settings settings = { .hostname = TMAIL_STR("mx.test") };
	struct message *m = message_of(content);
	char *copy;

	trace_header_end(m);
	trace_complete(m, &settings);
	ck_assert_uint_le(m->header_length, m->data.len);
	ck_assert_int_eq(strncmp(m->data.data + m->header_length - 2, "\r\n", 2), 0);
	copy = str_dup_c(buf_str(&m->data));
	message_free(&m);
	return copy;
}

START_TEST(what_our_own_clients_forgot_is_added_and_nothing_else)
{
	char *all = completed("Subject: x\r\n\r\nbody\r\n");
	ck_assert_str_eq(all,
		"Subject: x\r\nMessage-ID: <0000000000000g000000000002@mx.test>\r\n"
		"Date: Mon, 21 Sep 2026 14:13:20 +0000\r\n\r\nbody\r\n");
	free(all);
	all = completed("message-id: <1@2>\r\nDATE: today\r\n\r\nbody\r\n");
	ck_assert_str_eq(all, "message-id: <1@2>\r\nDATE: today\r\n\r\nbody\r\n");
	free(all);
	all = completed("body without a header\r\n");
	ck_assert_ptr_nonnull(strstr(all, "+0000\r\n\r\nbody without a header\r\n"));
	ck_assert_int_eq(strncmp(all, "Message-ID: <", 13), 0);
	free(all);
}
END_TEST

TEST_MAIN("smtp/trace", a_header_has_an_empty_line_at_its_end, hops_are_counted_in_the_header_alone,
	what_our_own_clients_forgot_is_added_and_nothing_else)
