/* SPDX-License-Identifier: MIT
 *
 * Names looked up: the sender's domain at MAIL, the client's own for the trace. A real name
 * server answers; or one that never does.
 */
#include "net/dns.h"
#include "tests/lib/nsd.h"
#include "tests/smtp/house.h"

static const struct tmail_str trusted[] = { TMAIL_STR("127.0.0.1") };
static const struct listen_settings proxied = {
	.name = TMAIL_STR("mx"), .proxy = 1, .proxy_from = TMAIL_LIST(trusted)
};

static const struct nsd_zone zones[] = {
	{ "known.test",
		"ns A 127.0.0.1\n@ MX 10 mail\nmail A 198.51.100.5\nhost A 198.51.100.7\n"
		"null MX 0 .\nnothing TXT \"x\"\n",
		false },
	{ "100.51.198.in-addr.arpa", "5 PTR mail.known.test.\n", false },
	{ "broken.test", NULL, false },
};
static struct nsd nsd;

static void resolver_start(const char *server, int64_t timeout)
{
	struct why why;

	must(dns_start(
		&(struct dns_settings){ .servers = &server, .server_count = 1, .timeout = timeout },
		&why));
}

START_TEST(a_sender_s_domain_must_have_an_mx_or_an_address)
{
	resolver_start(nsd.server, 60000);
	house_open("sender_dns = \"reject\"; max_errors = 0; max_junk = 0;", HOUSE_TABLES);
	struct talk *t = talk_ready();
	talk_ask(t, "MAIL FROM:<a@known.test>", "250");
	talk_ask(t, "RSET", "250");
	talk_ask(t, "MAIL FROM:<a@host.known.test>", "250");
	talk_ask(t, "RSET", "250");
	talk_ask(t, "MAIL FROM:<a@null.known.test>", "550 5.7.27");
	talk_ask(t, "MAIL FROM:<a@nothing.known.test>", "550 5.1.8");
	talk_ask(t, "MAIL FROM:<a@nowhere.known.test>", "550 5.1.8");
	talk_ask(t, "MAIL FROM:<a@broken.test>", "451 4.4.3");
	talk_ask(t, "RCPT TO:<a@remote.test>", "503");
	talk_ask(t, "MAIL FROM:<>", "250");
	talk_ask(t, "RSET", "250");
	talk_ask(t, "MAIL FROM:<a@[192.0.2.1]>", "250");
	talk_close(&t);
	house_close();
	house_open("sender_dns = \"defer\";", HOUSE_TABLES);
	t = talk_ready();
	talk_ask(t, "MAIL FROM:<a@nowhere.known.test>", "450 4.1.8");
	talk_ask(t, "MAIL FROM:<a@known.test>", "250");
	talk_close(&t);
	dns_stop(); /* before the loops that asked */
	house_close();
}
END_TEST

START_TEST(a_client_may_leave_while_its_sender_is_looked_up)
{
	struct linger reset = { 1, 0 };

	resolver_start(nsd.server, 60000);
	house_open("sender_dns = \"defer\";", HOUSE_TABLES);
	struct talk *t = talk_ready();
	talk_say(t, "MAIL FROM:<a@broken.test>\r\n");
	setsockopt(t->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	talk_close(&t);
	dns_stop(); /* before the loops that asked */
	house_close();
}
END_TEST

START_TEST(senders_of_clients_that_may_relay_are_not_looked_up)
{
	resolver_start(nsd.server, 60000);
	house_open_at("sender_dns = \"reject\"; reverse_lookup = 0;", HOUSE_TABLES, &proxied);
	struct talk *t = talk_connect();
	talk_say(t, "PROXY TCP4 203.0.113.9 192.0.2.1 4000 25\r\n");
	talk_hear(t, "220");
	talk_ask(t, "MAIL FROM:<a@broken.test>", "250");
	talk_close(&t);
	dns_stop(); /* before the loops that asked */
	house_close();
}
END_TEST

static struct talk *message_from(const char *address)
{
	struct talk *t = talk_connect();
	char line[108];

	snprintf(line, sizeof line, "PROXY TCP4 %s 192.0.2.1 4000 25\r\n", address);
	talk_say(t, line);
	talk_hear(t, "220"); /* whatever the name does */
	talk_ask(t, "EHLO c.test", "250");
	talk_ask(t, "MAIL FROM:<>", "250");
	talk_ask(t, "RCPT TO:<a@remote.test>", "250");
	talk_say(t, "BDAT 3 LAST\r\nx\r\n");
	return t;
}

START_TEST(the_client_s_name_is_in_the_trace_when_it_is_found)
{
	resolver_start(nsd.server, 60000);
	house_open_at("", HOUSE_TABLES, &proxied);
	struct talk *t = message_from("198.51.100.5");
	talk_hear(t, "250 2.0.0 Ok: queued");
	ck_assert_ptr_nonnull(strstr(house.kept[0].trace, "mail.known.test"));
	talk_close(&t);
	dns_stop(); /* before the loops that asked */
	house_close();
}
END_TEST

START_TEST(the_client_s_name_is_not_waited_for_longer_than_it_may_take)
{
	struct sockaddr_storage address;
	struct endpoint at;
	struct pollfd p = { .events = POLLIN };
	char server[64];
	int silent = socket(AF_INET, SOCK_DGRAM, 0);

	must(endpoint_parse(STR("127.0.0.1:0"), 0, &at));
	must(bind(silent, (struct sockaddr *)&address, endpoint_sockaddr(&at, &address)) == 0);
	must(endpoint_of_socket(silent, false, &at));
	snprintf(server, sizeof server, "127.0.0.1@%u", at.port);
	resolver_start(server, 3600000);
	house_open_at("reverse_lookup = \"20s\";", HOUSE_TABLES, &proxied);
	struct talk *t = message_from("198.51.100.6");
	int64_t before = house_clock;
	p.fd = t->fd;
	while (poll(&p, 1, 5) == 0)
		house_later(1000);
	talk_hear(t, "250 2.0.0 Ok: queued");
	ck_assert_int_ge(house_clock - before, 15000000);
	ck_assert_int_le(house_clock - before, 600000000);
	talk_close(&t);
	dns_stop(); /* before the loops that asked */
	house_close();
	close(silent);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { a_sender_s_domain_must_have_an_mx_or_an_address,
		a_client_may_leave_while_its_sender_is_looked_up,
		senders_of_clients_that_may_relay_are_not_looked_up,
		the_client_s_name_is_in_the_trace_when_it_is_found,
		the_client_s_name_is_not_waited_for_longer_than_it_may_take };
	int result;

	if (!nsd_start(&nsd, zones, sizeof zones / sizeof *zones))
		return test_skip_all("smtp/sender", "nsd and ldnsutils are not installed");
	result = test_run("smtp/sender", tests, sizeof tests / sizeof *tests);
	nsd_stop(&nsd);
	return result;
}
