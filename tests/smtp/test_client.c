/* SPDX-License-Identifier: MIT
 *
 * The client against servers that behave. Those that do not are in test_client_lies.c.
 */
#include "tests/smtp/client_talk.h"

#include "tests/lib/test.h"

#define OFFERS                                                                                     \
	"> 250-peer", "> 250-PIPELINING", "> 250-SIZE 1000", "> 250-8BITMIME", "> 250-DSN",        \
		"> 250 SMTPUTF8"

START_TEST(the_envelope_is_one_write_where_pipelining_is_offered)
{
	static const char *const script[] = { "> 220 peer", "< EHLO me.example", OFFERS, "<*",
		"> 250 ok", "> 250 ok", "> 250 ok", "> 354 go", "<.", "> 250 2.0.0 taken", "wait",
		NULL };
	struct talk t;

	talk_start(&t, script);
	talk_recipients(&t, "a@example.com", "b@example.com", NULL);
	talk_content(&t, "Subject: x\r\n\r\nhello\r\n");
	talk_run(&t);
	talk_saw(&t,
		"MAIL FROM:<s@example.com> SIZE=21\r\nRCPT TO:<a@example.com>\r\n"
		"RCPT TO:<b@example.com>\r\nDATA\r\nSubject: x\r\n\r\nhello\r\n.\r\n");
	ck_assert_int_eq(t.r[0].outcome.class, CLASS_OK);
	ck_assert_int_eq(t.r[0].outcome.stage, STAGE_DONE);
	ck_assert_uint_eq(t.r[0].outcome.code, 250);
	ck_assert_str_eq(t.r[0].outcome.enhanced, "2.0.0");
	ck_assert_int_eq(t.r[1].outcome.class, CLASS_OK);
	ck_assert(t.usable);
	talk_end(&t);
}
END_TEST

START_TEST(each_command_waits_for_its_reply_where_pipelining_is_not_offered)
{
	static const char *const script[] = { "> 220 peer", "< EHLO", "> 250 peer",
		"< MAIL FROM:<s@example.com>", "> 250 ok", "< RCPT TO:<a@example.com>", "> 250 ok",
		"< RCPT TO:<b@example.com>", "> 251 ok", "< DATA", "> 354 go", "<.", "> 250 ok",
		"wait", NULL };
	struct talk t;

	talk_start(&t, script);
	talk_recipients(&t, "a@example.com", "b@example.com", NULL);
	talk_run(&t);
	ck_assert_uint_eq(peer_surprises(t.peer), 0);
	ck_assert_int_eq(t.r[0].outcome.class, CLASS_OK);
	ck_assert_int_eq(t.r[1].outcome.class, CLASS_OK);
	ck_assert(t.usable);
	talk_end(&t);
}
END_TEST

START_TEST(helo_is_said_when_ehlo_is_not_known)
{
	static const char *const script[] = { "> 220 peer", "< EHLO", "> 500 what",
		"< HELO me.example", "> 250 peer", "< MAIL FROM:<s@example.com>", "> 250 ok",
		"< RCPT", "> 250 ok", "< DATA", "> 354 go", "<.", "> 250 ok", "wait", NULL };
	struct talk t;

	talk_start(&t, script);
	talk_recipients(&t, "a@example.com", NULL);
	talk_run(&t);
	ck_assert_uint_eq(peer_surprises(t.peer), 0);
	ck_assert_int_eq(t.r[0].outcome.class, CLASS_OK);
	talk_end(&t);
}
END_TEST

START_TEST(recipients_that_are_refused_have_their_own_outcome)
{
	static const char *const script[] = { "> 220 peer", "< EHLO", OFFERS, "<*", "> 250 ok",
		"> 550 5.1.1 no such user", "> 250 ok", "> 450 4.2.1 busy", "> 552 too many",
		"> 354 go", "<.", "> 250 ok", "wait", NULL };
	struct talk t;

	talk_start(&t, script);
	talk_recipients(&t, "a@x.org", "b@x.org", "c@x.org", "d@x.org", NULL);
	talk_run(&t);
	ck_assert_int_eq(t.r[0].outcome.class, CLASS_PERMANENT);
	ck_assert_int_eq(t.r[0].outcome.stage, STAGE_RCPT);
	ck_assert_str_eq(t.r[0].outcome.enhanced, "5.1.1");
	talk_text_is(&t, 0, "no such user");
	ck_assert_int_eq(t.r[1].outcome.class, CLASS_OK);
	ck_assert_int_eq(t.r[2].outcome.class, CLASS_TEMPORARY);
	/* RFC 5321 4.5.3.1.10 */
	ck_assert_int_eq(t.r[3].outcome.class, CLASS_TEMPORARY);
	ck_assert(t.usable);
	talk_end(&t);
}
END_TEST

START_TEST(nobody_left_and_354_is_answered_with_a_lone_dot)
{
	static const char *const script[] = { "> 220 peer", "< EHLO", OFFERS, "<*", "> 250 ok",
		"> 550 no", "> 354 go", "< .", "> 554 nobody", "wait", NULL };
	struct talk t;

	talk_start(&t, script);
	talk_recipients(&t, "a@x.org", NULL);
	talk_content(&t, "never sent\r\n");
	talk_run(&t);
	talk_saw(&t, "DATA\r\n.\r\n");
	talk_saw_not(&t, "never sent");
	ck_assert_int_eq(t.r[0].outcome.class, CLASS_PERMANENT);
	ck_assert_uint_eq(t.r[0].outcome.code, 550);
	ck_assert(t.usable);
	talk_end(&t);
}
END_TEST

START_TEST(after_a_refused_mail_the_replies_behind_it_are_taken)
{
	static const char *const script[] = { "> 220 peer", "< EHLO", OFFERS, "<*",
		"> 553 5.1.8 sender?", "> 503 first", "> 503 first", "> 503 first", "<*",
		"> 250 ok", "> 250 ok", "> 250 ok", "> 354 go", "<.", "> 250 ok", "wait", NULL };
	struct talk t;

	talk_start(&t, script);
	talk_recipients(&t, "a@x.org", "b@x.org", NULL);
	talk_run(&t);
	ck_assert_int_eq(t.r[0].outcome.class, CLASS_PERMANENT);
	ck_assert_int_eq(t.r[1].outcome.stage, STAGE_MAIL);
	ck_assert_str_eq(t.r[1].outcome.enhanced, "5.1.8");
	ck_assert(t.usable);
	talk_again(&t);
	ck_assert_int_eq(t.r[0].outcome.class, CLASS_OK);
	talk_saw_not(&t, "RSET");
	talk_end(&t);
}
END_TEST

START_TEST(an_envelope_that_is_left_behind_is_reset_with_the_next)
{
	static const char *const script[] = { "> 220 peer", "< EHLO", OFFERS, "<*", "> 250 ok",
		"> 450 later", "> 503 nobody", "<*", "> 250 reset", "> 250 ok", "> 250 ok",
		"> 354 go", "<.", "> 250 ok", "wait", NULL };
	struct talk t;

	talk_start(&t, script);
	talk_recipients(&t, "a@x.org", NULL);
	talk_run(&t);
	ck_assert_int_eq(t.r[0].outcome.class, CLASS_TEMPORARY);
	ck_assert(t.usable);
	talk_again(&t);
	ck_assert_int_eq(t.r[0].outcome.class, CLASS_OK);
	talk_saw(&t, "RSET\r\nMAIL FROM");
	talk_end(&t);
}
END_TEST

START_TEST(a_refused_data_is_everybodys_outcome)
{
	static const char *const script[] = { "> 220 peer", "< EHLO", OFFERS, "<*", "> 250 ok",
		"> 250 ok", "> 550 no", "> 451 4.3.0 not now", "wait", NULL };
	struct talk t;

	talk_start(&t, script);
	talk_recipients(&t, "a@x.org", "b@x.org", NULL);
	talk_run(&t);
	ck_assert_int_eq(t.r[0].outcome.class, CLASS_TEMPORARY);
	ck_assert_int_eq(t.r[0].outcome.stage, STAGE_DATA);
	ck_assert_int_eq(t.r[1].outcome.class, CLASS_PERMANENT);
	ck_assert_int_eq(t.r[1].outcome.stage, STAGE_RCPT);
	ck_assert(t.usable);
	talk_end(&t);
}
END_TEST

START_TEST(a_message_over_the_servers_size_is_not_offered)
{
	static const char *const script[] = { "> 220 peer", "< EHLO", OFFERS, "<*", NULL };
	struct talk t;

	talk_start(&t, script);
	talk_recipients(&t, "a@x.org", "b@x.org", NULL);
	t.t.size = 1001;
	talk_run(&t);
	ck_assert_int_eq(t.r[0].outcome.class, CLASS_PERMANENT);
	ck_assert_str_eq(t.r[1].outcome.enhanced, "5.3.4");
	ck_assert(t.usable);
	talk_saw_not(&t, "MAIL");
	talk_end(&t);
}
END_TEST

START_TEST(parameters_are_said_when_they_are_offered)
{
	static const char *const script[] = { "> 220 peer", "< EHLO", OFFERS, "<*", "> 250 ok",
		"> 250 ok", "> 250 ok", "> 354 go", "<.", "> 250 ok", "wait", NULL };
	struct talk t;

	talk_start(&t, script);
	talk_recipients(&t, "j\303\266rg@x.org", "b@x.org", NULL);
	t.t.body = TMAIL_BODY_8BITMIME;
	t.t.smtputf8 = true;
	t.t.ret = TMAIL_RET_HDRS;
	t.t.envid = STR("QQ+1");
	t.r[0].notify = TMAIL_NOTIFY_SUCCESS | TMAIL_NOTIFY_DELAY;
	t.r[1].notify = TMAIL_NOTIFY_NEVER;
	t.r[1].original = STR("rfc822;old=b@y.org");
	talk_run(&t);
	talk_saw(&t, " BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=QQ+2B1\r\n");
	talk_saw(&t, "RCPT TO:<j\303\266rg@x.org> NOTIFY=SUCCESS,DELAY\r\n");
	talk_saw(&t, "RCPT TO:<b@x.org> NOTIFY=NEVER ORCPT=rfc822;old+3Db@y.org\r\n");
	ck_assert_int_eq(t.r[0].outcome.class, CLASS_OK);
	talk_end(&t);
}
END_TEST

START_TEST(parameters_are_not_said_when_they_are_not_offered)
{
	static const char *const script[] = { "> 220 peer", "< EHLO", "> 250-peer",
		"> 250 PIPELINING", "<*", "> 250 ok", "> 250 ok", "> 354 go", "<.", "> 250 ok",
		"wait", NULL };
	struct talk t;

	talk_start(&t, script);
	talk_recipients(&t, "a@x.org", "j\303\266rg@x.org", NULL);
	t.t.body = TMAIL_BODY_8BITMIME;
	t.t.ret = TMAIL_RET_HDRS;
	t.t.envid = STR("QQ");
	t.r[0].notify = TMAIL_NOTIFY_SUCCESS;
	talk_run(&t);
	talk_saw(&t, "MAIL FROM:<s@example.com>\r\nRCPT TO:<a@x.org>\r\nDATA\r\n");
	ck_assert_int_eq(t.r[0].outcome.class, CLASS_OK);
	ck_assert_int_eq(t.r[1].outcome.class, CLASS_PERMANENT);
	ck_assert_str_eq(t.r[1].outcome.enhanced, "5.6.7");
	talk_end(&t);
}
END_TEST

START_TEST(an_address_cannot_smuggle_a_command)
{
	static const char *const script[] = { "> 220 peer", "< EHLO", OFFERS, "<*", "> 250 ok",
		"> 250 ok", "> 354 go", "<.", "> 250 ok", "wait", NULL };
	struct talk t;

	talk_start(&t, script);
	talk_recipients(
		&t, "a@x.org>\r\nRSET\r\n", "b@x.org", "c> NOTIFY=NEVER", "\"d> e\"@x.org", NULL);
	talk_run(&t);
	ck_assert_int_eq(t.r[0].outcome.class, CLASS_PERMANENT);
	ck_assert_int_eq(t.r[2].outcome.class, CLASS_PERMANENT);
	talk_saw_not(&t, "RSET");
	talk_saw(&t, "RCPT TO:<b@x.org>\r\nRCPT TO:<\"d> e\"@x.org>\r\n");
	talk_end(&t);
}
END_TEST

START_TEST(lmtp_answers_once_for_each_accepted_recipient)
{
	static const char *const script[] = { "> 220 peer", "< LHLO", OFFERS, "<*", "> 250 ok",
		"> 250 ok", "> 550 no", "> 250 ok", "> 250 ok", "> 354 go", "<.",
		"> 250 2.0.0 kept", "> 452 4.2.2 full", "> 550 5.2.2 full for ever", "wait", NULL };
	struct talk t;

	talk_start(&t, script);
	t.settings.protocol = TMAIL_PROTOCOL_LMTP;
	talk_recipients(&t, "a@x.org", "b@x.org", "c@x.org", "d@x.org", NULL);
	talk_run(&t);
	ck_assert_int_eq(t.r[0].outcome.class, CLASS_OK);
	ck_assert_int_eq(t.r[1].outcome.stage, STAGE_RCPT);
	ck_assert_int_eq(t.r[2].outcome.class, CLASS_TEMPORARY);
	ck_assert_str_eq(t.r[2].outcome.enhanced, "4.2.2");
	ck_assert_int_eq(t.r[3].outcome.class, CLASS_PERMANENT);
	ck_assert_int_eq(t.r[3].outcome.stage, STAGE_DOT);
	ck_assert(t.usable);
	talk_end(&t);
}
END_TEST

START_TEST(in_lmtp_a_421_at_the_end_is_one_recipients_alone)
{
	static const char *const script[] = { "> 220 peer", "< LHLO", OFFERS, "<*", "> 250 ok",
		"> 250 ok", "> 250 ok", "> 250 ok", "> 354 go", "<.", "> 250 2.0.0 kept",
		"> 421 4.3.2 going", "wait", NULL };
	struct talk t;

	talk_start(&t, script);
	t.settings.protocol = TMAIL_PROTOCOL_LMTP;
	talk_recipients(&t, "a@x.org", "b@x.org", "c@x.org", NULL);
	talk_run(&t);
	ck_assert_int_eq(t.r[0].outcome.class, CLASS_OK);
	ck_assert_int_eq(t.r[1].outcome.class, CLASS_NEXT_HOST);
	ck_assert_uint_eq(t.r[1].outcome.code, 421);
	/* It may have been kept: nobody said. */
	ck_assert_int_eq(t.r[2].outcome.class, CLASS_UNKNOWN);
	ck_assert(!t.usable);
	talk_end(&t);
}
END_TEST

START_TEST(content_is_stuffed_and_streamed_from_its_source)
{
	static const char *const script[] = { "> 220 peer", "< EHLO", OFFERS, "<*", "> 250 ok",
		"> 250 ok", "> 354 go", "<.", "> 250 ok", "wait", NULL };
	struct talk t;

	talk_start(&t, script);
	talk_recipients(&t, "a@x.org", NULL);
	talk_content(&t, "Subject: x\r\n\r\n.one\r\n");
	t.t.pieces[1] = STR("..two\r");
	t.t.pieces[2] = STR("\n.\r\n");
	t.t.piece_count = 3;
	talk_more(&t, ".three\nno end");
	talk_run(&t);
	talk_saw(&t, "\r\n\r\n..one\r\n...two\r\n..\r\n..three\r\nno end\r\n.\r\n");
	ck_assert_int_eq(t.r[0].outcome.class, CLASS_OK);
	talk_end(&t);
}
END_TEST

START_TEST(content_larger_than_the_kernel_takes_at_once_arrives_whole)
{
	static const char *const script[] = { "> 220 peer", "< EHLO", OFFERS, "<*", "> 250 ok",
		"> 250 ok", "> 354 go", "<.", "> 250 ok", "wait", NULL };
	enum { SIZE = 8 * 1024 * 1024 };
	char *large = must_alloc(SIZE), *seen;
	struct talk t;

	for (size_t i = 0; i < SIZE; i++)
		large[i] = i % 64 == 62 ? '\r' : i % 64 == 63 ? '\n' : i % 64 == 0 ? '.' : 'x';
	talk_start(&t, script);
	talk_recipients(&t, "a@x.org", NULL);
	t.t.pieces[0] = str_make(large, SIZE);
	t.t.piece_count = 1;
	talk_run(&t);
	ck_assert_int_eq(t.r[0].outcome.class, CLASS_OK);
	seen = peer_seen(t.peer);
	ck_assert_uint_eq(strlen(strstr(seen, "DATA\r\n")), SIZE + SIZE / 64 + 9);
	free(seen);
	free(large);
	talk_end(&t);
}
END_TEST

START_TEST(one_transaction_after_another_goes_over_one_connection)
{
	static const char *const script[] = { "> 220 peer", "< EHLO", OFFERS, "<*", "> 250 ok",
		"> 250 ok", "> 354 go", "<.", "> 250 ok", "<*", "> 250 ok", "> 250 ok", "> 354 go",
		"<.", "> 250 ok", "< QUIT", "> 221 bye", "wait", NULL };
	struct talk t;

	talk_start(&t, script);
	talk_recipients(&t, "a@x.org", NULL);
	talk_run(&t);
	ck_assert(t.usable);
	talk_again(&t);
	ck_assert_int_eq(t.r[0].outcome.class, CLASS_OK);
	talk_saw_not(&t, "RSET");
	talk_quit(&t);
	ck_assert_uint_eq(peer_surprises(t.peer), 0);
	talk_end(&t);
}
END_TEST

START_TEST(a_connection_that_ends_while_idle_is_told_to_its_owner)
{
	static const char *const script[] = { "> 220 peer", "< EHLO", OFFERS, "<*", "> 250 ok",
		"> 250 ok", "> 354 go", "<.", "> 250 ok", "> 421 idle for too long", "close",
		NULL };
	struct talk t;

	talk_start(&t, script);
	talk_recipients(&t, "a@x.org", NULL);
	talk_run(&t);
	ck_assert_int_eq(t.r[0].outcome.class, CLASS_OK);
	if (t.usable) /* else its farewell had come with the reply */
		talk_wait_lost(&t);
	talk_end(&t);
}
END_TEST

START_TEST(a_transaction_over_a_lost_connection_is_temporary)
{
	static const char *const script[] = { "> 220 peer", "< EHLO", OFFERS, "<*", "> 250 ok",
		"> 250 ok", "> 354 go", "<.", "> 250 ok", "close", NULL };
	struct talk t;

	talk_start(&t, script);
	talk_recipients(&t, "a@x.org", NULL);
	talk_run(&t);
	talk_wait_lost(&t);
	talk_again(&t);
	ck_assert_int_eq(t.r[0].outcome.class, CLASS_TEMPORARY);
	ck_assert_int_eq(t.r[0].outcome.stage, STAGE_MAIL);
	ck_assert(!t.usable);
	talk_end(&t);
}
END_TEST

START_TEST(closing_in_the_middle_ends_the_transaction_first)
{
	static const char *const script[] = { "> 220 peer", "< EHLO", OFFERS, "<*", "> 250 ok",
		"wait", NULL };
	struct talk t;

	talk_start(&t, script);
	talk_recipients(&t, "a@x.org", NULL);
	talk_run_until_silent(&t);
	ck_assert(!t.done);
	client_close(&t.client);
	ck_assert(t.done);
	ck_assert(!t.usable);
	ck_assert_int_eq(t.r[0].outcome.class, CLASS_TEMPORARY);
	talk_end(&t);
}
END_TEST

START_TEST(nobody_listening_is_a_matter_of_the_host)
{
	static const char *const script[] = { "close", NULL };
	struct talk t;

	talk_start(&t, script);
	t.endpoint.port = 1;
	talk_recipients(&t, "a@x.org", NULL);
	talk_run(&t);
	ck_assert(!t.client);
	ck_assert_int_eq(t.opened.class, CLASS_NEXT_HOST);
	ck_assert_int_eq(t.opened.stage, STAGE_CONNECT);
	talk_end(&t);
}
END_TEST

TEST_MAIN("smtp/client", the_envelope_is_one_write_where_pipelining_is_offered,
	each_command_waits_for_its_reply_where_pipelining_is_not_offered,
	helo_is_said_when_ehlo_is_not_known, recipients_that_are_refused_have_their_own_outcome,
	nobody_left_and_354_is_answered_with_a_lone_dot,
	after_a_refused_mail_the_replies_behind_it_are_taken,
	an_envelope_that_is_left_behind_is_reset_with_the_next,
	a_refused_data_is_everybodys_outcome, a_message_over_the_servers_size_is_not_offered,
	parameters_are_said_when_they_are_offered,
	parameters_are_not_said_when_they_are_not_offered, an_address_cannot_smuggle_a_command,
	lmtp_answers_once_for_each_accepted_recipient,
	in_lmtp_a_421_at_the_end_is_one_recipients_alone,
	content_is_stuffed_and_streamed_from_its_source,
	content_larger_than_the_kernel_takes_at_once_arrives_whole,
	one_transaction_after_another_goes_over_one_connection,
	a_connection_that_ends_while_idle_is_told_to_its_owner,
	a_transaction_over_a_lost_connection_is_temporary,
	closing_in_the_middle_ends_the_transaction_first, nobody_listening_is_a_matter_of_the_host)
