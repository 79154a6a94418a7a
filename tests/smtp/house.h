/* SPDX-License-Identifier: MIT
 *
 * A server to talk to: the real sessions, streams and listener on a loop of their own, modules
 * built into the test, and a queue that only remembers. The test is the client, on a socket.
 *
 *   house_open("max_errors = 3;", HOUSE_TABLES);
 *   struct talk *t = talk_open();
 *   talk_say(t, "EHLO client.test\r\n");
 *   talk_hear(t, "250");                 the next reply begins so
 *   house_close();
 */
#ifndef TESTS_SMTP_HOUSE_H
#define TESTS_SMTP_HOUSE_H

#include "tests/lib/test.h"

#include "host/service.h"
#include "smtp/brake.h"
#include "smtp/place.h"
#include "smtp/server.h"
#include "sys/clock.h"

#include <tmail/service/auth.h>
#include <tmail/service/table.h>

#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

/* ---- the queue that remembers ------------------------------------------------------------ */

struct kept {                                /* a message that was committed */
	char *sender, *recipients, *content; /* recipients: "a b c" */
	size_t size;
	char *trace, *refused, *hold, *original, *client; /* client: "address helo" */
	char *login, *auth;                               /* AUTH= as it goes with the message */
	bool relay;
	unsigned notify;
};

enum { KEPT_MOST = 4096 };
static struct house {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct loop *loop;
	struct generation *generation;
	struct smtp_settings settings;
	struct conf *conf;
	struct smtp_server *server;
	int fd;
	struct endpoint address;
	/* the queue */
	struct kept kept[KEPT_MOST];
	size_t kept_count;
	int64_t reserved; /* octets that were not given back */
	unsigned spools, drops, forgotten;
	struct buf spool; /* of the one message that is being spooled */
	enum commit_result room, result;
	bool spool_fails, spool_fills, held, holds_now;
	struct task task, spool_task;
	struct message *committing;
	void (*commit_done)(void *ctx, enum commit_result result, struct str why);
	void (*spool_done)(void *ctx, bool ok, struct str why);
	void *commit_ctx, *spool_ctx;
} house;
__attribute__((unused)) static _Atomic int64_t house_clock; /* added to clock_mono */

static char *house_copy(struct str s)
{
	char *copy = must_alloc(s.len + 1);

	if (s.len > 0)
		memcpy(copy, s.data, s.len);
	return copy;
}

static enum commit_result house_reserve(struct subject *subject, uint64_t octets)
{
	(void)subject;
	if (house.room == COMMIT_DURABLE)
		house.reserved += (int64_t)octets;
	return house.room;
}

static void house_unreserve(struct subject *subject, uint64_t octets)
{
	(void)subject;
	house.reserved -= (int64_t)octets;
}

static void house_spooled(struct task *task)
{
	(void)task;
	if (house.spool_fills) /* the disk has become full by it */
		house.room = COMMIT_FULL;
	house.spool_done(house.spool_ctx, !house.spool_fails, STR("no disk"));
}

static void house_spool(struct subject *subject, bool last,
	void (*done)(void *ctx, bool ok, struct str why), void *ctx)
{
	struct message *m = subject->message;
	struct str body = str_slice(buf_str(&m->data), m->header_length, m->data.len);

	(void)last;
	must(m->header_length > 0);
	buf_add(&house.spool, body);
	m->spool_size += body.len;
	m->data.len = m->header_length;
	message_charge(m);
	house.spools++;
	house.spool_done = done;
	house.spool_ctx = ctx;
	house.spool_task.run = house_spooled;
	loop_post(subject->loop, &house.spool_task);
}

static void house_drop(struct message *m)
{
	(void)m;
	buf_clear(&house.spool);
	house.drops++;
}

static void house_keep(const struct message *m)
{
	struct kept *k = &house.kept[house.kept_count];
	struct buf content = { 0 }, recipients = { 0 }, refused = { 0 }, client = { 0 };
	struct str auth;

	must(house.kept_count < KEPT_MOST);
	for (size_t i = 0; i < m->recipient_count; i++)
		buf_printf(&recipients, "%s%.*s", i ? " " : "",
			STR_ARG(str_tm(m->recipients[i].address)));
	for (const struct recipient_verdict *r = m->refused; r; r = r->next)
		buf_printf(&refused, "%u:%u %.*s;", r->index, r->code, STR_ARG(r->text));
	buf_add(&content, buf_str(&m->data));
	buf_add(&content, buf_str(&house.spool));
	buf_clear(&house.spool);
	k->sender = house_copy(str_tm(m->envelope.sender));
	k->recipients = house_copy(buf_str(&recipients));
	k->trace = house_copy(buf_str(&m->prefix));
	k->content = house_copy(buf_str(&content));
	k->size = content.len;
	k->refused = house_copy(buf_str(&refused));
	k->hold = house_copy(str_tm(m->hold));
	buf_printf(&client, "%.*s %.*s", STR_ARG(str_tm(m->client_address)),
		STR_ARG(str_tm(m->client_helo)));
	k->client = house_copy(buf_str(&client));
	buf_free(&client);
	k->login = house_copy(str_tm(m->envelope.login));
	if (message_note_get(m, STR("smtp.auth"), &auth))
		k->auth = house_copy(auth);
	k->original = house_copy(str_tm(m->recipients[0].original));
	k->notify = m->recipients[0].notify;
	k->relay = m->relay;
	buf_free(&content);
	buf_free(&recipients);
	buf_free(&refused);
}

static void house_committed(struct task *task)
{
	struct message *m = house.committing;

	(void)task;
	pthread_mutex_lock(&house.lock);
	house.committing = NULL;
	house.reserved -= (int64_t)m->reserved;
	m->reserved = 0;
	if (house.result == COMMIT_DURABLE) {
		house_keep(m);
		house.kept_count++;
	}
	pthread_cond_broadcast(&house.changed);
	pthread_mutex_unlock(&house.lock);
	if (house.commit_done)
		house.commit_done(house.commit_ctx, house.result, STR("no room"));
	house.commit_done = NULL;
	message_free(&m);
}

static void house_commit(struct subject *subject, struct message *m,
	void (*done)(void *ctx, enum commit_result result, struct str why), void *ctx)
{
	must(!house.committing);
	pthread_mutex_lock(&house.lock);
	house.committing = m;
	house.commit_done = done;
	house.commit_ctx = ctx;
	house.task.run = house_committed;
	house.holds_now = house.held;
	pthread_cond_broadcast(&house.changed);
	pthread_mutex_unlock(&house.lock);
	if (!house.holds_now)
		loop_post(subject->loop, &house.task);
}

static void house_forget(void *ctx)
{
	must(ctx == house.commit_ctx);
	pthread_mutex_lock(&house.lock);
	house.commit_done = NULL;
	house.forgotten++;
	pthread_cond_broadcast(&house.changed);
	pthread_mutex_unlock(&house.lock);
}

static const struct smtp_upcalls house_upcalls = { house_reserve, house_unreserve, house_spool,
	house_commit, house_forget, house_drop };

/* Waits until a condition of what the queue saw holds; nobody's clock judges. */
#define house_wait(condition)                                                                      \
	do {                                                                                       \
		pthread_mutex_lock(&house.lock);                                                   \
		while (!(condition))                                                               \
			pthread_cond_wait(&house.changed, &house.lock);                            \
		pthread_mutex_unlock(&house.lock);                                                 \
	} while (0)

/* ---- modules ----------------------------------------------------------------------------- */

/* Tables: local.test is ours with users, bare.test is ours, remote.test is passed on. broken.test
 * cannot be asked. 203.0.113.9 may relay. */
static int house_rcpthost(struct tmail_call *call, const void *question, void *answer)
{
	const struct tmail_table_get *get = question;
	struct tmail_table_got *got = answer;
	struct str key = str_tm(get->key);

	(void)call;
	if (str_equal(key, STR("broken.test")))
		return TMAIL_TRY_LATER;
	if (str_equal(key, STR("local.test")))
		got->value = (struct tmail_str)TMAIL_STR("local");
	else if (str_equal(key, STR("alias.test")))
		got->value = (struct tmail_str)TMAIL_STR("alias");
	else if (str_equal(key, STR("remote.test")))
		got->value = (struct tmail_str)TMAIL_STR("remote");
	else
		return TMAIL_NOT_FOUND;
	return TMAIL_OK;
}

static int house_mailbox(struct tmail_call *call, const void *question, void *answer)
{
	struct str key = str_tm(((const struct tmail_table_get *)question)->key);

	(void)call;
	(void)answer;
	if (str_equal(key, STR("later@local.test")))
		return TMAIL_TRY_LATER;
	return str_equal(key, STR("user@local.test")) ? TMAIL_OK : TMAIL_NOT_FOUND;
}

static int house_alias(struct tmail_call *call, const void *question, void *answer)
{
	struct str key = str_tm(((const struct tmail_table_get *)question)->key);

	(void)call;
	(void)answer;
	if (str_equal(key, STR("alias@local.test")) || str_equal(key, STR("@alias.test")))
		return TMAIL_OK;
	return TMAIL_NOT_FOUND;
}

static _Atomic unsigned house_relayip_asked;
static _Atomic bool house_relays_all; /* an administrator has changed it */
static int house_relayip(struct tmail_call *call, const void *question, void *answer)
{
	struct str key = str_tm(((const struct tmail_table_get *)question)->key);

	(void)call;
	(void)answer;
	house_relayip_asked++;
	if (str_equal(key, STR("203.0.113.10")))
		return TMAIL_TRY_LATER;
	if (house_relays_all)
		return TMAIL_OK;
	return str_equal(key, STR("203.0.113.9")) ? TMAIL_OK : TMAIL_NOT_FOUND;
}

#define HOUSE_GET(function)                                                                        \
	static const struct tmail_operation function##_operation[] = { { TMAIL_TABLE_GET,          \
		TMAIL_BLOCKING, function } };
HOUSE_GET(house_rcpthost)
HOUSE_GET(house_mailbox)
HOUSE_GET(house_alias)
HOUSE_GET(house_relayip)
static const struct tmail_service house_services[] = {
	{ TMAIL_TABLE, "rcpthost", TMAIL_LIST(house_rcpthost_operation) },
	{ TMAIL_TABLE, "relayip", TMAIL_LIST(house_relayip_operation) },
};
static const struct tmail_service house_user_services[] = {
	{ TMAIL_TABLE, "mailbox", TMAIL_LIST(house_mailbox_operation) },
	{ TMAIL_TABLE, "alias", TMAIL_LIST(house_alias_operation) },
};

/* Who somebody is: "user@local.test" may relay, "guest" may not, both with the password "secret".
 * "later" is asked in vain; "slow" is known when the test says so. TWO-STEPS is an exchange:
 * "who?", a login, "sure?", "yes", and "good" at the end; LOST never answers. */
static _Atomic unsigned house_verified, house_forgotten, house_verifying, house_verifying_most;
static _Atomic bool house_auth_slow;
static struct tmail_call *_Atomic house_lost; /* its answer is owed */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned seen;
	struct buf logins; /* in the order in which they were looked at */
} house_auth = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static struct tmail_str house_alloc(struct tmail_call *call, struct tmail_str s)
{
	char *copy = call->host->alloc(call, s.len + 1, TMAIL_SCOPE_CALL);

	memcpy(copy, s.data, s.len);
	s.data = copy;
	return s;
}

static int house_who(struct tmail_call *call, struct tmail_str login, struct tmail_auth_who *who)
{
	who->login = house_alloc(call, login);
	who->relay = str_equal(str_tm(login), STR("user@local.test"));
	if (who->relay || str_equal(str_tm(login), STR("guest")))
		return TMAIL_OK;
	who->why = (struct tmail_str)TMAIL_STR("no such user");
	return TMAIL_REFUSED;
}

static int house_verify(struct tmail_call *call, const void *question, void *answer)
{
	const struct tmail_auth_verify *q = question;
	struct tmail_auth_who *who = answer;
	unsigned now = ++house_verifying;

	if (now > house_verifying_most)
		house_verifying_most = now;
	pthread_mutex_lock(&house_auth.lock);
	buf_printf(&house_auth.logins, "%.*s ", STR_ARG(str_tm(q->login)));
	house_auth.seen++;
	pthread_cond_broadcast(&house_auth.changed);
	while (house_auth_slow)
		pthread_cond_wait(&house_auth.changed, &house_auth.lock);
	pthread_mutex_unlock(&house_auth.lock);
	house_verifying--;
	house_verified++;
	who->why = (struct tmail_str)TMAIL_STR("no database");
	if (str_equal(str_tm(q->login), STR("later")))
		return TMAIL_TRY_LATER;
	if (q->authorize.len > 0 && !str_equal(str_tm(q->authorize), str_tm(q->login)))
		return TMAIL_REFUSED;
	if (!str_equal(str_tm(q->password), STR("secret")))
		return TMAIL_REFUSED;
	return house_who(call, q->login, who);
}

__attribute__((unused)) static void house_auth_hold(bool slow)
{
	pthread_mutex_lock(&house_auth.lock);
	house_auth_slow = slow;
	pthread_cond_broadcast(&house_auth.changed);
	pthread_mutex_unlock(&house_auth.lock);
}

/* Until so many were looked at since the start. */
__attribute__((unused)) static void house_auth_seen(unsigned seen)
{
	pthread_mutex_lock(&house_auth.lock);
	while (house_auth.seen < seen)
		pthread_cond_wait(&house_auth.changed, &house_auth.lock);
	pthread_mutex_unlock(&house_auth.lock);
}

static int house_mechanisms(struct tmail_call *call, const void *question, void *answer)
{
	static const struct tmail_str names[] = { TMAIL_STR("TWO-STEPS-PLUS"),
		TMAIL_STR("TWO-STEPS"), TMAIL_STR("LOST"), TMAIL_STR("PLAIN"), TMAIL_STR("LOGIN") };
	struct tmail_auth_mechanisms *list = answer;

	(void)call;
	(void)question;
	list->names = (struct tmail_list)TMAIL_LIST(names);
	return TMAIL_OK;
}

struct house_exchange {
	unsigned step;
	char login[64];
	size_t len;
};

static int house_step(struct tmail_call *call, const void *question, void *answer)
{
	const struct tmail_auth_step *q = question;
	struct tmail_auth_reply *reply = answer;
	struct house_exchange *e = call->session;

	if (str_equal(str_tm(q->mechanism), STR("LOST"))) {
		house_lost = call;
		return TMAIL_PENDING;
	}
	if (q->first)
		*e = (struct house_exchange){ .step = q->in.data ? 1 : 0 };
	reply->more = 1;
	switch (e->step++) {
	case 0:
		reply->out = (struct tmail_str)TMAIL_STR("who?");
		return TMAIL_OK;
	case 1:
		e->len = q->in.len < sizeof e->login ? q->in.len : 0;
		memcpy(e->login, q->in.data, e->len);
		reply->out = (struct tmail_str)TMAIL_STR("sure?");
		return TMAIL_OK;
	default:
		reply->more = 0;
		reply->out = (struct tmail_str)TMAIL_STR("good");
		reply->who.login = house_alloc(call, (struct tmail_str){ e->login, e->len });
		if (!str_equal(str_tm(q->in), STR("yes")))
			return TMAIL_REFUSED;
		return house_who(call, reply->who.login, &reply->who);
	}
}

static int house_auth_forget(struct tmail_call *call, const void *question, void *answer)
{
	(void)call;
	(void)question;
	(void)answer;
	house_forgotten++;
	return TMAIL_OK;
}

/* guest may send as other@local.test. */
static int house_sender(struct tmail_call *call, const void *question, void *answer)
{
	struct str key = str_tm(((const struct tmail_table_get *)question)->key);

	(void)call;
	(void)answer;
	if (str_equal(key, STR("guest later@local.test")))
		return TMAIL_TRY_LATER;
	return str_equal(key, STR("guest other@local.test")) ? TMAIL_OK : TMAIL_NOT_FOUND;
}

static const struct tmail_operation house_auth_operations[] = {
	{ TMAIL_AUTH_MECHANISMS, 0, house_mechanisms },
	{ TMAIL_AUTH_VERIFY, TMAIL_BLOCKING, house_verify },
	{ TMAIL_AUTH_EXCHANGE, TMAIL_WAITS, house_step },
	{ TMAIL_AUTH_FORGET, 0, house_auth_forget },
};
HOUSE_GET(house_sender)
static const struct tmail_service house_auth_services[] = {
	{ TMAIL_AUTH, NULL, TMAIL_LIST(house_auth_operations) },
	{ TMAIL_TABLE, "sender", TMAIL_LIST(house_sender_operation) },
};

/* A module that does at each point what the test's function says. */
static enum tmail_verdict (*_Atomic house_hook)(
	struct tmail_call *call, const union tmail_event *event);
static _Atomic unsigned house_hooked[TMAIL_POINTS]; /* times that a point was reached */

static enum tmail_verdict house_run(struct tmail_call *call, const union tmail_event *event)
{
	enum tmail_verdict (*hook)(struct tmail_call *, const union tmail_event *) = house_hook;

	house_hooked[call->point]++;
	return hook ? hook(call, event) : TMAIL_CONTINUE;
}
#define HOUSE_HOOK(point)                                                                          \
	{                                                                                          \
		TMAIL_POINT_##point, 0, house_run                                                  \
	}
static const struct tmail_hook house_hooks[] = { HOUSE_HOOK(CONNECT), HOUSE_HOOK(HELO),
	HOUSE_HOOK(TLS), HOUSE_HOOK(AUTH), HOUSE_HOOK(MAIL), HOUSE_HOOK(RCPT), HOUSE_HOOK(DATA),
	HOUSE_HOOK(EOM), HOUSE_HOOK(RESET), HOUSE_HOOK(UNKNOWN), HOUSE_HOOK(QUEUED),
	HOUSE_HOOK(DISCONNECT) };

/* The same function, for a test whose function answers TMAIL_WAIT. */
#define HOUSE_WAITING_HOOK(point)                                                                  \
	{                                                                                          \
		TMAIL_POINT_##point, TMAIL_WAITS, house_run                                        \
	}
static const struct tmail_hook house_waiting_hooks[] = { HOUSE_WAITING_HOOK(CONNECT),
	HOUSE_WAITING_HOOK(HELO), HOUSE_WAITING_HOOK(AUTH), HOUSE_WAITING_HOOK(MAIL),
	HOUSE_WAITING_HOOK(RCPT), HOUSE_WAITING_HOOK(DATA), HOUSE_WAITING_HOOK(EOM),
	HOUSE_WAITING_HOOK(UNKNOWN) };

static enum tmail_verdict house_stream_run(struct tmail_call *call, const union tmail_event *event)
{
	(void)call;
	for (size_t i = 0; i + 5 <= event->body.chunk.len; i++) {
		if (memcmp(event->body.chunk.data + i, "VIRUS", 5) == 0)
			return TMAIL_REJECT;
		if (memcmp(event->body.chunk.data + i, "DITCH", 5) == 0)
			return TMAIL_DISCARD;
	}
	return TMAIL_CONTINUE;
}
static const struct tmail_hook house_stream_hooks[] = { { TMAIL_POINT_BODY, TMAIL_STREAM,
	house_stream_run } };

#define HOUSE_MODULE(name_, ...)                                                                   \
	{                                                                                          \
		.magic = TMAIL_MAGIC, .abi_major = TMAIL_ABI_MAJOR, .abi_minor = TMAIL_ABI_MINOR,  \
		.abi_needs = TMAIL_ABI_MINOR, .size = sizeof(struct tmail_module), .name = name_,  \
		.version = "1", .summary = "Of the tests.",                                        \
		.capabilities = TMAIL_CAN_READ | TMAIL_CAN_EDIT, __VA_ARGS__                       \
	}
static const struct tmail_module house_modules[] = {
	HOUSE_MODULE("test/tables", .services = TMAIL_LIST(house_services)),
	HOUSE_MODULE("test/users", .services = TMAIL_LIST(house_user_services)),
	HOUSE_MODULE("test/hooks", .hooks = TMAIL_LIST(house_hooks)),
	HOUSE_MODULE("test/waiting", .hooks = TMAIL_LIST(house_waiting_hooks)),
	{ .magic = TMAIL_MAGIC,
		.abi_major = TMAIL_ABI_MAJOR,
		.abi_minor = TMAIL_ABI_MINOR,
		.abi_needs = TMAIL_ABI_MINOR,
		.size = sizeof(struct tmail_module),
		.name = "test/auth",
		.version = "1",
		.summary = "Of the tests.",
		.capabilities = TMAIL_CAN_SECRET,
		.session_size = sizeof(struct house_exchange),
		.services = TMAIL_LIST(house_auth_services) },
	HOUSE_MODULE("test/stream", .hooks = TMAIL_LIST(house_stream_hooks)),
};
#define HOUSE_TABLES "{ module = \"test/tables\"; }"
#define HOUSE_USERS "{ module = \"test/users\"; }"
#define HOUSE_HOOKS "{ module = \"test/hooks\"; may_relay = true; }"
#define HOUSE_WAITING "{ module = \"test/waiting\"; may_relay = true; }"
#define HOUSE_AUTH "{ module = \"test/auth\"; timeout = 60000; }"
#define HOUSE_STREAM "{ module = \"test/stream\"; }"

/* ---- the server -------------------------------------------------------------------------- */

static const struct smtp_settings *house_settings_of(const struct generation *g)
{
	(void)g;
	return &house.settings;
}

static int64_t house_mono(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000 + house_clock;
}

static void house_nothing(struct task *task)
{
	free(task);
}

/* Time passes, and the loop hears of it. */
__attribute__((unused)) static void house_later(int64_t ms)
{
	struct task *task = must_alloc(sizeof *task);

	house_clock += ms * 1000;
	task->run = house_nothing;
	loop_post(house.loop, task);
}

/* What runs on the loop, and is waited for: what belongs to the loop is looked at there. */
static void (*house_what)(void);
static bool house_did;
static void house_do(struct task *task)
{
	free(task);
	house_what();
	pthread_mutex_lock(&house.lock);
	house_did = true;
	pthread_cond_broadcast(&house.changed);
	pthread_mutex_unlock(&house.lock);
}

__attribute__((unused)) static void house_on_loop(void (*what)(void))
{
	struct task *task = must_alloc(sizeof *task);

	house_what = what;
	house_did = false;
	task->run = house_do;
	loop_post(house.loop, task);
	house_wait(house_did);
}

/* Octets that the store keeps free now. */
static int64_t house_reserved_seen;
static void house_see_reserved(void)
{
	house_reserved_seen = house.reserved;
}

static inline int64_t house_reserved(void)
{
	house_on_loop(house_see_reserved);
	return house_reserved_seen;
}

static void house_generation(const char *settings, const char *modules)
{
	struct problems problems = { 0 };
	struct conf_table table = { smtp_options, &house.settings };
	struct generation_setup setup = { .purpose = PURPOSE_SERVE,
		.loop_count = 1,
		.module_dirs = (const char *const[]){ NULL } };
	struct buf text = { 0 };

	buf_printf(&text, "smtp = { %s };\nmodules = ( %s );\n", settings, modules);
	setup.conf = conf_parse(buf_str(&text), "test.conf", &problems);
	setup.loops = &house.loop;
	buf_free(&text);
	conf_read(setup.conf, conf_group_of(conf_root(setup.conf), "smtp"), &table, 1, NULL,
		&problems);
	house.settings.hostname = (struct tmail_str)TMAIL_STR("mx.test");
	house.generation = generation_new(&setup, NULL, &problems);
	for (size_t i = 0; i < problems.count; i++)
		fprintf(stderr, "%s\n", problems.text[i]);
	must(problems.count == 0 && house.generation);
	generation_install(generation_ref(house.generation));
}

/* listen: settings of the listener; NULL: an ordinary one. */
static void house_open_at(
	const char *settings, const char *modules, const struct listen_settings *listen)
{
	static const struct listen_settings ordinary = { .name = TMAIL_STR("mx") };
	static bool preloaded;
	struct why why;

	house = (struct house){ .lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER };
	if (!preloaded)
		for (size_t i = 0; i < sizeof house_modules / sizeof *house_modules; i++)
			module_preload(&house_modules[i]);
	preloaded = true;
	log_setup(LEVEL_ERROR, LOG_TEXT, NULL);
	clock_replace(NULL, house_mono);
	house.loop = loop_new(0, &why);
	house_generation(settings, modules);
	smtp_server_setup(&house_upcalls, house_settings_of);
	must(endpoint_parse(STR("127.0.0.1:0"), 0, &house.address));
	house.fd = socket_listen(&house.address, 64, &why);
	must(house.fd >= 0 && endpoint_of_socket(house.fd, false, &house.address));
	house.server =
		smtp_server_start(house.fd, listen ? listen : &ordinary, &house.loop, 1, &why);
	must(house.server && loop_start(house.loop, "test", &why));
}

__attribute__((unused)) static void house_open(const char *settings, const char *modules)
{
	house_open_at(settings, modules, NULL);
}

static _Atomic bool house_is_empty;
static void house_look(struct task *task)
{
	house_is_empty = smtp_sessions() == 0;
	free(task);
}

/* Waits for the sessions to end; nothing may be left of them. */
__attribute__((unused)) static void house_close(void)
{
	smtp_server_drain(house.server);
	smtp_sessions_end();
	house_is_empty = false;
	while (!house_is_empty) {
		struct task *task = must_alloc(sizeof *task);

		task->run = house_look;
		loop_post(house.loop, task);
		sched_yield();
	}
	generation_install(NULL);
	generation_unref(&house.generation);
	generation_wait_gone(60000);
	loop_stop(house.loop);
	loop_join(house.loop);
	ck_assert_int_eq(house.reserved, 0);
	ck_assert_uint_eq(message_budget_used(), 0);
	smtp_server_free(&house.server);
	loop_free(&house.loop);
	close(house.fd);
	for (size_t i = 0; i < house.kept_count; i++) {
		struct kept *k = &house.kept[i];

		free(k->sender);
		free(k->recipients);
		free(k->content);
		free(k->trace);
		free(k->refused);
		free(k->hold);
		free(k->original);
		free(k->client);
		free(k->login);
		free(k->auth);
	}
	buf_free(&house.spool);
	clock_replace(NULL, NULL);
	house_hook = NULL;
	brake_reset();
	buf_free(&house_auth.logins);
	house_auth.seen = house_verified = house_forgotten = house_verifying_most = 0;
}

/* ---- the client -------------------------------------------------------------------------- */

struct talk {
	int fd;
	SSL *ssl; /* NULL: in clear */
	struct buf in;
	char last[8192]; /* the reply heard last, with its line ends */
};

static struct talk *talk_connect(void)
{
	struct talk *t = must_alloc(sizeof *t);
	struct sockaddr_storage address;
	socklen_t len = endpoint_sockaddr(&house.address, &address);

	t->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(connect(t->fd, (struct sockaddr *)&address, len) == 0);
	return t;
}

static void talk_octets(struct talk *t, const void *octets, size_t len)
{
	const char *at = octets;

	while (len > 0) {
		ssize_t n = t->ssl ? SSL_write(t->ssl, at, (int)len)
				   : send(t->fd, at, len, MSG_NOSIGNAL);

		if (n <= 0)
			return; /* the server has closed: hearing will tell */
		at += n;
		len -= (size_t)n;
	}
}

__attribute__((unused)) static void talk_say(struct talk *t, const char *text)
{
	talk_octets(t, text, strlen(text));
}

/* One whole reply into t->last; false at the end of the connection. */
static bool talk_reply(struct talk *t)
{
	size_t at = 0;

	for (;;) {
		const char *line = t->in.data + at, *end;
		ssize_t n;

		end = t->in.len > at ? memchr(line, '\n', t->in.len - at) : NULL;
		if (end) {
			at = (size_t)(end + 1 - t->in.data);
			if (end - line < 4 || line[3] != '-')
				break;
			continue;
		}
		buf_reserve(&t->in, 4096);
		n = t->ssl ? SSL_read(t->ssl, t->in.data + t->in.len, 4096)
			   : recv(t->fd, t->in.data + t->in.len, 4096, 0);
		if (n <= 0)
			return false;
		t->in.len += (size_t)n;
	}
	must(at < sizeof t->last);
	memcpy(t->last, t->in.data, at);
	t->last[at] = '\0';
	buf_consume(&t->in, at);
	return true;
}

#define talk_hear(t, prefix)                                                                       \
	do {                                                                                       \
		ck_assert_msg(talk_reply(t), "closed before \"%s\"", (prefix));                    \
		ck_assert_msg(strncmp((t)->last, (prefix), strlen(prefix)) == 0,                   \
			"heard \"%s\" instead of \"%s\"", (t)->last, (prefix));                    \
	} while (0)
#define talk_hear_end(t) ck_assert_msg(!talk_reply(t), "heard \"%s\" instead of the end", (t)->last)
#define talk_ask(t, line, prefix)                                                                  \
	do {                                                                                       \
		talk_say(t, line "\r\n");                                                          \
		talk_hear(t, prefix);                                                              \
	} while (0)

__attribute__((unused)) static struct talk *talk_open(void)
{
	struct talk *t = talk_connect();

	talk_hear(t, "220 mx.test ");
	return t;
}

/* With HELO said, and a sender and recipient if wanted. */
__attribute__((unused)) static struct talk *talk_ready(void)
{
	struct talk *t = talk_open();

	talk_ask(t, "EHLO client.test", "250");
	return t;
}

__attribute__((unused)) static struct talk *talk_addressed(void)
{
	struct talk *t = talk_ready();

	talk_ask(t, "MAIL FROM:<from@sender.test>", "250 2.1.0");
	talk_ask(t, "RCPT TO:<to@remote.test>", "250 2.1.5");
	return t;
}

/* Lines, each with how its answer begins. */
static inline void talk_lines(struct talk *t, const char *const (*lines)[2], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		talk_say(t, lines[i][0]);
		talk_say(t, "\r\n");
		ck_assert_msg(talk_reply(t), "closed after %s", lines[i][0]);
		ck_assert_msg(strncmp(t->last, lines[i][1], strlen(lines[i][1])) == 0,
			"%s was answered %s", lines[i][0], t->last);
	}
}
#define TALK_LINES(t, lines) talk_lines(t, lines, sizeof lines / sizeof *lines)

__attribute__((unused)) static void talk_close(struct talk **tp)
{
	struct talk *t = *tp;

	*tp = NULL;
	SSL_free(t->ssl);
	close(t->fd);
	buf_free(&t->in);
	free(t);
}

#endif
