/* SPDX-License-Identifier: MIT
 *
 * What the server listens on. A listener that a new configuration has unchanged goes on as it
 * is; the sessions of one that is gone finish.
 */
#include "daemon/server.h"

#include "base/list.h"
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

/* Of what makes a listener this one and no other. */
static uint64_t listen_hash(const struct listen_settings *l)
{
	struct buf text = { 0 };
	uint64_t hash;

	buf_add_lstr(&text, str_make(l->name.data, l->name.len));
	buf_add_u64(&text, (uint64_t)l->role);
	buf_add_u64(&text, (uint64_t)l->tls);
	buf_add_u64(&text, (uint64_t)l->proxy);
	TMAIL_EACH(struct tmail_str, from, l->proxy_from) {
		buf_add_lstr(&text, str_make(from->data, from->len));
	}
	hash = str_hash(buf_str(&text));
	buf_free(&text);
	return hash;
}

/* The n-th of the served ones (not leaving) at that address. */
static struct served *served_find(const char *address, size_t n)
{
	for (size_t i = 0; i < server.served_count; i++) {
		struct served *s = &server.served[i];

		if (!s->leaving && !strcmp(s->socket.address, address) && n-- == 0)
			return s;
	}
	return NULL;
}

static bool served_start(struct served *s, const struct listen_settings *l, struct why *why)
{
	struct endpoint e;

	s->hash = listen_hash(l);
	snprintf(s->role, sizeof s->role, "%.*s", STR_ARG(settings_role(l->role)));
	snprintf(s->real, sizeof s->real, "%s", s->socket.address);
	if (endpoint_of_socket(s->socket.fd, false, &e))
		endpoint_text(&e, s->real);
	s->smtp = smtp_server_start(s->socket.fd, l, server.loops, server.loop_count, why);
	if (!s->smtp)
		return why_prefix(why, "%s", s->socket.address);
	log_event(LEVEL_INFO, NULL, "listening", LOG_C("address", s->real), LOG_C("role", s->role),
		LOG_IF(l->name.len, LOG_STR("name", str_make(l->name.data, l->name.len))));
	return true;
}

static void served_leave(struct served *s)
{
	s->leaving = true; /* the parent refuses new clients, when it hears that this is done */
	smtp_server_drain(s->smtp);
	log_event(LEVEL_INFO, NULL, "no_longer_listening", LOG_C("address", s->real));
}

static bool served_add(
	const struct listening *socket, const struct listen_settings *l, struct why *why)
{
	struct served one = { .socket = *socket };

	if (!served_start(&one, l, why))
		return false;
	pthread_mutex_lock(&server.served_lock);
	server.served =
		must_realloc(server.served, (server.served_count + 1) * sizeof *server.served);
	server.served[server.served_count++] = one;
	pthread_mutex_unlock(&server.served_lock);
	return true;
}

/* The same socket under other settings: the old listener finishes, a new one takes over. */
static bool served_change(struct served *old, const struct listen_settings *l, struct why *why)
{
	struct listening again = old->socket;

	again.fd = fcntl(old->socket.fd, F_DUPFD_CLOEXEC, 3);
	if (again.fd < 0)
		return why_errno(why, "%s", old->socket.address);
	old->leaving = true;
	smtp_server_drain(old->smtp);
	if (served_add(&again, l, why))
		return true;
	fd_close(&again.fd);
	return false;
}

/* One entry of the settings, over the socket the parent gave for it. */
static bool entry_set(
	struct listening *given, const struct listen_settings *l, size_t n, struct why *why)
{
	struct served *known = served_find(given->address, n);
	bool ok;

	if (known) {
		fd_close(&given->fd); /* a second descriptor of the same socket */
		return known->hash == listen_hash(l) || served_change(known, l, why);
	}
	ok = served_add(given, l, why);
	if (ok)
		given->fd = -1;
	return ok;
}

/* Marks what the configuration has no more. */
static void served_prune(const struct sockets *given)
{
	for (size_t i = 0; i < server.served_count; i++) {
		struct served *s = &server.served[i];
		size_t nth = 0, wanted = sockets_same(given, given->count, s->socket.address);

		for (size_t j = 0; j < i; j++)
			nth += !server.served[j].leaving &&
				!strcmp(server.served[j].socket.address, s->socket.address);
		if (!s->leaving && nth >= wanted)
			served_leave(s);
	}
}

static void endpoints_tell(void)
{
	struct endpoint *endpoints = must_alloc((server.served_count + 1) * sizeof *endpoints);
	size_t count = 0;

	for (size_t i = 0; i < server.served_count; i++)
		if (!server.served[i].leaving &&
			endpoint_of_socket(server.served[i].socket.fd, false, &endpoints[count]))
			count++;
	queue_listens(endpoints, count);
	free(endpoints);
}

bool listeners_set(const struct settings *settings, struct sockets *given, struct why *why)
{
	char address[ENDPOINT_TEXT];

	for (size_t i = 0; i < settings->listen_count; i++) {
		settings_listen_text(&settings->listen[i], address);
		if (i >= given->count || strcmp(given->item[i].address, address))
			return why_set(
				why, "the configuration changed while it was read; try again");
	}
	for (size_t i = 0; i < settings->listen_count; i++)
		if (!entry_set(&given->item[i], &settings->listen[i],
			    sockets_same(given, i, given->item[i].address), why))
			return false;
	served_prune(given);
	endpoints_tell();
	return true;
}

void listeners_drain(void)
{
	for (size_t i = 0; i < server.served_count; i++)
		if (!server.served[i].leaving)
			smtp_server_drain(server.served[i].smtp);
}

void listeners_free(void)
{
	for (size_t i = 0; i < server.served_count; i++) {
		smtp_server_free(&server.served[i].smtp);
		fd_close(&server.served[i].socket.fd);
	}
	free(server.served);
	server.served = NULL;
	server.served_count = 0;
}

void listeners_each(void (*each)(void *ctx, const char *address, const char *role), void *ctx)
{
	pthread_mutex_lock(&server.served_lock);
	for (size_t i = 0; i < server.served_count; i++)
		if (!server.served[i].leaving)
			each(ctx, server.served[i].real, server.served[i].role);
	pthread_mutex_unlock(&server.served_lock);
}
