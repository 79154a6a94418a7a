/* SPDX-License-Identifier: MIT
 *
 * The server process: the one with the modules, the loops and the network. Gets its sockets
 * from the parent over the channel, gives up privileges before it loads anything, and says READY
 * when clients are answered. The main thread then serves signals, the channel and the control
 * socket; mail is the loops' business.
 */
#include "daemon/server.h"

#include "base/list.h"
#include "daemon/daemon.h"
#include "daemon/first_start.h"
#include "host/notice.h"
#include "host/running.h"
#include "host/service.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/memory.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { TABLE_POLL = 500, TICK = 1000 }; /* ms */
enum { EXPIRY_NEAR = 14 };              /* days */

struct server server = {
	.channel = -1,
	.control_fd = -1,
	.lock_fd = -1,
	.served_lock = PTHREAD_MUTEX_INITIALIZER,
};

/* ---- what it is told ---------------------------------------------------------------------- */

/* Descriptors go where they belong; what is in the way of none is closed. */
static void brief_take(struct packet *packet)
{
	void *page;

	switch (packet->type) {
	case PACKET_SOCKET:
		sockets_add(&server.given, packet->text, packet->fd);
		return;
	case PACKET_FILE:
		tls_files_add(&server.files, packet->text, packet->fd);
		return;
	case PACKET_CONTROL:
		server.control_fd = packet->fd;
		return;
	case PACKET_LOCK:
		server.lock_fd = packet->fd;
		return;
	case PACKET_PAGE:
		page = mmap(NULL, sizeof(struct running_page), PROT_READ | PROT_WRITE, MAP_SHARED,
			packet->fd, 0);
		if (page != MAP_FAILED)
			running_setup(page);
		break;
	case PACKET_WATCHDOG:
		server.watchdog = strtoll(packet->text, NULL, 10);
		break;
	case PACKET_CRASHED:
		snprintf(server.crashed, sizeof server.crashed, "%s", packet->text);
		break;
	default:
		break;
	}
	fd_close(&packet->fd);
}

/* Up to BEGIN or BESIDE; *beside says which. */
static bool brief_read(bool *beside, struct why *why)
{
	struct packet packet;

	while (channel_receive(server.channel, &packet, -1) == CHANNEL_PACKET) {
		*beside = packet.type == PACKET_BESIDE;
		if (packet.type == PACKET_BEGIN || packet.type == PACKET_BESIDE)
			return true;
		brief_take(&packet);
	}
	return why_set(why, "the parent process is gone");
}

/* ---- dying ------------------------------------------------------------------------------- */

static void crash_note(int number)
{
	running_crashed(number);
	raise(number); /* SA_RESETHAND: the real end */
}

/* A sanitizer has handlers of its own, which say more. */
static void crash_watch(void)
{
	static const int deadly[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
	const struct sigaction note = { .sa_handler = crash_note,
		.sa_flags = (int)SA_RESETHAND | SA_NODEFER };
	struct sigaction old;

	must_hook(running_said);
	for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++)
		if (sigaction(deadly[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
			sigaction(deadly[i], &note, NULL);
}

/* ---- settings, generations ---------------------------------------------------------------- */

struct conf *server_conf(const struct settings **settings, struct problems *problems)
{
	struct conf *conf = conf_load(server.file, problems);

	*settings = settings_read(conf, server.file, problems);
	if (problems->count == 0)
		return conf;
	conf_free(&conf);
	return NULL;
}

/* Of settings that were read, which become its own. */
static struct generation *generation_of(struct conf *conf, const struct settings *settings,
	enum purpose purpose, bool create, struct generation *old, struct problems *problems)
{
	const struct generation_setup setup = { .purpose = purpose,
		.conf = conf,
		.module_dirs = server.folders,
		.loops = server.loops,
		.loop_count = server.loop_count,
		.trusted_uid = server.identity.uid,
		.settings = settings,
		.create = create || settings->store.create };

	return generation_new(&setup, old, problems);
}

struct generation *server_generation(
	enum purpose purpose, bool create, struct generation *old, struct problems *problems)
{
	const struct settings *settings;
	struct conf *conf = server_conf(&settings, problems);

	return conf ? generation_of(conf, settings, purpose, create, old, problems) : NULL;
}

void server_problems_log(const char *event, const struct problems *problems)
{
	for (size_t i = 0; i < problems->count; i++)
		log_event(LEVEL_ERROR, NULL, event, LOG_C("problem", problems->text[i]));
}

/* ---- certificates ------------------------------------------------------------------------- */

bool server_certificates(const struct settings *settings, struct tls **tls, struct why *why)
{
	bool ok = certificates_load(&settings->tls, &server.files, false, tls, why);

	tls_files_free(&server.files);
	return ok;
}

void server_certificates_set(struct tls *tls)
{
	int64_t days = tls ? (tls_expires(tls) - clock_wall() / 1000000) / (24 * 3600) : 0;

	if (tls)
		log_event(days < EXPIRY_NEAR ? LEVEL_WARNING : LEVEL_INFO, NULL, "certificates",
			LOG_NUM("days_left", days));
	smtp_server_tls(tls);
}

/* The files have changed. What they are now is used, or what they were before. */
static void certificates_changed(void)
{
	struct generation *g = generation_current();
	struct tls *tls;
	struct why why;

	if (server_certificates(settings_of(g), &tls, &why))
		server_certificates_set(tls);
	else
		log_event(LEVEL_ERROR, NULL, "certificates_refused", LOG_C("why", why.text));
	generation_unref(&g);
}

/* ---- the channel, signals, time ----------------------------------------------------------- */

static void channel_packet(struct packet *packet)
{
	if (packet->type == PACKET_FILE) {
		tls_files_add(&server.files, packet->text, packet->fd);
		return;
	}
	fd_close(&packet->fd);
	switch (packet->type) {
	case PACKET_STOP:
		server_stop(false);
		break;
	case PACKET_STOP_NOW:
		server_stop(true);
		break;
	case PACKET_DRAIN:
		restart_answered(NULL);
		server_stop(false);
		break;
	case PACKET_NO:
		log_event(LEVEL_ERROR, NULL, "restart_refused", LOG_C("why", packet->text));
		restart_answered(packet->text);
		break;
	case PACKET_RELOAD:
		reload_want();
		break;
	case PACKET_REOPEN:
		logger_reopen();
		break;
	case PACKET_FILES:
		certificates_changed();
		break;
	default:
		break;
	}
}

static void channel_ready(uv_poll_t *poll, int status, int events)
{
	struct packet packet;
	enum channel_state state = CHANNEL_PACKET;

	(void)events;
	while (status == 0 &&
		(state = channel_receive(server.channel, &packet, 0)) == CHANNEL_PACKET)
		channel_packet(&packet);
	if (state == CHANNEL_EMPTY)
		return;
	uv_poll_stop(poll); /* the parent is dead: nobody holds the sockets for the next server */
	log_event(LEVEL_ERROR, NULL, "parent_gone");
	server_stop(false);
}

static void signal_arrived(uv_signal_t *handle, int number)
{
	(void)handle;
	if (number == SIGHUP)
		reload_want();
	else if (number == SIGTERM)
		server_stop(false);
}

/* SIGINT of a terminal goes to the parent too, which tells. */
static bool signals_watch(struct why *why)
{
	static const int numbers[] = { SIGTERM, SIGHUP, SIGINT };
	int error = 0;

	for (size_t i = 0; !error && i < sizeof numbers / sizeof *numbers; i++) {
		error = uv_signal_init(loop_uv(server.main), &server.signals[i]);
		if (!error)
			error = uv_signal_start(&server.signals[i], signal_arrived, numbers[i]);
	}
	if (!error)
		error = uv_poll_init(loop_uv(server.main), &server.channel_poll, server.channel);
	if (!error)
		error = uv_poll_start(&server.channel_poll, UV_READABLE, channel_ready);
	return !error || why_set(why, "signals: %s", uv_strerror(error));
}

static void tick(struct deadline *deadline)
{
	struct generation *g = generation_current();
	const union tmail_event event = { .tick = { .now = clock_wall() } };

	generation_tell(g, TMAIL_POINT_TICK, &event);
	generation_unref(&g);
	deadline_set(deadline, TICK);
}

static void alive(struct deadline *deadline)
{
	channel_send(server.channel, PACKET_ALIVE, NULL, -1);
	deadline_set(deadline, server.watchdog);
}

/* Any thread: the last reference to a generation went; see server_main. */
static void reap_wanted(void)
{
	loop_stop(server.main);
}

/* ---- what `status` asks ------------------------------------------------------------------- */

static int64_t started_at(void)
{
	return server.started;
}

static struct admin_calls calls = { .reload = reload_ask,
	.restart = restart_ask,
	.started = started_at,
	.sessions = smtp_sessions,
	.sockets = listeners_each };

/* ---- the start ---------------------------------------------------------------------------- */

/* The first context of a process takes ten times as long as those that follow: a loop, which has
 * nothing to do yet, makes one while modules are loaded. */
static void tls_warm(struct task *task)
{
	struct tls_client_settings settings = { .least = TLS_VERSION_1_2 };
	struct tls *tls = tls_client_new(&settings, NULL);

	(void)task;
	tls_drop(&tls);
}

static bool loops_start(const struct settings *settings, struct why *why)
{
	static struct task warm = { .run = tls_warm };
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned count = (unsigned)settings->top.threads;
	char name[16];

	memory_keep();
	if (count == 0)
		count = processors > 0 ? (unsigned)processors : 1;
	server.loops = must_alloc((count + 1) * sizeof *server.loops);
	for (unsigned i = 0; i < count; i++) {
		server.loops[i] = loop_new(i, why);
		snprintf(name, sizeof name, "loop %u", i);
		if (!server.loops[i] || !loop_start(server.loops[i], name, why))
			return false;
		server.loop_count = i + 1;
	}
	loop_post(server.loops[0], &warm);
	server.main = loop_new(count, why);
	return server.main != NULL;
}

/* A restart: is what would be started good? Then the old server ends, and BEGIN follows. */
static bool checked_wait(struct why *why)
{
	struct problems problems = { 0 };
	struct generation *g = server_generation(PURPOSE_CHECK, false, NULL, &problems);
	struct packet packet;
	struct tls *tls;
	bool ok;

	if (!g) {
		why_set(why, "%s", problems.count ? problems.text[0] : "the configuration");
		problems_free(&problems);
		return false;
	}
	problems_free(&problems);
	ok = certificates_load(&settings_of(g)->tls, &server.files, false, &tls, why);
	tls_drop(&tls);
	generation_unref(&g);
	if (!ok)
		return false;
	channel_send(server.channel, PACKET_CHECKED, NULL, -1);
	while (channel_receive(server.channel, &packet, -1) == CHANNEL_PACKET) {
		if (packet.type == PACKET_BEGIN)
			return true;
		brief_take(&packet);
	}
	return why_set(why, "the parent process is gone");
}

/* The settings become the generation's. */
static bool modules_start(struct conf *conf, const struct settings *settings,
	struct generation **started, struct why *why)
{
	struct problems problems = { 0 };
	bool declined;

	if (!tables_ready(server.folders, server.identity.uid, server.file, &declined, why)) {
		if (declined) {
			fprintf(stderr, "%s\n", why->text);
			logger_stop();
			_exit(EXIT_GOOD);
		}
		conf_free(&conf);
		return false;
	}
	*started = generation_of(conf, settings, PURPOSE_SERVE, false, NULL, &problems);
	server_problems_log("start_problem", &problems);
	if (!*started)
		why_set(why, "%s", problems.count ? problems.text[0] : "modules");
	problems_free(&problems);
	return *started != NULL;
}

static bool mail_start(struct generation *g, struct why *why)
{
	const struct settings *settings = settings_of(g);
	const struct dns_settings dns = settings_dns(settings, generation_conf(g));
	struct tls *tls;

	if (!server_certificates(settings, &tls, why) || !dns_start(&dns, why))
		return false;
	server_certificates_set(tls);
	const bool present = queue_present(g);

	smtp_server_setup(present ? &queue_upcalls : &queue_absent_upcalls, settings_smtp);
	table_poll_start(TABLE_POLL, settings->top.table_ttl);
	if (!present)
		log_event(LEVEL_WARNING, NULL, "queue_absent",
			LOG_C("why",
				"no module keeps the queue, such as store/journal: "
				"mail is answered 451 until one is configured"));
	else if (!queue_start(server.loops, server.loop_count, why))
		return false;
	return listeners_set(settings, &server.given, why);
}

static enum verb_result command_run(const struct str *words, size_t count, struct output *o)
{
	struct generation *g = generation_current();
	enum verb_result result = verb_command(g, words, count, false, o);

	generation_unref(&g);
	return result;
}

static bool main_start(const struct generation *g, struct why *why)
{
	const char *trace_file;

	calls.module_dirs = server.folders;
	calls.trusted_uid = server.identity.uid;
	trace_file = settings_of(g)->trace_file;
	calls.trace_file = trace_file ? str_dup_c(str_c(trace_file)) : NULL; /* outlives g */
	admin_setup(&calls);
	server.control = control_start(server.control_fd, server.main, command_run, why);
	if (!server.control || !signals_watch(why))
		return false;
	deadline_init(&server.tick, server.main, tick);
	deadline_set(&server.tick, TICK);
	if (server.watchdog) {
		deadline_init(&server.alive, server.main, alive);
		deadline_set(&server.alive, server.watchdog);
	}
	return true;
}

/* Nothing has been loaded yet, and no thread started. */
static bool process_settle(struct settings const *settings, bool beside, struct why *why)
{
	signal(SIGPIPE, SIG_IGN);
	if (!identity_of(settings_user(settings), &server.identity, why) ||
		!privileges_drop(&server.identity, why) ||
		!privileges_confine(settings->top.core_dumps, why))
		return false;
	crash_watch();
	server.folders = module_folders(str_tm(settings->top.module_path));
	return (!beside || checked_wait(why)) && settings_log_start(settings, why);
}

static bool server_begin(bool beside, struct why *why)
{
	struct problems problems = { 0 };
	const struct settings *settings;
	struct conf *conf = server_conf(&settings, &problems);
	struct generation *g = NULL;
	struct why why_not;
	bool ok;

	if (!conf) {
		why_set(why, "%s", problems.text[0]);
		problems_free(&problems);
		return false;
	}
	str_hash_seed(random_u64());
	ok = process_settle(settings, beside, why);
	if (ok && !settings_trail_start(settings, &why_not)) /* mail can do without */
		log_event(LEVEL_ERROR, NULL, "trace_unusable", LOG_C("why", why_not.text));
	if (ok && *server.crashed)
		log_event(LEVEL_ERROR, NULL, "server_before", LOG_C("end", server.crashed));
	if (!ok || !loops_start(settings, why)) {
		conf_free(&conf);
		return false;
	}
	if (!modules_start(conf, settings, &g, why))
		return false;
	generation_on_main(reap_wanted);
	generation_install(g);
	return mail_start(g, why) && main_start(g, why);
}

int server_main(const char *file)
{
	struct why why;
	bool beside = false;

	server.file = file;
	server.channel = SERVER_CHANNEL;
	server.started = clock_wall();
	fd_set_cloexec(server.channel, true);
	if (!brief_read(&beside, &why) || !server_begin(beside, &why)) {
		log_event(LEVEL_ERROR, NULL, "start_failed", LOG_C("why", why.text));
		logger_stop();
		channel_send(server.channel, PACKET_FAILED, why.text, -1);
		_exit(EXIT_TROUBLE); /* nothing was accepted; threads are not waited for */
	}
	server.phase = SERVER_SERVING;
	channel_send(server.channel, PACKET_READY, NULL, -1);
	log_event(LEVEL_INFO, NULL, "serving");
	while (server.phase != SERVER_OVER) {
		loop_run(server.main);
		generation_reap();
		reload_if_wanted();
	}
	server_close();
	return EXIT_GOOD;
}
