/* SPDX-License-Identifier: MIT
 *
 * The settings of the server side: their names, defaults, ranges, and the one sentence that is
 * their manual. Where the first tmail had an environment variable, the sample shows it.
 */
#include "smtp/place.h"

/* An option whose sample is not its default. */
#define SAMPLED(kind, ctype, member, name, fallback, min, max, sample, summary)                    \
	{                                                                                          \
		name, kind, 0, TMAIL_MEMBER(ctype, struct smtp_settings, member), fallback, min,   \
			max, summary, NULL, { NULL, 0, 0 }, 0, sample                              \
	}
#define SAMPLED_BOOL(member, name, fallback, sample, summary)                                      \
	SAMPLED(TMAIL_TYPE_BOOL, int32_t, member, name, fallback, 0, 0, sample, summary)
#define SAMPLED_INT(member, name, fallback, min, max, sample, summary)                             \
	SAMPLED(TMAIL_TYPE_INT, int64_t, member, name, fallback, min, max, sample, summary)

#define SECOND 1000LL
#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)
#define KIB 1024LL
#define TIB (1LL << 40)

static const struct tmail_option server_options[] = {
	SAMPLED_BOOL(hide_signature, "hide_signature", "false",
		"${TMAIL_HIDE_SERVER_SIGNATURE:-false}",
		"Leave the word tmail out of the greeting."),
	TMAIL_BOOL(struct smtp_settings, vrfy, "vrfy", "false",
		"Answer VRFY with what the tables say; otherwise with 252, which tells nothing."),
	TMAIL_BOOL(struct smtp_settings, received_login, "received_login", "false",
		"Show the login of an authenticated client in the Received field."),
	TMAIL_CHOICE(struct smtp_settings, sender_login, "sender_login", "off", "off match table",
		"Which senders a logged-in client may use: any, its own login only, or that and "
		"what the table of senders says."),
	TMAIL_INT(struct smtp_settings, max_auth_errors, "max_auth_errors", "3", 0, 1000000,
		"Failed logins before the session is closed; 0 is no limit."),
	TMAIL_DURATION(struct smtp_settings, auth_delay, "auth_delay", "1s", 0, 60 * SECOND,
		"Wait before a failed login is answered; doubled for each further one of the "
		"session or its address, up to thirty-two times."),
	TMAIL_INT(struct smtp_settings, brake.address, "max_auth_failures_address", "30", 0,
		1000000,
		"Failed logins an hour from one IPv4 address or IPv6 /64, this host excepted, "
		"before no more are looked at; 0 is no limit."),
	TMAIL_INT(struct smtp_settings, brake.login, "max_auth_failures_login", "100", 0, 1000000,
		"Failed logins an hour with one login, from addresses where it did not succeed "
		"before, until no more are looked at; 0 is no limit."),
	TMAIL_INT(struct smtp_settings, auth_parallel, "auth_parallel", "0", 0, 256,
		"Passwords checked at the same time; 0: one for every two processors."),
	SAMPLED_BOOL(helo_required, "helo_required", "false", "${TMAIL_RFC_HELO_MANDATORY:-false}",
		"Refuse MAIL until the client has said HELO or EHLO."),
	SAMPLED_BOOL(helo_fqdn, "helo_fqdn", "false", "${TMAIL_RFC_HELO_NEED_FQN:-false}",
		"Refuse a HELO name that is neither a full domain name nor an address literal."),
	TMAIL_CHOICE(struct smtp_settings, early_pipelining, "early_pipelining", "allow",
		"allow refuse",
		"What to do with commands that were sent behind a HELO or EHLO before its answer."),
	TMAIL_CHOICE(struct smtp_settings, sender_dns, "sender_dns", "off", "off reject defer",
		"What to do with a sender whose domain can receive no mail; never asked for "
		"clients "
		"that may relay."),
	TMAIL_CHOICE(struct smtp_settings, bare_newline, "bare_newline", "refuse",
		"refuse normalize",
		"What to do with a message that has a CR or LF on its own: 550 5.6.0 after its "
		"end, or "
		"turn it into CRLF."),
	SAMPLED(TMAIL_TYPE_SIZE, int64_t, max_message_size, "max_message_size", "50000000", 0, TIB,
		"${TMAIL_SMTPD_MAX_DATABYTES:-50000000}",
		"Octets of the largest message that is taken; 0 is no limit."),
	TMAIL_SIZE(struct smtp_settings, max_header_size, "max_header_size", "256K", 4 * KIB,
		16 * 1024 * KIB,
		"Octets of the largest header that is taken; it is kept in memory."),
	SAMPLED_INT(max_hops, "max_hops", "30", 1, 1000, "${TMAIL_SMTPD_MAX_HOPS:-30}",
		"Received fields a message may have before it is refused as looping."),
	SAMPLED_INT(max_recipients, "max_recipients", "1000", 0, 100000,
		"${TMAIL_SMTPD_MAX_RCPT:-1000}",
		"Recipients of a message; 0 is the largest number possible."),
	SAMPLED_INT(max_bad_rcpt, "max_bad_rcpt", "20", 0, 1000000,
		"${TMAIL_SMTPD_MAX_BAD_RCPT:-20}",
		"Recipients refused for good before the session is closed; 0 is no limit."),
	TMAIL_INT(struct smtp_settings, max_errors, "max_errors", "20", 0, 1000000,
		"Commands and messages refused for good, recipients excepted, before the session "
		"is closed; 0 is no limit."),
	TMAIL_INT(struct smtp_settings, max_junk, "max_junk", "100", 0, 1000000,
		"NOOP, RSET, HELP, VRFY, EXPN and repeated HELO between two messages before the "
		"session "
		"is closed; 0 is no limit."),
	SAMPLED_INT(max_vrfy, "max_vrfy", "20", 0, 1000000, "${TMAIL_SMTPD_MAX_VRFY:-20}",
		"VRFY and EXPN answered in a session; 0 is no limit."),
	TMAIL_INT(struct smtp_settings, max_messages, "max_messages", "0", 0, 1000000000,
		"Messages taken in a session; 0 is no limit."),
	TMAIL_SIZE(struct smtp_settings, max_line, "max_line", "2K", 512, 64 * KIB,
		"Octets of the longest command line, with its CRLF."),
	TMAIL_DURATION(struct smtp_settings, greet_delay, "greet_delay", "0", 0, 60 * SECOND,
		"Wait before the greeting; who speaks meanwhile is refused."),
	SAMPLED_INT(max_sessions, "max_sessions", "20000", 1, 1000000,
		"${TMAIL_SMTPD_CONCURRENCY_INCOMING:-20000}", "Sessions at the same time."),
	TMAIL_INT(struct smtp_settings, max_sessions_address, "max_sessions_address", "100", 0,
		1000000,
		"Sessions at the same time from one IPv4 address or IPv6 /64, this host excepted; "
		"0 is no "
		"limit."),
	TMAIL_INT(struct smtp_settings, max_rate_address, "max_rate_address", "0", 0, 1000000,
		"New sessions a minute from one IPv4 address or IPv6 /64, this host excepted; 0 is "
		"no "
		"limit."),
	SAMPLED(TMAIL_TYPE_DURATION, int64_t, timeout_command, "timeout_command", "5m", SECOND, DAY,
		"${TMAIL_SMTPD_SERVER_TIMEOUT:-5m}", "Time a client has for its next command."),
	TMAIL_DURATION(struct smtp_settings, timeout_data, "timeout_data", "3m", SECOND, DAY,
		"Time a client has for a message or chunk, beside what min_data_rate gives it."),
	TMAIL_DURATION(struct smtp_settings, timeout_message, "timeout_message", "1h", SECOND, DAY,
		"Time a client has for the content of a message altogether, in chunks or not."),
	TMAIL_SIZE(struct smtp_settings, min_data_rate, "min_data_rate", "500", 1, 1024 * KIB,
		"Octets a second that a client must send to be given more time than timeout_data."),
	TMAIL_DURATION(struct smtp_settings, timeout_session, "timeout_session", "0", 0, 7 * DAY,
		"Length of a session, messages under way excepted; 0 is no limit."),
	TMAIL_DURATION(struct smtp_settings, reverse_lookup, "reverse_lookup", "3s", 0, 60 * SECOND,
		"Time from the connection on in which the client's name must be found to be in the "
		"Received field; 0 is no look-up."),
};
const struct tmail_list smtp_options = TMAIL_LIST(server_options);

static const struct tmail_option listener_options[] = {
	TMAIL_STRING(struct listen_settings, address, "address", "*",
		"Address to listen on; * is every one of both families."),
	/* The sample's port is that of the first tmail's: it needs no privileges. */
	{ "port", TMAIL_TYPE_INT, 0, TMAIL_MEMBER(int64_t, struct listen_settings, port), "25", 0,
		65535, "Port to listen on; 0 is one of the kernel's choice.", NULL, { NULL, 0, 0 },
		0, "${TMAIL_PORT_SMTP:-2525}" },
	TMAIL_STRING(struct listen_settings, name, "name", NULL,
		"Name of the listener, for modules' `when` and the log; by default its role."),
	TMAIL_CHOICE(struct listen_settings, role, "role", "mx", "mx submission smtps",
		"What the listener is for: mail from other servers, or from people, who must log "
		"in; smtps is submission with TLS from the first octet."),
	TMAIL_CHOICE(struct listen_settings, tls, "tls", "role",
		"role off starttls required implicit",
		"TLS: as the role wants it (from the first octet for smtps, else STARTTLS); none; "
		"STARTTLS is offered; no mail before it; from the first octet."),
	TMAIL_BOOL(struct listen_settings, proxy, "proxy", "false",
		"Connections must begin with a PROXY header (version 1 or 2)."),
	TMAIL_STRINGS(struct listen_settings, proxy_from, "proxy_from", NULL,
		"Addresses and networks whose PROXY header is believed; others are turned away."),
	TMAIL_BOOL(struct listen_settings, auth_clear, "auth_clear", "false",
		"Allow PLAIN and LOGIN without TLS: for a listener on this host's own address."),
	TMAIL_BOOL(struct listen_settings, received_client, "received_client", "true",
		"Say in the Received field from where a client that is logged in came."),
	TMAIL_BOOL(struct listen_settings, enabled, "enabled", "true", "Use this listener at all."),
};
const struct tmail_list listen_options = TMAIL_LIST(listener_options);

enum listen_tls listen_tls(const struct listen_settings *listen)
{
	static const enum listen_tls of_role[] = { [ROLE_MX] = LISTEN_TLS_STARTTLS,
		[ROLE_SUBMISSION] = LISTEN_TLS_STARTTLS,
		[ROLE_SMTPS] = LISTEN_TLS_IMPLICIT };

	return listen->tls ? (enum listen_tls)(listen->tls - 1) : of_role[listen->role];
}
