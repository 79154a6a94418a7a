/* SPDX-License-Identifier: MIT
 *
 * The queue as a whole: its start, what each loop has of it, its end. The end is in steps, each
 * waited for: nothing new is tried; what is under way ends, or is ended; connections are closed;
 * outcomes are written; then what the loops hold goes.
 */
#include "queue/accept.h"
#include "queue/attempt.h"
#include "queue/schedule.h"
#include "queue/trust.h"

#include "base/log.h"
#include "host/table.h"

#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>
#include <time.h>

enum { TICK_MS = 1000, GENERATION_US = 100000, LAST_MS = 5000 };

struct queue queue;

/* ---- loops ----------------------------------------------------------------------------- */

struct queue_loop *queue_loop_of(struct loop *loop)
{
	return queue.loops[loop_index(loop)];
}

struct queue_loop *queue_here(void)
{
	return queue_loop_of(loop_current());
}

struct queue_loop *queue_home(struct id id)
{
	return queue.loops[(id.lo ^ id.hi) % queue.loop_count];
}

struct queue_loop *queue_home_of(struct str destination)
{
	return queue.loops[(str_hash(destination) >> 16) % queue.loop_count];
}

static unsigned share(int64_t all)
{
	int64_t each = (all + queue.loop_count - 1) / queue.loop_count;

	return each > 0 ? (unsigned)each : 1;
}

struct generation *queue_generation_now(struct queue_loop *ql)
{
	int64_t now = loop_now(ql->loop);
	struct generation *g;

	if (now - ql->generation_seen < GENERATION_US)
		return ql->generation;
	ql->generation_seen = now;
	g = generation_current();
	if (!g || g == ql->generation) {
		if (g)
			generation_unref(&g);
		return ql->generation;
	}
	generation_unref(&ql->generation);
	ql->generation = g;
	ql->generation_turn++;
	ql->connections_max = share(queue.settings_of(g)->max_connections);
	routes_forget(ql, true);
	return g;
}

const struct queue_settings *queue_settings_now(struct queue_loop *ql)
{
	return queue.settings_of(queue_generation_now(ql));
}

bool queue_stands(struct queue_loop *ql)
{
	return ql->draining || !queue_settings_now(ql)->deliver;
}

static void tick(struct deadline *d)
{
	struct queue_loop *ql = container_of(d, struct queue_loop, tick);

	queue_generation_now(ql);
	routes_forget(ql, false);
	hosts_wake(ql, false);
	lanes_tick(ql);
	deadline_set(&ql->tick, TICK_MS);
}

static struct queue_loop *loop_part_new(struct loop *loop)
{
	struct queue_loop *ql = must_alloc(sizeof *ql);

	ql->loop = loop;
	ql->index = loop_index(loop);
	ql->generation = generation_ref(queue.generation);
	ql->generation_turn = 1;
	ql->connections_max = share(queue.settings_of(ql->generation)->max_connections);
	list_init(&ql->commits);
	list_init(&ql->spools);
	list_init(&ql->waiting);
	list_init(&ql->lagging);
	list_init(&ql->wanting);
	list_init(&ql->idle);
	subject_init(&ql->subject, loop, queue.generation);
	return ql;
}

static void loop_part_begin(struct queue_loop *ql, void *ctx)
{
	(void)ctx;
	deadline_init(&ql->tick, ql->loop, tick);
	deadline_set(&ql->tick, TICK_MS);
}

static void loop_part_end(struct queue_loop *ql, void *ctx)
{
	(void)ctx;
	deadline_clear(&ql->tick);
	routes_forget(ql, true);
	hosts_wake(ql, true);
	map_free(&ql->works);
	map_free(&ql->lanes);
	map_free(&ql->asking);
	subject_end(&ql->subject);
	generation_unref(&ql->generation);
}

/* ---- a round over all loops ------------------------------------------------------------ */

struct round {
	struct task task;
	struct queue_loop *ql;
	void (*run)(struct queue_loop *ql, void *ctx);
	void *ctx;
	sem_t done;
};

static void round_run(struct task *task)
{
	struct round *r = container_of(task, struct round, task);

	r->run(r->ql, r->ctx);
	sem_post(&r->done);
}

void queue_on_loops(void (*run)(struct queue_loop *ql, void *ctx), void *ctx)
{
	for (unsigned i = 0; i < queue.loop_count; i++) {
		struct round r = {
			.task.run = round_run, .ql = queue.loops[i], .run = run, .ctx = ctx
		};

		sem_init(&r.done, 0, 0);
		loop_post(queue.loops[i]->loop, &r.task);
		while (sem_wait(&r.done) != 0)
			;
		sem_destroy(&r.done);
	}
}

/* ---- what smtp hands over -------------------------------------------------------------- */

static void unreserve(struct subject *subject, uint64_t octets)
{
	(void)subject;
	room_give_back(octets);
}

static void commit(struct subject *subject, struct message *message,
	void (*done)(void *ctx, enum commit_result result, struct str why), void *ctx)
{
	accept_message(queue_loop_of(subject->loop), message, done, ctx);
}

static void forget(void *ctx)
{
	accept_forget(queue_here(), ctx);
	spool_forget(queue_here(), ctx);
}

static void drop(struct message *message)
{
	spool_drop(queue_here(), id_tm(message->envelope.id));
}

const struct smtp_upcalls queue_upcalls = {
	.reserve = room_reserve,
	.unreserve = unreserve,
	.spool = spool_octets,
	.commit = commit,
	.forget = forget,
	.drop = drop,
};

/* ---- the start ------------------------------------------------------------------------- */

/* RESERVE is asked on loops, where nothing may wait. */
static bool answers_at_once(const struct service *store, uint32_t op)
{
	const struct tmail_module *m = instance_module(service_instance(store));

	TMAIL_EACH(struct tmail_service, service, m->services) {
		if (strcmp(service->name, TMAIL_QUEUE) != 0)
			continue;
		TMAIL_EACH(struct tmail_operation, operation, service->operations)
			if (operation->op == op)
				return !(operation->flags & TMAIL_BLOCKING);
	}
	return false;
}

static bool store_find(struct why *why)
{
	struct tmail_queue_counts counts = { .size = sizeof counts };
	struct arena *arena;
	int status;

	queue.routers = table_of(TMAIL_ROUTER);
	queue.generation = generation_current();
	if (!queue.generation)
		return why_set(why, "no settings are in force");
	queue.store = service_find(queue.generation, TMAIL_QUEUE, NULL, 0);
	if (!queue.store)
		return why_set(why,
			"no module keeps the queue: add store/journal, for instance, to modules");
	arena = arena_new(256);
	status = service_ask_wait(queue.store, TMAIL_QUEUE_COUNT, NULL, &counts, arena);
	arena_free(&arena);
	if (status != TMAIL_OK)
		return why_set(why, "%s: the queue's store does not answer",
			instance_name(service_instance(queue.store)));
	queue.reserves = answers_at_once(queue.store, TMAIL_QUEUE_RESERVE);
	log_event(LEVEL_INFO, NULL, "queue_start", LOG_NUM("messages", counts.messages),
		LOG_NUM("recipients", counts.recipients), LOG_NUM("held", counts.held));
	return true;
}

void queue_setup(const struct queue_settings *(*settings_of)(const struct generation *))
{
	queue.settings_of = settings_of;
}

bool queue_start(struct loop *const *loops, unsigned count, struct why *why)
{
	const struct queue_settings *(*settings_of)(const struct generation *) = queue.settings_of;

	must(!queue.started && settings_of && count > 0 && count <= QUEUE_LOOPS_MAX);
	memset(&queue, 0, sizeof queue);
	queue.settings_of = settings_of;
	if (!store_find(why)) {
		generation_unref(&queue.generation);
		queue.store = NULL;
		return false;
	}
	queue.loop_count = count;
	for (unsigned i = 0; i < count; i++) {
		must(loop_index(loops[i]) == i);
		queue.loops[i] = loop_part_new(loops[i]);
	}
	trust_follow(settings_of(queue.generation));
	queue.io = lane_new("queue", QUEUE_IO_WIDTH, QUEUE_IO_DEPTH);
	queue.claims = lane_new("claims", 1, 1);
	chain_unspool(spool_read);
	must(commit_start(why));
	queue.started = true;
	queue_on_loops(loop_part_begin, NULL);
	schedule_start();
	return true;
}

/* ---- new settings ---------------------------------------------------------------------- */

/* What is under delivery on this loop goes no further: parcels that wait come back, and claims
 * are given back. */
static void works_stop(struct queue_loop *ql)
{
	size_t at = 0;
	struct str key;
	void *value;

	while (map_next(&ql->works, &at, &key, &value)) {
		struct work *w = value;

		if (atomic_load(&w->stop) == WORK_GOES)
			atomic_store(&w->stop, WORK_DRAINED);
	}
}

static void loop_follow(struct queue_loop *ql, void *ctx)
{
	(void)ctx;
	ql->generation_seen = loop_now(ql->loop) - GENERATION_US;
	lanes_reloaded(ql);
	if (queue_stands(ql))
		works_stop(ql);
}

static void loop_recall(struct queue_loop *ql, void *ctx)
{
	(void)ctx;
	lanes_recall(ql, false);
}

void queue_reloaded(void)
{
	struct generation *g;

	if (!queue.started || atomic_load(&queue.draining))
		return;
	g = generation_current();
	if (g)
		trust_follow(queue.settings_of(g));
	generation_unref(&g);
	queue_on_loops(loop_follow, NULL);
	queue_on_loops(loop_recall, NULL);
	schedule_due_at(1);
}

/* ---- the end --------------------------------------------------------------------------- */

static sem_t one_ended;

void queue_loop_ended_one(struct queue_loop *ql)
{
	if (ql->draining && ql->busy == 0)
		sem_post(&one_ended);
}

static void drain_begin(struct queue_loop *ql, void *ctx)
{
	(void)ctx;
	ql->draining = true;
	if (ql->index == 0)
		schedule_end();
	works_stop(ql);
}

static void drain_recall(struct queue_loop *ql, void *ctx)
{
	size_t at = 0;
	struct str key;
	void *value;

	(void)ctx;
	while (map_next(&ql->works, &at, &key, &value))
		work_unask(value);
	lanes_recall(ql, true);
	lanes_close(ql, false);
}

static void drain_abort(struct queue_loop *ql, void *ctx)
{
	(void)ctx;
	lanes_close(ql, true);
}

static void drain_look(struct queue_loop *ql, void *ctx)
{
	unsigned *busy = ctx;

	*busy += ql->busy;
}

/* True: nothing is under way on any loop any more. */
static bool drained(int64_t ms)
{
	struct timespec until;
	unsigned busy;
	int error = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	for (;;) {
		busy = 0;
		queue_on_loops(drain_look, &busy);
		if (busy == 0)
			return true;
		if (error == ETIMEDOUT)
			return false;
		error = sem_clockwait(&one_ended, CLOCK_MONOTONIC, &until) == 0 ? 0 : errno;
	}
}

void queue_drain(int64_t ms)
{
	if (!queue.started || atomic_exchange(&queue.draining, true))
		return;
	sem_init(&one_ended, 0, 0);
	queue_on_loops(drain_begin, NULL);
	/* What was claimed, or accepted for delivery, is on its way to its loop: counted below. */
	schedule_lock();
	schedule_unlock();
	commit_flush();
	queue_on_loops(drain_recall, NULL);
	if (!drained(ms)) {
		log_event(LEVEL_WARNING, NULL, "deliveries_ended",
			LOG_NUM("messages", atomic_load(&queue.live)));
		queue_on_loops(drain_abort, NULL);
		if (!drained(LAST_MS))
			log_event(LEVEL_ERROR, NULL, "queue_not_drained",
				LOG_NUM("messages", atomic_load(&queue.live)));
	}
	queue_on_loops(drain_abort, NULL);
	commit_flush();
	schedule_lock();
	schedule_give_back();
	schedule_unlock();
}

static void nothing(struct queue_loop *ql, void *ctx)
{
	(void)ql;
	(void)ctx;
}

void queue_stop(void)
{
	if (!queue.started)
		return;
	queue_drain(0);
	commit_stop();
	/* What it told last is heard, and then the claims are given back that it let go. */
	queue_on_loops(nothing, NULL);
	queue_on_loops(nothing, NULL);
	lane_free(&queue.claims);
	lane_free(&queue.io);
	schedule_over();
	trust_end();
	queue_on_loops(loop_part_end, NULL);
	queue.started = false;
	for (unsigned i = 0; i < queue.loop_count; i++)
		free(queue.loops[i]);
	sem_destroy(&one_ended);
	queue.store = NULL;
	generation_unref(&queue.generation);
}
