/* SPDX-License-Identifier: MIT
 *
 * Tables by name, and what moves them: a change through this server, a reload, and the rows of
 * the table `generation`, which every node raises in the transaction of its change and a thread
 * here reads twice a second. What is cached is cache.c's.
 */
#include "host/table.h"

#include "host/notice.h"
#include "host/service.h"
#include "sys/thread.h"

#include <tmail/service/sql.h>
#include <tmail/service/table.h>

#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum { TABLES_MAX = 64, KEEP_TIME = 60 * 1000 };

struct table {
	const char *name;
	_Atomic uint64_t moved;
};
static struct table tables[TABLES_MAX];
static _Atomic unsigned table_count;
static pthread_mutex_t tables_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int64_t keep_time = KEEP_TIME;

static struct table *table_known(const char *name)
{
	unsigned count = atomic_load_explicit(&table_count, memory_order_acquire);

	for (unsigned i = 0; i < count; i++)
		if (tables[i].name == name || strcmp(tables[i].name, name) == 0)
			return &tables[i];
	return NULL;
}

struct table *table_of(const char *name)
{
	struct table *t = table_known(name);

	if (t)
		return t;
	pthread_mutex_lock(&tables_lock);
	t = table_known(name);
	if (!t) {
		must(table_count < TABLES_MAX);
		t = &tables[table_count];
		t->name = str_dup_c(str_c(name));
		atomic_fetch_add_explicit(&table_count, 1, memory_order_release);
	}
	pthread_mutex_unlock(&tables_lock);
	return t;
}

const char *table_name(const struct table *t)
{
	return t->name;
}

uint64_t table_moved(const struct table *t)
{
	return atomic_load_explicit(&t->moved, memory_order_acquire);
}

void table_move(struct table *t)
{
	atomic_fetch_add_explicit(&t->moved, 1, memory_order_acq_rel);
}

int64_t table_keep_time(void)
{
	return atomic_load_explicit(&keep_time, memory_order_relaxed);
}

void tables_forget(void)
{
	for (unsigned i = 0; i < table_count; i++)
		table_move(&tables[i]);
}

void table_changed(struct generation *g, const char *table)
{
	union tmail_event event = { .changed.table = { table, strlen(table) } };

	table_move(table_of(table));
	generation_tell(g, TMAIL_POINT_CHANGED, &event);
}

int table_ask_wait(struct generation *g, const char *table, struct str key, struct arena *arena,
	struct str *value)
{
	struct tmail_table_get get = { .size = sizeof get,
		.key = tm_str(arena_str_lower(arena, key)) };
	struct service *s;

	for (unsigned n = 0; (s = service_find(g, TMAIL_TABLE, table, n)); n++) {
		struct tmail_table_got got = { .size = sizeof got };
		int status = service_ask_wait(s, TMAIL_TABLE_GET, &get, &got, arena);

		if (status == TMAIL_OK)
			*value = str_tm(got.value);
		if (status != TMAIL_NOT_FOUND)
			return status == TMAIL_OK ? TMAIL_OK : TMAIL_TRY_LATER;
	}
	return TMAIL_NOT_FOUND;
}

/* ---- polling --------------------------------------------------------------------------- */

/* What was last read of the table `generation`. */
struct known {
	struct known *next;
	int64_t value;
	bool moved;
	char name[];
};

static struct {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool running, stop;
	int64_t interval;
	struct known *known; /* the thread's own */
	bool failing, first;
} poll = { .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER };

static int poll_row(void *ctx, const struct tmail_sql_value *columns, uint32_t n)
{
	struct str name = n >= 2 ? str_tm(columns[0].text) : STR("");
	struct known *k;

	(void)ctx;
	if (name.len == 0)
		return 0;
	for (k = poll.known; k; k = k->next)
		if (str_equal(str_c(k->name), name))
			break;
	if (!k) {
		k = must_alloc(sizeof *k + name.len + 1);
		memcpy(k->name, name.data, name.len);
		k->next = poll.known;
		poll.known = k;
		k->moved = true;
	} else if (k->value != columns[1].integer) {
		k->moved = true;
	}
	k->value = columns[1].integer;
	return 0;
}

static void poll_failed(int status, struct str why)
{
	bool fails = status != TMAIL_OK;

	if (fails == poll.failing)
		return;
	poll.failing = fails;
	if (fails)
		log_event(LEVEL_WARNING, NULL, "table_generations_unread", LOG_STR("why", why));
	else
		log_event(LEVEL_INFO, NULL, "table_generations_read");
}

/* The first time nobody is told: what was cached before may be older than what was read. */
static void poll_act(struct generation *g)
{
	for (struct known *k = poll.known; k; k = k->next) {
		if (!k->moved)
			continue;
		k->moved = false;
		if (poll.first)
			table_move(table_of(k->name));
		else
			table_changed(g, k->name);
	}
	poll.first = false;
}

static void poll_once(void)
{
	struct generation *g = generation_current();
	struct service *sql = g ? service_find(g, TMAIL_SQL, NULL, 0) : NULL;
	struct tmail_sql_query query = { .size = sizeof query,
		.sql = TMAIL_STR("select name, value from generation"),
		.row = poll_row };
	struct tmail_sql_result result = { .size = sizeof result };
	struct arena *arena;
	int status;

	if (sql) {
		arena = arena_new(512);
		status = service_ask_wait(sql, TMAIL_SQL_QUERY, &query, &result, arena);
		poll_failed(status, str_tm(result.why));
		if (status == TMAIL_OK)
			poll_act(g);
		arena_free(&arena);
	}
	generation_unref(&g);
}

static void poll_until(struct timespec *until)
{
	clock_gettime(CLOCK_REALTIME, until);
	until->tv_sec += poll.interval / 1000;
	until->tv_nsec += poll.interval % 1000 * 1000000;
	if (until->tv_nsec >= 1000000000) {
		until->tv_sec++;
		until->tv_nsec -= 1000000000;
	}
}

static void *poll_thread(void *arg)
{
	struct timespec until;
	int woken;

	pthread_mutex_lock(&poll.lock);
	while (!poll.stop) {
		pthread_mutex_unlock(&poll.lock);
		poll_once();
		pthread_mutex_lock(&poll.lock);
		poll_until(&until);
		woken = 0;
		while (!poll.stop && woken != ETIMEDOUT)
			woken = pthread_cond_timedwait(&poll.wake, &poll.lock, &until);
	}
	pthread_mutex_unlock(&poll.lock);
	return arg;
}

void table_poll_start(int64_t interval_ms, int64_t ttl_ms)
{
	must(!poll.running && interval_ms > 0);
	atomic_store(&keep_time, ttl_ms);
	poll.interval = interval_ms;
	poll.stop = false;
	poll.first = true;
	poll.running = thread_start(&poll.thread, "tables", poll_thread, NULL, NULL);
	if (!poll.running)
		log_event(LEVEL_ERROR, NULL, "table_generations_unread",
			LOG_C("why", "no thread could be started"));
}

void table_poll_stop(void)
{
	if (!poll.running)
		return;
	pthread_mutex_lock(&poll.lock);
	poll.stop = true;
	pthread_cond_signal(&poll.wake);
	pthread_mutex_unlock(&poll.lock);
	must(pthread_join(poll.thread, NULL) == 0);
	poll.running = false;
	while (poll.known) {
		struct known *k = poll.known;

		poll.known = k->next;
		free(k);
	}
}
