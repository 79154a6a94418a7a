/* SPDX-License-Identifier: MIT
 *
 * A queue to send through: two loops on threads of their own, the store in memory, a router and
 * hooks built into the test, next hops from tests/lib/peer.h. The test's own thread is the
 * session that hands messages over.
 *
 *   router_to(port, 0);
 *   house_open("retry_min = \"1s\";", HOUSE_ROUTER);
 *   house_sends("s@x.org", "a@example.com");
 *   house_over();
 */
#ifndef TESTS_QUEUE_HOUSE_H
#define TESTS_QUEUE_HOUSE_H

#include "tests/lib/memory_queue.h"
#include "tests/lib/peer.h"
#include "tests/lib/test.h"

#include "base/list.h"
#include "host/metrics.h"
#include "queue/attempt.h"
#include "queue/state.h"
#include "sys/clock.h"

#include <tmail/service/router.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <unistd.h>

#undef fail /* Check's; ours is a member of struct tmail_emit */

enum { HOUSE_LOOPS = 2 };

/* ---- a router ---------------------------------------------------------------------------- */

/* Answers for domains; the first whose domain ends so, "" is all others. */
struct house_route {
	const char *domain;
	int status;
	unsigned port, port2; /* of 127.0.0.1; port2 is less preferred */
	uint32_t protocol, tls, ttl, code;
	const char *why, *destination, *host, *host2, *source, *login, *password;
	bool any_sender, pending, login_clear, secure;
	uint32_t connections, messages, rate_count, rate_ms, source_id;
};
__attribute__((unused)) static struct house_route house_routes[8];
static _Atomic unsigned house_routed;
/* Those that are pending stay so. */
__attribute__((unused)) static _Atomic bool house_routers_wait;

static const struct house_route *house_route_of(struct str domain)
{
	for (size_t i = 0; i < 8; i++)
		if (house_routes[i].domain && str_ends_case(domain, str_c(house_routes[i].domain)))
			return &house_routes[i];
	return NULL;
}

struct house_pending {
	struct tmail_call *call;
	int status;
};

static void *house_resume(void *arg)
{
	struct house_pending pending = *(struct house_pending *)arg;

	do
		usleep(1000);
	while (house_routers_wait);
	pending.call->host->resume(pending.call, pending.status);
	return NULL;
}

static int house_route(struct tmail_call *call, const void *question, void *answer)
{
	const struct tmail_route_ask *ask = question;
	struct tmail_route_answer *out = answer;
	const struct house_route *r = house_route_of(str_make(ask->domain.data, ask->domain.len));
	struct tmail_hop *hops = call->host->alloc(call, 2 * sizeof *hops, TMAIL_SCOPE_CALL);

	house_routed++;
	if (!r)
		return TMAIL_NOT_FOUND;
	out->code = r->code;
	out->ttl = r->ttl;
	out->any_sender = r->any_sender;
	out->connections = r->connections;
	out->messages = r->messages;
	out->rate_count = r->rate_count;
	out->rate_ms = r->rate_ms;
	if (r->why)
		out->why = (struct tmail_str){ r->why, strlen(r->why) };
	if (r->destination)
		out->destination = (struct tmail_str){ r->destination, strlen(r->destination) };
	for (uint32_t i = 0; i < 2; i++) {
		hops[i] = (struct tmail_hop){ .priority = 10 * (i + 1),
			.weight = 1,
			.port = (uint16_t)(i ? r->port2 : r->port),
			.protocol = (uint16_t)r->protocol,
			.tls = r->tls,
			.source_id = r->source_id,
			.secure = r->secure,
			.login_clear = r->login_clear,
			.host = { "127.0.0.1", 9 } };
		if (r->host)
			hops[i].host = (struct tmail_str){ r->host, strlen(r->host) };
		if (i == 1 && r->host2)
			hops[i].host = (struct tmail_str){ r->host2, strlen(r->host2) };
		if (r->login) {
			hops[i].login = (struct tmail_str){ r->login, strlen(r->login) };
			hops[i].password = (struct tmail_str){ r->password, strlen(r->password) };
		}
		if (r->source)
			hops[i].source = (struct tmail_str){ r->source, strlen(r->source) };
	}
	out->hops = (struct tmail_list){ hops, r->port2 ? 2 : 1, sizeof *hops };
	if (r->pending) {
		struct house_pending *pending =
			call->host->alloc(call, sizeof *pending, TMAIL_SCOPE_CALL);
		pthread_t thread;

		*pending = (struct house_pending){ call, r->status };
		must(pthread_create(&thread, NULL, house_resume, pending) == 0);
		pthread_detach(thread);
		return TMAIL_PENDING;
	}
	return r->status;
}

static const struct tmail_operation house_router_operations[] = { { TMAIL_ROUTER_ROUTE, 0,
	house_route } };
static const struct tmail_service house_router_services[] = { { TMAIL_ROUTER, NULL,
	TMAIL_LIST(house_router_operations) } };

/* ---- hooks ------------------------------------------------------------------------------- */

/* What the hooks do is the test's: set before house_open. Any loop. */
__attribute__((unused)) static enum tmail_verdict (*house_hook)(
	struct tmail_call *call, const union tmail_event *event);

static enum tmail_verdict house_hook_run(struct tmail_call *call, const union tmail_event *event)
{
	return house_hook ? house_hook(call, event) : TMAIL_CONTINUE;
}

static const struct tmail_hook house_hooks[] = {
	{ TMAIL_POINT_MAIL, 0, house_hook_run },
	{ TMAIL_POINT_RCPT, 0, house_hook_run },
	{ TMAIL_POINT_EOM, 0, house_hook_run },
	{ TMAIL_POINT_QUEUED, 0, house_hook_run },
	{ TMAIL_POINT_PREDELIVER, TMAIL_WAITS, house_hook_run },
	{ TMAIL_POINT_DELIVERED, 0, house_hook_run },
	{ TMAIL_POINT_DEFERRED, 0, house_hook_run },
	{ TMAIL_POINT_BOUNCED, 0, house_hook_run },
};

#define HOUSE_MODULE(name_, ...)                                                                   \
	{                                                                                          \
		.magic = TMAIL_MAGIC, .abi_major = TMAIL_ABI_MAJOR, .abi_minor = TMAIL_ABI_MINOR,  \
		.abi_needs = TMAIL_ABI_MINOR, .size = sizeof(struct tmail_module), .name = name_,  \
		.version = "1", .summary = "Of the tests.",                                        \
		.capabilities = TMAIL_CAN_READ | TMAIL_CAN_EDIT, __VA_ARGS__                       \
	}
static const struct tmail_module house_modules[] = {
	HOUSE_MODULE("test/router", .services = TMAIL_LIST(house_router_services)),
	HOUSE_MODULE("test/hooks", .hooks = TMAIL_LIST(house_hooks)),
};
#define HOUSE_ROUTER "{ module = \"test/router\"; },"
#define HOUSE_HOOKS "{ module = \"test/hooks\"; },"

/* ---- the house --------------------------------------------------------------------------- */

static struct house {
	struct loop *loops[HOUSE_LOOPS];
	struct generation *generation;
	struct queue_settings settings;
	struct conf *conf;
} house;

/* Added to the clock of the wall: time for lifetimes. */
__attribute__((unused)) static _Atomic int64_t house_years;

static int64_t house_wall(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000 + house_years;
}

/* Added to the clock of deadlines; while it stands still it says just this. */
__attribute__((unused)) static _Atomic int64_t house_ahead, house_still;

static int64_t house_mono(void)
{
	int64_t still = house_still;
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return house_ahead + (still ? still : t.tv_sec * 1000000LL + t.tv_nsec / 1000);
}

/* Those in force, and such as come with a reload: never changed while they may be read. */
static struct queue_settings house_later[4];
static _Atomic(const struct queue_settings *) house_now;
static _Atomic(const struct generation *) house_asked; /* whose settings were wanted last */

static const struct queue_settings *house_settings_of(const struct generation *g)
{
	house_asked = g;
	return house_now;
}

__attribute__((unused)) static void house_reload(unsigned n, struct queue_settings settings)
{
	house_later[n] = settings;
	house_now = &house_later[n];
	queue_reloaded();
}

static struct generation *house_generation_make(
	const char *conf, enum purpose purpose, struct queue_settings *settings)
{
	struct generation *g;
	static const char *const nowhere[] = { NULL }, *const only[] = { "test/memory", NULL };
	struct problems problems = { 0 };
	struct generation_setup setup = { .purpose = purpose,
		.loop_count = purpose == PURPOSE_SERVE ? HOUSE_LOOPS : 0,
		.loops = house.loops,
		.module_dirs = nowhere,
		.only = only,
		.trusted_uid = geteuid() };

	setup.conf = conf_parse(str_c(conf), "test.conf", &problems);
	queue_settings_read(setup.conf, settings, &problems);
	settings->hostname = (struct tmail_str)TMAIL_STR("me.example");
	g = generation_new(&setup, house.generation, &problems);
	for (size_t i = 0; i < problems.count; i++)
		fprintf(stderr, "%s\n", problems.text[i]);
	must(problems.count == 0 && g);
	return g;
}

static void house_generation_of(const char *conf, enum purpose purpose)
{
	house.generation = house_generation_make(conf, purpose, &house.settings);
	house_now = &house.settings;
	generation_install(generation_ref(house.generation));
}

__attribute__((unused)) static void house_generation(
	const char *settings, const char *modules, enum purpose purpose)
{
	struct buf text = { 0 };

	buf_printf(&text,
		"hostname = \"me.example\";\nqueue = { %s };\n"
		"modules = ( %s { module = \"test/memory\"; } );\n",
		settings, modules);
	house_generation_of(buf_c(&text), purpose);
	buf_free(&text);
}

static void house_preload(void)
{
	static bool preloaded;

	queue_setup(house_settings_of);
	if (!preloaded) {
		module_preload(&memory_queue);
		for (size_t i = 0; i < sizeof house_modules / sizeof *house_modules; i++)
			module_preload(&house_modules[i]);
	}
	preloaded = true;
}

/* modules: HOUSE_ROUTER HOUSE_HOOKS, as wanted. The store stays as it was. */
__attribute__((unused)) static void house_open(const char *settings, const char *modules)
{
	struct why why;

	house_preload();
	log_setup(getenv("HOUSE_LOG") ? LEVEL_DEBUG : LEVEL_ERROR, LOG_TEXT, NULL);
	clock_replace(house_wall, house_mono);
	for (unsigned i = 0; i < HOUSE_LOOPS; i++) {
		house.loops[i] = loop_new(i, &why);
		must(house.loops[i] && loop_start(house.loops[i], "test", &why));
	}
	house_generation(settings, modules, PURPOSE_SERVE);
	ck_assert_msg(queue_start(house.loops, HOUSE_LOOPS, &why), "%s", why.text);
}

static void house_end_generation(void)
{
	generation_install(NULL);
	generation_unref(&house.generation);
	must(generation_wait_gone(60000));
}

__attribute__((unused)) static void house_close(void)
{
	queue_drain(60000);
	queue_stop();
	house_end_generation();
	for (unsigned i = 0; i < HOUSE_LOOPS; i++)
		loop_stop(house.loops[i]);
	for (unsigned i = 0; i < HOUSE_LOOPS; i++)
		loop_join(house.loops[i]);
	for (unsigned i = 0; i < HOUSE_LOOPS; i++)
		loop_free(&house.loops[i]);
	clock_replace(NULL, NULL);
	house_years = house_ahead = house_still = 0;
	house_hook = NULL;
	memset(house_routes, 0, sizeof house_routes);
	ck_assert_uint_eq(message_budget_used(), 0);
	ck_assert_uint_eq(memory_duplicate_ops(), 0);
	ck_assert_uint_eq(memory_strays(), 0);
}

/* The test's end: nothing of the store is kept. */
__attribute__((unused)) static void house_over(void)
{
	house_close();
	memory_reset();
}

/* For commands with the server stopped. */
__attribute__((unused)) static void house_admin(void)
{
	house_preload();
	house_generation("", "", PURPOSE_ADMIN);
}

/* ---- doing things on a loop -------------------------------------------------------------- */

struct errand {
	struct task task;
	void (*run)(void *ctx);
	void *ctx;
	sem_t done;
};

static void errand_run(struct task *task)
{
	struct errand *e = container_of(task, struct errand, task);

	e->run(e->ctx);
	sem_post(&e->done);
}

/* Runs on the loop, and waits. */
static void house_on(unsigned loop, void (*run)(void *ctx), void *ctx)
{
	struct errand e = { .task.run = errand_run, .run = run, .ctx = ctx };

	sem_init(&e.done, 0, 0);
	loop_post(house.loops[loop], &e.task);
	while (sem_wait(&e.done) != 0)
		;
	sem_destroy(&e.done);
}

/* Is there a lane to the destination on this loop? */
struct home {
	const char *destination;
	bool here;
};

static void home_here(void *ctx)
{
	struct home *home = ctx;
	size_t at = 0;
	struct str key;
	void *value;

	while (map_next(&queue_here()->lanes, &at, &key, &value)) {
		const struct send_lane *l = value;

		home->here |= str_equal(l->route->destination, str_c(home->destination));
	}
}

/* The loop that has it, -1 for none. */
__attribute__((unused)) static int loop_with(const char *destination)
{
	for (unsigned i = 0; i < HOUSE_LOOPS; i++) {
		struct home home = { destination, false };

		house_on(i, home_here, &home);
		if (home.here)
			return (int)i;
	}
	return -1;
}

/* ---- sending ----------------------------------------------------------------------------- */

static struct message *house_message(const char *sender, const char *recipients, struct str content)
{
	int64_t now = clock_wall();
	struct message *m = message_new(id_make(now, 1, random_u64()), now);
	struct str rest = str_c(recipients), word;

	m->envelope.sender = tm_str(arena_str(m->arena, str_c(sender)));
	while (str_word(&rest, &word))
		message_add_recipient(m, word, STR(""), 0);
	buf_add(&m->data, content);
	for (size_t i = 0; i + 3 < content.len && !m->header_length; i++)
		if (memcmp(content.data + i, "\r\n\r\n", 4) == 0)
			m->header_length = i + 4;
	return m;
}

struct sent {
	struct message *m;
	struct subject subject;
	unsigned loop;
	enum commit_result result;
	char why[256];
	sem_t done;
	bool forgotten;
};

static void sent_done(void *ctx, enum commit_result result, struct str why)
{
	struct sent *s = ctx;

	s->result = result;
	snprintf(s->why, sizeof s->why, "%.*s", STR_ARG(why));
	subject_end(&s->subject);
	sem_post(&s->done);
}

static void sent_start(void *ctx)
{
	struct sent *s = ctx;

	subject_init(&s->subject, house.loops[s->loop], house.generation);
	queue_upcalls.commit(&s->subject, s->m, sent_done, s);
	if (s->forgotten) {
		queue_upcalls.forget(s);
		subject_end(&s->subject);
	}
}

/* Hands it over and waits for the answer. */
static struct sent house_hand_over(struct message *m)
{
	static unsigned turn;
	struct sent s = { .m = m, .loop = turn++ % HOUSE_LOOPS };

	sem_init(&s.done, 0, 0);
	house_on(s.loop, sent_start, &s);
	while (sem_wait(&s.done) != 0)
		;
	sem_destroy(&s.done);
	return s;
}

__attribute__((unused)) static enum commit_result house_send(
	const char *sender, const char *recipients, const char *content)
{
	return house_hand_over(house_message(sender, recipients, str_c(content))).result;
}

#define HOUSE_CONTENT "Subject: x\r\n\r\nhello\r\n"
#define house_sends(sender, recipients)                                                            \
	ck_assert_int_eq(house_send(sender, recipients, HOUSE_CONTENT), COMMIT_DURABLE)

/* All domains go to this port, and on to the second. */
__attribute__((unused)) static void router_to(unsigned port, unsigned port2)
{
	house_routes[0] = (struct house_route){
		.domain = "", .port = port, .port2 = port2, .ttl = 60, .any_sender = true
	};
}

/* A port where nobody listens. */
__attribute__((unused)) static unsigned house_dead_port(void)
{
	static const char *const nothing[] = { NULL };
	struct peer *p = peer_script(nothing);
	unsigned port = peer_port(p);

	peer_end(&p);
	return port;
}

/* As if all but so many of the places for messages under delivery were taken. */
__attribute__((unused)) static void window_is(unsigned left)
{
	atomic_fetch_add(&queue.live, QUEUE_LIVE_MAX - left);
}

__attribute__((unused)) static void window_is_whole(unsigned left)
{
	atomic_fetch_sub(&queue.live, QUEUE_LIVE_MAX - left);
}

/* The i-th message of the store, checked. */
#define house_fate(i, recipient_, fate_)                                                           \
	do {                                                                                       \
		struct memory_message got_;                                                        \
		memory_wait_fate(i, recipient_, fate_);                                            \
		ck_assert(memory_message(i, &got_));                                               \
		free(got_.content);                                                                \
	} while (0)

#endif
