/* SPDX-License-Identifier: MIT
 *
 * One claimer on the first loop asks the store for what is due: at the start, when the first of
 * what is known to come is due, when there is room again, and every few seconds, since other
 * nodes and commands may have changed the store. A worker claims and reads the envelopes; each
 * message is posted to the loop of its id. What must hold: at most one work of a message, for
 * what the store hands out while another round of it is under way is added to that round.
 */
#include "queue/schedule.h"

#include "base/log.h"
#include "queue/work.h"
#include "sys/memory.h"

#include <pthread.h>
#include <stdlib.h>

enum { CLAIM_MAX = 256, POLL_MS = 5000, UNREADABLE_DELAY_S = 300, MANY = 10000 };
/* Claims that are given back until some time are so by tenths of a second, many at once. */
enum { RELEASE_STEP_US = 100000 };

static struct {
	pthread_mutex_t lock;
	struct deadline timer; /* on the first loop */
	struct job job;
	bool claiming;
	uint32_t limit;
	int64_t next; /* what the store says comes next; 0: nothing */
	uint32_t claimed;
	int64_t delivered,
		given_back;      /* METRIC_deliveries at the last claim, and at the last time */
	_Atomic int64_t soonest; /* what outcomes say comes next; INT64_MAX: nothing */
	atomic_bool full;        /* there was no room: look when there is */
	atomic_flag posted;
	struct task task, start;
} schedule = { .lock = PTHREAD_MUTEX_INITIALIZER };

void schedule_lock(void)
{
	pthread_mutex_lock(&schedule.lock);
}

void schedule_unlock(void)
{
	pthread_mutex_unlock(&schedule.lock);
}

/* ---- giving back ----------------------------------------------------------------------- */

struct released {
	struct tmail_id id;
	int64_t due;
};
struct release {
	struct job job;
	struct buf all; /* of struct released, those of one time together */
	size_t count;
};

static void release_some(const struct released *first, uint32_t count)
{
	struct arena *arena = arena_new(256 + count * sizeof(struct tmail_id));
	struct tmail_id *ids = ARENA_ARRAY(arena, struct tmail_id, count);
	struct tmail_queue_release question = {
		.size = sizeof question, .count = count, .ids = ids, .due = first->due
	};

	for (uint32_t i = 0; i < count; i++)
		ids[i] = first[i].id;
	if (service_ask_wait(queue.store, TMAIL_QUEUE_RELEASE, &question, NULL, arena) != TMAIL_OK)
		log_event(LEVEL_ERROR, NULL, "release_failed", LOG_NUM("messages", count));
	arena_free(&arena);
	schedule_due_at(first->due ? first->due : clock_wall());
}

static void release_work(struct job *job)
{
	struct release *r = container_of(job, struct release, job);
	const struct released *all = (const struct released *)(const void *)r->all.data;

	for (size_t i = 0, n; i < r->count; i += n) {
		for (n = 1; i + n < r->count && all[i + n].due == all[i].due; n++)
			;
		release_some(all + i, (uint32_t)n);
	}
}

static void release_done(struct job *job)
{
	struct release *r = container_of(job, struct release, job);

	buf_free(&r->all);
	free(r);
}

static void release_all(struct task *task)
{
	struct queue_loop *ql = container_of(task, struct queue_loop, release_task);
	struct release *r = must_alloc(sizeof *r);

	r->all = ql->release;
	r->count = r->all.len / sizeof(struct released);
	ql->release = (struct buf){ 0 };
	r->job.work = release_work;
	r->job.done = release_done;
	if (queue.io && lane_submit(queue.io, &r->job))
		return;
	log_event(LEVEL_ERROR, NULL, "release_failed", LOG_NUM("messages", r->count));
	release_done(&r->job);
}

void schedule_release(struct queue_loop *ql, struct id id, int64_t due)
{
	struct released own = { tm_id(id),
		(due + RELEASE_STEP_US - 1) / RELEASE_STEP_US * RELEASE_STEP_US };

	if (ql->release.len == 0) {
		ql->release_task.run = release_all;
		loop_before_wait(ql->loop, &ql->release_task);
	}
	buf_add(&ql->release, str_make((const char *)&own, sizeof own));
}

/* ---- fresh messages -------------------------------------------------------------------- */

struct fresh { /* in the message's arena */
	struct task task;
	struct message *m;
	uint64_t size;
};

static void fresh_start(struct queue_loop *ql, struct message *m, uint64_t size)
{
	struct work *w = work_new(ql, m, size);

	for (size_t i = 0; i < m->recipient_count; i++) {
		w->recipients[i].state = RECIPIENT_DUE;
		w->recipients[i].was_due = m->envelope.received;
	}
	work_start(w);
}

static void fresh_arrived(struct task *task)
{
	struct fresh *f = container_of(task, struct fresh, task);

	fresh_start(queue_here(), f->m, f->size);
}

void schedule_fresh(struct queue_loop *ql, struct message *m, uint64_t size)
{
	struct queue_loop *home = queue_home(id_tm(m->envelope.id));
	struct fresh *f;

	if (atomic_fetch_add(&queue.live, 1) >= QUEUE_LIVE_MAX) {
		atomic_fetch_sub(&queue.live, 1);
		atomic_store(&schedule.full, true);
		schedule_release(ql, id_tm(m->envelope.id), 0);
		message_free(&m);
		return;
	}
	if (home == ql) {
		fresh_start(ql, m, size);
		return;
	}
	f = ARENA_NEW(m->arena, struct fresh);
	f->m = m;
	f->size = size;
	f->task.run = fresh_arrived;
	loop_post(home->loop, &f->task);
}

/* ---- messages of the store ------------------------------------------------------------- */

static struct tmail_str kept(struct message *m, struct tmail_str s)
{
	return s.len ? tm_str(arena_str(m->arena, str_tm(s))) : (struct tmail_str){ "", 0 };
}

static struct message *message_of(const struct tmail_queue_content *content)
{
	const struct tmail_envelope *from = content->envelope;
	struct message *m = message_new(id_tm(from->id), from->received);

	m->envelope.body = from->body;
	m->envelope.ret = from->ret;
	m->envelope.smtputf8 = from->smtputf8;
	m->envelope.declared_size = from->declared_size;
	m->envelope.sender = kept(m, from->sender);
	m->envelope.envid = kept(m, from->envid);
	m->envelope.login = kept(m, from->login);
	TMAIL_EACH(struct tmail_recipient, r, from->recipients)
		message_add_recipient(m, str_tm(r->address), str_tm(r->original), r->notify);
	if (!message_opaque_read(m, str_tm(content->opaque)))
		log_event(LEVEL_WARNING, NULL, "opaque_unreadable", LOG_ID("id", id_tm(from->id)));
	return m;
}

struct message *message_read_back(struct service *store, struct id id, struct arena *arena,
	struct tmail_queue_content *content)
{
	struct tmail_queue_read question = { .size = sizeof question, .id = tm_id(id) };

	*content = (struct tmail_queue_content){ .size = sizeof *content };
	if (service_ask_wait(store, TMAIL_QUEUE_READ, &question, content, arena) != TMAIL_OK ||
		!content->envelope)
		return NULL;
	return message_of(content);
}

struct arrival { /* in the message's arena */
	struct task task;
	struct message *m;
	uint64_t size;
	uint32_t count;
	struct due {
		uint32_t recipient, attempts, fate;
		int64_t due;
	} * due;
	struct work_recipient *states; /* of all recipients, as the store has them */
};

static void arrival_mark(struct work *w, const struct arrival *a)
{
	for (uint32_t i = 0; i < a->count; i++) {
		const struct due *due = &a->due[i];
		struct work_recipient *r;

		if (due->recipient >= w->m->recipient_count)
			continue;
		r = &w->recipients[due->recipient];
		if (r->state != RECIPIENT_AWAY && r->state != RECIPIENT_ENDED)
			continue;
		r->state = RECIPIENT_DUE;
		r->fate = (uint8_t)due->fate;
		r->attempts = due->attempts;
		r->was_due = due->due;
		w->again = true;
	}
}

static void arrived(struct task *task)
{
	struct arrival *a = container_of(task, struct arrival, task);
	struct queue_loop *ql = queue_here();
	struct message *m = a->m;
	struct work *w = work_find(ql, id_tm(m->envelope.id));

	if (w) {
		arrival_mark(w, a);
		message_free(&m);
		atomic_fetch_sub(&queue.live, 1);
		work_go_on(w);
		return;
	}
	w = work_new(ql, m, a->size);
	memcpy(w->recipients, a->states, m->recipient_count * sizeof *w->recipients);
	arrival_mark(w, a);
	work_start(w);
}

static void unreadable(const struct tmail_id *id)
{
	struct tmail_queue_release question = { .size = sizeof question,
		.count = 1,
		.ids = id,
		.due = clock_wall() + (int64_t)UNREADABLE_DELAY_S * 1000000 };

	log_event(LEVEL_ERROR, NULL, "message_unreadable", LOG_ID("id", id_tm(*id)));
	service_ask_wait(queue.store, TMAIL_QUEUE_RELEASE, &question, NULL, NULL);
}

/* entries of one message: read it, and post it to its loop. */
static void claim_message(const struct tmail_list *entries, uint32_t first, uint32_t count)
{
	const struct tmail_queue_entry *entry = TMAIL_AT(struct tmail_queue_entry, *entries, first);
	struct arena *arena = arena_new(2048);
	struct tmail_queue_content content;
	struct message *m = message_read_back(queue.store, id_tm(entry->id), arena, &content);
	struct arrival *a;

	if (!m) {
		unreadable(&entry->id);
		arena_free(&arena);
		return;
	}
	a = ARENA_NEW(m->arena, struct arrival);
	a->m = m;
	a->size = content.total;
	a->count = count;
	a->due = ARENA_ARRAY(m->arena, struct due, count);
	for (uint32_t i = 0; i < count; i++) {
		entry = TMAIL_AT(struct tmail_queue_entry, *entries, first + i);
		a->due[i] =
			(struct due){ entry->recipient, entry->attempts, entry->fate, entry->due };
	}
	a->states = ARENA_ARRAY(m->arena, struct work_recipient, m->recipient_count);
	TMAIL_EACH(struct tmail_queue_entry, state, content.states)
		if (state->recipient < m->recipient_count) {
			a->states[state->recipient].fate = (uint8_t)state->fate;
			a->states[state->recipient].attempts = state->attempts;
		}
	arena_free(&arena);
	a->task.run = arrived;
	atomic_fetch_add(&queue.live, 1);
	loop_post(queue_home(id_tm(m->envelope.id))->loop, &a->task);
}

/* After many messages, once nothing is left of them: 120,000 leave 40 MB of freed memory behind. */
static void give_memory_back(void)
{
	int64_t delivered = metric_get(METRIC_deliveries);

	if (delivered == schedule.delivered && delivered - schedule.given_back >= MANY &&
		atomic_load(&queue.live) == 0) {
		memory_give_back();
		schedule.given_back = delivered;
	}
	schedule.delivered = delivered;
}

static void claim_work(struct job *job)
{
	struct tmail_queue_claim question = {
		.size = sizeof question, .limit = schedule.limit, .now = clock_wall()
	};
	struct tmail_queue_claimed answer = { .size = sizeof answer };
	struct arena *arena = arena_new(4096);
	const struct tmail_list *entries = &answer.entries;

	(void)job;
	schedule.claimed = 0;
	schedule.next = 0;
	schedule_lock();
	if (!atomic_load(&queue.draining) &&
		service_ask_wait(queue.store, TMAIL_QUEUE_CLAIM, &question, &answer, arena) ==
			TMAIL_OK) {
		schedule.next = answer.next;
		for (uint32_t i = 0, n; i < entries->count; i += n, schedule.claimed++) {
			struct tmail_id id = TMAIL_AT(struct tmail_queue_entry, *entries, i)->id;

			for (n = 1; i + n < entries->count; n++)
				if (!id_equal(id_tm(id),
					    id_tm(TMAIL_AT(
						    struct tmail_queue_entry, *entries, i + n)
							    ->id)))
					break;
			claim_message(entries, i, n);
		}
	}
	schedule_unlock();
	arena_free(&arena);
	if (schedule.claimed == 0)
		give_memory_back();
}

/* ---- when ------------------------------------------------------------------------------ */

static void claim(void);

static void claim_after(int64_t due)
{
	int64_t ms = POLL_MS, now = clock_wall();

	if (due != 0 && (due - now) / 1000 < ms)
		ms = due > now ? (due - now) / 1000 + 1 : 0;
	deadline_set(&schedule.timer, ms);
}

static int64_t next_due(void)
{
	int64_t soonest = atomic_load(&schedule.soonest);

	if (soonest == INT64_MAX || (schedule.next != 0 && schedule.next < soonest))
		return schedule.next;
	return soonest;
}

static void claim_done(struct job *job)
{
	(void)job;
	schedule.claiming = false;
	if (atomic_load(&queue.draining))
		return;
	if (schedule.claimed >= schedule.limit)
		claim_after(1); /* there is more: at once */
	else
		claim_after(next_due());
}

static void claim(void)
{
	struct queue_loop *first = queue.loops[0];
	unsigned live = atomic_load(&queue.live);

	if (schedule.claiming || atomic_load(&queue.draining))
		return;
	if (!queue_settings_now(first)->deliver || live >= QUEUE_LIVE_MAX) {
		atomic_store(&schedule.full, true);
		claim_after(0);
		return;
	}
	atomic_store(&schedule.soonest, INT64_MAX);
	schedule.limit = QUEUE_LIVE_MAX - live < CLAIM_MAX ? QUEUE_LIVE_MAX - live : CLAIM_MAX;
	schedule.job = (struct job){ .work = claim_work, .done = claim_done };
	schedule.claiming = lane_submit(queue.io, &schedule.job);
	if (!schedule.claiming)
		claim_after(0);
}

static void timer_fired(struct deadline *d)
{
	(void)d;
	claim();
}

/* On the first loop. */
static void look_again(struct task *task)
{
	(void)task;
	atomic_flag_clear(&schedule.posted);
	if (!schedule.claiming && !atomic_load(&queue.draining))
		claim_after(next_due());
}

void schedule_due_at(int64_t due)
{
	int64_t before = atomic_load_explicit(&schedule.soonest, memory_order_relaxed);

	do {
		if (due >= before)
			return;
	} while (!atomic_compare_exchange_weak(&schedule.soonest, &before, due));
	if (!atomic_flag_test_and_set(&schedule.posted))
		loop_post(queue.loops[0]->loop, &schedule.task);
}

void schedule_work_ended(struct queue_loop *ql)
{
	unsigned live = atomic_fetch_sub(&queue.live, 1) - 1;

	ql->busy--;
	if (live < QUEUE_LIVE_MAX / 2 && atomic_exchange(&schedule.full, false))
		schedule_due_at(1);
	queue_loop_ended_one(ql);
}

/* ---- life ------------------------------------------------------------------------------ */

static void begin(struct task *task)
{
	(void)task;
	deadline_init(&schedule.timer, queue.loops[0]->loop, timer_fired);
	claim();
}

void schedule_start(void)
{
	schedule.claiming = false;
	atomic_store(&schedule.soonest, INT64_MAX);
	atomic_store(&schedule.full, false);
	atomic_flag_clear(&schedule.posted);
	schedule.task.run = look_again;
	schedule.start.run = begin;
	loop_post(queue.loops[0]->loop, &schedule.start);
}

void schedule_end(void)
{
	deadline_clear(&schedule.timer);
}
