/* SPDX-License-Identifier: MIT
 *
 * The commit thread. Loops push what is to be written on one of two stacks with one exchange;
 * the thread takes whole stacks, writes all of it in one call of the store, and tells each loop
 * of its share with one task. There is no timer but for outcomes, which are late by 20 ms at
 * most. It comes after who is at work, who may have more to hand in: fewer writes carry the same.
 * What must hold: whoever pushed is told exactly once, and only after the store answered.
 */
#include "queue/commit.h"

#include "base/log.h"
#include "sys/thread.h"

#include <semaphore.h>
#include <stdlib.h>
#include <time.h>

enum { LAZY_MS = 20, AGAIN_MS = 500, AGAIN_AT_END = 5 };

struct stack {
	_Atomic(struct commit *) head; /* last one first */
};

/* What was written for a loop and is to be told there. */
struct mailbox {
	struct stack stack;
	struct task task;
};

static struct {
	pthread_t thread;
	bool running;
	sem_t wake;
	struct stack urgent, lazy;
	atomic_bool stopping;
	struct mailbox mailboxes[QUEUE_LOOPS_MAX];
	/* The thread's own: */
	struct commit *again;        /* outcomes that the store did not take */
	int64_t again_due, lazy_due; /* ms of now_ms; 0: none */
	unsigned again_tried;
	struct tmail_queue_op *ops;
	struct tmail_queue_verdict *verdicts;
	size_t cap;
	struct arena *arena;
} thread;

/* ---- stacks ---------------------------------------------------------------------------- */

/* first is linked to last. True: the stack was empty. */
static bool stack_push(struct stack *s, struct commit *first, struct commit *last)
{
	struct commit *before = atomic_load_explicit(&s->head, memory_order_relaxed);

	do {
		last->next = before;
	} while (!atomic_compare_exchange_weak_explicit(
		&s->head, &before, first, memory_order_acq_rel, memory_order_relaxed));
	return before == NULL;
}

/* All of it, in the order it was pushed. Who then finds it empty may use again what woke the
 * taker: hence acquire and release on both sides. */
static struct commit *stack_take(struct stack *s)
{
	struct commit *c = atomic_exchange_explicit(&s->head, NULL, memory_order_acq_rel);
	struct commit *first = NULL, *next;

	for (; c; c = next) {
		next = c->next;
		c->next = first;
		first = c;
	}
	return first;
}

static struct commit **list_end(struct commit **end)
{
	while (*end)
		end = &(*end)->next;
	return end;
}

void commit_urgent(struct commit *c)
{
	if (stack_push(&thread.urgent, c, c))
		sem_post(&thread.wake);
}

void commit_lazy(struct commit *c)
{
	if (stack_push(&thread.lazy, c, c))
		sem_post(&thread.wake);
}

/* ---- what is next ---------------------------------------------------------------------- */

/* The clock of sem_clockwait, also where tests replace the house's. */
static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static bool is_due(int64_t due, int64_t now)
{
	return due != 0 && now >= due;
}

static void wait_for_work(void)
{
	int64_t due = thread.lazy_due;
	struct timespec ts;

	if (thread.again_due && (!due || thread.again_due < due))
		due = thread.again_due;
	if (!due) {
		sem_wait(&thread.wake);
		return;
	}
	ts = (struct timespec){ .tv_sec = due / 1000, .tv_nsec = due % 1000 * 1000000 };
	sem_clockwait(&thread.wake, CLOCK_MONOTONIC, &ts);
}

/* Waits for something to write; NULL: there is nothing and never will be. */
static struct commit *gather(void)
{
	for (;;) {
		sched_yield();
		struct commit *first = stack_take(&thread.urgent), **end = list_end(&first);
		bool stopping = atomic_load(&thread.stopping);
		int64_t now = now_ms();

		if (first || stopping || is_due(thread.lazy_due, now)) {
			*end = stack_take(&thread.lazy);
			end = list_end(end);
			thread.lazy_due = 0;
		}
		if (is_due(thread.again_due, now) || (stopping && thread.again)) {
			*end = thread.again;
			thread.again = NULL;
			thread.again_due = 0;
		}
		if (first || stopping)
			return first;
		if (!thread.lazy_due && atomic_load(&thread.lazy.head))
			thread.lazy_due = now + LAZY_MS;
		wait_for_work();
	}
}

/* ---- writing --------------------------------------------------------------------------- */

/* Is it to be written, for the first time or again? */
static bool is_open(const struct commit *c, uint32_t op)
{
	return !c->insist || c->each[op] == TMAIL_QUEUE_NO || c->each[op] == TMAIL_QUEUE_UNKNOWN;
}

/* Gathers what is to be written; answers how many. */
static uint32_t batch_ops(const struct commit *batch)
{
	size_t n = 0;
	uint32_t at = 0;

	for (const struct commit *c = batch; c; c = c->next)
		n += c->count;
	must(n < UINT32_MAX);
	if (n > thread.cap) {
		thread.cap = n * 2;
		thread.ops = must_realloc(thread.ops, thread.cap * sizeof *thread.ops);
		thread.verdicts =
			must_realloc(thread.verdicts, thread.cap * sizeof *thread.verdicts);
	}
	for (const struct commit *c = batch; c; c = c->next)
		for (uint32_t i = 0; i < c->count; i++)
			if (is_open(c, i))
				thread.ops[at++] = c->ops[i];
	return at;
}

/* Nothing is known of an op until the store has said it. */
static void nothing_known(struct tmail_queue_verdict *verdicts, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		verdicts[i] = (struct tmail_queue_verdict){ .result = TMAIL_QUEUE_UNKNOWN };
}

static void store_write(uint32_t count)
{
	struct tmail_queue_write write = { .size = sizeof write,
		.count = count,
		.ops = { thread.ops, count, sizeof *thread.ops },
		.results = thread.verdicts };
	int status;

	nothing_known(thread.verdicts, count);
	status = service_ask_wait(queue.store, TMAIL_QUEUE_WRITE, &write, NULL, thread.arena);
	metric_add(METRIC_commits, 1);
	if (status == TMAIL_OK)
		return;
	nothing_known(thread.verdicts, count);
	log_event(LEVEL_ERROR, NULL, "store_write_failed", LOG_NUM("ops", count),
		LOG_NUM("status", status));
}

static uint32_t recheck(const struct tmail_queue_op *op, uint32_t result)
{
	struct tmail_queue_check check = { .size = sizeof check, .id = op->id };
	int status;

	if (result > TMAIL_QUEUE_NEVER) /* of a store that is newer than this */
		result = TMAIL_QUEUE_UNKNOWN;
	if (result != TMAIL_QUEUE_UNKNOWN || op->change != TMAIL_QUEUE_ADD || !queue.store)
		return result;
	metric_add(METRIC_commit_unknown, 1);
	status = service_ask_wait(queue.store, TMAIL_QUEUE_CHECK, &check, NULL, thread.arena);
	if (status == TMAIL_OK)
		return TMAIL_QUEUE_DURABLE;
	return status == TMAIL_NOT_FOUND ? TMAIL_QUEUE_NO : TMAIL_QUEUE_UNKNOWN;
}

/* True: an outcome that the store will not take, now or ever. A lease that ran out is nobody's
 * fault, but what we delivered another node may deliver too. */
static bool is_moot(const struct tmail_queue_op *op, uint32_t result, struct str why)
{
	bool lost = result == TMAIL_QUEUE_LOST, outcome = op->change == TMAIL_QUEUE_OUTCOME;
	enum log_level level = !lost ? LEVEL_ERROR : outcome ? LEVEL_WARNING : LEVEL_DEBUG;

	if (!lost && result != TMAIL_QUEUE_NEVER)
		return false;
	if (lost && outcome && op->fate == TMAIL_FATE_DELIVERED)
		metric_add(METRIC_duplicates_possible, 1);
	log_event(level, NULL, lost ? "outcome_not_ours" : "outcome_refused",
		LOG_ID("id", id_tm(op->id)), LOG_NUM("change", op->change),
		LOG_IF(outcome, LOG_NUM("recipient", op->recipient)),
		LOG_IF(outcome, LOG_NUM("fate", op->fate)), LOG_IF(why.len, LOG_STR("why", why)));
	return true;
}

/* Answers how many verdicts were about it. */
static uint32_t commit_answer(struct commit *c, const struct tmail_queue_verdict *verdicts)
{
	uint32_t used = 0;

	c->result = TMAIL_QUEUE_DURABLE;
	c->full = false;
	c->why[0] = '\0';
	for (uint32_t i = 0; i < c->count; i++) {
		const struct tmail_queue_verdict *v = &verdicts[used];
		struct str why = str_slice(str_tm(v->why), 0, sizeof c->why - 1);
		uint32_t result;

		if (!is_open(c, i))
			continue;
		used++;
		result = recheck(&c->ops[i], v->result);
		if (c->each)
			c->each[i] = result;
		if (result == TMAIL_QUEUE_DURABLE ||
			(c->insist && is_moot(&c->ops[i], result, why)) ||
			c->result == TMAIL_QUEUE_NO)
			continue;
		c->result = result;
		c->full = v->full;
		if (why.len)
			memcpy(c->why, why.data, why.len);
		c->why[why.len] = '\0';
	}
	return used;
}

/* ---- telling --------------------------------------------------------------------------- */

static void mailbox_open(struct task *task)
{
	struct mailbox *box = container_of(task, struct mailbox, task);
	struct commit *c = stack_take(&box->stack), *next;

	for (; c; c = next) {
		next = c->next;
		c->written(c);
	}
}

/* One task for each loop that is concerned; those without a loop hear last. */
static void tell(struct commit *batch)
{
	struct commit *first[QUEUE_LOOPS_MAX] = { NULL }, *last[QUEUE_LOOPS_MAX] = { NULL };
	struct commit *here = NULL, **here_end = &here, *next;

	for (struct commit *c = batch; c; c = next) {
		next = c->next;
		if (c->home) {
			unsigned i = c->home->index;

			c->next = first[i];
			first[i] = c;
			if (!c->next)
				last[i] = c;
		} else {
			c->next = NULL;
			*here_end = c;
			here_end = &c->next;
		}
	}
	for (unsigned i = 0; i < queue.loop_count; i++)
		if (first[i] && stack_push(&thread.mailboxes[i].stack, first[i], last[i]))
			loop_post(queue.loops[i]->loop, &thread.mailboxes[i].task);
	for (; here; here = next) {
		next = here->next;
		here->written(here);
	}
}

/* Puts by what must be written again; answers the rest. */
static struct commit *put_by(struct commit *batch)
{
	struct commit *rest = NULL, **end = &rest, *next;
	bool give_up = atomic_load(&thread.stopping) && thread.again_tried >= AGAIN_AT_END;
	const struct commit *refused = NULL;
	unsigned count = 0;

	for (struct commit *c = batch; c; c = next) {
		next = c->next;
		c->next = NULL;
		if (!c->insist || c->result == TMAIL_QUEUE_DURABLE || give_up) {
			*end = c;
			end = &c->next;
			continue;
		}
		refused = c;
		count++;
		*list_end(&thread.again) = c;
		thread.again_due = now_ms() + AGAIN_MS;
	}
	thread.again_tried = thread.again ? thread.again_tried + 1 : 0;
	/* The store may be away for hours: more and more seldom. */
	if (refused && (thread.again_tried & (thread.again_tried - 1)) == 0)
		log_event(LEVEL_ERROR, NULL, "outcomes_not_written", LOG_NUM("messages", count),
			LOG_NUM("tried", thread.again_tried), LOG_C("why", refused->why));
	for (struct commit *c = rest; c; c = c->next)
		if (c->count == 0 && thread.again) /* commit_flush asks */
			c->result = TMAIL_QUEUE_UNKNOWN;
	return rest;
}

static void write_batch(struct commit *batch)
{
	uint32_t count = batch_ops(batch), at = 0;

	if (count > 0)
		store_write(count);
	for (struct commit *c = batch; c; c = c->next)
		at += commit_answer(c, &thread.verdicts[at]);
	tell(put_by(batch));
	arena_reset(thread.arena);
}

static void *commit_thread(void *arg)
{
	struct commit *batch;

	(void)arg;
	thread_interrupts_nobody();
	while ((batch = gather()))
		write_batch(batch);
	return NULL;
}

/* ---- waiting for it -------------------------------------------------------------------- */

struct waiter {
	struct commit commit;
	sem_t done;
};

static void waiter_told(struct commit *c)
{
	sem_post(&container_of(c, struct waiter, commit)->done);
}

static struct waiter waiter_wait(const struct tmail_queue_op *ops, uint32_t count, uint32_t *each)
{
	struct waiter w = {
		.commit = { .ops = ops, .count = count, .each = each, .written = waiter_told }
	};

	sem_init(&w.done, 0, 0);
	commit_urgent(&w.commit);
	while (sem_wait(&w.done) != 0)
		;
	sem_destroy(&w.done);
	return w;
}

bool commit_flush(void)
{
	return waiter_wait(NULL, 0, NULL).commit.result == TMAIL_QUEUE_DURABLE;
}

uint32_t commit_wait(struct service *store, const struct tmail_queue_op *ops, uint32_t count,
	uint32_t *each, struct why *why)
{
	struct tmail_queue_verdict verdicts[COMMIT_WAIT_MAX];
	struct commit answer = { .ops = ops, .count = count, .each = each };
	struct tmail_queue_write write = { .size = sizeof write,
		.count = count,
		.ops = { ops, count, sizeof *ops },
		.results = verdicts };

	if (queue.started) {
		answer = waiter_wait(ops, count, each).commit;
	} else {
		struct arena *arena = arena_new(1024);

		must(count <= COMMIT_WAIT_MAX);
		nothing_known(verdicts, count);
		if (service_ask_wait(store, TMAIL_QUEUE_WRITE, &write, NULL, arena) == TMAIL_OK)
			commit_answer(&answer, verdicts);
		else
			answer.result = TMAIL_QUEUE_NO;
		arena_free(&arena);
	}
	if (answer.result != TMAIL_QUEUE_DURABLE)
		why_set(why, "the store did not take it%s%s", answer.why[0] ? ": " : "",
			answer.why);
	return answer.result;
}

/* ---- life ------------------------------------------------------------------------------ */

bool commit_start(struct why *why)
{
	memset(&thread, 0, sizeof thread);
	sem_init(&thread.wake, 0, 0);
	thread.arena = arena_new(4096);
	for (unsigned i = 0; i < queue.loop_count; i++)
		thread.mailboxes[i].task.run = mailbox_open;
	if (!thread_start(&thread.thread, "commit", commit_thread, NULL, why)) {
		arena_free(&thread.arena);
		sem_destroy(&thread.wake);
		return false;
	}
	thread.running = true;
	return true;
}

void commit_stop(void)
{
	if (!thread.running)
		return;
	atomic_store(&thread.stopping, true);
	sem_post(&thread.wake);
	must(pthread_join(thread.thread, NULL) == 0);
	thread.running = false;
	arena_free(&thread.arena);
	free(thread.ops);
	free(thread.verdicts);
	sem_destroy(&thread.wake);
}
