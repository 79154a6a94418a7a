/* SPDX-License-Identifier: MIT
 *
 * Who may send to whom, in which order it is decided, and how often the tables are asked.
 */
#include "host/table.h"
#include "tests/smtp/house.h"

static const struct tmail_str trusted[] = { TMAIL_STR("127.0.0.0/8") };
static const struct listen_settings proxied = {
	.name = TMAIL_STR("mx"), .proxy = 1, .proxy_from = TMAIL_LIST(trusted)
};

/* A client with an address of our choice, up to its sender. */
static struct talk *client(const char *address)
{
	struct talk *t = talk_connect();
	char line[108];

	snprintf(line, sizeof line, "PROXY TCP4 %s 192.0.2.1 4000 25\r\n", address);
	talk_say(t, line);
	talk_hear(t, "220");
	talk_ask(t, "EHLO c.test", "250");
	talk_ask(t, "MAIL FROM:<from@sender.test>", "250");
	return t;
}

START_TEST(domains_of_ours_are_open_to_all_and_others_to_none)
{
	house_open("", HOUSE_TABLES);
	struct talk *t = talk_ready();
	talk_ask(t, "MAIL FROM:<>", "250");
	talk_ask(t, "RCPT TO:<any@remote.test>", "250");
	talk_ask(t, "RCPT TO:<any@REMOTE.test>", "250");
	talk_ask(t, "RCPT TO:<any@local.test>", "250"); /* nobody keeps mailboxes here */
	talk_ask(t, "RCPT TO:<Any@Elsewhere.test>",
		"554 5.7.1 <Any@elsewhere.test>: Relay access denied.\r\n");
	talk_ask(t, "RCPT TO:<any%elsewhere.test@remote.test>", "250");
	talk_ask(t, "RCPT TO:<any@[127.0.0.1]>", "554 5.7.1");
	talk_ask(t, "RCPT TO:<any@broken.test>", "451 4.3.0 Temporary lookup failure");
	talk_ask(t, "RCPT TO:<postmaster>", "554 5.7.1 <postmaster@mx.test>");
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(a_local_domain_has_the_users_that_the_tables_know)
{
	house_open("", HOUSE_TABLES ", " HOUSE_USERS);
	struct talk *t = talk_ready();
	talk_ask(t, "MAIL FROM:<>", "250");
	talk_ask(t, "RCPT TO:<user@local.test>", "250");
	talk_ask(t, "RCPT TO:<USER@local.test>", "250");
	talk_ask(t, "RCPT TO:<alias@local.test>", "250");
	talk_ask(t, "RCPT TO:<anybody@alias.test>", "250");
	talk_ask(t, "RCPT TO:<anybody@remote.test>", "250");
	talk_ask(t, "RCPT TO:<later@local.test>", "451 4.3.0");
	talk_ask(t, "RCPT TO:<nobody@local.test>",
		"550 5.1.1 Sorry, no mailbox here by that name\r\n");
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(a_relay_client_may_send_anywhere_but_not_to_users_that_are_not_there)
{
	house_open_at("", HOUSE_TABLES ", " HOUSE_USERS, &proxied);
	struct talk *t = client("203.0.113.9");
	talk_ask(t, "RCPT TO:<any@elsewhere.test>", "250");
	talk_ask(t, "RCPT TO:<nobody@local.test>", "550 5.1.1");
	talk_ask(t, "BDAT 14 LAST\r\nSubject: x\r\n", "250 2.0.0 Ok: queued");
	ck_assert(house.kept[0].relay);
	ck_assert_ptr_nonnull(strstr(house.kept[0].content, "Message-ID: <"));
	ck_assert_ptr_nonnull(strstr(house.kept[0].content, "Date: "));
	talk_close(&t);
	t = client("203.0.113.8");
	talk_ask(t, "RCPT TO:<any@elsewhere.test>", "554 5.7.1");
	talk_ask(t, "RCPT TO:<any@remote.test>", "250");
	talk_ask(t, "BDAT 14 LAST\r\nSubject: x\r\n", "250 2.0.0 Ok: queued");
	ck_assert(!house.kept[1].relay);
	ck_assert_str_eq(house.kept[1].content, "Subject: x\r\n\r\n");
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(a_client_whose_address_cannot_be_looked_up_is_neither_let_nor_sent_away)
{
	house_open_at("", HOUSE_TABLES, &proxied);
	struct talk *t = client("203.0.113.10");
	talk_ask(t, "RCPT TO:<any@elsewhere.test>", "451 4.3.0 Temporary lookup failure");
	talk_ask(t, "RCPT TO:<any@remote.test>", "250");
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(the_address_of_a_client_is_asked_of_the_module_once)
{
	house_open_at("", HOUSE_TABLES, &proxied);
	unsigned before = house_relayip_asked;
	struct talk *t = client("198.51.100.77");
	for (int i = 0; i < 5; i++) {
		talk_ask(t, "RCPT TO:<any@elsewhere.test>", "554");
		talk_ask(t, "RSET", "250");
		talk_ask(t, "MAIL FROM:<>", "250");
	}
	ck_assert_uint_eq(house_relayip_asked, before + 1);
	talk_close(&t);
	house_close();
}
END_TEST

static enum tmail_verdict grant(struct tmail_call *call, const union tmail_event *event)
{
	if (call->point != TMAIL_POINT_RCPT)
		return TMAIL_CONTINUE;
	if (event->rcpt.recipient->address.data[0] == 'g')
		call->answer->relay = 1;
	return TMAIL_ACCEPT;
}

START_TEST(what_an_administrator_changed_counts_from_the_next_message_on)
{
	house_open("", HOUSE_TABLES);
	struct talk *t = talk_ready();
	talk_ask(t, "MAIL FROM:<>", "250");
	talk_ask(t, "RCPT TO:<any@elsewhere.test>", "554");
	house_relays_all = true;
	tables_forget();
	talk_ask(t, "RCPT TO:<any@elsewhere.test>", "554");
	talk_ask(t, "RSET", "250");
	talk_ask(t, "MAIL FROM:<>", "250");
	talk_ask(t, "RCPT TO:<any@elsewhere.test>", "250");
	house_relays_all = false;
	tables_forget();
	talk_ask(t, "RSET", "250");
	talk_ask(t, "MAIL FROM:<>", "250");
	talk_ask(t, "RCPT TO:<any@elsewhere.test>", "554");
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(a_module_grants_relay_only_by_saying_so)
{
	house_open("", HOUSE_TABLES ", " HOUSE_USERS ", " HOUSE_HOOKS);
	house_hook = grant;
	struct talk *t = talk_ready();
	talk_ask(t, "MAIL FROM:<>", "250");
	talk_ask(t, "RCPT TO:<accepted@elsewhere.test>", "554 5.7.1");
	talk_ask(t, "RCPT TO:<granted@elsewhere.test>", "250");
	talk_ask(t, "RCPT TO:<granted@local.test>", "250");
	talk_close(&t);
	house_close();
}
END_TEST

TEST_MAIN("smtp/relay", domains_of_ours_are_open_to_all_and_others_to_none,
	a_local_domain_has_the_users_that_the_tables_know,
	a_relay_client_may_send_anywhere_but_not_to_users_that_are_not_there,
	a_client_whose_address_cannot_be_looked_up_is_neither_let_nor_sent_away,
	the_address_of_a_client_is_asked_of_the_module_once,
	what_an_administrator_changed_counts_from_the_next_message_on,
	a_module_grants_relay_only_by_saying_so)
