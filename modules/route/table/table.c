/* SPDX-License-Identifier: MIT
 *
 * route/table: routes an administrator wrote down. Owns the table `routes`, keeps it in memory
 * (read again whenever it changed on any node) and answers as a router; what it has no route for
 * is the next router's, usually route/mx. Its commands are in commands.c, which routes hold is
 * in routes.c. The page for administrators is table.md.
 */
#include "base/buf.h"
#include "base/num.h"
#include "commands.h"
#include "routes.h"

#include <pthread.h>
#include <stdlib.h>

#include <tmail/service/router.h>
#include <tmail/service/sql.h>

struct conf {
	int64_t ttl;
};

struct self {
	pthread_rwlock_t lock; /* held for writing only to exchange the pointer */
	struct routes *routes; /* NULL: could not be read yet */
	bool running;          /* not opened for its commands alone */
};

/* ---- reading the table ----------------------------------------------------------------- */

static struct str text_at(const struct tmail_sql_value *columns, uint32_t i)
{
	return str_make(columns[i].text.data, columns[i].text.len);
}

static int row_add(void *ctx, const struct tmail_sql_value *columns, uint32_t n)
{
	struct route route = { 0 };

	if (n < ROUTE_COLUMNS)
		return 0;
	route.id = columns[0].integer;
	route.host = text_at(columns, 1);
	route.sender = text_at(columns, 2);
	route.user = text_at(columns, 3);
	route.priority = columns[4].integer;
	route.remote_host = text_at(columns, 5);
	route.port = columns[6].integer;
	route.local_ip = text_at(columns, 7);
	route.login = text_at(columns, 8);
	route.password = text_at(columns, 9);
	route.tls = text_at(columns, 10);
	route.connections = columns[11].integer;
	route.messages = columns[12].integer;
	route.rate = text_at(columns, 13);
	route.login_clear = columns[14].integer != 0;
	routes_add(ctx, &route);
	return 0;
}

static int routes_read(struct tmail_call *call, struct tmail_sql_result *result)
{
	struct self *self = call->self;
	struct routes *fresh = routes_new(), *old;
	struct tmail_sql_query query = { .size = sizeof query,
		.sql = TMAIL_STR(ROUTE_SELECT " order by id"),
		.row = row_add,
		.ctx = fresh };
	int status = call->host->ask(call, TMAIL_SQL, TMAIL_SQL_QUERY, &query, result);

	if (status != TMAIL_OK) {
		routes_free(&fresh);
		return status;
	}
	pthread_rwlock_wrlock(&self->lock);
	old = self->routes;
	self->routes = fresh;
	pthread_rwlock_unlock(&self->lock);
	routes_free(&old);
	return TMAIL_OK;
}

/* A table that cannot be read leaves the routes as they were; the next tick tries again. */
void table_read_again(struct tmail_call *call)
{
	struct self *self = call->self;
	struct tmail_sql_result result = { .size = sizeof result };

	if (self->running && routes_read(call, &result) == TMAIL_OK)
		call->host->changed(call, TMAIL_ROUTER);
}

static enum tmail_verdict changed(struct tmail_call *call, const union tmail_event *event)
{
	struct tmail_str table = event->changed.table;

	if (table.len == 6 && memcmp(table.data, "routes", 6) == 0)
		table_read_again(call);
	return TMAIL_CONTINUE;
}

static enum tmail_verdict tick(struct tmail_call *call, const union tmail_event *event)
{
	struct self *self = call->self;
	struct tmail_sql_result result = { .size = sizeof result };
	bool missing;

	(void)event;
	pthread_rwlock_rdlock(&self->lock);
	missing = !self->routes;
	pthread_rwlock_unlock(&self->lock);
	if (missing)
		routes_read(call, &result);
	return TMAIL_CONTINUE;
}

static int start(struct tmail_call *call)
{
	struct self *self = call->self;
	struct tmail_sql_result result = { .size = sizeof result };

	pthread_rwlock_init(&self->lock, NULL);
	self->running = true;
	if (routes_read(call, &result) != TMAIL_OK) {
		struct tmail_field field = { "why", result.why };

		/* Not a reason to stand still: mail is taken in and kept until they can be read. */
		call->host->log(call, TMAIL_WARNING, "routes_unread", &field, 1);
	}
	return TMAIL_OK;
}

static void stop(struct tmail_call *call)
{
	struct self *self = call->self;

	routes_free(&self->routes);
	pthread_rwlock_destroy(&self->lock);
}

/* ---- the router ------------------------------------------------------------------------ */

static struct tmail_str text_copy(struct tmail_call *call, struct str s)
{
	struct tmail_str copy = { NULL, 0 };
	char *room = s.len > 0 ? call->host->alloc(call, s.len, TMAIL_SCOPE_CALL) : NULL;

	if (room) {
		memcpy(room, s.data, s.len);
		copy.data = room;
		copy.len = s.len;
	}
	return copy;
}

static bool hop_fill(struct tmail_call *call, struct tmail_hop *hop, const struct route *route)
{
	hop->priority = (uint32_t)route->priority;
	hop->weight = route->weight;
	hop->port = (uint16_t)route->port;
	hop->protocol = TMAIL_PROTOCOL_SMTP;
	hop->tls = route_tls_policy(route->tls);
	hop->host = text_copy(call, route->remote_host);
	hop->source = text_copy(call, route->local_ip);
	hop->login = text_copy(call, route->login);
	hop->password = text_copy(call, route->password);
	hop->source_id = (uint32_t)route->id;
	hop->login_clear = route->login_clear;
	return hop->host.len == route->remote_host.len && hop->login.len == route->login.len &&
		hop->source.len == route->local_ip.len && hop->password.len == route->password.len;
}

/* What lanes are made of: routes that differ must not share connections. */
static struct tmail_str destination_of(struct tmail_call *call, const struct route *route)
{
	struct buf key = { 0 };
	struct tmail_str copy;

	buf_add_c(&key, "route");
	for (; route; route = route->next)
		buf_printf(&key, ":%lld", (long long)route->id);
	copy = text_copy(call, buf_str(&key));
	buf_free(&key);
	return copy;
}

static uint32_t stricter(uint32_t limit, int64_t other)
{
	return other > 0 && (limit == 0 || other < limit) ? (uint32_t)other : limit;
}

/* They share a destination, so the strictest limit that any of them has holds for all. */
static void limits_take(struct tmail_route_answer *answer, const struct route *route)
{
	uint32_t count, ms;

	answer->connections = stricter(answer->connections, route->connections);
	answer->messages = stricter(answer->messages, route->messages);
	if (!num_rate(route->rate, &count, &ms))
		return;
	if (answer->rate_ms &&
		(uint64_t)count * answer->rate_ms >= (uint64_t)answer->rate_count * ms)
		return;
	answer->rate_count = count;
	answer->rate_ms = ms;
}

static int route_answer(
	struct tmail_call *call, const struct route *first, struct tmail_route_answer *answer)
{
	struct tmail_hop *hops;
	uint32_t count = 0;

	for (const struct route *route = first; route; route = route->next)
		count++;
	hops = call->host->alloc(call, count * sizeof *hops, TMAIL_SCOPE_CALL);
	if (!hops)
		return TMAIL_TRY_LATER;
	answer->hops.item = hops;
	answer->hops.count = count;
	answer->hops.stride = sizeof *hops;
	for (const struct route *route = first; route; route = route->next, hops++) {
		if (!hop_fill(call, hops, route))
			return TMAIL_TRY_LATER;
		limits_take(answer, route);
	}
	answer->destination = destination_of(call, first);
	return TMAIL_OK;
}

static int route(struct tmail_call *call, const void *question, void *answer)
{
	const struct tmail_route_ask *ask = question;
	struct tmail_route_answer *out = answer;
	const struct conf *conf = call->conf;
	struct self *self = call->self;
	struct route_question q = { .login = { ask->login.data, ask->login.len },
		.sender = { ask->sender.data, ask->sender.len },
		.domain = { ask->domain.data, ask->domain.len } };
	struct route_match match = { .any_sender = false };
	const struct route *first;
	int status = TMAIL_NOT_FOUND;

	pthread_rwlock_rdlock(&self->lock);
	if (!self->routes) {
		out->why.data = "the routes could not be read from the database";
		out->why.len = strlen(out->why.data);
		status = TMAIL_TRY_LATER;
	} else if ((first = routes_find(self->routes, &q, &match))) {
		status = route_answer(call, first, out);
		out->reason.data = match.kind;
		out->reason.len = strlen(match.kind);
	}
	pthread_rwlock_unlock(&self->lock);
	out->any_sender = match.any_sender;
	out->ttl = (uint32_t)(conf->ttl / 1000);
	return status;
}

/* ---- the descriptor -------------------------------------------------------------------- */

static const struct tmail_option options[] = {
	TMAIL_DURATION(struct conf, ttl, "ttl", "1s", 0, 3600000,
		"How long the core may use an answer before it asks again."),
};

static const struct tmail_hook hooks[] = {
	{ TMAIL_POINT_CHANGED, TMAIL_BLOCKING, changed },
	{ TMAIL_POINT_TICK, TMAIL_BLOCKING, tick },
};

static const struct tmail_operation operations[] = {
	{ TMAIL_ROUTER_ROUTE, TMAIL_DRY, route },
};

static const struct tmail_service services[] = {
	{ TMAIL_ROUTER, NULL, TMAIL_LIST(operations) },
};

static const struct tmail_migration migrations[] = {
	{ 1,
		"create table routes (id ${serial}, host varchar(255) not null,"
		" mail_from varchar(255), auth_user varchar(255),"
		" priority integer not null default 1, remote_host varchar(255) not null,"
		" remote_port integer not null default 25, local_ip varchar(255),"
		" smtp_auth_login varchar(255), smtp_auth_passwd varchar(255), tls varchar(16));"
		"create index idx_route_host on routes (host)" },
	{ 2,
		"alter table routes add column connections integer;"
		"alter table routes add column messages integer;"
		"alter table routes add column rate varchar(32)" },
	{ 3, "alter table routes add column login_clear integer not null default 0" },
};

TMAIL_MODULE(table, .name = "route/table", .version = TMAIL_VERSION,
	.summary = "Routes by recipient, sender and login that an administrator wrote down.",
	.capabilities = TMAIL_CAN_SQL | TMAIL_CAN_SECRET, .conf_size = sizeof(struct conf),
	.self_size = sizeof(struct self), .options = TMAIL_LIST(options),
	.hooks = TMAIL_LIST(hooks), .services = TMAIL_LIST(services),
	.migrations = TMAIL_LIST(migrations),
	.verbs = { route_verbs, ROUTE_VERBS, sizeof(struct tmail_verb) }, .start = start,
	.stop = stop);
