/* SPDX-License-Identifier: MIT
 *
 * The settings that no module owns, put together from the tables of their floors. Where the
 * first tmail had an environment variable, the sample reads it.
 */
#include "daemon/settings.h"

#include "base/num.h"
#include "host/trail.h"
#include "sys/file.h"
#include "sys/ring.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECOND 1000LL
#define MINUTE (60 * SECOND)

enum { THREADS_AT_MOST = 256, NODES = 65535 };

/* An option whose sample is not its default. */
#define SAMPLED(kind, ctype, conf, member, name, fallback, sample, choices, summary)               \
	{                                                                                          \
		name, kind, 0, TMAIL_MEMBER(ctype, conf, member), fallback, 0, 0, summary,         \
			choices, { NULL, 0, 0 }, 0, sample                                         \
	}

static const struct tmail_option top_options[] = {
	SAMPLED(TMAIL_TYPE_STRING, struct tmail_str, struct top_settings, hostname, "hostname", "",
		"${TMAIL_ME:-localhost}", NULL,
		"Name of this server, for the greeting, HELO and trace fields; empty: the "
		"system's."),
	SAMPLED(TMAIL_TYPE_STRING, struct tmail_str, struct top_settings, user, "user", "tmail",
		"${TMAIL_USER:-tmail}", NULL,
		"Whom the server becomes when it is started as root; otherwise of no effect."),
	TMAIL_STRING(struct top_settings, base, "base", "",
		"Folder in which relative file names start; empty: the one of this file."),
	TMAIL_FILE(struct top_settings, run, "run", "run",
		"Folder of the control socket and the lock of the running server."),
	SAMPLED(TMAIL_TYPE_STRING, struct tmail_str, struct top_settings, module_path,
		"module_path", "", "${TMAIL_MODULES:-}", NULL,
		"Folders searched for modules first, separated by colons."),
	TMAIL_INT(struct top_settings, threads, "threads", "0", 0, THREADS_AT_MOST,
		"Threads for sessions and deliveries; 0: one for each processor."),
	TMAIL_DURATION(struct top_settings, stop_timeout, "stop_timeout", "30s", 0, 60 * MINUTE,
		"How long sessions and deliveries may take to finish when the server stops."),
	TMAIL_DURATION(struct top_settings, table_ttl, "table_ttl", "60s", SECOND, 60 * MINUTE,
		"How long answers of tables are kept that others may change behind the server's "
		"back."),
	TMAIL_INT(struct top_settings, node, "node", "0", 0, NODES,
		"Number of this server among those that share a queue; part of each message's id."),
	TMAIL_BOOL(struct top_settings, core_dumps, "core_dumps", "false",
		"Let the server leave a core file when it crashes, which has mail and keys in it."),
	SAMPLED(TMAIL_TYPE_BOOL, int32_t, struct top_settings, smtpd_launch, "smtpd_launch", "true",
		"${TMAIL_SMTPD_LAUNCH:-true}", NULL, "Listen for SMTP at all."),
	SAMPLED(TMAIL_TYPE_STRING, struct tmail_str, struct top_settings, smtpd_dsns, "smtpd_dsns",
		"", "${TMAIL_SMTPD_DSNS:-}", NULL,
		"Listeners as the first tmail wrote them, ip:port:ssl;...; in place of `listen`."),
};

static const struct tmail_option store_options[] = {
	SAMPLED(TMAIL_TYPE_BOOL, int32_t, struct store_settings, create, "create", "false", "true",
		NULL,
		"Make database tables that are missing at the start, rather than ask or stop."),
};

static const struct tmail_option log_options[] = {
	TMAIL_CHOICE(struct log_settings, target, "target", "stderr",
		"stderr file syslog journald discard", "Where log lines go."),
	TMAIL_FILE(struct log_settings, file, "file", "log/tmail.log",
		"File of target file; opened again at a reload."),
	TMAIL_CHOICE(struct log_settings, level, "level", "info", "error warning info debug",
		"The least important lines that are written."),
	TMAIL_CHOICE(
		struct log_settings, format, "format", "text", "text json", "How a line looks."),
	SAMPLED(TMAIL_TYPE_BOOL, int32_t, struct log_settings, debug, "debug", "false",
		"${TMAIL_DEBUG_ENABLED:-false}", NULL, "The same as level debug."),
	SAMPLED(TMAIL_TYPE_STRING, struct tmail_str, struct log_settings, path, "path", "",
		"${TMAIL_LOGPATH:-}", NULL,
		"Target as the first tmail wrote it: stdout, discard, or a folder for current.log; "
		"in place "
		"of target."),
	TMAIL_SIZE(struct log_settings, trace_size, "trace_size", "64M", 0, RING_SIZE_MAX,
		"Size of the file that has what tmail trace shows, the newest of it; 0: none. A "
		"message takes about 1K."),
	TMAIL_FILE(struct log_settings, trace_file, "trace_file", "log/trace",
		"That file. It is of its full size from the start, on the disk as it fills."),
};

static const struct tmail_option resolver_options[] = {
	TMAIL_STRINGS(struct resolver_settings, servers, "servers", NULL,
		"DNS servers to ask, as address or address@port; none: those of resolv.conf."),
	TMAIL_FILE(struct resolver_settings, trust_anchor, "trust_anchor", "",
		"File with the DNSSEC trust anchor, such as /usr/share/dns/root.key of Debian's "
		"dns-root-data; empty: answers are not validated, and there is no DANE."),
	TMAIL_FILE(struct resolver_settings, hosts, "hosts", "",
		"File with host names that are known without asking; empty: none."),
	TMAIL_DURATION(struct resolver_settings, timeout, "timeout", "20s", SECOND, 5 * MINUTE,
		"How long an answer may take."),
};

static const struct tmail_list top_list = TMAIL_LIST(top_options);
static const struct tmail_list store_list = TMAIL_LIST(store_options);
static const struct tmail_list log_list = TMAIL_LIST(log_options);
static const struct tmail_list resolver_list = TMAIL_LIST(resolver_options);

/* Groups and lists at the top level that are read from tables of their own. */
static const char *const groups[] = { "store{}", "log{}", "dns{}", "tls{}", "smtp{}", "queue{}",
	"listen()", "modules()", NULL };

static const char *arena_path(struct conf *c, const char *folder, const char *name)
{
	return arena_printf(conf_arena(c), "%s/%s", folder, name).data;
}

static void group_read(struct conf *c, const char *name, struct tmail_list options, void *out,
	struct problems *problems)
{
	const struct conf_table table = { options, out };

	conf_read(c, conf_group_of(conf_root(c), name), &table, 1, NULL, problems);
}

static void hostname_default(struct conf *c, struct settings *s)
{
	char name[256] = "";
	struct str copy;

	if (s->top.hostname.len == 0) {
		if (gethostname(name, sizeof name - 1) != 0 || !*name)
			snprintf(name, sizeof name, "localhost");
		copy = arena_str(conf_arena(c), str_c(name));
		s->top.hostname = (struct tmail_str){ copy.data, copy.len };
	}
	s->smtp.hostname = s->queue.hostname = s->top.hostname;
	s->smtp.node = s->queue.node = s->top.node;
}

/* ---- what is listened on ------------------------------------------------------------------ */

void settings_listen_text(const struct listen_settings *listen, char text[ENDPOINT_TEXT])
{
	struct endpoint e;

	if (endpoint_parse(str_make(listen->address.data, listen->address.len),
		    (uint16_t)listen->port, &e))
		endpoint_text(&e, text);
	else
		snprintf(text, ENDPOINT_TEXT, "%.*s", (int)listen->address.len,
			listen->address.data);
}

static bool address_valid(const struct listen_settings *listen)
{
	struct endpoint e;

	return endpoint_parse(
		str_make(listen->address.data, listen->address.len), (uint16_t)listen->port, &e);
}

static void listen_list_read(struct conf *c, struct settings *s, struct problems *problems)
{
	size_t count = conf_list_count(conf_root(c), "listen");

	s->listen = ARENA_ARRAY(conf_arena(c), struct listen_settings, count + 1);
	for (size_t i = 0; i < count; i++) {
		const struct conf_group *g = conf_list_at(conf_root(c), "listen", i);
		struct listen_settings *one = &s->listen[s->listen_count];
		const struct conf_table table = { listen_options, one };

		*one = (struct listen_settings){ 0 };
		if (!conf_read(c, g, &table, 1, NULL, problems))
			continue;
		if (!address_valid(one))
			problem_add(problems, g, "address", "'%.*s' is no address to listen on",
				(int)one->address.len, one->address.data);
		else if (one->enabled)
			s->listen_count++;
	}
}

/* The words of the option `role`, in the order of their numbers. */
static struct str role_words(void)
{
	TMAIL_EACH(struct tmail_option, o, listen_options) {
		if (!strcmp(o->name, "role"))
			return str_c(o->choices);
	}
	return STR("");
}

struct str settings_role(int32_t role)
{
	struct str rest = role_words(), word = STR("");

	for (int32_t i = 0; i <= role && str_word(&rest, &word); i++)
		;
	return word;
}

static int32_t role_number(struct str name)
{
	struct str rest = role_words(), word;

	for (int32_t i = 0; str_word(&rest, &word); i++)
		if (str_equal(word, name))
			return i;
	return 0;
}

/* As Go reads a boolean. */
static bool dsn_bool(struct str s, bool *on)
{
	if (str_equal_case(s, STR("t")) || str_equal_case(s, STR("f"))) {
		*on = ascii_lower(*s.data) == 't';
		return true;
	}
	return num_bool(s, on);
}

/* "ip:port:ssl"; the address may be IPv6 in brackets. */
static bool dsn_read(struct str dsn, struct listen_settings *one)
{
	ptrdiff_t second = str_find_last(dsn, ':'), first;
	struct str address, port, ssl;
	uint64_t number;
	bool tls;

	if (second < 0)
		return false;
	first = str_find_last(str_slice(dsn, 0, (size_t)second), ':');
	if (first < 0)
		return false;
	address = str_slice(dsn, 0, (size_t)first);
	port = str_slice(dsn, (size_t)first + 1, (size_t)(second - first - 1));
	ssl = str_slice(dsn, (size_t)second + 1, dsn.len);
	if (!num_u64(port, &number) || number > 65535 || !dsn_bool(ssl, &tls))
		return false;
	*one = (struct listen_settings){
		.address = { address.len ? address.data : "*", address.len ? address.len : 1 },
		.port = (int64_t)number,
		.role = role_number(tls ? STR("smtps") : STR("mx")),
		.enabled = 1,
	};
	return address_valid(one);
}

static void listen_dsns_read(struct conf *c, struct settings *s, struct problems *problems)
{
	struct str rest = { s->top.smtpd_dsns.data, s->top.smtpd_dsns.len }, piece;
	size_t most = 1;

	for (size_t i = 0; i < rest.len; i++)
		most += rest.data[i] == ';';
	s->listen = ARENA_ARRAY(conf_arena(c), struct listen_settings, most);
	while (str_split(&rest, ';', &piece)) {
		piece = str_trim(piece);
		if (piece.len == 0)
			continue;
		if (dsn_read(piece, &s->listen[s->listen_count]))
			s->listen_count++;
		else
			problem_add(problems, conf_root(c), "smtpd_dsns",
				"'%.*s' is not ip:port:ssl (127.0.0.1:2525:false)", STR_ARG(piece));
	}
}

static void listen_read(struct conf *c, struct settings *s, struct problems *problems)
{
	size_t before = problems->count;

	if (s->top.smtpd_dsns.len)
		listen_dsns_read(c, s, problems);
	else
		listen_list_read(c, s, problems);
	if (!s->top.smtpd_launch)
		s->listen_count = 0;
	for (size_t i = 0; i < s->listen_count && s->tls.certificates.count == 0; i++)
		if (listen_tls(&s->listen[i]) >= LISTEN_TLS_REQUIRED)
			problem_add(problems, conf_root(c),
				s->top.smtpd_dsns.len ? "smtpd_dsns" : "listen",
				"nobody can come in without TLS here, and tls.certificates is "
				"empty");
	if (s->listen_count == 0 && !s->queue.deliver && problems->count == before)
		problem_add(problems, conf_root(c), NULL,
			"nothing to listen on and nothing to deliver: there is nothing to do");
}

/* ---- log ---------------------------------------------------------------------------------- */

static void log_settle(struct conf *c, struct settings *s)
{
	struct str path = { s->log.path.data, s->log.path.len };

	s->log_target = (enum logger_target)s->log.target;
	s->log_level = s->log.debug ? LEVEL_DEBUG : (enum log_level)s->log.level;
	s->log_file = arena_c(conf_arena(c), str_make(s->log.file.data, s->log.file.len));
	s->trace_file =
		s->log.trace_size > 0 ? arena_c(conf_arena(c), str_tm(s->log.trace_file)) : NULL;
	if (path.len == 0)
		return;
	if (str_equal(path, STR("stdout"))) {
		s->log_target = LOGGER_STDERR;
	} else if (str_equal(path, STR("discard"))) {
		s->log_target = LOGGER_DISCARD;
	} else {
		char *folder = path_join(conf_base(c), path);

		s->log_target = LOGGER_FILE;
		s->log_file = arena_path(c, folder, "current.log");
		free(folder);
	}
}

/* The folder that the file is to be in. */
static bool folder_ready(const char *file, struct why *why)
{
	const char *slash = strrchr(file, '/');
	char *folder;
	bool made;

	if (!slash || slash == file)
		return true;
	folder = str_dup_c(str_make(file, (size_t)(slash - file)));
	made = folder_make(folder, why);
	free(folder);
	return made;
}

bool settings_trail_start(const struct settings *s, struct why *why)
{
	return !s->trace_file ||
		(folder_ready(s->trace_file, why) &&
			trail_start(s->trace_file, (uint64_t)s->log.trace_size, why));
}

bool settings_log_start(const struct settings *s, struct why *why)
{
	if (s->log_target == LOGGER_FILE && !folder_ready(s->log_file, why))
		return why_prefix(why, "log file");
	return logger_start(
		s->log_target, s->log_file, s->log_level, (enum log_format)s->log.format, why);
}

/* ---- all of it ---------------------------------------------------------------------------- */

const struct settings *settings_read(struct conf *c, const char *file, struct problems *problems)
{
	struct settings *s = ARENA_NEW(conf_arena(c), struct settings);
	const struct conf_table top = { top_list, &s->top };

	conf_read(c, conf_root(c), &top, 1, groups, problems);
	group_read(c, "store", store_list, &s->store, problems);
	group_read(c, "log", log_list, &s->log, problems);
	group_read(c, "dns", resolver_list, &s->resolver, problems);
	group_read(c, "tls", tls_options, &s->tls, problems);
	group_read(c, "smtp", smtp_options, &s->smtp, problems);
	queue_settings_read(c, &s->queue, problems);
	hostname_default(c, s);
	listen_read(c, s, problems);
	log_settle(c, s);
	s->file = arena_c(conf_arena(c), str_c(file));
	s->run = arena_c(conf_arena(c), str_make(s->top.run.data, s->top.run.len));
	s->control = arena_path(c, s->run, "control.sock");
	s->lock = arena_path(c, s->run, "tmail.pid");
	return s;
}

const struct settings *settings_of(const struct generation *g)
{
	return generation_settings(g);
}

const struct smtp_settings *settings_smtp(const struct generation *g)
{
	return &settings_of(g)->smtp;
}

const struct queue_settings *settings_queue(const struct generation *g)
{
	return &settings_of(g)->queue;
}

const char *settings_user(const struct settings *s)
{
	return s->top.user.data ? s->top.user.data : ""; /* conf's strings end with a NUL */
}

static const char *text_or_null(struct conf *c, struct tmail_str s)
{
	return s.len ? arena_c(conf_arena(c), str_make(s.data, s.len)) : NULL;
}

struct dns_settings settings_dns(const struct settings *s, struct conf *c)
{
	size_t count = s->resolver.servers.count, n = 0;
	const char **servers = ARENA_ARRAY(conf_arena(c), const char *, count + 1);

	TMAIL_EACH(struct tmail_str, server, s->resolver.servers) {
		servers[n++] = arena_c(conf_arena(c), str_make(server->data, server->len));
	}
	return (struct dns_settings){ .servers = servers,
		.server_count = count,
		.trust_anchor = text_or_null(c, s->resolver.trust_anchor),
		.hosts = text_or_null(c, s->resolver.hosts),
		.timeout = s->resolver.timeout };
}

size_t settings_sections(struct conf_section sections[SETTINGS_SECTIONS])
{
	const struct conf_section all[SETTINGS_SECTIONS] = {
		{ NULL, "What concerns the whole server.", top_list, 0 },
		{ "store", "The first start.", store_list, 0 },
		{ "log", "What happens, one line each.", log_list, 0 },
		{ "dns", "Who is asked for names.", resolver_list, 0 },
		{ "tls", "Encryption of what comes in.", tls_options, 0 },
		{ "listen", "What is listened on. Ports below 1024 need root, or systemd.",
			listen_options, CONF_LIST },
		{ "smtp", "The SMTP server.", smtp_options, 0 },
		{ "queue", "What becomes of accepted mail.", queue_options, 0 },
	};

	memcpy(sections, all, sizeof all);
	return SETTINGS_SECTIONS;
}
