/* SPDX-License-Identifier: MIT
 *
 * What the server listens on, and what a new configuration makes of it.
 */
#include "tests/daemon/serving.h"

#define ONE "listen = ( { address = \"127.0.0.1\"; port = 0; } );\n"
#define TWO                                                                                        \
	"listen = ( { address = \"127.0.0.1\"; port = 0; }, "                                      \
	"{ address = \"127.0.0.1\"; port = 0; role = \"submission\"; name = \"people\"; } );\n"

/* What is served, as `status` would say it: "mx 1234, submission 1235". */
struct served_list {
	unsigned port[8];
	char role[8][16];
	size_t count;
};

static void list_one(void *ctx, const char *address, const char *role)
{
	struct served_list *list = ctx;
	struct str text = str_c(address);

	ck_assert_uint_lt(list->count, 8);
	list->port[list->count] =
		(unsigned)strtol(address + str_find_last(text, ':') + 1, NULL, 10);
	snprintf(list->role[list->count++], 16, "%s", role);
}

static struct served_list listed(void)
{
	struct served_list list = { .count = 0 };

	listeners_each(list_one, &list);
	return list;
}

static struct why why;

/* A new configuration, over the sockets that the parent would give for it: the same where the
 * address is one that is served. */
static bool change(const char *text)
{
	struct problems problems = { 0 };
	struct conf *conf = conf_parse(str_c(text), "tmail.conf", &problems);
	const struct settings *settings = settings_read(conf, "tmail.conf", &problems);
	struct sockets old = { 0 }, given;
	bool ok;

	ck_assert_uint_eq(problems.count, 0);
	for (size_t i = 0; i < server.served_count; i++)
		if (!server.served[i].leaving)
			sockets_add(&old, server.served[i].socket.address,
				dup(server.served[i].socket.fd));
	ck_assert_msg(sockets_bind(&given, settings, &old, &why), "%s", why.text);
	ok = listeners_set(settings, &given, &why);
	sockets_free(&given);
	sockets_free(&old);
	conf_free(&conf);
	return ok;
}

static void check_greets(unsigned port)
{
	int fd = dial(port);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(reply_of(fd), 220);
	close(fd);
}

START_TEST(each_entry_is_served_and_known_by_its_real_port)
{
	struct served_list list;

	serving_begin(TWO);
	serving_listen();
	list = listed();
	ck_assert_uint_eq(list.count, 2);
	ck_assert_str_eq(list.role[0], "mx");
	ck_assert_str_eq(list.role[1], "submission");
	ck_assert_uint_ne(list.port[0], list.port[1]);
	check_greets(list.port[0]);
	check_greets(list.port[1]);
	serving_end();
}
END_TEST

START_TEST(what_is_the_same_goes_on_as_it_is)
{
	struct served_list before, after;
	struct smtp_server *first, *second;
	int fd;

	serving_begin(TWO);
	serving_listen();
	before = listed();
	first = server.served[0].smtp;
	second = server.served[1].smtp;
	fd = dial(before.port[0]);
	ck_assert_int_eq(reply_of(fd), 220);
	ck_assert_msg(change(TWO), "%s", why.text);
	after = listed();
	ck_assert_uint_eq(after.count, 2);
	ck_assert_uint_eq(server.served_count, 2);
	ck_assert_ptr_eq(server.served[0].smtp, first);
	ck_assert_ptr_eq(server.served[1].smtp, second);
	ck_assert_uint_eq(after.port[0], before.port[0]);
	ck_assert_uint_eq(after.port[1], before.port[1]);
	ck_assert_int_eq(send(fd, "NOOP\r\n", 6, 0), 6);
	ck_assert_int_eq(reply_of(fd), 250);
	close(fd);
	serving_end();
}
END_TEST

START_TEST(what_is_changed_is_another_listener_on_the_same_socket)
{
	static const char *const others[] = {
		"listen = ( { address = \"127.0.0.1\"; port = 0; role = \"submission\"; } );\n",
		"listen = ( { address = \"127.0.0.1\"; port = 0; role = \"submission\"; "
		"name = \"x\"; } );\n",
		"listen = ( { address = \"127.0.0.1\"; port = 0; proxy = true; "
		"proxy_from = [ \"127.0.0.1\" ]; } );\n",
		"listen = ( { address = \"127.0.0.1\"; port = 0; proxy = true; "
		"proxy_from = [ \"127.0.0.2\" ]; } );\n",
		ONE,
	};
	unsigned port;
	int fd;

	serving_begin(ONE);
	serving_listen();
	port = listed().port[0];
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		fd = i == 0 ? dial(port) : -1; /* a session without a transaction is sent away */
		ck_assert(i || reply_of(fd) == 220);
		ck_assert_msg(change(others[i]), "%s", why.text);
		ck_assert_uint_eq(listed().count, 1);
		ck_assert_uint_eq(listed().port[0], port);
		ck_assert_uint_eq(server.served_count, i + 2); /* the old ones finish */
		ck_assert(i || reply_of(fd) == 421);
		if (fd >= 0)
			close(fd);
	}
	check_greets(port);
	serving_end();
}
END_TEST

START_TEST(what_is_gone_is_no_longer_known_and_finishes)
{
	struct served_list before;
	int fd;

	serving_begin(TWO);
	serving_listen();
	before = listed();
	fd = dial(before.port[1]);
	ck_assert_int_eq(reply_of(fd), 220);
	ck_assert_msg(change(ONE), "%s", why.text);
	ck_assert_uint_eq(listed().count, 1);
	ck_assert_uint_eq(listed().port[0], before.port[0]);
	ck_assert_int_eq(reply_of(fd), 421);
	check_greets(before.port[0]);
	close(fd);
	serving_end();
}
END_TEST

START_TEST(what_is_new_is_served_beside_what_was)
{
	unsigned port;

	serving_begin(ONE);
	serving_listen();
	port = listed().port[0];
	ck_assert_msg(change(TWO), "%s", why.text);
	ck_assert_uint_eq(listed().count, 2);
	ck_assert_uint_eq(listed().port[0], port);
	check_greets(listed().port[1]);
	serving_end();
}
END_TEST

START_TEST(sockets_for_another_configuration_are_not_taken)
{
	struct problems problems = { 0 };
	struct conf *conf = conf_parse(STR(TWO), "tmail.conf", &problems);
	const struct settings *settings = settings_read(conf, "tmail.conf", &problems);
	struct sockets given, none = { 0 };

	serving_begin(ONE);
	serving_listen();
	ck_assert(!listeners_set(settings, &none, &why)); /* too few */
	ck_assert_ptr_nonnull(strstr(why.text, "changed while it was read"));
	serving_bind(settings, &given);
	snprintf(given.item[1].address, sizeof given.item[1].address, "127.0.0.1:1");
	ck_assert(!listeners_set(settings, &given, &why)); /* others */
	ck_assert_uint_eq(listed().count, 1);
	ck_assert_uint_eq(server.served_count, 1);
	check_greets(listed().port[0]);
	sockets_free(&given);
	conf_free(&conf);
	serving_end();
}
END_TEST

START_TEST(a_drain_sends_everybody_away_and_takes_nobody)
{
	int fd;

	serving_begin(TWO);
	serving_listen();
	fd = dial(listed().port[1]);
	ck_assert_int_eq(reply_of(fd), 220);
	listeners_drain();
	ck_assert_int_eq(reply_of(fd), 421);
	ck_assert_int_eq(reply_of(fd), 0);
	close(fd);
	serving_end();
}
END_TEST

START_TEST(an_address_this_server_listens_on_is_its_own)
{
	struct endpoint own = { 0 }, other;

	serving_begin(ONE);
	serving_listen();
	ck_assert(endpoint_of_socket(server.served[0].socket.fd, false, &own));
	ck_assert(endpoint_is_own(&own));
	other = own;
	other.port++;
	ck_assert(!endpoint_is_own(&other));
	ck_assert_msg(change("listen = ( { address = \"::1\"; port = 0; } );\n"), "%s", why.text);
	ck_assert(!endpoint_is_own(&own)); /* it leaves */
	serving_end();
}
END_TEST

TEST_MAIN("daemon/listeners", each_entry_is_served_and_known_by_its_real_port,
	what_is_the_same_goes_on_as_it_is, what_is_changed_is_another_listener_on_the_same_socket,
	what_is_gone_is_no_longer_known_and_finishes, what_is_new_is_served_beside_what_was,
	sockets_for_another_configuration_are_not_taken,
	a_drain_sends_everybody_away_and_takes_nobody, an_address_this_server_listens_on_is_its_own)
