/* SPDX-License-Identifier: MIT
 *
 * Rounds of a message: recipients together and apart, and the end of all.
 */
#include "tests/queue/house.h"

#include "queue/schedule.h"

static void recipients_of(unsigned i, char *out, size_t size, struct peer *peer)
{
	snprintf(out, size, "%.*s", STR_ARG(peer_message(peer, i)->recipients));
}

START_TEST(a_fresh_message_is_delivered_and_ended)
{
	struct peer *peer = peer_server(NULL, 0, 0);
	const struct peer_message *m;
	int64_t before = metric_get(METRIC_deliveries);

	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	house_sends("s@x.org", "a@example.com");
	peer_wait_messages(peer, 1);
	m = peer_message(peer, 0);
	ck_assert(str_equal(m->sender, STR("s@x.org")));
	ck_assert(str_equal(m->recipients, STR("a@example.com")));
	ck_assert(str_equal(m->content, STR(HOUSE_CONTENT)));
	memory_wait_ended(1);
	ck_assert_uint_eq(memory_reads(), 0); /* it went from memory */
	ck_assert_int_eq(metric_get(METRIC_deliveries) - before, 1);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(recipients_of_one_destination_go_together)
{
	struct peer *peer = peer_server(NULL, 0, 0);
	char to[256];

	router_to(peer_port(peer), 0);
	house_open("max_recipients_transaction = 3;", HOUSE_ROUTER);
	house_sends("s@x.org", "a@one.org b@two.org c@one.org d@one.org e@one.org");
	peer_wait_messages(peer, 3);
	memory_wait_ended(1);
	ck_assert_uint_eq(peer_messages(peer), 3);
	for (unsigned i = 0, n = 0; i < 3; i++) {
		recipients_of(i, to, sizeof to, peer);
		if (strcmp(to, "a@one.org c@one.org d@one.org") == 0)
			n++;
		ck_assert_msg(
			strcmp(to, "b@two.org") == 0 || strcmp(to, "e@one.org") == 0 || n == 1,
			"%s", to);
	}
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(recipients_that_end_at_different_times_end_the_message_together)
{
	const struct peer_rule rules[] = { { "RCPT TO:<b@", "450 later", 2 },
		{ "RCPT TO:<c@", "450 later", 1 }, { "RCPT TO:<d@", "450 later", 3 } };
	struct peer *peer = peer_server(rules, 3, 0);
	struct memory_message m;

	router_to(peer_port(peer), 0);
	house_open("retry = [\"20ms\"];", HOUSE_ROUTER);
	house_sends("s@x.org", "a@one.org b@two.org c@three.org d@four.org");
	memory_wait_ended(1);
	ck_assert_uint_eq(peer_messages(peer), 4);
	ck_assert(memory_message(0, &m));
	ck_assert_uint_eq(m.recipient[0].attempts, 1);
	ck_assert_uint_eq(m.recipient[1].attempts, 3);
	ck_assert_uint_eq(m.recipient[2].attempts, 2);
	ck_assert_uint_eq(m.recipient[3].attempts, 4);
	free(m.content);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(a_lost_final_reply_is_counted_and_waited_for)
{
	const struct peer_rule rules[] = { { ".", NULL, 1 } };
	struct peer *peer = peer_server(rules, 1, 0);
	int64_t before = metric_get(METRIC_duplicates_possible), now = clock_wall();
	struct memory_message m;

	router_to(peer_port(peer), 0);
	house_open("retry = [\"20ms\"];", HOUSE_ROUTER);
	house_sends("s@x.org", "a@example.com");
	memory_wait_fate(0, 0, TMAIL_FATE_DEFERRED);
	ck_assert_int_eq(metric_get(METRIC_duplicates_possible) - before, 1);
	ck_assert(memory_message(0, &m));
	ck_assert_int_ge(m.recipient[0].due - now, 600 * 1000000LL);
	free(m.content);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(lmtp_recipients_have_outcomes_of_their_own)
{
	const struct peer_rule rules[] = { { ".b@", "452 4.2.2 full", 0 } };
	struct peer *peer = peer_server(rules, 1, PEER_LMTP);
	struct memory_message m;

	house_open("", HOUSE_ROUTER);
	house_routes[0] = (struct house_route){
		.domain = "", .port = peer_port(peer), .protocol = TMAIL_PROTOCOL_LMTP
	};
	house_sends("s@x.org", "a@example.com b@example.com c@example.com");
	memory_wait_fate(0, 1, TMAIL_FATE_DEFERRED);
	memory_wait_fate(0, 2, TMAIL_FATE_DELIVERED);
	ck_assert(memory_message(0, &m));
	ck_assert_ptr_nonnull(strstr(m.recipient[0].reply, ": 250 2.0.0 taken"));
	ck_assert_ptr_nonnull(strstr(m.recipient[1].reply, ": 452 4.2.2 full"));
	ck_assert(!m.ended);
	free(m.content);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(the_last_to_end_ends_the_message_whoever_ended_the_others)
{
	struct peer *peer = peer_server(NULL, 0, 0);

	house_open("deliver = false;", "");
	house_sends("s@x.org", "a@example.com b@example.com");
	house_close();
	memory_change(0, 1, TMAIL_FATE_DEFERRED, clock_wall() + 3600 * 1000000LL);
	router_to(peer_port(peer), 0);
	peer_hold(peer);
	house_open("", HOUSE_ROUTER);
	peer_wait_seen(peer, "\r\n.\r\n"); /* of a alone; b was living when it was read */
	memory_change(0, 1, TMAIL_FATE_DELIVERED, 0);
	peer_let_go(peer);
	memory_wait_ended(1);
	ck_assert(str_equal(peer_message(peer, 0)->recipients, STR("a@example.com")));
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(a_recipient_that_becomes_due_meanwhile_joins_the_round)
{
	struct peer *peer = peer_server(NULL, 0, 0);

	house_open("deliver = false;", "");
	house_sends("s@x.org", "a@example.com b@example.com");
	house_close();
	memory_change(0, 1, TMAIL_FATE_DEFERRED, clock_wall() + 3600 * 1000000LL);
	router_to(peer_port(peer), 0);
	peer_hold(peer);
	house_open("", HOUSE_ROUTER);
	peer_wait_seen(peer, "RCPT TO:<a@");
	memory_change(0, 1, TMAIL_FATE_DEFERRED, 1);
	schedule_due_at(1);
	peer_wait_seen(peer, "RCPT TO:<b@");
	peer_let_go(peer);
	memory_wait_ended(1);
	ck_assert_uint_eq(peer_messages(peer), 2);
	house_over();
	peer_end(&peer);
}
END_TEST

/* ---- what modules change, and what they are told ------------------------------------------ */

/* By the first letter of the recipient. */
static enum tmail_verdict changes(struct tmail_call *call, const union tmail_event *event)
{
	if (call->point != TMAIL_POINT_PREDELIVER)
		return TMAIL_CONTINUE;
	switch (event->predeliver.recipient->address.data[0]) {
	case 'v':
		call->answer->sender = (struct tmail_str)TMAIL_STR("s+v=one.org@x.org");
		break;
	case 'n':
		call->answer->sender = (struct tmail_str)TMAIL_STR("");
		break;
	case 'u':
		call->answer->sender = (struct tmail_str)TMAIL_STR("\xc3\xa9@x.org");
		break;
	case 'l':
		call->answer->source = (struct tmail_str)TMAIL_STR("127.0.0.9");
		break;
	}
	return TMAIL_CONTINUE;
}

/* Who went with which sender, one line a message, in order. */
static void expect_envelopes(struct peer *peer, const char *want)
{
	struct buf got = { 0 };

	for (unsigned i = 0; i < peer_messages(peer); i++)
		buf_printf(&got, "%.*s: %.*s\n", STR_ARG(peer_message(peer, i)->sender),
			STR_ARG(peer_message(peer, i)->recipients));
	ck_assert_str_eq(buf_c(&got), want);
	buf_free(&got);
}

START_TEST(a_module_may_give_each_recipient_a_sender)
{
	struct peer *peer = peer_server(NULL, 0, 0);

	house_hook = changes;
	router_to(peer_port(peer), 0);
	house_open("max_connections_destination = 1;", HOUSE_ROUTER HOUSE_HOOKS);
	house_sends("s@x.org", "a@one.org v@one.org n@one.org b@one.org u@one.org");
	memory_wait_ended(1);
	expect_envelopes(peer,
		"s@x.org: a@one.org b@one.org\n"
		"s+v=one.org@x.org: v@one.org\n"
		": n@one.org\n"
		"\xc3\xa9@x.org: u@one.org\n");
	ck_assert_ptr_nonnull(strstr(peer_message(peer, 3)->mail.data, "SMTPUTF8"));
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(a_failure_is_told_to_who_sent_it_whatever_a_module_said)
{
	static const struct peer_rule rules[] = { { "RCPT TO:<v@", "550 5.1.1 no", 0 } };
	struct peer *peer = peer_server(rules, 1, 0);

	house_hook = changes;
	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER HOUSE_HOOKS);
	house_sends("s@x.org", "v@one.org");
	memory_wait_ended(2);
	expect_envelopes(peer, ": s@x.org\n");
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(a_module_may_choose_the_address_to_send_from)
{
	struct peer *peer = peer_server(NULL, 0, 0);

	house_hook = changes;
	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER HOUSE_HOOKS);
	house_sends("s@x.org", "a@one.org l@one.org");
	memory_wait_ended(1);
	ck_assert_uint_eq(peer_messages(peer), 2);
	for (unsigned i = 0; i < 2; i++)
		ck_assert_uint_eq(peer_message(peer, i)->from,
			peer_message(peer, i)->recipients.data[0] == 'l' ? 0x7f000009 : 0x7f000001);
	house_over();
	peer_end(&peer);
}
END_TEST

static struct told {
	unsigned point;
	uint32_t index, attempts;
	int64_t due;
	char address[64], host[64], reply[64];
} told[16];
static atomic_uint told_count;

static enum tmail_verdict listens(struct tmail_call *call, const union tmail_event *event)
{
	struct told *t;

	if (call->point < TMAIL_POINT_DELIVERED || call->point > TMAIL_POINT_BOUNCED)
		return TMAIL_CONTINUE;
	t = &told[told_count++];
	t->point = call->point;
	t->index = event->outcome.recipient->index;
	t->attempts = event->outcome.attempts;
	t->due = event->outcome.due;
	snprintf(t->address, sizeof t->address, "%.*s", (int)event->outcome.recipient->address.len,
		event->outcome.recipient->address.data);
	snprintf(t->host, sizeof t->host, "%.*s", (int)event->outcome.host.len,
		event->outcome.host.data);
	snprintf(t->reply, sizeof t->reply, "%.*s", (int)event->outcome.reply.len,
		event->outcome.reply.data);
	return TMAIL_CONTINUE;
}

static const struct told *told_of(const char *address, uint32_t attempts)
{
	for (unsigned i = 0; i < told_count; i++)
		if (strcmp(told[i].address, address) == 0 && told[i].attempts == attempts)
			return &told[i];
	ck_abort_msg("nobody was told of %s", address);
}

static void expect_told(const char *address, uint32_t attempts, unsigned point, const char *reply)
{
	const struct told *t = told_of(address, attempts);

	ck_assert_uint_eq(t->point, point);
	ck_assert_str_eq(t->reply, reply);
	ck_assert_int_eq(t->due != 0, point == TMAIL_POINT_DEFERRED);
	ck_assert_ptr_nonnull(strstr(t->host, "127.0.0.1["));
}

START_TEST(modules_are_told_of_each_recipient_what_became_of_it)
{
	static const struct peer_rule rules[] = { { "RCPT TO:<no", "550 5.1.1 nobody", 0 },
		{ "RCPT TO:<late", "450 4.2.1 busy", 1 }, { "RCPT TO:<old", "451 4.3.0 ill", 0 } };
	struct peer *peer = peer_server(rules, 3, 0);
	struct queue_settings settings;

	house_hook = listens;
	told_count = 0;
	router_to(peer_port(peer), 0);
	house_open("retry = [\"20ms\"]; bounce_lifetime = \"30d\";", HOUSE_ROUTER HOUSE_HOOKS);
	house_sends("", "yes@one.org no@one.org late@one.org");
	memory_wait_ended(1);
	ck_assert_uint_eq(told_count, 4);
	expect_told("yes@one.org", 1, TMAIL_POINT_DELIVERED, "250 2.0.0 taken");
	expect_told("no@one.org", 1, TMAIL_POINT_BOUNCED, "550 5.1.1 nobody");
	ck_assert_uint_eq(told_of("no@one.org", 1)->index, 1);
	expect_told("late@one.org", 1, TMAIL_POINT_DEFERRED, "450 4.2.1 busy");
	expect_told("late@one.org", 2, TMAIL_POINT_DELIVERED, "250 2.0.0 taken");
	/* One that is given up is told of as one that bounced. */
	settings = house.settings;
	settings.bounce_lifetime = 0;
	house_reload(0, settings);
	house_sends("", "old@one.org");
	memory_wait_ended(2);
	ck_assert_uint_eq(told_count, 5);
	expect_told("old@one.org", 1, TMAIL_POINT_BOUNCED, "451 4.3.0 ill");
	house_over();
	peer_end(&peer);
}
END_TEST

TEST_MAIN("queue/work", a_fresh_message_is_delivered_and_ended,
	recipients_of_one_destination_go_together,
	recipients_that_end_at_different_times_end_the_message_together,
	a_lost_final_reply_is_counted_and_waited_for, lmtp_recipients_have_outcomes_of_their_own,
	the_last_to_end_ends_the_message_whoever_ended_the_others,
	a_recipient_that_becomes_due_meanwhile_joins_the_round,
	a_module_may_give_each_recipient_a_sender,
	a_failure_is_told_to_who_sent_it_whatever_a_module_said,
	a_module_may_choose_the_address_to_send_from,
	modules_are_told_of_each_recipient_what_became_of_it)
