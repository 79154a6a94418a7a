/* SPDX-License-Identifier: MIT
 *
 * TLS on the way out: what is done where nobody says anything, and what routes, destinations and
 * settings demand. What domains want is in test_policy_domain.c, logins in test_policy_login.c.
 */
#include "tests/queue/policy.h"

/* ---- nobody says anything ------------------------------------------------------------------ */

START_TEST(tls_is_used_where_it_is_offered)
{
	begin(PEER_TLS, "", HOUSE_ROUTER);
	arrives("a@example.com");
	saw("STARTTLS\r\nEHLO", true);
	end();
}
END_TEST

static int no_certificate(SSL *ssl, void *ctx)
{
	(void)ssl;
	(void)ctx;
	return 0;
}

static void begin_broken(const char *settings)
{
	begin(PEER_TLS, settings, HOUSE_ROUTER);
	SSL_CTX_set_cert_cb(side.ctx, no_certificate, NULL);
}

START_TEST(tls_that_does_not_work_is_done_without_and_not_tried_again_at_once)
{
	begin_broken("");
	arrives("a@example.com");
	ck_assert_uint_eq(peer_connections(peer), 2);
	arrives("a@example.com");
	ck_assert_uint_eq(peer_connections(peer), 3);
	end();
}
END_TEST

START_TEST(tls_that_does_not_work_is_waited_for_where_nothing_falls_back)
{
	begin_broken("tls_fallback = false;");
	waits("a@example.com", "the TLS handshake failed");
	ck_assert_uint_eq(peer_connections(peer), 1);
	saw("MAIL", false);
	end();
}
END_TEST

/* ---- an administrator does ----------------------------------------------------------------- */

START_TEST(a_route_demands_encryption_or_a_name_or_nothing)
{
	begin(PEER_TLS, "", HOUSE_ROUTER);
	house_routes[0].tls = TMAIL_TLS_VERIFY;
	arrives("a@example.com");
	house_routes[0].tls = TMAIL_TLS_ENCRYPT;
	house_routes[0].host = "other.localhost";
	arrives("a@example.com");
	house_routes[0].tls = TMAIL_TLS_VERIFY;
	waits("a@example.com", "the TLS handshake failed: hostname mismatch");
	house_routes[0].tls = TMAIL_TLS_NONE;
	arrives("a@none.example");
	saw("EHLO me.example\r\nMAIL", true);
	end();
}
END_TEST

START_TEST(who_fails_at_what_one_route_demands_does_not_rest_for_the_others)
{
	begin(PEER_TLS, "", HOUSE_ROUTER);
	house_routes[0].host = "other.localhost";
	house_routes[0].destination = "same";
	house_routes[1] = house_routes[0];
	house_routes[0].domain = "strict.org";
	house_routes[0].tls = TMAIL_TLS_VERIFY;
	waits("a@strict.org", "hostname mismatch");
	arrives("a@lax.org");
	/* And it does rest for that one. */
	waits("b@strict.org", "hostname mismatch");
	ck_assert_uint_eq(peer_connections(peer), 2);
	end();
}
END_TEST

START_TEST(a_destination_is_told_by_the_nearest_pattern_that_speaks_of_tls)
{
	begin(0,
		"destinations = ( { domain = \"*\"; tls = \"encrypt\"; },"
		" { domain = \"a.org\"; connections = 2; },"
		" { domain = \"b.org\"; tls = \"may\"; } );",
		HOUSE_ROUTER);
	arrives("a@b.org");
	waits("a@a.org", "TLS is required, and STARTTLS is not offered");
	end();
}
END_TEST

START_TEST(the_setting_for_all_is_what_is_left)
{
	begin(0, "tls = \"verify\";", HOUSE_ROUTER);
	waits("a@b.org", "STARTTLS is not offered");
	house_routes[0].tls = TMAIL_TLS_MAY;
	arrives("a@c.org");
	end();
}
END_TEST

START_TEST(smtps_is_tls_from_the_first_octet)
{
	begin(PEER_SMTPS, "", HOUSE_ROUTER);
	house_routes[0].tls = TMAIL_TLS_SMTPS_VERIFY;
	arrives("a@b.org");
	saw("STARTTLS", false);
	house_routes[0].host = "other.localhost";
	waits("a@c.org", "hostname mismatch");
	house_routes[0].tls = TMAIL_TLS_SMTPS;
	arrives("a@d.org");
	end();
}
END_TEST

START_TEST(who_cannot_speak_tls_at_once_does_not_rest_for_whom_starttls_is_enough)
{
	begin(PEER_TLS, "", HOUSE_ROUTER);
	house_routes[0].tls = TMAIL_TLS_SMTPS;
	waits_everywhere("one.example", "handshake failed");
	house_routes[0].tls = TMAIL_TLS_ENCRYPT;
	arrives_everywhere("two.example");
	end();
}
END_TEST

START_TEST(settings_that_demand_more_do_not_go_on_with_what_was_open)
{
	struct queue_settings settings;

	begin(0, "", HOUSE_ROUTER);
	settings = house.settings;
	settings.idle_timeout = 3600000;
	house_reload(0, settings);
	arrives("a@example.com");
	settings.tls = TMAIL_TLS_ENCRYPT - TMAIL_TLS_NONE;
	house_reload(1, settings);
	waits("a@example.com", "TLS is required, and STARTTLS is not offered");
	end();
}
END_TEST

START_TEST(a_demand_that_nobody_knows_is_the_strictest)
{
	begin(PEER_TLS, "", HOUSE_ROUTER);
	house_routes[0].host = "other.localhost";
	house_routes[0].tls = 99;
	waits("a@one.example", "hostname mismatch");
	end();
}
END_TEST

START_TEST(a_socket_of_this_host_needs_no_tls)
{
	begin(PEER_UNIX, "tls = \"verify\";", HOUSE_ROUTER);
	house_routes[0].host = peer_path(peer);
	arrives("a@one.example");
	end();
}
END_TEST

TEST_MAIN("queue/policy", tls_is_used_where_it_is_offered,
	tls_that_does_not_work_is_done_without_and_not_tried_again_at_once,
	tls_that_does_not_work_is_waited_for_where_nothing_falls_back,
	a_route_demands_encryption_or_a_name_or_nothing,
	who_fails_at_what_one_route_demands_does_not_rest_for_the_others,
	a_destination_is_told_by_the_nearest_pattern_that_speaks_of_tls,
	the_setting_for_all_is_what_is_left, smtps_is_tls_from_the_first_octet,
	who_cannot_speak_tls_at_once_does_not_rest_for_whom_starttls_is_enough,
	settings_that_demand_more_do_not_go_on_with_what_was_open,
	a_demand_that_nobody_knows_is_the_strictest, a_socket_of_this_host_needs_no_tls)
