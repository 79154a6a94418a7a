/* SPDX-License-Identifier: MIT
 *
 * Listeners: who is let in at all, where its session goes, and how all of them end. What is
 * shared by the process is one list of listeners, a count of sessions, and what was given to
 * smtp_server_setup.
 */
#include "smtp/server.h"

#include "base/log.h"
#include "host/metrics.h"
#include "smtp/place.h"
#include "smtp/transaction.h"
#include "sys/file.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/* Descriptors that sessions may not take: the store, large bodies, deliveries and commands need
 * theirs when clients have taken all that can be had. */
enum { DESCRIPTORS_KEPT = 512 };

static struct {
	const struct smtp_upcalls *upcalls;
	const struct smtp_settings *(*settings_of)(const struct generation *);
	atomic_uint sessions;
	unsigned most; /* sessions, by the descriptors there are */
	pthread_mutex_t lock;
	struct link servers;
} process = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.servers = { &process.servers, &process.servers } };

void smtp_server_setup(const struct smtp_upcalls *upcalls,
	const struct smtp_settings *(*settings_of)(const struct generation *))
{
	unsigned descriptors = fd_limit(), kept = descriptors / 4 * 3;

	process.upcalls = upcalls;
	process.settings_of = settings_of;
	process.most = descriptors - (kept < DESCRIPTORS_KEPT ? kept : DESCRIPTORS_KEPT);
}

const struct smtp_upcalls *server_upcalls(void)
{
	return process.upcalls;
}

const struct smtp_settings *server_settings(const struct generation *generation)
{
	return process.settings_of(generation);
}

unsigned smtp_sessions(void)
{
	return atomic_load_explicit(&process.sessions, memory_order_relaxed);
}

static const char *const role_names[] = { "mx", "submission", "smtps" };

/* ---- coming in --------------------------------------------------------------------------- */

bool server_trusts(const struct smtp_server *server, const struct ip *peer)
{
	for (size_t i = 0; i < server->proxy_count; i++)
		if (cidr_has(&server->proxy_from[i], peer))
			return true;
	return false;
}

static struct place *place_of(struct smtp_server *server, const struct loop *loop)
{
	for (unsigned i = 0; i < server->place_count; i++)
		if (server->places[i].loop == loop)
			return &server->places[i];
	must(!"a connection on a loop that is not ours");
	return NULL;
}

/* Without a session: one packet and the end, or only that where TLS would come first. */
static void turn_away(const struct smtp_server *server, struct loop *loop, int fd, enum say say,
	const struct endpoint *peer)
{
	struct str line = say_row(say)->line;
	char address[ENDPOINT_TEXT];
	ssize_t sent = 0;

	if (server->tls != LISTEN_TLS_IMPLICIT)
		sent = send(fd, line.data, line.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)sent; /* a client that takes not even this gets nothing */
	close(fd);
	listener_left(loop);
	metric_add(METRIC_sessions_refused, 1);
	endpoint_text(peer, address);
	log_event(LEVEL_INFO, NULL, "session_refused", LOG_C("client", address),
		LOG_NUM("code", say_row(say)->code));
}

static bool too_many(const struct generation *generation)
{
	unsigned before = atomic_fetch_add_explicit(&process.sessions, 1, memory_order_relaxed);

	if (before < server_settings(generation)->max_sessions && before < process.most)
		return false;
	atomic_fetch_sub_explicit(&process.sessions, 1, memory_order_relaxed);
	metric_add(METRIC_limit_connections, 1);
	return true;
}

static void accepted(void *ctx, struct loop *loop, int fd, const struct endpoint *peer,
	const struct endpoint *local)
{
	struct smtp_server *server = ctx;
	struct place *place = place_of(server, loop);
	struct generation *generation;
	struct session *s;

	metric_add(METRIC_sessions_accepted, 1);
	if (place->draining) {
		turn_away(server, loop, fd, SAY_STOPPING, peer);
		return;
	}
	if (server->proxy && !server_trusts(server, &peer->ip)) {
		turn_away(server, loop, fd, SAY_NOT_TRUSTED, peer);
		return;
	}
	generation = generation_current();
	if (too_many(generation)) {
		generation_unref(&generation);
		turn_away(server, loop, fd, SAY_TOO_MANY_SESSIONS, peer);
		return;
	}
	metric_add(METRIC_sessions_open, 1);
	s = session_new(place, generation, fd, peer, local);
	generation_unref(&generation);
	greet_start(s);
	session_run(s);
}

static bool server_suits(const struct smtp_server *server, struct str listener, bool login)
{
	if (listener.len > 0)
		return str_equal_case(server->name, listener) ||
			str_equal_case(str_c(role_names[server->role]), listener);
	return (server->role == ROLE_MX) != login;
}

struct place *server_place_for(
	const struct generation *g, struct str listener, bool login, struct why *why)
{
	const struct loop *loop = generation_loop(g);
	struct smtp_server *first = NULL, *found = NULL;

	pthread_mutex_lock(&process.lock);
	LIST_EACH(struct smtp_server, server, &process.servers, link) {
		if (atomic_load(&server->leaving))
			continue;
		if (!first)
			first = server;
		if (!found && server_suits(server, listener, login))
			found = server;
	}
	pthread_mutex_unlock(&process.lock);
	if (!found && listener.len == 0)
		found = first;
	if (found && loop)
		return place_of(found, loop);
	why_set(why, "there is no listener%s%.*s", listener.len ? " " : "", STR_ARG(listener));
	return NULL;
}

void place_left(struct place *place)
{
	atomic_fetch_sub_explicit(&process.sessions, 1, memory_order_relaxed);
	metric_add(METRIC_sessions_open, -1);
	listener_left(place->loop);
}

/* ---- ending ------------------------------------------------------------------------------ */

static void stop_all(struct place *place, enum session_stop how)
{
	place->draining = true;
	LIST_EACH(struct session, s, &place->sessions, link)
		session_stop(s, how);
}

static void drain_run(struct task *task)
{
	struct place *place = container_of(task, struct place, drain);

	atomic_store(&place->drain_posted, false);
	stop_all(place, STOP_SOON);
}

static void end_run(struct task *task)
{
	struct place *place = container_of(task, struct place, end);

	atomic_store(&place->end_posted, false);
	stop_all(place, STOP_NOW);
}

void smtp_server_drain(struct smtp_server *server)
{
	atomic_store(&server->leaving, true);
	listener_stop(server->listener);
	for (unsigned i = 0; i < server->place_count; i++) {
		struct place *place = &server->places[i];

		if (!atomic_exchange(&place->drain_posted, true))
			loop_post(place->loop, &place->drain);
	}
}

void smtp_sessions_end(void)
{
	pthread_mutex_lock(&process.lock);
	LIST_EACH(struct smtp_server, server, &process.servers, link) {
		for (unsigned i = 0; i < server->place_count; i++) {
			struct place *place = &server->places[i];

			if (!atomic_exchange(&place->end_posted, true))
				loop_post(place->loop, &place->end);
		}
	}
	pthread_mutex_unlock(&process.lock);
}

/* ---- life -------------------------------------------------------------------------------- */

static bool proxy_read_trusted(
	struct smtp_server *server, const struct listen_settings *settings, struct why *why)
{
	size_t n = 0;

	if (settings->proxy && settings->proxy_from.count == 0)
		return why_set(why, "proxy is set and proxy_from names nobody who may use it");
	server->proxy_from = must_alloc((settings->proxy_from.count + 1) * sizeof(struct cidr));
	TMAIL_EACH(struct tmail_str, text, settings->proxy_from) {
		if (!cidr_parse(str_tm(*text), &server->proxy_from[n]))
			return why_set(why,
				"proxy_from: \"%.*s\" is neither an address nor a network",
				STR_ARG(*text));
		n++;
	}
	server->proxy_count = n;
	return true;
}

static struct smtp_server *server_new(
	const struct listen_settings *settings, struct loop *const *loops, unsigned count)
{
	struct smtp_server *server = must_alloc(sizeof *server + count * sizeof *server->places);
	struct str name = str_tm(settings->name);

	server->role = settings->role;
	server->tls = listen_tls(settings);
	server->proxy = settings->proxy;
	server->auth_clear = settings->auth_clear;
	server->received_client = settings->received_client;
	server->name = name.len ? str_c(str_dup_c(name)) : str_c(role_names[settings->role]);
	server->name_owned = name.len > 0;
	server->place_count = count;
	for (unsigned i = 0; i < count; i++) {
		struct place *place = &server->places[i];

		place->server = server;
		place->loop = loops[i];
		list_init(&place->sessions);
		place->drain.run = drain_run;
		place->end.run = end_run;
	}
	return server;
}

struct smtp_server *smtp_server_start(int fd, const struct listen_settings *settings,
	struct loop *const *loops, unsigned count, struct why *why)
{
	struct smtp_server *server;
	struct listener_events events = { accepted, NULL, .relayed = settings->proxy };

	server = server_new(settings, loops, count);
	events.ctx = server;
	if (proxy_read_trusted(server, settings, why))
		server->listener = listener_start(fd, loops, count, &events, why);
	if (!server->listener) {
		smtp_server_free(&server);
		return NULL;
	}
	pthread_mutex_lock(&process.lock);
	list_append(&process.servers, &server->link);
	pthread_mutex_unlock(&process.lock);
	return server;
}

void smtp_server_free(struct smtp_server **sp)
{
	struct smtp_server *server = *sp;

	if (!server)
		return;
	*sp = NULL;
	pthread_mutex_lock(&process.lock);
	list_remove(&server->link);
	pthread_mutex_unlock(&process.lock);
	for (unsigned i = 0; i < server->place_count; i++) {
		LIST_EACH(struct session, s, &server->places[i].sessions, link)
			session_free(s);
		transactions_free(&server->places[i].kept);
	}
	listener_free(&server->listener);
	if (server->name_owned)
		free((char *)server->name.data);
	free(server->proxy_from);
	free(server);
}
