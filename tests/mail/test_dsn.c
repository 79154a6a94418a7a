/* SPDX-License-Identifier: MIT
 *
 * Reports are written, taken apart again by report.h, and their pieces compared.
 */
#include "mail/dsn.h"

#include "tests/mail/expect.h"
#include "tests/mail/report.h"

static const int64_t sunday = 1795341600 * INT64_C(1000000);
#define SUNDAY "Sun, 22 Nov 2026 10:00:00 +0000"
#define LATER "Sun, 22 Nov 2026 11:00:00 +0000"

static struct dsn_recipient failed(void)
{
	return (struct dsn_recipient){
		.address = STR("nosuch@far.example"),
		.original = STR("rfc822;alias@here.example"),
		.action = DSN_FAILED,
		.status = "5.1.1",
		.host = STR("mx.far.example"),
		.diagnostic = STR("550-5.1.1 no such user\n550 5.1.1 here"),
		.last_attempt = sunday,
		.will_retry_until = sunday,
	};
}

static struct dsn report_of(const struct dsn_recipient *recipients, size_t count)
{
	return (struct dsn){
		.reporting_mta = STR("mx.example"),
		.envid = STR("QQ314159"),
		.to = STR("sender@here.example"),
		.from = STR("MAILER-DAEMON@mx.example"),
		.message_id = STR("1@mx.example"),
		.queue_id = STR("06a1b2c3"),
		.date = sunday,
		.arrival = sunday,
		.recipients = recipients,
		.count = count,
		.text = STR("Hello,\n\nit did not work.\n"),
		.message = STR("From: a@b\r\nSubject: x\r\n\r\nbody\r\n"),
		.whole = true,
	};
}

/* Writes it, and takes it apart again. The report points into *out. */
static void write_and_read(
	const struct dsn *dsn, struct buf *out, struct report *report, struct arena *arena)
{
	buf_clear(out);
	dsn_write(out, dsn);
	ck_assert_msg(report_read(buf_str(out), report, arena), "%s", buf_c(out));
}

static void expect_field(struct str header, const char *name, struct str want, struct arena *arena)
{
	expect_str(str_c(name), report_field(header, name, arena), want);
}

START_TEST(a_failure_is_told_to_people_and_programs)
{
	struct arena *arena = arena_new(4096);
	const struct dsn_recipient recipient = failed();
	struct dsn dsn = report_of(&recipient, 1);
	struct buf out = { 0 };
	struct report report;
	struct str group;

	write_and_read(&dsn, &out, &report, arena);
	expect_field(report.header, "Date", STR(SUNDAY), arena);
	expect_field(report.header, "From", STR("Mail Delivery System <MAILER-DAEMON@mx.example>"),
		arena);
	expect_field(report.header, "To", STR("sender@here.example"), arena);
	expect_field(report.header, "Subject", STR("Undelivered mail returned to sender"), arena);
	expect_field(report.header, "Message-ID", STR("<1@mx.example>"), arena);
	expect_field(report.header, "Auto-Submitted", STR("auto-replied"), arena);
	expect_field(report.header, "MIME-Version", STR("1.0"), arena);
	ck_assert(str_starts(report_field(report.header, "Content-Type", arena),
		STR("multipart/report; report-type=delivery-status;")));

	expect_field(
		report.text.header, "Content-Type", STR("text/plain; charset=us-ascii"), arena);
	expect_field(report.text.header, "Content-Transfer-Encoding", STR(""), arena);
	expect_str(STR("text"), report.text.body, STR("Hello,\r\n\r\nit did not work.\r\n"));

	expect_field(report.status.header, "Content-Type", STR("message/delivery-status"), arena);
	group = report_group(&report, 0);
	expect_field(group, "Original-Envelope-Id", STR("QQ314159"), arena);
	expect_field(group, "Reporting-MTA", STR("dns; mx.example"), arena);
	expect_field(group, "X-Tmail-Queue-ID", STR("06a1b2c3"), arena);
	expect_field(group, "Arrival-Date", STR(SUNDAY), arena);
	group = report_group(&report, 1);
	expect_field(group, "Original-Recipient", STR("rfc822; alias@here.example"), arena);
	expect_field(group, "Final-Recipient", STR("rfc822; nosuch@far.example"), arena);
	expect_field(group, "Action", STR("failed"), arena);
	expect_field(group, "Status", STR("5.1.1"), arena);
	expect_field(group, "Remote-MTA", STR("dns; mx.far.example"), arena);
	expect_field(group, "Diagnostic-Code", STR("smtp; 550-5.1.1 no such user 550 5.1.1 here"),
		arena);
	expect_field(group, "Last-Attempt-Date", STR(SUNDAY), arena);
	ck_assert_uint_eq(header_count(group, STR("Will-Retry-Until")), 0);
	ck_assert_uint_eq(report_group(&report, 2).len, 0);

	expect_field(report.returned.header, "Content-Type", STR("message/rfc822"), arena);
	expect_str(STR("message"), report.returned.body, dsn.message);
	buf_free(&out);
	arena_free(&arena);
}
END_TEST

START_TEST(each_action_has_its_word_status_and_subject)
{
	static const struct {
		enum dsn_action action;
		const char *status;
		struct str word, status_want, subject;
	} cases[] = {
		{ DSN_FAILED, "", STR_INIT("failed"), STR_INIT("5.0.0"),
			STR_INIT("Undelivered mail returned to sender") },
		{ DSN_FAILED, "4.4.7", STR_INIT("failed"), STR_INIT("4.4.7"),
			STR_INIT("Undelivered mail returned to sender") },
		{ DSN_FAILED, "2.0.0", STR_INIT("failed"), STR_INIT("5.0.0"),
			STR_INIT("Undelivered mail returned to sender") },
		{ DSN_DELAYED, "4.4.1", STR_INIT("delayed"), STR_INIT("4.4.1"),
			STR_INIT("Delayed mail: delivery is tried again") },
		{ DSN_DELAYED, "nonsense", STR_INIT("delayed"), STR_INIT("4.0.0"),
			STR_INIT("Delayed mail: delivery is tried again") },
		{ DSN_DELIVERED, "2.1.5", STR_INIT("delivered"), STR_INIT("2.1.5"),
			STR_INIT("Mail was delivered") },
		{ DSN_RELAYED, "", STR_INIT("relayed"), STR_INIT("2.0.0"),
			STR_INIT("Mail was relayed") },
		{ DSN_EXPANDED, "5.1.1", STR_INIT("expanded"), STR_INIT("2.0.0"),
			STR_INIT("Mail was delivered to a list") },
	};
	struct arena *arena = arena_new(4096);
	struct buf out = { 0 };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct dsn_recipient recipient = failed();
		struct dsn dsn = report_of(&recipient, 1);
		struct report report;
		struct str group;

		recipient.action = cases[i].action;
		memset(recipient.status, 0, sizeof recipient.status);
		memcpy(recipient.status, cases[i].status, strlen(cases[i].status));
		recipient.will_retry_until = sunday + 3600 * INT64_C(1000000);
		write_and_read(&dsn, &out, &report, arena);
		group = report_group(&report, 1);
		expect_field(group, "Action", cases[i].word, arena);
		expect_field(group, "Status", cases[i].status_want, arena);
		expect_field(report.header, "Subject", cases[i].subject, arena);
		expect_field(group, "Will-Retry-Until",
			cases[i].action == DSN_DELAYED ? STR(LATER) : STR(""), arena);
	}
	buf_free(&out);
	arena_free(&arena);
}
END_TEST

START_TEST(every_recipient_has_a_group_of_its_own)
{
	struct arena *arena = arena_new(4096);
	struct dsn_recipient recipients[3] = { failed(), failed(), failed() };
	struct dsn dsn = report_of(recipients, 3);
	struct buf out = { 0 };
	struct report report;

	recipients[1] = (struct dsn_recipient){ .address = STR("b@c"), .action = DSN_DELIVERED };
	write_and_read(&dsn, &out, &report, arena);
	expect_field(report.header, "Subject", STR("Mail delivery report"), arena);
	expect_field(report_group(&report, 2), "Final-Recipient", STR("rfc822; b@c"), arena);
	for (size_t i = 0; i < 4; i++)
		ck_assert_uint_gt(report_group(&report, i).len, 0);
	ck_assert_uint_eq(report_group(&report, 4).len, 0);
	/* What is not known is left out. */
	expect_field(report_group(&report, 2), "Original-Recipient", STR(""), arena);
	expect_field(report_group(&report, 2), "Remote-MTA", STR(""), arena);
	expect_field(report_group(&report, 2), "Diagnostic-Code", STR(""), arena);
	expect_field(report_group(&report, 2), "Last-Attempt-Date", STR(""), arena);
	buf_free(&out);
	arena_free(&arena);
}
END_TEST

START_TEST(a_subject_of_ones_own_is_one_field_of_ascii)
{
	static const struct {
		struct str subject, want;
	} cases[] = {
		{ STR_INIT("Sorry"), STR_INIT("Sorry") },
		{ STR_INIT("a\r\nBcc: b"), STR_INIT("a Bcc: b") },
		{ STR_INIT("\xc3\x89"
			   "chec"),
			STR_INIT("=?utf-8?B?w4ljaGVj?=") },
		{ STR_INIT("\xff"), STR_INIT("?") },
		{ STR_INIT(
			  "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"
			  "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"
			  "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"),
			STR_INIT(
				"=?utf-8?B?w7zDvMO8w7zDvMO8w7zDvMO8w7zDvMO8w7zDvMO8w7zDvMO8w7zDvMO8"
				"w7w=?= =?utf-8?B?w7w=?=") },
	};
	struct arena *arena = arena_new(4096);
	const struct dsn_recipient recipient = failed();
	struct dsn dsn = report_of(&recipient, 1);
	struct buf out = { 0 };
	struct report report;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		dsn.subject = cases[i].subject;
		write_and_read(&dsn, &out, &report, arena);
		expect_field(report.header, "Subject", cases[i].want, arena);
		ck_assert_uint_eq(header_count(report.header, STR("Bcc")), 0);
	}
	buf_free(&out);
	arena_free(&arena);
}
END_TEST

START_TEST(eight_bit_in_a_part_is_said_on_top)
{
	struct arena *arena = arena_new(4096);
	const struct dsn_recipient recipient = failed();
	struct buf out = { 0 };
	struct report report;

	for (unsigned i = 0; i < 4; i++) {
		struct dsn dsn = report_of(&recipient, 1);

		if (i == 1)
			dsn.text = STR("d\xc3\xa9sol\xc3\xa9");
		if (i == 2)
			dsn.message = STR("Subject: \xe9\r\n\r\n");
		dsn.utf8 = i == 3;
		write_and_read(&dsn, &out, &report, arena);
		expect_field(report.header, "Content-Transfer-Encoding",
			i > 0 ? STR("8bit") : STR(""), arena);
	}
	buf_free(&out);
	arena_free(&arena);
}
END_TEST

START_TEST(only_a_reply_is_a_diagnostic_of_smtp)
{
	static const struct {
		const char *said, *want;
	} cases[] = {
		{ "554 5.7.1 no", "smtp; 554 5.7.1 no" },
		{ "host far.example not found", "x-tmail; host far.example not found" },
		{ "554", "x-tmail; 554" },
		{ "55x no", "x-tmail; 55x no" },
		{ "1000 tries", "x-tmail; 1000 tries" },
	};
	struct arena *arena = arena_new(4096);
	struct buf out = { 0 };
	struct report report;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct dsn_recipient recipient = failed();
		struct dsn dsn = report_of(&recipient, 1);

		recipient.diagnostic = str_c(cases[i].said);
		write_and_read(&dsn, &out, &report, arena);
		expect_field(
			report_group(&report, 1), "Diagnostic-Code", str_c(cases[i].want), arena);
	}
	buf_free(&out);
	arena_free(&arena);
}
END_TEST

START_TEST(a_header_may_be_returned_in_place_of_the_message)
{
	struct arena *arena = arena_new(4096);
	const struct dsn_recipient recipient = failed();
	struct dsn dsn = report_of(&recipient, 1);
	struct buf out = { 0 };
	struct report report;

	dsn.whole = false;
	dsn.message = STR("From: a@b\r\nSubject: \xc3\xbc");
	write_and_read(&dsn, &out, &report, arena);
	expect_field(report.returned.header, "Content-Type", STR("text/rfc822-headers"), arena);
	expect_field(report.returned.header, "Content-Transfer-Encoding", STR("8bit"), arena);
	expect_str(STR("header"), report.returned.body, STR("From: a@b\r\nSubject: \xc3\xbc\r\n"));
	dsn.message = STR("");
	write_and_read(&dsn, &out, &report, arena);
	expect_str(STR("nothing"), report.returned.body, STR(""));
	buf_free(&out);
	arena_free(&arena);
}
END_TEST

START_TEST(addresses_beyond_ascii_have_a_type_of_their_own)
{
	struct arena *arena = arena_new(4096);
	struct dsn_recipient recipient = failed();
	struct dsn dsn = report_of(&recipient, 1);
	struct buf out = { 0 };
	struct report report;

	recipient.address = STR("\xce\xb4+\\=\xf0\x9f\x93\xa7@far.example");
	recipient.original = STR("utf-8;\xce\xb4@here.example");
	dsn.to = STR("\xce\xb4@here.example");
	dsn.utf8 = true;
	write_and_read(&dsn, &out, &report, arena);
	ck_assert(str_starts(report_field(report.header, "Content-Type", arena),
		STR("multipart/report; report-type=global-delivery-status;")));
	expect_field(report.header, "To", dsn.to, arena);
	expect_field(
		report.status.header, "Content-Type", STR("message/global-delivery-status"), arena);
	expect_field(report.status.header, "Content-Transfer-Encoding", STR("8bit"), arena);
	expect_field(report.returned.header, "Content-Type", STR("message/global"), arena);
	expect_field(report_group(&report, 1), "Final-Recipient",
		STR("utf-8; \xce\xb4+\\=\xf0\x9f\x93\xa7@far.example"), arena);
	expect_field(report_group(&report, 1), "Original-Recipient",
		STR("utf-8; \xce\xb4@here.example"), arena);
	dsn.whole = false;
	write_and_read(&dsn, &out, &report, arena);
	expect_field(report.returned.header, "Content-Type", STR("message/global-headers"), arena);

	/* To a sender who may not take UTF-8 they are escaped. */
	dsn.utf8 = false;
	write_and_read(&dsn, &out, &report, arena);
	expect_field(report_group(&report, 1), "Final-Recipient",
		STR("utf-8; \\x{3B4}\\x{2B}\\x{5C}\\x{3D}\\x{1F4E7}@far.example"), arena);
	ck_assert(ascii_only(report.status.body) && ascii_only(report.header));
	buf_free(&out);
	arena_free(&arena);
}
END_TEST

START_TEST(what_strangers_said_stays_where_it_belongs)
{
	struct arena *arena = arena_new(4096);
	struct dsn_recipient recipient = failed();
	struct dsn dsn = report_of(&recipient, 1);
	struct buf out = { 0 };
	struct report report;
	struct str group;

	recipient.diagnostic = STR("550 no\r\n\r\nAction: delivered\n\n--b\0\xff\xce\xb4\x1b[2J");
	recipient.host = STR("mx\r\nX-Evil: y");
	recipient.original = STR("rfc822;a\r\nAction: delivered");
	dsn.envid = STR("x\ny");
	dsn.to = STR("a@b\r\nBcc: c@d");
	dsn.text = STR("r\xc3\xa9sum\xc3\xa9 \xff\x1b[2J\r\na\rb\0c");
	dsn.message = STR("A: b\nC: d\r\n\nbody\rbare\0nul");
	write_and_read(&dsn, &out, &report, arena);
	ck_assert_uint_eq(header_count(report.header, STR("Bcc")), 0);
	group = report_group(&report, 1);
	ck_assert_uint_eq(header_count(group, STR("Action")), 1);
	ck_assert_uint_eq(header_count(group, STR("X-Evil")), 0);
	ck_assert_uint_eq(header_count(report_group(&report, 0), STR("y")), 0);
	ck_assert_uint_eq(report_group(&report, 2).len, 0);
	expect_field(group, "Diagnostic-Code",
		STR("smtp; 550 no Action: delivered --b?"
		    "??"
		    "??[2J"),
		arena);
	expect_field(report.text.header, "Content-Type", STR("text/plain; charset=utf-8"), arena);
	expect_field(report.text.header, "Content-Transfer-Encoding", STR("8bit"), arena);
	expect_str(STR("text"), report.text.body,
		STR("r\xc3\xa9sum\xc3\xa9 ?"
		    "?[2J\r\na?b?c\r\n"));
	expect_str(
		STR("message"), report.returned.body, STR("A: b\r\nC: d\r\n\r\nbody?bare?nul\r\n"));
	buf_free(&out);
	arena_free(&arena);
}
END_TEST

START_TEST(a_message_that_knows_the_boundary_does_not_end_its_part)
{
	struct arena *arena = arena_new(4096);
	const struct dsn_recipient recipient = failed();
	struct dsn dsn = report_of(&recipient, 1);
	struct buf first = { 0 }, second = { 0 }, out = { 0 };
	struct report report;

	/* The report of a report of a report, all with one Message-ID. */
	dsn_write(&first, &dsn);
	dsn.message = buf_str(&first);
	write_and_read(&dsn, &second, &report, arena);
	expect_str(STR("first"), report.returned.body, buf_str(&first));
	dsn.message = buf_str(&second);
	dsn.text = buf_str(&first);
	write_and_read(&dsn, &out, &report, arena);
	expect_str(STR("second"), report.returned.body, buf_str(&second));
	expect_str(STR("text"), report.text.body, buf_str(&first));
	buf_free(&first);
	buf_free(&second);
	buf_free(&out);
	arena_free(&arena);
}
END_TEST

START_TEST(long_lines_are_broken_so_that_a_header_stays_one)
{
	struct arena *arena = arena_new(4096);
	const struct dsn_recipient recipient = failed();
	struct dsn dsn = report_of(&recipient, 1);
	struct buf message = { 0 }, out = { 0 };
	struct header_field field;
	struct report report;

	buf_add_c(&message, "X-Long: ");
	for (int i = 0; i < 3000; i++)
		buf_add_c(&message, "\xc3\xbc");
	buf_add_c(&message, "\r\nX-Blank: ");
	for (int i = 0; i < 300; i++)
		buf_add_c(&message, "word word ");
	buf_add_c(&message, "\r\nX-Last: y\r\n\r\n");
	dsn.message = buf_str(&message);
	dsn.text = dsn.to = buf_str(&message);
	write_and_read(&dsn, &out, &report, arena);
	ck_assert(utf8_valid(report.returned.body));
	ck_assert(header_find(report.returned.body, STR("X-Last"), 0, &field));
	ck_assert(header_find(report.returned.body, STR("X-Blank"), 0, &field));
	/* Broken at its blanks it unfolds to what it was. */
	expect_str(STR("X-Blank"), report_field(report.returned.body, "X-Blank", arena),
		report_field(dsn.message, "X-Blank", arena));
	ck_assert_uint_eq(header_end(report.returned.body), report.returned.body.len);
	buf_free(&message);
	buf_free(&out);
	arena_free(&arena);
}
END_TEST

TEST_MAIN("mail/dsn", a_failure_is_told_to_people_and_programs,
	each_action_has_its_word_status_and_subject, every_recipient_has_a_group_of_its_own,
	a_subject_of_ones_own_is_one_field_of_ascii, eight_bit_in_a_part_is_said_on_top,
	only_a_reply_is_a_diagnostic_of_smtp, a_header_may_be_returned_in_place_of_the_message,
	addresses_beyond_ascii_have_a_type_of_their_own, what_strangers_said_stays_where_it_belongs,
	a_message_that_knows_the_boundary_does_not_end_its_part,
	long_lines_are_broken_so_that_a_header_stays_one)
