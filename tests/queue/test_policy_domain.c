/* SPDX-License-Identifier: MIT
 *
 * What domains want of TLS on the way out: which modules are asked, for which next hops, how what
 * they know holds, and what is reported of it.
 */
#include "tests/queue/policy.h"

START_TEST(what_a_domain_wants_is_asked_of_modules_and_holds)
{
	begin(PEER_TLS, "", KNOWN);
	house_routes[0].secure = true;
	known[1] = (struct known){ .policy = TMAIL_TLS_VERIFY, .name = "*.localhost" };
	arrives("a@Good.example");
	/* DANE before MTA-STS, however they were written. */
	ck_assert_uint_eq(first_asked, 0);
	ck_assert_uint_eq(asked[1], 1);
	ck_assert_str_eq(last_domain, "good.example");
	ck_assert_str_eq(last_host, "mail.localhost");
	ck_assert_uint_eq(last.secure, 1);
	ck_assert_uint_eq(last.address_secure, 0); /* of localhost, which nobody signs */
	ck_assert_uint_eq(last.port, peer_port(peer));
	known[1].name = "mx.example";
	known[1].pending = true;
	waits("a@bad.example", "hostname mismatch");
	/* One asks nothing: the next domain, same host. */
	known[1].status = TMAIL_NOT_FOUND;
	known[1].pending = false;
	arrives("a@lax.example");
	reported("good good.example mail.localhost 127.0.0.1 sts ;"
		 "bad bad.example mail.localhost 127.0.0.1 sts certificate-host-mismatch;"
		 "good lax.example mail.localhost 127.0.0.1 no-policy-found ;");
	end();
}
END_TEST

START_TEST(a_policy_that_cannot_be_known_is_no_leave_to_send)
{
	begin(PEER_TLS, "", KNOWN);
	known[0].status = TMAIL_TRY_LATER;
	waits("a@one.example", "the zone is broken");
	known[0].status = TMAIL_REFUSED;
	waits("a@two.example", "the zone is broken");
	ck_assert_uint_eq(asked[1], 0);
	ck_assert_uint_eq(peer_connections(peer), 0);
	reported("bad one.example mail.localhost  tlsa dnssec-invalid;"
		 "bad two.example mail.localhost  tlsa dnssec-invalid;");
	end();
}
END_TEST

START_TEST(a_policy_that_is_not_known_in_time_is_none_either)
{
	begin(PEER_TLS, "",
		HOUSE_ROUTER "{ module = \"test/sts\"; },"
			     "{ module = \"test/dane\"; timeout = \"20ms\"; },");
	known[0].silent = true;
	waits("a@one.example", "TLS policy could not be learned in time");
	ck_assert_uint_eq(peer_connections(peer), 0);
	ck_assert_uint_eq(asked[1], 0);
	ck_assert_int_eq(unanswered->host->resume(unanswered, TMAIL_OK), TMAIL_LATE);
	known[0].silent = false;
	end();
}
END_TEST

START_TEST(a_policy_that_is_only_tried_reports_and_sends)
{
	begin(PEER_TLS, "", KNOWN);
	known[1] = (struct known){ .policy = TMAIL_TLS_MAY, .name = "mx.example" };
	arrives("a@one.example");
	reported("bad one.example mail.localhost 127.0.0.1 sts certificate-host-mismatch;");
	end();
}
END_TEST

START_TEST(what_a_domain_wants_is_never_less_than_usual)
{
	begin(PEER_TLS, "tls = \"verify\";", KNOWN);
	house_routes[0].host = "other.localhost";
	for (unsigned i = 0; i < 2; i++) {
		known[0] = (struct known){ .policy = i ? TMAIL_TLS_MAY : TMAIL_TLS_ENCRYPT };
		waits("a@one.example", "hostname mismatch");
	}
	end();
}
END_TEST

START_TEST(a_server_without_tls_is_reported)
{
	begin(0, "", KNOWN);
	known[1] = (struct known){ .policy = TMAIL_TLS_VERIFY };
	waits("a@one.example", "STARTTLS is not offered");
	known[1].status = TMAIL_NOT_FOUND;
	arrives("a@two.example");
	reported("bad one.example mail.localhost 127.0.0.1 sts starttls-not-supported;"
		 "bad two.example mail.localhost 127.0.0.1 no-policy-found "
		 "starttls-not-supported;");
	end();
}
END_TEST

START_TEST(who_is_named_by_an_administrator_is_not_asked_about)
{
	begin(PEER_TLS, "", KNOWN);
	house_routes[0].source_id = 7;
	arrives("a@one.example");
	house_routes[0].source_id = 0;
	house_routes[0].tls = TMAIL_TLS_ENCRYPT;
	arrives("a@two.example");
	ck_assert_uint_eq(asked[0] + asked[1], 0);
	/* But for DANE, if that is what he wants: of the host, since no domain led to it. */
	house_routes[0].source_id = 7;
	house_routes[0].tls = TMAIL_TLS_DANE;
	waits("a@three.example", "DANE is required");
	ck_assert_uint_eq(asked[0], 1);
	ck_assert_uint_eq(last.secure, 1);
	ck_assert_str_eq(last_domain, "");
	reported("good two.example mail.localhost 127.0.0.1 no-policy-found ;");
	end();
}
END_TEST

START_TEST(who_is_an_address_is_not_asked_about_and_clear_is_not_reported)
{
	begin(PEER_TLS, "", KNOWN);
	house_routes[0].host = "127.0.0.1";
	arrives("a@one.example");
	ck_assert_uint_eq(asked[0] + asked[1], 0);
	house_routes[0].host = "mail.localhost";
	house_routes[0].tls = TMAIL_TLS_NONE;
	arrives("a@two.example");
	reported("");
	end();
}
END_TEST

/* ---- records of DANE ----------------------------------------------------------------------- */

/* usage: 3 is the key itself, 2 an authority's. */
static void tlsa_known(uint8_t usage, const struct pki *p, const char *name)
{
	struct known *k = &known[0];
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(p->key, &der);

	ck_assert_int_gt(len, 0);
	*k = (struct known){ .policy = TMAIL_TLS_DANE, .name = name, .tlsa = { usage, 1, 1 } };
	EVP_Digest(der, (size_t)len, k->tlsa + 3, NULL, EVP_sha256(), NULL);
	k->tlsa_len = 3 + 32;
	OPENSSL_free(der);
}

START_TEST(records_of_dane_hold)
{
	begin(PEER_TLS, "", KNOWN);
	tlsa_known(3, &side.leaf, NULL);
	house_routes[0].host = "other.localhost"; /* a key needs no name */
	arrives("a@one.example");
	known[0].tlsa[5] ^= 1;
	waits("a@two.example", "handshake failed");
	/* Those of the web are none of mail's: any key will do, where that is enough. */
	known[0].tlsa[0] = 1;
	arrives("a@four.example");
	house_routes[0].tls = TMAIL_TLS_DANE;
	waits("a@five.example", "no usable TLSA record");
	/* A route asks for it; MTA-STS is not as good. */
	known[0].status = TMAIL_NOT_FOUND;
	known[1] = (struct known){ .policy = TMAIL_TLS_VERIFY };
	waits("a@three.example", "DANE is required, and there is no TLSA record to trust");
	reported("good one.example other.localhost 127.0.0.1 tlsa ;"
		 "bad two.example other.localhost 127.0.0.1 tlsa validation-failure;"
		 "bad four.example other.localhost 127.0.0.1 tlsa tlsa-invalid;"
		 "bad five.example other.localhost 127.0.0.1 tlsa tlsa-invalid;"
		 "bad three.example other.localhost  no-policy-found dane-required;");
	end();
}
END_TEST

START_TEST(new_records_are_tried_at_once)
{
	begin(PEER_TLS, "", KNOWN);
	tlsa_known(3, &side.leaf, NULL);
	known[0].tlsa[5] ^= 1;
	waits("a@one.example", "handshake failed");
	known[0].tlsa[5] ^= 1;
	arrives("b@one.example");
	end();
}
END_TEST

START_TEST(who_cannot_be_proven_does_not_rest_for_whom_that_is_enough)
{
	begin(PEER_TLS, "", KNOWN);
	tlsa_known(1, &side.leaf, NULL); /* the web's: any key will do, but not for all */
	house_routes[0].tls = TMAIL_TLS_DANE;
	waits_everywhere("one.example", "no usable TLSA record");
	house_routes[0].tls = TMAIL_TLS_UNSET;
	arrives_everywhere("one.example");
	end();
}
END_TEST

/* ---- whose name ---------------------------------------------------------------------------- */

static char sni[64];

static int name_wanted(SSL *ssl, int *alert, void *ctx)
{
	const char *said = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)alert;
	(void)ctx;
	snprintf(sni, sizeof sni, "%s", said ? said : "");
	return SSL_TLSEXT_ERR_OK;
}

/* A server that shows the authority of its certificate, which is for these names. */
static void begin_authority(const char *names)
{
	begin_with(peer_server(NULL, 0, PEER_TLS), names, "", KNOWN);
	ck_assert(SSL_CTX_add1_chain_cert(side.ctx, side.authority.certificate));
	SSL_CTX_set_tlsext_servername_callback(side.ctx, name_wanted);
}

START_TEST(an_authority_of_dane_vouches_for_the_host_or_the_domain)
{
	begin_authority("DNS:one.example, DNS:three.example");
	tlsa_known(2, &side.authority, NULL);
	arrives("a@one.example");
	ck_assert_str_eq(sni, "mail.localhost");
	waits("a@two.example", "hostname mismatch");
	/* Whom an administrator named is no host of the domain's. */
	house_routes[0].source_id = 7;
	house_routes[0].tls = TMAIL_TLS_DANE;
	waits("a@three.example", "hostname mismatch");
	end();
}
END_TEST

START_TEST(a_server_hears_the_name_under_which_its_records_are)
{
	begin_authority("DNS:real.example");
	tlsa_known(2, &side.authority, "real.example");
	arrives("a@one.example");
	ck_assert_str_eq(sni, "real.example");
	/* And no other name counts beside it. */
	known[0].name = "other.example";
	waits("a@real.example", "hostname mismatch");
	ck_assert_str_eq(sni, "other.example");
	end();
}
END_TEST

TEST_MAIN("queue/policy-domain", what_a_domain_wants_is_asked_of_modules_and_holds,
	a_policy_that_cannot_be_known_is_no_leave_to_send,
	a_policy_that_is_not_known_in_time_is_none_either,
	a_policy_that_is_only_tried_reports_and_sends, what_a_domain_wants_is_never_less_than_usual,
	a_server_without_tls_is_reported, who_is_named_by_an_administrator_is_not_asked_about,
	who_is_an_address_is_not_asked_about_and_clear_is_not_reported, records_of_dane_hold,
	new_records_are_tried_at_once, who_cannot_be_proven_does_not_rest_for_whom_that_is_enough,
	an_authority_of_dane_vouches_for_the_host_or_the_domain,
	a_server_hears_the_name_under_which_its_records_are)
