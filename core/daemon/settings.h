/* SPDX-License-Identifier: MIT
 *
 * The settings that no module owns: the top level and the groups store, log, dns, tls, smtp,
 * queue and listen. Read from a configuration and living in it. The parent reads them too, for what
 * it binds and where it runs; modules are not touched here.
 */
#ifndef DAEMON_SETTINGS_H
#define DAEMON_SETTINGS_H

#include "daemon/certificates.h"
#include "net/dns.h"
#include "queue/queue.h"
#include "smtp/server.h"
#include "sys/logger.h"

struct top_settings {
	struct tmail_str hostname, user, base, run, module_path, smtpd_dsns;
	int64_t threads, stop_timeout, table_ttl, node;
	int32_t smtpd_launch, core_dumps;
};
struct store_settings {
	int32_t create;
};
struct log_settings {
	int32_t target; /* enum logger_target */
	int32_t level;  /* enum log_level */
	int32_t format; /* enum log_format */
	int32_t debug;
	int64_t trace_size;
	struct tmail_str file, path, trace_file;
};
struct resolver_settings {
	struct tmail_list servers; /* of struct tmail_str */
	struct tmail_str trust_anchor, hosts;
	int64_t timeout;
};

struct settings {
	struct top_settings top;
	struct store_settings store;
	struct log_settings log;
	struct resolver_settings resolver;
	struct tls_settings tls;
	struct smtp_settings smtp;
	struct queue_settings queue;
	struct listen_settings *listen; /* those that are enabled, in order */
	size_t listen_count;
	/* made of the above; absolute, C strings */
	const char *file;    /* the configuration */
	const char *run;     /* the run folder */
	const char *control; /* the control socket */
	const char *lock;    /* held by the parent and its servers */
	const char *log_file;
	const char *trace_file; /* NULL: nothing is kept for `trace` */
	enum logger_target log_target;
	enum log_level log_level;
};

/* Mistakes go to problems; what is answered is then not to be used, but complete. */
const struct settings *settings_read(struct conf *c, const char *file, struct problems *problems);
/* Of a generation: what it was set up with. Any thread. */
const struct settings *settings_of(const struct generation *g);
const struct smtp_settings *settings_smtp(const struct generation *g);
const struct queue_settings *settings_queue(const struct generation *g);
/* Whom to become, when root. */
const char *settings_user(const struct settings *s);
/* What dns_start wants; arrays in the arena of the conf. */
struct dns_settings settings_dns(const struct settings *s, struct conf *c);
bool settings_log_start(const struct settings *s, struct why *why);
/* What is told is kept for `trace`, if it is to be. */
bool settings_trail_start(const struct settings *s, struct why *why);
/* "192.0.2.1:25" of a listener; two with port 0 have the same. */
struct str settings_role(int32_t role); /* "mx" */
void settings_listen_text(const struct listen_settings *listen, char text[ENDPOINT_TEXT]);

/* The tables, for the sample and the manual. */
enum { SETTINGS_SECTIONS = 8 };
size_t settings_sections(struct conf_section sections[SETTINGS_SECTIONS]);

/* Where modules are looked for: module_path or TMAIL_MODULES, `modules` beside the executable,
 * the installed folder. NULL at the end; lives to the end of the process. */
const char *const *module_folders(struct str module_path);

#endif
