/* SPDX-License-Identifier: MIT
 *
 * One claimer on the first loop asks the store for what is due: at the start, when the first of
 * what is known to come is due, when there is room again, and every few seconds, since other
 * nodes and commands may have changed the store. A worker claims and reads the envelopes; each
 * message is posted to the loop of its id. It stands back: what is tried again takes the time that
 * fresh mail leaves, however much of it is due. What must hold: at most one work of a message, for
 * what the store hands out while another round of it is under way is added to that round.
 */
#include "queue/schedule.h"

#include "base/log.h"
#include "queue/outcome.h"
#include "sys/memory.h"
#include "sys/thread.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum { CLAIM_MAX = 256, TOGETHER = 32, POLL_MS = 5000, UNREADABLE_DELAY_S = 300, MANY = 10000 };
enum { AGAIN_MS = 1000 }; /* after a store that did not answer */
enum { REST = 32 };       /* times what a claim took, beside fresh mail */

static struct {
	pthread_mutex_t lock;
	struct deadline timer; /* on the first loop */
	struct job job;
	bool claiming;
	uint32_t limit;
	int64_t next; /* what the store says comes next; 0: nothing */
	uint32_t claimed;
	int64_t spent; /* of the processor, by the last claim; microseconds */
	int64_t rest;  /* loop_now: no claim before */
	int64_t delivered,
		given_back; /* METRIC_deliveries at the last claim, and at the last time */
	bool ill;           /* the store did not do what it was asked for last */
	pthread_mutex_t releasing;
	struct buf releases;     /* releasing: of struct tmail_queue_given_back */
	atomic_uint fresh;       /* messages that came since the last claim */
	atomic_uint given_up;    /* their number, with those the store is being asked about */
	_Atomic int64_t soonest; /* what outcomes say comes next; INT64_MAX: nothing */
	atomic_bool full;        /* there was no room: look when there is */
	atomic_flag posted;
	struct task task, start;
} schedule = { .lock = PTHREAD_MUTEX_INITIALIZER, .releasing = PTHREAD_MUTEX_INITIALIZER };

void schedule_lock(void)
{
	pthread_mutex_lock(&schedule.lock);
}

void schedule_unlock(void)
{
	pthread_mutex_unlock(&schedule.lock);
}

/* ---- giving back ----------------------------------------------------------------------- */

bool schedule_has_room(void)
{
	bool room = atomic_load(&queue.live) + atomic_load(&schedule.given_up) < QUEUE_LIVE_MAX;

	if (!room)
		atomic_store(&schedule.full, true);
	return room;
}

/* Not with the lock, which is held while the store is asked. */
static void release_add(const struct tmail_queue_given_back *first, size_t count)
{
	pthread_mutex_lock(&schedule.releasing);
	buf_add(&schedule.releases, str_make((const char *)first, count * sizeof *first));
	pthread_mutex_unlock(&schedule.releasing);
	atomic_fetch_add(&schedule.given_up, (unsigned)count);
}

void schedule_release(struct id id, uint32_t recipient, int64_t due)
{
	struct tmail_queue_given_back own = { tm_id(id), recipient, due };

	release_add(&own, 1);
	schedule_due_at(due ? due : clock_wall());
}

/* What the store does not take is kept. It may have taken some of it, but has given them to nobody
 * since: nothing is claimed before all is done. */
bool schedule_give_back(void)
{
	struct tmail_queue_release question = { .size = sizeof question };
	struct arena *arena = arena_new(256);
	struct buf mine;
	size_t count;
	int status;
	bool again;

	pthread_mutex_lock(&schedule.releasing);
	mine = schedule.releases;
	schedule.releases = (struct buf){ 0 };
	pthread_mutex_unlock(&schedule.releasing);
	count = mine.len / sizeof(struct tmail_queue_given_back);
	question.claims = (struct tmail_list){ mine.data, (uint32_t)count,
		sizeof(struct tmail_queue_given_back) };
	status = count ? service_ask_wait(queue.store, TMAIL_QUEUE_RELEASE, &question, NULL, arena)
		       : TMAIL_OK;
	arena_free(&arena);
	again = status == TMAIL_TRY_LATER || status == TMAIL_LATE;
	if (status != TMAIL_OK)
		log_event(LEVEL_ERROR, NULL, "release_failed", LOG_NUM("recipients", count),
			LOG_NUM("status", status), LOG_C("again", again ? "yes" : "no"));
	if (again)
		release_add((const void *)mine.data, count);
	atomic_fetch_sub(&schedule.given_up, (unsigned)count);
	buf_free(&mine);
	return !again;
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

	for (size_t i = 0; i < m->recipient_count; i++)
		w->recipients[i].state = RECIPIENT_DUE;
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

	atomic_fetch_add_explicit(&schedule.fresh, 1, memory_order_relaxed);
	if (atomic_fetch_add(&queue.live, 1) >= QUEUE_LIVE_MAX) {
		atomic_fetch_sub(&queue.live, 1);
		atomic_store(&schedule.full, true);
		for (uint32_t i = 0; i < m->recipient_count; i++)
			schedule_release(id_tm(m->envelope.id), i, 0);
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

struct arrival {              /* in the message's arena */
	struct task task;     /* of the first of those that go to a loop together */
	struct arrival *next; /* of them */
	struct message *m;
	uint64_t size;
	uint32_t count;
	struct due {
		uint32_t recipient, attempts, fate, note;
		struct str words;
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
		if (r->state == RECIPIENT_ENDED && r->fate > TMAIL_FATE_DEFERRED)
			continue; /* handed out before that was written */
		r->state = RECIPIENT_DUE;
		r->fate = (uint8_t)due->fate;
		r->attempts = due->attempts;
		r->note = (uint8_t)due->note;
		if (r->note >= REPORT_DELIVERED)
			outcome_recall(w, due->recipient, due->words);
		w->again = true;
	}
}

static void arrive(struct queue_loop *ql, struct arrival *a)
{
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

static void arrived(struct task *task)
{
	struct arrival *a = container_of(task, struct arrival, task), *next;
	struct queue_loop *ql = queue_here();

	for (; a; a = next) {
		next = a->next; /* it goes with its message */
		arrive(ql, a);
	}
}

/* Some together, or a loop would be woken for each. */
struct arrivals {
	struct arrival *first[QUEUE_LOOPS_MAX];
	unsigned count;
};

static void arrivals_post(struct arrivals *all)
{
	for (unsigned i = 0; i < queue.loop_count; i++) {
		if (!all->first[i])
			continue;
		all->first[i]->task.run = arrived;
		loop_post(queue.loops[i]->loop, &all->first[i]->task);
		all->first[i] = NULL;
	}
	all->count = 0;
}

static void unreadable(const struct tmail_list *entries, uint32_t first, uint32_t count)
{
	const struct tmail_queue_entry *entry = TMAIL_AT(struct tmail_queue_entry, *entries, first);
	int64_t due = clock_wall() + (int64_t)UNREADABLE_DELAY_S * 1000000;

	log_event(LEVEL_ERROR, NULL, "message_unreadable", LOG_ID("id", id_tm(entry->id)));
	for (uint32_t i = first; i < first + count; i++) {
		entry = TMAIL_AT(struct tmail_queue_entry, *entries, i);
		schedule_release(id_tm(entry->id), entry->recipient, due);
	}
}

/* entries of one message: read it, and put it to those for its loop. */
static void claim_message(
	struct arrivals *all, const struct tmail_list *entries, uint32_t first, uint32_t count)
{
	const struct tmail_queue_entry *entry = TMAIL_AT(struct tmail_queue_entry, *entries, first);
	struct arena *arena = arena_new(2048);
	struct tmail_queue_content content;
	struct message *m = message_read_back(queue.store, id_tm(entry->id), arena, &content);
	struct arrival *a, **place;

	if (!m) {
		unreadable(entries, first, count);
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
		a->due[i] = (struct due){ entry->recipient, entry->attempts, entry->fate,
			entry->note, STR("") };
		if (entry->note >= REPORT_DELIVERED)
			a->due[i].words = arena_str(m->arena, str_tm(entry->reply));
	}
	a->states = ARENA_ARRAY(m->arena, struct work_recipient, m->recipient_count);
	TMAIL_EACH(struct tmail_queue_entry, state, content.states)
		if (state->recipient < m->recipient_count) {
			a->states[state->recipient].fate = (uint8_t)state->fate;
			a->states[state->recipient].attempts = state->attempts;
		}
	arena_free(&arena);
	place = &all->first[queue_home(id_tm(m->envelope.id))->index];
	a->next = *place;
	*place = a;
	atomic_fetch_add(&queue.live, 1);
	if (++all->count == TOGETHER)
		arrivals_post(all);
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

static int64_t processor_time(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void claim_work(struct job *job)
{
	int64_t began = processor_time();

	struct tmail_queue_claim question = {
		.size = sizeof question, .limit = schedule.limit, .now = clock_wall()
	};
	struct tmail_queue_claimed answer = { .size = sizeof answer };
	struct arena *arena = arena_new(4096);
	struct arrivals all = { .count = 0 };
	const struct tmail_list *entries = &answer.entries;

	(void)job;
	thread_stand_back();
	schedule.claimed = 0;
	schedule.next = 0;
	schedule_lock();
	schedule.ill = !schedule_give_back();
	if (!schedule.ill && question.limit > 0 && !atomic_load(&queue.draining))
		schedule.ill = service_ask_wait(queue.store, TMAIL_QUEUE_CLAIM, &question, &answer,
				       arena) != TMAIL_OK;
	if (!schedule.ill) {
		schedule.next = answer.next;
		for (uint32_t i = 0, n; i < entries->count; i += n, schedule.claimed++) {
			struct tmail_id id = TMAIL_AT(struct tmail_queue_entry, *entries, i)->id;

			for (n = 1; i + n < entries->count; n++)
				if (!id_equal(id_tm(id),
					    id_tm(TMAIL_AT(
						    struct tmail_queue_entry, *entries, i + n)
							    ->id)))
					break;
			claim_message(&all, entries, i, n);
		}
		arrivals_post(&all);
	}
	schedule_unlock();
	arena_free(&arena);
	if (schedule.claimed == 0)
		give_memory_back();
	schedule.spent = processor_time() - began;
}

/* ---- when ------------------------------------------------------------------------------ */

static void claim(void);

static void claim_after(int64_t due)
{
	int64_t ms = POLL_MS, now = clock_wall(), rest;

	if (due != 0 && (due - now) / 1000 < ms)
		ms = due > now ? (due - now) / 1000 + 1 : 0;
	if (schedule.ill)
		ms = AGAIN_MS;
	rest = (schedule.rest - loop_now(queue.loops[0]->loop) + 999) / 1000;
	if (ms < rest)
		ms = rest;
	deadline_set(&schedule.timer, ms);
}

static int64_t next_due(void)
{
	int64_t soonest = atomic_load(&schedule.soonest);

	if (soonest == INT64_MAX || (schedule.next != 0 && schedule.next < soonest))
		return schedule.next;
	return soonest;
}

int64_t schedule_rest(int64_t spent, uint32_t claimed, uint32_t fresh)
{
	uint32_t much = claimed / 4;

	return fresh < much ? spent * REST * fresh / much : spent * REST;
}

static void claim_done(struct job *job)
{
	uint32_t fresh = atomic_exchange(&schedule.fresh, 0);

	(void)job;
	schedule.claiming = false;
	if (atomic_load(&queue.draining))
		return;
	if (schedule.limit > 0 && schedule.claimed >= schedule.limit) {
		schedule.rest = loop_now(queue.loops[0]->loop) +
			schedule_rest(schedule.spent, schedule.claimed, fresh);
		claim_after(1); /* there is more */
	} else {
		claim_after(next_due());
	}
}

static void claim(void)
{
	struct queue_loop *first = queue.loops[0];
	unsigned live = atomic_load(&queue.live);

	if (schedule.claiming || atomic_load(&queue.draining))
		return;
	schedule.limit = 0;
	if (queue_settings_now(first)->deliver && live < QUEUE_LIVE_MAX)
		schedule.limit =
			QUEUE_LIVE_MAX - live < CLAIM_MAX ? QUEUE_LIVE_MAX - live : CLAIM_MAX;
	if (schedule.limit == 0) {
		atomic_store(&schedule.full, true);
		if (atomic_load(&schedule.given_up) == 0) {
			claim_after(0);
			return;
		}
	}
	atomic_store(&schedule.soonest, INT64_MAX);
	schedule.job = (struct job){ .work = claim_work, .done = claim_done };
	schedule.claiming = lane_submit(queue.claims, &schedule.job);
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
	schedule.ill = false;
	schedule.rest = 0;
	schedule.task.run = look_again;
	schedule.start.run = begin;
	loop_post(queue.loops[0]->loop, &schedule.start);
}

void schedule_end(void)
{
	deadline_clear(&schedule.timer);
}

void schedule_over(void)
{
	schedule_lock();
	schedule_give_back();
	schedule_unlock();
	buf_free(&schedule.releases);
	atomic_store(&schedule.given_up, 0);
}
