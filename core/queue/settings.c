/* SPDX-License-Identifier: MIT
 *
 * The settings of the queue: their names, defaults, ranges, and the one sentence that is their
 * manual. Where the first tmail had an environment variable, the sample shows it; its times
 * without a unit were minutes for lifetimes and seconds for time limits.
 */
#include "base/num.h"
#include "queue/limit.h"
#include "queue/report.h"
#include "queue/source.h"
#include "queue/trust.h"
#include "sys/file.h"

enum { TEMPLATE_MAX = 64 * 1024 };

/* An option whose sample is not its default. */
#define SAMPLED(kind, ctype, member, name, fallback, min, max, sample, summary)                    \
	{                                                                                          \
		name, kind, 0, TMAIL_MEMBER(ctype, struct queue_settings, member), fallback, min,  \
			max, summary, NULL, { NULL, 0, 0 }, 0, sample                              \
	}
#define DURATION(member, name, fallback, min, max, summary)                                        \
	TMAIL_DURATION(struct queue_settings, member, name, fallback, min, max, summary)
#define INT(member, name, fallback, min, max, summary)                                             \
	TMAIL_INT(struct queue_settings, member, name, fallback, min, max, summary)
#define GROUPS(member, name, ctype, list, summary)                                                 \
	{                                                                                          \
		name, TMAIL_TYPE_GROUPS, 0,                                                        \
			TMAIL_MEMBER(struct tmail_list, struct queue_settings, member), NULL, 0,   \
			0, summary, NULL, TMAIL_LIST(list), sizeof(ctype), NULL                    \
	}

#define SECOND 1000LL
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

static const struct tmail_option options[] = {
	SAMPLED(TMAIL_TYPE_BOOL, int32_t, deliver, "deliver", "true", 0, 0,
		"${TMAIL_DELIVERD_LAUNCH:-true}",
		"Deliver what was accepted; otherwise keep it until a start with true."),
	DURATION(retry_min, "retry_min", "1m", SECOND, DAY,
		"The wait after the first attempt that did not succeed; it doubles with each."),
	DURATION(retry_max, "retry_max", "1h", SECOND, 7 * DAY, "The longest of these waits."),
	TMAIL_STRINGS(struct queue_settings, retry, "retry", NULL,
		"The waits themselves, one after another and then the last one again, in place of "
		"retry_min and retry_max."),
	SAMPLED(TMAIL_TYPE_DURATION, int64_t, lifetime, "lifetime", "5d", 0, 365 * DAY,
		"${TMAIL_DELIVERD_QUEUE_LIFETIME:-7200}m",
		"How long a message is tried before it is returned to its sender; 0 is once."),
	SAMPLED(TMAIL_TYPE_DURATION, int64_t, bounce_lifetime, "bounce_lifetime", "1d", 0,
		365 * DAY, "${TMAIL_DELIVERD_QUEUE_BOUNCES_LIFETIME:-1440}m",
		"How long a message without a sender is tried before it is dropped; 0 is once."),
	DURATION(delay_warning, "delay_warning", "0", 0, 365 * DAY,
		"The age at which a sender is told once that a message is late; 0 is never."),
	SAMPLED(TMAIL_TYPE_STRINGS, struct tmail_list, local_ips, "local_ips", NULL, 0, 0,
		"[ \"${TMAIL_DELIVERD_LOCAL_IPS:-}\" ]",
		"Local addresses to send from, where a route names none: \"a&b\" takes b when a "
		"does "
		"not connect, \"a|b\" draws one; 0.0.0.0 or none is the kernel's choice."),
	SAMPLED(TMAIL_TYPE_INT, int64_t, max_connections, "max_connections", "400", 1, 100000,
		"${TMAIL_DELIVERD_CONCURRENCY_REMOTE:-400}",
		"Connections for sending that may be open at a time."),
	INT(max_connections_destination, "max_connections_destination", "20", 1, 10000,
		"Of these, those to one destination; their number grows up to this while it goes "
		"well."),
	INT(max_messages_connection, "max_messages_connection", "1000", 1, 1000000,
		"Messages that are sent over one connection before it is closed."),
	INT(max_recipients_transaction, "max_recipients_transaction", "100", 1, 10000,
		"Recipients of one message that are sent to a destination at once."),
	DURATION(max_connection_time, "max_connection_time", "5m", 0, DAY,
		"How long messages are sent over one connection before it is closed; 0 is no "
		"limit."),
	DURATION(idle_timeout, "idle_timeout", "5s", 0, HOUR,
		"How long a connection is kept for the next message."),
	DURATION(host_rest, "host_rest", "1m", 0, DAY,
		"How long a host that could not be reached is left alone; it doubles up to 16 "
		"times."),
	GROUPS(destinations, "destinations", struct destination_settings, destination_options,
		"What single destinations may be asked to take."),
	GROUPS(helo, "helo", struct helo_settings, helo_options,
		"The name that other servers are told where the connection comes from this "
		"address, in place of hostname."),
	TMAIL_BOOL(struct queue_settings, chunking, "chunking", "true",
		"Send small messages in one piece with their envelope (BDAT) to servers that offer "
		"it, which saves a wait."),
	TMAIL_CHOICE(struct queue_settings, tls, "tls", "may", "none may encrypt verify dane",
		"TLS to servers where neither a route nor destinations say which, nor the domain "
		"itself by DANE or MTA-STS: none; where it is offered; or always, and then also "
		"with a certificate of the host's name that an authority signed, or that DNS has "
		"(DANE)."),
	SAMPLED(TMAIL_TYPE_BOOL, int32_t, tls_fallback, "tls_fallback", "true", 0, 0,
		"${TMAIL_DELIVERD_REMOTE_TLS_FALLBACK:-true}",
		"With tls = \"may\", mail goes in clear to a server whose TLS does not work."),
	TMAIL_FILE(struct queue_settings, tls_ca, "tls_ca", NULL,
		"The authorities that are trusted with verify, as PEM; none: the system's."),
	TMAIL_CHOICE(struct queue_settings, tls_min_version, "tls_min_version", "1.2", "1.2 1.3",
		"The oldest TLS that is spoken to servers."),
	TMAIL_STRING(struct queue_settings, tls_ciphers, "tls_ciphers", NULL,
		"Ciphers of TLS 1.2 in OpenSSL's form; none: those that are not broken."),
	TMAIL_STRING(struct queue_settings, tls_ciphersuites, "tls_ciphersuites", NULL,
		"The same for TLS 1.3."),
	TMAIL_CHOICE(struct queue_settings, convert_8bit, "convert_8bit", "convert",
		"convert bounce send",
		"What becomes of 8-bit content for a server without 8BITMIME: it is converted, "
		"which breaks a DKIM signature, and bounced where it cannot be (its header is not "
		"ASCII, the part is signed); or always bounced; or sent as it is."),
	DURATION(timeout_connect, "timeout_connect", "30s", SECOND, HOUR,
		"The wait for a connection to one of a host's addresses."),
	SAMPLED(TMAIL_TYPE_DURATION, int64_t, timeout_command, "timeout_command", "5m", SECOND, DAY,
		"${TMAIL_DELIVERD_REMOTE_TIMEOUT:-300}",
		"The wait for the greeting and for the reply to a command."),
	DURATION(timeout_data, "timeout_data", "10m", SECOND, DAY,
		"The wait for the reply to the end of data; a third of it for each block before."),
	TMAIL_SIZE(struct queue_settings, bounce_size, "bounce_size", "256K", 0, 1LL << 40,
		"Octets of the largest message that is returned whole; of others the header is."),
	TMAIL_FILE(struct queue_settings, bounce_template, "bounce_template", NULL,
		"The text of reports, for people: a file with the sections [failure], [delay], "
		"[success], [relayed], and in them ${me}, ${date}, ${sender}, ${recipients}, "
		"${until}, ${what}, ${id}."),
};

const struct tmail_list queue_options = TMAIL_LIST(options);

static void waits_check(
	const struct conf_group *g, const struct queue_settings *s, struct problems *problems)
{
	int64_t ms;

	if (s->retry_min > s->retry_max)
		problem_add(problems, g, "retry_max", "retry_max is less than retry_min");
	TMAIL_EACH(struct tmail_str, wait, s->retry) {
		if (!num_duration(str_tm(*wait), &ms) || ms == 0)
			problem_add(problems, g, "retry", "'%.*s' is no time to wait, like 5m",
				STR_ARG(str_tm(*wait)));
	}
}

static void template_read(struct conf *c, const struct conf_group *g, struct queue_settings *s,
	struct problems *problems)
{
	const char *file = s->bounce_template.data; /* conf's strings end with a NUL */
	struct buf text = { 0 };
	struct why why;

	if (s->bounce_template.len == 0)
		return;
	if (!file_read(file, TEMPLATE_MAX, &text, &why))
		problem_add(problems, g, "bounce_template", "%s", why.text);
	else if (!template_check(buf_str(&text), &report_words, &why))
		problem_add(problems, g, "bounce_template", "%s, %s", file, why.text);
	else
		s->template_text = tm_str(arena_str(conf_arena(c), buf_str(&text)));
	buf_free(&text);
}

static void tls_check(const struct conf_group *g, const struct queue_settings *settings,
	struct problems *problems)
{
	struct why why;

	if (!trust_check(settings, &why))
		problem_add(problems, g, settings->tls_ca.len ? "tls_ca" : "tls_ciphers", "%s",
			why.text);
}

bool queue_settings_read(struct conf *c, struct queue_settings *settings, struct problems *problems)
{
	const struct conf_group *g = conf_group_of(conf_root(c), "queue");
	const struct conf_table table = { queue_options, settings };
	size_t before = problems->count;

	conf_read(c, g, &table, 1, NULL, problems);
	waits_check(g, settings, problems);
	template_read(c, g, settings, problems);
	limits_check(g, settings, problems);
	helo_check(g, settings, problems);
	tls_check(g, settings, problems);
	return problems->count == before;
}
