/* SPDX-License-Identifier: MIT
 *
 * Sessions from the greeting to their end: what is said to what, in which order, what ends them,
 * and that the cutting of the octets changes nothing.
 */
#include "tests/smtp/house.h"

START_TEST(a_message_is_taken_and_kept)
{
	house_open("", HOUSE_TABLES);
	struct talk *t = talk_addressed();
	talk_ask(t, "DATA", "354 End data with <CR><LF>.<CR><LF>\r\n");
	talk_say(t, "Subject: hello\r\n\r\n..one\r\ntwo\r\n.\r\n");
	talk_hear(t, "250 2.0.0 Ok: queued ");
	talk_ask(t, "QUIT", "221 2.0.0 Bye\r\n");
	talk_hear_end(t);
	talk_close(&t);
	ck_assert_uint_eq(house.kept_count, 1);
	ck_assert_str_eq(house.kept[0].sender, "from@sender.test");
	ck_assert_str_eq(house.kept[0].recipients, "to@remote.test");
	ck_assert_str_eq(house.kept[0].content, "Subject: hello\r\n\r\n.one\r\ntwo\r\n");
	ck_assert_ptr_nonnull(strstr(house.kept[0].trace, "Received: from client.test"));
	ck_assert_ptr_nonnull(strstr(house.kept[0].trace, "for <to@remote.test>"));
	house_close();
}
END_TEST

START_TEST(the_greeting_names_the_program_unless_it_is_hidden)
{
	house_open("", "");
	struct talk *t = talk_open();
	ck_assert_int_eq(strncmp(t->last, "220 mx.test tmail ESMTP ", 24), 0);
	ck_assert_uint_eq(strlen(t->last), 24 + ID_TEXT + 2);
	talk_close(&t);
	house_close();
	house_open("hide_signature = true;", "");
	t = talk_open();
	ck_assert_int_eq(strncmp(t->last, "220 mx.test ESMTP ", 18), 0);
	talk_close(&t);
	house_close();
}
END_TEST

/* ---- cutting ----------------------------------------------------------------------------- */

/* All that a client may say once EHLO was answered, in one go. */
static const char conversation[] =
	"MAIL FROM:<a@sender.test> SIZE=100\r\n"
	"RCPT TO:<one@remote.test>\r\n"
	"RCPT TO:<two@elsewhere.test>\r\n"
	"RCPT TO:<three@remote.test> NOTIFY=NEVER\r\n"
	"DATA\r\n"
	"Subject: one\r\n\r\n.\r.\r\n..dots\r\n.x\r\n.\r\n"
	"MAIL FROM:<>\r\nRCPT TO:<x@remote.test>\r\nDATA\r\n"
	"Subject: two\r\n\r\n..dots\r\n\r\n.\r\n"
	"NOOP bare\nLF\r\n"
	"mail from:<b@sender.test>\r\nrcpt to:<x@remote.test>\r\n"
	"BDAT 12\r\nSubject: 3\r\n"
	"BDAT 6\r\n\r\n.\r\n\r"
	"BDAT 4 LAST\r\n\nxx\r"
	"BDAT 6 LAST\r\nQUIT\r\n"
	"RSET\r\nFROB\r\nVRFY x\r\n"
	"MAIL FROM:<c@sender.test>\r\nRSET\r\nRCPT TO:<x@remote.test>\r\n"
	"QUIT\r\nNOOP\r\n";

/* Replies to the conversation, ids made alike; pieces end at the offsets given. */
static char *answers(const size_t *cuts, size_t count)
{
	struct talk *t = talk_ready();
	struct buf heard = { 0 };
	size_t from = 0;
	char *all;

	for (size_t i = 0; i <= count; i++) {
		size_t to = i < count ? cuts[i] : sizeof conversation - 1;

		talk_octets(t, conversation + from, to - from);
		from = to;
		if (i < count)
			usleep(200); /* mostly a packet of its own; no answer depends on it */
	}
	while (talk_reply(t)) {
		char *id = strstr(t->last, "queued ");

		if (id)
			memset(id + 7, '#', ID_TEXT);
		buf_add_c(&heard, t->last);
	}
	all = house_copy(buf_str(&heard));
	buf_free(&heard);
	talk_close(&t);
	return all;
}

static const char expected[] = "250 2.1.0 Ok\r\n"
			       "250 2.1.5 Ok\r\n"
			       "554 5.7.1 <two@elsewhere.test>: Relay access denied.\r\n"
			       "250 2.1.5 Ok\r\n"
			       "354 End data with <CR><LF>.<CR><LF>\r\n"
			       "550 5.6.0 Message has a CR or LF that is not part of CRLF\r\n"
			       "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n"
			       "354 End data with <CR><LF>.<CR><LF>\r\n"
			       "250 2.0.0 Ok: queued ##########################\r\n"
			       "500 5.5.2 Syntax error, that is no command\r\n"
			       "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n"
			       "250 2.0.0 Chunk received\r\n"
			       "250 2.0.0 Chunk received\r\n"
			       "550 5.6.0 Message has a CR or LF that is not part of CRLF\r\n"
			       "503 5.5.1 Send MAIL first\r\n"
			       "250 2.0.0 Ok\r\n"
			       "500 5.5.1 Unknown command\r\n"
			       "252 2.5.2 Cannot verify, but will try to deliver\r\n"
			       "250 2.1.0 Ok\r\n250 2.0.0 Ok\r\n503 5.5.1 Send MAIL first\r\n"
			       "221 2.0.0 Bye\r\n";

START_TEST(a_conversation_cut_at_any_octet_has_the_same_answers)
{
	house_open("", HOUSE_TABLES);
	for (size_t cut = 0; cut < sizeof conversation; cut++) {
		char *heard = answers(&cut, 1);
		ck_assert_str_eq(heard, expected);
		free(heard);
	}
	ck_assert_uint_eq(house.kept_count, sizeof conversation);
	for (size_t i = 0; i < house.kept_count; i++)
		ck_assert_str_eq(house.kept[i].content, "Subject: two\r\n\r\n.dots\r\n\r\n");
	house_close();
}
END_TEST

START_TEST(a_conversation_in_single_octets_has_the_same_answers)
{
	size_t cuts[sizeof conversation - 2];

	house_open("", HOUSE_TABLES);
	for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++)
		cuts[i] = i + 1;
	char *heard = answers(cuts, sizeof cuts / sizeof *cuts);
	ck_assert_str_eq(heard, expected);
	free(heard);
	house_close();
}
END_TEST

/* ---- limits ------------------------------------------------------------------------------ */

START_TEST(too_many_errors_end_the_session)
{
	house_open("max_errors = 3;", "");
	struct talk *t = talk_ready();
	for (int i = 0; i < 3; i++)
		talk_ask(t, "FROB", "500 5.5.1");
	talk_say(t, "FROB\r\nNOOP\r\n");
	talk_hear(t, "500 5.5.1");
	talk_hear(t, "421 4.7.0 Too many errors");
	talk_hear_end(t);
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(too_many_commands_without_a_message_end_the_session)
{
	house_open("max_junk = 4;", HOUSE_TABLES);
	struct talk *t = talk_addressed();
	talk_ask(t, "NOOP", "250");
	talk_ask(t, "HELP", "214");
	talk_ask(t, "BDAT 3 LAST\r\na", "250 2.0.0 Ok: queued"); /* and the count begins anew */
	talk_say(t, "NOOP\r\nNOOP\r\nRSET\r\nVRFY x\r\nEXPN x\r\n");
	for (int i = 0; i < 3; i++)
		talk_hear(t, "250");
	talk_hear(t, "252");
	talk_hear(t, "252");
	talk_hear(t, "421 4.7.0 Too many commands");
	talk_hear_end(t);
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(too_many_bad_recipients_end_the_session)
{
	house_open("max_bad_rcpt = 2;", HOUSE_TABLES);
	struct talk *t = talk_addressed();
	talk_say(t, "RCPT TO:<a@b.test>\r\nRCPT TO:<b@b.test>\r\nRCPT TO:<c@b.test>\r\nNOOP\r\n");
	talk_hear(t, "554 5.7.1 <a@b.test>: Relay access denied.\r\n");
	talk_hear(t, "554 5.7.1");
	talk_hear(t, "554 5.7.1");
	talk_hear(t, "421 4.7.0 Too many bad recipients");
	talk_hear_end(t);
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(a_client_that_does_not_listen_is_not_read_from)
{
	static const char noops[] =
		"NOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\nNOOP\r\n";
	size_t sent = 0;

	house_open("max_junk = 0;", "");
	struct talk *t = talk_ready();
	/* Until neither side's kernel takes more: the server has stopped reading. */
	for (;;) {
		struct pollfd p = { .fd = t->fd, .events = POLLOUT };
		ssize_t n;

		if (poll(&p, 1, 300) == 0)
			break;
		n = send(t->fd, noops + sent % 6, sizeof noops - 1 - sent % 6, MSG_DONTWAIT);
		sent += n > 0 ? (size_t)n : 0;
		ck_assert_uint_lt(sent, 64u * 1024 * 1024);
	}
	for (size_t i = 0; i < sent / 6; i++)
		talk_hear(t, "250 2.0.0 Ok");
	talk_close(&t);
	house_close();
}
END_TEST

/* ---- time -------------------------------------------------------------------------------- */

START_TEST(who_sends_no_command_in_time_is_told_so)
{
	house_open("timeout_command = \"10s\";", "");
	struct talk *t = talk_ready();
	house_later(9000);
	talk_ask(t, "NOOP", "250");
	house_later(9000);
	talk_ask(t, "NOOP", "250");
	house_later(10001);
	talk_hear(t, "421 4.4.2 Timeout");
	talk_hear_end(t);
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(a_command_in_pieces_has_one_command_s_time)
{
	house_open("timeout_command = \"10s\";", "");
	struct talk *t = talk_ready();
	for (int i = 0; i < 4; i++) {
		talk_say(t, "N");
		usleep(1000);
		house_later(3000);
	}
	talk_hear(t, "421 4.4.2 Timeout");
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(content_that_drips_is_given_no_more_time_than_it_earned)
{
	house_open("timeout_data = \"10s\"; min_data_rate = 1000; timeout_message = \"1m\";",
		HOUSE_TABLES);
	struct talk *t = talk_addressed();
	talk_ask(t, "DATA", "354");
	for (int i = 0; i < 6; i++) {
		talk_say(t, "Subject: slow\r\n");
		usleep(1000);
		house_later(2000);
	}
	talk_hear(t, "421 4.4.2 Timeout");
	talk_hear_end(t);
	talk_close(&t);
	house_close();
	ck_assert_uint_eq(house.kept_count, 0);
}
END_TEST

START_TEST(a_session_lasts_no_longer_than_it_may)
{
	house_open("timeout_session = \"20h\"; timeout_command = \"15h\";", HOUSE_TABLES);
	struct talk *t = talk_addressed();
	house_later(14 * 3600000);
	talk_ask(t, "RCPT TO:<b@remote.test>", "250");
	house_later(10 * 3600000); /* over, but for the transaction */
	talk_ask(t, "BDAT 3 LAST\r\na", "250");
	house_later(1000);
	talk_hear(t, "421 4.4.2 Timeout");
	talk_close(&t);
	house_close();
}
END_TEST

/* ---- ends -------------------------------------------------------------------------------- */

START_TEST(a_client_that_closes_its_side_still_hears_its_answers)
{
	house_open("", HOUSE_TABLES);
	house.held = true;
	struct talk *t = talk_addressed();
	talk_say(t, "DATA\r\n");
	talk_hear(t, "354");
	talk_say(t, "Subject: x\r\n\r\n.\r\nNOOP\r\nQUIT\r\n");
	shutdown(t->fd, SHUT_WR);
	house_wait(house.committing);
	loop_post(house.loop, &house.task);
	talk_hear(t, "250 2.0.0 Ok: queued");
	talk_hear(t, "250 2.0.0 Ok");
	talk_hear(t, "221");
	talk_hear_end(t);
	talk_close(&t);
	house_close();
}
END_TEST

START_TEST(a_message_is_kept_though_its_client_is_gone)
{
	struct linger reset = { 1, 0 };

	house_open("", HOUSE_TABLES);
	house.held = true;
	struct talk *t = talk_addressed();
	talk_ask(t, "DATA", "354");
	talk_say(t, "Subject: x\r\n\r\n.\r\n");
	house_wait(house.committing);
	setsockopt(t->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	talk_close(&t);
	house_wait(house.forgotten == 1);
	loop_post(house.loop, &house.task);
	house_wait(house.kept_count == 1);
	house_close();
}
END_TEST

START_TEST(a_server_that_stops_ends_idle_sessions_now_and_others_after_their_message)
{
	house_open("", HOUSE_TABLES);
	struct talk *idle = talk_ready(), *busy = talk_addressed();
	smtp_server_drain(house.server);
	talk_hear(idle, "421 4.3.2 Service is stopping");
	talk_hear_end(idle);
	talk_ask(busy, "DATA", "354");
	talk_say(busy, "Subject: x\r\n\r\n.\r\n");
	talk_hear(busy, "250 2.0.0 Ok: queued");
	talk_hear(busy, "421 4.3.2 Service is stopping");
	talk_hear_end(busy);
	talk_close(&idle);
	talk_close(&busy);
	house_close();
}
END_TEST

START_TEST(a_server_that_ends_waits_for_what_the_store_has_and_for_nothing_else)
{
	house_open("", HOUSE_TABLES);
	house.held = true;
	struct talk *data = talk_addressed();
	talk_ask(data, "DATA", "354");
	struct talk *committing = talk_addressed();
	talk_ask(committing, "DATA", "354");
	talk_say(committing, "Subject: x\r\n\r\n.\r\n");
	house_wait(house.committing);
	smtp_sessions_end();
	talk_hear(data, "421 4.3.2");
	talk_hear_end(data);
	loop_post(house.loop, &house.task);
	talk_hear(committing, "250 2.0.0 Ok: queued");
	talk_hear(committing, "421 4.3.2");
	talk_hear_end(committing);
	talk_close(&data);
	talk_close(&committing);
	house_close();
}
END_TEST

START_TEST(an_idle_session_is_small)
{
	ck_assert_uint_le(sizeof(struct session), 1100);
}
END_TEST

TEST_MAIN("smtp/session", a_message_is_taken_and_kept,
	the_greeting_names_the_program_unless_it_is_hidden,
	a_conversation_cut_at_any_octet_has_the_same_answers,
	a_conversation_in_single_octets_has_the_same_answers, too_many_errors_end_the_session,
	too_many_commands_without_a_message_end_the_session,
	too_many_bad_recipients_end_the_session, a_client_that_does_not_listen_is_not_read_from,
	who_sends_no_command_in_time_is_told_so, a_command_in_pieces_has_one_command_s_time,
	content_that_drips_is_given_no_more_time_than_it_earned,
	a_session_lasts_no_longer_than_it_may,
	a_client_that_closes_its_side_still_hears_its_answers,
	a_message_is_kept_though_its_client_is_gone,
	a_server_that_stops_ends_idle_sessions_now_and_others_after_their_message,
	a_server_that_ends_waits_for_what_the_store_has_and_for_nothing_else,
	an_idle_session_is_small)
