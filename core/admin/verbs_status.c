/* SPDX-License-Identifier: MIT
 *
 * Verbs about the server as a whole: status, reload, restart; and `modules`, which reads
 * modules' descriptors and starts nothing. What a server can do is handed in by admin_setup.
 */
#include "admin/verbs.h"

#include "host/metrics.h"
#include "queue/queue.h"
#include "sys/clock.h"
#include "sys/file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

static void row2(struct output *o, const char *name, struct str value)
{
	const struct tmail_str row[] = { { name, strlen(name) }, { value.data, value.len } };

	o->row(o, row, 2);
}

__attribute__((format(printf, 3, 4))) static void row2f(
	struct output *o, const char *name, const char *format, ...)
{
	struct buf value = { 0 };
	va_list args;

	va_start(args, format);
	buf_vprintf(&value, format, args);
	va_end(args);
	row2(o, name, buf_str(&value));
	buf_free(&value);
}

/* ---- status ------------------------------------------------------------------------------- */

static void socket_row(void *ctx, const char *address, const char *role)
{
	char name[64];

	snprintf(name, sizeof name, "socket.%s", role);
	row2(ctx, name, str_c(address));
}

static void metric_row(void *ctx, const char *name, const char *summary, int64_t value)
{
	char full[128];

	(void)summary;
	snprintf(full, sizeof full, "counter.%s", name);
	row2f(ctx, full, "%" PRId64, value);
}

static void queue_rows(struct generation *g, struct output *o)
{
	struct tmail_queue_counts counts = { .size = sizeof counts };
	struct why why;

	if (queue_counts(g, &counts, &why) != TMAIL_OK) {
		row2(o, "queue.trouble", str_c(why.text));
		return;
	}
	row2f(o, "queue.messages", "%" PRIu64, counts.messages);
	row2f(o, "queue.recipients", "%" PRIu64, counts.recipients);
	row2f(o, "queue.pending", "%" PRIu64, counts.pending);
	row2f(o, "queue.deferred", "%" PRIu64, counts.deferred);
	row2f(o, "queue.held", "%" PRIu64, counts.held);
	row2f(o, "queue.octets", "%" PRIu64, counts.octets);
}

static enum verb_result status_run(
	struct generation *g, const struct values *values, struct output *o)
{
	static const char *const names[] = { "name", "value:int" };
	const struct admin_calls *calls = admin_calls();

	(void)values;
	o->columns(o, names, 2);
	row2(o, "version", str_c(TMAIL_VERSION));
	row2f(o, "pid", "%d", (int)getpid());
	row2f(o, "uptime", "%" PRId64, (clock_wall() - calls->started()) / 1000000);
	row2f(o, "generation", "%u", generation_number(g));
	row2f(o, "sessions", "%u", calls->sessions());
	calls->sockets(socket_row, o);
	queue_rows(g, o);
	metrics_each(metric_row, o);
	return VERB_OK;
}

/* ---- reload, restart ----------------------------------------------------------------------- */

static enum verb_result ask_daemon(
	bool (*call)(struct why *why), const char *name, const char *done, struct output *o)
{
	struct why why;

	if (!call(&why)) {
		output_fail(o, "%s: %s", name, why.text);
		return VERB_FAILED;
	}
	o->say(o, str_c(done));
	return VERB_OK;
}

static enum verb_result reload_run(
	struct generation *g, const struct values *values, struct output *o)
{
	(void)g;
	(void)values;
	return ask_daemon(admin_calls()->reload, "reload", "The new settings are in force.", o);
}

static enum verb_result restart_run(
	struct generation *g, const struct values *values, struct output *o)
{
	(void)g;
	(void)values;
	return ask_daemon(admin_calls()->restart, "restart",
		"A new server takes over as soon as this one has finished.", o);
}

/* ---- modules ------------------------------------------------------------------------------- */

static const char *const capability_names[] = { "read", "edit", "secret", "net", "file", "exec",
	"queue", "sql" };
static const char *const point_names[TMAIL_POINTS] = {
	[TMAIL_POINT_CONNECT] = "connect",
	[TMAIL_POINT_HELO] = "helo",
	[TMAIL_POINT_TLS] = "tls",
	[TMAIL_POINT_AUTH] = "auth",
	[TMAIL_POINT_MAIL] = "mail",
	[TMAIL_POINT_RCPT] = "rcpt",
	[TMAIL_POINT_DATA] = "data",
	[TMAIL_POINT_HEADER] = "header",
	[TMAIL_POINT_EOH] = "eoh",
	[TMAIL_POINT_BODY] = "body",
	[TMAIL_POINT_EOM] = "eom",
	[TMAIL_POINT_RESET] = "reset",
	[TMAIL_POINT_UNKNOWN] = "unknown",
	[TMAIL_POINT_QUEUED] = "queued",
	[TMAIL_POINT_DISCONNECT] = "disconnect",
	[TMAIL_POINT_PREDELIVER] = "predeliver",
	[TMAIL_POINT_DELIVERED] = "delivered",
	[TMAIL_POINT_DEFERRED] = "deferred",
	[TMAIL_POINT_BOUNCED] = "bounced",
	[TMAIL_POINT_TICK] = "tick",
	[TMAIL_POINT_RELOADED] = "reloaded",
	[TMAIL_POINT_CHANGED] = "changed",
};

static void row3(struct output *o, const char *kind, const char *name, struct str text)
{
	const struct tmail_str row[] = { { kind, strlen(kind) }, { name, strlen(name) },
		{ text.data, text.len } };

	o->row(o, row, 3);
}

static void capability_rows(struct output *o, uint32_t capabilities)
{
	for (size_t i = 0; i < sizeof capability_names / sizeof *capability_names; i++)
		if (capabilities & (1u << i))
			row3(o, "capability", capability_names[i], STR(""));
}

static void setting_rows(struct output *o, struct tmail_list options)
{
	struct buf text = { 0 };

	TMAIL_EACH(struct tmail_option, option, options) {
		buf_clear(&text);
		buf_add_c(&text, option->summary ? option->summary : "");
		if (option->flags & TMAIL_REQUIRED)
			buf_add_c(&text, " Required.");
		else if (option->fallback && *option->fallback)
			buf_printf(&text, " Default: %s.", option->fallback);
		row3(o, "setting", option->name, buf_str(&text));
	}
	buf_free(&text);
}

/* One page of what a descriptor says. */
static void module_page(const struct tmail_module *m, struct output *o)
{
	static const char *const names[] = { "kind", "name", "text" };

	o->columns(o, names, 3);
	row3(o, "module", m->name, str_c(m->summary));
	row3(o, "version", m->version ? m->version : "", STR(""));
	capability_rows(o, m->capabilities);
	TMAIL_EACH(struct tmail_hook, hook, m->hooks) {
		row3(o, "hook", hook->point < TMAIL_POINTS ? point_names[hook->point] : "newer",
			hook->flags & TMAIL_BLOCKING ? STR("on a worker") : STR(""));
	}
	TMAIL_EACH(struct tmail_service, service, m->services) {
		row3(o, "service", service->name, str_c(service->key));
	}
	TMAIL_EACH(struct tmail_verb, verb, m->verbs) {
		row3(o, "command", verb->name, str_c(verb->summary));
	}
	TMAIL_EACH(struct tmail_metric, metric, m->metrics) {
		row3(o, "metric", metric->name, str_c(metric->summary));
	}
	setting_rows(o, m->options);
	setting_rows(o, instance_options());
}

static enum verb_result module_show(const char *name, struct output *o)
{
	struct why why;
	const struct tmail_module *m =
		module_read(name, admin_calls()->module_dirs, admin_calls()->trusted_uid, &why);

	if (!m) {
		output_fail(o, "modules: %s", why.text);
		return VERB_FAILED;
	}
	module_page(m, o);
	return VERB_OK;
}

/* Which instances of a module there are in the configuration. */
static void instances_of(struct buf *out, const struct generation *g, const char *module)
{
	for (size_t i = 0; g && i < instance_count(g); i++) {
		const struct instance *instance = instance_at(g, i);

		if (strcmp(instance_module(instance)->name, module))
			continue;
		buf_add_c(out, out->len ? ", " : "");
		buf_add_c(out, instance_name(instance));
	}
}

static void module_row(const struct generation *g, const char *name, struct output *o)
{
	struct why why;
	const struct tmail_module *m =
		module_read(name, admin_calls()->module_dirs, admin_calls()->trusted_uid, &why);
	struct buf used = { 0 };
	const char *version = m && m->version ? m->version : "";
	struct str summary = str_c(m ? m->summary : why.text);

	instances_of(&used, g, name);
	o->row(o,
		(const struct tmail_str[]){ { name, strlen(name) }, { version, strlen(version) },
			{ used.data, used.len }, { summary.data, summary.len } },
		4);
	buf_free(&used);
}

static enum verb_result modules_run(
	struct generation *g, const struct values *values, struct output *o)
{
	static const char *const names[] = { "name", "version", "used_as", "summary" };
	struct str wanted = value_of(values, "NAME");
	char **found;

	if (!admin_calls()->module_dirs) {
		output_fail(o, "modules: no folder to look in");
		return VERB_FAILED;
	}
	if (wanted.data) {
		char *name = str_dup_c(wanted);
		enum verb_result result = module_show(name, o);

		free(name);
		return result;
	}
	found = module_list(admin_calls()->module_dirs);
	o->columns(o, names, 4);
	for (char **name = found; name && *name; name++)
		module_row(g, *name, o);
	folder_free(found);
	return VERB_OK;
}

static const struct tmail_argument modules_arguments[] = {
	{ "NAME", NULL, TMAIL_TYPE_STRING, TMAIL_POSITIONAL,
		"area/name: print this module's page" },
};

static const struct verb table[] = {
	{ .name = "status",
		.summary = "Shows what the server listens on, does and has done.",
		.run = status_run },
	{ .name = "reload",
		.summary = "Puts changed settings in force for new sessions, or says what is wrong "
			   "with them.",
		.role = TMAIL_ROLE_ADMIN,
		.run = reload_run },
	{ .name = "restart",
		.summary = "Starts a new server beside the old one, which finishes what it has.",
		.role = TMAIL_ROLE_ADMIN,
		.run = restart_run },
	{ .name = "modules",
		.summary = "Lists the modules that are installed, or prints one's page.",
		.flags = VERB_LOCAL,
		.arguments = TMAIL_LIST(modules_arguments),
		.run = modules_run },
};

const struct verb_table verbs_status = { table, sizeof table / sizeof *table };
