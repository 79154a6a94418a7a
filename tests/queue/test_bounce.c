/* SPDX-License-Identifier: MIT
 *
 * Fates and reports: who is told what, once, and only after it is durable.
 */
#include "tests/queue/house.h"

#include "queue/schedule.h"
#include "queue/work.h"

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
	ck_assert_ptr_nonnull(strstr(m.recipient[0].reply, ": 550 5.1.1 no such user"));
	free(m.content);
	close_all();
}
END_TEST

START_TEST(who_was_only_tried_has_said_nothing)
{
	const char *text;

	open_with("lifetime = 0;", refuses, 3);
	house_routes[1].port = house_dead_port();
	house_sends("s@x.org", "a@one.org");
	memory_wait_fate(0, 0, TMAIL_FATE_EXPIRED);
	text = report(0);
	ck_assert(in(text, "Connection refused"));
	ck_assert(!in(text, "Remote-MTA") && !in(text, " said: "));
	memory_wait_ended(2);
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

START_TEST(final_delivery_is_reported_as_delivered)
{
	static const struct peer_rule rules[] = { { ".no@", "552 5.2.2 full", 0 } };
	struct message *m = house_message("s@x.org", "a@one.org no@one.org", STR(HOUSE_CONTENT));
	bool failure;

	remote = peer_server(rules, 1, PEER_LMTP | PEER_PLAIN);
	home = peer_server(NULL, 0, 0);
	house_routes[0] = (struct house_route){ .domain = "x.org", .port = peer_port(home) };
	house_routes[1] = (struct house_route){
		.domain = "", .port = peer_port(remote), .protocol = TMAIL_PROTOCOL_LMTP
	};
	house_open("", HOUSE_ROUTER);
	m->recipients[0].notify = m->recipients[1].notify =
		TMAIL_NOTIFY_SUCCESS | TMAIL_NOTIFY_FAILURE;
	ck_assert_int_eq(house_hand_over(m).result, COMMIT_DURABLE);
	memory_wait_ended(3);
	failure = in(report(0), "Action: failed\r\n");
	ck_assert(in(report(failure), "Action: delivered\r\n"));
	ck_assert(in(report(failure), "rfc822; a@one.org"));
	ck_assert(!in(report(failure), "no@one.org"));
	ck_assert(in(report(!failure), "rfc822; no@one.org"));
	close_all();
}
END_TEST

/* The parcel goes on to a second host for those whom the first one put off. */
START_TEST(each_recipient_is_told_of_the_host_that_took_it)
{
	static const struct peer_rule plain[] = { { "EHLO", "250 first", 0 },
		{ "RCPT TO:<b", "450 4.2.1 not here", 0 } };
	struct peer *second = peer_server(NULL, 0, 0); /* offers DSN */
	struct message *m = house_message("s@x.org", "a@one.org b@one.org", STR(HOUSE_CONTENT));
	const char *text;

	remote = peer_server(plain, 2, 0);
	home = peer_server(NULL, 0, 0);
	house_routes[0] = (struct house_route){ .domain = "x.org", .port = peer_port(home) };
	house_routes[1] = (struct house_route){
		.domain = "", .port = peer_port(remote), .port2 = peer_port(second)
	};
	house_open("", HOUSE_ROUTER);
	m->recipients[0].notify = m->recipients[1].notify = TMAIL_NOTIFY_SUCCESS;
	ck_assert_int_eq(house_hand_over(m).result, COMMIT_DURABLE);
	memory_wait_ended(2);
	text = report(0);
	ck_assert(str_equal(peer_message(second, 0)->recipients, STR("b@one.org")));
	ck_assert(in(text, "Action: relayed\r\n"));
	ck_assert(in(text, "rfc822; a@one.org"));
	ck_assert(!in(text, "b@one.org"));
	ck_assert_uint_eq(peer_messages(home), 1);
	close_all();
	peer_end(&second);
}
END_TEST

START_TEST(nobody_hears_of_success_that_was_not_asked_for)
{
	static const struct peer_rule plain[] = { { "EHLO", "250 peer", 0 } };
	struct message *m = house_message(
		"s@x.org", "a@one.org b@one.org c@one.org d@one.org", STR(HOUSE_CONTENT));

	open_with("", plain, 1);
	m->recipients[1].notify = TMAIL_NOTIFY_NEVER;
	m->recipients[2].notify = TMAIL_NOTIFY_FAILURE | TMAIL_NOTIFY_DELAY;
	ck_assert_int_eq(house_hand_over(m).result, COMMIT_DURABLE);
	memory_wait_ended(1);
	ck_assert_uint_eq(memory_adds(), 1);
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

#define HOUR (3600 * INT64_C(1000000))

/* Waits until the recipient of message i was tried that often; answers when it is due again. */
static int64_t due_after(unsigned i, unsigned attempts)
{
	struct memory_message m;

	do {
		memory_wait_fate(i, 0, TMAIL_FATE_DEFERRED);
		ck_assert(memory_message(i, &m));
		free(m.content);
	} while (m.recipient[0].attempts < attempts);
	return m.recipient[0].due;
}

static void clock_set(int64_t wall)
{
	house_years += wall - clock_wall();
	schedule_due_at(1);
}

START_TEST(a_late_message_is_told_of_once)
{
	struct memory_message m;
	int64_t due, received;
	const char *text;

	open_with("retry = [\"1h\", \"7h\"]; delay_warning = \"4h\";", refuses, 3);
	house_sends("s@x.org", "late@one.org");
	due = due_after(0, 1);
	received = due - HOUR;
	clock_set(due);
	/* The next would be after 8 hours: it is at the moment of the warning. */
	due = due_after(0, 2);
	ck_assert_int_le(due, received + 4 * HOUR);
	ck_assert_int_gt(due, received + 4 * HOUR - HOUR / 60);
	/* By hand meanwhile: nobody is late yet. */
	memory_change(0, 0, TMAIL_FATE_DEFERRED, clock_wall());
	schedule_due_at(1);
	due_after(0, 3);
	ck_assert_uint_eq(memory_adds(), 1);
	clock_set(due);
	text = report(0);
	ck_assert(in(text, "Action: delayed\r\n"));
	ck_assert(in(text, "450 4.2.1 busy"));
	ck_assert(in(text, "Will-Retry-Until: "));
	ck_assert(!in(text, "hello"));
	for (unsigned i = 4; i < 8; i++) {
		due = due_after(0, i);
		clock_set(due);
	}
	ck_assert_uint_eq(memory_adds(), 2);
	ck_assert(memory_message(0, &m));
	free(m.content);
	close_all();
}
END_TEST

static uint32_t note_of(unsigned i, uint32_t recipient)
{
	struct memory_message m;

	ck_assert(memory_message(i, &m));
	free(m.content);
	return m.recipient[recipient].note;
}

START_TEST(a_warning_that_cannot_be_kept_is_given_at_the_next_deferral)
{
	open_with("retry = [\"1h\"]; delay_warning = \"1h\";", refuses, 3);
	house_sends("s@x.org", "late@one.org");
	clock_set(due_after(0, 1));
	memory_set(MEMORY_REFUSES);
	clock_set(due_after(0, 2));
	due_after(0, 3);
	ck_assert_uint_eq(memory_adds(), 1);
	ck_assert_uint_eq(note_of(0, 0), REPORT_NONE);
	memory_set(MEMORY_TAKES);
	clock_set(due_after(0, 3));
	ck_assert(in(report(0), "Action: delayed\r\n"));
	clock_set(due_after(0, 4));
	due_after(0, 5);
	ck_assert_uint_eq(memory_adds(), 2);
	ck_assert_uint_eq(note_of(0, 0), REPORT_DELAYED);
	close_all();
}
END_TEST

/* Held, retried by hand, too many for the destination: it is due again after the moment only. */
START_TEST(a_message_that_became_late_meanwhile_is_told_of_at_its_next_deferral)
{
	int64_t due;

	open_with("retry = [\"1h\"]; delay_warning = \"4h\";", refuses, 3);
	house_sends("s@x.org", "late@one.org");
	due = due_after(0, 1) + 10 * HOUR;
	memory_change(0, 0, TMAIL_FATE_DEFERRED, due);
	clock_set(due);
	due_after(0, 2);
	ck_assert_uint_eq(memory_adds(), 2);
	ck_assert(in(report(0), "Action: delayed\r\n"));
	close_all();
}
END_TEST

START_TEST(only_who_may_be_told_hears_that_it_is_late)
{
	static const struct {
		const char *sender;
		uint32_t notify;
		bool told;
	} cases[] = {
		{ "", 0, false },
		{ "s@x.org", TMAIL_NOTIFY_FAILURE, false },
		{ "s@x.org", TMAIL_NOTIFY_NEVER, false },
		{ "s@x.org", TMAIL_NOTIFY_SUCCESS | TMAIL_NOTIFY_DELAY, true },
		{ "s@x.org", 0, true },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct message *m =
			house_message(cases[i].sender, "late@one.org", STR(HOUSE_CONTENT));

		open_with("retry = [\"1h\"]; delay_warning = \"1h\";", refuses, 3);
		m->recipients[0].notify = cases[i].notify;
		ck_assert_int_eq(house_hand_over(m).result, COMMIT_DURABLE);
		clock_set(due_after(0, 1));
		due_after(0, 2);
		if (cases[i].told)
			report(0);
		/* Whoever is to be told has been by the end of the round. */
		clock_set(due_after(0, 2));
		due_after(0, 3);
		ck_assert_uint_eq(memory_adds(), cases[i].told ? 2 : 1);
		close_all();
	}
}
END_TEST

START_TEST(the_last_attempt_is_at_the_end_of_life)
{
	int64_t due, received;

	open_with("retry = [\"1h\", \"20h\"]; lifetime = \"3h\";", refuses, 3);
	house_sends("s@x.org", "late@one.org");
	due = due_after(0, 1);
	received = due - HOUR;
	clock_set(due);
	due = due_after(0, 2);
	ck_assert_int_le(due, received + 3 * HOUR);
	ck_assert_int_gt(due, received + 3 * HOUR - HOUR / 60);
	clock_set(due);
	ck_assert(in(report(0), "too long"));
	memory_wait_fate(0, 0, TMAIL_FATE_EXPIRED);
	close_all();
}
END_TEST

START_TEST(a_lifetime_of_nothing_is_one_attempt)
{
	struct memory_message m;

	open_with("lifetime = 0;", refuses, 3);
	house_sends("s@x.org", "late@one.org");
	ck_assert(in(report(0), "450 4.2.1 busy"));
	memory_wait_fate(0, 0, TMAIL_FATE_EXPIRED);
	ck_assert(memory_message(0, &m));
	ck_assert_uint_eq(m.recipient[0].attempts, 1);
	free(m.content);
	close_all();
}
END_TEST

/* What is due stays due by the clock of the wall; a message is not given up for a clock that
 * went back, and is given up by one that went on. */
START_TEST(a_clock_that_jumps_loses_nothing)
{
	int64_t due;

	open_with("retry = [\"1h\"]; lifetime = \"1d\";", refuses, 3);
	house_years = 48 * HOUR;
	house_sends("s@x.org", "late@one.org");
	due_after(0, 1);
	house_years = 0; /* back: before the message was received */
	memory_change(0, 0, TMAIL_FATE_DEFERRED, clock_wall());
	schedule_due_at(1);
	due = due_after(0, 2);
	ck_assert_int_gt(due, clock_wall());
	ck_assert_int_le(due, clock_wall() + HOUR);
	clock_set(due + 100 * HOUR); /* on: beyond its life, and it has its last attempt */
	ck_assert(in(report(0), "too long"));
	memory_wait_fate(0, 0, TMAIL_FATE_EXPIRED);
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
	ck_assert_ptr_nonnull(strstr(m.recipient[0].reply, ": 550 5.1.1 no such user"));
	ck_assert(!m.ended);
	free(m.content);
	memory_set(MEMORY_TAKES);
	close_all();
}
END_TEST

/* Taken by a server that does not report it, while the store takes no report. */
static void taken_and_not_told(const char *settings)
{
	static const struct peer_rule plain[] = { { "EHLO", "250 peer", 0 },
		{ ".", "250 2.6.0 got it", 0 } };
	struct message *m = house_message("s@x.org", "a@one.org", STR(HOUSE_CONTENT));

	open_with(settings, plain, 2);
	m->recipients[0].notify = TMAIL_NOTIFY_SUCCESS;
	peer_hold(remote);
	ck_assert_int_eq(house_hand_over(m).result, COMMIT_DURABLE);
	memory_set(MEMORY_REFUSES);
	peer_let_go(remote);
	memory_wait_fate(0, 0, TMAIL_FATE_DEFERRED);
	memory_wait_refused(1);
	ck_assert_uint_eq(note_of(0, 0), REPORT_RELAYED);
}

static void expect_told_once(void)
{
	const char *text = report(0);

	ck_assert(in(text, "Action: relayed\r\n"));
	ck_assert(in(text, "Status: 2."));
	ck_assert(in(text, "Remote-MTA: dns; [127.0.0.1]\r\n"));
	ck_assert(in(text, "Diagnostic-Code: smtp; 250 2.6.0 got it\r\n"));
	memory_wait_ended(2);
	house_fate(0, 0, TMAIL_FATE_DELIVERED);
	ck_assert_uint_eq(peer_messages(home), 1);
	ck_assert_uint_eq(peer_messages(remote), 1);
}

START_TEST(a_success_that_cannot_be_told_is_told_later_and_not_sent_again)
{
	taken_and_not_told("retry = [\"20ms\"];");
	memory_wait_refused(3);
	memory_set(MEMORY_TAKES);
	expect_told_once();
	close_all();
}
END_TEST

START_TEST(a_success_that_was_not_told_survives_a_restart)
{
	struct house_route routes[2];

	taken_and_not_told("retry = [\"1h\"];");
	memcpy(routes, house_routes, sizeof routes);
	house_close();
	memory_set(MEMORY_TAKES);
	memory_all_due();
	memcpy(house_routes, routes, sizeof routes);
	house_open("", HOUSE_ROUTER);
	expect_told_once();
	close_all();
}
END_TEST

START_TEST(a_success_that_could_not_be_told_in_a_life_is_not_told)
{
	taken_and_not_told("retry = [\"20ms\"]; lifetime = \"2d\";");
	memory_wait_refused(2);
	house_years = 3LL * 24 * 3600 * 1000000;
	schedule_due_at(1);
	memory_wait_ended(1);
	ck_assert_uint_eq(memory_adds(), 1);
	house_fate(0, 0, TMAIL_FATE_DELIVERED);
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
	who_was_only_tried_has_said_nothing, a_report_about_a_report_is_never_made,
	large_messages_are_returned_as_their_header, what_the_sender_said_about_reports_is_honoured,
	success_is_reported_where_the_next_server_does_not, final_delivery_is_reported_as_delivered,
	each_recipient_is_told_of_the_host_that_took_it,
	nobody_hears_of_success_that_was_not_asked_for, a_message_too_old_is_returned,
	a_report_too_old_is_dropped, a_late_message_is_told_of_once,
	a_warning_that_cannot_be_kept_is_given_at_the_next_deferral,
	a_message_that_became_late_meanwhile_is_told_of_at_its_next_deferral,
	only_who_may_be_told_hears_that_it_is_late, the_last_attempt_is_at_the_end_of_life,
	a_lifetime_of_nothing_is_one_attempt, a_clock_that_jumps_loses_nothing,
	a_report_that_cannot_be_kept_keeps_the_recipient,
	a_success_that_cannot_be_told_is_told_later_and_not_sent_again,
	a_success_that_was_not_told_survives_a_restart,
	a_success_that_could_not_be_told_in_a_life_is_not_told,
	a_template_file_takes_the_place_of_the_text,
	a_recipient_refused_after_data_bounces_without_an_attempt)
