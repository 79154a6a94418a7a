/* SPDX-License-Identifier: MIT
 *
 * The client and TLS: what is said before it, through it, and where there is none.
 */
#include "tests/smtp/client_talk.h"

#include "tests/lib/tls_side.h"

#include <sys/socket.h>

#define GREETS "> 220 peer", "< EHLO"
#define OFFERS GREETS, "> 250-peer", "> 250-PIPELINING", "> 250-SIZE 10", "> 250 STARTTLS"
#define STARTS OFFERS, "< STARTTLS", "> 220 go ahead", "tls", "< EHLO me.example"
#define TAKES                                                                                      \
	"< MAIL FROM", "> 250 ok", "< RCPT TO", "> 250 ok", "< DATA", "> 354 go", "<.",            \
		"> 250 taken", "< QUIT"
#define SENDS TAKES, "wait"

static struct tls_side side;
static const struct str name = STR_INIT("mail.example"), other = STR_INIT("other.example");

/* As the peer has been given a certificate: tls_side_make. */
static void secure_with_side(struct talk *t, const char *const *script, enum client_tls how)
{
	talk_start(t, script);
	peer_secure(t->peer, side.ctx);
	t->settings.secure = how;
	t->settings.tls = side.client;
	t->settings.wanted = (struct tls_wanted){
		.check = TLS_CHECK_NAME, .sni = name, .names = &name, .name_count = 1
	};
	talk_recipients(t, "a@example.com", NULL);
	talk_content(t, "Subject: x\r\n\r\nhello\r\n");
}

static void secure(struct talk *t, const char *const *script, enum client_tls how)
{
	tls_side_make(&side, "DNS:mail.example", true, PKI_DAY);
	secure_with_side(t, script, how);
}

static void end(struct talk *t)
{
	talk_end(t);
	tls_side_end(&side);
}

/* No mail was begun: another host is next, or this one in clear. */
static void failed(struct talk *t, const char *words, bool in_clear)
{
	ck_assert_ptr_null(t->client);
	ck_assert_int_eq(t->opened.class, CLASS_NEXT_HOST);
	ck_assert_int_eq(t->opened.stage, STAGE_TLS);
	ck_assert_int_eq(t->opened.in_clear, in_clear);
	ck_assert_msg(strstr(t->opened_text, words) != NULL, "%s", t->opened_text);
	talk_saw_not(t, "MAIL");
}

static void failed_here(struct talk *t, const char *enhanced, const char *words)
{
	failed(t, words, false);
	ck_assert_uint_eq(t->opened.code, 0);
	ck_assert_str_eq(t->opened.enhanced, enhanced);
}

static void succeeds(struct talk *t)
{
	talk_run(t);
	ck_assert_uint_eq(peer_surprises(t->peer), 0);
	ck_assert_int_eq(t->r[0].outcome.class, CLASS_OK);
}

/* ---- with TLS ------------------------------------------------------------------------------ */

START_TEST(what_was_offered_in_clear_is_forgotten_behind_tls)
{
	static const char *const script[] = { STARTS, "> 250-peer", "> 250 STARTTLS", SENDS, NULL };
	const struct tls_facts *facts;
	struct talk t;

	secure(&t, script, CLIENT_TLS_MUST);
	/* Not in one write: PIPELINING was not offered again; nor is 10 the limit. */
	succeeds(&t);
	facts = client_tls(t.client);
	ck_assert_ptr_nonnull(facts);
	ck_assert(facts->verified);
	ck_assert_str_eq(facts->version, "TLSv1.3");
	end(&t);
}
END_TEST

START_TEST(tls_from_the_first_octet_has_no_starttls)
{
	static const char *const script[] = { "tls", GREETS, "> 250-peer", "> 250 STARTTLS", SENDS,
		NULL };
	struct talk t;

	secure(&t, script, CLIENT_TLS_MUST);
	t.settings.implicit = true;
	succeeds(&t);
	end(&t);
}
END_TEST

START_TEST(a_session_is_resumed_by_its_key)
{
	static const char *const script[] = { STARTS, "> 250 peer", TAKES, "next", STARTS,
		"> 250 peer", TAKES, "next", STARTS, "> 250 peer", TAKES, NULL };
	struct talk t;

	secure(&t, script, CLIENT_TLS_MUST);
	t.settings.wanted.session_key = STR("mail verify");
	talk_run(&t);
	ck_assert(t.client && !client_tls(t.client)->resumed);
	talk_quit(&t);
	t.done = false;
	talk_run(&t);
	ck_assert_msg(t.client != NULL, "%s", t.opened_text);
	ck_assert(client_tls(t.client)->resumed);
	ck_assert(client_tls(t.client)->verified);
	talk_quit(&t);
	t.done = false;
	t.settings.wanted.session_key = STR("mail may");
	talk_run(&t);
	ck_assert(t.client && !client_tls(t.client)->resumed);
	end(&t);
}
END_TEST

START_TEST(a_connection_that_breaks_inside_tls_is_lost)
{
	static const char *const script[] = { STARTS, "> 250 peer", "< MAIL", "close", NULL };
	struct talk t;

	secure(&t, script, CLIENT_TLS_MUST);
	talk_run(&t);
	ck_assert(t.done && !t.usable);
	ck_assert_int_eq(t.r[0].outcome.class, CLASS_TEMPORARY);
	ck_assert_int_eq(t.r[0].outcome.stage, STAGE_MAIL);
	end(&t);
}
END_TEST

/* ---- whose certificate --------------------------------------------------------------------- */

static void judged(const char *alternatives, bool issued, long valid, enum tls_check check,
	const struct str *wanted, const char *trouble)
{
	static const char *const script[] = { STARTS, "> 250 peer", SENDS, NULL };
	struct talk t;

	tls_side_make(&side, alternatives, issued, valid);
	secure_with_side(&t, script, CLIENT_TLS_MUST);
	t.settings.wanted.check = check;
	t.settings.wanted.names = wanted;
	talk_run(&t);
	if (check == TLS_CHECK_NAME && trouble) {
		failed_here(&t, "4.7.5", trouble);
	} else {
		ck_assert_int_eq(t.r[0].outcome.class, CLASS_OK);
		ck_assert_int_eq(client_tls(t.client)->verified, trouble == NULL);
		if (trouble)
			ck_assert_ptr_nonnull(strstr(client_tls(t.client)->trouble, trouble));
	}
	end(&t);
}

START_TEST(a_certificate_that_must_be_good_is)
{
	judged("DNS:mail.example", true, PKI_DAY, TLS_CHECK_NAME, &name, NULL);
	judged("DNS:mail.example", true, PKI_DAY, TLS_CHECK_NAME, &other, "ostname mismatch");
	judged("DNS:mail.example", true, -PKI_DAY, TLS_CHECK_NAME, &name, "expired");
	judged("DNS:mail.example", false, PKI_DAY, TLS_CHECK_NAME, &name, "self-signed");
}
END_TEST

START_TEST(of_one_that_need_not_be_good_what_is_wrong_is_told)
{
	judged("DNS:mail.example", true, PKI_DAY, TLS_CHECK_NOTHING, &name, NULL);
	judged("DNS:mail.example", true, PKI_DAY, TLS_CHECK_NOTHING, &other, "ostname mismatch");
	judged("DNS:mail.example", false, PKI_DAY, TLS_CHECK_NOTHING, &name, "self-signed");
}
END_TEST

/* ---- without TLS --------------------------------------------------------------------------- */

static const char *const not_offered[] = { GREETS, "> 250 peer", SENDS, NULL };
static const char *const refused[] = { OFFERS, "< STARTTLS", "> 454 4.7.0 not now", "<*",
	"> 250 ok", "> 250 ok", "> 354 go", "<.", "> 250 taken", "wait", NULL };
static const char *const unknown[] = { OFFERS, "< STARTTLS", "> 502 what", "<*", "> 250 ok",
	"> 250 ok", "> 354 go", "<.", "> 250 taken", "wait", NULL };
static const char *const old[] = { GREETS, "> 500 what", "< HELO", "> 250 peer", SENDS, NULL };
static const struct {
	const char *const *script;
	const char *words;
} without[] = {
	{ not_offered, "not offered" },
	{ refused, "was refused: 454 4.7.0 not now" },
	{ unknown, "was refused: 502 what" },
	{ old, "not offered" },
};

START_TEST(without_tls_nothing_is_said_where_it_must_be)
{
	for (size_t i = 0; i < sizeof without / sizeof *without; i++) {
		struct talk t;

		secure(&t, without[i].script, CLIENT_TLS_MUST);
		t.settings.login = STR("me");
		t.settings.password = STR("secret");
		t.settings.login_clear = true;
		talk_run(&t);
		failed_here(&t, "4.7.4", without[i].words);
		talk_saw_not(&t, "AUTH");
		end(&t);
	}
}
END_TEST

START_TEST(without_tls_mail_goes_on_the_same_connection_where_it_may)
{
	for (size_t i = 0; i < sizeof without / sizeof *without; i++) {
		struct talk t;

		secure(&t, without[i].script, CLIENT_TLS_MAY);
		talk_content(&t, "small\r\n");
		talk_run(&t);
		ck_assert_int_eq(t.r[0].outcome.class, CLASS_OK);
		ck_assert_ptr_null(client_tls(t.client));
		ck_assert_uint_eq(peer_connections(t.peer), 1);
		end(&t);
	}
}
END_TEST

START_TEST(where_none_is_wanted_starttls_is_not_said)
{
	static const char *const script[] = { GREETS, "> 250-peer", "> 250 STARTTLS", SENDS, NULL };
	struct talk t;

	secure(&t, script, CLIENT_TLS_NONE);
	talk_run(&t);
	ck_assert_int_eq(t.r[0].outcome.class, CLASS_OK);
	talk_saw_not(&t, "STARTTLS");
	end(&t);
}
END_TEST

/* ---- servers that lie about it ------------------------------------------------------------- */

static void lies(const char *const *script, enum client_tls how, int64_t patience,
	const char *words, bool in_clear)
{
	struct talk t;

	secure(&t, script, how);
	if (patience)
		t.settings.timeouts.command = patience;
	talk_run(&t);
	failed(&t, words, in_clear);
	end(&t);
}

static void lied(const char *first, const char *second, enum client_tls how, int64_t patience,
	const char *words, bool in_clear)
{
	const char *const script[] = { OFFERS, "< STARTTLS", first, second, "wait", NULL };

	lies(script, how, patience, words, in_clear);
}

/* In place of the server's part of the handshake. */
static void garbled(const char *step, enum client_tls how, bool in_clear)
{
	const char *const script[] = { OFFERS, "< STARTTLS", "> 220 go", "<*", step, "wait", NULL };

	lies(script, how, 0, "handshake failed", in_clear);
}

START_TEST(what_stands_in_clear_behind_the_yes_to_starttls_is_not_believed)
{
	for (int how = CLIENT_TLS_MAY; how <= CLIENT_TLS_MUST; how++) {
		lied(">> 220 go\r\n250 injected\r\n", "tls", how, 0, "in clear behind", false);
		lied(">> 220 go\r\n2", "tls", how, 0, "in clear behind", false);
		lied(">> 220 go\r\n\r\n", "wait", how, 0, "in clear behind", false);
	}
}
END_TEST

START_TEST(a_handshake_that_fails_might_do_without_where_it_may)
{
	for (int how = CLIENT_TLS_MAY; how <= CLIENT_TLS_MUST; how++) {
		bool may = how == CLIENT_TLS_MAY;

		lied("> 220 go", "close", how, 0, "handshake failed", may);
		lied("> 220 go", "wait", how, 1000, "timed out", may);
		garbled("> 500 no, after all", how, may);
		garbled("flood", how, may);
		lied("close", "close", how, 0, "connection lost", may);
		lied("> 421 bye", "wait", how, 0, "refused: 421 bye", may);
		lied("> 250 sure", "wait", how, 0, "refused: 250 sure", may);
		lied("> nonsense", "wait", how, 0, "not a reply", may);
	}
}
END_TEST

/* ---- handshakes that are torn -------------------------------------------------------------- */

static struct torn {
	size_t octets;     /* of the server's first flight that are said */
	struct str behind; /* and what then */
} torn;

/* In place of "tls". The client's hello may come in pieces. */
static bool tear(struct connection *c, struct str line)
{
	SSL *ssl = SSL_new(side.ctx);
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	char octets[16384], *flight;
	ssize_t n;

	(void)line;
	SSL_set_bio(ssl, in, out);
	while (BIO_pending(out) == 0 && (n = recv(peer_socket(c), octets, sizeof octets, 0)) > 0) {
		BIO_write(in, octets, (int)n);
		SSL_accept(ssl);
	}
	n = BIO_get_mem_data(out, &flight);
	peer_say(c, str_slice(str_make(flight, (size_t)n), 0, torn.octets));
	peer_say(c, torn.behind);
	SSL_free(ssl);
	return true;
}

static void tears(const char *then, enum client_tls how, bool implicit, const char *words)
{
	const char *const starttls[] = { OFFERS, "< STARTTLS", "> 220 go", "call", then, NULL };
	const char *const at_once[] = { "call", then, NULL };
	struct talk t;

	secure(&t, implicit ? at_once : starttls, how);
	peer_call(t.peer, tear);
	t.settings.implicit = implicit;
	if (strcmp(then, "wait") == 0) /* for the first reply that does not come */
		t.settings.timeouts.command = t.settings.timeouts.greeting = 1000;
	talk_run(&t);
	ck_assert_msg(strstr(t.opened_text, words) != NULL, "%s behind %zu octets and %zu: %s",
		then, torn.octets, torn.behind.len, t.opened_text);
	failed(&t, words, how == CLIENT_TLS_MAY);
	end(&t);
}

static void tears_everywhere(const char *then, const struct str behind, const char *words)
{
	static const size_t places[] = { 0, 1, 5, 6, 60, 300, 500 };

	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		torn = (struct torn){ places[i], behind };
		tears(then, i % 2 ? CLIENT_TLS_MAY : CLIENT_TLS_MUST, false, words);
		tears(then, CLIENT_TLS_MUST, true, words);
	}
}

START_TEST(a_handshake_may_end_anywhere)
{
	tears_everywhere("close", STR(""), "handshake failed: ");
	tears_everywhere("reset", STR(""), "handshake failed: ");
}
END_TEST

START_TEST(a_handshake_may_turn_into_something_else_anywhere)
{
	static const struct str behind[] = {
		STR_INIT("220 mail.example at your service, in clear\r\n250 and more of it\r\n"),
		STR_INIT("\x15\x03\x03\x00\x02\x02\x28"), /* an alert */
		STR_INIT("\x17\x03\x03\x00\x05hello"),    /* content too early */
	};

	for (size_t i = 0; i < sizeof behind / sizeof *behind; i++)
		tears_everywhere("close", behind[i], "handshake failed: ");
}
END_TEST

START_TEST(a_handshake_that_stands_still_ends_by_its_time)
{
	torn = (struct torn){ 0, STR("") };
	tears("wait", CLIENT_TLS_MAY, false, "timed out while waiting for the TLS handshake");
	torn.octets = 300;
	tears("wait", CLIENT_TLS_MUST, false, "timed out while waiting for the TLS handshake");
	tears("wait", CLIENT_TLS_MUST, true, "timed out while waiting for the TLS handshake");
}
END_TEST

/* Below TLS, where a machine in the middle can put it. */
static bool inject(struct connection *c, struct str line)
{
	const struct str words = STR("250 injected\r\n");

	(void)line;
	ck_assert_int_eq(send(peer_socket(c), words.data, words.len, MSG_NOSIGNAL), words.len);
	return true;
}

START_TEST(once_there_is_tls_nothing_else_is_listened_to)
{
	static const char *const hello[] = { STARTS, "call", "wait", NULL };
	static const char *const content[] = { STARTS, "> 250 peer", "< MAIL", "> 250 ok", "< RCPT",
		"> 250 ok", "< DATA", "> 354 go", "<.", "call", "wait", NULL };
	struct talk t;

	for (int how = CLIENT_TLS_MAY; how <= CLIENT_TLS_MUST; how++) {
		secure(&t, hello, how);
		peer_call(t.peer, inject);
		talk_run(&t);
		ck_assert_ptr_null(t.client);
		ck_assert_int_eq(t.opened.class, CLASS_NEXT_HOST);
		ck_assert_int_eq(t.opened.stage, STAGE_EHLO);
		ck_assert(!t.opened.in_clear);
		end(&t);
		secure(&t, content, how);
		peer_call(t.peer, inject);
		talk_run(&t);
		ck_assert(t.done && !t.usable);
		ck_assert_int_eq(t.r[0].outcome.class, CLASS_UNKNOWN);
		end(&t);
	}
}
END_TEST

START_TEST(a_yes_to_starttls_may_have_several_lines)
{
	static const char *const script[] = { OFFERS, "< STARTTLS", ">> 220-well\r\n220 go\r\n",
		"tls", "< EHLO me.example", "> 250 peer", SENDS, NULL };
	struct talk t;

	secure(&t, script, CLIENT_TLS_MUST);
	succeeds(&t);
	end(&t);
}
END_TEST

TEST_MAIN("smtp/client_tls", what_was_offered_in_clear_is_forgotten_behind_tls,
	tls_from_the_first_octet_has_no_starttls, a_session_is_resumed_by_its_key,
	a_connection_that_breaks_inside_tls_is_lost, a_certificate_that_must_be_good_is,
	of_one_that_need_not_be_good_what_is_wrong_is_told,
	without_tls_nothing_is_said_where_it_must_be,
	without_tls_mail_goes_on_the_same_connection_where_it_may,
	where_none_is_wanted_starttls_is_not_said,
	what_stands_in_clear_behind_the_yes_to_starttls_is_not_believed,
	a_handshake_that_fails_might_do_without_where_it_may, a_handshake_may_end_anywhere,
	a_handshake_may_turn_into_something_else_anywhere,
	a_handshake_that_stands_still_ends_by_its_time,
	once_there_is_tls_nothing_else_is_listened_to, a_yes_to_starttls_may_have_several_lines)
