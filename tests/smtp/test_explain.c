/* SPDX-License-Identifier: MIT
 *
 * What a session would say, asked before the fact.
 */
#include "smtp/explain.h"

#include "host/record.h"
#include "tests/smtp/house.h"

static char heard[4096]; /* "POINT by verdict text|" of each row */
static struct explain_end end;

static void row(void *ctx, const struct explain_row *r)
{
	size_t len = strlen(heard);

	(void)ctx;
	snprintf(heard + len, sizeof heard - len, "%s %s %d %.*s|", point_name(r->point),
		r->by              ? r->by
			: r->reply ? "reply"
				   : "core",
		r->verdict, STR_ARG(r->text));
}

static struct explain_asked asked(const char *ip, const char *sender, const char *recipient)
{
	struct explain_asked a = { .sender = str_c(sender), .recipient = str_c(recipient) };

	ck_assert(!*ip || ip_parse(str_c(ip), &a.ip));
	return a;
}

static void explain(const struct explain_asked *a)
{
	struct why why;

	heard[0] = '\0';
	ck_assert_msg(smtp_explain(house.generation, a, row, NULL, &end, &why), "%s", why.text);
}

#define ck_heard(part)                                                                             \
	ck_assert_msg(strstr(heard, (part)) != NULL, "no \"%s\" in %s", (part), heard)
#define ck_not_heard(part) ck_assert_msg(!strstr(heard, (part)), "\"%s\" in %s", (part), heard)

START_TEST(it_is_said_which_table_took_the_recipient)
{
	struct explain_asked a = asked("198.51.100.7", "from@sender.test", "to@remote.test");

	house_open("", HOUSE_TABLES);
	explain(&a);
	ck_assert(end.accepted && !end.relay);
	ck_heard("CONNECT reply 1 220 mx.test ");
	ck_heard("MAIL core 0 relayip: 198.51.100.7 is not there|MAIL reply 1 250 2.1.0");
	ck_heard("RCPT core 0 rcpthost: remote.test is there: remote|RCPT reply 1 250 2.1.5");
	a = asked("198.51.100.7", "from@sender.test", "to@elsewhere.test");
	explain(&a);
	ck_assert(!end.accepted);
	ck_heard("rcpthost: elsewhere.test is not there|RCPT reply 2 554 5.7.1");
	a = asked("203.0.113.9", "from@sender.test", "to@elsewhere.test");
	explain(&a);
	ck_assert(end.accepted);
	ck_assert(end.relay);
	ck_heard("relayip: 203.0.113.9 is there|");
	house_close();
}
END_TEST

START_TEST(a_table_that_cannot_be_asked_is_named)
{
	const struct explain_asked a = asked("198.51.100.7", "", "to@broken.test");

	house_open("", HOUSE_TABLES);
	explain(&a);
	ck_assert(!end.accepted);
	ck_heard("rcpthost: broken.test cannot be asked for now|RCPT reply 3 451");
	house_close();
}
END_TEST

START_TEST(who_is_logged_in_may_relay)
{
	struct explain_asked a = asked("198.51.100.7", "from@sender.test", "to@elsewhere.test");

	a.login = STR("joe@local.test");
	house_open("", HOUSE_TABLES);
	explain(&a);
	ck_assert(end.accepted);
	ck_heard("joe@local.test is logged in");
	house_close();
}
END_TEST

START_TEST(the_size_is_said_with_the_sender)
{
	struct explain_asked a = asked("", "from@sender.test", "to@remote.test");

	house_open("max_message_size = \"1M\";", HOUSE_TABLES);
	a.size = 2 * 1024 * 1024;
	explain(&a);
	ck_assert(!end.accepted);
	ck_heard("MAIL reply 2 552 5.3.4");
	ck_not_heard("|RCPT ");
	a.size = 1024;
	explain(&a);
	ck_assert(end.accepted);
	house_close();
}
END_TEST

static enum tmail_verdict refuse_sender(struct tmail_call *call, const union tmail_event *event)
{
	(void)event;
	return call->point == TMAIL_POINT_MAIL ? TMAIL_REJECT : TMAIL_CONTINUE;
}

/* The hooks of the house do not say TMAIL_DRY; these do. */
static enum tmail_verdict dry_hook(struct tmail_call *call, const union tmail_event *event)
{
	(void)event;
	ck_assert(call->dry);
	if (call->point != TMAIL_POINT_RCPT)
		return TMAIL_CONTINUE;
	call->host->reply(call, 450, "4.7.1", "come back");
	return TMAIL_TEMPFAIL;
}
static const struct tmail_hook dry_hooks[] = { { TMAIL_POINT_CONNECT, TMAIL_DRY, dry_hook },
	{ TMAIL_POINT_RCPT, TMAIL_DRY, dry_hook } };
static const struct tmail_module dry_module =
	HOUSE_MODULE("test/dry", .hooks = TMAIL_LIST(dry_hooks));

START_TEST(modules_that_honour_dry_are_asked_and_others_are_not)
{
	const struct explain_asked a = asked("198.51.100.7", "from@sender.test", "to@remote.test");
	unsigned before[TMAIL_POINTS];

	module_preload(&dry_module);
	house_hook = refuse_sender;
	house_open("", HOUSE_TABLES ", " HOUSE_HOOKS ", { module = \"test/dry\"; }");
	for (unsigned i = 0; i < TMAIL_POINTS; i++)
		before[i] = house_hooked[i];
	explain(&a);
	ck_assert(!end.accepted);
	ck_heard("CONNECT test/hooks -1 ");
	ck_heard("CONNECT test/dry 0 |CONNECT reply 1 220");
	ck_heard("MAIL test/hooks -1 ");
	ck_heard("MAIL reply 1 250");
	ck_heard("RCPT test/dry 3 450 come back|RCPT reply 3 450 4.7.1 come back|");
	for (unsigned i = 0; i < TMAIL_POINTS; i++) /* nor are they told of its end */
		ck_assert_uint_eq(house_hooked[i], before[i]);
	house_close();
}
END_TEST

START_TEST(nothing_of_it_is_kept_or_counted)
{
	const struct explain_asked a = asked("198.51.100.7", "from@sender.test", "to@remote.test");

	house_open(
		"max_sessions = 1; max_sessions_address = 1; max_rate_address = 1;", HOUSE_TABLES);
	for (unsigned i = 0; i < 5; i++) {
		explain(&a);
		ck_assert(end.accepted);
	}
	ck_assert_uint_eq(smtp_sessions(), 0);
	ck_assert_uint_eq(house.kept_count, 0);
	house_close(); /* and nothing is reserved */
}
END_TEST

START_TEST(a_listener_is_chosen_by_its_name_or_role)
{
	struct explain_asked a = asked("198.51.100.7", "from@sender.test", "to@remote.test");
	struct why why;

	house_open("", HOUSE_TABLES);
	a.listener = STR("MX");
	explain(&a);
	a.listener = STR("nowhere");
	ck_assert(!smtp_explain(house.generation, &a, row, NULL, &end, &why));
	ck_assert_str_eq(why.text, "there is no listener nowhere");
	house_close();
}
END_TEST

START_TEST(words_that_would_be_commands_are_refused)
{
	const struct explain_asked a = asked("", "from@sender.test>\r\nQUIT", "to@remote.test");
	struct why why;

	house_open("", HOUSE_TABLES);
	ck_assert(!smtp_explain(house.generation, &a, row, NULL, &end, &why));
	house_close();
}
END_TEST

TEST_MAIN("smtp/explain", it_is_said_which_table_took_the_recipient,
	a_table_that_cannot_be_asked_is_named, who_is_logged_in_may_relay,
	the_size_is_said_with_the_sender, modules_that_honour_dry_are_asked_and_others_are_not,
	nothing_of_it_is_kept_or_counted, a_listener_is_chosen_by_its_name_or_role,
	words_that_would_be_commands_are_refused)
