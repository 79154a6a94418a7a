/* SPDX-License-Identifier: MIT
 *
 * A parcel as transactions: what of the content a server can take, from memory and from the store;
 * recipients that are too many; LMTP over both kinds of sockets.
 */
#include "tests/queue/house.h"

#include "base/encode.h"

#define UE "\303\274"
#define PLAIN_EHLO                                                                                 \
	{                                                                                          \
		"EHLO", "250-peer\r\n250 PIPELINING", 0                                            \
	}
#define EIGHT                                                                                      \
	"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"                         \
	"Content-Transfer-Encoding: 8bit\r\n\r\nGr" UE "n\r\n"
#define SEVEN                                                                                      \
	"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"                         \
	"Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BCn\r\n"
#define UTF8_HEADER "Subject: Gr" UE "n\r\n\r\nhello\r\n"

static void content_is(struct peer *peer, unsigned i, struct str want)
{
	struct str got;

	peer_wait_messages(peer, i + 1);
	got = peer_message(peer, i)->content;
	ck_assert_msg(str_equal(got, want), "%.*s", STR_ARG(str_slice(got, 0, 400)));
}

static void mail_has(struct peer *peer, unsigned i, const char *parameter, bool there)
{
	ck_assert_msg(
		(str_search_case(peer_message(peer, i)->mail, str_c(parameter)) >= 0) == there,
		"%.*s", STR_ARG(peer_message(peer, i)->mail));
}

/* The i-th message has come to its end for all, with these words. */
static void bounced_with(unsigned i, const char *words)
{
	struct memory_message m;

	memory_wait_fate(i, 0, TMAIL_FATE_BOUNCED);
	ck_assert(memory_message(i, &m));
	ck_assert_msg(strstr(m.recipient[0].reply, words) != NULL, "%s", m.recipient[0].reply);
	free(m.content);
}

/* A message with a sender who wants to hear nothing of it: those without one are reports, which
 * never bounce. */
static void sends_in_silence(const char *content)
{
	struct message *m = house_message("s@x.org", "a@x.org", str_c(content));

	m->recipients[0].notify = TMAIL_NOTIFY_NEVER;
	ck_assert_int_eq(house_hand_over(m).result, COMMIT_DURABLE);
}

/* From memory, and once more from the store: the first attempt is put off. */
static struct peer *peer_after_a_while(struct peer_rule *rules, size_t count)
{
	rules[count - 1] = (struct peer_rule){ "MAIL", "451 4.3.0 later", 1 };
	return peer_server(rules, count, 0);
}

static void sends_from_the_store(struct message *m)
{
	ck_assert_int_eq(house_hand_over(m).result, COMMIT_DURABLE);
	memory_wait_fate(0, 0, TMAIL_FATE_DEFERRED);
	memory_all_due();
}

/* ---- 8BITMIME ------------------------------------------------------------------------------ */

START_TEST(content_is_converted_for_a_server_without_8bitmime)
{
	const struct peer_rule rules[] = { PLAIN_EHLO };
	struct peer *peer = peer_server(rules, 1, 0);

	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	ck_assert_int_eq(house_send("", "a@x.org", EIGHT), COMMIT_DURABLE);
	content_is(peer, 0, STR(SEVEN));
	mail_has(peer, 0, "BODY", false);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(content_of_the_store_is_converted_piece_by_piece)
{
	struct peer_rule rules[] = { PLAIN_EHLO, { 0 } };
	struct peer *peer = peer_after_a_while(rules, 2);
	struct buf content = { 0 }, want = { 0 };

	buf_add(&content, STR(EIGHT));
	buf_add(&want, STR(SEVEN));
	for (int i = 0; i < 30000; i++) { /* more than one block of the store */
		buf_add_c(&content, "line " UE "\r\n");
		buf_add_c(&want, "line =C3=BC\r\n");
	}
	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	sends_from_the_store(house_message("", "a@x.org", buf_str(&content)));
	content_is(peer, 0, buf_str(&want));
	memory_wait_ended(1);
	house_over();
	peer_end(&peer);
	buf_free(&content);
	buf_free(&want);
}
END_TEST

START_TEST(content_that_cannot_be_read_is_no_fault_of_the_host)
{
	struct peer_rule rules[1];
	struct peer *peer = peer_after_a_while(rules, 1), *second = peer_after_a_while(rules, 1);
	struct memory_message m;

	router_to(peer_port(peer), peer_port(second));
	house_open("", HOUSE_ROUTER);
	memory_contents_unreadable(true);
	sends_from_the_store(house_message("s@x.org", "a@x.org", STR(HOUSE_CONTENT)));
	do {
		ck_assert(memory_message(0, &m));
		free(m.content);
	} while (m.recipient[0].attempts < 2);
	ck_assert_ptr_nonnull(strstr(m.recipient[0].reply, "cannot be read from the store"));
	/* Once each for the first attempt; the second host is not bothered for it. */
	ck_assert_uint_eq(peer_connections(second), 1);
	memory_contents_unreadable(false);
	house_over();
	peer_end(&peer);
	peer_end(&second);
}
END_TEST

START_TEST(ascii_alone_is_sent_as_it_is_whatever_was_declared)
{
	const struct peer_rule rules[] = { PLAIN_EHLO };
	struct peer *peer = peer_server(rules, 1, 0);
	struct message *m;

	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	m = house_message("", "a@x.org", STR("Content-Transfer-Encoding: 8bit\r\n\r\nhello\r\n"));
	m->envelope.body = TMAIL_BODY_8BITMIME;
	ck_assert_int_eq(house_hand_over(m).result, COMMIT_DURABLE);
	content_is(peer, 0, STR("Content-Transfer-Encoding: 8bit\r\n\r\nhello\r\n"));
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(content_is_declared_by_its_octets)
{
	struct peer_rule rules[] = { { 0 } };
	struct peer *peer = peer_after_a_while(rules, 1);

	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	sends_from_the_store(house_message("", "a@x.org", STR(EIGHT)));
	content_is(peer, 0, STR(EIGHT));
	mail_has(peer, 0, "BODY=8BITMIME", true);
	house_sends("", "a@x.org");
	peer_wait_messages(peer, 2);
	mail_has(peer, 1, "BODY", false);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(what_cannot_be_converted_bounces)
{
	const struct peer_rule rules[] = { PLAIN_EHLO };
	struct peer *peer = peer_server(rules, 1, 0);

	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	sends_in_silence(UTF8_HEADER);
	bounced_with(0,
		"554 5.6.3 8BITMIME is needed and not offered, and the message cannot be "
		"converted: a header field is not ASCII");
	sends_in_silence(
		"Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n" UE "\r\n--b--\r\n");
	bounced_with(1, "may not be changed");
	ck_assert_uint_eq(peer_messages(peer), 0);
	/* A report that cannot be converted goes as it is: dropped it would help nobody. */
	ck_assert_int_eq(house_send("", "a@x.org", UTF8_HEADER), COMMIT_DURABLE);
	content_is(peer, 0, STR(UTF8_HEADER));
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(an_administrator_may_want_it_bounced_or_sent)
{
	const struct peer_rule rules[] = { PLAIN_EHLO };
	struct peer *peer = peer_server(rules, 1, 0);

	router_to(peer_port(peer), 0);
	house_open("convert_8bit = \"bounce\";", HOUSE_ROUTER);
	sends_in_silence(EIGHT);
	bounced_with(0, "554 5.6.3 8BITMIME is needed and not offered");
	house_sends("", "a@x.org");
	peer_wait_messages(peer, 1);
	house_over();
	router_to(peer_port(peer), 0);
	house_open("convert_8bit = \"send\";", HOUSE_ROUTER);
	ck_assert_int_eq(house_send("", "a@x.org", EIGHT), COMMIT_DURABLE);
	content_is(peer, 1, STR(EIGHT));
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(the_size_that_counts_is_that_of_the_converted)
{
	const struct peer_rule rules[] = { { "EHLO", "250-peer\r\n250-PIPELINING\r\n250 SIZE 2000",
		0 } };
	struct peer *peer = peer_server(rules, 1, 0);
	struct buf content = { 0 };

	buf_add(&content, STR(EIGHT));
	for (int i = 0; i < 400; i++)
		buf_add_c(&content, UE);
	buf_add_c(&content, "\r\n");
	ck_assert_uint_lt(content.len, 1500);
	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	ck_assert_int_eq(house_hand_over(house_message("", "a@x.org", buf_str(&content))).result,
		COMMIT_DURABLE);
	bounced_with(0, "5.3.4");
	house_over();
	peer_end(&peer);
	buf_free(&content);
}
END_TEST

/* ---- SMTPUTF8 ------------------------------------------------------------------------------ */

static struct message *utf8_message(const char *sender, const char *recipients, struct str content)
{
	struct message *m = house_message(sender, recipients, content);

	m->envelope.smtputf8 = 1;
	m->envelope.body = TMAIL_BODY_8BITMIME;
	return m;
}

START_TEST(smtputf8_that_is_not_needed_is_not_said)
{
	const struct peer_rule rules[] = { { "EHLO", "250-peer\r\n250 8BITMIME", 0 } };
	struct peer *without = peer_server(rules, 1, 0), *with = peer_server(NULL, 0, 0);

	house_open("", HOUSE_ROUTER);
	house_routes[0] = (struct house_route){ .domain = "with.org", .port = peer_port(with) };
	house_routes[1] = (struct house_route){ .domain = "", .port = peer_port(without) };
	ck_assert_int_eq(
		house_hand_over(utf8_message("", "a@x.org b@b" UE "cher.example", STR(EIGHT)))
			.result,
		COMMIT_DURABLE);
	memory_wait_ended(1);
	content_is(without, 0, STR(EIGHT));
	mail_has(without, 0, "SMTPUTF8", false);
	ck_assert_int_eq(
		house_hand_over(utf8_message("", "a@with.org", STR(EIGHT))).result, COMMIT_DURABLE);
	content_is(with, 0, STR(EIGHT));
	mail_has(with, 0, "SMTPUTF8", false);
	ck_assert_int_eq(house_hand_over(utf8_message("", "a@with.org", STR(UTF8_HEADER))).result,
		COMMIT_DURABLE);
	content_is(with, 1, STR(UTF8_HEADER));
	mail_has(with, 1, "SMTPUTF8", true);
	house_over();
	peer_end(&without);
	peer_end(&with);
}
END_TEST

/* Of servers that forget to offer 8BITMIME with it (RFC 6531 3.1). */
START_TEST(smtputf8_alone_promises_8_bit_content)
{
	const struct peer_rule rules[] = { { "EHLO", "250-peer\r\n250 SMTPUTF8", 0 } };
	struct peer *peer = peer_server(rules, 1, 0);
	struct message *m = utf8_message("s@x.org", "a@x.org", STR(UTF8_HEADER));

	m->recipients[0].notify = TMAIL_NOTIFY_NEVER;
	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	ck_assert_int_eq(house_hand_over(m).result, COMMIT_DURABLE);
	memory_wait_fate(0, 0, TMAIL_FATE_DELIVERED);
	content_is(peer, 0, STR(UTF8_HEADER));
	mail_has(peer, 0, "SMTPUTF8", true);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(a_header_of_the_store_is_looked_at_before_it_bounces)
{
	struct peer_rule rules[] = { { "EHLO", "250-peer\r\n250 8BITMIME", 0 }, { 0 } };
	struct peer *peer = peer_after_a_while(rules, 2);

	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	sends_from_the_store(utf8_message("", "a@x.org", STR(EIGHT)));
	content_is(peer, 0, STR(EIGHT));
	mail_has(peer, 0, "SMTPUTF8", false);
	memory_wait_ended(1);
	ck_assert_int_eq(house_hand_over(utf8_message("", "a@x.org", STR(UTF8_HEADER))).result,
		COMMIT_DURABLE);
	bounced_with(1, "550 5.6.7 SMTPUTF8 is needed for the header and not offered");
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(a_local_part_that_cannot_be_said_bounces_and_the_others_go_on)
{
	const struct peer_rule rules[] = { { "EHLO", "250-peer\r\n250 8BITMIME", 0 } };
	struct peer *peer = peer_server(rules, 1, 0);

	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	ck_assert_int_eq(
		house_hand_over(utf8_message("", UE "@x.org b@x.org", STR(HOUSE_CONTENT))).result,
		COMMIT_DURABLE);
	bounced_with(0, "553 5.6.7");
	memory_wait_fate(0, 1, TMAIL_FATE_DELIVERED);
	house_over();
	peer_end(&peer);
}
END_TEST

/* ---- too many recipients ------------------------------------------------------------------- */

START_TEST(recipients_that_are_too_many_go_with_the_next_transaction_at_once)
{
	const struct peer_rule rules[] = { { "RCPT TO:<c@", "452 4.5.3 too many", 1 },
		{ "RCPT TO:<d@", "552 too many", 2 }, { "RCPT TO:<e@", "450 4.2.1 busy", 0 },
		{ "RCPT TO:<f@", "550 5.1.1 no", 0 } };
	struct peer *peer = peer_server(rules, 4, 0);
	int64_t deferrals = metric_get(METRIC_deferrals);

	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	house_sends("", "a@x.org b@x.org c@x.org d@x.org e@x.org f@x.org");
	for (uint32_t i = 0; i < 4; i++)
		memory_wait_fate(0, i, TMAIL_FATE_DELIVERED);
	memory_wait_fate(0, 4, TMAIL_FATE_DEFERRED);
	memory_wait_fate(0, 5, TMAIL_FATE_BOUNCED);
	ck_assert_uint_eq(peer_messages(peer), 3);
	ck_assert(str_equal(peer_message(peer, 0)->recipients, STR("a@x.org b@x.org")));
	ck_assert(str_equal(peer_message(peer, 1)->recipients, STR("c@x.org")));
	ck_assert(str_equal(peer_message(peer, 2)->recipients, STR("d@x.org")));
	ck_assert(str_equal(peer_message(peer, 2)->content, STR(HOUSE_CONTENT)));
	ck_assert_uint_eq(peer_connections(peer), 1);
	ck_assert_int_eq(metric_get(METRIC_deferrals) - deferrals, 1);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(who_is_too_many_by_himself_waits)
{
	const struct peer_rule rules[] = { { "RCPT", "452 4.5.3 too many", 0 } };
	struct peer *peer = peer_server(rules, 1, 0);

	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	house_sends("", "a@x.org b@x.org");
	memory_wait_fate(0, 0, TMAIL_FATE_DEFERRED);
	memory_wait_fate(0, 1, TMAIL_FATE_DEFERRED);
	house_over();
	peer_end(&peer);
}
END_TEST

/* The connection dies between the two: nobody who was delivered is sent to again. */
START_TEST(a_connection_lost_before_the_rest_repeats_nothing)
{
	static const char *const script[] = { "> 220 peer", "< EHLO", "> 250-peer",
		"> 250 PIPELINING", "<*", "> 250 ok", "> 250 ok", "> 354 go", "<.", "> 250 taken",
		"<*", "> 250 ok", "> 250 ok", "> 452 too many", "> 354 go", "<.", "> 250 taken",
		"< MAIL", "next", "> 220 peer", "< EHLO", "> 250-peer", "> 250 PIPELINING", "<*",
		"> 250 ok", "> 250 ok", "> 354 go", "<.", "> 250 taken", "wait", NULL };
	struct peer *peer = peer_script(script);
	char *seen, *again;

	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	house_sends("", "first@x.org");
	memory_wait_ended(1);
	house_sends("", "a@x.org b@x.org");
	memory_wait_fate(1, 0, TMAIL_FATE_DELIVERED);
	memory_wait_fate(1, 1, TMAIL_FATE_DELIVERED);
	seen = peer_seen(peer);
	again = strstr(seen, "RCPT TO:<a@");
	ck_assert_ptr_nonnull(again);
	ck_assert_ptr_null(strstr(again + 1, "RCPT TO:<a@"));
	free(seen);
	house_over();
	peer_end(&peer);
}
END_TEST

/* Nobody answers for the rest: that is nothing to who was delivered. */
START_TEST(who_was_taken_stays_delivered_when_the_rest_fails)
{
	static const char *const script[] = { "> 220 peer", "< EHLO", "> 250-peer",
		"> 250 PIPELINING", "<*", "> 250 ok", "> 250 ok", "> 452 too many", "> 354 go",
		"<.", "> 250 taken", "< QUIT", "next", "> 554 go away", "wait", NULL };
	struct peer *peer = peer_script(script);

	router_to(peer_port(peer), 0);
	house_open("max_messages_connection = 1;", HOUSE_ROUTER);
	house_sends("", "a@x.org b@x.org");
	memory_wait_fate(0, 1, TMAIL_FATE_BOUNCED);
	memory_wait_fate(0, 0, TMAIL_FATE_DELIVERED);
	house_over();
	peer_end(&peer);
}
END_TEST

/* The server ends before the rest could go: what was taken is known at the next start. */
START_TEST(who_was_taken_is_not_sent_to_again_when_the_rest_is_stopped)
{
	static const char *const script[] = { "> 220 peer", "< EHLO", "> 250-peer",
		"> 250 PIPELINING", "<*", "> 250 ok", "> 250 ok", "> 452 too many", "> 354 go",
		"<.", "> 250 taken", "< QUIT", "wait", NULL };
	struct peer *peer = peer_script(script);
	struct memory_message m;

	router_to(peer_port(peer), 0);
	house_open("max_messages_connection = 1;", HOUSE_ROUTER);
	house_sends("", "a@x.org b@x.org");
	peer_wait_seen(peer, "QUIT");
	house_close();
	ck_assert(memory_message(0, &m));
	ck_assert_int_eq(m.recipient[0].fate, TMAIL_FATE_DELIVERED);
	free(m.content);
	memory_reset();
	peer_end(&peer);
}
END_TEST

START_TEST(converted_content_is_converted_again_for_the_rest)
{
	const struct peer_rule rules[] = { PLAIN_EHLO, { "RCPT TO:<b@", "452 too many", 1 } };
	struct peer *peer = peer_server(rules, 2, 0);

	router_to(peer_port(peer), 0);
	house_open("", HOUSE_ROUTER);
	ck_assert_int_eq(house_send("", "a@x.org b@x.org", EIGHT), COMMIT_DURABLE);
	content_is(peer, 0, STR(SEVEN));
	content_is(peer, 1, STR(SEVEN));
	house_over();
	peer_end(&peer);
}
END_TEST

/* ---- the wire ------------------------------------------------------------------------------ */

START_TEST(what_goes_out_has_crlf_only_and_its_dots)
{
	static const char content[] = "A: b\r\n\r\n.\r\n..x\n.\n\r.\r\rQUIT\n";
	static const char want[] = "A: b\r\n\r\n.\r\n..x\r\n.\r\n\r\n.\r\n\r\nQUIT\r\n";
	struct peer *data = peer_server(NULL, 0, 0), *bdat = peer_server(NULL, 0, PEER_CHUNKING);
	char *seen;

	house_open("", HOUSE_ROUTER);
	house_routes[0] = (struct house_route){ .domain = "one.org", .port = peer_port(data) };
	house_routes[1] = (struct house_route){ .domain = "", .port = peer_port(bdat) };
	ck_assert_int_eq(house_send("", "a@one.org b@two.org", content), COMMIT_DURABLE);
	memory_wait_ended(1);
	content_is(data, 0, str_c(want));
	content_is(bdat, 0, str_c(want));
	seen = peer_seen(data);
	ck_assert_ptr_nonnull(
		strstr(seen, "\r\n\r\n..\r\n...x\r\n..\r\n\r\n..\r\n\r\nQUIT\r\n.\r\n"));
	free(seen);
	seen = peer_seen(bdat);
	ck_assert_ptr_nonnull(strstr(seen, "\r\nBDAT "));
	ck_assert_ptr_null(strstr(seen, "DATA\r\n"));
	free(seen);
	house_over();
	peer_end(&data);
	peer_end(&bdat);
}
END_TEST

START_TEST(chunks_may_be_switched_off)
{
	struct peer *peer = peer_server(NULL, 0, PEER_CHUNKING);
	char *seen;

	router_to(peer_port(peer), 0);
	house_open("chunking = false;", HOUSE_ROUTER);
	house_sends("", "a@x.org");
	content_is(peer, 0, STR(HOUSE_CONTENT));
	seen = peer_seen(peer);
	ck_assert_ptr_null(strstr(seen, "BDAT"));
	free(seen);
	house_over();
	peer_end(&peer);
}
END_TEST

START_TEST(lmtp_is_spoken_over_both_kinds_of_sockets)
{
	for (unsigned flags = PEER_LMTP; flags <= (PEER_LMTP | PEER_UNIX); flags += PEER_UNIX) {
		const struct peer_rule rules[] = { { ".b@", "452 4.2.2 full", 0 },
			{ ".c@", "550 5.2.2 full for ever", 0 } };
		struct peer *peer = peer_server(rules, 2, flags);

		house_routes[0] = (struct house_route){ .domain = "",
			.protocol = TMAIL_PROTOCOL_LMTP,
			.port = flags & PEER_UNIX ? 0 : peer_port(peer),
			.host = flags & PEER_UNIX ? peer_path(peer) : NULL };
		house_open("", HOUSE_ROUTER);
		house_sends("", "a@x.org b@x.org c@x.org d@x.org");
		memory_wait_fate(0, 0, TMAIL_FATE_DELIVERED);
		memory_wait_fate(0, 1, TMAIL_FATE_DEFERRED);
		memory_wait_fate(0, 2, TMAIL_FATE_BOUNCED);
		memory_wait_fate(0, 3, TMAIL_FATE_DELIVERED);
		ck_assert_uint_eq(peer_messages(peer), 2);
		house_over();
		peer_end(&peer);
	}
}
END_TEST

START_TEST(a_socket_that_is_not_there_is_temporary)
{
	struct memory_message m;

	house_routes[0] = (struct house_route){
		.domain = "", .protocol = TMAIL_PROTOCOL_LMTP, .host = "/nonexistent/lmtp"
	};
	house_open("", HOUSE_ROUTER);
	house_sends("", "a@x.org");
	memory_wait_fate(0, 0, TMAIL_FATE_DEFERRED);
	ck_assert(memory_message(0, &m));
	ck_assert_msg(strstr(m.recipient[0].reply, "/nonexistent/lmtp") != NULL, "%s",
		m.recipient[0].reply);
	free(m.content);
	house_over();
}
END_TEST

TEST_MAIN("queue/send", content_is_converted_for_a_server_without_8bitmime,
	content_of_the_store_is_converted_piece_by_piece,
	content_that_cannot_be_read_is_no_fault_of_the_host,
	ascii_alone_is_sent_as_it_is_whatever_was_declared, content_is_declared_by_its_octets,
	what_cannot_be_converted_bounces, an_administrator_may_want_it_bounced_or_sent,
	the_size_that_counts_is_that_of_the_converted, smtputf8_that_is_not_needed_is_not_said,
	smtputf8_alone_promises_8_bit_content, a_header_of_the_store_is_looked_at_before_it_bounces,
	a_local_part_that_cannot_be_said_bounces_and_the_others_go_on,
	recipients_that_are_too_many_go_with_the_next_transaction_at_once,
	who_is_too_many_by_himself_waits, a_connection_lost_before_the_rest_repeats_nothing,
	who_was_taken_stays_delivered_when_the_rest_fails,
	who_was_taken_is_not_sent_to_again_when_the_rest_is_stopped,
	converted_content_is_converted_again_for_the_rest, what_goes_out_has_crlf_only_and_its_dots,
	chunks_may_be_switched_off, lmtp_is_spoken_over_both_kinds_of_sockets,
	a_socket_that_is_not_there_is_temporary)
