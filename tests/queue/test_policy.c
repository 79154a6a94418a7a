/* SPDX-License-Identifier: MIT
 *
 * TLS and logins on the way out: who decides, what is demanded then, and what becomes of mail where
 * it cannot be had.
 */
#include "tests/queue/house.h"

#include "tests/lib/sasl_side.h"
#include "tests/lib/tls_side.h"

#include <tmail/service/tlspolicy.h>

static struct tls_side side;

/* ---- modules that know what domains want --------------------------------------------------- */

static struct known {
	int status;
	uint32_t policy;
	const char *name; /* of the certificate */
	bool pending, wrong, silent;
	uint8_t tlsa[64];
	size_t tlsa_len;
} known[2];
static _Atomic unsigned asked[2], order, first_asked;
static struct tmail_call *_Atomic unanswered; /* of who is silent */
static pthread_mutex_t last_lock = PTHREAD_MUTEX_INITIALIZER; /* loops may ask at a time */
static struct tmail_tls_policy_ask last;
static char last_domain[64], last_host[64];
/* Reports: a line each. */
static struct buf reports;
static pthread_mutex_t reports_lock = PTHREAD_MUTEX_INITIALIZER;

static struct tmail_str text(const char *s)
{
	return (struct tmail_str){ s, strlen(s) };
}

static void *resume(void *call)
{
	((struct tmail_call *)call)->host->resume(call, TMAIL_OK);
	return NULL;
}

static int policy_ask(struct tmail_call *call, const void *question, void *answer, unsigned n)
{
	const struct tmail_tls_policy_ask *ask = question;
	struct tmail_tls_policy_answer *out = answer;
	struct tmail_str *list = call->host->alloc(call, 2 * sizeof *list, TMAIL_SCOPE_CALL);

	if (order++ == 0)
		first_asked = n;
	asked[n]++;
	pthread_mutex_lock(&last_lock);
	last = *ask;
	snprintf(last_domain, sizeof last_domain, "%.*s", (int)ask->domain.len, ask->domain.data);
	snprintf(last_host, sizeof last_host, "%.*s", (int)ask->host.len, ask->host.data);
	pthread_mutex_unlock(&last_lock);
	out->policy = known[n].policy;
	out->kind = text(n ? "sts" : "tlsa");
	out->text = text("its text");
	if (known[n].status == TMAIL_REFUSED || known[n].status == TMAIL_TRY_LATER ||
		known[n].wrong) {
		out->why = text("the zone is broken");
		out->result = text("dnssec-invalid");
	}
	if (known[n].name) {
		list[0] = text(known[n].name);
		out->names = (struct tmail_list){ &list[0], 1, sizeof *list };
	}
	if (known[n].tlsa_len) {
		list[1] = (struct tmail_str){ (const char *)known[n].tlsa, known[n].tlsa_len };
		out->tlsa = (struct tmail_list){ &list[1], 1, sizeof *list };
	}
	if (known[n].silent) {
		unanswered = call;
		return TMAIL_PENDING;
	}
	if (known[n].pending) {
		pthread_t thread;

		must(pthread_create(&thread, NULL, resume, call) == 0);
		pthread_detach(thread);
		return TMAIL_PENDING;
	}
	return known[n].status;
}

static int dane(struct tmail_call *call, const void *question, void *answer)
{
	return policy_ask(call, question, answer, 0);
}

static int sts(struct tmail_call *call, const void *question, void *answer)
{
	return policy_ask(call, question, answer, 1);
}

static int report(struct tmail_call *call, const void *question, void *answer)
{
	const struct tmail_tls_policy_report *r = question;

	(void)call;
	(void)answer;
	pthread_mutex_lock(&reports_lock);
	buf_printf(&reports, "%s %.*s %.*s %.*s %.*s %.*s;", r->good ? "good" : "bad",
		STR_ARG(str_tm(r->domain)), STR_ARG(str_tm(r->host)), STR_ARG(str_tm(r->address)),
		STR_ARG(str_tm(r->kind)), STR_ARG(str_tm(r->result)));
	pthread_mutex_unlock(&reports_lock);
	return TMAIL_OK;
}

static const struct tmail_operation sts_operations[] = { { TMAIL_TLS_POLICY_ASK, 0, sts },
	{ TMAIL_TLS_POLICY_REPORT, 0, report } };
static const struct tmail_operation dane_operations[] = { { TMAIL_TLS_POLICY_ASK, TMAIL_FIRST,
	dane } };
static const struct tmail_service sts_services[] = { { TMAIL_TLS_POLICY, NULL,
	TMAIL_LIST(sts_operations) } };
static const struct tmail_service dane_services[] = { { TMAIL_TLS_POLICY, NULL,
	TMAIL_LIST(dane_operations) } };
static const struct tmail_module policy_modules[] = {
	HOUSE_MODULE("test/sts", .services = TMAIL_LIST(sts_services)),
	HOUSE_MODULE("test/dane", .services = TMAIL_LIST(dane_services)),
};
#define KNOWN HOUSE_ROUTER "{ module = \"test/sts\"; }, { module = \"test/dane\"; },"

/* ---- the house ----------------------------------------------------------------------------- */

static struct peer *tls_peer(const struct peer_rule *rules, size_t count)
{
	struct peer *p = peer_server(rules, count, PEER_TLS);

	peer_secure(p, side.ctx);
	return p;
}

/* settings: behind those of TLS. All mail goes to mail.localhost. */
static void open_house(const char *settings, const char *modules, struct peer *peer)
{
	struct buf all = { 0 };

	for (size_t i = 0; i < 2; i++) {
		module_preload(&policy_modules[i]);
		known[i].status = TMAIL_NOT_FOUND;
	}
	buf_printf(&all, "tls_ca = \"%s\"; idle_timeout = \"0\"; %s", side.ca, settings);
	house_open(buf_c(&all), modules);
	house_routes[0] = (struct house_route){
		.domain = "", .port = peer_port(peer), .host = "mail.localhost"
	};
	buf_free(&all);
}

static void begin(void)
{
	tls_side_make(&side, "DNS:mail.localhost", true, PKI_DAY);
}

static void end(struct peer *peer)
{
	house_over();
	peer_end(&peer);
	tls_side_end(&side);
	buf_free(&reports);
}

static void saw(struct peer *peer, const char *words, bool there)
{
	char *seen = peer_seen(peer);

	ck_assert_msg((strstr(seen, words) != NULL) == there, "%s: %s", words, seen);
	free(seen);
}

static void deferred(unsigned i, const char *words)
{
	struct memory_message m;

	memory_wait_fate(i, 0, TMAIL_FATE_DEFERRED);
	ck_assert(memory_message(i, &m));
	ck_assert_msg(strstr(m.recipient[0].reply, words) != NULL, "%s", m.recipient[0].reply);
	ck_assert_ptr_null(strstr(m.recipient[0].reply, "pass word"));
	free(m.content);
}

static void delivered(struct peer *peer, unsigned messages)
{
	memory_wait_ended(messages);
	ck_assert_uint_eq(peer_messages(peer), messages);
}

/* ---- nobody says anything ------------------------------------------------------------------ */

START_TEST(tls_is_used_where_it_is_offered)
{
	struct peer *peer;

	begin();
	peer = tls_peer(NULL, 0);
	open_house("", HOUSE_ROUTER, peer);
	house_sends("s@x.org", "a@example.com");
	delivered(peer, 1);
	saw(peer, "STARTTLS\r\nEHLO", true);
	end(peer);
}
END_TEST

START_TEST(tls_that_does_not_work_is_done_without_and_not_tried_again_at_once)
{
	SSL_CTX *broken = SSL_CTX_new(TLS_server_method()); /* it has no certificate */
	struct peer *peer = peer_server(NULL, 0, PEER_TLS);

	begin();
	peer_secure(peer, broken);
	open_house("", HOUSE_ROUTER, peer);
	house_sends("s@x.org", "a@example.com");
	delivered(peer, 1);
	ck_assert_uint_eq(peer_connections(peer), 2);
	house_sends("s@x.org", "a@example.com");
	delivered(peer, 2);
	ck_assert_uint_eq(peer_connections(peer), 3);
	end(peer);
	SSL_CTX_free(broken);
}
END_TEST

START_TEST(tls_that_does_not_work_is_waited_for_where_nothing_falls_back)
{
	SSL_CTX *broken = SSL_CTX_new(TLS_server_method());
	struct peer *peer = peer_server(NULL, 0, PEER_TLS);

	begin();
	peer_secure(peer, broken);
	open_house("tls_fallback = false;", HOUSE_ROUTER, peer);
	house_sends("s@x.org", "a@example.com");
	deferred(0, "the TLS handshake failed");
	ck_assert_uint_eq(peer_connections(peer), 1);
	saw(peer, "MAIL", false);
	end(peer);
	SSL_CTX_free(broken);
}
END_TEST

/* ---- an administrator does ----------------------------------------------------------------- */

START_TEST(a_route_demands_encryption_or_a_name_or_nothing)
{
	struct peer *peer;

	begin();
	peer = tls_peer(NULL, 0);
	open_house("", HOUSE_ROUTER, peer);
	house_routes[0].tls = TMAIL_TLS_VERIFY;
	house_sends("s@x.org", "a@example.com");
	delivered(peer, 1);
	house_routes[0].tls = TMAIL_TLS_ENCRYPT;
	house_routes[0].host = "other.localhost";
	house_sends("s@x.org", "a@example.com");
	delivered(peer, 2);
	house_routes[0].tls = TMAIL_TLS_VERIFY;
	house_sends("s@x.org", "a@example.com");
	deferred(2, "the TLS handshake failed: hostname mismatch");
	house_routes[0].tls = TMAIL_TLS_NONE;
	house_sends("s@x.org", "a@none.example");
	memory_wait_ended(3);
	saw(peer, "EHLO me.example\r\nMAIL", true);
	end(peer);
}
END_TEST

START_TEST(who_fails_at_what_one_route_demands_does_not_rest_for_the_others)
{
	struct peer *peer;

	begin();
	peer = tls_peer(NULL, 0);
	open_house("", HOUSE_ROUTER, peer);
	house_routes[1] = house_routes[0];
	house_routes[0] = (struct house_route){ .domain = "strict.org",
		.port = peer_port(peer),
		.host = "other.localhost",
		.destination = "same",
		.tls = TMAIL_TLS_VERIFY };
	house_routes[1].host = "other.localhost";
	house_routes[1].destination = "same";
	house_sends("s@x.org", "a@strict.org");
	deferred(0, "hostname mismatch");
	house_sends("s@x.org", "a@lax.org");
	delivered(peer, 1);
	/* And it does rest for that one. */
	house_sends("s@x.org", "b@strict.org");
	deferred(2, "hostname mismatch");
	ck_assert_uint_eq(peer_connections(peer), 2);
	end(peer);
}
END_TEST

START_TEST(a_destination_is_told_by_the_nearest_pattern_that_speaks_of_tls)
{
	struct peer *peer;

	begin();
	peer = peer_server(NULL, 0, 0);
	open_house("destinations = ( { domain = \"*\"; tls = \"encrypt\"; },"
		   " { domain = \"a.org\"; connections = 2; },"
		   " { domain = \"b.org\"; tls = \"may\"; } );",
		HOUSE_ROUTER, peer);
	house_sends("s@x.org", "a@b.org");
	delivered(peer, 1);
	house_sends("s@x.org", "a@a.org");
	deferred(1, "TLS is required, and STARTTLS is not offered");
	ck_assert_uint_eq(peer_messages(peer), 1);
	end(peer);
}
END_TEST

START_TEST(the_setting_for_all_is_what_is_left)
{
	struct peer *peer;

	begin();
	peer = peer_server(NULL, 0, 0);
	open_house("tls = \"verify\";", HOUSE_ROUTER, peer);
	house_sends("s@x.org", "a@b.org");
	deferred(0, "STARTTLS is not offered");
	house_routes[0].tls = TMAIL_TLS_MAY;
	house_sends("s@x.org", "a@c.org");
	delivered(peer, 1);
	end(peer);
}
END_TEST

START_TEST(smtps_is_tls_from_the_first_octet)
{
	struct peer *peer;

	begin();
	peer = peer_server(NULL, 0, PEER_SMTPS);
	peer_secure(peer, side.ctx);
	open_house("", HOUSE_ROUTER, peer);
	house_routes[0].tls = TMAIL_TLS_SMTPS_VERIFY;
	house_sends("s@x.org", "a@b.org");
	delivered(peer, 1);
	saw(peer, "STARTTLS", false);
	house_routes[0].host = "other.localhost";
	house_sends("s@x.org", "a@c.org");
	deferred(1, "hostname mismatch");
	house_routes[0].tls = TMAIL_TLS_SMTPS;
	house_sends("s@x.org", "a@d.org");
	delivered(peer, 2);
	end(peer);
}
END_TEST

START_TEST(settings_that_demand_more_do_not_go_on_with_what_was_open)
{
	struct queue_settings settings;
	struct peer *peer;

	begin();
	peer = peer_server(NULL, 0, 0);
	open_house("", HOUSE_ROUTER, peer);
	settings = house.settings;
	settings.idle_timeout = 3600000;
	house_reload(0, settings);
	house_sends("s@x.org", "a@example.com");
	delivered(peer, 1);
	settings.tls = TMAIL_TLS_ENCRYPT - TMAIL_TLS_NONE;
	house_reload(1, settings);
	house_sends("s@x.org", "a@example.com");
	deferred(1, "TLS is required, and STARTTLS is not offered");
	ck_assert_uint_eq(peer_messages(peer), 1);
	end(peer);
}
END_TEST

/* ---- the domain does ----------------------------------------------------------------------- */

START_TEST(what_a_domain_wants_is_asked_of_modules_and_holds)
{
	struct peer *peer;

	begin();
	peer = tls_peer(NULL, 0);
	open_house("", KNOWN, peer);
	house_routes[0].secure = true;
	known[1] = (struct known){ .policy = TMAIL_TLS_VERIFY, .name = "*.localhost" };
	house_sends("s@x.org", "a@Good.example");
	delivered(peer, 1);
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
	house_sends("s@x.org", "a@bad.example");
	deferred(1, "hostname mismatch");
	ck_assert_uint_eq(peer_messages(peer), 1);
	/* One asks nothing: the next domain, same host. */
	known[1].status = TMAIL_NOT_FOUND;
	known[1].pending = false;
	house_sends("s@x.org", "a@lax.example");
	delivered(peer, 2);
	ck_assert_str_eq(buf_c(&reports),
		"good good.example mail.localhost 127.0.0.1 sts ;"
		"bad bad.example mail.localhost 127.0.0.1 sts certificate-host-mismatch;"
		"good lax.example mail.localhost 127.0.0.1 no-policy-found ;");
	end(peer);
}
END_TEST

START_TEST(a_policy_that_cannot_be_known_is_no_leave_to_send)
{
	struct peer *peer;

	begin();
	peer = tls_peer(NULL, 0);
	open_house("", KNOWN, peer);
	known[0].status = TMAIL_TRY_LATER;
	house_sends("s@x.org", "a@one.example");
	deferred(0, "the zone is broken");
	known[0].status = TMAIL_REFUSED;
	house_sends("s@x.org", "a@two.example");
	deferred(1, "the zone is broken");
	ck_assert_uint_eq(asked[1], 0);
	ck_assert_uint_eq(peer_connections(peer), 0);
	ck_assert_str_eq(buf_c(&reports),
		"bad one.example mail.localhost  tlsa dnssec-invalid;"
		"bad two.example mail.localhost  tlsa dnssec-invalid;");
	end(peer);
}
END_TEST

START_TEST(a_policy_that_is_not_known_in_time_is_none_either)
{
	struct peer *peer;

	begin();
	peer = tls_peer(NULL, 0);
	open_house("",
		HOUSE_ROUTER "{ module = \"test/sts\"; },"
			     "{ module = \"test/dane\"; timeout = \"20ms\"; },",
		peer);
	known[0].silent = true;
	house_sends("s@x.org", "a@one.example");
	deferred(0, "TLS policy could not be learned in time");
	ck_assert_uint_eq(peer_connections(peer), 0);
	ck_assert_uint_eq(asked[1], 0);
	ck_assert_int_eq(unanswered->host->resume(unanswered, TMAIL_OK), TMAIL_LATE);
	known[0].silent = false;
	end(peer);
}
END_TEST

START_TEST(a_policy_that_is_only_tried_reports_and_sends)
{
	struct peer *peer;

	begin();
	peer = tls_peer(NULL, 0);
	open_house("", KNOWN, peer);
	known[1] = (struct known){ .policy = TMAIL_TLS_MAY, .name = "mx.example" };
	house_sends("s@x.org", "a@one.example");
	delivered(peer, 1);
	ck_assert_str_eq(buf_c(&reports),
		"bad one.example mail.localhost 127.0.0.1 sts certificate-host-mismatch;");
	end(peer);
}
END_TEST

START_TEST(what_a_domain_wants_is_never_less_than_usual)
{
	struct peer *peer;

	begin();
	peer = tls_peer(NULL, 0);
	open_house("tls = \"verify\";", KNOWN, peer);
	house_routes[0].host = "other.localhost";
	for (unsigned i = 0; i < 2; i++) {
		known[0] = (struct known){ .policy = i ? TMAIL_TLS_MAY : TMAIL_TLS_ENCRYPT };
		house_sends("s@x.org", "a@one.example");
		deferred(i, "hostname mismatch");
	}
	ck_assert_uint_eq(peer_messages(peer), 0);
	end(peer);
}
END_TEST

START_TEST(a_server_without_tls_is_reported)
{
	struct peer *peer;

	begin();
	peer = peer_server(NULL, 0, 0);
	open_house("", KNOWN, peer);
	known[1] = (struct known){ .policy = TMAIL_TLS_VERIFY };
	house_sends("s@x.org", "a@one.example");
	deferred(0, "STARTTLS is not offered");
	known[1].status = TMAIL_NOT_FOUND;
	house_sends("s@x.org", "a@two.example");
	delivered(peer, 1);
	ck_assert_str_eq(buf_c(&reports),
		"bad one.example mail.localhost 127.0.0.1 sts starttls-not-supported;"
		"bad two.example mail.localhost 127.0.0.1 no-policy-found starttls-not-supported;");
	end(peer);
}
END_TEST

START_TEST(who_is_named_by_an_administrator_is_not_asked_about)
{
	struct peer *peer;

	begin();
	peer = tls_peer(NULL, 0);
	open_house("", KNOWN, peer);
	house_routes[0].source_id = 7;
	house_sends("s@x.org", "a@one.example");
	delivered(peer, 1);
	house_routes[0].source_id = 0;
	house_routes[0].tls = TMAIL_TLS_ENCRYPT;
	house_sends("s@x.org", "a@two.example");
	delivered(peer, 2);
	ck_assert_uint_eq(asked[0] + asked[1], 0);
	/* But for DANE, if that is what he wants: of the host, since no domain led to it. */
	house_routes[0].source_id = 7;
	house_routes[0].tls = TMAIL_TLS_DANE;
	house_sends("s@x.org", "a@three.example");
	deferred(2, "DANE is required");
	ck_assert_uint_eq(asked[0], 1);
	ck_assert_uint_eq(last.secure, 1);
	ck_assert_str_eq(last_domain, "");
	ck_assert_str_eq(
		buf_c(&reports), "good two.example mail.localhost 127.0.0.1 no-policy-found ;");
	end(peer);
}
END_TEST

START_TEST(who_is_an_address_is_not_asked_about_and_clear_is_not_reported)
{
	struct peer *peer;

	begin();
	peer = tls_peer(NULL, 0);
	open_house("", KNOWN, peer);
	house_routes[0].host = "127.0.0.1";
	house_sends("s@x.org", "a@one.example");
	delivered(peer, 1);
	ck_assert_uint_eq(asked[0] + asked[1], 0);
	house_routes[0].host = "mail.localhost";
	house_routes[0].tls = TMAIL_TLS_NONE;
	house_sends("s@x.org", "a@two.example");
	delivered(peer, 2);
	ck_assert_uint_eq(reports.len, 0);
	end(peer);
}
END_TEST

START_TEST(a_demand_that_nobody_knows_is_the_strictest)
{
	struct peer *peer;

	begin();
	peer = tls_peer(NULL, 0);
	open_house("", HOUSE_ROUTER, peer);
	house_routes[0].host = "other.localhost";
	house_routes[0].tls = 99;
	house_sends("s@x.org", "a@one.example");
	deferred(0, "hostname mismatch");
	end(peer);
}
END_TEST

START_TEST(a_socket_of_this_host_needs_no_tls)
{
	struct peer *peer;

	begin();
	peer = peer_server(NULL, 0, PEER_UNIX);
	open_house("tls = \"verify\";", HOUSE_ROUTER, peer);
	house_routes[0].host = peer_path(peer);
	house_sends("s@x.org", "a@one.example");
	delivered(peer, 1);
	end(peer);
}
END_TEST

/* 3 1 1: the key itself. */
static void tlsa_of(const struct pki *p, struct known *k)
{
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(p->key, &der);

	ck_assert_int_gt(len, 0);
	memcpy(k->tlsa, "\3\1\1", 3);
	EVP_Digest(der, (size_t)len, k->tlsa + 3, NULL, EVP_sha256(), NULL);
	k->tlsa_len = 3 + 32;
	OPENSSL_free(der);
}

START_TEST(records_of_dane_hold)
{
	struct peer *peer;

	begin();
	peer = tls_peer(NULL, 0);
	open_house("", KNOWN, peer);
	known[0] = (struct known){ .policy = TMAIL_TLS_DANE };
	tlsa_of(&side.leaf, &known[0]);
	house_routes[0].host = "other.localhost"; /* a key needs no name */
	house_sends("s@x.org", "a@one.example");
	delivered(peer, 1);
	known[0].tlsa[5] ^= 1;
	house_sends("s@x.org", "a@two.example");
	deferred(1, "handshake failed");
	/* Those of the web are none of mail's: any key will do, where that is enough. */
	known[0].tlsa[0] = 1;
	house_sends("s@x.org", "a@four.example");
	delivered(peer, 2);
	house_routes[0].tls = TMAIL_TLS_DANE;
	house_sends("s@x.org", "a@five.example");
	deferred(3, "no usable TLSA record");
	/* A route asks for it; MTA-STS is not as good. */
	known[0].status = TMAIL_NOT_FOUND;
	known[1] = (struct known){ .policy = TMAIL_TLS_VERIFY };
	house_routes[0].tls = TMAIL_TLS_DANE;
	house_sends("s@x.org", "a@three.example");
	deferred(4, "DANE is required, and there is no TLSA record to trust");
	ck_assert_str_eq(buf_c(&reports),
		"good one.example other.localhost 127.0.0.1 tlsa ;"
		"bad two.example other.localhost 127.0.0.1 tlsa validation-failure;"
		"bad four.example other.localhost 127.0.0.1 tlsa tlsa-invalid;"
		"bad five.example other.localhost 127.0.0.1 tlsa tlsa-invalid;"
		"bad three.example other.localhost  no-policy-found dane-required;");
	end(peer);
}
END_TEST

START_TEST(new_records_are_tried_at_once)
{
	struct peer *peer;

	begin();
	peer = tls_peer(NULL, 0);
	open_house("", KNOWN, peer);
	known[0] = (struct known){ .policy = TMAIL_TLS_DANE };
	tlsa_of(&side.leaf, &known[0]);
	known[0].tlsa[5] ^= 1;
	house_sends("s@x.org", "a@one.example");
	deferred(0, "handshake failed");
	known[0].tlsa[5] ^= 1;
	house_sends("s@x.org", "b@one.example");
	delivered(peer, 1);
	end(peer);
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

/* 2 1 1, and a server that shows the authority. */
static struct peer *peer_of_authority(const char *alternatives)
{
	tls_side_make(&side, alternatives, true, PKI_DAY);
	ck_assert(SSL_CTX_add1_chain_cert(side.ctx, side.authority.certificate));
	SSL_CTX_set_tlsext_servername_callback(side.ctx, name_wanted);
	return tls_peer(NULL, 0);
}

static void authority_known(const char *name)
{
	known[0] = (struct known){ .policy = TMAIL_TLS_DANE, .name = name };
	tlsa_of(&side.authority, &known[0]);
	known[0].tlsa[0] = 2;
}

START_TEST(an_authority_of_dane_vouches_for_the_host_or_the_domain)
{
	struct peer *peer = peer_of_authority("DNS:one.example, DNS:three.example");

	open_house("", KNOWN, peer);
	authority_known(NULL);
	house_sends("s@x.org", "a@one.example");
	delivered(peer, 1);
	ck_assert_str_eq(sni, "mail.localhost");
	house_sends("s@x.org", "a@two.example");
	deferred(1, "hostname mismatch");
	/* Whom an administrator named is no host of the domain's. */
	house_routes[0].source_id = 7;
	house_routes[0].tls = TMAIL_TLS_DANE;
	house_sends("s@x.org", "a@three.example");
	deferred(2, "hostname mismatch");
	end(peer);
}
END_TEST

START_TEST(a_server_hears_the_name_under_which_its_records_are)
{
	struct peer *peer = peer_of_authority("DNS:real.example");

	open_house("", KNOWN, peer);
	authority_known("real.example");
	house_sends("s@x.org", "a@one.example");
	delivered(peer, 1);
	ck_assert_str_eq(sni, "real.example");
	/* And no other name counts beside it. */
	known[0].name = "other.example";
	house_sends("s@x.org", "a@real.example");
	deferred(1, "hostname mismatch");
	ck_assert_str_eq(sni, "other.example");
	end(peer);
}
END_TEST

/* ---- logins -------------------------------------------------------------------------------- */

#define AUTH_OFFERS "250-peer\r\n250-STARTTLS\r\n250 AUTH PLAIN SCRAM-SHA-256-PLUS SCRAM-SHA-256"
#define EHLO_AUTH                                                                                  \
	{                                                                                          \
		"EHLO", AUTH_OFFERS, 0                                                             \
	}

static struct peer *login_peer(const struct peer_rule *rules, size_t count)
{
	struct peer *p = tls_peer(rules, count);

	peer_call(p, sasl_serve);
	return p;
}

static void with_login(const char *password)
{
	house_routes[0].login = SASL_LOGIN;
	house_routes[0].password = password;
	house_routes[0].source_id = 1;
}

START_TEST(a_login_goes_through_tls)
{
	const struct peer_rule rules[] = { EHLO_AUTH };
	struct peer *peer;

	begin();
	peer = login_peer(rules, 1);
	open_house("", HOUSE_ROUTER, peer);
	with_login(SASL_PASSWORD);
	house_sends("s@x.org", "a@one.example");
	delivered(peer, 1);
	saw(peer, "STARTTLS\r\nEHLO me.example\r\nAUTH SCRAM-SHA-256-PLUS ", true);
	end(peer);
}
END_TEST

START_TEST(a_refused_login_waits_and_is_in_nobodys_way)
{
	const struct peer_rule rules[] = { EHLO_AUTH };
	struct peer *peer;

	begin();
	peer = login_peer(rules, 1);
	open_house("", HOUSE_ROUTER, peer);
	with_login("a wrong one");
	house_sends("s@x.org", "a@one.example");
	deferred(0, "login refused: 535 5.7.8 who are you?");
	/* The host rests for that login, and for nobody else. */
	house_sends("s@x.org", "b@one.example");
	deferred(1, "login refused: 535");
	ck_assert_uint_eq(peer_connections(peer), 1);
	/* Nor for another one with the same password. */
	house_routes[0].login = "somebody else";
	house_sends("s@x.org", "c@one.example");
	deferred(2, "login refused: 535");
	ck_assert_uint_eq(peer_connections(peer), 2);
	house_routes[0].login = NULL;
	house_sends("s@x.org", "a@two.example");
	delivered(peer, 1);
	end(peer);
}
END_TEST

/* To as many domains as it takes to be on every loop: each has its own idea of who rests. */
enum { EVERYWHERE = 8 };

static void sends_everywhere(const char *below)
{
	for (unsigned i = 0; i < EVERYWHERE; i++) {
		char to[32];

		snprintf(to, sizeof to, "a@%u.%s", i, below);
		house_sends("s@x.org", to);
	}
}

START_TEST(another_password_is_tried_at_once)
{
	const struct peer_rule rules[] = { EHLO_AUTH };
	struct peer *peer;

	begin();
	peer = login_peer(rules, 1);
	open_house("", HOUSE_ROUTER, peer);
	with_login("a wrong one");
	sends_everywhere("one.example");
	for (unsigned i = 0; i < EVERYWHERE; i++)
		deferred(i, "login refused: 535");
	house_routes[0].password = SASL_PASSWORD;
	sends_everywhere("two.example");
	delivered(peer, EVERYWHERE);
	end(peer);
}
END_TEST

START_TEST(who_cannot_be_proven_does_not_rest_for_whom_that_is_enough)
{
	struct peer *peer;

	begin();
	peer = tls_peer(NULL, 0);
	open_house("", KNOWN, peer);
	known[0] = (struct known){ .policy = TMAIL_TLS_DANE };
	tlsa_of(&side.leaf, &known[0]);
	known[0].tlsa[0] = 1; /* a record of the web's: any key will do, but not for all */
	house_routes[0].tls = TMAIL_TLS_DANE;
	sends_everywhere("one.example");
	for (unsigned i = 0; i < EVERYWHERE; i++)
		deferred(i, "no usable TLSA record");
	house_routes[0].tls = TMAIL_TLS_UNSET;
	sends_everywhere("one.example");
	delivered(peer, EVERYWHERE);
	end(peer);
}
END_TEST

START_TEST(who_cannot_speak_tls_at_once_does_not_rest_for_whom_starttls_is_enough)
{
	struct peer *peer;

	begin();
	peer = tls_peer(NULL, 0);
	open_house("", HOUSE_ROUTER, peer);
	house_routes[0].tls = TMAIL_TLS_SMTPS;
	sends_everywhere("one.example");
	for (unsigned i = 0; i < EVERYWHERE; i++)
		deferred(i, "handshake failed");
	house_routes[0].tls = TMAIL_TLS_ENCRYPT;
	sends_everywhere("two.example");
	delivered(peer, EVERYWHERE);
	end(peer);
}
END_TEST

START_TEST(without_tls_a_login_waits_unless_the_route_allows_it)
{
	const struct peer_rule rules[] = { { "EHLO", "250-peer\r\n250 AUTH PLAIN", 0 } };
	struct peer *peer;

	begin();
	peer = login_peer(rules, 1);
	open_house("", HOUSE_ROUTER, peer);
	with_login(SASL_PASSWORD);
	house_sends("s@x.org", "a@one.example");
	deferred(0, "TLS is required, and STARTTLS is not offered");
	house_routes[0].tls = TMAIL_TLS_NONE;
	house_sends("s@x.org", "a@two.example");
	deferred(1, "a login is required, and its route is without TLS");
	saw(peer, "AUTH", false);
	house_routes[0].login_clear = true;
	house_sends("s@x.org", "a@three.example");
	delivered(peer, 1);
	saw(peer, "AUTH PLAIN ", true);
	end(peer);
}
END_TEST

TEST_MAIN("queue/policy", tls_is_used_where_it_is_offered,
	tls_that_does_not_work_is_done_without_and_not_tried_again_at_once,
	tls_that_does_not_work_is_waited_for_where_nothing_falls_back,
	a_route_demands_encryption_or_a_name_or_nothing,
	who_fails_at_what_one_route_demands_does_not_rest_for_the_others,
	a_destination_is_told_by_the_nearest_pattern_that_speaks_of_tls,
	the_setting_for_all_is_what_is_left,
	settings_that_demand_more_do_not_go_on_with_what_was_open,
	smtps_is_tls_from_the_first_octet, what_a_domain_wants_is_asked_of_modules_and_holds,
	a_policy_that_cannot_be_known_is_no_leave_to_send,
	a_policy_that_is_not_known_in_time_is_none_either,
	a_policy_that_is_only_tried_reports_and_sends, what_a_domain_wants_is_never_less_than_usual,
	a_server_without_tls_is_reported, who_is_named_by_an_administrator_is_not_asked_about,
	records_of_dane_hold, a_login_goes_through_tls, a_refused_login_waits_and_is_in_nobodys_way,
	another_password_is_tried_at_once,
	who_cannot_be_proven_does_not_rest_for_whom_that_is_enough,
	without_tls_a_login_waits_unless_the_route_allows_it,
	an_authority_of_dane_vouches_for_the_host_or_the_domain,
	a_server_hears_the_name_under_which_its_records_are,
	who_cannot_speak_tls_at_once_does_not_rest_for_whom_starttls_is_enough,
	new_records_are_tried_at_once,
	who_is_an_address_is_not_asked_about_and_clear_is_not_reported,
	a_demand_that_nobody_knows_is_the_strictest, a_socket_of_this_host_needs_no_tls)
