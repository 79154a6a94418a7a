/* SPDX-License-Identifier: MIT
 *
 * Looking at the queue: list, count, show.
 */
#include "tests/admin/queued.h"

#define LIST "columns id|from|to|status|added|next_delivery|attempts:int|reason\n"

/* Three messages: one waits, of the second one recipient was tried, the third is held. */
static void begin(void)
{
	queued_begin();
	queued_add(1, "s@x.org", "a@one.org", 180);
	queued_add(2, "", "a@one.org b@two.org", 90);
	queued_defer(2, 90, 1, "mx.two.org[192.0.2.2:25]: 450 4.2.1 busy");
	queued_add(3, "t@y.org", "c@three.org", 5);
	queued_write(&(struct tmail_queue_op){ .change = TMAIL_QUEUE_HOLD,
		.id = { (uint64_t)(NOON - 5 * MINUTES), 3 },
		.reply = TMAIL_STR("look at it") });
}

START_TEST(every_recipient_has_a_row_oldest_first)
{
	char text[1000];

	begin();
	snprintf(text, sizeof text,
		LIST "row %s|s@x.org|a@one.org|Scheduled|2026-01-31T09:00:00Z|2026-01-31T09:00:00Z|"
		     "0|(none)\n"
		     "row %s|<>|a@one.org|Scheduled|2026-01-31T10:30:00Z|2026-01-31T10:30:00Z|0|"
		     "(none)\n"
		     "row %s|<>|b@two.org|Scheduled|2026-01-31T10:30:00Z|2026-01-31T12:10:00Z|3|"
		     "mx.two.org[192.0.2.2:25]: 450 4.2.1 busy\n"
		     "row %s|t@y.org|c@three.org|Held|2026-01-31T11:55:00Z|(none)|0|look at it\n",
		queued_id(1, 180), queued_id(2, 90), queued_id(2, 90), queued_id(3, 5));
	ck_assert_str_eq(printed("queue list", VERB_OK), text);
	queued_end();
}
END_TEST

/* Numbers of the messages whose recipients were listed. */
static const char *listed(const char *line)
{
	static char found[100];
	struct str rest, row;
	size_t n = 0;

	printed(line, VERB_OK);
	rest = buf_str(&out.text);
	while (str_split(&rest, '\n', &row)) {
		struct id id = { 0, 0 };

		if (str_starts(row, STR("row ")) && id_parse(str_slice(row, 4, ID_TEXT), &id))
			n += (size_t)snprintf(
				found + n, sizeof found - n, "%u", (unsigned)(id.lo & 7));
	}
	found[n] = '\0';
	return found;
}

START_TEST(filters_leave_rows_out)
{
	static const struct {
		const char *line, *found;
	} cases[] = {
		{ "queue list", "1223" },
		{ "queue list --to @one.org", "12" },
		{ "queue list --to B@TWO.org", "2" },
		{ "queue list --from s@x.org", "1" },
		{ "queue list --from @y.org", "3" },
		{ "queue list --reason 450", "2" },
		{ "queue list --reason MX.two.org", "2" },
		{ "queue list --older 1h", "122" },
		{ "queue list --newer 2h", "223" },
		{ "queue list --older 1h --newer 2h", "22" },
		{ "queue list --held", "3" },
		{ "queue list --state held", "3" },
		{ "queue list --state waiting", "12" },
		{ "queue list --state deferred", "2" },
		{ "queue list --state deferred,held", "23" },
		{ "queue list --state active", "" },
		{ "queue list --to @one.org --older 2h", "1" },
		{ "queue list --limit 1", "1" },
		{ "queue list --limit 2", "122" }, /* a message is not divided */
		{ "queue list --limit 3", "122" },
		{ "queue list --state waiting --limit 1", "1" },
		{ "queue list 00000000000000000000000001", "" },
	};

	begin();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		ck_assert_msg(!strcmp(listed(cases[i].line), cases[i].found), "%s: %s",
			cases[i].line, buf_c(&out.text));
	printed_of(VERB_OK, "queue list %s %s", queued_id(3, 5), queued_id(1, 180));
	ck_assert_str_eq(listed(queued_line), "31");
	queued_end();
}
END_TEST

START_TEST(an_empty_list_is_said_in_words)
{
	queued_begin();
	ck_assert_str_eq(
		printed("queue list", VERB_OK), LIST "say There is no message in queue.\n");
	queued_end();
}
END_TEST

START_TEST(a_filter_that_is_wrong_lists_nothing)
{
	begin();
	ck_assert_str_eq(printed("queue list --older yesterday", VERB_FAILED),
		"fail queue list: --older wants a duration (30m, 2h, 5d), not 'yesterday'\n");
	ck_assert_str_eq(
		printed("queue list x", VERB_FAILED), "fail queue list: 'x' is no message id\n");
	ck_assert_str_eq(printed("queue count --state x", VERB_FAILED),
		"fail queue count: --state wants active, waiting, deferred or held, not 'x'\n");
	queued_end();
}
END_TEST

START_TEST(what_would_be_listed_is_counted)
{
	begin();
	ck_assert_str_eq(printed("queue count", VERB_OK), "columns recipients:int\nrow 4\n");
	ck_assert_str_eq(
		printed("queue count --to @one.org", VERB_OK), "columns recipients:int\nrow 2\n");
	ck_assert_str_eq(
		printed("queue count --limit 1", VERB_OK), "columns recipients:int\nrow 1\n");
	ck_assert_str_eq(printed("queue count --held", VERB_OK), "columns recipients:int\nrow 1\n");
	queued_end();
}
END_TEST

START_TEST(what_would_be_listed_is_counted_in_groups)
{
	begin();
	ck_assert_str_eq(printed("queue count --by state", VERB_OK),
		"columns state|recipients:int|messages:int|oldest\n"
		"row waiting|2|2|2026-01-31T09:00:00Z\n"
		"row deferred|1|1|2026-01-31T10:30:00Z\n"
		"row held|1|1|2026-01-31T11:55:00Z\n");
	ck_assert_str_eq(printed("queue count --by domain --older 1h", VERB_OK),
		"columns domain|recipients:int|messages:int|oldest\n"
		"row one.org|2|2|2026-01-31T09:00:00Z\n"
		"row two.org|1|1|2026-01-31T10:30:00Z\n");
	ck_assert_str_eq(printed("queue count --by reason --state deferred", VERB_OK),
		"columns reason|recipients:int|messages:int|oldest|example\n"
		"row 450 4.2.1|1|1|2026-01-31T10:30:00Z|"
		"mx.two.org[192.0.2.2:25]: 450 4.2.1 busy\n");
	ck_assert_str_eq(printed("queue count --by host --state deferred", VERB_OK),
		"columns host|recipients:int|messages:int|oldest\n"
		"row mx.two.org[192.0.2.2:25]|1|1|2026-01-31T10:30:00Z\n");
	ck_assert_str_eq(printed("queue count --by colour", VERB_FAILED),
		"fail queue count: --by wants state, domain, sender, reason or host, "
		"not 'colour'\n");
	queued_end();
}
END_TEST

START_TEST(a_message_is_shown_with_each_of_its_recipients)
{
	char text[1000];

	begin();
	queued_write(&(struct tmail_queue_op){ .change = TMAIL_QUEUE_OUTCOME,
		.id = { (uint64_t)(NOON - 90 * MINUTES), 2 },
		.fate = TMAIL_FATE_DELIVERED,
		.attempts = 1,
		.reply = TMAIL_STR("mx.one.org[192.0.2.1:25]: 250 2.0.0 Ok") });
	snprintf(text, sizeof text,
		"columns name|value\nrow id|%s\nrow from|<>\nrow added|2026-01-31T10:30:00Z\n"
		"row octets|21\n"
		"columns recipient|status|attempts:int|next_delivery|host|reply\n"
		"row a@one.org|Delivered|1|(none)|mx.one.org[192.0.2.1:25]|250 2.0.0 Ok\n"
		"row b@two.org|Scheduled|3|2026-01-31T12:10:00Z|mx.two.org[192.0.2.2:25]|"
		"450 4.2.1 busy\n",
		queued_id(2, 90));
	ck_assert_str_eq(printed_of(VERB_OK, "queue show %s", queued_id(2, 90)), text);
	ck_assert_ptr_nonnull(strstr(
		printed_of(VERB_OK, "queue show %s", queued_id(3, 5)), "row hold|look at it\n"));
	queued_end();
}
END_TEST

START_TEST(content_is_shown_as_it_is)
{
	begin();
	ck_assert_str_eq(printed_of(VERB_OK, "queue show --content %s", queued_id(1, 180)),
		"columns content\nrow Subject: x\r\n\r\nhello\r\n\n");
	queued_end();
}
END_TEST

START_TEST(what_is_not_there_is_not_shown)
{
	begin();
	ck_assert_str_eq(printed("queue show nonsense", VERB_FAILED),
		"fail queue show: 'nonsense' is no message id\n");
	ck_assert_str_eq(printed("queue show 00000000000000000000000001", VERB_FAILED),
		"fail queue show: there is no such message in the queue\n");
	printed("queue show", VERB_USAGE);
	queued_end();
}
END_TEST

START_TEST(without_a_store_all_of_them_say_so)
{
	static const char *const lines[] = { "queue list", "queue count", "queue count --held",
		"queue count --by state", "queue show 00000000000000000000000001" };
	static const char *const none[] = { NULL };

	command_begin("", none);
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		ck_assert_msg(strstr(printed(lines[i], VERB_FAILED), "no module keeps the queue\n"),
			"%s: %s", lines[i], buf_c(&out.text));
	command_end();
}
END_TEST

TEST_MAIN("admin/verbs_queue", every_recipient_has_a_row_oldest_first, filters_leave_rows_out,
	an_empty_list_is_said_in_words, a_filter_that_is_wrong_lists_nothing,
	what_would_be_listed_is_counted, what_would_be_listed_is_counted_in_groups,
	a_message_is_shown_with_each_of_its_recipients, content_is_shown_as_it_is,
	what_is_not_there_is_not_shown, without_a_store_all_of_them_say_so)
