/* SPDX-License-Identifier: MIT
 *
 * New settings for a running server, and a new server in its place. A reload is all or nothing
 * up to its last step: the configuration is read, a generation made, sockets had from the
 * parent; only then is anything changed. Whatever fails before leaves the old in force.
 */
#include "daemon/server.h"

#include "sys/file.h"

enum { PARENT_PATIENCE = 10000 }; /* ms */

static struct main_call *restarting; /* who waits for the parent's answer */
static struct main_call *reloading;  /* who waits for the reload; NULL: a signal asked */
static bool wanted;

/* Asks the parent for the sockets of the configuration as it now is. What else it says
 * meanwhile is kept back. */
static bool sockets_ask(struct sockets *given, bool *stop, struct why *why)
{
	struct packet packet;

	*given = (struct sockets){ 0 };
	tls_files_free(&server.files);
	if (!channel_send(server.channel, PACKET_LISTEN, NULL, -1))
		return why_set(why, "the parent process is gone");
	while (channel_receive(server.channel, &packet, PARENT_PATIENCE) == CHANNEL_PACKET) {
		switch (packet.type) {
		case PACKET_SOCKET:
			sockets_add(given, packet.text, packet.fd);
			continue;
		case PACKET_FILE:
			tls_files_add(&server.files, packet.text, packet.fd);
			continue;
		case PACKET_FILES: /* which come again with the answer */
			tls_files_free(&server.files);
			continue;
		case PACKET_LISTEN_DONE:
			return true;
		case PACKET_NO:
			return why_set(why, "%s", packet.text);
		case PACKET_STOP:
		case PACKET_STOP_NOW:
			*stop = true;
			continue;
		case PACKET_RELOAD: /* it changed once more */
			reload_want();
			continue;
		case PACKET_REOPEN:
			logger_reopen();
			continue;
		default:
			fd_close(&packet.fd);
		}
	}
	return why_set(why, "the parent process does not answer");
}

static bool problems_why(struct problems *problems, struct why *why)
{
	if (problems->count > 1)
		why_set(why, "%s (and %zu more mistakes: tmail check)", problems->text[0],
			problems->count - 1);
	else
		why_set(why, "%s", problems->count ? problems->text[0] : "it cannot be read");
	server_problems_log("reload_problem", problems);
	problems_free(problems);
	return false;
}

/* What only a restart can change is said, not done. */
static void differences_log(const struct settings *before, const struct settings *after)
{
	if (before->top.core_dumps != after->top.core_dumps)
		log_event(LEVEL_WARNING, NULL, "needs_restart", LOG_C("setting", "core_dumps"));
	if (before->top.threads != after->top.threads)
		log_event(LEVEL_WARNING, NULL, "needs_restart", LOG_C("setting", "threads"));
	if (strcmp(before->run, after->run))
		log_event(LEVEL_WARNING, NULL, "needs_restart", LOG_C("setting", "run"));
	if (!str_equal(str_tm(before->top.user), str_tm(after->top.user)))
		log_event(LEVEL_WARNING, NULL, "needs_restart", LOG_C("setting", "user"));
	if (before->log.trace_size != after->log.trace_size ||
		!str_equal(str_tm(before->log.trace_file), str_tm(after->log.trace_file)))
		log_event(LEVEL_WARNING, NULL, "needs_restart", LOG_C("setting", "log.trace_size"));
	if (before->log_target != after->log_target || strcmp(before->log_file, after->log_file))
		log_event(LEVEL_WARNING, NULL, "needs_restart", LOG_C("setting", "log.target"));
}

static bool reload(bool *stop, struct why *why)
{
	struct problems problems = { 0 };
	struct generation *old = generation_current();
	struct generation *new = server_generation(PURPOSE_SERVE, false, old, &problems);
	struct sockets given = { 0 };
	struct tls *tls = NULL;
	bool ok;

	if (!new) {
		generation_unref(&old);
		return problems_why(&problems, why);
	}
	ok = sockets_ask(&given, stop, why) && server_certificates(settings_of(new), &tls, why) &&
		listeners_set(settings_of(new), &given, why);
	sockets_free(&given);
	if (ok) {
		server_certificates_set(tls);
		differences_log(settings_of(old), settings_of(new));
		log_threshold = settings_of(new)->log_level;
		generation_install(new);
		queue_reloaded();
	} else {
		tls_drop(&tls);
		generation_unref(&new);
	}
	generation_unref(&old);
	return ok;
}

static bool server_reload(struct why *why)
{
	bool stop = false, ok;

	if (server.phase != SERVER_SERVING)
		return why_set(why, "the server is stopping");
	if (restarting) /* its answer would be taken for that to LISTEN */
		return why_set(why, "a restart is under way, which reads the settings too");
	channel_send(server.channel, PACKET_RELOADING, NULL, -1);
	logger_reopen();
	ok = reload(&stop, why);
	channel_send(server.channel, ok ? PACKET_READY : PACKET_KEPT, NULL, -1);
	if (ok)
		log_event(LEVEL_INFO, NULL, "reloaded");
	else
		log_event(LEVEL_ERROR, NULL, "reload_refused", LOG_C("why", why->text));
	if (stop)
		server_stop(false);
	return ok;
}

void reload_want(void)
{
	wanted = true;
	loop_stop(server.main);
}

void reload_if_wanted(void)
{
	struct main_call *call = reloading;
	struct why why;
	bool ok;

	if (!wanted)
		return;
	wanted = false;
	reloading = NULL;
	ok = server_reload(&why);
	if (call)
		main_call_end(call, ok, ok ? NULL : why.text);
}

static void reload_run(struct main_call *call)
{
	if (reloading) {
		main_call_end(call, false, "a reload is under way already");
		return;
	}
	reloading = call;
	reload_want();
}

bool reload_ask(struct why *why)
{
	return main_call(reload_run, why);
}

static void restart_run(struct main_call *call)
{
	if (server.phase != SERVER_SERVING || restarting)
		main_call_end(call, false, "a stop or restart is under way already");
	else if (!channel_send(server.channel, PACKET_RESTART, NULL, -1))
		main_call_end(call, false, "the parent process is gone");
	else
		restarting = call;
}

bool restart_ask(struct why *why)
{
	return main_call(restart_run, why);
}

void restart_answered(const char *why_not)
{
	if (restarting)
		main_call_end(restarting, !why_not, why_not);
	restarting = NULL;
}
