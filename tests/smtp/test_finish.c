/* SPDX-License-Identifier: MIT
 *
 * From the end of data to its reply: what modules say, at each point, and what the store says.
 */
#include "host/metrics.h"
#include "tests/smtp/modules.h"

static void message(struct talk *t, const char *answer)
{
	talk_ask(t, "MAIL FROM:<from@sender.test>", "250");
	talk_ask(t, "RCPT TO:<a@remote.test>", "250");
	talk_ask(t, "DATA", "354");
	talk_ask(t, "Subject: x\r\n\r\nbody\r\n.", "");
	ck_assert_msg(strncmp(t->last, answer, strlen(answer)) == 0, "%s, not %s", t->last, answer);
}

START_TEST(modules_may_refuse_at_every_point_in_their_own_words)
{
	house_open("", HOUSE_TABLES ", " HOUSE_HOOKS);
	struct talk *t = talk_open();
	modules_say(TMAIL_POINT_HELO, TMAIL_REJECT, 550, "5.7.1", "not that name");
	talk_ask(t, "EHLO bad.test", "550 5.7.1 not that name\r\n");
	modules_say(TMAIL_POINT_MAIL, TMAIL_TEMPFAIL, 451, "4.7.1", "not now");
	talk_ask(t, "EHLO good.test", "250");
	talk_ask(t, "MAIL FROM:<a@b.test>", "451 4.7.1 not now\r\n");
	ck_assert_uint_eq(house_hooked[TMAIL_POINT_RESET], 1);
	talk_ask(t, "RCPT TO:<a@remote.test>", "503");
	modules_say(TMAIL_POINT_RCPT, TMAIL_REJECT, 0, NULL, NULL);
	talk_ask(t, "MAIL FROM:<a@b.test>", "250");
	talk_ask(t, "RCPT TO:<a@remote.test>", "5");
	talk_ask(t, "DATA", "554 5.5.1 No valid recipients");
	modules_say(TMAIL_POINT_DATA, TMAIL_TEMPFAIL, 450, "4.2.0", "busy");
	talk_ask(t, "RCPT TO:<a@remote.test>", "250");
	talk_ask(t, "DATA", "450 4.2.0 busy\r\n");
	talk_ask(t, "RCPT TO:<a@remote.test>", "503");
	modules_say(TMAIL_POINT_EOM, TMAIL_REJECT, 554, "5.7.1", "spam");
	message(t, "554 5.7.1 spam\r\n");
	ck_assert_uint_eq(house_hooked[TMAIL_POINT_RESET], 1);
	ck_assert_uint_eq(house_hooked[TMAIL_POINT_QUEUED], 0);
	modules_say(TMAIL_POINT_EOM, TMAIL_CONTINUE, 0, NULL, NULL);
	message(t, "250 2.0.0 Ok: queued");
	ck_assert_uint_eq(house_hooked[TMAIL_POINT_RESET], 0);
	ck_assert_uint_eq(house_hooked[TMAIL_POINT_QUEUED], 1);
	talk_close(&t);
	house_close();
	ck_assert_uint_eq(house_hooked[TMAIL_POINT_DISCONNECT], 1);
}
END_TEST

START_TEST(a_refused_chunk_is_swallowed_before_the_module_s_words)
{
	house_open("", HOUSE_TABLES ", " HOUSE_HOOKS);
	modules_say(TMAIL_POINT_DATA, TMAIL_REJECT, 550, "5.7.0", "no content");
	struct talk *t = talk_addressed();
	talk_say(t, "BDAT 6\r\nNOOP\r\nBDAT 6 LAST\r\nNOOP\r\nNOOP\r\n");
	talk_hear(t, "550 5.7.0 no content");
	talk_hear(t, "503 5.5.1");
	talk_hear(t, "250 2.0.0 Ok");
	talk_close(&t);
	house_close();
}
END_TEST

static void closes_behind(enum tmail_verdict verdict, unsigned code, const char *answer)
{
	static const enum tmail_point points[] = { TMAIL_POINT_MAIL, TMAIL_POINT_RCPT,
		TMAIL_POINT_DATA, TMAIL_POINT_EOM };

	for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
		modules_say(points[i], verdict, code, NULL, "go away");
		struct talk *t = talk_ready();
		talk_say(t, "MAIL FROM:<>\r\nRCPT TO:<a@remote.test>\r\nDATA\r\n");
		for (size_t heard = 0; heard < i; heard++)
			talk_hear(t, heard == 2 ? "354" : "250");
		if (points[i] == TMAIL_POINT_EOM)
			talk_say(t, ".\r\n");
		talk_hear(t, answer);
		talk_hear_end(t);
		talk_close(&t);
	}
}

START_TEST(a_421_or_521_of_a_module_ends_the_session)
{
	house_open("", HOUSE_TABLES ", " HOUSE_HOOKS);
	closes_behind(TMAIL_TEMPFAIL, 421, "421 4.7.1 go away");
	closes_behind(TMAIL_REJECT, 521, "521 5.7.1 go away");
	house_close();
}
END_TEST

START_TEST(discarded_mail_is_said_yes_to_and_not_kept)
{
	static const enum tmail_point points[] = { TMAIL_POINT_MAIL, TMAIL_POINT_RCPT,
		TMAIL_POINT_DATA, TMAIL_POINT_EOM };

	house_open("", HOUSE_TABLES ", " HOUSE_HOOKS);
	struct talk *t = talk_ready();
	for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
		modules_say(points[i], TMAIL_DISCARD, 0, NULL, NULL);
		message(t, "250 2.0.0 Ok: queued");
		ck_assert_uint_eq(house_hooked[TMAIL_POINT_QUEUED], 0);
	}
	ck_assert_uint_eq(house.kept_count, 0);
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(held_mail_is_kept_with_its_reason)
{
	house_open("", HOUSE_TABLES ", " HOUSE_HOOKS);
	modules_say_all(
		(struct said){ .at = TMAIL_POINT_EOM, .verdict = TMAIL_HOLD, .hold = "looks odd" });
	struct talk *t = talk_ready();
	message(t, "250 2.0.0 Ok: queued");
	ck_assert_str_eq(house.kept[0].hold, "looks odd");
	talk_close(&t);
	house_close();
}
END_TEST

static enum tmail_verdict edit_it(struct tmail_call *call, const union tmail_event *event)
{
	struct tmail_str body = TMAIL_STR("another body\r\n");

	(void)event;
	if (call->point != TMAIL_POINT_EOM)
		return TMAIL_CONTINUE;
	call->host->edit->header_insert(call, 0, (struct tmail_str)TMAIL_STR("X-Seen"),
		(struct tmail_str)TMAIL_STR(" yes"));
	call->host->edit->body_replace(call, body);
	return TMAIL_CONTINUE;
}

START_TEST(what_modules_change_is_what_is_kept_under_our_trace)
{
	house_open("", HOUSE_TABLES ", " HOUSE_HOOKS);
	house_hook = edit_it;
	struct talk *t = talk_ready();
	message(t, "250 2.0.0 Ok: queued");
	ck_assert_str_eq(
		house.kept[0].content, "X-Seen: yes\r\nSubject: x\r\n\r\nanother body\r\n");
	ck_assert_int_eq(strncmp(house.kept[0].trace, "Received: ", 10), 0);
	talk_close(&t);
	house_close();
}
END_TEST

/* ---- recipients apart -------------------------------------------------------------------- */

static enum tmail_verdict apart[4];

static enum tmail_verdict say_apart(struct tmail_call *call, const union tmail_event *event)
{
	struct tmail_str e5 = TMAIL_STR("5.2.1"), e4 = TMAIL_STR("4.2.1"),
			 why = TMAIL_STR("not to you");

	(void)event;
	if (call->point != TMAIL_POINT_EOM)
		return TMAIL_CONTINUE;
	for (uint32_t i = 0; i < call->envelope->recipients.count; i++)
		if (apart[i] != TMAIL_CONTINUE)
			call->host->edit->recipient_verdict(call, i, apart[i],
				apart[i] == TMAIL_REJECT ? 550 : 450,
				apart[i] == TMAIL_REJECT ? e5 : e4, why);
	return TMAIL_CONTINUE;
}

static void three(struct talk *t, enum tmail_verdict a, enum tmail_verdict b, enum tmail_verdict c,
	const char *answer)
{
	apart[0] = a;
	apart[1] = b;
	apart[2] = c;
	house_hook = say_apart;
	talk_ask(t, "MAIL FROM:<from@sender.test>", "250");
	talk_ask(t, "RCPT TO:<a@remote.test>", "250");
	talk_ask(t, "RCPT TO:<b@remote.test>", "250");
	talk_ask(t, "RCPT TO:<c@remote.test>", "250");
	talk_ask(t, "BDAT 14 LAST\r\nSubject: x\r\n", answer);
}

START_TEST(recipients_may_be_refused_apart_and_strangers_are_not_answered_with_mail)
{
	house_open("", HOUSE_TABLES ", " HOUSE_HOOKS);
	struct talk *t = talk_ready();
	three(t, TMAIL_CONTINUE, TMAIL_REJECT, TMAIL_CONTINUE, "250 2.0.0 Ok: queued");
	ck_assert_str_eq(house.kept[0].recipients, "a@remote.test c@remote.test");
	ck_assert_str_eq(house.kept[0].refused, "");
	three(t, TMAIL_REJECT, TMAIL_CONTINUE, TMAIL_REJECT, "250 2.0.0 Ok: queued");
	ck_assert_str_eq(house.kept[1].recipients, "b@remote.test");
	three(t, TMAIL_REJECT, TMAIL_REJECT, TMAIL_REJECT, "550 5.2.1 not to you\r\n");
	three(t, TMAIL_CONTINUE, TMAIL_TEMPFAIL, TMAIL_REJECT, "450 4.2.1 not to you\r\n");
	talk_ask(t, "NOOP", "250");
	ck_assert_uint_eq(house.kept_count, 2);
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(recipients_that_are_discarded_are_nobody_s_business)
{
	house_open("", HOUSE_TABLES ", " HOUSE_HOOKS);
	struct talk *t = talk_ready();
	three(t, TMAIL_DISCARD, TMAIL_CONTINUE, TMAIL_DISCARD, "250 2.0.0 Ok: queued");
	ck_assert_str_eq(house.kept[0].recipients, "b@remote.test");
	three(t, TMAIL_REJECT, TMAIL_DISCARD, TMAIL_REJECT, "550 5.2.1 not to you\r\n");
	three(t, TMAIL_DISCARD, TMAIL_DISCARD, TMAIL_DISCARD, "250 2.0.0 Ok: queued");
	ck_assert_uint_eq(house.kept_count, 1);
	ck_assert_int_eq(metric_get(METRIC_discarded), 1);
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(a_recipient_that_two_modules_refuse_is_one_recipient)
{
	house_open(
		"", HOUSE_TABLES ", " HOUSE_HOOKS ", { module = \"test/hooks\"; name = \"two\"; }");
	struct talk *t = talk_ready();
	three(t, TMAIL_REJECT, TMAIL_REJECT, TMAIL_CONTINUE, "250 2.0.0 Ok: queued");
	ck_assert_str_eq(house.kept[0].recipients, "c@remote.test");
	three(t, TMAIL_REJECT, TMAIL_REJECT, TMAIL_REJECT, "550 5.2.1 not to you\r\n");
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(recipients_refused_apart_bounce_for_clients_of_ours)
{
	static const struct tmail_str trusted[] = { TMAIL_STR("127.0.0.1") };
	const struct listen_settings listen = {
		.name = TMAIL_STR("mx"), .proxy = 1, .proxy_from = TMAIL_LIST(trusted)
	};

	house_open_at("", HOUSE_TABLES ", " HOUSE_HOOKS, &listen);
	struct talk *t = talk_connect();
	talk_say(t, "PROXY TCP4 203.0.113.9 192.0.2.1 4000 25\r\n");
	talk_hear(t, "220");
	talk_ask(t, "EHLO c.test", "250");
	three(t, TMAIL_CONTINUE, TMAIL_REJECT, TMAIL_CONTINUE, "250 2.0.0 Ok: queued");
	ck_assert(house.kept[0].relay);
	ck_assert_str_eq(house.kept[0].recipients, "a@remote.test b@remote.test c@remote.test");
	ck_assert_str_eq(house.kept[0].refused, "1:550 not to you;");
	talk_close(&t);
	house_close();
}
END_TEST

/* ---- the rest ---------------------------------------------------------------------------- */

START_TEST(modules_that_stream_refuse_in_step)
{
	house_open("", HOUSE_TABLES ", " HOUSE_STREAM);
	struct talk *t = talk_addressed();
	talk_ask(t, "DATA", "354");
	talk_say(t, "Subject: x\r\n\r\nthis is a VIRUS\r\nmore\r\n.\r\nNOOP\r\n");
	talk_hear(t, "554 5.7.1 Refused");
	talk_hear(t, "250 2.0.0 Ok");
	ck_assert_uint_eq(house.kept_count, 0);
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(modules_that_stream_discard_what_goes_on_to_its_end)
{
	house_open("", HOUSE_TABLES ", " HOUSE_STREAM);
	struct talk *t = talk_addressed();
	talk_ask(t, "DATA", "354");
	talk_say(t, "Subject: x\r\n\r\nDITCH it\r\n");
	talk_say(t, "more, a VIRUS too\r\n.\r\nNOOP\r\n");
	talk_hear(t, "250 2.0.0 Ok: queued");
	talk_hear(t, "250 2.0.0 Ok\r\n");
	ck_assert_uint_eq(house.kept_count, 0);
	ck_assert_int_eq(metric_get(METRIC_discarded), 1);
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(what_the_store_does_not_promise_is_not_promised)
{
	house_open("", HOUSE_TABLES ", " HOUSE_HOOKS);
	struct talk *t = talk_ready();
	modules_say(TMAIL_POINTS, TMAIL_CONTINUE, 0, NULL, NULL);
	house.result = COMMIT_FULL;
	message(t, "452 4.3.1");
	house.result = COMMIT_TRY_LATER;
	message(t, "451 4.3.0");
	ck_assert_uint_eq(house_hooked[TMAIL_POINT_RESET], 2);
	ck_assert_uint_eq(house_hooked[TMAIL_POINT_QUEUED], 0);
	house.result = COMMIT_DURABLE;
	message(t, "250 2.0.0 Ok: queued");
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(mail_that_goes_round_is_stopped)
{
	house_open("max_hops = 2;", HOUSE_TABLES);
	struct talk *t = talk_addressed();
	talk_ask(t, "DATA", "354");
	talk_ask(
		t, "Received: 1\r\nReceived: 2\r\nRECEIVED: 3\r\n\r\n.", "554 5.4.6 Too many hops");
	talk_ask(t, "RCPT TO:<a@remote.test>", "503");
	talk_ask(t, "MAIL FROM:<>", "250");
	talk_ask(t, "RCPT TO:<a@remote.test>", "250");
	talk_ask(t, "DATA", "354");
	talk_ask(t, "Received: 1\r\nReceived: 2\r\n\r\nReceived: 3\r\n.", "250 2.0.0");
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(the_trace_says_how_it_came)
{
	house_open("", HOUSE_TABLES);
	struct talk *t = talk_open();
	talk_ask(t, "HELO old.test", "250");
	message(t, "250");
	ck_assert_ptr_nonnull(strstr(house.kept[0].trace, "with SMTP"));
	ck_assert_ptr_nonnull(strstr(house.kept[0].trace, "[127.0.0.1]"));
	ck_assert_ptr_nonnull(strstr(house.kept[0].trace, "by mx.test"));
	talk_ask(t, "EHLO new.test", "250");
	message(t, "250");
	ck_assert_ptr_nonnull(strstr(house.kept[1].trace, "from new.test"));
	ck_assert_ptr_nonnull(strstr(house.kept[1].trace, "with ESMTP"));
	talk_ask(t, "MAIL FROM:<\xc3\xa9@b.test> SMTPUTF8", "250");
	talk_ask(t, "RCPT TO:<a@remote.test>", "250");
	talk_ask(t, "RCPT TO:<b@remote.test>", "250");
	talk_ask(t, "BDAT 3 LAST\r\nx", "250 2.0.0 Ok: queued ");
	ck_assert_ptr_nonnull(strstr(house.kept[2].trace, "with UTF8SMTP"));
	ck_assert_ptr_null(strstr(house.kept[2].trace, "a@remote.test"));
	t->last[strlen(t->last) - 2] = '\0';
	ck_assert_ptr_nonnull(
		strstr(house.kept[2].trace, t->last + strlen("250 2.0.0 Ok: queued ")));
	talk_close(&t);
	house_close();
}
END_TEST

/* ---- waiting modules --------------------------------------------------------------------- */

static struct tmail_call *waiting;
static pthread_t resumer;

static void *resume_it(void *arg)
{
	struct tmail_call *call = arg;

	usleep(2000);
	call->host->resume(call, TMAIL_CONTINUE);
	return NULL;
}

static enum tmail_verdict wait_for_it(struct tmail_call *call, const union tmail_event *event)
{
	(void)event;
	if (waiting)
		pthread_join(resumer, NULL);
	waiting = call;
	must(pthread_create(&resumer, NULL, resume_it, call) == 0);
	return TMAIL_WAIT;
}

START_TEST(a_session_whose_modules_wait_keeps_its_order)
{
	house_open("", HOUSE_TABLES ", " HOUSE_WAITING);
	house_hook = wait_for_it;
	struct talk *t = talk_connect();
	talk_say(t,
		"EHLO c.test\r\nMAIL FROM:<>\r\nRCPT TO:<a@remote.test>\r\n"
		"RCPT TO:<b@elsewhere.test>\r\nDATA\r\nSubject: x\r\n\r\n.\r\n"
		"MAIL FROM:<>\r\nRCPT TO:<a@remote.test>\r\nBDAT 3\r\nx\r\nBDAT 3 "
		"LAST\r\ny\r\nQUIT\r\n");
	static const char *const answers[] = { "220", "250-", "250 2.1.0", "250 2.1.5", "554 5.7.1",
		"354", "250 2.0.0 Ok: q", "250 2.1.0", "250 2.1.5", "250 2.0.0 Chunk",
		"250 2.0.0 Ok: q", "221" };
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
		talk_hear(t, answers[i]);
	talk_hear_end(t);
	talk_close(&t);
	pthread_join(resumer, NULL);
	waiting = NULL;
	house_close();
	ck_assert_uint_eq(house.kept_count, 2);
}
END_TEST

static _Atomic bool asked;
static enum tmail_verdict never(struct tmail_call *call, const union tmail_event *event)
{
	(void)event;
	if (call->point != TMAIL_POINT_EOM)
		return TMAIL_CONTINUE;
	waiting = call;
	asked = true;
	return TMAIL_WAIT;
}

START_TEST(a_client_may_leave_while_a_module_thinks)
{
	struct linger reset = { 1, 0 };

	house_open("", HOUSE_TABLES ", " HOUSE_WAITING);
	house_hook = never;
	struct talk *t = talk_addressed();
	talk_ask(t, "DATA", "354");
	talk_say(t, "Subject: x\r\n\r\n.\r\n");
	while (!asked)
		sched_yield();
	setsockopt(t->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	talk_close(&t);
	while (smtp_sessions() > 0)
		sched_yield();
	ck_assert_int_eq(waiting->host->resume(waiting, TMAIL_CONTINUE), TMAIL_LATE);
	house_close();
	ck_assert_uint_eq(house.kept_count, 0);
}
END_TEST

TEST_MAIN("smtp/finish", modules_may_refuse_at_every_point_in_their_own_words,
	a_refused_chunk_is_swallowed_before_the_module_s_words,
	a_421_or_521_of_a_module_ends_the_session, discarded_mail_is_said_yes_to_and_not_kept,
	held_mail_is_kept_with_its_reason, what_modules_change_is_what_is_kept_under_our_trace,
	recipients_may_be_refused_apart_and_strangers_are_not_answered_with_mail,
	recipients_that_are_discarded_are_nobody_s_business,
	a_recipient_that_two_modules_refuse_is_one_recipient,
	recipients_refused_apart_bounce_for_clients_of_ours, modules_that_stream_refuse_in_step,
	modules_that_stream_discard_what_goes_on_to_its_end,
	what_the_store_does_not_promise_is_not_promised, mail_that_goes_round_is_stopped,
	the_trace_says_how_it_came, a_session_whose_modules_wait_keeps_its_order,
	a_client_may_leave_while_a_module_thinks)
