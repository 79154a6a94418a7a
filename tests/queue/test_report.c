/* SPDX-License-Identifier: MIT
 *
 * Reports as messages: their words for people from a template, and what programs are told.
 */
#include "queue/report.h"

#include "sys/file.h"
#include "tests/lib/test.h"

static const struct queue_settings usual = {
	.hostname = TMAIL_STR("me.example"), .lifetime = 3600000, .bounce_size = 1000
};
static const int64_t sunday = 1795341600 * INT64_C(1000000);

#define FAILED(address_)                                                                           \
	{                                                                                          \
		.address = STR_INIT(address_), .host = STR_INIT("mx.far[192.0.2.9]:25"),           \
		.reply = STR_INIT("550 5.1.1 no\nnot here"), .status = "5.1.1"                     \
	}
static const struct report_recipient one[] = { FAILED("a@far.example") };
static const struct report_recipient two[] = { FAILED("a@far.example"), FAILED("b@far.example") };

static struct message *original(const char *sender)
{
	struct message *m = message_new((struct id){ .hi = 1, .lo = 2 }, sunday);

	m->envelope.sender = tm_str(arena_str(m->arena, str_c(sender)));
	return m;
}

#define ORIGINAL "Subject: x\r\n\r\nhello\r\n"

/* The report about these, as a string that lives until the next. */
static const char *made(const struct queue_settings *settings, enum recipient_report kind,
	const struct report_recipient *recipients, size_t count)
{
	static char text[8192];
	struct message *about = original("s@x.org"), *m;
	struct report r = { .kind = kind,
		.about = about,
		.recipients = recipients,
		.count = count,
		.content = STR(ORIGINAL),
		.whole = kind == REPORT_FAILED };

	m = report_make(&r, settings);
	ck_assert_uint_eq(m->envelope.sender.len, 0);
	ck_assert_uint_eq(m->recipient_count, 1);
	ck_assert(str_equal(str_tm(m->recipients[0].address), STR("s@x.org")));
	ck_assert_uint_eq(m->recipients[0].notify, TMAIL_NOTIFY_NEVER);
	snprintf(text, sizeof text, "%.*s", STR_ARG(buf_str(&m->data)));
	message_free(&m);
	message_free(&about);
	return text;
}

static void expect_in(const char *text, const char *part)
{
	ck_assert_msg(strstr(text, part) != NULL, "no '%s' in\n%s", part, text);
}

static void expect_not_in(const char *text, const char *part)
{
	ck_assert_msg(strstr(text, part) == NULL, "'%s' in\n%s", part, text);
}

START_TEST(each_kind_has_words_of_its_own)
{
	static const struct {
		enum recipient_report kind;
		const char *words, *action, *subject, *status;
	} cases[] = {
		{ REPORT_FAILED, "I've given up.\r\n", "failed", "Undelivered", "5.1.1" },
		{ REPORT_DELAYED, "I'll keep trying until\r\nSun, 22 Nov 2026 11:00:00 +0000.",
			"delayed", "Delayed", "4.0.0" },
		{ REPORT_DELIVERED, "was delivered to the following", "delivered",
			"Mail was delivered", "2.0.0" },
		{ REPORT_RELAYED, "doesn't report whether it arrived", "relayed",
			"Mail was relayed", "2.0.0" },
	};
	char line[80];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *text = made(&usual, cases[i].kind, one, 1);

		expect_in(text, cases[i].words);
		snprintf(line, sizeof line, "Action: %s\r\nStatus: %s\r\n", cases[i].action,
			cases[i].status);
		expect_in(text, line);
		expect_in(text, cases[i].subject);
		expect_in(text, "this is the tmail deliverd program at me.example" + 4);
		expect_in(text,
			cases[i].kind == REPORT_FAILED ? "a copy of the message.\r\n"
						       : "a copy of the message's header.\r\n");
		if (cases[i].kind == REPORT_DELAYED)
			expect_in(text, "Will-Retry-Until: Sun, 22 Nov 2026 11:00:00 +0000\r\n");
		else
			expect_not_in(text, "Will-Retry-Until");
		ck_assert_int_eq(strstr(text, "hello") != NULL, cases[i].kind == REPORT_FAILED);
	}
}
END_TEST

START_TEST(the_others_words_stand_apart_from_ours)
{
	const char *text = made(&usual, REPORT_FAILED, two, 2);

	expect_in(text,
		"<a@far.example>:\r\nmx.far[192.0.2.9]:25 said: 550 5.1.1 no\r\n"
		"    not here\r\n\r\n<b@far.example>:\r\n");
	expect_in(text, "Diagnostic-Code: smtp; 550 5.1.1 no\r\n not here\r\n");
}
END_TEST

START_TEST(only_those_that_expired_are_said_to_have)
{
	struct report_recipient mixed[] = { FAILED("a@far.example"), FAILED("b@far.example") };
	const char *text, *too_long = "in the queue for too long.\r\n", *at;

	mixed[1].expired = true;
	text = made(&usual, REPORT_FAILED, mixed, 2);
	at = strstr(text, too_long);
	ck_assert_ptr_nonnull(at);
	ck_assert_ptr_null(strstr(at + 1, too_long));
	ck_assert(at > strstr(text, "<b@far.example>:"));
}
END_TEST

START_TEST(a_remote_mta_is_a_name_or_a_literal)
{
	static const struct {
		const char *host, *field;
	} cases[] = {
		{ "mx.far.example[192.0.2.9]:25", "Remote-MTA: dns; mx.far.example\r\n" },
		{ "mx.far.example", "Remote-MTA: dns; mx.far.example\r\n" },
		{ "192.0.2.9[192.0.2.9]:25", "Remote-MTA: dns; [192.0.2.9]\r\n" },
		{ "[2001:db8::1][[2001:db8::1]:25]", "Remote-MTA: dns; [IPv6:2001:db8::1]\r\n" },
		{ "2001:db8::1[[2001:db8::1]:25]", "Remote-MTA: dns; [IPv6:2001:db8::1]\r\n" },
		{ "/run/lmtp[/run/lmtp]", NULL },
		{ "", NULL },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct report_recipient r = one[0];
		const char *text;

		r.host = str_c(cases[i].host);
		text = made(&usual, REPORT_FAILED, &r, 1);
		if (cases[i].field)
			expect_in(text, cases[i].field);
		else
			expect_not_in(text, "Remote-MTA");
	}
}
END_TEST

START_TEST(a_template_has_the_words_of_each_kind)
{
	struct queue_settings s = usual;
	const char *text;

	s.template_text = (struct tmail_str)TMAIL_STR(
		"[failure]\nSubject: D\xc3\xa9sol\xc3\xa9, ${me}\n\n"
		"${sender} ${id}\n${recipients}\n[success]\nTo: nobody is told\nYes: ${me}.\n");
	text = made(&s, REPORT_FAILED, one, 1);
	expect_in(text, "Subject: =?utf-8?B?RMOpc29sw6ksIG1lLmV4YW1wbGU=?=\r\n");
	expect_in(text, "\r\n\r\ns@x.org ");
	expect_in(text, "\r\n<a@far.example>:\r\n");
	expect_not_in(text, "given up");
	/* What only looks like a header is text; a kind that is not there has our words. */
	expect_in(made(&s, REPORT_DELIVERED, one, 1), "To: nobody is told\r\nYes: me.example.\r\n");
	expect_in(made(&s, REPORT_DELAYED, one, 1), "This is only a warning");
}
END_TEST

START_TEST(the_first_tmails_template_means_what_it_did)
{
	static const struct tmail_str theirs = TMAIL_STR(
		"Date: {{.Date}}\nFrom: MAILER-DAEMON@{{.Me}}\nTo: {{.RcptTo}}\n"
		"Subject: failure notice\n\nHi. This is the tmail deliverd program at {{.Me}}\n\n"
		"<{{.OriRcptTo}}>:\n{{.ErrMsg}}\n\n"
		"--- Below this line is a copy of the message.\n\n{{.BouncedMail}}\n");
	struct queue_settings s = usual;
	const char *text;
	struct why why;

	ck_assert_msg(template_check(str_tm(theirs), &report_words, &why), "%s", why.text);
	s.template_text = theirs;
	text = made(&s, REPORT_FAILED, one, 1);
	expect_in(text, "Subject: failure notice\r\n");
	expect_in(text,
		"\r\n\r\nHi. This is the tmail deliverd program at me.example\r\n\r\n"
		"<a@far.example>:\r\nmx.far[192.0.2.9]:25 said: 550 5.1.1 no\r\n"
		"    not here\r\n");
	expect_not_in(text, "{{");
	text = made(&s, REPORT_FAILED, two, 2);
	expect_in(text,
		"<a@far.example, b@far.example>:\r\n"
		"a@far.example: mx.far[192.0.2.9]:25 said: 550 5.1.1 no\r\n");
	expect_in(text, "\r\nb@far.example: mx.far");
}
END_TEST

START_TEST(the_template_that_is_shipped_is_the_one_built_in)
{
	const char *top = getenv("srcdir");
	char path[512];
	struct buf text = { 0 };
	struct why why;

	snprintf(path, sizeof path, "%s/packaging/bounce.tpl", top ? top : ".");
	ck_assert_msg(file_read(path, 65536, &text, &why), "%s", why.text);
	ck_assert(str_equal(buf_str(&text), report_template));
	ck_assert_msg(template_check(report_template, &report_words, &why), "%s", why.text);
	buf_free(&text);
}
END_TEST

START_TEST(utf8_is_for_senders_who_can_read_it)
{
	static const struct {
		const char *sender, *recipient, *original, *content;
		bool said, global, needed;
	} cases[] = {
		{ "s@x.org", "a@b", "", ORIGINAL, true, false, false },
		{ "s@x.org", "\xc3\xa9@b", "", ORIGINAL, true, true, false },
		{ "s@x.org", "a@b", "utf-8;\xc3\xa9@b", ORIGINAL, true, true, false },
		{ "s@x.org", "a@b", "utf-8;\xc3\xa9@b", ORIGINAL, false, false, false },
		{ "s@x.org", "a@b", "", "Subject: \xc3\xa9\r\n\r\n", true, true, false },
		{ "s@x.org", "a@b", "", "Subject: \xc3\xa9\r\n\r\n", false, false, false },
		{ "s@x.org", "a@b", "", "Subject: e\r\n\r\n\xc3\xa9\r\n", true, false, false },
		{ "\xc3\xa9@x.org", "a@b", "", ORIGINAL, true, true, true },
		{ "s@\xc3\xa9.org", "a@b", "", ORIGINAL, true, false, false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct message *about = original(cases[i].sender), *m;
		struct report_recipient to = { .address = str_c(cases[i].recipient),
			.original = str_c(cases[i].original) };
		struct report r = { .kind = REPORT_FAILED,
			.about = about,
			.recipients = &to,
			.count = 1,
			.content = str_c(cases[i].content),
			.whole = true };
		const char *text;

		about->envelope.smtputf8 = cases[i].said;
		m = report_make(&r, &usual);
		text = buf_c(&m->data);
		ck_assert_uint_eq(m->envelope.smtputf8, cases[i].needed);
		if (cases[i].global)
			expect_in(text, "Content-Type: message/global-delivery-status\r\n");
		else
			expect_in(text, "Content-Type: message/delivery-status\r\n");
		if (cases[i].original[0] && !cases[i].global)
			expect_in(text, "Original-Recipient: utf-8; \\x{E9}@b\r\n");
		if (str_starts(str_c(cases[i].sender), STR("s@\xc3")))
			expect_in(text, "\r\nTo: s@xn--9ca.org\r\n");
		message_free(&m);
		message_free(&about);
	}
}
END_TEST

START_TEST(how_much_of_the_original_is_returned)
{
	static const struct {
		enum recipient_report kind;
		uint32_t ret;
		uint64_t size, wants;
		bool whole;
	} cases[] = {
		{ REPORT_FAILED, TMAIL_RET_NONE, 1000, 1000, true },
		{ REPORT_FAILED, TMAIL_RET_FULL, 1000, 1000, true },
		{ REPORT_FAILED, TMAIL_RET_FULL, 1001, 1001, false },
		{ REPORT_FAILED, TMAIL_RET_HDRS, 1000, 1000, false },
		{ REPORT_FAILED, TMAIL_RET_NONE, 1 << 20, 65536, false },
		/* RET is about failures (RFC 3461 4.3). */
		{ REPORT_DELAYED, TMAIL_RET_FULL, 10, 10, false },
		{ REPORT_RELAYED, TMAIL_RET_FULL, 10, 10, false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct message *m = original("s@x.org");
		bool whole;

		m->envelope.ret = cases[i].ret;
		ck_assert_uint_eq(report_wants(m, cases[i].size, cases[i].kind, &usual, &whole),
			cases[i].wants);
		ck_assert_int_eq(whole, cases[i].whole);
		message_free(&m);
	}
}
END_TEST

TEST_MAIN("queue/report", each_kind_has_words_of_its_own, the_others_words_stand_apart_from_ours,
	only_those_that_expired_are_said_to_have, a_remote_mta_is_a_name_or_a_literal,
	a_template_has_the_words_of_each_kind, the_first_tmails_template_means_what_it_did,
	the_template_that_is_shipped_is_the_one_built_in, utf8_is_for_senders_who_can_read_it,
	how_much_of_the_original_is_returned)
