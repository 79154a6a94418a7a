/* SPDX-License-Identifier: MIT
 *
 * Fates and reports: who is told what, once, and only after it is durable.
 */
#include "tests/queue/house.h"

#include "queue/schedule.h"

static const struct peer_rule refuses[] = { { "RCPT TO:<no", "550 5.1.1 no such user", 0 },
	{ "RCPT TO:<also", "551 5.1.6 moved", 0 }, { "RCPT TO:<late", "450 4.2.1 busy", 0 } };

/* Reports go to x.org, where they are taken; everything else to a server with rules. */
static struct peer *remote, *home;

static void open_with(const char *settings, const struct peer_rule *rules, size_t count)
{
	remote = peer_server(rules, count, 0);
	home = peer_server(NULL, 0, 0);
	house_routes[0] = (struct house_route){ .domain = "x.org", .port = peer_port(home) };
	house_routes[1] = (struct house_route){ .domain = "", .port = peer_port(remote) };
	house_open(settings, HOUSE_ROUTER);
}

static void close_all(void)
{
	house_over();
	peer_end(&remote);
	peer_end(&home);
}

static const char *report(unsigned i)
{
	peer_wait_messages(home, i + 1);
	ck_assert_uint_eq(peer_message(home, i)->sender.len, 0);
	return peer_message(home, i)->content.data;
}

static bool in(const char *text, const char *part)
{
	return strstr(text, part) != NULL;
}

START_TEST(one_report_tells_of_all_that_failed_together)
{
	struct memory_message m;
	const char *text;

	open_with("", refuses, 3);
	house_sends("s@x.org", "no@one.org yes@one.org also@two.org");
	memory_wait_ended(2);
	text = report(0);
	ck_assert_uint_eq(peer_messages(home), 1);
	ck_assert(str_equal(peer_message(home, 0)->recipients, STR("s@x.org")));
	ck_assert(in(text, "From: <MAILER-DAEMON@me.example>\r\n") ||
		in(text, "MAILER-DAEMON@me.example"));
	ck_assert(in(text, "Hi. This is the tmail deliverd program at me.example\r\n"));
	ck_assert(in(text, "<no@one.org>:\r\n"));
	ck_assert(in(text, "<also@two.org>:\r\n"));
	ck_assert(in(text, "550 5.1.1 no such user"));
	ck_assert(in(text, "Final-Recipient: rfc822; no@one.org\r\n") ||
		in(text, "Final-Recipient: rfc822;no@one.org\r\n"));
	ck_assert(in(text, "Status: 5.1.6\r\n"));
	ck_assert(in(text, "Reporting-MTA: dns; me.example\r\n") ||
		in(text, "Reporting-MTA: dns;me.example\r\n"));
	ck_assert(in(text, "message/rfc822"));
	ck_assert(in(text, "Subject: x\r\n\r\nhello\r\n"));
	ck_assert(!in(text, "yes@one.org"));
	ck_assert(memory_message(0, &m));
	ck_assert_uint_eq(m.recipient[0].fate, TMAIL_FATE_BOUNCED);
	ck_assert_uint_eq(m.recipient[1].fate, TMAIL_FATE_DELIVERED);
	ck_assert_str_eq(m.recipient[0].reply, "550 5.1.1 no such user");
	free(m.content);
	close_all();
}
END_TEST

START_TEST(a_report_about_a_report_is_never_made)
{
	open_with("", refuses, 3);
	house_sends("", "no@one.org");
	memory_wait_ended(1);
	ck_assert_uint_eq(memory_adds(), 1);
	/* A report whose own recipient is refused. */
	house_sends("no@two.org", "no@one.org");
	memory_wait_ended(3);
	ck_assert_uint_eq(memory_adds(), 3);
	close_all();
}
END_TEST

START_TEST(large_messages_are_returned_as_their_header)
{
	const char *text;

	open_with("bounce_size = 10;", refuses, 3);
	house_sends("s@x.org", "no@one.org");
	text = report(0);
	ck_assert(in(text, "text/rfc822-headers"));
	ck_assert(in(text, "Subject: x\r\n"));
	ck_assert(!in(text, "hello"));
	close_all();
}
END_TEST

START_TEST(what_the_sender_said_about_reports_is_honoured)
{
	struct message *never = house_message("s@x.org", "no@one.org", STR(HOUSE_CONTENT));
	struct message *header = house_message("s@x.org", "no@one.org", STR(HOUSE_CONTENT));
	const char *text;

	open_with("", refuses, 3);
	never->recipients[0].notify = TMAIL_NOTIFY_NEVER;
	ck_assert_int_eq(house_hand_over(never).result, COMMIT_DURABLE);
	memory_wait_ended(1);
	ck_assert_uint_eq(memory_adds(), 1);
	header->envelope.ret = TMAIL_RET_HDRS;
	header->envelope.envid = tm_str(STR("QQ314"));
	header->recipients[0].notify = TMAIL_NOTIFY_FAILURE;
	header->recipients[0].original = tm_str(STR("rfc822;old@one.org"));
	ck_assert_int_eq(house_hand_over(header).result, COMMIT_DURABLE);
	text = report(0);
	ck_assert(in(text, "Original-Envelope-Id: QQ314\r\n"));
	ck_assert(in(text, "old@one.org"));
	ck_assert(!in(text, "hello"));
	close_all();
}
END_TEST

START_TEST(success_is_reported_where_the_next_server_does_not)
{
	const struct peer_rule plain[] = { { "EHLO", "250 peer", 0 } };
	struct message *m = house_message("s@x.org", "a@one.org b@one.org", STR(HOUSE_CONTENT));
	const char *text;

	open_with("", plain, 1);
	m->recipients[1].notify = TMAIL_NOTIFY_SUCCESS;
	ck_assert_int_eq(house_hand_over(m).result, COMMIT_DURABLE);
	text = report(0);
	ck_assert(in(text, "Action: relayed\r\n"));
	ck_assert(in(text, "b@one.org"));
	ck_assert(!in(text, "a@one.org"));
	close_all();
}
END_TEST

START_TEST(a_message_too_old_is_returned)
{
	const char *text;
	struct memory_message m;
	int64_t before = metric_get(METRIC_expired);

	open_with("retry = [\"20ms\"]; lifetime = \"2d\";", refuses, 3);
	house_sends("s@x.org", "late@one.org");
	memory_wait_fate(0, 0, TMAIL_FATE_DEFERRED);
	house_years = 3LL * 24 * 3600 * 1000000;
	text = report(0);
	ck_assert(in(text, "450 4.2.1 busy"));
	ck_assert(in(text, "this message has been in the queue for too long"));
	memory_wait_fate(0, 0, TMAIL_FATE_EXPIRED);
	ck_assert(memory_message(0, &m));
	ck_assert_uint_ge(m.recipient[0].attempts, 2);
	free(m.content);
	ck_assert_int_eq(metric_get(METRIC_expired) - before, 1);
	close_all();
}
END_TEST

START_TEST(a_report_too_old_is_dropped)
{
	open_with("retry = [\"20ms\"]; lifetime = \"30d\"; bounce_lifetime = \"2d\";", refuses, 3);
	house_sends("", "late@one.org");
	memory_wait_fate(0, 0, TMAIL_FATE_DEFERRED);
	house_years = 3LL * 24 * 3600 * 1000000;
	memory_wait_ended(1);
	ck_assert_uint_eq(memory_adds(), 1);
	close_all();
}
END_TEST

START_TEST(a_late_message_is_told_of_once)
{
	const char *text;

	open_with("retry = [\"1h\"]; delay_warning = \"4h\";", refuses, 3);
	house_sends("s@x.org", "late@one.org");
	for (unsigned i = 0; i < 8; i++) {
		struct memory_message m;

		do {
			memory_wait_fate(0, 0, TMAIL_FATE_DEFERRED);
			ck_assert(memory_message(0, &m));
			free(m.content);
		} while (m.recipient[0].attempts < i + 1);
		house_years += 3600 * 1000000LL + 1;
		schedule_due_at(1);
	}
	text = report(0);
	ck_assert(in(text, "Action: delayed\r\n"));
	ck_assert(in(text, "Will-Retry-Until: "));
	ck_assert_uint_eq(memory_adds(), 2);
	close_all();
}
END_TEST

START_TEST(a_report_that_cannot_be_kept_keeps_the_recipient)
{
	struct memory_message m;

	open_with("", refuses, 3);
	peer_hold(remote);
	house_sends("s@x.org", "no@one.org yes@one.org");
	memory_set(MEMORY_REFUSES); /* the report, not the outcomes */
	peer_let_go(remote);
	memory_wait_fate(0, 0, TMAIL_FATE_DEFERRED);
	ck_assert(memory_message(0, &m));
	ck_assert_str_eq(m.recipient[0].reply, "550 5.1.1 no such user");
	ck_assert(!m.ended);
	free(m.content);
	memory_set(MEMORY_TAKES);
	close_all();
}
END_TEST

START_TEST(a_template_file_takes_the_place_of_the_text)
{
	char path[] = "template-XXXXXX", settings[128];
	const char *text;
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_gt(write(fd, "Bonjour ${sender},\n${recipients}", 32), 0);
	close(fd);
	snprintf(settings, sizeof settings, "bounce_template = \"%s\";", path);
	open_with(settings, refuses, 3);
	house_sends("s@x.org", "no@one.org");
	text = report(0);
	ck_assert(in(text, "Bonjour s@x.org,\r\n<no@one.org>:\r\n"));
	unlink(path);
	close_all();
}
END_TEST

START_TEST(a_recipient_refused_after_data_bounces_without_an_attempt)
{
	struct recipient_verdict verdict = { .index = 1,
		.verdict = TMAIL_REJECT,
		.code = 552,
		.enhanced = "5.2.2",
		.text = STR_INIT("mailbox full") };
	struct message *m = house_message("s@x.org", "a@one.org b@one.org", STR(HOUSE_CONTENT));
	const char *text;

	open_with("", NULL, 0);
	m->relay = true;
	m->refused = &verdict;
	ck_assert_int_eq(house_hand_over(m).result, COMMIT_DURABLE);
	text = report(0);
	ck_assert(in(text, "552 5.2.2 mailbox full"));
	memory_wait_ended(2);
	ck_assert(str_equal(peer_message(remote, 0)->recipients, STR("a@one.org")));
	close_all();
}
END_TEST

TEST_MAIN("queue/bounce", one_report_tells_of_all_that_failed_together,
	a_report_about_a_report_is_never_made, large_messages_are_returned_as_their_header,
	what_the_sender_said_about_reports_is_honoured,
	success_is_reported_where_the_next_server_does_not, a_message_too_old_is_returned,
	a_report_too_old_is_dropped, a_late_message_is_told_of_once,
	a_report_that_cannot_be_kept_keeps_the_recipient,
	a_template_file_takes_the_place_of_the_text,
	a_recipient_refused_after_data_bounces_without_an_attempt)
