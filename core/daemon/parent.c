/* SPDX-License-Identifier: MIT
 *
 * The parent: holds the listening sockets and the control socket, and keeps a server running
 * that uses them. It loads no module and reads nothing from the network; started as root it
 * stays so, to bind what a changed configuration names. A server that crashed is started again,
 * at once, then more and more slowly; for a restart the new one is checked beside the old, and
 * begins when that has ended.
 *
 *            spawn          READY                  RESTART, CHECKED      ended
 *   (none) --------> BEGUN -------> the current -------------------> DRAIN -----> next: BEGIN
 *
 * Always one current server, or a time when it is to be started.
 */
#include "daemon/channel.h"
#include "daemon/child.h"
#include "daemon/daemon.h"
#include "daemon/notify.h"
#include "daemon/privileges.h"
#include "daemon/sockets.h"

#include "sys/clock.h"
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND 1000000LL /* of clock_mono */

enum { BACKOFF_FIRST = 100, BACKOFF_MOST = 30000, LOCK_POLL = 50, FILES_POLL = 2000 }; /* ms */
enum { STOP_GRACE = 15, STOP_NOW_GRACE = 2 };                                          /* s */

struct parent {
	const char *file;
	struct conf *conf; /* what was last bound from */
	const struct settings *settings;
	struct identity identity;
	struct child_setup setup;
	struct sockets sockets, wanted; /* wanted: of a LISTEN that is not in force yet */
	struct conf *wanted_conf;
	const struct settings *wanted_settings;
	struct child current, next; /* pid 0: none */
	int signals;
	bool ready; /* some server was, once */
	bool stopping;
	int64_t backoff;                 /* ms */
	int64_t start_at;                /* clock_mono; 0: nothing to be started */
	int64_t kill_at;                 /* while stopping */
	int64_t look_at;                 /* at the files of TLS; 0: there are none */
	uint64_t files_sent, files_seen; /* tls_files_stamp: of the server's, of the last look */
	int status;
};

/* ---- what it holds ------------------------------------------------------------------------ */

static void problems_say(const struct problems *problems)
{
	for (size_t i = 0; i < problems->count; i++)
		fprintf(stderr, "tmail: %s\n", problems->text[i]);
}

static bool configuration_read(const char *file, struct conf **conf,
	const struct settings **settings, struct problems *problems)
{
	*conf = conf_load(file, problems);
	*settings = settings_read(*conf, file, problems);
	if (problems->count == 0)
		return true;
	conf_free(conf);
	return false;
}

static pid_t lock_holder(int fd)
{
	char text[16] = "";
	ssize_t n = pread(fd, text, sizeof text - 1, 0);

	return n > 0 ? (pid_t)strtol(text, NULL, 10) : 0;
}

/* One parent a run folder. A lock whose parent is dead is a server that still finishes: it is
 * waited for. */
static bool lock_take(struct parent *p, struct why *why)
{
	bool said = false;
	int size, fd = open(p->settings->lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0)
		return why_errno(why, "%s", p->settings->lock);
	while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		pid_t holder = lock_holder(fd);

		if (errno != EWOULDBLOCK || (holder > 0 && kill(holder, 0) == 0)) {
			why_set(why, "%s: tmail is running already, as process %d",
				p->settings->lock, (int)holder);
			close(fd);
			return false;
		}
		if (!said)
			log_event(LEVEL_WARNING, NULL, "waiting_for_old_server");
		said = true;
		poll(NULL, 0, LOCK_POLL);
	}
	p->setup.lock = fd;
	size = dprintf(fd, "%d\n", (int)getpid());
	if (size < 0 || ftruncate(fd, size) != 0)
		return why_errno(why, "%s", p->settings->lock);
	return true;
}

static bool owner_set(const char *path, const struct identity *identity, struct why *why)
{
	return !identity->change || lchown(path, identity->uid, identity->gid) == 0 ||
		why_errno(why, "%s: giving it to '%s'", path, identity->name);
}

static bool run_folder_open(struct parent *p, struct why *why)
{
	const char *run = p->settings->run, *control = p->settings->control;

	if (!folder_make(run, why) || !owner_set(run, &p->identity, why) || !lock_take(p, why))
		return false;
	p->setup.control = control_listen(control, why);
	return p->setup.control >= 0 && owner_set(control, &p->identity, why);
}

static bool parent_open(struct parent *p, struct why *why)
{
	struct sockets inherited;
	bool ok;

	if (!identity_of(settings_user(p->settings), &p->identity, why) || !run_folder_open(p, why))
		return false;
	sockets_inherit(&inherited);
	ok = certificates_create(&p->settings->tls, str_tm(p->settings->top.hostname), why) &&
		sockets_bind(&p->sockets, p->settings, &inherited, why);
	for (size_t i = 0; ok && i < inherited.count; i++)
		if (inherited.item[i].fd >= 0)
			log_event(LEVEL_WARNING, NULL, "socket_not_used",
				LOG_C("address", inherited.item[i].address));
	sockets_free(&inherited);
	return ok;
}

/* ---- files of TLS -------------------------------------------------------------------------- */

/* What a server is given now. */
static void files_look(struct parent *p)
{
	p->files_sent = p->files_seen = tls_files_stamp(&p->settings->tls);
	p->look_at = p->files_sent ? clock_mono() + FILES_POLL * 1000 : 0;
}

/* A certificate and its key are two files, and are seldom written at once: those that still
 * change are left to the next look. */
static void files_watch(struct parent *p)
{
	uint64_t seen = tls_files_stamp(&p->settings->tls);
	bool settled = seen == p->files_seen;

	p->files_seen = seen;
	p->look_at = clock_mono() + FILES_POLL * 1000;
	if (!settled || seen == p->files_sent || !p->current.ready || p->current.draining)
		return;
	p->files_sent = seen;
	child_files(&p->current, &p->settings->tls, PACKET_FILES);
}

/* ---- servers ------------------------------------------------------------------------------ */

static void start_later(struct parent *p)
{
	p->start_at = clock_mono() + p->backoff * 1000;
	p->backoff = p->backoff ? p->backoff * 2 : BACKOFF_FIRST;
	if (p->backoff > BACKOFF_MOST)
		p->backoff = BACKOFF_MOST;
}

static void server_begin(struct parent *p, bool beside)
{
	struct child *child = beside ? &p->next : &p->current;
	struct why why;

	p->setup.sockets = &p->sockets;
	p->setup.tls = &p->settings->tls;
	if (!beside)
		files_look(p);
	if (child_start(child, &p->setup, beside, &why))
		return;
	log_event(LEVEL_ERROR, NULL, "server_not_started", LOG_C("why", why.text));
	if (beside)
		channel_send(p->current.channel, PACKET_NO, why.text, -1);
	else
		start_later(p);
}

/* The new server is good, the old has ended: its turn. */
static void server_promote(struct parent *p)
{
	p->current = p->next;
	p->next = (struct child){ .channel = -1 };
	p->current.begun = clock_mono();
	p->files_sent = 0; /* what it was given may have changed while it waited */
	channel_send(p->current.channel, PACKET_BEGIN, NULL, -1);
}

static void next_ended(struct parent *p, int status)
{
	struct why why;

	child_autopsy(&p->next, status, &why);
	channel_send(
		p->current.channel, PACKET_NO, *p->next.failed ? p->next.failed : why.text, -1);
	child_free(&p->next);
}

static void current_ended(struct parent *p, int status)
{
	bool ended_well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	bool was_ready = p->current.ready, drained = p->current.draining;
	bool lasted = clock_mono() - p->current.begun > 60 * SECOND;
	struct why why;

	if (!ended_well)
		child_autopsy(&p->current, status, &why);
	if (!ended_well && was_ready)
		snprintf(p->setup.crashed, sizeof p->setup.crashed, "%s", why.text);
	child_free(&p->current);
	if (p->stopping) {
		p->status = ended_well || !was_ready ? EXIT_GOOD : EXIT_TROUBLE;
		return;
	}
	if (!p->ready) { /* the first start failed, and said why; or it was called off */
		p->status = ended_well ? EXIT_GOOD : EXIT_TROUBLE;
		p->stopping = true;
		return;
	}
	if (p->next.pid && (drained || p->next.checked)) {
		server_promote(p);
		return;
	}
	if (lasted)
		p->backoff = 0;
	start_later(p);
}

static void children_reap(struct parent *p)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == p->next.pid)
			next_ended(p, status);
		else if (pid == p->current.pid)
			current_ended(p, status);
	}
}

/* ---- what the server says ----------------------------------------------------------------- */

static void wanted_forget(struct parent *p)
{
	sockets_undo(&p->wanted, &p->sockets);
	if (p->wanted_conf)
		conf_free(&p->wanted_conf);
	p->wanted_settings = NULL;
}

static bool wanted_bind(struct parent *p, struct why *why)
{
	struct problems problems = { 0 };
	bool ok;

	wanted_forget(p);
	if (!configuration_read(p->file, &p->wanted_conf, &p->wanted_settings, &problems)) {
		why_set(why, "%s", problems.text[0]);
		problems_free(&problems);
		return false;
	}
	ok = certificates_create(
		     &p->wanted_settings->tls, str_tm(p->wanted_settings->top.hostname), why) &&
		sockets_bind(&p->wanted, p->wanted_settings, &p->sockets, why);
	if (!ok)
		wanted_forget(p);
	return ok;
}

static void said_listen(struct parent *p, struct child *child)
{
	struct why why;

	if (!wanted_bind(p, &why)) {
		channel_send(child->channel, PACKET_NO, why.text, -1);
		return;
	}
	for (size_t i = 0; i < p->wanted.count; i++)
		channel_send(child->channel, PACKET_SOCKET, p->wanted.item[i].address,
			p->wanted.item[i].fd);
	child_files(child, &p->wanted_settings->tls, PACKET_LISTEN_DONE);
}

static void said_ready(struct parent *p, struct child *child)
{
	if (p->wanted_conf) {                /* the LISTEN before it is in force */
		sockets_refuse(&p->sockets); /* what was not taken over */
		sockets_free(&p->sockets);
		p->sockets = p->wanted;
		p->wanted = (struct sockets){ 0 };
		conf_free(&p->conf);
		p->conf = p->wanted_conf;
		p->settings = p->wanted_settings;
		p->wanted_conf = NULL;
		files_look(p);
	}
	child->ready = true;
	p->ready = true;
	p->setup.crashed[0] = '\0';
	notify_ready();
}

static void said_restart(struct parent *p, struct child *child)
{
	if (child != &p->current || p->next.pid || p->stopping)
		channel_send(child->channel, PACKET_NO, "a restart is under way already", -1);
	else
		server_begin(p, true);
}

static void said_checked(struct parent *p, struct child *child)
{
	child->checked = true;
	if (!p->current.pid) {
		p->start_at = 0;
		server_promote(p);
		return;
	}
	p->current.draining = true;
	channel_send(p->current.channel, PACKET_DRAIN, NULL, -1);
}

static void server_said(struct parent *p, struct child *child, const struct packet *packet)
{
	switch (packet->type) {
	case PACKET_CHECKED:
		said_checked(p, child);
		break;
	case PACKET_READY:
		said_ready(p, child);
		break;
	case PACKET_LISTEN:
		said_listen(p, child);
		break;
	case PACKET_RESTART:
		said_restart(p, child);
		break;
	case PACKET_RELOADING:
		notify_reloading();
		break;
	case PACKET_KEPT:
		wanted_forget(p);
		notify_ready();
		break;
	case PACKET_ALIVE:
		notify_watchdog();
		break;
	case PACKET_FAILED:
		snprintf(child->failed, sizeof child->failed, "%s", packet->text);
		break;
	default:
		break; /* of a newer server */
	}
}

static void channel_read(struct parent *p, struct child *child)
{
	struct packet packet;
	enum channel_state state;

	while (child->channel >= 0 &&
		(state = channel_receive(child->channel, &packet, 0)) != CHANNEL_EMPTY) {
		if (state == CHANNEL_GONE) {
			fd_close(&child->channel); /* SIGCHLD follows */
			return;
		}
		fd_close(&packet.fd);
		server_said(p, child, &packet);
	}
}

/* ---- signals, time ------------------------------------------------------------------------ */

static void parent_stop(struct parent *p)
{
	bool again = p->stopping;
	int64_t grace = again ? STOP_NOW_GRACE : p->settings->top.stop_timeout / 1000 + STOP_GRACE;

	channel_read(p, &p->current); /* it may have become ready in between */
	p->stopping = true;
	p->status = EXIT_GOOD;
	p->start_at = 0;
	p->kill_at = clock_mono() + grace * SECOND;
	notify_stopping();
	sockets_refuse(&p->sockets);
	child_stop(&p->current, again);
	child_stop(&p->next, true);
}

static void signals_read(struct parent *p)
{
	struct signalfd_siginfo info;

	while (read(p->signals, &info, sizeof info) == sizeof info) {
		switch (info.ssi_signo) {
		case SIGCHLD:
			children_reap(p);
			break;
		case SIGHUP:
			if (p->current.pid && !p->stopping)
				channel_send(p->current.channel, PACKET_RELOAD, NULL, -1);
			break;
		case SIGUSR1:
			if (p->current.pid)
				channel_send(p->current.channel, PACKET_REOPEN, NULL, -1);
			break;
		default:
			parent_stop(p);
		}
	}
}

static int wait_ms(const struct parent *p)
{
	int64_t due = p->start_at ? p->start_at : p->kill_at, wait;

	if (p->look_at && (!due || p->look_at < due))
		due = p->look_at;
	if (!due)
		return -1;
	wait = (due - clock_mono()) / 1000 + 1;
	return wait < 0 ? 0 : wait > 60000 ? 60000 : (int)wait;
}

static void clock_look(struct parent *p)
{
	int64_t now = clock_mono();

	if (p->start_at && now >= p->start_at) {
		p->start_at = 0;
		server_begin(p, false);
	}
	if (p->look_at && now >= p->look_at)
		files_watch(p);
	if (p->kill_at && now >= p->kill_at) {
		log_event(LEVEL_ERROR, NULL, "server_killed", LOG_NUM("pid", p->current.pid));
		child_kill(&p->current);
		child_kill(&p->next);
		p->kill_at = now + STOP_NOW_GRACE * SECOND;
	}
}

static void parent_run(struct parent *p)
{
	server_begin(p, false);
	while (!p->stopping || p->current.pid || p->next.pid) {
		struct pollfd polls[] = { { .fd = p->signals, .events = POLLIN },
			{ .fd = p->current.channel, .events = POLLIN },
			{ .fd = p->next.channel, .events = POLLIN } };

		poll(polls, 3, wait_ms(p));
		/* what a server said before its end counts: channels first */
		channel_read(p, &p->current);
		channel_read(p, &p->next);
		signals_read(p);
		clock_look(p);
	}
}

static int signals_take(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void parent_close(struct parent *p)
{
	if (p->setup.control >= 0)
		unlink(p->settings->control);
	fd_close(&p->setup.control);
	fd_close(&p->setup.lock);
	fd_close(&p->signals);
	sockets_free(&p->sockets);
	wanted_forget(p);
	child_setup_free(&p->setup);
	conf_free(&p->conf);
}

int parent_main(const char *file)
{
	struct parent p = { .file = file,
		.setup = { .file = file, .control = -1, .lock = -1 },
		.current = { .channel = -1 },
		.next = { .channel = -1 },
		.signals = -1,
		.status = EXIT_TROUBLE };
	struct problems problems = { 0 };
	struct why why;

	if (!configuration_read(file, &p.conf, &p.settings, &problems)) {
		problems_say(&problems);
		problems_free(&problems);
		return EXIT_TROUBLE;
	}
	log_setup(p.settings->log_level, (enum log_format)p.settings->log.format, NULL);
	notify_setup();
	p.setup.watchdog = notify_watchdog_interval();
	p.signals = signals_take();
	if (parent_open(&p, &why) && child_setup_init(&p.setup, &why))
		parent_run(&p);
	else
		fprintf(stderr, "tmail: %s\n", why.text);
	parent_close(&p);
	return p.status;
}
