/* SPDX-License-Identifier: MIT
 *
 * TLS as a server: which certificate whom, which versions, whose certificates, sessions that go
 * on, and settings that are wrong.
 */
#include "tests/net/tls_peers.h"

#include "sys/clock.h"

/* A connection to that server, as far as the handshake goes. */
static bool meet(struct tls *tls, const char *name, int version)
{
	bool done;

	set_up();
	stream_accept_tls(owner.stream, tls);
	raw_begin(name);
	if (version)
		SSL_set_max_proto_version(raw, version);
	done = raw_handshake();
	if (done) {
		raw_send(STR("x")); /* tickets follow the handshake */
		owner.answer = STR("y");
		raw_receive(1);
	}
	return done;
}

static void part(void)
{
	SSL_set_quiet_shutdown(raw, 1); /* else the library forgets the session */
	SSL_shutdown(raw);
	SSL_free(raw);
	raw = NULL;
	tear_down();
}

static bool shown(const struct pki *p)
{
	X509 *seen = SSL_get1_peer_certificate(raw);
	bool same = seen && X509_cmp(seen, p->certificate) == 0;

	X509_free(seen);
	return same;
}

/* ---- names ------------------------------------------------------------------------------- */

START_TEST(a_client_is_shown_the_certificate_of_the_name_that_it_wants)
{
	struct pki p[] = { pki_make(PKI_EC, "first", "DNS:mail.example", NULL, PKI_DAY),
		pki_make(PKI_EC, "other", "DNS:other.example, DNS:*.wild.example", NULL, PKI_DAY),
		pki_make(PKI_EC, "named.example", NULL, NULL, PKI_DAY),
		pki_make(PKI_EC, "mx", "DNS:mx.wild.example", NULL, PKI_DAY) };
	static const struct {
		const char *wanted;
		int shown;
	} rows[] = { { NULL, 0 }, { "mail.example", 0 }, { "other.example", 1 },
		{ "OTHER.example", 1 }, { "a.wild.example", 1 }, { "mx.wild.example", 3 },
		{ "a.b.wild.example", 0 }, { "wild.example", 0 }, { "named.example", 2 },
		{ "nobody.example", 0 }, { "other", 0 } };
	struct tls_pair pairs[4];
	struct tls *tls;

	for (size_t i = 0; i < 4; i++)
		pairs[i] = pair_of(&p[i]);
	tls = server_of(pairs, 4);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		ck_assert(meet(tls, rows[i].wanted, i % 2 ? TLS1_2_VERSION : 0));
		ck_assert_msg(shown(&p[rows[i].shown]), "%s", rows[i].wanted);
		part();
	}
	tls_drop(&tls);
	raw_end();
	for (size_t i = 0; i < 4; i++)
		pki_free(&p[i]);
}
END_TEST

START_TEST(one_name_may_have_a_key_of_each_kind)
{
	/* The other name's are last, so that nothing is left of the first. */
	struct pki p[] = { pki_make(PKI_EC, "a", "DNS:a.example", NULL, PKI_DAY),
		pki_make(PKI_RSA, "a", "DNS:a.example", NULL, PKI_DAY),
		pki_make(PKI_EC, "b", "DNS:b.example", NULL, PKI_DAY) };
	struct tls_pair pairs[] = { pair_of(&p[0]), pair_of(&p[1]), pair_of(&p[2]) };
	struct tls *tls = server_of(pairs, 3);

	raw_ctx = SSL_CTX_new(TLS_client_method());
	ck_assert(meet(tls, "a.example", 0));
	ck_assert(shown(&p[0]));
	part();
	ck_assert(SSL_CTX_set1_sigalgs_list(raw_ctx, "rsa_pss_rsae_sha256"));
	ck_assert(meet(tls, "a.example", 0));
	ck_assert(shown(&p[1]));
	part();
	ck_assert(meet(tls, NULL, 0));
	ck_assert(shown(&p[1]));
	part();
	ck_assert(!meet(tls, "b.example", 0)); /* which has no RSA */
	part();
	raw_end();
	tls_drop(&tls);
	for (size_t i = 0; i < 3; i++)
		pki_free(&p[i]);
}
END_TEST

START_TEST(a_chain_is_sent_whole)
{
	struct pki root = pki_make(PKI_EC, "authority", NULL, NULL, PKI_DAY);
	struct pki end = pki_make(PKI_EC, "mail", "DNS:mail.example", &root, PKI_DAY);
	struct buf both = { 0 };
	struct tls_pair pair = pair_of(&end);
	struct tls *tls;

	buf_add(&both, pair.certificate);
	buf_add(&both, buf_str(&root.certificate_pem));
	pair.certificate = buf_str(&both);
	tls = server_of(&pair, 1);
	ck_assert(meet(tls, "mail.example", 0));
	ck_assert_int_eq(sk_X509_num(SSL_get_peer_cert_chain(raw)), 2);
	part();
	raw_end();
	tls_drop(&tls);
	buf_free(&both);
	pki_free(&end);
	pki_free(&root);
}
END_TEST

/* ---- versions ---------------------------------------------------------------------------- */

START_TEST(versions_and_ciphers_are_those_of_the_settings)
{
	struct tls_pair pair;
	struct tls_server_settings settings = { .pairs = &pair, .pair_count = 1 };
	struct why why;
	struct tls *tls;

	pki_set_up();
	pair = pair_of(&leaf);
	ck_assert(meet(server_tls, NULL, TLS1_2_VERSION));
	ck_assert_str_eq(SSL_get_cipher_name(raw), "ECDHE-ECDSA-AES256-GCM-SHA384");
	part();
	raw_end();
	raw_ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_security_level(raw_ctx, 0);
	ck_assert(!meet(server_tls, NULL, TLS1_1_VERSION));
	ck_assert_str_eq(stream_error(owner.stream), "unsupported protocol");
	part();
	ck_assert(SSL_CTX_set_cipher_list(raw_ctx, "AES128-SHA:ECDHE-ECDSA-AES128-SHA"));
	ck_assert(!meet(server_tls, NULL, TLS1_2_VERSION));
	ck_assert_str_eq(stream_error(owner.stream), "no shared cipher");
	part();
	raw_end();
	settings.least = TLS_VERSION_1_3;
	settings.ciphersuites = "TLS_AES_128_GCM_SHA256";
	tls = tls_server_new(&settings, &why);
	ck_assert(!meet(tls, NULL, TLS1_2_VERSION));
	part();
	ck_assert(meet(tls, NULL, 0));
	ck_assert_str_eq(SSL_get_cipher_name(raw), "TLS_AES_128_GCM_SHA256");
	part();
	tls_drop(&tls);
	settings.ciphersuites = "TLS_NONE_AT_ALL";
	ck_assert_ptr_null(tls_server_new(&settings, &why));
	ck_assert_ptr_nonnull(strstr(why.text, "TLS_NONE_AT_ALL"));
	settings.ciphersuites = NULL;
	settings.ciphers = "nothing";
	ck_assert_ptr_null(tls_server_new(&settings, &why));
	ck_assert_str_eq(why.text, "nothing: no cipher match");
	raw_end();
	pki_tear_down();
}
END_TEST

/* ---- sessions that go on ----------------------------------------------------------------- */

static int64_t passed;
static int64_t later(void)
{
	return 1000000 + passed;
}

static bool resumes(struct tls *tls, SSL_SESSION *session, int version)
{
	bool done;

	set_up();
	stream_accept_tls(owner.stream, tls);
	raw_begin("mail.example");
	SSL_set_max_proto_version(raw, version);
	ck_assert(SSL_set_session(raw, session));
	done = raw_handshake() && SSL_session_reused(raw);
	LOOP_UNTIL(owner.secured == 1);
	ck_assert_int_eq(stream_tls_facts(owner.stream)->resumed, done);
	part();
	return done;
}

START_TEST(tickets_are_good_for_as_long_as_their_key)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	SSL_SESSION *session;
	struct tls_pair pair;
	struct tls *again;

	clock_replace(NULL, later);
	pki_set_up();
	pair = pair_of(&leaf);
	for (size_t i = 0; i < 2; i++) {
		ck_assert(meet(server_tls, "mail.example", versions[i]));
		session = SSL_get1_session(raw);
		ck_assert(SSL_SESSION_has_ticket(session));
		part();
		ck_assert(resumes(server_tls, session, versions[i]));
		again = server_of(&pair, 1); /* a reload keeps the keys */
		ck_assert(resumes(again, session, versions[i]));
		tls_drop(&again);
		passed += 3700 * 1000000LL;
		ck_assert(resumes(server_tls, session, versions[i]));
		passed += 3700 * 1000000LL;
		ck_assert(resumes(server_tls, session, versions[i]));
		passed += 3700 * 1000000LL;
		ck_assert(!resumes(server_tls, session, versions[i]));
		SSL_SESSION_free(session);
		/* Also where nobody came meanwhile. */
		ck_assert(meet(server_tls, "mail.example", versions[i]));
		session = SSL_get1_session(raw);
		part();
		passed += 4 * 3600 * 1000000LL;
		ck_assert(!resumes(server_tls, session, versions[i]));
		SSL_SESSION_free(session);
	}
	raw_end();
	pki_tear_down();
	clock_replace(NULL, NULL);
}
END_TEST

START_TEST(without_tickets_nothing_is_resumed)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct tls_pair pair;
	struct tls_server_settings settings = { .pairs = &pair, .pair_count = 1 };
	struct why why;
	struct tls *tls;

	pki_set_up();
	pair = pair_of(&leaf);
	tls = tls_server_new(&settings, &why);
	for (size_t i = 0; i < 2; i++) {
		SSL_SESSION *session;

		ck_assert(meet(tls, "mail.example", versions[i]));
		session = SSL_get1_session(raw);
		ck_assert(!SSL_SESSION_has_ticket(session));
		part();
		ck_assert(!resumes(tls, session, versions[i]));
		SSL_SESSION_free(session);
	}
	tls_drop(&tls);
	raw_end();
	pki_tear_down();
}
END_TEST

/* ---- certificates of clients ------------------------------------------------------------- */

START_TEST(clients_are_asked_for_certificates_if_that_is_wanted)
{
	struct pki stranger = pki_make(PKI_EC, "stranger", NULL, NULL, PKI_DAY), person;
	struct tls_pair pair;
	struct tls_server_settings settings = { .pairs = &pair, .pair_count = 1 };
	const struct tls_facts *facts;
	struct why why;
	struct tls *tls;

	pki_set_up();
	pair = pair_of(&leaf);
	person = pki_make(PKI_EC, "person", NULL, &authority, PKI_DAY);
	settings.client_ca = buf_str(&authority.certificate_pem);
	raw_ctx = SSL_CTX_new(TLS_client_method());
	settings.client_certificates = TLS_ASK_OPTIONAL;
	tls = tls_server_new(&settings, &why);
	ck_assert(meet(tls, NULL, 0));
	facts = stream_tls_facts(owner.stream);
	ck_assert_str_eq(facts->peer, "");
	ck_assert(!facts->verified && !facts->trouble);
	part();
	ck_assert(SSL_CTX_use_cert_and_key(raw_ctx, stranger.certificate, stranger.key, NULL, 1));
	ck_assert(meet(tls, NULL, 0));
	facts = stream_tls_facts(owner.stream);
	ck_assert_str_eq(facts->peer, "CN=stranger");
	ck_assert(!facts->verified);
	ck_assert_str_eq(facts->trouble, "self-signed certificate");
	part();
	ck_assert(SSL_CTX_use_cert_and_key(raw_ctx, person.certificate, person.key, NULL, 1));
	ck_assert(meet(tls, NULL, 0));
	facts = stream_tls_facts(owner.stream);
	ck_assert_str_eq(facts->peer, "CN=person");
	ck_assert(facts->verified && !facts->trouble);
	part();
	tls_drop(&tls);
	settings.client_certificates = TLS_ASK_REQUIRED;
	tls = tls_server_new(&settings, &why);
	ck_assert(meet(tls, NULL, 0));
	part();
	ck_assert(SSL_CTX_use_cert_and_key(raw_ctx, stranger.certificate, stranger.key, NULL, 1));
	meet(tls, NULL, TLS1_2_VERSION);
	LOOP_UNTIL(owner.ends == 1);
	ck_assert_int_eq(owner.secured, 0);
	ck_assert_str_eq(stream_error(owner.stream), "self-signed certificate");
	part();
	tls_drop(&tls);
	settings.client_ca = STR("nobody");
	ck_assert_ptr_null(tls_server_new(&settings, &why));
	ck_assert_ptr_nonnull(strstr(why.text, "signers"));
	raw_end();
	pki_free(&person);
	pki_free(&stranger);
	pki_tear_down();
}
END_TEST

/* ---- pairs that are wrong ---------------------------------------------------------------- */

static void refused(const struct tls_pair *pair, const char *what)
{
	const struct tls_server_settings settings = { .pairs = pair, .pair_count = 1 };
	struct why why;

	ck_assert_ptr_null(tls_server_new(&settings, &why));
	ck_assert_str_eq(why.text, what);
	ck_assert_uint_eq(ERR_peek_error(), 0); /* nobody else finds it */
}

START_TEST(a_pair_that_is_wrong_is_refused_with_its_reason)
{
	struct pki one = pki_make(PKI_EC, "one", NULL, NULL, PKI_DAY);
	struct pki two = pki_make(PKI_RSA, "two", NULL, NULL, PKI_DAY);
	struct pki old = pki_make(PKI_EC, "old", NULL, NULL, -PKI_DAY);
	struct tls_pair pair = pair_of(&one);
	BIO *text = BIO_new(BIO_s_mem());
	struct buf encrypted = { 0 };
	struct tls *tls;

	pair.key = buf_str(&two.key_pem);
	refused(&pair, "key.pem is not the key of cert.pem");
	pair.key = STR("");
	refused(&pair, "key.pem: unsupported");
	pair.key = buf_str(&one.key_pem);
	pair.certificate = STR("-----BEGIN CERTIFICATE-----\nnonsense\n");
	refused(&pair, "cert.pem: bad end line");
	pair = pair_of(&one);
	PEM_write_bio_PrivateKey(text, one.key, EVP_aes_256_cbc(), NULL, 0, NULL, (char *)"secret");
	pki_pem(&encrypted, text);
	pair.key = buf_str(&encrypted);
	refused(&pair, "key.pem: the key is encrypted, and there is nobody to ask");
	pair = pair_of(&old); /* no reason */
	tls = server_of(&pair, 1);
	ck_assert_int_lt(tls_expires(tls), time(NULL));
	tls_drop(&tls);
	buf_free(&encrypted);
	pki_free(&one);
	pki_free(&two);
	pki_free(&old);
}
END_TEST

START_TEST(a_pair_of_our_own_making_serves)
{
	struct buf certificate = { 0 }, key = { 0 };
	struct tls_pair pair = { "c", "k", { 0 }, { 0 } };
	struct why why;
	struct tls *tls;
	X509 *seen;

	ck_assert(!tls_make(STR("a,DNS:b"), &certificate, &key, &why));
	ck_assert(!tls_make(STR(""), &certificate, &key, &why));
	ck_assert_msg(tls_make(STR("mail.example"), &certificate, &key, &why), "%s", why.text);
	pair.certificate = buf_str(&certificate);
	pair.key = buf_str(&key);
	tls = server_of(&pair, 1);
	ck_assert_int_gt(tls_expires(tls), time(NULL) + 3000L * PKI_DAY);
	ck_assert(meet(tls, "mail.example", 0));
	seen = SSL_get1_peer_certificate(raw);
	ck_assert_int_eq(X509_check_host(seen, "mail.example", 0, 0, NULL), 1);
	ck_assert_int_eq(X509_check_host(seen, "other.example", 0, 0, NULL), 0);
	X509_free(seen);
	part();
	raw_end();
	tls_drop(&tls);
	buf_free(&certificate);
	buf_free_secret(&key);
}
END_TEST

TEST_MAIN("net/tls", a_client_is_shown_the_certificate_of_the_name_that_it_wants,
	one_name_may_have_a_key_of_each_kind, a_chain_is_sent_whole,
	versions_and_ciphers_are_those_of_the_settings, tickets_are_good_for_as_long_as_their_key,
	without_tickets_nothing_is_resumed, clients_are_asked_for_certificates_if_that_is_wanted,
	a_pair_that_is_wrong_is_refused_with_its_reason, a_pair_of_our_own_making_serves)
