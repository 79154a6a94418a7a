/* SPDX-License-Identifier: MIT
 *
 * Logins on the way out: what they go through, and what becomes of mail whose login is refused.
 */
#include "tests/queue/policy.h"

#include "tests/lib/sasl_side.h"

static const struct peer_rule behind_tls = { "EHLO",
	"250-peer\r\n250-STARTTLS\r\n250 AUTH PLAIN SCRAM-SHA-256-PLUS SCRAM-SHA-256", 0 };
static const struct peer_rule in_clear = { "EHLO", "250-peer\r\n250 AUTH PLAIN", 0 };

/* A server that knows SASL_LOGIN, and a route that has this password for it. */
static void begin_login(const struct peer_rule *offers, const char *password)
{
	begin_with(peer_server(offers, 1, PEER_TLS), "DNS:mail.localhost", "", HOUSE_ROUTER);
	peer_call(peer, sasl_serve);
	house_routes[0].login = SASL_LOGIN;
	house_routes[0].password = password;
	house_routes[0].source_id = 1;
}

START_TEST(a_login_goes_through_tls)
{
	begin_login(&behind_tls, SASL_PASSWORD);
	arrives("a@one.example");
	saw("STARTTLS\r\nEHLO me.example\r\nAUTH SCRAM-SHA-256-PLUS ", true);
	end();
}
END_TEST

START_TEST(a_refused_login_waits_and_is_in_nobodys_way)
{
	begin_login(&behind_tls, "a wrong one");
	waits("a@one.example", "login refused: 535 5.7.8 who are you?");
	/* The host rests for that login, and for nobody else. */
	waits("b@one.example", "login refused: 535");
	ck_assert_uint_eq(peer_connections(peer), 1);
	/* Nor for another one with the same password. */
	house_routes[0].login = "somebody else";
	waits("c@one.example", "login refused: 535");
	ck_assert_uint_eq(peer_connections(peer), 2);
	house_routes[0].login = NULL;
	arrives("a@two.example");
	end();
}
END_TEST

START_TEST(another_password_is_tried_at_once)
{
	begin_login(&behind_tls, "a wrong one");
	waits_everywhere("one.example", "login refused: 535");
	house_routes[0].password = SASL_PASSWORD;
	arrives_everywhere("two.example");
	end();
}
END_TEST

START_TEST(without_tls_a_login_waits_unless_the_route_allows_it)
{
	begin_login(&in_clear, SASL_PASSWORD);
	waits("a@one.example", "TLS is required, and STARTTLS is not offered");
	house_routes[0].tls = TMAIL_TLS_NONE;
	waits("a@two.example", "a login is required, and its route is without TLS");
	saw("AUTH", false);
	house_routes[0].login_clear = true;
	arrives("a@three.example");
	saw("AUTH PLAIN ", true);
	end();
}
END_TEST

TEST_MAIN("queue/policy-login", a_login_goes_through_tls,
	a_refused_login_waits_and_is_in_nobodys_way, another_password_is_tried_at_once,
	without_tls_a_login_waits_unless_the_route_allows_it)
