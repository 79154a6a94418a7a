/* SPDX-License-Identifier: MIT
 *
 * Logins of the client: each mechanism against another implementation's server, and servers that
 * do not keep to the rules.
 */
#include "tests/smtp/client_talk.h"

#include "tests/lib/sasl_side.h"
#include "tests/lib/tls_side.h"

#define GREETS "> 220 peer", "< EHLO", "> 250-peer"
#define SENDS                                                                                      \
	"< MAIL FROM", "> 250 ok", "< RCPT TO", "> 250 ok", "< DATA", "> 354 go", "<.",            \
		"> 250 taken", "wait"

static struct tls_side side;
static struct lane *workers;

static void start(struct talk *t, const char *const *script)
{
	talk_start(t, script);
	peer_call(t->peer, sasl_serve);
	workers = lane_new("test", 2, 100);
	t->settings.login = STR(SASL_LOGIN);
	t->settings.password = STR(SASL_PASSWORD);
	t->settings.login_clear = true;
	t->settings.workers = workers;
	talk_recipients(t, "a@example.com", NULL);
	talk_content(t, "Subject: x\r\n\r\nhello\r\n");
}

static void end(struct talk *t)
{
	lane_free(&workers);
	talk_end(t);
	sasl_password = SASL_PASSWORD;
	sasl_rounds = "4096";
}

/* Never for ever, whatever the server says: it is not about the mail. */
static void failed(struct talk *t, const char *words)
{
	ck_assert_ptr_null(t->client);
	ck_assert_int_eq(t->opened.class, CLASS_NEXT_HOST);
	ck_assert_int_eq(t->opened.stage, STAGE_AUTH);
	ck_assert_uint_eq(t->opened.code, 0);
	ck_assert_msg(strstr(t->opened_text, words) != NULL, "%s", t->opened_text);
	ck_assert_ptr_null(strstr(t->opened_text, "pass word"));
	talk_saw_not(t, "MAIL");
}

/* ---- mechanisms ---------------------------------------------------------------------------- */

static void logs_in(const char *offer, const char *mechanism)
{
	const char *const script[] = { GREETS, offer, "call", SENDS, NULL };
	struct talk t;

	start(&t, script);
	talk_run(&t);
	ck_assert_msg(t.client != NULL, "%s: %s", offer, t.opened_text);
	ck_assert_int_eq(t.r[0].outcome.class, CLASS_OK);
	ck_assert_str_eq(client_mechanism(t.client), mechanism);
	end(&t);
}

/* RFC 4954 5: said to a server that we are logged in to, and to no other. */
START_TEST(who_submitted_it_is_said_where_we_are_known)
{
	const char *const script[] = { GREETS, "> 250 AUTH PLAIN", "call", SENDS, NULL };
	const char *const unknown[] = { GREETS, "> 250 AUTH PLAIN", SENDS, NULL };
	struct talk t;

	start(&t, script);
	talk_run(&t);
	talk_saw(&t, " AUTH=<>\r\n");
	end(&t);
	start(&t, script);
	t.t.submitter = STR("a=b@example.org");
	talk_run(&t);
	talk_saw(&t, " AUTH=a+3Db@example.org\r\n");
	end(&t);
	start(&t, unknown);
	t.settings.login = STR("");
	t.t.submitter = STR("a=b@example.org");
	talk_run(&t);
	talk_saw_not(&t, "AUTH=");
	end(&t);
}
END_TEST

START_TEST(each_mechanism_logs_in)
{
	logs_in("> 250 AUTH SCRAM-SHA-256", "SCRAM-SHA-256");
	logs_in("> 250 AUTH CRAM-MD5", "CRAM-MD5");
	logs_in("> 250 AUTH PLAIN", "PLAIN");
	logs_in("> 250 auth login", "LOGIN");
}
END_TEST

START_TEST(the_strongest_that_is_offered_is_taken)
{
	logs_in("> 250 AUTH LOGIN PLAIN CRAM-MD5 SCRAM-SHA-256 GSSAPI", "SCRAM-SHA-256");
	logs_in("> 250 AUTH LOGIN XOAUTH2 PLAIN DIGEST-MD5 CRAM-MD5", "CRAM-MD5");
	logs_in("> 250 AUTH LOGIN PLAIN", "PLAIN");
	/* Without TLS there is nothing to bind to. */
	logs_in("> 250 AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256", "SCRAM-SHA-256");
}
END_TEST

static void secure(struct talk *t, const char *const *script)
{
	tls_side_make(&side, "DNS:mail.example", true, PKI_DAY);
	start(t, script);
	peer_secure(t->peer, side.ctx);
	t->settings.login_clear = false;
	t->settings.secure = CLIENT_TLS_MUST;
	t->settings.tls = side.client;
}

START_TEST(through_tls_a_login_is_bound_to_it)
{
	static const char *const script[] = { GREETS, "> 250 STARTTLS", "< STARTTLS", "> 220 go",
		"tls", "< EHLO", "> 250-peer", "> 250 AUTH PLAIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS",
		"call", SENDS, NULL };
	struct talk t;

	secure(&t, script);
	talk_run(&t);
	ck_assert_msg(t.client != NULL, "%s", t.opened_text);
	ck_assert_str_eq(client_mechanism(t.client), "SCRAM-SHA-256-PLUS");
	ck_assert_int_eq(t.r[0].outcome.class, CLASS_OK);
	end(&t);
	tls_side_end(&side);
}
END_TEST

/* What was offered in clear may have been somebody else's offer. */
START_TEST(mechanisms_that_were_offered_in_clear_are_forgotten)
{
	static const char *const script[] = { GREETS, "> 250-AUTH PLAIN", "> 250 STARTTLS",
		"< STARTTLS", "> 220 go", "tls", "< EHLO", "> 250 peer", "wait", NULL };
	struct talk t;

	secure(&t, script);
	talk_run(&t);
	failed(&t, "AUTH is not offered");
	end(&t);
	tls_side_end(&side);
}
END_TEST

START_TEST(who_was_offered_and_is_not_there_gives_way_to_the_next)
{
	static const char *const script[] = { GREETS, "> 250 AUTH PLAIN CRAM-MD5 SCRAM-SHA-256",
		"< AUTH SCRAM-SHA-256", "> 504 5.5.4 no", "< AUTH CRAM-MD5", "> 504 5.5.4 no",
		"call", SENDS, NULL };
	struct talk t;

	start(&t, script);
	talk_run(&t);
	ck_assert_uint_eq(peer_surprises(t.peer), 0);
	ck_assert_msg(t.client != NULL, "%s", t.opened_text);
	ck_assert_str_eq(client_mechanism(t.client), "PLAIN");
	end(&t);
}
END_TEST

START_TEST(a_response_that_does_not_fit_a_command_waits_for_its_challenge)
{
	static char long_password[600];
	static const char *const script[] = { GREETS, "> 250 AUTH PLAIN", "call", SENDS, NULL };
	struct talk t;

	memset(long_password, 'p', sizeof long_password - 1);
	start(&t, script);
	sasl_password = long_password;
	t.settings.password = str_c(long_password);
	talk_run(&t);
	ck_assert_msg(t.client != NULL, "%s", t.opened_text);
	talk_saw(&t, "AUTH PLAIN\r\nAG1l");
	end(&t);
}
END_TEST

/* ---- noes ---------------------------------------------------------------------------------- */

START_TEST(without_tls_a_login_is_said_only_where_the_route_says_so)
{
	static const char *const script[] = { GREETS, "> 250 AUTH PLAIN", "wait", NULL };
	struct talk t;

	start(&t, script);
	t.settings.login_clear = false;
	talk_run(&t);
	failed(&t, "not said in clear");
	ck_assert_str_eq(t.opened.enhanced, "4.7.11");
	talk_saw_not(&t, "AUTH");
	end(&t);
}
END_TEST

START_TEST(a_login_that_cannot_be_made_is_not_done_without)
{
	static const char *const none[] = { GREETS, "> 250 SIZE", "wait", NULL };
	static const char *const strange[] = { GREETS, "> 250 AUTH GSSAPI XOAUTH2", "wait", NULL };
	static const char *const old[] = { "> 220 peer", "< EHLO", "> 500 what", "< HELO",
		"> 250 peer", "wait", NULL };
	struct talk t;

	start(&t, none);
	talk_run(&t);
	failed(&t, "AUTH is not offered");
	end(&t);
	start(&t, strange);
	talk_run(&t);
	failed(&t, "GSSAPI XOAUTH2");
	end(&t);
	start(&t, old);
	talk_run(&t);
	failed(&t, "AUTH is not offered");
	end(&t);
}
END_TEST

START_TEST(a_refused_login_is_told_in_the_servers_words)
{
	static const char *const mechanisms[] = { "> 250 AUTH SCRAM-SHA-256", "> 250 AUTH CRAM-MD5",
		"> 250 AUTH PLAIN", "> 250 AUTH LOGIN" };

	for (size_t i = 0; i < sizeof mechanisms / sizeof *mechanisms; i++) {
		const char *const script[] = { GREETS, mechanisms[i], "call", "wait", NULL };
		struct talk t;

		start(&t, script);
		sasl_password = "another";
		talk_run(&t);
		failed(&t, "login refused: 535 5.7.8 who are you?");
		ck_assert_str_eq(t.opened.enhanced, "4.7.8");
		end(&t);
	}
}
END_TEST

static void answered(const char *reply, const char *words)
{
	const char *const script[] = { GREETS, "> 250 AUTH PLAIN", "< AUTH PLAIN", reply, "<*",
		"> 501 given up", "wait", NULL };
	struct talk t;

	start(&t, script);
	talk_run(&t);
	failed(&t, words);
	end(&t);
}

START_TEST(every_answer_but_yes_is_a_no)
{
	answered("> 421 4.3.2 bye", "login refused: 421 4.3.2 bye");
	answered("> 432 4.7.12 transition", "login refused: 432 4.7.12 transition");
	answered("> 454 4.7.0 later", "login refused: 454 4.7.0 later");
	answered("> 500 5.5.2 what", "login refused: 500 5.5.2 what");
	answered("> 530 5.7.0 first STARTTLS", "login refused: 530");
	answered("> 534 5.7.9 too weak", "login refused: 534");
	answered("> 538 5.7.11 encrypt", "login refused: 538");
	answered("> 354 go on", "login refused: 354");
	answered("> 334 ", "a challenge too many");
	answered("> nonsense", "not a reply");
	answered("close", "connection lost");
	answered("reset", "connection lost");
}
END_TEST

/* ---- servers that lie ---------------------------------------------------------------------- */

static void scram(const char *challenge, const char *words)
{
	const char *const script[] = { GREETS, "> 250 AUTH SCRAM-SHA-256", "< AUTH SCRAM-SHA-256",
		challenge, "<*", "> 501 given up", "wait", NULL };
	struct talk t;

	start(&t, script);
	talk_run(&t);
	failed(&t, words);
	end(&t);
}

START_TEST(a_server_that_does_not_prove_itself_is_not_believed)
{
	scram("> 235 2.7.0 welcome", "did not prove itself");
	scram("> 334 not base64", "not base64");
	scram("> 334 ", "SCRAM-SHA-256");
	scram("> 334 cj14LHM9eCxpPTQwOTY=", "SCRAM-SHA-256"); /* another's nonce */
	scram("> 334 ZT1ub3QgeW91", "SCRAM-SHA-256");         /* e=not you */
}
END_TEST

static void rounds(const char *number, bool fit)
{
	static const char *const script[] = { GREETS, "> 250 AUTH SCRAM-SHA-256", "call", SENDS,
		NULL };
	struct talk t;

	start(&t, script);
	sasl_rounds = number;
	talk_run(&t);
	if (fit)
		ck_assert_msg(t.client != NULL, "%s", t.opened_text);
	else
		failed(&t, "rounds, not");
	if (!fit)
		talk_saw(&t, "*\r\n");
	end(&t);
}

START_TEST(a_server_does_not_say_how_long_we_are_busy)
{
	rounds("4096", true);
	rounds("20000", true);
	rounds("1", false);
	rounds("4095", false);
	rounds("1000001", false);
	rounds("2147483647", false);
}
END_TEST

/* The server knows the login, and does not know the password: its last message is wrong. */
static bool sign_wrongly(struct connection *c, struct str said)
{
	struct buf line = { 0 }, in = { 0 }, out = { 0 };
	struct str rest, nonce;
	ptrdiff_t at;

	(void)said;
	must(peer_hear_line(c, &line));
	rest = str_slice(buf_str(&line), sizeof "AUTH SCRAM-SHA-256", line.len);
	must(base64_decode(&in, rest));
	at = str_search_case(buf_str(&in), STR(",r="));
	must(at > 0);
	nonce = str_slice(buf_str(&in), (size_t)at + 3, in.len);
	buf_printf(&out, "r=%.*sserver,s=QSXCR+Q6sek8bf92,i=4096", STR_ARG(nonce));
	sasl_challenge(c, buf_str(&out));
	must(peer_hear_line(c, &line));
	sasl_challenge(c, STR("v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="));
	must(peer_hear_line(c, &line));
	ck_assert_str_eq(buf_c(&line), "*");
	peer_say(c, STR("235 2.7.0 welcome all the same\r\n"));
	buf_free(&line);
	buf_free(&in);
	buf_free(&out);
	return true;
}

START_TEST(a_wrong_signature_of_the_server_is_a_failed_login)
{
	static const char *const script[] = { GREETS, "> 250 AUTH SCRAM-SHA-256", "call", "wait",
		NULL };
	struct talk t;

	start(&t, script);
	peer_call(t.peer, sign_wrongly);
	talk_run(&t);
	failed(&t, "SCRAM-SHA-256");
	end(&t);
}
END_TEST

START_TEST(challenges_have_an_end)
{
	static const char *const script[] = { GREETS, "> 250 AUTH LOGIN", "< AUTH LOGIN",
		"> 334 VXNlcm5hbWU6", "<*", "> 334 UGFzc3dvcmQ6", "<*", "> 334 VXNlcm5hbWU6", "< *",
		"> 334 VXNlcm5hbWU6", "wait", NULL };
	struct talk t;

	start(&t, script);
	talk_run(&t);
	ck_assert_uint_eq(peer_surprises(t.peer), 0);
	failed(&t, "a challenge too many");
	end(&t);
}
END_TEST

START_TEST(what_is_said_while_a_step_is_computed_ends_it)
{
	static const char *const script[] = { GREETS, ">> 250 AUTH SCRAM-SHA-256\r\n235 ok\r\n",
		"wait", NULL };
	struct talk t;

	start(&t, script);
	talk_run(&t);
	failed(&t, "out of turn");
	end(&t);
}
END_TEST

START_TEST(who_gives_up_meanwhile_hears_nothing)
{
	static const char *const script[] = { GREETS, "> 250 AUTH SCRAM-SHA-256", "< AUTH", "close",
		NULL };
	struct talk t;

	start(&t, script);
	t.open = client_connect(t.loop, &t.endpoint, 1, NULL, 0, &t.settings, talk_opened, &t);
	client_connect_cancel(&t.open);
	talk_run(&t);
	failed(&t, "connection lost");
	end(&t);
}
END_TEST

TEST_MAIN("smtp/client_auth", who_submitted_it_is_said_where_we_are_known,
	each_mechanism_logs_in, the_strongest_that_is_offered_is_taken,
	through_tls_a_login_is_bound_to_it, mechanisms_that_were_offered_in_clear_are_forgotten,
	who_was_offered_and_is_not_there_gives_way_to_the_next,
	a_response_that_does_not_fit_a_command_waits_for_its_challenge,
	without_tls_a_login_is_said_only_where_the_route_says_so,
	a_login_that_cannot_be_made_is_not_done_without,
	a_refused_login_is_told_in_the_servers_words, every_answer_but_yes_is_a_no,
	a_server_that_does_not_prove_itself_is_not_believed,
	a_server_does_not_say_how_long_we_are_busy,
	a_wrong_signature_of_the_server_is_a_failed_login, challenges_have_an_end,
	what_is_said_while_a_step_is_computed_ends_it, who_gives_up_meanwhile_hears_nothing)
