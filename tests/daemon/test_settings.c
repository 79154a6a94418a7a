/* SPDX-License-Identifier: MIT
 *
 * The settings that no module owns.
 */
#include "daemon/settings.h"

#include "tests/lib/test.h"

#include <unistd.h>

static struct conf *conf;
static struct problems problems;

static const struct settings *read_text(const char *text)
{
	problems = (struct problems){ 0 };
	conf = conf_parse(str_c(text), "/etc/tmail/tmail.conf", &problems);
	return settings_read(conf, "/etc/tmail/tmail.conf", &problems);
}

static void done(void)
{
	conf_free(&conf);
	problems_free(&problems);
}

static void no_problems(void)
{
	ck_assert_msg(problems.count == 0, "%s", problems.count ? problems.text[0] : "no problems");
}

static void a_problem(const char *part)
{
	for (size_t i = 0; i < problems.count; i++)
		if (strstr(problems.text[i], part))
			return;
	ck_abort_msg("no problem says '%s' but '%s'", part,
		problems.count ? problems.text[0] : "none at all");
}

static void is(struct tmail_str s, const char *text)
{
	ck_assert_msg(str_equal(str_make(s.data, s.len), str_c(text)), "'%.*s', not '%s'",
		(int)s.len, s.data, text);
}

START_TEST(an_empty_file_has_all_defaults)
{
	const struct settings *s = read_text("");
	char name[256] = "";

	no_problems();
	gethostname(name, sizeof name - 1);
	is(s->top.hostname, *name ? name : "localhost");
	is(s->smtp.hostname, *name ? name : "localhost");
	is(s->queue.hostname, *name ? name : "localhost");
	ck_assert_int_eq(s->top.stop_timeout, 30000);
	ck_assert_int_eq(s->top.threads, 0);
	ck_assert(!s->store.create);
	ck_assert_int_eq(s->log_target, LOGGER_STDERR);
	ck_assert_int_eq(s->log_level, LEVEL_INFO);
	ck_assert_uint_eq(s->listen_count, 0);
	ck_assert_int_gt(s->resolver.timeout, 0);
	done();
}
END_TEST

START_TEST(relative_files_start_at_the_base)
{
	const struct settings *s = read_text("base = \"/var/lib/tmail\"; run = \"r\";");

	no_problems();
	ck_assert_str_eq(s->run, "/var/lib/tmail/r");
	ck_assert_str_eq(s->control, "/var/lib/tmail/r/control.sock");
	ck_assert_str_eq(s->lock, "/var/lib/tmail/r/tmail.pid");
	ck_assert_str_eq(s->log_file, "/var/lib/tmail/log/tmail.log");
	done();
}
END_TEST

START_TEST(listeners_are_read_in_order_and_disabled_ones_left_out)
{
	const struct settings *s = read_text(
		"listen = ( { address = \"127.0.0.1\"; port = 2525; },\n"
		" { port = 26; enabled = false; },\n"
		" { address = \"::1\"; port = 587; role = \"submission\"; name = \"people\"; } );");
	char text[ENDPOINT_TEXT];

	no_problems();
	ck_assert_uint_eq(s->listen_count, 2);
	settings_listen_text(&s->listen[0], text);
	ck_assert_str_eq(text, "127.0.0.1:2525");
	settings_listen_text(&s->listen[1], text);
	ck_assert_str_eq(text, "[::1]:587");
	is(s->listen[1].name, "people");
	ck_assert(str_equal(settings_role(s->listen[0].role), STR("mx")));
	ck_assert(str_equal(settings_role(s->listen[1].role), STR("submission")));
	done();
}
END_TEST

START_TEST(dsns_of_the_first_tmail_are_listeners)
{
	const struct settings *s =
		read_text("smtpd_dsns = \"0.0.0.0:2525:false; 127.0.0.1:4656:true;[::1]:587:F;\";\n"
			  "tls = { certificates = ( { certificate = \"c.pem\"; } ); };\n"
			  "listen = ( { port = 1; } );");
	static const struct {
		const char *address, *role;
	} want[] = { { "0.0.0.0:2525", "mx" }, { "127.0.0.1:4656", "smtps" },
		{ "[::1]:587", "mx" } };
	char text[ENDPOINT_TEXT];

	no_problems();
	ck_assert_uint_eq(s->listen_count, 3);
	for (size_t i = 0; i < 3; i++) {
		settings_listen_text(&s->listen[i], text);
		ck_assert_str_eq(text, want[i].address);
		ck_assert(str_equal(settings_role(s->listen[i].role), str_c(want[i].role)));
	}
	done();
}
END_TEST

START_TEST(a_listener_that_nobody_could_use_without_a_certificate_is_named)
{
	read_text("listen = ( { role = \"smtps\"; } );");
	a_problem("tmail.conf:1: nobody can come in without TLS here");
	done();
	read_text("listen = ( { tls = \"required\"; } );");
	a_problem("tmail.conf:1: nobody can come in without TLS here");
	done();
	read_text("smtpd_dsns = \"127.0.0.1:4656:true\";");
	a_problem("tmail.conf:1: nobody can come in without TLS here");
	done();
	read_text("listen = ( { role = \"smtps\"; enabled = false; }, { tls = \"starttls\"; } );");
	no_problems();
	done();
}
END_TEST

START_TEST(a_dsn_that_is_none_is_named)
{
	static const char *const bad[] = { "127.0.0.1", "127.0.0.1:25", "127.0.0.1:x:false",
		"127.0.0.1:65536:false", "127.0.0.1:25:perhaps", "not an address:25:false" };
	char text[200];

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		snprintf(text, sizeof text, "smtpd_dsns = \"%s\";", bad[i]);
		read_text(text);
		a_problem(bad[i]);
		done();
	}
}
END_TEST

START_TEST(an_address_that_is_none_is_named_with_its_line)
{
	read_text("\nlisten = (\n { address = \"here\"; port = 25; } );");
	a_problem("tmail.conf:3: ");
	a_problem("'here' is no address to listen on");
	done();
}
END_TEST

START_TEST(with_nothing_to_do_it_says_so)
{
	read_text("queue = { deliver = false; };");
	a_problem("nothing to do");
	done();
	read_text(
		"queue = { deliver = false; }; listen = ( { port = 25; } ); smtpd_launch = false;");
	a_problem("nothing to do");
	done();
	read_text("queue = { deliver = true; };");
	no_problems();
	done();
}
END_TEST

START_TEST(the_first_tmails_log_path_is_understood)
{
	const struct settings *s = read_text("log = { path = \"discard\"; target = \"file\"; };");

	ck_assert_int_eq(s->log_target, LOGGER_DISCARD);
	done();
	s = read_text("log = { path = \"stdout\"; target = \"file\"; };");
	ck_assert_int_eq(s->log_target, LOGGER_STDERR);
	done();
	s = read_text("log = { path = \"/var/log/tmail\"; debug = \"true\"; };");
	ck_assert_int_eq(s->log_target, LOGGER_FILE);
	ck_assert_str_eq(s->log_file, "/var/log/tmail/current.log");
	ck_assert_int_eq(s->log_level, LEVEL_DEBUG);
	done();
}
END_TEST

START_TEST(unknown_settings_and_groups_are_problems)
{
	read_text("hostnme = \"x\"; stor = { create = true; }; dns = { server = \"x\"; };");
	a_problem("hostname");
	a_problem("'stor'");
	a_problem("'server'");
	ck_assert_uint_eq(problems.count, 3);
	done();
}
END_TEST

START_TEST(the_environment_of_the_first_tmail_is_read_by_the_sample)
{
	static const char *const names[] = { "TMAIL_ME", "TMAIL_SMTPD_DSNS", "TMAIL_SMTPD_LAUNCH",
		"TMAIL_DEBUG_ENABLED", "TMAIL_LOGPATH", "TMAIL_DELIVERD_LAUNCH",
		"TMAIL_SMTPD_MAX_DATABYTES" };
	struct conf_section sections[SETTINGS_SECTIONS];
	size_t count = settings_sections(sections);
	struct buf sample = { 0 };
	const struct settings *s;

	for (size_t i = 0; i < count; i++)
		conf_print_sample(&sample, &sections[i]);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		ck_assert_msg(
			str_search_case(buf_str(&sample), str_c(names[i])) >= 0, "%s", names[i]);
	setenv("TMAIL_ME", "mail.example.com", 1);
	setenv("TMAIL_SMTPD_DSNS", "127.0.0.1:2525:false", 1);
	s = read_text(buf_c(&sample));
	no_problems();
	is(s->top.hostname, "mail.example.com");
	ck_assert_uint_eq(s->listen_count, 1);
	buf_free(&sample);
	done();
}
END_TEST

START_TEST(dns_servers_are_handed_on)
{
	const struct settings *s = read_text(
		"dns = { servers = [ \"127.0.0.1@5353\", \"::1\" ]; timeout = \"3s\"; };");
	struct dns_settings dns;

	no_problems();
	dns = settings_dns(s, conf);
	ck_assert_uint_eq(dns.server_count, 2);
	ck_assert_str_eq(dns.servers[0], "127.0.0.1@5353");
	ck_assert_str_eq(dns.servers[1], "::1");
	ck_assert_ptr_null(dns.trust_anchor);
	ck_assert_int_eq(dns.timeout, 3000);
	done();
}
END_TEST

TEST_MAIN("daemon/settings", a_listener_that_nobody_could_use_without_a_certificate_is_named,
	an_empty_file_has_all_defaults, relative_files_start_at_the_base,
	listeners_are_read_in_order_and_disabled_ones_left_out,
	dsns_of_the_first_tmail_are_listeners, a_dsn_that_is_none_is_named,
	an_address_that_is_none_is_named_with_its_line, with_nothing_to_do_it_says_so,
	the_first_tmails_log_path_is_understood, unknown_settings_and_groups_are_problems,
	the_environment_of_the_first_tmail_is_read_by_the_sample, dns_servers_are_handed_on)
