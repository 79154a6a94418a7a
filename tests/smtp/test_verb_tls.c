/* SPDX-License-Identifier: MIT
 *
 * STARTTLS and TLS from the first octet: when it is offered, what is forgotten behind it, and that
 * nothing of what was sent in clear gets through.
 */
#include "tests/lib/pki.h"
#include "tests/smtp/modules.h"

#include "host/metrics.h"

static struct pki authority, pair, person;
static SSL_CTX *client_ctx;

static void certificates_install(enum tls_ask ask)
{
	const struct tls_pair one = { "cert.pem", "key.pem", buf_str(&pair.certificate_pem),
		buf_str(&pair.key_pem) };
	const struct tls_server_settings settings = { .pairs = &one,
		.pair_count = 1,
		.client_certificates = ask,
		.client_ca = buf_str(&authority.certificate_pem) };
	struct why why;
	struct tls *tls = tls_server_new(&settings, &why);

	ck_assert_msg(tls != NULL, "%s", why.text);
	smtp_server_tls(tls);
}

static void pki_open(void)
{
	authority = pki_make(PKI_EC, "authority", NULL, NULL, PKI_DAY);
	pair = pki_make(PKI_EC, "mx", "DNS:mx.test", &authority, PKI_DAY);
	person = pki_make(PKI_EC, "somebody", NULL, &authority, PKI_DAY);
	client_ctx = SSL_CTX_new(TLS_client_method());
	certificates_install(TLS_ASK_NEVER);
}

static void pki_close(void)
{
	smtp_server_tls(NULL);
	SSL_CTX_free(client_ctx);
	pki_free(&person);
	pki_free(&pair);
	pki_free(&authority);
}

static void talk_secure(struct talk *t)
{
	t->ssl = SSL_new(client_ctx);
	ck_assert(SSL_set_fd(t->ssl, t->fd));
	SSL_set_tlsext_host_name(t->ssl, "mx.test");
	ck_assert_int_eq(SSL_connect(t->ssl), 1);
}

static struct talk *talk_starttls(void)
{
	struct talk *t = talk_ready();

	ck_assert_ptr_nonnull(strstr(t->last, "250-STARTTLS\r\n"));
	talk_ask(t, "STARTTLS", "220 2.0.0 Ready to start TLS\r\n");
	talk_secure(t);
	return t;
}

/* ---- STARTTLS ---------------------------------------------------------------------------- */

START_TEST(starttls_is_offered_in_clear_and_only_where_there_is_a_certificate)
{
	struct talk *t;

	pki_open();
	house_open("", "");
	t = talk_starttls();
	talk_ask(t, "EHLO client.test", "250");
	ck_assert_ptr_null(strstr(t->last, "STARTTLS"));
	talk_ask(t, "STARTTLS", "503 5.5.1 TLS has begun already\r\n");
	talk_ask(t, "NOOP", "250");
	talk_close(&t);
	smtp_server_tls(NULL);
	t = talk_ready();
	ck_assert_ptr_null(strstr(t->last, "STARTTLS"));
	talk_ask(t, "STARTTLS", "454 4.7.0 TLS is not available here\r\n");
	talk_ask(t, "STARTTLS now", "501 5.5.4");
	talk_close(&t);
	house_close();
	pki_close();
}
END_TEST

START_TEST(a_listener_may_do_without_or_insist)
{
	struct listen_settings listen = { .tls = 1 + LISTEN_TLS_OFF };
	struct talk *t;

	pki_open();
	house_open_at("", HOUSE_TABLES, &listen);
	t = talk_ready();
	ck_assert_ptr_null(strstr(t->last, "STARTTLS"));
	talk_ask(t, "STARTTLS", "454");
	talk_close(&t);
	house_close();

	listen.tls = 1 + LISTEN_TLS_REQUIRED;
	house_open_at("", HOUSE_TABLES, &listen);
	t = talk_ready();
	talk_ask(t, "MAIL FROM:<a@sender.test>", "530 5.7.0 Must issue a STARTTLS command first");
	talk_ask(t, "STARTTLS", "220");
	talk_secure(t);
	talk_ask(t, "EHLO client.test", "250");
	talk_ask(t, "MAIL FROM:<a@sender.test>", "250");
	talk_close(&t);
	house_close();
	pki_close();
}
END_TEST

static uint32_t flags_seen;
static char certificate_seen[64];
static enum tmail_verdict look(struct tmail_call *call, const union tmail_event *event)
{
	(void)event;
	if (call->point != TMAIL_POINT_TLS)
		return TMAIL_CONTINUE;
	flags_seen = call->client->flags;
	ck_assert_uint_eq(call->client->helo.len, 0);
	snprintf(certificate_seen, sizeof certificate_seen, "%.*s",
		(int)call->client->certificate.len, call->client->certificate.data);
	return TMAIL_CONTINUE;
}

START_TEST(behind_a_handshake_the_session_starts_from_nothing)
{
	struct talk *t;

	pki_open();
	house_open("helo_required = true;", HOUSE_TABLES ", " HOUSE_HOOKS);
	house_hook = look;
	t = talk_starttls();
	talk_ask(t, "MAIL FROM:<a@sender.test>", "503 5.5.1 Send HELO or EHLO first\r\n");
	ck_assert_uint_eq(house_hooked[TMAIL_POINT_TLS], 1);
	ck_assert_uint_eq(flags_seen, TMAIL_CLIENT_TLS);
	ck_assert_str_eq(certificate_seen, "");
	talk_ask(t, "EHLO other.test", "250");
	talk_ask(t, "MAIL FROM:<a@sender.test>", "250");
	talk_ask(t, "STARTTLS", "503 5.5.1 STARTTLS does not belong into a transaction\r\n");
	talk_ask(t, "RCPT TO:<to@remote.test>", "250");
	talk_ask(t, "DATA", "354");
	talk_say(t, "Subject: hello\r\n\r\nbody\r\n.\r\n");
	talk_hear(t, "250 2.0.0 Ok: queued ");
	talk_ask(t, "QUIT", "221");
	talk_hear_end(t);
	ck_assert_int_eq(SSL_get_shutdown(t->ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
	talk_close(&t);
	ck_assert_ptr_nonnull(strstr(house.kept[0].trace, "from other.test"));
	ck_assert_ptr_nonnull(strstr(house.kept[0].trace, "with ESMTPS id "));
	ck_assert_ptr_nonnull(strstr(house.kept[0].trace, "TLSv1.3"));
	ck_assert_ptr_nonnull(strstr(house.kept[0].trace, "TLS_AES_256_GCM_SHA384"));
	house_close();
	pki_close();
}
END_TEST

START_TEST(a_login_in_clear_counts_for_nothing_behind_a_handshake)
{
	const struct listen_settings listen = { .role = ROLE_SUBMISSION, .auth_clear = 1 };
	struct talk *t;

	pki_open();
	house_open_at("", HOUSE_TABLES ", " HOUSE_AUTH, &listen);
	t = talk_ready();
	talk_ask(t, "AUTH PLAIN AHVzZXJAbG9jYWwudGVzdABzZWNyZXQ=", "235");
	talk_ask(t, "STARTTLS", "220");
	talk_secure(t);
	talk_ask(t, "EHLO client.test", "250");
	talk_ask(t, "MAIL FROM:<user@local.test>", "530 5.7.0 Authentication required");
	talk_close(&t);
	house_close();
	pki_close();
}
END_TEST

START_TEST(commands_sent_along_with_starttls_end_the_session)
{
	struct talk *t;

	pki_open();
	house_open("", HOUSE_TABLES);
	t = talk_ready();
	talk_say(t, "STARTTLS\r\nMAIL FROM:<evil@sender.test>\r\n");
	talk_hear(t, "554 5.5.0 Commands were sent along with STARTTLS\r\n");
	talk_hear_end(t);
	talk_close(&t);
	/* Those that come later are no handshake, and are answered by nothing in clear. */
	t = talk_ready();
	talk_ask(t, "STARTTLS", "220");
	talk_say(t, "MAIL FROM:<evil@sender.test>\r\n");
	while (talk_reply(t)) {
	}
	for (size_t i = 0; i < t->in.len; i++)
		ck_assert_msg((unsigned char)t->in.data[i] < ' ' || i > 6, "not an alert");
	talk_close(&t);
	house_close();
	pki_close();
}
END_TEST

START_TEST(a_handshake_has_the_time_of_a_command)
{
	int64_t failed = metric_get(METRIC_limit_timeout);
	struct talk *t;

	pki_open();
	house_open("timeout_command = \"10s\";", "");
	t = talk_ready();
	talk_ask(t, "STARTTLS", "220");
	talk_say(t, "\x16");
	house_later(11000);
	talk_hear_end(t); /* and nothing was said in clear */
	ck_assert_uint_eq(t->in.len, 0);
	ck_assert_int_eq(metric_get(METRIC_limit_timeout), failed + 1);
	talk_close(&t);
	house_close();
	pki_close();
}
END_TEST

START_TEST(what_is_said_to_all_at_the_end_waits_for_no_handshake)
{
	struct talk *t;

	pki_open();
	house_open("", "");
	t = talk_ready();
	talk_ask(t, "STARTTLS", "220");
	smtp_server_drain(house.server);
	talk_hear_end(t);
	ck_assert_uint_eq(t->in.len, 0);
	talk_close(&t);
	house_close();
	pki_close();
}
END_TEST

START_TEST(new_certificates_are_for_new_handshakes)
{
	struct talk *t;
	X509 *seen;

	pki_open();
	house_open("", "");
	t = talk_starttls();
	pki_free(&pair);
	pair = pki_make(PKI_RSA, "newer", "DNS:mx.test", &authority, PKI_DAY);
	certificates_install(TLS_ASK_NEVER);
	talk_ask(t, "NOOP", "250");
	talk_close(&t);
	t = talk_starttls();
	seen = SSL_get1_peer_certificate(t->ssl);
	ck_assert_int_eq(X509_cmp(seen, pair.certificate), 0);
	X509_free(seen);
	talk_close(&t);
	house_close();
	pki_close();
}
END_TEST

START_TEST(a_clients_certificate_is_known_to_modules_when_it_is_good)
{
	struct talk *t;

	pki_open();
	certificates_install(TLS_ASK_OPTIONAL);
	house_open("", HOUSE_HOOKS);
	house_hook = look;
	ck_assert(SSL_CTX_use_cert_and_key(client_ctx, person.certificate, person.key, NULL, 1));
	t = talk_starttls();
	talk_ask(t, "EHLO client.test", "250");
	ck_assert_str_eq(certificate_seen, "CN=somebody");
	talk_close(&t);
	pki_free(&person);
	person = pki_make(PKI_EC, "anybody", NULL, NULL, PKI_DAY);
	ck_assert(SSL_CTX_use_cert_and_key(client_ctx, person.certificate, person.key, NULL, 1));
	t = talk_starttls();
	talk_ask(t, "EHLO client.test", "250");
	ck_assert_str_eq(certificate_seen, "");
	talk_close(&t);
	house_close();
	pki_close();
}
END_TEST

/* ---- from the first octet ---------------------------------------------------------------- */

START_TEST(the_greeting_comes_behind_the_handshake_where_that_comes_first)
{
	static const struct tmail_str from[] = { TMAIL_STR("127.0.0.1") };
	struct listen_settings listen = { .role = ROLE_SMTPS };
	struct talk *t;

	pki_open();
	for (listen.proxy = 0; listen.proxy < 2; listen.proxy++) {
		listen.proxy_from = (struct tmail_list)TMAIL_LIST(from);
		house_open_at("", HOUSE_HOOKS, &listen);
		house_hook = look;
		t = talk_connect();
		if (listen.proxy)
			talk_say(t, "PROXY TCP4 192.0.2.9 192.0.2.1 1 465\r\n");
		talk_secure(t);
		talk_hear(t, "220 mx.test tmail ESMTP ");
		talk_ask(t, "EHLO client.test", "250");
		ck_assert_ptr_null(strstr(t->last, "STARTTLS"));
		talk_ask(t, "STARTTLS", "503 5.5.1 TLS has begun already");
		ck_assert_uint_eq(flags_seen, TMAIL_CLIENT_TLS);
		talk_close(&t);
		house_close();
	}
	pki_close();
}
END_TEST

START_TEST(who_is_turned_away_where_tls_comes_first_hears_nothing_in_clear)
{
	const struct listen_settings listen = { .role = ROLE_SMTPS };
	struct talk *t, *first;

	pki_open();
	house_open_at("max_sessions = 1;", "", &listen);
	first = talk_connect();
	talk_secure(first);
	talk_hear(first, "220");
	t = talk_connect();
	talk_hear_end(t);
	ck_assert_uint_eq(t->in.len, 0);
	talk_close(&t);
	talk_close(&first);
	house_close();
	smtp_server_tls(NULL); /* and no certificate is no reason to */
	house_open_at("", "", &listen);
	t = talk_connect();
	talk_hear_end(t);
	ck_assert_uint_eq(t->in.len, 0);
	talk_close(&t);
	house_close();
	pki_close();
}
END_TEST

START_TEST(every_role_has_its_tls_and_a_listener_may_want_another)
{
	struct listen_settings l = { .role = ROLE_MX };

	ck_assert_int_eq(listen_tls(&l), LISTEN_TLS_STARTTLS);
	l.role = ROLE_SUBMISSION;
	ck_assert_int_eq(listen_tls(&l), LISTEN_TLS_STARTTLS);
	l.role = ROLE_SMTPS;
	ck_assert_int_eq(listen_tls(&l), LISTEN_TLS_IMPLICIT);
	l.tls = 1 + LISTEN_TLS_REQUIRED;
	ck_assert_int_eq(listen_tls(&l), LISTEN_TLS_REQUIRED);
}
END_TEST

TEST_MAIN("smtp/verb_tls", starttls_is_offered_in_clear_and_only_where_there_is_a_certificate,
	a_listener_may_do_without_or_insist, behind_a_handshake_the_session_starts_from_nothing,
	a_login_in_clear_counts_for_nothing_behind_a_handshake,
	commands_sent_along_with_starttls_end_the_session, a_handshake_has_the_time_of_a_command,
	what_is_said_to_all_at_the_end_waits_for_no_handshake,
	new_certificates_are_for_new_handshakes,
	a_clients_certificate_is_known_to_modules_when_it_is_good,
	the_greeting_comes_behind_the_handshake_where_that_comes_first,
	who_is_turned_away_where_tls_comes_first_hears_nothing_in_clear,
	every_role_has_its_tls_and_a_listener_may_want_another)
