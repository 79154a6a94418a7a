/* SPDX-License-Identifier: MIT
 *
 * Listeners: which can be, who is let in, how many at a time, and how all of them end.
 */
#include "tests/smtp/modules.h"

#include "host/metrics.h"

#include <sys/resource.h>

/* ---- which can be ------------------------------------------------------------------------ */

START_TEST(listeners_that_cannot_work_are_refused_with_a_reason)
{
	static const struct tmail_str bad[] = { TMAIL_STR("nonsense") };
	const struct listen_settings nobody = { .proxy = 1 },
				     network = { .proxy = 1, .proxy_from = TMAIL_LIST(bad) };
	struct why why;

	house_open("", "");
	ck_assert_ptr_null(smtp_server_start(house.fd, &nobody, &house.loop, 1, &why));
	ck_assert_ptr_nonnull(strstr(why.text, "proxy_from"));
	ck_assert_ptr_null(smtp_server_start(house.fd, &network, &house.loop, 1, &why));
	ck_assert_ptr_nonnull(strstr(why.text, "nonsense"));
	house_close();
}
END_TEST

static char listener[32];
static enum tmail_verdict look(struct tmail_call *call, const union tmail_event *event)
{
	(void)event;
	if (call->point == TMAIL_POINT_CONNECT)
		snprintf(listener, sizeof listener, "%.*s", (int)call->client->listener.len,
			call->client->listener.data);
	return TMAIL_CONTINUE;
}

START_TEST(a_listener_has_the_name_that_it_was_given_or_that_of_its_role)
{
	static const struct {
		struct listen_settings settings;
		const char *name;
	} rows[] = {
		{ { .role = ROLE_MX }, "mx" },
		{ { .role = ROLE_SUBMISSION }, "submission" },
		{ { .role = ROLE_MX, .name = TMAIL_STR("outside") }, "outside" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		house_open_at("", HOUSE_HOOKS, &rows[i].settings);
		house_hook = look;
		struct talk *t = talk_open();
		ck_assert_str_eq(listener, rows[i].name);
		talk_close(&t);
		house_close();
	}
}
END_TEST

/* ---- who is let in ----------------------------------------------------------------------- */

static const struct tmail_str others[] = { TMAIL_STR("192.0.2.0/24"), TMAIL_STR("198.51.100.7"),
	TMAIL_STR("2001:db8::/32") };

START_TEST(a_proxy_is_trusted_by_its_address)
{
	static const struct {
		const char *peer;
		bool trusted;
	} rows[] = { { "192.0.2.0", true }, { "192.0.2.255", true }, { "192.0.3.0", false },
		{ "198.51.100.7", true }, { "198.51.100.8", false }, { "2001:db8::1", true },
		{ "2001:db9::1", false }, { "127.0.0.1", false } };
	const struct listen_settings listen = { .proxy = 1, .proxy_from = TMAIL_LIST(others) };

	house_open_at("", "", &listen);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct ip ip;

		ck_assert(ip_parse(str_c(rows[i].peer), &ip));
		ck_assert_msg(
			server_trusts(house.server, &ip) == rows[i].trusted, "%s", rows[i].peer);
	}
	house_close();
}
END_TEST

START_TEST(who_may_not_send_a_proxy_header_is_turned_away)
{
	const struct listen_settings listen = {
		.name = TMAIL_STR("mx"), .proxy = 1, .proxy_from = TMAIL_LIST(others)
	};

	house_open_at("", HOUSE_TABLES, &listen);
	struct talk *t = talk_connect();
	talk_hear(t, "554 5.7.1");
	talk_hear_end(t);
	talk_close(&t);
	house_close();
}
END_TEST

static void nothing(void)
{
}

START_TEST(there_are_no_more_sessions_than_max_sessions)
{
	house_open("max_sessions = 2;", "");
	struct talk *a = talk_open(), *b = talk_open(), *c = talk_connect();
	ck_assert_uint_eq(smtp_sessions(), 2);
	talk_hear(c, "421 4.3.2 Too many connections");
	talk_hear_end(c);
	talk_close(&c);
	house_on_loop(nothing); /* it has counted */
	ck_assert_int_eq(metric_get(METRIC_sessions_accepted), 3);
	ck_assert_int_eq(metric_get(METRIC_sessions_refused), 1);
	ck_assert_int_eq(metric_get(METRIC_limit_connections), 1);
	ck_assert_int_eq(metric_get(METRIC_sessions_open), 2);
	talk_ask(a, "QUIT", "221");
	talk_hear_end(a);
	talk_close(&a);
	c = talk_open();
	talk_close(&c);
	talk_close(&b);
	house_close();
	ck_assert_int_eq(metric_get(METRIC_sessions_open), 0);
}
END_TEST

START_TEST(descriptors_are_left_for_those_who_work)
{
	enum { DESCRIPTORS = 200, SESSIONS = DESCRIPTORS / 4 };
	struct rlimit limit = { DESCRIPTORS, DESCRIPTORS };
	struct talk *many[SESSIONS], *one;

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	house_open("", "");
	for (int i = 0; i < SESSIONS; i++)
		many[i] = talk_open();
	one = talk_connect();
	talk_hear(one, "421 4.3.2 Too many connections");
	talk_hear_end(one);
	talk_close(&one);
	for (int i = 0; i < SESSIONS; i++)
		talk_close(&many[i]);
	house_close();
}
END_TEST

/* ---- ends -------------------------------------------------------------------------------- */

static void drain_place(void)
{
	house.server->places[0].draining = true;
}

START_TEST(who_was_let_in_by_the_kernel_while_we_stop_is_told_so)
{
	house_open("", "");
	house_on_loop(drain_place);
	struct talk *t = talk_connect();
	talk_hear(t, "421 4.3.2 Service is stopping");
	talk_hear_end(t);
	talk_close(&t);
	ck_assert_uint_eq(smtp_sessions(), 0);
	house_close();
}
END_TEST

START_TEST(a_server_may_be_told_to_stop_more_than_once)
{
	house_open("", HOUSE_TABLES);
	struct talk *idle = talk_ready(), *busy = talk_addressed();
	for (int i = 0; i < 10; i++)
		smtp_server_drain(house.server);
	talk_hear(idle, "421 4.3.2 Service is stopping");
	talk_hear_end(idle);
	talk_ask(busy, "NOOP", "250");
	for (int i = 0; i < 10; i++)
		smtp_sessions_end();
	talk_hear(busy, "421 4.3.2 Service is stopping");
	talk_hear_end(busy);
	talk_close(&idle);
	talk_close(&busy);
	house_close();
}
END_TEST

START_TEST(the_end_is_that_of_the_sessions_of_all_listeners)
{
	static const struct listen_settings second = { .name = TMAIL_STR("second") };
	struct endpoint first;
	struct smtp_server *server;
	struct why why;
	struct talk *a, *b;
	int fd;

	house_open("max_sessions = 2;", "");
	a = talk_open();
	first = house.address;
	ck_assert(endpoint_parse(STR("127.0.0.1:0"), 0, &house.address));
	fd = socket_listen(&house.address, 4, &why);
	ck_assert(fd >= 0 && endpoint_of_socket(fd, false, &house.address));
	server = smtp_server_start(fd, &second, &house.loop, 1, &why);
	ck_assert_msg(server != NULL, "%s", why.text);
	b = talk_open();
	ck_assert_uint_eq(smtp_sessions(), 2);
	struct talk *c = talk_connect(); /* and they are counted together */
	talk_hear(c, "421 4.3.2 Too many");
	talk_close(&c);
	smtp_sessions_end();
	talk_hear(a, "421 4.3.2 Service is stopping");
	talk_hear(b, "421 4.3.2 Service is stopping");
	talk_close(&a);
	talk_close(&b);
	house.address = first;
	smtp_server_drain(server);
	house_close();
	smtp_server_free(&server);
	ck_assert_ptr_null(server);
	close(fd);
}
END_TEST

START_TEST(sessions_that_are_left_when_the_loop_has_stopped_go_with_their_server)
{
	struct talk *talks[4];

	house_open("", HOUSE_TABLES ", " HOUSE_HOOKS);
	talks[0] = talk_connect();
	talks[1] = talk_ready();
	talks[2] = talk_addressed();
	talks[3] = talk_addressed();
	talk_ask(talks[3], "DATA", "354");
	talk_say(talks[3], "Subject: half");
	loop_stop(house.loop);
	loop_join(house.loop);
	smtp_server_free(&house.server);
	ck_assert_uint_eq(smtp_sessions(), 0);
	ck_assert_int_eq(house.reserved, 0);
	ck_assert_uint_eq(message_budget_used(), 0);
	generation_install(NULL);
	generation_unref(&house.generation);
	generation_wait_gone(60000);
	loop_free(&house.loop);
	close(house.fd);
	clock_replace(NULL, NULL);
	for (int i = 0; i < 4; i++)
		talk_close(&talks[i]);
}
END_TEST

TEST_MAIN("smtp/server", listeners_that_cannot_work_are_refused_with_a_reason,
	a_listener_has_the_name_that_it_was_given_or_that_of_its_role,
	a_proxy_is_trusted_by_its_address, who_may_not_send_a_proxy_header_is_turned_away,
	there_are_no_more_sessions_than_max_sessions, descriptors_are_left_for_those_who_work,
	who_was_let_in_by_the_kernel_while_we_stop_is_told_so,
	a_server_may_be_told_to_stop_more_than_once,
	the_end_is_that_of_the_sessions_of_all_listeners,
	sessions_that_are_left_when_the_loop_has_stopped_go_with_their_server)
