/* SPDX-License-Identifier: MIT
 *
 * AUTH as a dialogue (RFC 4954): who may say what when, what every end of an exchange is
 * answered with, what a login allows, and what failures cost.
 */
#include "base/encode.h"
#include "host/metrics.h"
#include "tests/smtp/house.h"

static const struct tmail_str trusted[] = { TMAIL_STR("127.0.0.1") };
static const struct listen_settings clear = {
	.name = TMAIL_STR("mx"), .auth_clear = 1, .received_client = 1
};
static const struct listen_settings submission = {
	.name = TMAIL_STR("submission"), .role = ROLE_SUBMISSION, .auth_clear = 1
};
static const struct listen_settings proxied = { .name = TMAIL_STR("mx"),
	.proxy = 1,
	.proxy_from = TMAIL_LIST(trusted),
	.auth_clear = 1,
	.received_client = 1 };

#define QUICK "auth_delay = 0; "
#define MODULES HOUSE_TABLES ", " HOUSE_AUTH

/* "AUTH PLAIN " and the message. */
static void say_plain(struct talk *t, const char *login, const char *password)
{
	struct buf message = { 0 }, line = { 0 };

	buf_printf(&message, "%c%s%c%s", 0, login, 0, password);
	buf_add_c(&line, "AUTH PLAIN ");
	base64_encode(&line, buf_str(&message));
	buf_add_c(&line, "\r\n");
	talk_octets(t, line.data, line.len);
	buf_free(&message);
	buf_free(&line);
}
#define ask_plain(t, login, password, answer)                                                      \
	do {                                                                                       \
		say_plain(t, login, password);                                                     \
		talk_hear(t, answer);                                                              \
	} while (0)

static void say_coded(struct talk *t, const char *text)
{
	struct buf line = { 0 };

	base64_encode(&line, str_c(text));
	buf_add_c(&line, "\r\n");
	talk_octets(t, line.data, line.len);
	buf_free(&line);
}
#define ask_coded(t, text, answer)                                                                 \
	do {                                                                                       \
		say_coded(t, text);                                                                \
		talk_hear(t, answer);                                                              \
	} while (0)

static struct talk *talk_from(const char *address)
{
	struct talk *t = talk_connect();
	char line[128];

	snprintf(line, sizeof line, "PROXY TCP4 %s 192.0.2.1 4711 25\r\n", address);
	talk_say(t, line);
	talk_hear(t, "220");
	talk_ask(t, "EHLO client.test", "250");
	return t;
}

/* ---- what is offered --------------------------------------------------------------------- */

START_TEST(ehlo_names_what_may_be_used_on_this_connection)
{
	house_open_at("", MODULES, &clear);
	struct talk *t = talk_ready();
	ck_assert_ptr_nonnull(strstr(t->last, "250-AUTH TWO-STEPS LOST PLAIN LOGIN\r\n"));
	talk_close(&t);
	house_close();
	house_open("", MODULES);
	t = talk_ready();
	ck_assert_ptr_nonnull(strstr(t->last, "250-AUTH TWO-STEPS LOST\r\n"));
	talk_ask(t, "AUTH PLAIN AGEAYg==", "538 5.7.11");
	talk_ask(t, "AUTH login", "538 5.7.11");
	talk_ask(t, "AUTH TWO-STEPS-PLUS", "504 5.5.4"); /* there is nothing to bind to */
	talk_ask(t, "AUTH TWO-STEPS", "334 d2hvPw==");
	talk_close(&t);
	ck_assert_uint_eq(house_verified, 0);
	house_close();
}
END_TEST

START_TEST(a_module_is_asked_on_its_listeners_only)
{
	house_open_at(
		"", HOUSE_TABLES ", { module = \"test/auth\"; when = [ \"other\" ]; }", &clear);
	struct talk *t = talk_ready();
	ck_assert_ptr_null(strstr(t->last, "AUTH"));
	talk_ask(t, "AUTH PLAIN AGEAYg==", "502 5.5.1");
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(what_is_no_auth_command_is_refused)
{
	static const char *const lines[][2] = {
		{ "AUTH", "501 5.5.4" },
		{ "AUTH PLAIN AGEAYg== x", "501 5.5.4" },
		{ "AUTH PLA!N", "501 5.5.4" },
		{ "AUTH ABCDEFGHIJKLMNOPQRSTU", "501 5.5.4" },
		{ "AUTH GSSAPI", "504 5.5.4" },
		{ "AUTH PLAIN !!!!", "501 5.5.2" },
		{ "AUTH PLAIN AGEAYg", "501 5.5.2" },
		{ "AUTH PLAIN =", "501 5.5.2" },
		{ "AUTH PLAIN Zm9v", "501 5.5.2" },     /* no NULs */
		{ "AUTH PLAIN AABi", "501 5.5.2" },     /* no login */
		{ "AUTH PLAIN AGEA", "501 5.5.2" },     /* no password */
		{ "AUTH PLAIN AGEAYgBj", "501 5.5.2" }, /* one NUL more */
		{ "NOOP", "250" },
	};

	house_open_at(QUICK "max_errors = 0;", MODULES, &clear);
	struct talk *t = talk_ready();
	TALK_LINES(t, lines);
	talk_close(&t);
	ck_assert_uint_eq(house_verified, 0);
	house_close();
}
END_TEST

START_TEST(auth_has_its_place_in_a_session)
{
	house_open_at(QUICK, MODULES, &clear);
	struct talk *t = talk_open();
	talk_ask(t, "AUTH PLAIN AGEAYg==", "503 5.5.1");
	talk_ask(t, "HELO client.test", "250");
	talk_ask(t, "AUTH PLAIN AGEAYg==", "503 5.5.1");
	talk_ask(t, "EHLO client.test", "250");
	talk_ask(t, "MAIL FROM:<a@b.test>", "250");
	talk_ask(t, "AUTH PLAIN AGEAYg==", "503 5.5.1");
	talk_ask(t, "RCPT TO:<a@remote.test>", "250");
	talk_ask(t, "AUTH PLAIN AGEAYg==", "503 5.5.1");
	talk_ask(t, "RSET", "250");
	ask_plain(t, "guest", "secret", "235 2.7.0");
	ask_plain(t, "guest", "secret", "503 5.5.1");
	talk_ask(t, "EHLO again.test", "250");
	ask_plain(t, "guest", "secret", "503 5.5.1");
	talk_close(&t);
	ck_assert_uint_eq(house_verified, 1);
	house_close();
}
END_TEST

/* ---- the dialogue ------------------------------------------------------------------------ */

START_TEST(plain_and_login_are_heard_in_every_form)
{
	house_open_at(QUICK "max_auth_errors = 0;", MODULES, &clear);
	struct talk *t = talk_ready();
	talk_ask(t, "AUTH PLAIN", "334 \r\n");
	talk_ask(t, "AHVzZXJAbG9jYWwudGVzdABzZWNyZXQ=", "235 2.7.0");
	talk_close(&t);
	t = talk_ready();
	talk_ask(t, "auth login", "334 VXNlcm5hbWU6\r\n");
	ask_coded(t, "guest", "334 UGFzc3dvcmQ6\r\n");
	ask_coded(t, "wrong", "535 5.7.8");
	talk_ask(t, "AUTH LOGIN Z3Vlc3Q=", "334 UGFzc3dvcmQ6\r\n");
	ask_coded(t, "secret", "235 2.7.0");
	talk_close(&t);
	t = talk_ready();
	talk_ask(t, "AUTH LOGIN", "334");
	talk_ask(t, "", "501 5.5.2"); /* no login */
	talk_ask(t, "AUTH LOGIN", "334");
	ask_coded(t, "guest", "334");
	talk_ask(t, "", "501 5.5.2"); /* no password */
	/* To act for somebody else is not for these. */
	talk_ask(t, "AUTH PLAIN b3RoZXIAZ3Vlc3QAc2VjcmV0", "535 5.7.8");
	talk_ask(t, "AUTH PLAIN Z3Vlc3QAZ3Vlc3QAc2VjcmV0", "235 2.7.0");
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(an_exchange_may_end_in_words_for_the_client)
{
	house_open(QUICK "max_auth_errors = 0;", MODULES);
	struct talk *t = talk_ready();
	talk_ask(t, "AUTH TWO-STEPS", "334 d2hvPw==");
	ask_coded(t, "guest", "334 c3VyZT8=");
	ask_coded(t, "yes", "334 Z29vZA==");
	talk_ask(t, "NOOP", "501 5.5.2"); /* not a command here, nor the empty line that is due */
	talk_ask(t, "MAIL FROM:<a@b.test>", "250");
	talk_ask(t, "RSET", "250");
	talk_ask(t, "AUTH TWO-STEPS Z3Vlc3Q=", "334 c3VyZT8=");
	ask_coded(t, "no", "535 5.7.8");
	talk_ask(t, "AUTH TWO-STEPS Z3Vlc3Q=", "334 c3VyZT8=");
	ask_coded(t, "yes", "334 Z29vZA==");
	talk_ask(t, "*", "501 5.7.0");
	talk_ask(t, "AUTH TWO-STEPS Z3Vlc3Q=", "334 c3VyZT8=");
	ask_coded(t, "yes", "334 Z29vZA==");
	talk_ask(t, "", "235 2.7.0");
	talk_ask(t, "AUTH TWO-STEPS", "503 5.5.1");
	talk_close(&t);
	ck_assert_uint_eq(house_forgotten, 0); /* each of them came to its end */
	house_close();
}
END_TEST

START_TEST(an_exchange_may_be_given_up_at_any_line)
{
	house_open_at(QUICK "max_errors = 0;", MODULES, &clear);
	struct talk *t = talk_ready();
	static const char *const lines[][2] = {
		{ "AUTH PLAIN", "334" },
		{ "*", "501 5.7.0" },
		{ "AUTH LOGIN", "334" },
		{ "*", "501 5.7.0" },
		{ "AUTH TWO-STEPS", "334" },
		{ "*", "501 5.7.0" },
		{ "AUTH TWO-STEPS", "334" },
		{ "Z3Vlc3Q=", "334" },
		{ "*", "501 5.7.0" },
		{ "AUTH TWO-STEPS", "334" },
		{ "Z3Vlc3Q", "501 5.5.2" },
		{ "AUTH TWO-STEPS", "334" },
		{ "QUIT now", "501 5.5.2" },
		{ "NOOP", "250" },
	};
	TALK_LINES(t, lines);
	ck_assert_uint_eq(house_forgotten, 4);
	talk_ask(t, "AUTH TWO-STEPS", "334");
	talk_close(&t); /* in the middle */
	ck_assert_uint_eq(house_verified, 0);
	house_close();
}
END_TEST

static void say_many(struct talk *t, size_t octets)
{
	char *line = must_alloc(octets);

	memset(line, 'A', octets);
	talk_octets(t, line, octets);
	free(line);
}

START_TEST(a_line_of_an_exchange_has_its_own_limit)
{
	house_open_at(QUICK, MODULES, &clear);
	struct talk *t = talk_ready();
	talk_ask(t, "AUTH TWO-STEPS", "334");
	say_many(t, 12286 - 2); /* with its CRLF what is allowed, and of base64's length */
	talk_say(t, "==\r\n");
	talk_hear(t, "501 5.5.2"); /* bits that stand for nothing */
	talk_ask(t, "AUTH TWO-STEPS", "334");
	say_many(t, 12284);
	talk_say(t, "\r\n");
	talk_hear(t, "334");
	talk_ask(t, "*", "501 5.7.0");
	talk_ask(t, "AUTH TWO-STEPS", "334");
	say_many(t, 12287);
	talk_say(t, "\r\n");
	talk_hear(t, "500 5.5.6");
	talk_ask(t, "AUTH TWO-STEPS", "334");
	say_many(t, 60000);
	talk_say(t, "\r\nNOOP\r\n");
	talk_hear(t, "500 5.5.6");
	talk_hear(t, "250");
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(what_cannot_be_said_now_is_no_failure)
{
	house_open_at("max_auth_errors = 1;", MODULES, &clear);
	struct talk *t = talk_ready();
	ask_plain(t, "later", "secret", "454 4.7.0");
	ask_plain(t, "later", "secret", "454 4.7.0");
	ask_plain(t, "guest", "secret", "235 2.7.0");
	talk_close(&t);
	house_close();
}
END_TEST

/* The service may still be at it: a second exchange beside it would meet its state. */
START_TEST(an_exchange_that_is_lost_ends_the_session)
{
	house_open("", HOUSE_TABLES ", { module = \"test/auth\"; timeout = \"1s\"; }");
	struct talk *t = talk_ready();
	talk_say(t, "AUTH LOST\r\n");
	while (!house_lost)
		sched_yield();
	house_later(2000);
	talk_hear(t, "421 4.7.0");
	talk_hear_end(t);
	talk_close(&t);
	ck_assert_int_eq(house_lost->host->resume(house_lost, TMAIL_OK), TMAIL_LATE);
	house_close();
}
END_TEST

/* ---- what a login is worth --------------------------------------------------------------- */

static enum tmail_verdict hook_auth(struct tmail_call *call, const union tmail_event *event)
{
	if (call->point != TMAIL_POINT_AUTH)
		return TMAIL_CONTINUE;
	ck_assert(str_equal(str_tm(event->auth.mechanism), STR("PLAIN")));
	ck_assert(!(call->client->flags & TMAIL_CLIENT_AUTHENTICATED));
	if (!str_equal(str_tm(event->auth.login), STR("guest")))
		return TMAIL_CONTINUE;
	call->host->reply(call, 535, "5.7.8", "Not at this hour");
	return TMAIL_REJECT;
}

START_TEST(a_module_may_refuse_who_was_found_to_be_somebody)
{
	house_hook = hook_auth;
	house_open_at("max_auth_errors = 0;", MODULES ", " HOUSE_HOOKS, &submission);
	struct talk *t = talk_ready();
	ask_plain(t, "guest", "secret", "535 5.7.8 Not at this hour");
	talk_ask(t, "MAIL FROM:<a@b.test>", "530 5.7.0");
	ask_plain(t, "user@local.test", "secret", "235");
	talk_ask(t, "MAIL FROM:<a@b.test>", "250");
	talk_close(&t);
	house_close();
}
END_TEST

static struct tmail_call *_Atomic parked;
static enum tmail_verdict hook_wait(struct tmail_call *call, const union tmail_event *event)
{
	(void)event;
	if (call->point != TMAIL_POINT_AUTH)
		return TMAIL_CONTINUE;
	parked = call;
	return TMAIL_WAIT;
}

START_TEST(a_module_may_think_about_it)
{
	house_hook = hook_wait;
	house_open_at("", MODULES ", " HOUSE_WAITING, &clear);
	struct talk *t = talk_ready();
	say_plain(t, "guest", "secret");
	while (!parked)
		sched_yield();
	parked->host->resume(parked, TMAIL_CONTINUE);
	talk_hear(t, "235");
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(a_login_relays_if_it_has_the_right)
{
	house_open_at("", MODULES, &clear);
	struct talk *t = talk_ready();
	ask_plain(t, "guest", "secret", "235");
	talk_ask(t, "MAIL FROM:<a@b.test>", "250");
	talk_ask(t, "RCPT TO:<a@remote.test>", "250");
	talk_ask(t, "RCPT TO:<a@elsewhere.test>", "554 5.7.1");
	talk_close(&t);
	t = talk_ready();
	ask_plain(t, "user@local.test", "secret", "235");
	for (int i = 0; i < 2; i++) {
		talk_ask(t, "MAIL FROM:<a@b.test> AUTH=joe+40b.test", "250");
		talk_ask(t, "RCPT TO:<a@elsewhere.test>", "250");
		talk_ask(t, "DATA", "354");
		talk_ask(t, "Subject: x\r\n\r\nx\r\n.", "250");
	}
	talk_close(&t);
	ck_assert_uint_eq(house.kept_count, 2);
	ck_assert_str_eq(house.kept[1].login, "user@local.test");
	ck_assert_str_eq(house.kept[1].auth, "joe@b.test");
	ck_assert_ptr_nonnull(strstr(house.kept[1].trace, " with ESMTPA id "));
	ck_assert_ptr_nonnull(strstr(house.kept[1].trace, "from client.test ([127.0.0.1])"));
	ck_assert_ptr_null(strstr(house.kept[1].trace, "user@local.test"));
	ck_assert_ptr_nonnull(strstr(house.kept[1].content, "Message-ID: <"));
	ck_assert_ptr_nonnull(strstr(house.kept[1].content, "Date: "));
	house_close();
}
END_TEST

START_TEST(where_a_client_is_can_be_kept_from_the_world)
{
	house_open_at("received_login = true;", MODULES, &submission);
	struct talk *t = talk_ready();
	ask_plain(t, "user@local.test", "secret", "235");
	talk_ask(t, "MAIL FROM:<a@b.test>", "250");
	talk_ask(t, "RCPT TO:<a@elsewhere.test>", "250");
	talk_ask(t, "DATA", "354");
	talk_ask(t, "Subject: x\r\n\r\nx\r\n.", "250");
	talk_close(&t);
	ck_assert_ptr_null(strstr(house.kept[0].trace, "127.0.0.1"));
	ck_assert_ptr_null(strstr(house.kept[0].trace, "client.test"));
	ck_assert_ptr_nonnull(strstr(house.kept[0].trace, "(authenticated as user@local.test)"));
	house_close();
}
END_TEST

START_TEST(who_submitted_it_is_believed_of_logins_only)
{
	house_open_at("", MODULES, &clear);
	struct talk *t = talk_ready();
	talk_ask(t, "MAIL FROM:<a@b.test> AUTH=joe+4", "501 5.5.4");
	talk_ask(t, "MAIL FROM:<a@b.test> AUTH=<>", "250");
	talk_ask(t, "RSET", "250");
	talk_ask(t, "MAIL FROM:<a@b.test> AUTH=joe@b.test", "250");
	talk_ask(t, "RCPT TO:<a@remote.test>", "250");
	talk_ask(t, "DATA", "354");
	talk_ask(t, "Subject: x\r\n\r\nx\r\n.", "250");
	talk_close(&t);
	ck_assert_ptr_null(house.kept[0].auth);
	ck_assert_str_eq(house.kept[0].login, "");
	house_close();
}
END_TEST

START_TEST(a_sender_can_be_bound_to_the_login)
{
	house_open_at("sender_login = \"match\";", MODULES, &clear);
	struct talk *t = talk_ready();
	talk_ask(t, "MAIL FROM:<any@b.test>", "250"); /* of who is not logged in */
	talk_ask(t, "RSET", "250");
	ask_plain(t, "user@local.test", "secret", "235");
	talk_ask(t, "MAIL FROM:<other@local.test>", "553 5.7.1");
	talk_ask(t, "RCPT TO:<a@remote.test>", "503");
	talk_ask(t, "MAIL FROM:<User@LOCAL.test>", "250");
	talk_ask(t, "RSET", "250");
	talk_ask(t, "MAIL FROM:<>", "250");
	talk_close(&t);
	house_close();
	house_open_at("sender_login = \"table\";", MODULES, &clear);
	t = talk_ready();
	ask_plain(t, "guest", "secret", "235");
	talk_ask(t, "MAIL FROM:<nobody@local.test>", "553 5.7.1");
	talk_ask(t, "MAIL FROM:<later@local.test>", "451 4.3.0");
	talk_ask(t, "MAIL FROM:<other@local.test>", "250");
	talk_ask(t, "RSET", "250");
	talk_ask(t, "MAIL FROM:<other@local.test>", "250"); /* from memory */
	talk_close(&t);
	house_close();
}
END_TEST

/* ---- what failures cost ------------------------------------------------------------------ */

START_TEST(failures_are_alike_and_end_the_session)
{
	char first[sizeof((struct talk *)NULL)->last];
	int64_t failed = metric_get(METRIC_logins_failed), most = metric_get(METRIC_limit_errors);

	house_open_at(QUICK, MODULES, &clear);
	struct talk *t = talk_ready();
	ask_plain(t, "guest", "wrong", "535 5.7.8");
	memcpy(first, t->last, sizeof first);
	ask_plain(t, "nobody", "secret", "535 5.7.8");
	ck_assert_str_eq(t->last, first);
	talk_ask(t, "AUTH LOGIN bm9ib2R5", "334");
	ask_coded(t, "secret", "535 5.7.8");
	ck_assert_str_eq(t->last, first);
	talk_hear(t, "421 4.7.0");
	talk_hear_end(t);
	talk_close(&t);
	ck_assert_int_eq(metric_get(METRIC_logins_failed), failed + 3);
	ck_assert_int_eq(metric_get(METRIC_limit_errors), most + 1);
	house_close();
}
END_TEST

static void nothing(void)
{
}

/* Until so many more have failed, and the last one's answer is being held back. */
static int64_t failed_before;
static void failed(unsigned count)
{
	while (metric_get(METRIC_logins_failed) < failed_before + count)
		sched_yield();
	house_on_loop(nothing);
}

static bool says_nothing(struct talk *t)
{
	struct pollfd p = { .fd = t->fd, .events = POLLIN };

	return poll(&p, 1, 50) == 0;
}

START_TEST(failures_take_longer_and_longer)
{
	failed_before = metric_get(METRIC_logins_failed);
	house_open_at("max_auth_errors = 0; auth_delay = \"60s\";", MODULES, &clear);
	struct talk *t = talk_ready();
	say_plain(t, "guest", "wrong");
	talk_say(t, "NOOP\r\n"); /* is not read meanwhile */
	failed(1);
	house_later(59000);
	ck_assert(says_nothing(t));
	house_later(1500);
	talk_hear(t, "535");
	talk_hear(t, "250");
	say_plain(t, "guest", "wrong");
	failed(2);
	house_later(119000);
	ck_assert(says_nothing(t));
	house_later(1500);
	talk_hear(t, "535");
	say_plain(t, "guest", "secret");
	talk_hear(t, "235"); /* the right one never waits */
	talk_close(&t);
	t = talk_ready();
	say_plain(t, "guest", "wrong");
	failed(3);
	talk_close(&t); /* and who leaves is not kept */
	house_close();
}
END_TEST

START_TEST(an_address_that_failed_too_often_is_looked_at_no_more)
{
	house_open_at(
		QUICK "max_auth_errors = 0; max_auth_failures_address = 3;", MODULES, &proxied);
	struct talk *t = talk_from("203.0.113.7");
	for (int i = 0; i < 3; i++)
		ask_plain(t, "guest", "wrong", "535 5.7.8");
	ask_plain(t, "guest", "secret", "454 4.7.0 Too many");
	talk_ask(t, "AUTH TWO-STEPS", "454 4.7.0");
	talk_close(&t);
	ck_assert_uint_eq(house_verified, 3);
	t = talk_from("203.0.113.8");
	ask_plain(t, "guest", "secret", "235");
	talk_close(&t);
	house_later(21 * 60 * 1000); /* one is given back */
	t = talk_from("203.0.113.7");
	ask_plain(t, "guest", "secret", "235");
	talk_close(&t);
	house_close();
}
END_TEST

/* Of an exchange the login is known at its end only; then it counts as much. */
START_TEST(a_login_that_failed_too_often_fails_for_strangers_alone)
{
	house_open_at(QUICK "max_auth_errors = 0; max_auth_failures_login = 2;", MODULES, &proxied);
	struct talk *t = talk_from("203.0.113.1");
	ask_plain(t, "guest", "secret", "235");
	talk_close(&t);
	t = talk_from("203.0.113.2");
	ask_plain(t, "GUEST", "wrong", "535");
	talk_ask(t, "AUTH TWO-STEPS Z3Vlc3Q=", "334");
	ask_coded(t, "no", "535");
	ask_plain(t, "guest", "secret", "454 4.7.0");
	talk_ask(t, "AUTH TWO-STEPS Z3Vlc3Q=", "334");
	ask_coded(t, "yes", "454 4.7.0");
	ask_plain(t, "user@local.test", "secret", "235");
	talk_close(&t);
	t = talk_from("203.0.113.1"); /* where it has succeeded before */
	ask_plain(t, "guest", "secret", "235");
	talk_close(&t);
	house_close();
}
END_TEST

/* ---- whose turn it is -------------------------------------------------------------------- */

START_TEST(those_without_failures_go_first)
{
	struct talk *bad[4], *good, *last;
	struct str order;

	house_open_at(QUICK "max_auth_errors = 0; auth_parallel = 1;", MODULES, &proxied);
	struct talk *t = talk_from("203.0.113.1");
	ask_plain(t, "guest", "wrong", "535");
	ask_plain(t, "guest", "wrong", "535");
	house_auth_hold(true);
	say_plain(t, "first", "wrong");
	house_auth_seen(3);
	for (int i = 0; i < 4; i++) {
		bad[i] = talk_from("203.0.113.1");
		say_plain(bad[i], "bad", "wrong");
	}
	good = talk_from("203.0.113.2");
	say_plain(good, "guest", "secret");
	last = talk_from("203.0.113.3"); /* all of them were heard */
	house_auth_hold(false);
	talk_hear(good, "235");
	for (int i = 0; i < 4; i++) {
		talk_hear(bad[i], "535");
		talk_close(&bad[i]);
	}
	talk_hear(t, "535");
	talk_close(&t);
	talk_close(&good);
	talk_close(&last);
	order = buf_str(&house_auth.logins);
	ck_assert_msg(str_equal(order, STR("guest guest first guest bad bad bad bad ")), "%.*s",
		STR_ARG(order));
	ck_assert_uint_eq(house_verifying_most, 1);
	house_close();
}
END_TEST

START_TEST(who_leaves_before_its_turn_is_not_looked_at)
{
	house_open_at(QUICK "auth_parallel = 1;", MODULES, &proxied);
	struct talk *t = talk_from("203.0.113.1"), *leaves, *stays;
	const struct linger at_once = { 1, 0 };

	house_auth_hold(true);
	say_plain(t, "first", "wrong");
	house_auth_seen(1);
	leaves = talk_from("203.0.113.2");
	say_plain(leaves, "leaves", "wrong");
	stays = talk_from("203.0.113.3");
	talk_close(&leaves);
	say_plain(stays, "guest", "secret");
	while (smtp_sessions() > 2)
		sched_yield();
	setsockopt(t->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	talk_close(&t); /* its check goes on, and holds its place until it is over */
	while (smtp_sessions() > 1)
		sched_yield();
	ck_assert(says_nothing(stays));
	house_auth_hold(false);
	talk_hear(stays, "235");
	talk_close(&stays);
	house_close();
	ck_assert_uint_eq(house_verifying, 0);
}
END_TEST

START_TEST(a_turn_that_does_not_come_is_waited_for_no_longer)
{
	house_open_at(QUICK "auth_parallel = 1;", MODULES, &proxied);
	struct talk *t = talk_from("203.0.113.1"), *waits = talk_from("203.0.113.2"), *last;
	house_auth_hold(true);
	say_plain(t, "first", "wrong");
	house_auth_seen(1);
	say_plain(waits, "guest", "secret");
	last = talk_from("203.0.113.3");
	house_later(31000);
	talk_hear(waits, "454 4.7.0");
	house_auth_hold(false);
	ask_plain(waits, "guest", "secret", "235");
	talk_hear(t, "535");
	talk_close(&t);
	talk_close(&waits);
	talk_close(&last);
	house_close();
}
END_TEST

TEST_MAIN("smtp/verb_auth", ehlo_names_what_may_be_used_on_this_connection,
	a_module_is_asked_on_its_listeners_only, what_is_no_auth_command_is_refused,
	auth_has_its_place_in_a_session, plain_and_login_are_heard_in_every_form,
	an_exchange_may_end_in_words_for_the_client, an_exchange_may_be_given_up_at_any_line,
	a_line_of_an_exchange_has_its_own_limit, what_cannot_be_said_now_is_no_failure,
	an_exchange_that_is_lost_ends_the_session, a_module_may_refuse_who_was_found_to_be_somebody,
	a_module_may_think_about_it, a_login_relays_if_it_has_the_right,
	where_a_client_is_can_be_kept_from_the_world, who_submitted_it_is_believed_of_logins_only,
	a_sender_can_be_bound_to_the_login, failures_are_alike_and_end_the_session,
	failures_take_longer_and_longer, an_address_that_failed_too_often_is_looked_at_no_more,
	a_login_that_failed_too_often_fails_for_strangers_alone, those_without_failures_go_first,
	who_leaves_before_its_turn_is_not_looked_at,
	a_turn_that_does_not_come_is_waited_for_no_longer)
