/* SPDX-License-Identifier: MIT
 *
 * A transaction and what it says: BDAT or DATA, parameters that are offered, addresses with and
 * without SMTPUTF8, what is known before a word is said.
 */
#include "tests/smtp/client_talk.h"

#include "tests/lib/test.h"

#define UE "\303\274"
#define HELLO(...) "> 220 peer", "< EHLO", "> 250-peer", __VA_ARGS__ "> 250 PIPELINING"
#define CHUNKS HELLO("> 250-CHUNKING", "> 250-8BITMIME", )
#define CONTENT "Subject: x\r\n\r\nhello\r\n"

static void talk(struct talk *t, const char *const *script)
{
	talk_start(t, script);
	t->settings.chunking = true;
	talk_recipients(t, "a@x.org", "b@x.org", NULL);
	talk_content(t, CONTENT);
}

static void class_is(const struct talk *t, size_t i, enum client_class class)
{
	ck_assert_msg(t->r[i].outcome.class == class, "recipient %zu: class %d, %s", i,
		t->r[i].outcome.class, t->text[i]);
}

/* ---- BDAT -------------------------------------------------------------------------------- */

START_TEST(a_small_message_goes_out_with_its_envelope_in_one_chunk)
{
	static const char *const script[] = { CHUNKS, "< MAIL", "< RCPT", "< RCPT", "< BDAT",
		"> 250 ok", "> 250 ok", "> 550 no", "> 250 2.0.0 taken", "wait", NULL };
	struct talk t;

	talk(&t, script);
	talk_run(&t);
	ck_assert_uint_eq(peer_surprises(t.peer), 0);
	talk_saw(&t, "RCPT TO:<b@x.org>\r\nBDAT 21 LAST\r\n" CONTENT);
	class_is(&t, 0, CLASS_OK);
	class_is(&t, 1, CLASS_PERMANENT);
	ck_assert_str_eq(t.r[0].outcome.enhanced, "2.0.0");
	ck_assert(t.usable);
	talk_end(&t);
}
END_TEST

START_TEST(a_chunk_counts_line_endings_as_they_are_sent)
{
	static const char *const script[] = { CHUNKS, "< MAIL", "< RCPT", "< RCPT", "< BDAT",
		"> 250 ok", "> 250 ok", "> 250 ok", "> 250 ok", "wait", NULL };
	struct talk t;

	talk(&t, script);
	t.t.pieces[0] = STR("A: b\n\n.\n\r\n.\r");
	t.t.pieces[1] = STR("\nc\rd");
	t.t.piece_count = 2;
	talk_run(&t);
	talk_saw(&t, "BDAT 22 LAST\r\nA: b\r\n\r\n.\r\n\r\n.\r\nc\r\nd\r\n");
	class_is(&t, 0, CLASS_OK);
	talk_end(&t);
}
END_TEST

START_TEST(data_is_said_where_a_chunk_is_no_better)
{
	static const char *const chunking[] = { "> 250-CHUNKING", "> 250 SIZE" };
	static const char *const pipelining[] = { "> 250-CHUNKING", "> 250 PIPELINING" };
	static const struct {
		const char *const *offers;
		enum tmail_protocol protocol;
		size_t size;
		bool off, more;
	} cases[] = {
		{ chunking, TMAIL_PROTOCOL_SMTP, 0, false, false },
		{ pipelining, TMAIL_PROTOCOL_LMTP, 0, false, false },
		{ pipelining, TMAIL_PROTOCOL_SMTP, 70000, false, false },
		{ pipelining, TMAIL_PROTOCOL_SMTP, 0, true, false },
		{ pipelining, TMAIL_PROTOCOL_SMTP, 0, false, true },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		bool lmtp = cases[i].protocol == TMAIL_PROTOCOL_LMTP;
		const char *const script[] = { "> 220 peer", lmtp ? "< LHLO" : "< EHLO",
			"> 250-peer", cases[i].offers[0], cases[i].offers[1], "< MAIL", "> 250 ok",
			"< RCPT", "> 250 ok", "< DATA", "> 354 go", "<.", "> 250 ok", "wait",
			NULL };
		char *large = must_alloc(70000);
		struct talk t;

		talk_start(&t, script);
		t.settings.chunking = !cases[i].off;
		t.settings.protocol = cases[i].protocol;
		talk_recipients(&t, "a@x.org", NULL);
		talk_content(&t, CONTENT);
		memset(large, 'x', 70000);
		if (cases[i].size)
			t.t.pieces[0] = str_make(large, cases[i].size);
		if (cases[i].more)
			talk_more(&t, "and more\r\n");
		talk_run(&t);
		class_is(&t, 0, CLASS_OK);
		talk_saw_not(&t, "BDAT");
		ck_assert_uint_eq(peer_surprises(t.peer), 0);
		talk_end(&t);
		free(large);
	}
}
END_TEST

START_TEST(a_connection_that_was_used_before_gets_data)
{
	static const char *const script[] = { CHUNKS, "< MAIL", "< RCPT", "< RCPT", "< BDAT",
		"> 250 ok", "> 250 ok", "> 250 ok", "> 250 ok", "< MAIL", "< RCPT", "< RCPT",
		"< DATA", "> 250 ok", "> 250 ok", "> 250 ok", "> 354 go", "<.", "> 250 ok", "wait",
		NULL };
	struct talk t;

	talk(&t, script);
	talk_run(&t);
	talk_again(&t);
	ck_assert_uint_eq(peer_surprises(t.peer), 0);
	class_is(&t, 0, CLASS_OK);
	talk_end(&t);
}
END_TEST

START_TEST(a_chunk_for_nobody_is_swallowed_and_reset)
{
	static const char *const script[] = { CHUNKS, "< MAIL", "< RCPT", "< RCPT", "< BDAT",
		"> 250 ok", "> 550 5.1.1 no", "> 450 later", "> 503 nobody", "< RSET", "< MAIL",
		"< RCPT", "< RCPT", "< DATA", "> 250 ok", "> 250 ok", "> 250 ok", "> 250 ok",
		"> 354 go", "<.", "> 250 ok", "wait", NULL };
	struct talk t;

	talk(&t, script);
	talk_run(&t);
	class_is(&t, 0, CLASS_PERMANENT);
	class_is(&t, 1, CLASS_TEMPORARY);
	ck_assert_int_eq(t.r[1].outcome.stage, STAGE_RCPT);
	ck_assert(t.usable);
	talk_again(&t);
	ck_assert_uint_eq(peer_surprises(t.peer), 0);
	class_is(&t, 0, CLASS_OK);
	talk_end(&t);
}
END_TEST

START_TEST(a_refused_chunk_is_the_messages_end_and_is_reset)
{
	static const char *const script[] = { CHUNKS, "< MAIL", "< RCPT", "< RCPT", "< BDAT",
		"> 250 ok", "> 250 ok", "> 250 ok", "> 554 5.6.0 spam", "< RSET", "wait", NULL };
	struct talk t;

	talk(&t, script);
	talk_run(&t);
	class_is(&t, 0, CLASS_PERMANENT);
	class_is(&t, 1, CLASS_PERMANENT);
	ck_assert_int_eq(t.r[0].outcome.stage, STAGE_DOT);
	ck_assert(t.usable);
	t.done = false;
	client_send(t.client, &t.t);
	client_close(&t.client); /* the peer says no more */
	peer_wait_seen(t.peer, "\r\nRSET\r\nMAIL");
	talk_end(&t);
}
END_TEST

START_TEST(a_chunk_behind_a_refused_sender_settles_all_at_once)
{
	static const char *const script[] = { CHUNKS, "< MAIL", "< RCPT", "< RCPT", "< BDAT",
		"> 550 5.1.8 no", "> 503 no", "> 503 no", "> 503 no", "wait", NULL };
	struct talk t;

	talk(&t, script);
	talk_run(&t);
	class_is(&t, 0, CLASS_PERMANENT);
	ck_assert_int_eq(t.r[1].outcome.stage, STAGE_MAIL);
	ck_assert_str_eq(t.r[1].outcome.enhanced, "5.1.8");
	ck_assert(t.usable);
	talk_end(&t);
}
END_TEST

START_TEST(an_empty_message_is_a_chunk_of_nothing)
{
	static const char *const script[] = { CHUNKS, "< MAIL", "< RCPT", "< RCPT", "< BDAT",
		"> 250 ok", "> 250 ok", "> 250 ok", "> 250 ok", "wait", NULL };
	struct talk t;

	talk(&t, script);
	t.t.piece_count = 0;
	talk_run(&t);
	talk_saw(&t, "BDAT 0 LAST\r\n");
	class_is(&t, 0, CLASS_OK);
	talk_end(&t);
}
END_TEST

/* ---- SMTPUTF8 ------------------------------------------------------------------------------ */

#define ONE_BY_ONE "> 250 ok", "> 250 ok", "> 250 ok", "> 354 go", "<.", "> 250 ok", "wait", NULL

START_TEST(a_domain_alone_needs_no_smtputf8)
{
	static const char *const script[] = { HELLO(), "<*", ONE_BY_ONE };
	struct talk t;

	talk_start(&t, script);
	t.t.sender = STR("s@b" UE "cher.example");
	talk_recipients(&t, "a@b" UE "cher.example", "b@x.org", NULL);
	talk_run(&t);
	talk_saw(&t,
		"MAIL FROM:<s@xn--bcher-kva.example>\r\n"
		"RCPT TO:<a@xn--bcher-kva.example>\r\nRCPT TO:<b@x.org>\r\n");
	class_is(&t, 0, CLASS_OK);
	/* The caller's own are what they were. */
	ck_assert(str_equal(t.r[0].address, STR("a@b" UE "cher.example")));
	talk_end(&t);
}
END_TEST

START_TEST(a_local_part_that_cannot_be_said_bounces_alone)
{
	static const char *const script[] = { HELLO(), "<*", "> 250 ok", "> 250 ok", "> 354 go",
		"<.", "> 250 ok", "wait", NULL };
	struct talk t;

	talk_start(&t, script);
	talk_recipients(&t, UE "@x.org", "b@x.org", NULL);
	talk_run(&t);
	class_is(&t, 0, CLASS_PERMANENT);
	ck_assert_uint_eq(t.r[0].outcome.code, 553);
	ck_assert_str_eq(t.r[0].outcome.enhanced, "5.6.7");
	class_is(&t, 1, CLASS_OK);
	talk_saw_not(&t, UE);
	talk_end(&t);
}
END_TEST

START_TEST(a_sender_or_a_header_that_cannot_be_said_bounces_all)
{
	static const char *const script[] = { HELLO(), "wait", NULL };

	for (int header = 0; header < 2; header++) {
		struct talk t;

		talk_start(&t, script);
		talk_recipients(&t, "a@x.org", "b@x.org", NULL);
		t.t.smtputf8 = header;
		if (!header)
			t.t.sender = STR(UE "@x.org");
		talk_run(&t);
		class_is(&t, 0, CLASS_PERMANENT);
		class_is(&t, 1, CLASS_PERMANENT);
		ck_assert_str_eq(t.r[0].outcome.enhanced, "5.6.7");
		ck_assert_uint_eq(t.r[0].outcome.code, header ? 550 : 553);
		ck_assert(t.usable);
		talk_saw_not(&t, "MAIL");
		talk_end(&t);
	}
}
END_TEST

START_TEST(smtputf8_is_said_when_something_needs_it)
{
	static const struct {
		const char *sender, *recipient;
		bool header, said;
	} cases[] = {
		{ "s@x.org", "a@x.org", false, false },
		{ "s@x.org", "a@x.org", true, true },
		{ UE "@x.org", "a@x.org", false, true },
		{ "s@x.org", UE "@x.org", false, true },
		{ "s@x.org", "a@" UE ".org", false, true },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		static const char *const script[] = { HELLO("> 250-SMTPUTF8", ), "<*", "> 250 ok",
			"> 250 ok", "> 354 go", "<.", "> 250 ok", "wait", NULL };
		struct talk t;

		talk_start(&t, script);
		t.t.sender = str_c(cases[i].sender);
		t.t.smtputf8 = cases[i].header;
		talk_recipients(&t, cases[i].recipient, NULL);
		talk_run(&t);
		class_is(&t, 0, CLASS_OK);
		talk_saw(&t, cases[i].said ? "> SMTPUTF8\r\n" : ">\r\nRCPT");
		talk_saw(&t, cases[i].recipient);
		talk_end(&t);
	}
}
END_TEST

/* ---- parameters -------------------------------------------------------------------------- */

START_TEST(an_original_recipient_is_said_as_its_type_is_encoded)
{
	static const char *const script[] = { HELLO("> 250-DSN", ), "<*", "> 250 ok", "> 250 ok",
		"> 250 ok", "> 250 ok", "> 354 go", "<.", "> 250 ok", "wait", NULL };
	struct talk t;

	talk_start(&t, script);
	talk_recipients(&t, "a@x.org", "b@x.org", "c@x.org", NULL);
	t.r[0].original = STR("rfc822;a+b@x.org");
	t.r[1].original = STR("utf-8;" UE "+@x.org");
	t.r[2].notify = TMAIL_NOTIFY_SUCCESS | TMAIL_NOTIFY_FAILURE;
	t.t.ret = TMAIL_RET_FULL;
	talk_run(&t);
	talk_saw(&t, "MAIL FROM:<s@example.com> RET=FULL\r\n");
	talk_saw(&t, "RCPT TO:<a@x.org> ORCPT=rfc822;a+2Bb@x.org\r\n");
	talk_saw(&t, "RCPT TO:<b@x.org> ORCPT=utf-8;\\x{FC}\\x{2B}@x.org\r\n");
	talk_saw(&t, "RCPT TO:<c@x.org> NOTIFY=SUCCESS,FAILURE\r\n");
	talk_end(&t);
}
END_TEST

START_TEST(a_size_of_zero_is_no_limit)
{
	static const char *const none[] = { HELLO("> 250-SIZE 0", ), "<*", "> 250 ok", "> 250 ok",
		"> 354 go", "<.", "> 250 ok", "wait", NULL };
	static const char *const some[] = { HELLO("> 250-SIZE 999", ), "wait", NULL };
	struct talk t;

	talk_start(&t, none);
	talk_recipients(&t, "a@x.org", NULL);
	t.t.size = UINT64_MAX;
	talk_run(&t);
	talk_saw(&t, " SIZE=18446744073709551615\r\n");
	class_is(&t, 0, CLASS_OK);
	talk_end(&t);
	talk_start(&t, some);
	talk_recipients(&t, "a@x.org", NULL);
	t.t.size = 1000;
	talk_run(&t);
	class_is(&t, 0, CLASS_PERMANENT);
	ck_assert_str_eq(t.r[0].outcome.enhanced, "5.3.4");
	talk_end(&t);
}
END_TEST

/* ---- before a word is said ----------------------------------------------------------------- */

static bool not_yet(void *ctx)
{
	struct talk *t = ctx;

	t->asked++;
	if (t->late.data) {
		t->task.run = talk_there;
		loop_post(t->loop, &t->task);
	}
	t->t.size = 7; /* may still be changed */
	return false;
}

START_TEST(a_transaction_that_is_not_ready_is_waited_for)
{
	static const char *const script[] = { HELLO("> 250-SIZE", ),
		"< MAIL FROM:<s@example.com> SIZE=7", "< RCPT", "< DATA", "> 250 ok", "> 250 ok",
		"> 354 go", "<.", "> 250 ok", "wait", NULL };
	struct talk t;

	talk_start(&t, script);
	talk_recipients(&t, "a@x.org", NULL);
	t.t.prepare = not_yet;
	t.late = STR("x");
	talk_run(&t);
	ck_assert_uint_eq(peer_surprises(t.peer), 0);
	ck_assert_uint_eq(t.asked, 1);
	class_is(&t, 0, CLASS_OK);
	talk_end(&t);
}
END_TEST

START_TEST(a_connection_that_ends_before_it_is_ready_is_temporary)
{
	static const char *const script[] = { HELLO(), "close", NULL };
	static const char *const noisy[] = { HELLO(), "> 421 bye", "wait", NULL };
	const char *const *const scripts[] = { script, noisy };

	for (size_t i = 0; i < 2; i++) {
		struct talk t;

		talk_start(&t, scripts[i]);
		talk_recipients(&t, "a@x.org", "b@x.org", NULL);
		t.t.prepare = not_yet;
		talk_run(&t);
		if (t.done) { /* else it spoke before it was said to be there */
			class_is(&t, 0, CLASS_TEMPORARY);
			class_is(&t, 1, CLASS_TEMPORARY);
			ck_assert_int_eq(t.r[0].outcome.stage, STAGE_MAIL);
			ck_assert(!t.usable);
		}
		talk_end(&t);
	}
}
END_TEST

START_TEST(closing_before_it_is_ready_ends_the_transaction)
{
	static const char *const script[] = { HELLO(), "wait", NULL };
	struct talk t;

	talk_start(&t, script);
	talk_recipients(&t, "a@x.org", NULL);
	t.t.prepare = not_yet;
	t.open = client_connect(t.loop, &t.endpoint, 1, NULL, 0, &t.settings, talk_opened, &t);
	deadline_init(&t.silence, t.loop, talk_silent);
	while (t.asked == 0) {
		t.task.run = NULL;
		uv_run(loop_uv(t.loop), UV_RUN_ONCE);
	}
	client_abort(&t.client);
	ck_assert(t.done);
	class_is(&t, 0, CLASS_TEMPORARY);
	talk_end(&t);
}
END_TEST

START_TEST(what_its_owner_refuses_is_not_said)
{
	static const struct client_outcome refused = { .class = CLASS_PERMANENT,
		.stage = STAGE_MAIL,
		.code = 554,
		.enhanced = "5.6.3",
		.text = STR_INIT("it cannot be converted") };
	static const char *const script[] = { HELLO(), "wait", NULL };
	struct talk t;

	talk_start(&t, script);
	talk_recipients(&t, "a@x.org", "b@x.org", NULL);
	t.t.refused = &refused;
	talk_run(&t);
	talk_text_is(&t, 1, "it cannot be converted");
	ck_assert_str_eq(t.r[1].outcome.enhanced, "5.6.3");
	ck_assert(t.usable);
	talk_saw_not(&t, "MAIL");
	talk_end(&t);
}
END_TEST

/* ---- one transaction after another ------------------------------------------------------- */

START_TEST(recipients_that_are_too_many_are_told_apart)
{
	static const char *const script[] = { HELLO(), "<*", "> 250 ok", "> 250 ok",
		"> 452 too many", "> 452 4.2.2 full", "> 552 5.5.3 too many", "> 354 go", "<.",
		"> 250 ok", "wait", NULL };
	struct talk t;

	talk_start(&t, script);
	talk_recipients(&t, "a@x.org", "b@x.org", "c@x.org", "d@x.org", NULL);
	talk_run(&t);
	class_is(&t, 0, CLASS_OK);
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(t.r[i].outcome.crowded, i == 1 || i == 3);
	class_is(&t, 3, CLASS_TEMPORARY);
	talk_end(&t);
}
END_TEST

START_TEST(an_envelope_that_cannot_be_reset_costs_the_connection)
{
	static const char *const script[] = { HELLO(), "<*", "> 250 ok", "> 450 later", "> 503 no",
		"<*", "> 502 no such command", "> 250 ok", "> 250 ok", "> 354 go", "wait", NULL };
	struct talk t;

	talk_start(&t, script);
	talk_recipients(&t, "a@x.org", NULL);
	talk_content(&t, CONTENT);
	talk_run(&t);
	talk_again(&t);
	class_is(&t, 0, CLASS_TEMPORARY);
	ck_assert(!t.usable);
	talk_saw_not(&t, "hello");
	talk_end(&t);
}
END_TEST

TEST_MAIN("smtp/client_send", a_small_message_goes_out_with_its_envelope_in_one_chunk,
	a_chunk_counts_line_endings_as_they_are_sent, data_is_said_where_a_chunk_is_no_better,
	a_connection_that_was_used_before_gets_data, a_chunk_for_nobody_is_swallowed_and_reset,
	a_refused_chunk_is_the_messages_end_and_is_reset,
	a_chunk_behind_a_refused_sender_settles_all_at_once, an_empty_message_is_a_chunk_of_nothing,
	a_domain_alone_needs_no_smtputf8, a_local_part_that_cannot_be_said_bounces_alone,
	a_sender_or_a_header_that_cannot_be_said_bounces_all,
	smtputf8_is_said_when_something_needs_it,
	an_original_recipient_is_said_as_its_type_is_encoded, a_size_of_zero_is_no_limit,
	a_transaction_that_is_not_ready_is_waited_for,
	a_connection_that_ends_before_it_is_ready_is_temporary,
	closing_before_it_is_ready_ends_the_transaction, what_its_owner_refuses_is_not_said,
	recipients_that_are_too_many_are_told_apart,
	an_envelope_that_cannot_be_reset_costs_the_connection)
