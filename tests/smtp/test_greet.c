/* SPDX-License-Identifier: MIT
 *
 * Before the greeting: PROXY headers, early talkers, limits of an address, modules.
 */
#include "tests/smtp/house.h"

static const struct tmail_str trusted[] = { TMAIL_STR("127.0.0.1") };
static const struct listen_settings proxied = {
	.name = TMAIL_STR("mx"), .proxy = 1, .proxy_from = TMAIL_LIST(trusted)
};

START_TEST(a_proxy_header_says_who_the_client_is)
{
	house_open_at("", HOUSE_TABLES, &proxied);
	struct talk *t = talk_connect();
	/* The client's own octets may follow in the same packet. */
	talk_say(t, "PROXY TCP6 2001:db8::7 2001:db8::1 4000 25\r\nEHLO c.test\r\n");
	talk_hear(t, "220");
	talk_hear(t, "250");
	talk_ask(t, "MAIL FROM:<>", "250");
	talk_ask(t, "RCPT TO:<a@remote.test>", "250");
	talk_ask(t, "BDAT 3 LAST\r\nx", "250");
	ck_assert_ptr_nonnull(strstr(house.kept[0].trace, "[IPv6:2001:db8::7]"));
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(a_proxy_header_may_come_in_pieces_and_must_come)
{
	house_open_at("", HOUSE_TABLES, &proxied);
	struct talk *t = talk_connect();
	for (const char *c = "PROXY UNKNOWN\r\n"; *c; c++) {
		talk_octets(t, c, 1);
		usleep(200);
	}
	talk_hear(t, "220");
	talk_close(&t);
	t = talk_connect();
	talk_say(t, "EHLO c.test\r\n");
	talk_hear(t, "421 4.7.0 PROXY header expected");
	talk_hear_end(t);
	talk_close(&t);
	house_close();
}
END_TEST

static struct talk *from(const char *address)
{
	struct talk *t = talk_connect();
	char line[108];

	snprintf(line, sizeof line, "PROXY TCP4 %s 192.0.2.1 4000 25\r\n", address);
	talk_say(t, line);
	return t;
}

START_TEST(sessions_of_one_address_are_limited)
{
	house_open_at("max_sessions_address = 2; reverse_lookup = 0;", HOUSE_TABLES, &proxied);
	struct talk *a = from("198.51.100.1"), *b = from("198.51.100.1");
	talk_hear(a, "220");
	talk_hear(b, "220");
	struct talk *c = from("198.51.100.1"), *d = from("198.51.100.2");
	talk_hear(c, "421 4.7.0 Too many connections from your address");
	talk_hear_end(c);
	talk_hear(d, "220");
	talk_ask(a, "QUIT", "221");
	talk_hear_end(a);
	struct talk *e = from("198.51.100.1");
	talk_hear(e, "220");
	talk_close(&a);
	talk_close(&b);
	talk_close(&c);
	talk_close(&d);
	talk_close(&e);
	house_close();
}
END_TEST

START_TEST(new_sessions_of_one_address_are_limited_by_the_minute)
{
	house_open_at("max_rate_address = 3; reverse_lookup = 0;", HOUSE_TABLES, &proxied);
	for (int i = 0; i < 4; i++) {
		struct talk *t = from("198.51.100.3");
		talk_hear(t, i < 3 ? "220" : "421 4.7.0 Too many new connections");
		talk_close(&t);
	}
	house_later(21000);
	struct talk *t = from("198.51.100.3");
	talk_hear(t, "220");
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(clients_of_this_host_are_not_limited)
{
	house_open("max_sessions_address = 1; max_rate_address = 1;", "");
	struct talk *a = talk_open(), *b = talk_open(), *c = talk_open();
	talk_close(&a);
	talk_close(&b);
	talk_close(&c);
	house_close();
}
END_TEST

START_TEST(who_speaks_before_the_greeting_is_refused_when_there_is_a_wait)
{
	house_open("greet_delay = \"5s\";", "");
	struct talk *t = talk_connect();
	talk_say(t, "EHLO early.test\r\n");
	talk_hear(t, "554 5.5.1 You spoke before the greeting");
	talk_hear_end(t);
	talk_close(&t);
	t = talk_connect();
	struct pollfd p = { .fd = t->fd, .events = POLLIN };
	/* Time passes as often as it takes for the session to be there and to hear of it. */
	while (poll(&p, 1, 5) == 0)
		house_later(5000);
	talk_hear(t, "220");
	talk_ask(t, "EHLO patient.test", "250");
	talk_close(&t);
	house_close();
}
END_TEST

static enum tmail_verdict refuse(struct tmail_call *call, const union tmail_event *event)
{
	(void)event;
	if (call->point != TMAIL_POINT_CONNECT)
		return TMAIL_CONTINUE;
	call->host->reply(call, 550, "5.7.1", "not you");
	return TMAIL_REJECT;
}

static enum tmail_verdict refuse_for_now(struct tmail_call *call, const union tmail_event *event)
{
	(void)event;
	return call->point == TMAIL_POINT_CONNECT ? TMAIL_TEMPFAIL : TMAIL_CONTINUE;
}

START_TEST(modules_turn_clients_away_with_554_or_421)
{
	house_open("", HOUSE_HOOKS);
	house_hook = refuse;
	struct talk *t = talk_connect();
	talk_hear(t, "554 5.7.1 not you ("); /* and the id of the session */
	talk_hear_end(t);
	talk_close(&t);
	house_hook = refuse_for_now;
	t = talk_connect();
	talk_hear(t, "421 4.");
	talk_hear_end(t);
	talk_close(&t);
	house_close();
}
END_TEST

TEST_MAIN("smtp/greet", a_proxy_header_says_who_the_client_is,
	a_proxy_header_may_come_in_pieces_and_must_come, sessions_of_one_address_are_limited,
	new_sessions_of_one_address_are_limited_by_the_minute, clients_of_this_host_are_not_limited,
	who_speaks_before_the_greeting_is_refused_when_there_is_a_wait,
	modules_turn_clients_away_with_554_or_421)
